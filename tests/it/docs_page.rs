//! The API documentation: its examples are accepted, and its files are sent once and compressed.

use crate::bots;
use crate::client::Answer;
use crate::contract::real_path;
use crate::local::{ask_whole, socket_of};
use crate::open_links::link;
use crate::process::Launch;
use crate::segments::one_meeting;
use crate::server::{Server, Setup};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use vomeet::api::guard::Access;
use vomeet::api::route::Route;
use vomeet::domain::MeetingId;
use vomeet::http::request::extractor::BodyRule;
use vomeet::routes::TABLE;

/// The session that the examples name.
const EXAMPLE_SESSION: &str = "c0ffee00-1234-4abc-8def-1234567890ab";

/// The answer to a route's example, where there is what its path names.
fn try_example(route: &Route) -> Answer {
    let path = real_path(route);
    if route.path == "/bots" {
        let server = bots::setup().start();
        let token = bots::user(&server, "one@example.com", 1).text;
        let body: Value = serde_json::from_str(route.example).expect("JSON");
        let answer = server.post(&path).user(&token).json(&body).send();
        server.call("DELETE", "/bots/google_meet/abc-defg-hij").user(&token).send().expect(202);
        return answer;
    }
    if route.path == "/admin/backups" {
        let setup = Setup::new();
        let folder = setup.folder().join("backups").to_string_lossy().into_owned();
        let server =
            setup.set("VOMEET_BACKUP_FOLDER", &folder).set("VOMEET_BACKUP_EVERY", "").start();
        let body: Value = serde_json::from_str(route.example).expect("JSON");
        return server.post(&path).admin().json(&body).send();
    }
    if route.path == "/admin/compact" {
        // By the admin socket alone.
        let folder = tempfile::tempdir().expect("a folder");
        let _server = Launch::serve(folder.path()).start();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}",
            route.example.len()
        );
        let request = format!("{head}\r\nConnection: close\r\n\r\n{}", route.example);
        return ask_whole(&socket_of(folder.path()), &request).expect("an answer");
    }
    let (server, token, session) = one_meeting();
    // What a bot is asked to do is refused where none listens.
    let _bot = server.app.bot_commands.subscribe(MeetingId(1));
    if route.path.starts_with("/admin/keys/") {
        let key = json!({ "name": "first" });
        server.post("/admin/keys").admin().json(&key).send().expect(201);
    }
    // What is corrected must have been said.
    let said =
        json!([{"segment_id": "1", "start": 1, "end": 2, "text": "Hi.", "speaker": "Speaker 1"}]);
    session.say(&server, &said);
    let example = route.example.replace(EXAMPLE_SESSION, &session.uid);
    let mut body: Value = serde_json::from_str(&example).expect("JSON");
    if route.path == "/console/sessions" {
        body["link"] = link(server.folder()).into();
    }
    let call = server.call(route.method.as_str(), &path).json(&body);
    match route.access {
        Access::Admin => call.admin().send(),
        Access::User | Access::Socket | Access::Mcp | Access::Sound => call.user(&token).send(),
        Access::Bot => call.bearer(&session.token).send(),
        Access::Open | Access::Session | Access::SoundSocket => call.send(),
    }
}

#[test]
fn every_body_has_an_example_and_each_is_accepted() {
    let mut tried = 0;
    let has_json = |route: &Route| {
        matches!(route.body, BodyRule::Optional | BodyRule::Required | BodyRule::Raw)
    };
    for route in TABLE.iter().filter(|route| has_json(route)) {
        let row = format!("{} {}", route.method, route.path);
        assert!(!route.example.is_empty(), "{row} has no example");
        let answer = try_example(route);
        assert!((200..300).contains(&answer.status), "{row}: {} {}", answer.status, answer.text());
        if route.access == Access::Session {
            assert_ne!(answer.json()["status"], "error", "{row}");
        }
        tried += 1;
    }
    assert!(tried >= 19, "only {tried} examples");
}

#[test]
fn files_are_compressed_and_sent_to_those_who_do_not_have_them() {
    let server = Server::start();
    for path in [
        "/docs",
        "/docs/start.js",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/openapi.json",
    ] {
        let plain = server.get(path).send();
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{path}");
        let etag = plain.header("etag").expect("an entity tag").to_owned();
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"), "{path}");

        let gzip = server.get(path).header("Accept-Encoding", "br, gzip;q=0.8").send();
        assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(gzip.header("etag"), Some(etag.as_str()), "{path}");
        assert!(gzip.body.len() < plain.body.len(), "{path}");
        let mut inside = Vec::new();
        GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut inside).expect("gzip");
        assert!(inside == plain.body, "{path}: other bytes");

        for refused in ["identity", "gzip;q=0", "br", "gzip;q=0.0, identity"] {
            let answer = server.get(path).header("Accept-Encoding", refused).send();
            assert_eq!(answer.header("content-encoding"), None, "{path} {refused}");
        }
        for known in [etag.clone(), format!("\"other\", {etag}"), "*".to_owned()] {
            let answer = server.get(path).header("If-None-Match", &known).send();
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{path} {known}");
        }
        let other = server.get(path).header("If-None-Match", "\"other\"").send();
        assert_eq!(other.status, 200, "{path}");
    }
}

/// Behind a proxy that adds a path, every address of the page must still lead here.
#[test]
fn the_page_names_its_files_relative_to_itself() {
    let server = Server::start();
    for path in ["/docs", "/docs/start.js"] {
        let text = server.get(path).send().text().to_owned();
        assert!(!text.contains("=\"/") && !text.contains(": \"/"), "{path}: {text}");
    }
    let document = server.get("/openapi.json").send().expect(200);
    assert_eq!(document["servers"], json!([{"url": ".", "description": "This server"}]));
}
