//! Tickets: what stands in the address of a socket in place of a token.

use crate::client::{Client, Token, assert_time, fields};
use crate::process::Launch;
use crate::secrets::leaks;
use crate::server::{Server, Setup, still_clock};
use crate::watcher::{Received, Watcher};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use vomeet::domain::PlainToken;
use vomeet::routes::TABLE;

fn start() -> (Server, Token) {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    (server, token)
}

fn ticket(server: &Client, token: &Token) -> String {
    let body = json!({ "path": "/ws" });
    let answer = server.post("/tickets").user(&token.text).json(&body).send().expect(201);
    answer["ticket"].as_str().expect("a ticket").to_owned()
}

fn open(server: &Client, ticket: &str) -> Watcher {
    Watcher::with(server, &format!("/ws?ticket={ticket}"), &[])
}

/// What the socket says to a ticket before it closes.
fn refusal(server: &Client, ticket: &str) -> Value {
    let mut watcher = open(server, ticket);
    let said = watcher.json();
    assert_eq!(watcher.receive(), Received::Closed(4401), "{ticket}");
    said
}

#[test]
fn a_ticket_opens_one_socket() {
    let (server, token) = start();
    let body = json!({ "path": "/ws" });
    let answer = server.post("/tickets").user(&token.text).json(&body).send().expect(201);
    assert_eq!(fields(&answer), ["expires_at", "path", "ticket"]);
    assert_eq!(answer["path"], "/ws");
    assert_time(&answer["expires_at"]);
    let ticket = answer["ticket"].as_str().expect("a ticket");
    assert_eq!(ticket.len(), 40);
    open(&server, ticket).expect_nothing();
    let refused = refusal(&server, ticket);
    assert_eq!(
        (&refused["error"], &refused["code"]),
        (&json!("invalid_api_key"), &json!("ticket"))
    );
    let refusals = server.get("/admin/refusals").admin().send().expect(200);
    let newest = &refusals["refusals"][0];
    let seen = (&newest["code"], &newest["path"], &newest["hint"]);
    assert_eq!(seen, (&json!("ticket"), &json!("/ws"), &Value::Null));
    assert!(!refusals.to_string().contains(ticket), "a ticket is shown");
    // A key in the header comes first, and leaves the ticket as it is.
    let second = self::ticket(&server, &token);
    let path = format!("/ws?ticket={second}");
    Watcher::with(&server, &path, &[token.text.as_bytes()]).expect_nothing();
    open(&server, &second).expect_nothing();
}

#[test]
fn every_ticket_that_is_not_accepted_is_refused_alike() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    let once = ticket(&server, &token);
    open(&server, &once).expect_nothing();
    let late = ticket(&server, &token);
    clock.advance(Duration::from_mins(1));
    let short = json!({ "expires_in": 30 });
    let path = format!("/admin/users/{user}/tokens");
    let short = crate::client::token_of(&server.post(path).admin().json(&short).send().expect(201));
    let of_short = ticket(&server, &short);
    clock.advance(Duration::from_secs(30));
    let revoked = server.new_token(user);
    let of_revoked = ticket(&server, &revoked);
    assert_eq!(server.revoke(&revoked).status, 204);
    let unknown = PlainToken::generate().expect("randomness");
    let expected = refusal(&server, unknown.reveal());
    assert_eq!(expected["code"], "ticket");
    for (what, ticket) in [
        ("used", once.as_str()),
        ("late", &late),
        ("of a token that expired", &of_short),
        ("of a token that was revoked", &of_revoked),
        ("a token", &token.text),
        ("nothing like a ticket", "x"),
        ("empty", ""),
    ] {
        assert_eq!(refusal(&server, ticket), expected, "{what}");
    }
    // A minute is long enough.
    let fresh = ticket(&server, &token);
    clock.advance(Duration::from_millis(59_999));
    open(&server, &fresh).expect_nothing();
}

#[test]
fn a_socket_of_a_ticket_ends_with_its_token() {
    let (server, token) = start();
    let mut watcher = open(&server, &ticket(&server, &token));
    watcher.expect_nothing();
    assert_eq!(server.revoke(&token).status, 204);
    let said = watcher.json();
    assert_eq!((&said["error"], &said["code"]), (&json!("invalid_api_key"), &json!("revoked")));
    assert_eq!(watcher.receive(), Received::Closed(4401));
}

#[test]
fn a_ticket_has_the_scope_of_its_token() {
    let (server, token) = start();
    let narrow = json!({ "read_only": true, "platforms": ["teams"] });
    let narrow = server.post("/user/tokens").user(&token.text).json(&narrow).send().expect(201);
    let narrow = crate::client::token_of(&narrow);
    let mut watcher = open(&server, &ticket(&server, &narrow));
    let answer = watcher.ask("subscribe", &[("google_meet", "abc-defg-hij")]);
    let reason = &answer["details"][0]["reason"];
    assert_eq!(reason, "this token is limited to other meetings", "{answer}");
}

#[test]
fn a_user_has_some_tickets_and_the_oldest_makes_room() {
    let (server, token) = start();
    let other = server.new_user("two@example.com");
    let other = server.new_token(other);
    let of_other = ticket(&server, &other);
    let tickets: Vec<String> = (0..21).map(|_| ticket(&server, &token)).collect();
    assert_eq!(refusal(&server, &tickets[0])["code"], "ticket");
    open(&server, &tickets[1]).expect_nothing();
    open(&server, &tickets[20]).expect_nothing();
    open(&server, &of_other).expect_nothing();
}

#[test]
fn a_ticket_is_for_a_path_that_takes_one() {
    let (server, token) = start();
    for (body, kind) in [
        (json!({}), "missing"),
        (json!({ "path": "/user" }), "enum"),
        (json!({ "path": "/ws/" }), "enum"),
        (json!({ "path": "/meetings/0/audio" }), "enum"),
        (json!({ "path": "/meetings/1" }), "enum"),
        (json!({ "path": 7 }), "string_type"),
    ] {
        let answer = server.post("/tickets").user(&token.text).json(&body).send();
        assert_eq!(answer.faults(), [(kind.to_owned(), "body.path".to_owned())], "{body}");
    }
    assert!(TABLE.iter().any(|route| route.path == "/ws"), "a ticket for no route");
    let in_query = ticket(&server, &token);
    let refused = server.get(format!("/user?ticket={in_query}")).send();
    assert_eq!(refused.status, 403, "a ticket opens a socket and nothing else");
    open(&server, &in_query).expect_nothing();
}

#[test]
fn tickets_are_neither_logged_nor_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).env("VOMEET_LOG", "trace").start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    let tickets: Vec<String> = (0..3).map(|_| ticket(&server, &token)).collect();
    open(&server, &tickets[0]).expect_nothing();
    refusal(&server, &tickets[0]);
    server.get(format!("/user?ticket={}", tickets[1])).send();
    server.get(format!("/{}", tickets[1])).send();
    let mut places: BTreeMap<String, Vec<u8>> = crate::secrets::everything(folder.path());
    let ended = server.terminate();
    places.insert("stdout".to_owned(), ended.stdout.into_bytes());
    places.insert("stderr".to_owned(), ended.stderr.into_bytes());
    places.extend(crate::secrets::everything(folder.path()));
    let secrets: Vec<&str> = tickets.iter().map(String::as_str).collect();
    assert_eq!(leaks(&places, &secrets), Vec::<String>::new());
    let log = String::from_utf8_lossy(&places["stderr"]).into_owned();
    assert!(log.contains("/ws"), "the log tells of no socket: {log}");
}
