//! Chains of tokens: what their holders rotate them to, and who ends all of it at once.

use crate::cli::vomeet;
use crate::client::{Answer, Token, token_of, wait_for};
use crate::process::Launch;
use crate::server::{Server, Setup, still_clock};
use crate::watcher::{Received, Watcher};
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;

const YEAR: i64 = 365 * 24 * 60 * 60;

fn start(clock: &Clock) -> Server {
    let server = Setup::new().clock(clock).start();
    server.new_user("one@example.com");
    server
}

fn create(server: &Server, body: &Value) -> Token {
    token_of(&server.post("/admin/users/1/tokens").admin().json(body).send().expect(201))
}

fn rotate_own(server: &Server, token: &Token, grace_seconds: i64) -> Answer {
    let body = json!({ "grace_seconds": grace_seconds });
    server.post("/user/tokens/rotate").user(&token.text).json(&body).send()
}

fn rotate(server: &Server, id: i64, body: &Value) -> Answer {
    server.post(format!("/admin/tokens/{id}/rotate")).admin().json(body).send()
}

fn update(server: &Server, id: i64, body: &Value) -> Answer {
    server.patch(format!("/admin/tokens/{id}")).admin().json(body).send()
}

fn end_of(server: &Server, token: &Token) -> Value {
    server.whoami(&token.text).expect(200)["token"]["expires_at"].clone()
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or("none").to_owned()
}

/// A token, and what its holder rotated it to, twice.
fn chain_of_three(server: &Server, grace_seconds: i64) -> Vec<Token> {
    let mut chain = vec![create(server, &json!({ "expires_in": YEAR }))];
    for _ in 0..2 {
        let answer = rotate_own(server, chain.last().expect("a token"), grace_seconds);
        chain.push(token_of(&answer.expect(201)));
    }
    chain
}

#[test]
fn a_holder_who_rotates_keeps_the_end() {
    let clock = still_clock();
    let server = start(&clock);
    let token = create(&server, &json!({ "expires_in": YEAR }));
    update(&server, token.id, &json!({ "expires_in": 600 })).expect(200);
    let end = clock.now().plus_seconds(600).to_string();
    let second = token_of(&rotate_own(&server, &token, 0).expect(201));
    clock.advance(Duration::from_mins(5));
    let third = token_of(&rotate_own(&server, &second, 0).expect(201));
    assert_eq!(end_of(&server, &third), json!(end), "a holder has won time");
    clock.advance(Duration::from_mins(5));
    assert_eq!(code(&server.whoami(&third.text)), "expired");

    let endless = create(&server, &json!({}));
    let endless = token_of(&rotate_own(&server, &endless, 0).expect(201));
    assert_eq!(end_of(&server, &endless), Value::Null);
}

#[test]
fn an_administrator_who_rotates_gives_the_time_that_was_meant() {
    let clock = still_clock();
    let server = start(&clock);
    let token = create(&server, &json!({ "expires_in": YEAR }));
    clock.advance(Duration::from_hours(24 * 300));
    let own = token_of(&rotate_own(&server, &token, 0).expect(201));
    let new = token_of(&rotate(&server, own.id, &json!({})).expect(201));
    let year = clock.now().plus_seconds(YEAR).to_string();
    assert_eq!(end_of(&server, &new), json!(year), "derived from what was left of it");
    let short = rotate(&server, new.id, &json!({ "expires_in": 60 })).expect(201);
    clock.advance(Duration::from_secs(30));
    let again = token_of(&rotate(&server, token_of(&short).id, &json!({})).expect(201));
    let minute = clock.now().plus_seconds(60).to_string();
    assert_eq!(end_of(&server, &again), json!(minute));
}

#[test]
fn a_rotation_has_no_grace_unless_one_is_given() {
    let server = start(&still_clock());
    for by_holder in [true, false] {
        let old = create(&server, &json!({}));
        let answer = match by_holder {
            true => server.post("/user/tokens/rotate").user(&old.text).send(),
            false => server.post(format!("/admin/tokens/{}/rotate", old.id)).admin().send(),
        };
        server.whoami(&token_of(&answer.expect(201)).text).expect(200);
        assert_eq!(code(&server.whoami(&old.text)), "revoked", "by its holder: {by_holder}");
    }
    let old = create(&server, &json!({}));
    let too_long = [("less_than_equal".to_owned(), "body.grace_seconds".to_owned())];
    assert_eq!(rotate_own(&server, &old, 3601).faults(), too_long, "a holder's is an hour at most");
    rotate_own(&server, &old, 3600).expect(201);
    server.whoami(&old.text).expect(200);
    let key = server.post("/admin/keys").admin().json(&json!({ "name": "ada" })).send().expect(201);
    server.post(format!("/admin/keys/{}/rotate", key["id"])).admin().send().expect(201);
    let old = key["key"].as_str().expect("a key");
    let refused = server.get("/admin/users").header("X-Admin-API-Key", old).send();
    assert_eq!(code(&refused), "revoked", "an admin key");
}

#[test]
fn a_rotation_by_an_administrator_says_how_many_old_tokens_end() {
    let server = start(&still_clock());
    let old = create(&server, &json!({}));
    let second = token_of(&rotate_own(&server, &old, 3600).expect(201));
    let rotated = rotate(&server, second.id, &json!({}));
    assert_eq!((rotated.status, rotated.header("x-tokens-affected")), (201, Some("2")));
    for token in [old, second] {
        assert_eq!(code(&server.whoami(&token.text)), "revoked");
    }
}

#[test]
fn a_holder_rotates_a_few_times_an_hour() {
    let clock = still_clock();
    let server = start(&clock);
    let mut token = create(&server, &json!({}));
    for _ in 0..5 {
        token = token_of(&rotate_own(&server, &token, 0).expect(201));
        clock.advance(Duration::from_mins(1));
    }
    let refused = rotate_own(&server, &token, 0);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3300")));
    clock.advance(Duration::from_mins(55));
    token = token_of(&rotate_own(&server, &token, 0).expect(201));
    assert_eq!(rotate_own(&server, &token, 0).status, 429, "the others are of this hour");
    // An administrator is not counted.
    rotate(&server, token.id, &json!({})).expect(201);
}

#[test]
fn what_is_done_to_one_token_of_a_chain_is_done_to_all() {
    for grace in [0, 3600] {
        for place in 0..3 {
            let server = start(&still_clock());
            let chain = chain_of_three(&server, grace);
            let id = chain[place].id;
            let alive = if grace == 0 { "1" } else { "3" };
            let row = format!("grace {grace}, token {place} of the chain");
            let refused = |expected: &str| {
                for (at, token) in chain.iter().enumerate() {
                    let expected = if grace == 0 && at < 2 { "revoked" } else { expected };
                    assert_eq!(code(&server.whoami(&token.text)), expected, "{row}: token {at}");
                }
            };
            let newest = &chain[2];
            let disabled = update(&server, id, &json!({ "disabled": true }));
            assert_eq!(disabled.status, 200, "{row}: {}", disabled.text());
            assert_eq!(disabled.header("x-tokens-affected"), Some(alive), "{row}");
            refused("disabled");
            assert_eq!(update(&server, id, &json!({ "disabled": false })).status, 200, "{row}");
            server.whoami(&newest.text).expect(200);
            assert_eq!(update(&server, id, &json!({ "expires_in": 1000 })).status, 200, "{row}");
            let end = server.app.clock.now().plus_seconds(1000).to_string();
            assert_eq!(end_of(&server, newest), json!(end), "{row}");
            let revoked = server.delete(format!("/admin/tokens/{id}")).admin().send();
            assert_eq!((revoked.status, revoked.body.len()), (204, 0), "{row}");
            assert_eq!(revoked.header("x-tokens-affected"), Some(alive), "{row}");
            refused("revoked");
            for token in &chain {
                assert_eq!(server.revoke(token).status, 404, "{row}: nothing is left");
            }
            let audit = server.get("/admin/audit?action=token.revoke").admin().send().expect(200);
            let after = &audit["entries"][0]["after"];
            let expected = if grace == 0 { Value::Null } else { json!(3) };
            assert_eq!(after["tokens_affected"], expected, "{row}: {audit}");
        }
    }
}

#[test]
fn an_administrators_rotation_ends_a_chain_and_begins_another() {
    let clock = still_clock();
    let server = start(&clock);
    let chain = chain_of_three(&server, 3600);
    let new = token_of(&rotate(&server, chain[2].id, &json!({ "grace_seconds": 60 })).expect(201));
    for token in &chain {
        server.whoami(&token.text).expect(200);
    }
    clock.advance(Duration::from_mins(1));
    for token in &chain {
        assert_eq!(code(&server.whoami(&token.text)), "expired");
    }
    assert_eq!(server.revoke(&chain[0]).status, 204);
    server.whoami(&new.text).expect(200);
}

#[test]
fn a_socket_closes_at_an_end_that_is_brought_forward() {
    let clock = still_clock();
    let server = start(&clock);
    for how in ["update", "rotate"] {
        let token = create(&server, &json!({ "expires_in": YEAR }));
        let mut watcher = Watcher::open(&server, &token.text);
        // The server knows the socket when it answers.
        watcher.expect_nothing();
        match how {
            "update" => update(&server, token.id, &json!({ "expires_in": 5 })).expect(200),
            _ => rotate(&server, token.id, &json!({ "grace_seconds": 5 })).expect(201),
        };
        clock.advance(Duration::from_secs(5));
        // The server pings, so a socket that stays open is not silent.
        let refused = wait_for(|| {
            watcher.say(r#"{"action":"ping"}"#);
            Some(watcher.json()).filter(|said| said["type"] != "pong")
        });
        assert_eq!(refused["error"], "invalid_api_key", "{how}");
        assert_eq!(watcher.receive(), Received::Closed(4401), "{how}");
    }
}

#[test]
fn the_command_line_says_how_many_tokens_it_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    server.new_user("one@example.com");
    let token = server.new_token(1);
    let body = json!({ "grace_seconds": 60 });
    let call = server.post("/user/tokens/rotate").user(&token.text).json(&body);
    let new = token_of(&call.send().expect(201));
    let revoked = vomeet(folder.path(), &["token", "revoke", "1", "--yes"]);
    assert!(revoked.stderr.contains("Revoked token 1 and 1 more"), "{revoked:?}");
    assert_eq!(code(&server.whoami(&new.text)), "revoked");
}
