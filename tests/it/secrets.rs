//! No secret is in what the server says or keeps, at the most talkative level.

use crate::client::{Call, Token, find, token_of};
use crate::process::{Launch, Process};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use vomeet::domain::PlainToken;

const ADMIN: &str = "Adm1n-Key-That-Is-Long-Enough-Xq7";
/// So many characters of a secret in a row are too many.
const RUN: usize = 10;

/// Every file in a folder and below it, by name; sockets hold nothing.
pub fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Ok(meta) = path.metadata() else { continue };
        if meta.is_dir() {
            files.extend(everything(&path));
        } else if !meta.file_type().is_socket() {
            files.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    files
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    find(haystack, needle).is_some()
}

/// Where a part of a secret is found, and what stands around it; each place is read once for all
/// secrets.
pub fn leaks(places: &BTreeMap<String, Vec<u8>>, secrets: &[&str]) -> Vec<String> {
    let parts: HashSet<&[u8]> =
        secrets.iter().flat_map(|secret| secret.as_bytes().windows(RUN)).collect();
    let mut begins = vec![false; 1 << 16];
    let pair = |part: &[u8]| usize::from(part[0]) << 8 | usize::from(part[1]);
    for part in &parts {
        begins[pair(part)] = true;
    }
    let around = |bytes: &[u8]| {
        let at = bytes.windows(RUN).position(|part| begins[pair(part)] && parts.contains(part))?;
        let (start, end) = (at.saturating_sub(60), bytes.len().min(at + 60));
        Some(String::from_utf8_lossy(&bytes[start..end]).into_owned())
    };
    places.iter().filter_map(|(name, bytes)| Some(format!("{name}: {}", around(bytes)?))).collect()
}

#[test]
fn the_search_finds_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = "0123456789abcdefghij";
    fs::write(folder.path().join("planted"), format!("x{}y", &secret[3..13])).expect("written");
    fs::write(folder.path().join("clean"), &secret[..RUN - 1]).expect("written");
    let places = everything(folder.path());
    let found = leaks(&places, &[secret]);
    assert!(found.len() == 1 && found[0].contains("planted: x345"), "{found:?}");
}

/// A server at its most talkative.
fn talkative(folder: &Path) -> Process {
    let launch = Launch::serve(folder).env("VOMEET_LOG", "trace").env("ADMIN_API_TOKEN", ADMIN);
    launch.env("RUST_BACKTRACE", "full").env("VOMEET_TOKENS_LAST_USED_SECONDS", "1").start()
}

fn admin(server: &Process, method: &str, path: &str) -> Call {
    server.call(method, path).header("X-Admin-API-Key", ADMIN)
}

/// Twenty users with a token each.
fn issue(server: &Process) -> Vec<Token> {
    let issue = |n: i32| {
        let body = json!({ "email": format!("canary{n}@example.com") });
        admin(server, "POST", "/admin/users").json(&body).send().expect(201);
        token_of(&admin(server, "POST", &format!("/admin/users/{n}/tokens")).send().expect(201))
    };
    (1..=20).map(issue).collect()
}

/// Shows a secret in every place of a request.
fn show_everywhere(server: &Process, secret: &str) {
    for call in [
        server.get("/user").user(secret),
        server.get("/meetings").user(secret),
        server.get("/admin/users").header("X-Admin-API-Key", secret),
        server.get("/user").user(secret).user(secret),
        server.get(format!("/user?api_key={secret}")),
        server.get(format!("/{secret}")),
        server.get(format!("/docs/{secret}")),
        admin(server, "GET", &format!("/admin/users/{secret}")),
        server
            .get(format!("/admin/users/email/{secret}@x.example"))
            .header("X-Admin-API-Key", secret),
        server
            .get("/user")
            .header("Authorization", format!("Bearer {secret}"))
            .header("Cookie", secret),
        server.get("/user").header("X-Request-Id", format!("{secret}!")),
        server.call(&secret.replace('-', "")[..20], "/user"),
    ] {
        call.try_send().ok();
    }
    let broken = format!(
        "GET /user HTTP/1.1\r\nHost: {secret}\r\nX-API-Key: {secret}\r\nX-API-Key {secret}\r\n\r\n"
    );
    for request in [format!("GET /user HTTP/1.1\r\nX-API-Key: {secret}\r\n\r\n"), broken] {
        server.raw(request).ok();
    }
}

/// Everything that the server said and keeps, once it has stopped.
fn all_places(server: Process, folder: &Path, tokens: &[Token]) -> BTreeMap<String, Vec<u8>> {
    let mut answers: Vec<_> =
        ["/admin/users/7", "/admin/users/7/tokens", "/admin/users?limit=1000"]
            .map(|path| admin(&server, "GET", path).send())
            .into();
    answers
        .extend(["/healthz", "/metrics", "/openapi.json", "/"].map(|path| server.get(path).send()));
    answers.push(server.whoami(&tokens[9].text));
    let mut places = everything(folder);
    assert!(
        places.keys().any(|name| name.ends_with("-wal")),
        "the log of the database is not searched"
    );
    let ended = server.terminate();
    places.extend(
        everything(folder)
            .into_iter()
            .map(|(name, bytes)| (format!("{name} after the end"), bytes)),
    );
    places.insert("stdout".to_owned(), ended.stdout.into_bytes());
    places.insert("stderr".to_owned(), ended.stderr.into_bytes());
    let answers = answers.into_iter().enumerate();
    places.extend(answers.map(|(n, answer)| (format!("answer {n}"), answer.body)));
    places
}

#[test]
fn no_secret_is_said_or_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = talkative(folder.path());
    let tokens = issue(&server);
    let wrong = PlainToken::generate().expect("randomness").reveal().to_owned();
    let mistyped = format!("wr0ng{}", &wrong[5..]);
    let others = [wrong.as_str(), &mistyped, ADMIN, "a-wrong-admin-key-9z8y7x"];
    for secret in tokens.iter().map(|token| token.text.as_str()).chain(others) {
        show_everywhere(&server, secret);
    }
    for token in &tokens[..5] {
        assert_eq!(
            admin(&server, "DELETE", &format!("/admin/tokens/{}", token.id)).send().status,
            204
        );
        server.whoami(&token.text);
    }
    let places = all_places(server, folder.path(), &tokens);

    // The search does see the place where a secret would stand: beside the address, the hint and
    // the hash.
    assert!(
        leaks(&places, &["canary7@example.com"]).iter().any(|place| place.contains("-wal: ")),
        "the search is blind"
    );
    let database = &places[&format!("{} after the end", folder.path().join("vomeet.db").display())];
    assert!(
        contains(database, &tokens[9].text.as_bytes()[..4]),
        "the hint is not found: the search is blind"
    );
    assert!(
        contains(database, blake3::hash(tokens[9].text.as_bytes()).as_bytes()),
        "the hash is not found"
    );
    assert!(contains(&places["stderr"], b"GET /user 200"), "the log is not searched");

    let secrets: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).chain(others).collect();
    assert_eq!(leaks(&places, &secrets), Vec::<String>::new());
    // Of what was revoked the hash alone stays, so that its holder is told why it is refused.
    let gone = blake3::hash(tokens[0].text.as_bytes());
    assert!(
        contains(database, gone.as_bytes()),
        "a revoked token's hash is gone, and with it the reason"
    );
}

#[test]
fn debug_hides_what_it_holds() {
    let token = PlainToken::generate().expect("randomness");
    let shown = format!("{token:?} {:?}", token.hint());
    assert!(!shown.contains(&token.reveal()[..8]), "{shown}");
}
