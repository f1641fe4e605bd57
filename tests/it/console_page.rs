//! The console as it is served: its files, their policy and their size, and that it can be switched
//! off. What its pages do is tested in a browser: `tests/browser`.

use crate::process::Launch;
use crate::server::{Server, Setup};
use flate2::read::GzDecoder;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

/// What the browser takes for all pages together, compressed, in bytes.
const BYTES_MAX: usize = 150_000;
/// As for Rust: a file is read in one sitting.
const LINES_MAX: usize = 400;
/// The one file that is not ours.
const FOREIGN: &str = "preact.js";
/// By which text would become a part of the page, or be run.
const RUNS_TEXT: [&str; 8] = [
    "eval(",
    "new Function",
    "innerHTML",
    "outerHTML",
    "InnerHTML",
    "srcdoc",
    "document.write",
    "insertAdjacent",
];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' data:; media-src 'self'; \
                      form-action 'none'; object-src 'none'; base-uri 'none'; \
                      frame-ancestors 'none'";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/console")
}

/// The files of the folder: name and text.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join("files")).expect("the folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        found.push((name, fs::read_to_string(path).expect("text")));
    }
    assert!(found.len() > 20, "{found:?}");
    found.sort();
    found
}

#[test]
fn every_file_is_carried_compressed_and_sent_to_those_who_do_not_have_it() {
    let server = Server::start();
    let mut bytes = 0;
    for (name, text) in files() {
        let path = format!("/console/{name}");
        let plain = server.get(&path).send();
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{path}");
        assert!(plain.body == text.as_bytes(), "{path}: other bytes");
        assert_eq!(plain.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(plain.header("referrer-policy"), Some("no-referrer"), "{path}");
        let expected = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(plain.header("content-type"), Some(expected), "{path}");

        let packed = server.get(&path).header("Accept-Encoding", "gzip").send();
        bytes += packed.body.len();
        if packed.header("content-encoding") == Some("gzip") {
            let mut inside = String::new();
            GzDecoder::new(packed.body.as_slice()).read_to_string(&mut inside).expect("gzip");
            assert!(inside == text, "{path}: other bytes in gzip");
        } else {
            assert!(text.len() < 512, "{path} is not compressed");
        }
        let etag = plain.header("etag").expect("an entity tag");
        assert_eq!(packed.header("etag"), Some(etag), "{path}");
        let known = server.get(&path).header("If-None-Match", etag).send();
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
    }
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}

#[test]
fn its_address_is_a_folder() {
    let server = Server::start();
    let page = server.get("/console/").send();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("content-security-policy"), Some(POLICY));
    let index = server.get("/console/index.html").send();
    assert!(page.body == index.body, "another page");
    let bare = server.get("/console").send();
    assert_eq!((bare.status, bare.header("location")), (308, Some("console/")));
    for path in ["/console/nothing.js", "/console/..%2fmod.rs", "/console/NOTICE.md"] {
        assert_eq!(server.get(path).send().refusal(), (404, "Not Found".to_owned()), "{path}");
    }
    assert_eq!(server.post("/console/").send().status, 405);
}

#[test]
fn switched_off_it_is_not_there_and_browsers_get_the_docs() {
    let server = Setup::new().set("VOMEET_CONSOLE", "false").start();
    for path in ["/console", "/console/", "/console/start.js", "/console/index.html"] {
        assert_eq!(server.get(path).send().refusal(), (404, "Not Found".to_owned()), "{path}");
    }
    let front = server.get("/").header("Accept", "text/html").send();
    assert_eq!((front.status, front.header("location")), (307, Some("docs")));
}

#[test]
fn the_start_says_where_it_is() {
    for (setting, wanted) in [("true", "/console/"), ("false", "Console    off")] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Launch::serve(folder.path()).env("VOMEET_CONSOLE", setting).start();
        let line = server.stdout.find("Console").expect("a line");
        assert!(line.trim_end().ends_with(wanted), "{line}");
    }
}

/// Behind a proxy that adds a path, every address must still lead here; and nothing is asked of
/// another host, nothing is run that is text.
#[test]
fn its_files_name_each_other_relatively_and_run_no_text() {
    let carried = files();
    for (name, text) in &carried {
        // An address that a field shows as an example is asked of nobody.
        let text = text.replace("https://example.com/", "").replace("With(\"https://", "");
        for word in ["https://", "=\"/", "from \"/", "import(\"/", "javascript:"] {
            assert!(name == FOREIGN || !text.contains(word), "{name} has {word}");
        }
        for word in RUNS_TEXT {
            assert!(name == FOREIGN || !text.contains(word), "{name} has {word}");
        }
        for part in text.split("\"./").skip(1) {
            let named = part.split('"').next().expect("a name");
            assert!(carried.iter().any(|(other, _)| other == named), "{name} names {named}");
        }
    }
    let (_, page) = carried.iter().find(|(name, _)| name == "index.html").expect("the page");
    for word in ["<style", "style=", " onclick", " onload", "<script>"] {
        assert!(!page.contains(word), "the page has {word}");
    }
}

#[test]
fn each_of_its_files_says_what_it_is_and_stays_short() {
    for (name, text) in files() {
        let lines = text.lines().count();
        assert!(lines < LINES_MAX, "{name} has {lines} lines");
        if name.rsplit('.').next() == Some("js") && name != FOREIGN {
            assert!(text.starts_with("// "), "{name} does not say what it is");
        }
    }
}

#[test]
fn what_is_not_ours_is_what_the_notice_says() {
    let foreign = fs::read(folder().join("files").join(FOREIGN)).expect("the file");
    let notice = fs::read_to_string(folder().join("NOTICE.md")).expect("the notice");
    let hash = blake3::hash(&foreign).to_hex();
    assert!(notice.contains(hash.as_str()), "{FOREIGN} has the hash {hash}");
}
