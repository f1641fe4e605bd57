//! `vomeet import verify`, with former servers that are only played.

use crate::cli::vomeet;
use crate::import::{Dump, KEY, sound};
use crate::process::{Ended, Launch};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a played server answers to a path, a key, and the number of the request, from 0.
type Answers = Arc<dyn Fn(&str, &str, usize) -> (&'static str, Value) + Send + Sync>;

/// Starts a server that answers so until the test is over; it closes the connection, without a word,
/// after whatever is not 200. Returns its address.
fn play(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let count = AtomicUsize::new(0);
        for stream in listener.incoming().flatten() {
            // One after the other: whoever is asked has but one connection to each server.
            while answer(&stream, &answers, &count).is_some() {}
        }
    });
    format!("http://{address}")
}

/// Answers one request; `None` where the connection is over.
fn answer(stream: &TcpStream, answers: &Answers, count: &AtomicUsize) -> Option<()> {
    let (mut path, mut key) = (String::new(), String::new());
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        if let Some(rest) = line.strip_prefix("GET ") {
            rest.split(' ').next()?.clone_into(&mut path);
        } else if let Some(sent) = line.strip_prefix("x-api-key: ") {
            sent.clone_into(&mut key);
        } else if line.is_empty() {
            break;
        }
    }
    if path.is_empty() {
        return None;
    }
    let (head, body) = answers(&path, &key, count.fetch_add(1, Ordering::SeqCst));
    let (body, length) = (body.to_string(), body.to_string().len());
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
    head.starts_with("200").then_some(())
}

fn verify(folder: &Path, old: &str, new: &str) -> (Ended, Value) {
    let arguments = ["import", "verify", "--old", old, "--new", new, "--keys-from", "dump.sql"];
    let ended = vomeet(folder, &[&arguments[..], &["--output", "json"]].concat());
    let compared = serde_json::from_str(&ended.stdout).unwrap_or_default();
    (ended, compared)
}

/// The same without naming the new server: it is where the settings say.
fn verify_configured(folder: &Path, old: &str, settings: &[(&str, &str)]) -> Ended {
    let arguments = ["import", "verify", "--old", old, "--keys-from", "dump.sql"];
    let mut launch = Launch::new(folder, &arguments);
    for (name, value) in settings {
        launch = launch.env(name, value);
    }
    launch.run()
}

fn with_dump() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("dump.sql"), sound().text()).expect("written");
    folder
}

/// A meeting in a list, of this spelling.
fn listed(native_id: &str) -> Value {
    let status = "completed";
    json!({ "id": 5, "platform": "google_meet", "native_meeting_id": native_id, "status": status })
}

/// A former server that lists its meetings by pages, and knows them in its own spelling alone.
fn by_pages(path: &str, key: &str, _: usize) -> (&'static str, Value) {
    let body = match path {
        "/meetings" if key != KEY => json!({ "meetings": [] }),
        "/meetings" => {
            json!({ "meetings": [{ "id": 7, "status": "scheduled" }], "has_more": true })
        }
        "/meetings?offset=1" => json!({ "meetings": [listed("ABC-defg hij")], "has_more": false }),
        "/transcripts/google_meet/ABC-defg%20hij" => json!({ "segments": [{ "text": "Hello" }] }),
        other => return ("404 Not Found", json!({ "detail": other })),
    };
    ("200 OK", body)
}

/// This server: one page, and another spelling.
fn by_one_page(path: &str, key: &str, _: usize) -> (&'static str, Value) {
    let body = match path {
        "/meetings" if key != KEY => json!({ "meetings": [] }),
        "/meetings" => json!({ "meetings": [listed("abc-defg hij")] }),
        "/transcripts/google_meet/abc-defg%20hij" => json!({ "segments": [{ "text": "Hello" }] }),
        other => return ("404 Not Found", json!({ "detail": other })),
    };
    ("200 OK", body)
}

#[test]
fn pages_spellings_and_servers_that_put_off_are_no_difference() {
    let folder = with_dump();
    let busy = |path: &str, key: &str, number: usize| match number {
        0 | 2 => ("429 Too Many Requests\r\nretry-after: 0", json!({})),
        3 => ("503 Service Unavailable", json!({})),
        _ => by_pages(path, key, number),
    };
    let (old, new) = (play(Arc::new(busy)), play(Arc::new(by_one_page)));
    let (ended, compared) = verify(folder.path(), &old, &new);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!((&compared["same"], &compared["meetings"]), (&json!(2), &json!(1)));
    let transcripts = (&compared["transcripts"], &compared["transcripts_refused"]);
    assert_eq!(transcripts, (&json!(1), &json!(0)));
}

#[test]
fn a_transcript_that_neither_server_gives_is_not_compared() {
    let folder = with_dump();
    let without = |path: &str, key: &str, number: usize| match path.starts_with("/transcripts") {
        true => ("404 Not Found", json!({})),
        false => by_one_page(path, key, number),
    };
    let neither: Answers = Arc::new(without);
    let (ended, compared) =
        verify(folder.path(), &play(Arc::clone(&neither)), &play(Arc::clone(&neither)));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let transcripts = (&compared["transcripts"], &compared["transcripts_refused"]);
    assert_eq!(transcripts, (&json!(0), &json!(1)));
    let (ended, _) = verify(folder.path(), &play(neither), &play(Arc::new(by_one_page)));
    assert_eq!(ended.status.code(), Some(42), "{ended:?}");
}

#[test]
fn what_is_no_answer_of_the_api_is_not_taken_for_a_refusal() {
    let folder = with_dump();
    for (answered, said) in [
        (("307 Temporary Redirect\r\nlocation: http://127.0.0.1/", json!({})), "307"),
        (("404 Not Found", json!({ "detail": "Not Found" })), "404"),
        (("500 Internal Server Error", json!({})), "500"),
        (("200 OK", json!({ "status": "ok" })), "200"),
    ] {
        let odd: Answers = Arc::new(move |_: &str, _: &str, _: usize| answered.clone());
        // Two servers that answer both so would open the same.
        let (ended, _) = verify(folder.path(), &play(Arc::clone(&odd)), &play(odd));
        assert_eq!(ended.status.code(), Some(21), "{ended:?}");
        let expected = format!("answers /meetings with {said}");
        assert!(ended.stderr.contains(&expected), "{ended:?}");
    }
    // Refusals are answers.
    let refuses = |_: &str, _: &str, _: usize| ("403 Forbidden", json!({}));
    let (ended, compared) =
        verify(folder.path(), &play(Arc::new(refuses)), &play(Arc::new(refuses)));
    assert_eq!((ended.status.code(), &compared["same"]), (Some(0), &json!(2)), "{ended:?}");
}

#[test]
fn a_dump_without_keys_compares_nothing_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = Dump::new().users(&["1\tada@example.com\t{}"]);
    fs::write(folder.path().join("dump.sql"), dump.text()).expect("written");
    let nobody = play(Arc::new(by_one_page));
    let (ended, _) = verify(folder.path(), &nobody, &nobody);
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    assert!(ended.stderr.contains("has no keys"), "{ended:?}");
}

#[test]
fn the_new_server_is_where_the_settings_say_and_as_they_say() {
    let folder = with_dump();
    let (old, new) = (play(Arc::new(by_pages)), play(Arc::new(by_one_page)));
    let port = new.rsplit(':').next().expect("a port");
    // Whoever listens everywhere is here too.
    let everywhere = format!("0.0.0.0:{port}");
    let ended = verify_configured(folder.path(), &old, &[("VOMEET_LISTEN", &everywhere)]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let settings = [
        ("VOMEET_LISTEN", everywhere.as_str()),
        ("VOMEET_TLS_CERT", "cert.pem"),
        ("VOMEET_TLS_KEY", "key.pem"),
    ];
    let ended = verify_configured(folder.path(), &old, &settings);
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    let said = format!("https://127.0.0.1:{port}/ does not answer");
    assert!(ended.stderr.contains(&said), "{ended:?}");
}
