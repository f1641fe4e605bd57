//! the HTTP contract, sections Tokens and The caller.

use crate::client::{Token, assert_time, fields, token_of, wait_for};
use crate::server::{Server, Setup, still_clock};
use crate::users::time;
use insta::{assert_json_snapshot, dynamic_redaction};
use jiff::ToSpan;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use vomeet::domain::{PlainToken, Time};

/// Puts user `id` and a token of theirs into a file; `expires_at` in milliseconds since 1970.
pub fn insert_token(db: &Connection, user: i64, expires_at: Option<i64>) -> String {
    let token = PlainToken::generate().expect("randomness");
    db.execute(
        "INSERT OR IGNORE INTO users (id, email, email_key, max_concurrent_bots, data, created_at) VALUES (?1, ?2, ?2, 1, '{}', 0)",
        params![user, format!("u{user}@example.com")],
    )
    .expect("a user");
    db.execute(
        "INSERT INTO tokens (user_id, hash, hint, created_at, expires_at) VALUES (?1, ?2, ?3, 0, ?4)",
        params![user, token.hash().0, token.hint().0, expires_at],
    )
    .expect("a token");
    token.reveal().to_owned()
}

fn refused() -> (u16, String) {
    (403, "Invalid API token".to_owned())
}

#[test]
fn no_body_is_needed_to_make_a_token() {
    let server = Server::start();
    server.new_user("one@example.com");
    let mut seen = HashSet::new();
    for body in
        [None, Some(""), Some("{}"), Some(" \r\n"), Some(r#"{"name":null,"expires_in":null}"#)]
    {
        let call = server.post("/admin/users/1/tokens").admin();
        let call = match body {
            None => call,
            Some(body) => call.header("Content-Type", "application/json").body(body),
        };
        let made = call.send().expect(201);
        let expected = [
            "created_at",
            "disuse_seconds",
            "expires_at",
            "id",
            "name",
            "scope",
            "token",
            "user_id",
        ];
        assert_eq!(fields(&made), expected, "{body:?}");
        let token = token_of(&made);
        assert_eq!(token.text.len(), 40, "{body:?}");
        assert!(token.text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{body:?}");
        assert!(seen.insert(token.text.clone()), "the same token twice");
        assert_eq!(
            (&made["user_id"], &made["name"], &made["expires_at"]),
            (&json!(1), &Value::Null, &Value::Null)
        );
        assert_time(&made["created_at"]);
        server.whoami(&token.text).expect(200);
    }
    let missing = server.post("/admin/users/2/tokens").admin().send();
    assert_eq!(missing.refusal(), (404, "User not found".to_owned()));
}

#[test]
fn names_and_ends_are_kept() {
    let server = Server::start();
    server.new_user("one@example.com");
    for (name, expires_in) in [("laptop", 1), ("-", 60), ("ä😀", 3_155_760_000_i64)] {
        let wish = json!({"name": name, "expires_in": expires_in});
        let made = server.post("/admin/users/1/tokens").admin().json(&wish).send().expect(201);
        assert_eq!(made["name"], name);
        let expected = assert_time(&made["created_at"]) + expires_in.seconds();
        assert_eq!(assert_time(&made["expires_at"]), expected, "{expires_in} seconds");
    }
}

#[test]
fn an_expired_token_is_refused() {
    let clock = still_clock();
    let mut expired = String::new();
    let setup =
        Setup::new().rows(|db| expired = insert_token(db, 1, Some(clock.now().as_millis())));
    let server = setup.clock(&clock).start();
    assert_eq!(server.whoami(&expired).refusal(), refused(), "expired before the start");

    let wish = json!({"expires_in": 3600});
    let made = server.post("/admin/users/1/tokens").admin().json(&wish).send().expect(201);
    let (token, end) = (token_of(&made), assert_time(&made["expires_at"]).as_millisecond());
    assert_eq!(end, clock.now().as_millis() + 3_600_000);
    clock.set(Time::from_millis(end - 1));
    server.whoami(&token.text).expect(200);
    clock.set(Time::from_millis(end));
    assert_eq!(server.whoami(&token.text).refusal(), refused());
}

#[test]
fn the_list_shows_everything_but_the_secret() {
    let server = Server::start();
    server.new_user("one@example.com");
    let other = server.new_user("two@example.com");
    server.new_token(other);
    let wish = json!({"name": "laptop", "expires_in": 60});
    let named = server.post("/admin/users/1/tokens").admin().json(&wish).send().expect(201);
    let named = token_of(&named);
    let plain = server.new_token(1);
    let answer = server.get("/admin/users/1/tokens").admin().send();
    for secret in [&named.text, &plain.text] {
        assert!(!answer.text().contains(secret.as_str()), "a secret in the list");
    }
    let list = answer.expect(200);
    for (token, shown) in [&named, &plain].into_iter().zip(list.as_array().expect("an array")) {
        assert_eq!(shown["hint"], token.text[..4]);
        assert_eq!(shown["id"], token.id);
    }
    assert_json_snapshot!("tokens", list, {
        "[].created_at" => time(),
        "[0].expires_at" => time(),
        "[].hint" => "[hint]",
    });
    let show = server.get("/admin/users/1").admin().send().expect(200);
    assert_eq!(show["api_tokens"], list, "GET /admin/users/1 shows another list");
    let none = server.get("/admin/users/3/tokens").admin().send();
    assert_eq!(none.refusal(), (404, "User not found".to_owned()));
    let empty = server.new_user("three@example.com");
    assert_eq!(
        server.get(format!("/admin/users/{empty}/tokens")).admin().send().expect(200),
        json!([])
    );
}

fn last_used(server: &Server, token: &Token) -> Value {
    let list = server.get("/admin/users/1/tokens").admin().send().expect(200);
    let mut tokens = list.as_array().expect("an array").iter();
    tokens.find(|shown| shown["id"] == token.id).expect("the token")["last_used_at"].clone()
}

#[test]
fn a_use_is_noted_and_kept() {
    let server = Server::start();
    server.new_user("one@example.com");
    let (used, idle) = (server.new_token(1), server.new_token(1));
    assert_eq!(last_used(&server, &used), Value::Null);
    let before = jiff::Timestamp::now() - 1.second();
    server.get("/meetings").user(&used.text).send().expect(200);
    let after = jiff::Timestamp::now();
    let noted = assert_time(&last_used(&server, &used));
    assert!(before <= noted && noted <= after, "{before} ≤ {noted} ≤ {after}");
    assert_eq!(last_used(&server, &idle), Value::Null, "nobody used it");
    let server = server.restart();
    assert_eq!(assert_time(&last_used(&server, &used)), noted, "after a restart");
    assert_eq!(last_used(&server, &idle), Value::Null);
}

#[test]
fn uses_are_written_by_themselves() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).set("VOMEET_TOKENS_LAST_USED_SECONDS", "60").start();
    server.new_user("one@example.com");
    let token = server.new_token(1).text;
    let writes = || {
        let metrics = server.get("/metrics").send();
        let line =
            metrics.text().lines().find(|line| line.starts_with("vomeet_store_writes_total "));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).expect("a count")
    };
    // The server notes the time once, when it starts.
    wait_for(|| server.app.store.known_time().expect("a time").filter(|known| known.is_noted));
    let before = writes();
    // Requests alone never write.
    for _ in 0..50 {
        server.whoami(&token).expect(200);
    }
    assert_eq!(writes(), before, "requests write");
    clock.advance(Duration::from_mins(1));
    wait_for(|| (writes() > before).then_some(()));
}

#[test]
fn a_revoked_token_is_refused_and_its_id_never_comes_back() {
    let server = Server::start();
    server.new_user("one@example.com");
    let (token, other) = (server.new_token(1), server.new_token(1));
    server.whoami(&token.text).expect(200);
    let answer = server.revoke(&token);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(server.whoami(&token.text).refusal(), refused());
    assert_eq!(server.revoke(&token).refusal(), (404, "Token not found".to_owned()));
    assert_eq!(server.revoke(&other).status, 204);
    let new = server.new_token(1);
    assert!(new.id > other.id, "id {} came back as {}", other.id, new.id);
    assert_eq!(server.revoke(&other).status, 404, "the old id revokes the new token");
    server.whoami(&new.text).expect(200);
    let server = server.restart();
    assert_eq!(server.whoami(&token.text).refusal(), refused(), "after a restart");
    server.whoami(&new.text).expect(200);
}

#[test]
fn the_caller_learns_who_they_are() {
    let server = Server::start();
    let body = json!({"email": "One@Example.com", "name": "One", "max_concurrent_bots": 2, "data": {"private": 1}});
    server.post("/admin/users").admin().json(&body).send().expect(201);
    let wish = json!({"name": "laptop", "expires_in": 60});
    let token =
        token_of(&server.post("/admin/users/1/tokens").admin().json(&wish).send().expect(201));
    let me = server.whoami(&token.text).expect(200);
    assert_eq!(me["token"]["hint"], token.text[..4]);
    assert_json_snapshot!("caller", me, {
        ".token.created_at" => time(),
        ".token.expires_at" => time(),
        ".token.hint" => dynamic_redaction(|_, _| "[hint]"),
    });
}

#[test]
fn every_token_of_a_user_is_listed_however_many_they_are() {
    // Few are read here and now, many elsewhere: both sides of where that changes.
    let counts = [(1, 99), (2, 100), (3, 101), (4, 150)];
    let server = Setup::new().rows(|db| {
        for (user, count) in counts {
            (0..count).for_each(|_| drop(insert_token(db, user, None)));
        }
    });
    let server = server.start();
    let mut first = 1;
    for (user, count) in counts {
        let path = format!("/admin/users/{user}");
        let whole = server.get(path.as_str()).admin().send().expect(200);
        let list = server.get(format!("{path}/tokens")).admin().send().expect(200);
        for (place, list) in [("the user", &whole["api_tokens"]), ("the list", &list)] {
            let tokens = list.as_array().expect("tokens").iter();
            let mut ids: Vec<i64> =
                tokens.map(|token| token["id"].as_i64().expect("an id")).collect();
            ids.sort_unstable();
            assert_eq!(ids, (first..first + count).collect::<Vec<i64>>(), "{place} of user {user}");
        }
        first += count;
    }
}
