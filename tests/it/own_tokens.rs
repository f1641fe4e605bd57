//! Tokens that holders make for themselves: what they may, and what ends them.

use crate::client::{Answer, Token, fields, token_of};
use crate::server::{Server, Setup, still_clock};
use crate::watcher::{Received, Watcher};
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;
use vomeet::domain::{Patch, PlainToken, Scope, TokenChanges, TokenId};
use vomeet::error::Error;
use vomeet::store::MakeToken;

pub fn start(clock: &Clock) -> Server {
    let server = Setup::new().clock(clock).start();
    server.new_user("one@example.com");
    server.new_user("two@example.com");
    server
}

pub fn create(server: &Server, user: i64, body: &Value) -> Token {
    let path = format!("/admin/users/{user}/tokens");
    token_of(&server.post(path).admin().json(body).send().expect(201))
}

pub fn make(server: &Server, by: &Token, body: &Value) -> Answer {
    server.post("/user/tokens").user(&by.text).json(body).send()
}

pub fn made(server: &Server, by: &Token, body: &Value) -> Token {
    token_of(&make(server, by, body).expect(201))
}

pub fn rotate_own(server: &Server, token: &Token) -> Answer {
    server.post("/user/tokens/rotate").user(&token.text).send()
}

pub fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or("none").to_owned()
}

pub fn is_accepted(server: &Server, token: &Token) -> bool {
    server.whoami(&token.text).status == 200
}

#[test]
fn a_holder_makes_a_token_that_can_do_less() {
    let clock = still_clock();
    let server = start(&clock);
    let whole = create(&server, 1, &json!({ "expires_in": 86_400, "disuse_seconds": 7200 }));
    let body = json!({"name": "dashboard", "expires_in": 3600, "disuse_seconds": 600, "read_only": true,
        "platforms": ["teams"]});
    let answer = make(&server, &whole, &body).expect(201);
    let expected =
        ["created_at", "disuse_seconds", "expires_at", "id", "name", "scope", "token", "user_id"];
    assert_eq!(fields(&answer), expected);
    let end = clock.now().plus_seconds(3600).to_string();
    assert_eq!((&answer["user_id"], &answer["name"]), (&json!(1), &json!("dashboard")));
    assert_eq!((&answer["expires_at"], &answer["disuse_seconds"]), (&json!(end), &json!(600)));
    let scope =
        json!({"read_only": true, "platforms": ["teams"], "meeting": null, "made_by": whole.id});
    assert_eq!(answer["scope"], scope);
    let narrow = token_of(&answer);
    server.get("/meetings").user(&narrow.text).send().expect(200);
    let bot = json!({"platform": "teams", "native_meeting_id": "1234567890123"});
    assert_eq!(server.post("/bots").user(&narrow.text).json(&bot).send().status, 403);
    let list = server.get("/user/tokens").user(&whole.text).send().expect(200);
    assert_eq!((&list[1]["scope"], &list[0]["scope"].get("made_by")), (&scope, &None));
    let entry = server.get("/admin/audit?action=token.create&limit=1").admin().send().expect(200);
    let entry = &entry["entries"][0];
    assert_eq!(entry["actor"], format!("token:{}", whole.id));
    assert_eq!((&entry["subject_id"], &entry["user_id"]), (&json!(narrow.id), &json!(1)));
    assert!(!entry.to_string().contains(&narrow.text), "a secret in the audit log");
}

#[test]
fn what_is_left_out_is_as_with_the_token_that_asks() {
    let clock = still_clock();
    let server = start(&clock);
    let whole = create(&server, 1, &json!({ "expires_in": 86_400, "disuse_seconds": 7200 }));
    clock.advance(Duration::from_mins(1));
    let answer = server.post("/user/tokens").user(&whole.text).send().expect(201);
    let own = server.whoami(&whole.text).expect(200)["token"].clone();
    for field in ["expires_at", "disuse_seconds"] {
        assert_eq!(answer[field], own[field], "{field}");
    }
    assert_eq!(answer["name"], Value::Null);
    let endless = create(&server, 1, &json!({}));
    let answer = make(&server, &endless, &json!({ "expires_in": null, "disuse_seconds": null }));
    assert_eq!(answer.expect(201)["expires_at"], Value::Null);
}

#[test]
fn no_token_makes_a_wider_one() {
    let server = start(&still_clock());
    let whole = create(&server, 1, &json!({ "expires_in": 86_400, "disuse_seconds": 7200 }));
    for wish in [
        json!({ "expires_in": 86_401 }),
        json!({ "expires_in": null }),
        json!({ "disuse_seconds": 7201 }),
        json!({ "disuse_seconds": null }),
        json!({ "read_only": true, "expires_in": 100_000 }),
    ] {
        let refused = make(&server, &whole, &wish);
        assert_eq!((refused.status, code(&refused).as_str()), (403, "not_allowed"), "{wish}");
    }
    for limits in [
        json!({ "read_only": true }),
        json!({ "platforms": ["teams"] }),
        json!({ "meeting": { "platform": "teams", "native_meeting_id": "1" } }),
    ] {
        let narrow = create(&server, 1, &limits);
        for answer in [
            make(&server, &narrow, &json!({})),
            server.delete(format!("/user/tokens/{}", whole.id)).user(&narrow.text).send(),
        ] {
            assert_eq!((answer.status, code(&answer).as_str()), (403, "not_allowed"), "{limits}");
        }
    }
    for (wish, fault) in [
        (json!({ "expires_in": 0 }), "body.expires_in"),
        (json!({ "disuse_seconds": "soon" }), "body.disuse_seconds"),
        (json!({ "platforms": ["phone"] }), "body.platforms.0"),
        (json!({ "read_only": "yes?" }), "body.read_only"),
    ] {
        assert_eq!(make(&server, &whole, &wish).faults()[0].1, fault, "{wish}");
    }
    assert_eq!(
        server.get("/user/tokens").user(&whole.text).send().expect(200).as_array().map(Vec::len),
        Some(4)
    );
}

/// A token, what it was rotated to, and what that has made: `[rotated, made, made of made]`.
fn family(server: &Server) -> [Token; 3] {
    let whole = create(server, 1, &json!({}));
    let rotated = token_of(&rotate_own(server, &whole).expect(201));
    let child = made(server, &rotated, &json!({}));
    // The first of its chain is gone by then.
    let child = token_of(&rotate_own(server, &child).expect(201));
    let grandchild = made(server, &child, &json!({ "read_only": true }));
    [rotated, child, grandchild]
}

#[test]
fn what_ends_a_token_ends_what_it_has_made_and_not_what_made_it() {
    for place in 0..3 {
        let server = start(&still_clock());
        let family = family(&server);
        let other = create(&server, 1, &json!({}));
        let revoked = server.revoke(&family[place]);
        let count = (3 - place).to_string();
        assert_eq!(
            (revoked.status, revoked.header("x-tokens-affected")),
            (204, Some(count.as_str()))
        );
        for (at, token) in family.iter().enumerate() {
            assert_eq!(is_accepted(&server, token), at < place, "{at} of {place}");
        }
        assert!(is_accepted(&server, &other), "another chain");
    }
}

#[test]
fn what_disables_shortens_or_rotates_a_token_does_it_to_what_it_has_made() {
    let clock = still_clock();
    let server = start(&clock);
    let [rotated, child, grandchild] = family(&server);
    let update = |id: i64, body: &Value| {
        server.patch(format!("/admin/tokens/{id}")).admin().json(body).send()
    };
    let accepted = || [&rotated, &child, &grandchild].map(|token| is_accepted(&server, token));
    update(child.id, &json!({ "disabled": true })).expect(200);
    assert_eq!(accepted(), [true, false, false]);
    update(child.id, &json!({ "disabled": false })).expect(200);
    assert_eq!(accepted(), [true, true, true]);
    let shortened = update(rotated.id, &json!({ "expires_in": 60 }));
    assert_eq!(shortened.header("x-tokens-affected"), Some("3"));
    let end = json!(clock.now().plus_seconds(60).to_string());
    for token in [&rotated, &child, &grandchild] {
        assert_eq!(server.whoami(&token.text).expect(200)["token"]["expires_at"], end);
    }
    let path = format!("/admin/tokens/{}/rotate", rotated.id);
    server.post(path).admin().send().expect(201);
    assert_eq!(accepted(), [false, false, false]);
}

#[test]
fn a_socket_ends_with_the_token_that_made_its_token() {
    let server = start(&still_clock());
    let [rotated, _, grandchild] = family(&server);
    let mut watcher = Watcher::open(&server, &grandchild.text);
    watcher.expect_nothing();
    assert_eq!(server.revoke(&rotated).status, 204);
    assert_eq!(watcher.json()["error"], "invalid_api_key");
    assert_eq!(watcher.receive(), Received::Closed(4401));
}

#[test]
fn rotations_and_new_tokens_are_counted_together() {
    let clock = still_clock();
    let server = start(&clock);
    let mut whole = create(&server, 1, &json!({}));
    for number in 0..5 {
        match number % 2 {
            0 => drop(made(&server, &whole, &json!({}))),
            _ => whole = token_of(&rotate_own(&server, &whole).expect(201)),
        }
        clock.advance(Duration::from_mins(1));
    }
    for refused in [make(&server, &whole, &json!({})), rotate_own(&server, &whole)] {
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3300")));
    }
    clock.advance(Duration::from_mins(55));
    made(&server, &whole, &json!({}));
    // What a token of a chain below makes is counted for the user, and not for the chain above.
    let child = made_after_an_hour(&clock, &server, &whole);
    for _ in 0..4 {
        made(&server, &child, &json!({}));
    }
    assert_eq!(make(&server, &whole, &json!({})).status, 429);
    for _ in 0..4 {
        whole = token_of(&rotate_own(&server, &whole).expect(201));
    }
    assert_eq!(rotate_own(&server, &whole).status, 429);
}

fn made_after_an_hour(clock: &Clock, server: &Server, whole: &Token) -> Token {
    clock.advance(Duration::from_hours(1));
    made(server, whole, &json!({}))
}

#[test]
fn a_user_has_a_bounded_number_of_them() {
    let clock = still_clock();
    let server = start(&clock);
    let whole = create(&server, 1, &json!({}));
    let mut last = whole.clone();
    for number in 0..50 {
        if number % 5 == 0 {
            clock.advance(Duration::from_hours(1));
        }
        last = made(&server, &whole, &json!({}));
    }
    clock.advance(Duration::from_hours(1));
    let refused = make(&server, &whole, &json!({}));
    let reason = "You have 50 tokens of your own. Delete one with DELETE /user/tokens/{id} first.";
    assert_eq!(refused.refusal(), (409, reason.to_owned()));
    let deleted = server.delete(format!("/user/tokens/{}", last.id)).user(&whole.text).send();
    assert_eq!(deleted.status, 204);
    made(&server, &whole, &json!({}));
    // Of another user nothing is counted.
    let other = create(&server, 2, &json!({}));
    made(&server, &other, &json!({}));
}

#[test]
fn a_holder_deletes_their_own_tokens_and_nobody_elses() {
    let server = start(&still_clock());
    let [rotated, child, grandchild] = family(&server);
    let other = create(&server, 2, &json!({}));
    let delete =
        |id: i64, by: &Token| server.delete(format!("/user/tokens/{id}")).user(&by.text).send();
    for id in [other.id, 999] {
        assert_eq!(delete(id, &rotated).refusal(), (404, "Token not found".to_owned()), "{id}");
    }
    assert_eq!(delete(rotated.id, &other).status, 404);
    assert_eq!(delete(0, &rotated).faults()[0].1, "path.id");
    assert!(
        [&rotated, &child, &grandchild, &other].iter().all(|token| is_accepted(&server, token))
    );
    let deleted = delete(child.id, &rotated);
    assert_eq!((deleted.status, deleted.header("x-tokens-affected")), (204, Some("2")));
    assert_eq!(code(&server.whoami(&child.text)), "revoked");
    assert_eq!(code(&server.whoami(&grandchild.text)), "revoked");
    let entry = server.get("/admin/audit?limit=1").admin().send().expect(200)["entries"][0].clone();
    let who = (&entry["actor"], &entry["action"], &entry["subject_id"]);
    let actor = json!(format!("token:{}", rotated.id));
    assert_eq!(who, (&actor, &json!("token.revoke"), &json!(child.id)));
    assert_eq!(delete(rotated.id, &rotated).status, 204, "the one in use");
    assert!(!is_accepted(&server, &rotated));
    assert!(is_accepted(&server, &other));
}

pub fn narrow(server: &Server, id: i64, body: &Value) -> Answer {
    server.patch(format!("/admin/tokens/{id}")).admin().json(body).send()
}

#[test]
fn an_administrator_narrows_a_token_and_never_widens_it() {
    let server = start(&still_clock());
    let token = create(&server, 1, &json!({ "platforms": ["teams", "zoom"] }));
    let bot = json!({ "platform": "teams", "native_meeting_id": "1234567890123" });
    let send = || server.post("/bots").user(&token.text).json(&bot).send().status;
    assert_eq!(send(), 503, "no runner, but it may");
    let narrowed = narrow(&server, token.id, &json!({ "read_only": true, "platforms": ["zoom"] }));
    let scope = json!({ "read_only": true, "platforms": ["zoom"], "meeting": null });
    assert_eq!(narrowed.expect(200)["scope"], scope);
    assert_eq!(send(), 403, "the next request");
    let meeting = json!({ "platform": "zoom", "native_meeting_id": "1" });
    for wider in [
        json!({ "read_only": false }),
        json!({ "platforms": [] }),
        json!({ "platforms": ["zoom", "teams"] }),
        json!({ "platforms": ["teams"], "name": "wider" }),
    ] {
        let refused = narrow(&server, token.id, &wider);
        assert_eq!(refused.status, 409, "{wider}: {}", refused.text());
    }
    narrow(&server, token.id, &json!({ "meeting": meeting })).expect(200);
    let other = json!({ "meeting": { "platform": "zoom", "native_meeting_id": "2" } });
    assert_eq!(narrow(&server, token.id, &other).status, 409);
    let shown = server.get(format!("/admin/tokens/{}", token.id)).admin().send().expect(200);
    assert_eq!((&shown["scope"]["meeting"], &shown["name"]), (&meeting, &Value::Null));
    for (wish, fault) in [
        (json!({ "platforms": ["phone"] }), "body.platforms.0"),
        (json!({ "meeting": { "platform": "zoom" } }), "body.meeting.native_meeting_id"),
        (json!({ "read_only": "maybe" }), "body.read_only"),
    ] {
        assert_eq!(narrow(&server, token.id, &wish).faults()[0].1, fault, "{wish}");
    }
    let entries = server.get("/admin/audit?action=token.update&limit=9").admin().send().expect(200);
    let first = entries["entries"].as_array().and_then(|list| list.last()).expect("an entry");
    assert_eq!(
        (&first["before"]["scope"]["read_only"], &first["after"]["scope"]),
        (&json!(false), &scope)
    );
}

#[test]
fn a_token_that_was_narrowed_meanwhile_makes_none() {
    let server = start(&still_clock());
    let token = create(&server, 1, &json!({ "read_only": true }));
    let secret = PlainToken::generate().expect("randomness");
    let (name, expires_at, disuse_seconds) = (Patch::Keep, Patch::Keep, Patch::Keep);
    let terms = TokenChanges { name, expires_at, disuse_seconds };
    let (hash, hint, scope) = (secret.hash(), secret.hint(), Scope::default());
    let now = server.app.clock.now();
    let verb = MakeToken { by: TokenId(token.id), hash, hint, terms, scope, now };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let refused = runtime.block_on(server.app.store.write(verb));
    assert!(matches!(refused, Err(Error::NotAllowed(_))), "{refused:?}");
}

#[test]
fn a_chain_and_what_it_has_made_are_narrowed_together() {
    let server = start(&still_clock());
    let [rotated, child, _] = family(&server);
    let teams = made(&server, &rotated, &json!({ "platforms": ["teams"] }));
    let zoom = made(&server, &rotated, &json!({ "platforms": ["zoom"] }));
    let narrowed = narrow(&server, rotated.id, &json!({ "platforms": ["teams"] }));
    assert_eq!((narrowed.status, narrowed.header("x-tokens-affected")), (200, Some("4")));
    let platforms = |token: &Token| {
        server.whoami(&token.text).expect(200)["token"]["scope"]["platforms"].clone()
    };
    for token in [&rotated, &child, &teams] {
        assert_eq!(platforms(token), json!(["teams"]));
    }
    let nowhere = server.whoami(&zoom.text).expect(200)["token"]["scope"].clone();
    assert_eq!(
        (&nowhere["read_only"], &nowhere["meeting"]["native_meeting_id"]),
        (&json!(true), &json!(""))
    );
    assert!(nowhere["made_by"].is_i64());
}

#[test]
fn open_sockets_of_a_token_that_is_narrowed_are_closed_to_be_opened_again() {
    let server = start(&still_clock());
    let token = create(&server, 1, &json!({}));
    let mut watcher = Watcher::open(&server, &token.text);
    watcher.expect_nothing();
    narrow(&server, token.id, &json!({ "name": "renamed" })).expect(200);
    watcher.expect_nothing();
    narrow(&server, token.id, &json!({ "platforms": ["teams"] })).expect(200);
    assert_eq!(watcher.receive(), Received::Closed(1013));
    let mut again = Watcher::open(&server, &token.text);
    let answer = again.ask("subscribe", &[("zoom", "1")]);
    let reason = &answer["details"][0]["reason"];
    assert_eq!(reason, "this token is limited to other meetings", "{answer}");
}
