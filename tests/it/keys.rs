//! The life of keys: exchanged, disabled, narrowed, explained.

use crate::client::{ADMIN_KEY, Answer, Token, token_of};
use crate::segments::one_meeting;
use crate::server::{Server, Setup, still_clock};
use crate::watcher::Watcher;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use vomeet::clock::Clock;
use vomeet::domain::{Permission, PlainToken, Time};
use vomeet::routes::TABLE;

/// What a refusal says: status, code, reason.
fn why(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    assert!(!text("detail").is_empty(), "{body}");
    (answer.status, text("code"), text("reason"))
}

fn make(server: &Server, body: &Value) -> Token {
    token_of(&server.post("/admin/users/1/tokens").admin().json(body).send().expect(201))
}

fn patch(server: &Server, token: &Token, body: &Value) -> Value {
    server.patch(format!("/admin/tokens/{}", token.id)).admin().json(body).send().expect(200)
}

#[test]
fn every_refusal_has_its_reason() {
    let server = Server::start();
    server.new_user("one@example.com");
    let token = make(&server, &json!({}));
    let refused = |token: &str, code: &str, words: &str| {
        let (status, told, reason) = why(&server.whoami(token));
        assert_eq!((status, told.as_str()), (403, code), "{reason}");
        assert!(reason.contains(words), "{code}: {reason}");
        let explained = server
            .post("/admin/tokens/explain")
            .admin()
            .json(&json!({"token": token}))
            .send()
            .expect(200);
        assert_eq!(
            (&explained["code"], &explained["reason"]),
            (&json!(code), &json!(reason)),
            "{explained}"
        );
    };
    refused(&token.text[1..], "mistyped", "checksum");
    refused(PlainToken::generate().expect("randomness").reveal(), "unknown", "No such key");
    patch(&server, &token, &json!({"disabled": true}));
    refused(&token.text, "disabled", "disabled on 20");
    patch(&server, &token, &json!({"disabled": false}));
    server.whoami(&token.text).expect(200);
    let user = |disabled: bool| {
        server.patch("/admin/users/1").admin().json(&json!({"disabled": disabled})).send()
    };
    user(true).expect(200);
    refused(&token.text, "user_disabled", "disabled on 20");
    user(false).expect(200);
    server.whoami(&token.text).expect(200);
    server.revoke(&token);
    refused(&token.text, "revoked", "revoked on 20");
    let (_, code, _) = why(&server.get("/user").send());
    assert_eq!(code, "missing");
    let twice = server.get("/user").header("X-API-Key", "a").header("X-API-Key", "b").send();
    assert_eq!(why(&twice).1, "repeated");
    assert_eq!(why(&server.get("/admin/users").send()).1, "missing");
    let wrong = server.get("/admin/users").header("X-Admin-API-Key", "wrong").send();
    assert!(
        matches!(why(&wrong), (403, code, reason) if code == "unknown" && reason.starts_with("No such admin key"))
    );
    let good = make(&server, &json!({}));
    let explained = server
        .post("/admin/tokens/explain")
        .admin()
        .json(&json!({"token": good.text}))
        .send()
        .expect(200);
    assert_eq!((&explained["code"], &explained["user"]["id"]), (&json!("accepted"), &json!(1)));
    assert!(!explained.to_string().contains(&good.text));
}

#[test]
fn a_token_ends_by_time_and_by_disuse() {
    // A use is noted to the second.
    let start = still_clock().now().as_millis() / 1000 * 1000;
    let clock = Clock::manual(Time::from_millis(start));
    let server = Setup::new().clock(&clock).start();
    server.new_user("one@example.com");
    let ends = make(&server, &json!({"expires_in": 250})).text;
    let unused = make(&server, &json!({"disuse_seconds": 100})).text;
    for _ in 0..2 {
        clock.advance(Duration::from_secs(99));
        server.whoami(&unused).expect(200);
    }
    server.whoami(&ends).expect(200);
    let last_use = clock.now();
    clock.advance(Duration::from_secs(100));
    assert_eq!(why(&server.whoami(&ends)).1, "expired");
    let (_, code, reason) = why(&server.whoami(&unused));
    assert_eq!(code, "unused");
    assert!(reason.contains(&last_use.to_string()), "{reason}");
}

#[test]
fn answers_tell_the_end_of_a_token_in_its_last_week() {
    const DAY: i64 = 24 * 60 * 60;
    let server = Server::start();
    server.new_user("one@example.com");
    for (expires_in, told) in
        [(json!(6 * DAY), true), (json!(8 * DAY), false), (Value::Null, false)]
    {
        let body = json!({"expires_in": expires_in});
        let made = server.post("/admin/users/1/tokens").admin().json(&body).send().expect(201);
        let token = token_of(&made).text;
        let end = made["expires_at"].as_str().filter(|_| told);
        for answer in
            [server.whoami(&token), server.get("/transcripts/webex/1").user(&token).send()]
        {
            assert_eq!(answer.header("x-token-expires-at"), end, "{answer:?}");
        }
    }
}

#[test]
fn an_exchange_leaves_the_old_token_its_grace_and_no_more() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    server.new_user("one@example.com");
    let rotate = |id: i64, body: Value| {
        server.post(format!("/admin/tokens/{id}/rotate")).admin().json(&body).send()
    };
    let short = make(&server, &json!({"name": "ci", "expires_in": 100, "read_only": true}));
    let end =
        server.get(format!("/admin/tokens/{}", short.id)).admin().send().expect(200)["expires_at"]
            .clone();
    let new = rotate(short.id, json!({"grace_seconds": 1000})).expect(201);
    assert_eq!(
        new["replaces"],
        json!({"id": short.id, "expires_at": end}),
        "the grace is longer than the token had"
    );
    assert_eq!((&new["name"], &new["scope"]["read_only"]), (&json!("ci"), &json!(true)));
    for token in [&short.text, &token_of(&new).text] {
        server.whoami(token).expect(200);
    }
    assert_eq!(rotate(short.id, json!({})).status, 409, "exchanged twice");
    let graced = make(&server, &json!({}));
    let next = token_of(&rotate(graced.id, json!({"grace_seconds": 600})).expect(201));
    clock.advance(Duration::from_secs(599));
    server.whoami(&graced.text).expect(200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(why(&server.whoami(&graced.text)).1, "expired", "its grace is over");
    server.whoami(&next.text).expect(200);
    let at_once = make(&server, &json!({}));
    rotate(at_once.id, json!({"grace_seconds": 0})).expect(201);
    assert_eq!(why(&server.whoami(&at_once.text)).1, "revoked");
    let own = make(&server, &json!({}));
    let new = server
        .post("/user/tokens/rotate")
        .user(&own.text)
        .json(&json!({"grace_seconds": 0}))
        .send()
        .expect(201);
    server.whoami(&token_of(&new).text).expect(200);
    assert_eq!(why(&server.whoami(&own.text)).1, "revoked");
    assert_eq!(rotate(999, json!({})).status, 404);
    patch(&server, &token_of(&new), &json!({"disabled": true}));
    assert_eq!(rotate(token_of(&new).id, json!({})).status, 409, "a disabled one came to life");
}

#[test]
fn no_request_is_accepted_after_its_204_and_no_good_one_is_refused() {
    const ROUNDS: usize = 40;
    let server = Server::start();
    server.new_user("one@example.com");
    let (good, asked) = (make(&server, &json!({})), AtomicU64::new(0));
    for round in 0..ROUNDS {
        let token = make(&server, &json!({}));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    loop {
                        // What was over before the request was sent must be refused.
                        let was_over = is_over.load(Ordering::SeqCst);
                        let answer = server.whoami(&token.text);
                        assert!(!(was_over && answer.status == 200), "accepted after its end");
                        assert_eq!(server.whoami(&good.text).status, 200);
                        asked.fetch_add(2, Ordering::Relaxed);
                        if was_over {
                            return;
                        }
                    }
                });
            }
            if round % 2 == 0 {
                assert_eq!(server.revoke(&token).status, 204);
            } else {
                let path = format!("/admin/tokens/{}/rotate", token.id);
                server.post(path).admin().json(&json!({"grace_seconds": 0})).send().expect(201);
            }
            is_over.store(true, Ordering::SeqCst);
        });
    }
    assert!(asked.load(Ordering::Relaxed) > 16 * ROUNDS as u64);
}

/// Every route of users against every kind of token, by what the rows say that they ask.
#[test]
fn every_route_asks_every_kind_of_token() {
    let server = Server::start();
    server.new_user("one@example.com");
    let other_meeting =
        json!({"meeting": {"platform": "google_meet", "native_meeting_id": "zzz-zzzz-zzz"}});
    for (kind, allowed) in [
        (json!({}), [true; 6]),
        (json!({"read_only": true}), [true, true, false, true, false, false]),
        (json!({"platforms": ["teams"]}), [true, true, true, false, false, false]),
        (other_meeting, [true, true, true, false, false, false]),
        (json!({"transcribe": false}), [true, true, true, true, true, false]),
        (json!({"transcribe_only": true}), [true, false, false, false, false, true]),
    ] {
        let permissions = [
            Permission::Nothing,
            Permission::Read,
            Permission::Write,
            Permission::ReadAll,
            Permission::WriteAll,
            Permission::Transcribe,
        ];
        for route in TABLE.iter().filter(|route| route.permission.is_some()) {
            let permission = route.permission.expect("a need");
            // An exchange would end the token that is tried.
            if crate::matrix::is_socket(route) || route.path == "/user/tokens/rotate" {
                continue;
            }
            // The token of the path was not made by the one that is tried.
            let is_whole = kind == json!({}) || kind.get("transcribe").is_some();
            if route.path == "/user/tokens/{id}" && is_whole {
                continue;
            }
            let token = make(&server, &kind);
            let path = crate::contract::real_path(route);
            let answer = server.call(route.method.as_str(), &path).user(&token.text).send();
            let at =
                permissions.iter().position(|known| *known == permission).expect("a known need");
            let names_another = route.path.contains("{platform}")
                && (kind.get("platforms").is_some() || kind.get("meeting").is_some());
            let is_refused = answer.status == 403 && answer.json()["code"] == "not_allowed";
            let row = format!("{} {} by {kind}: {}", route.method, route.path, answer.text());
            // Where the input is refused first, no meeting was named.
            let expected = !allowed[at] || (names_another && answer.status != 422);
            assert_eq!(is_refused, expected, "{row}");
        }
    }
}

#[test]
fn a_narrow_token_sees_its_own_meetings_alone() {
    let (server, _, bot) = one_meeting();
    bot.say(
        &server,
        &json!([{"start": 0, "end": 1, "text": "harvest", "speaker": "Ada", "language": "en"}]),
    );
    let limited =
        |id: &str| json!({"meeting": {"platform": "google_meet", "native_meeting_id": id}});
    for (kind, seen) in [
        (json!({}), 1),
        (json!({"platforms": ["google_meet"]}), 1),
        (limited("abc-defg-hij"), 1),
        (json!({"platforms": ["teams"]}), 0),
        (limited("zzz-zzzz-zzz"), 0),
    ] {
        let token = make(&server, &kind).text;
        for (path, list) in
            [("/meetings", "meetings"), ("/transcripts/search?q=harvest", "results")]
        {
            let answer = server.get(path).user(&token).send().expect(200);
            assert_eq!(answer[list].as_array().map(Vec::len), Some(seen), "{path} by {kind}");
        }
        let told =
            Watcher::open(&server, &token).ask("subscribe", &[("google_meet", "abc-defg-hij")]);
        assert_eq!(told["type"], if seen == 1 { "subscribed" } else { "error" }, "{kind}: {told}");
    }
}

#[test]
fn named_admin_keys_are_made_exchanged_and_revoked() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    let made =
        server.post("/admin/keys").admin().json(&json!({"name": "alice"})).send().expect(201);
    let (id, key) =
        (made["id"].as_i64().expect("an id"), made["key"].as_str().expect("a key").to_owned());
    let with = |key: &str| server.post("/admin/users").header("X-Admin-API-Key", key);
    let status = |key: &str| with(key).json(&json!({"email": "a@example.com"})).send().status;
    assert_eq!(status(&key), 201);
    assert_eq!(
        server.post("/admin/keys").admin().json(&json!({"name": "alice"})).send().status,
        409
    );
    assert_eq!(
        server.post("/admin/keys").admin().json(&json!({"name": "settings"})).send().status,
        422
    );
    let rotate = |grace: i64| {
        let answer = server
            .post(format!("/admin/keys/{id}/rotate"))
            .admin()
            .json(&json!({"grace_seconds": grace}))
            .send();
        answer.expect(201)["key"].as_str().expect("a key").to_owned()
    };
    let second = rotate(60);
    assert_eq!((status(&key), status(&second)), (200, 200));
    clock.advance(Duration::from_mins(1));
    assert_eq!((status(&key), status(&second)), (403, 200), "its grace is over");
    let third = rotate(0);
    assert_eq!((status(&key), status(&second), status(&third)), (403, 403, 200));
    assert_eq!(server.delete(format!("/admin/keys/{id}")).admin().send().status, 204);
    let refused = with(&third).json(&json!({"email": "a@example.com"})).send();
    assert_eq!(why(&refused).1, "revoked");
    let record = server.get("/admin/audit").admin().send().expect(200);
    let text = record.to_string();
    for secret in [&key, &second, &third, ADMIN_KEY] {
        assert!(!text.contains(&format!("\"{secret}")), "a key is in the record");
    }
    let created = record["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .find(|entry| entry["action"] == "user.create");
    assert_eq!(created.expect("the entry")["actor"], format!("key:alice#{id}"));
    let by_name = server.get("/admin/audit?actor=key:alice").admin().send().expect(200);
    assert_eq!(&by_name["entries"][0], created.expect("the entry"));
}
