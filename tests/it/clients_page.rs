//! The clients as the server hands them out: their page, their files, and what of a caller stands in
//! it. That pip and npm install them is tested in `tests/python/test_wheel.py` and
//! `tests/python/test_typescript.py`.

use crate::client::Client;
use crate::process::Launch;
use crate::server::{Server, Setup};
use std::fmt::Write;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of the file.
pub fn wheel() -> String {
    format!("vomeet_client-{VERSION}-py3-none-any.whl")
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} is not in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("{after} is not in {rest}")).0
}

/// The SHA-256 of a file, in hexadecimal digits.
fn sha256(file: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, file);
    let mut text = String::new();
    for byte in digest.as_ref() {
        write!(text, "{byte:02x}").expect("a string");
    }
    text
}

#[test]
fn its_page_names_the_file_relatively_with_its_hash() {
    let server = Server::start();
    let page = server.get("/clients/").send();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let text = String::from_utf8(page.body.clone()).expect("text");
    let link = between(&text, "<a href=\"", "\"");
    let (name, hash) = link.split_once("#sha256=").expect("a hash");
    assert_eq!(name, wheel());
    let file = server.get(format!("/clients/{name}")).send();
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/octet-stream")));
    assert!(file.body.starts_with(b"PK\x03\x04"), "no zip");
    assert_eq!(hash, sha256(&file.body));
    let etag = file.header("etag").expect("an entity tag");
    let known = server.get(format!("/clients/{name}")).header("If-None-Match", etag).send();
    assert_eq!((known.status, known.body.len()), (304, 0));
    for path in ["/clients/other.whl", "/clients/vomeet_client-9.9.9-py3-none-any.whl"] {
        assert_eq!(server.get(path).send().refusal(), (404, "Not Found".to_owned()), "{path}");
    }
    let bare = server.get("/clients").send();
    assert_eq!((bare.status, bare.header("location")), (308, Some("clients/")));
}

/// The page as a caller gets it who reaches the server by this name.
fn page_for(server: &Client, host: &str) -> String {
    let request = format!("GET /clients/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = server.raw(request).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text().to_owned()
}

#[test]
fn the_tarball_is_the_one_whose_hash_the_page_has() {
    let server = Server::start();
    let page = server.get("/clients/").send();
    let text = String::from_utf8(page.body.clone()).expect("text");
    let name = format!("vomeet-client-npm-{VERSION}.tgz");
    assert!(text.contains(&format!("<a href=\"{name}\">")), "{text}");
    let (_, of_tarball) = text.split_once("<h2>TypeScript").expect("a section");
    let file = server.get(format!("/clients/{name}")).send();
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/octet-stream")));
    let hash = sha256(&file.body);
    assert!(of_tarball.contains(&format!("echo '{hash}  {name}' | sha256sum")), "{hash}: {text}");
    assert!(of_tarball.contains(&format!("<code>{hash}</code>")), "{hash}: {text}");
}

#[test]
fn its_lines_have_the_address_of_the_caller() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let text = page_for(&server, "localhost:1234");
    assert!(text.contains("--find-links http://localhost:1234/clients/ vomeet-client<"), "{text}");
    let tarball = format!("http://localhost:1234/clients/vomeet-client-npm-{VERSION}.tgz<");
    assert!(text.contains(&format!("npm install {tarball}")), "{text}");

    let server = Setup::new().set("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com").start();
    let text = page_for(&server, "vomeet.example.com");
    let line = format!("'vomeet-client @ https://vomeet.example.com/clients/{}#sha256=", wheel());
    assert!(text.contains(&line), "{text}");
}
