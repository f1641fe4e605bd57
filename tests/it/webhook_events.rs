//! Several webhooks of a user: the events that each gets, what signs them, and what becomes of them
//! when one is dead or deleted.

use crate::bots::{meet_code, send, session, user};
use crate::client::{Token, fields, wait_for};
use crate::deliveries::{insert_event, insert_user, list, now, setup};
use crate::erasure::reader;
use crate::receiver::{Down, Received, Receiver};
use crate::server::{Server, Setup, still_clock};
use crate::webhook_list::{CHOSEN, add, all, missing, one};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// A webhook of a user in the file, with the usual event.
fn insert_webhook(db: &Connection, user: i64, url: &str) -> i64 {
    let sql = "INSERT INTO webhooks (user_id, url, events, secret, created_at)
               VALUES (?1, ?2, '[\"meeting.status_change\"]', ?3, 0)";
    db.execute(sql, params![user, url, CHOSEN]).expect("a webhook");
    db.last_insert_rowid()
}

/// Whether this is one of the signatures of Standard Webhooks.
fn is_signed(came: &Received, secret: &str) -> bool {
    let key = secret.strip_prefix("whsec_").map(|text| BASE64.decode(text).expect("base64"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.unwrap_or_else(|| secret.into()));
    let id = came.header("webhook-id").expect("an id");
    let at = came.header("webhook-timestamp").expect("a time");
    let digest = hmac::sign(&key, format!("{id}.{at}.{}", came.body).as_bytes());
    let wanted = format!("v1,{}", BASE64.encode(digest));
    let signatures = came.header("webhook-signature").unwrap_or_default();
    signatures.split(' ').any(|signature| signature == wanted)
}

/// Our own signature by a secret.
fn own(came: &Received, secret: &str) -> String {
    let digest =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), came.body.as_bytes());
    let mut text = "sha256=".to_owned();
    for byte in digest.as_ref() {
        write!(text, "{byte:02x}").expect("a string");
    }
    text
}

fn report(server: &Server, uid: &str, status: &str) {
    let body = json!({ "connection_id": uid, "container_id": "c", "status": status });
    let call = server.post("/bots/internal/callback/status_change");
    assert_eq!(call.json(&body).send().expect(200)["status"], "processed");
}

fn with_bots() -> Setup {
    crate::bots::setup().set("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")
}

#[test]
fn each_webhook_gets_the_events_that_it_chose_signed_with_its_secret() {
    let [first, usual, ready] = [(); 3].map(|()| Receiver::taking());
    let clock = still_clock();
    let server = with_bots().clock(&clock).start();
    let token: Token = user(&server, "one@example.com", 5);
    let body = json!({ "webhook_url": first.url(), "webhook_secret": "a-secret-of-the-first" });
    server.call("PUT", "/user/webhook").user(&token.text).json(&body).send().expect(200);
    let made = add(&server, &token.text, &json!({ "url": usual.url() })).expect(201);
    let secret = made["secret"].as_str().expect("a secret");
    let body = json!({ "url": ready.url(), "events": ["transcript.ready"], "secret": CHOSEN });
    add(&server, &token.text, &body).expect(201);
    assert_eq!(send(&server, &token, &meet_code(1)).status, 201);
    let uid = session(&server, &token, &meet_code(1));
    let notes = json!({ "data": { "notes": "a line\n".repeat(300) } });
    let path = format!("/meetings/google_meet/{}", meet_code(1));
    server.patch(path).user(&token.text).json(&notes).send().expect(200);
    for status in ["active", "completed"] {
        report(&server, &uid, status);
        let came = [first.next(), usual.next()];
        assert_eq!(came[0].body, came[1].body, "one event");
        assert_eq!(came[0].header("webhook-id"), came[1].header("webhook-id"), "one name");
        assert_eq!(came[0].header("webhook-id"), came[0].header("x-vomeet-delivery"));
        assert_eq!(came[0].header("webhook-timestamp"), came[0].header("x-vomeet-timestamp"));
        assert!(is_signed(&came[0], "a-secret-of-the-first") && is_signed(&came[1], secret));
        assert!(!is_signed(&came[1], "a-secret-of-the-first"), "not its secret");
        let signature = own(&came[1], secret);
        assert_eq!(came[1].header("x-vomeet-signature"), Some(signature.as_str()));
        assert_eq!(came[1].header("x-vomeet-signature-old"), None);
        // The last event of a meeting has its members on its top level as well.
        let mut event = came[0].json();
        let meeting = event["meeting"].clone();
        let event = event.as_object_mut().expect("an object");
        assert_eq!(event["status_change"]["to"], status);
        for name in ["event_type", "meeting", "status_change"] {
            event.remove(name);
        }
        let wanted = if status == "completed" { meeting } else { json!({}) };
        assert_eq!(json!(event), wanted, "{status}");
    }
    // The third hears of the meeting when no more words can come, and of nothing else.
    let waiting = wait_for(|| {
        let all = list(&server, &token.text, "");
        (all.iter().filter(|event| event["state"] == "waiting").count() == 1).then_some(all)
    });
    assert_eq!(waiting[0]["event_type"], "transcript.ready");
    assert_eq!((&waiting[0]["webhook_id"], &waiting[0]["attempts"]), (&json!(2), &json!(0)));
    clock.advance(Duration::from_secs(119));
    server.post("/user/webhooks/2/test").user(&token.text).send().expect(200);
    assert_eq!(ready.next().header("x-vomeet-event"), Some("webhook.test"), "too early");
    clock.advance(Duration::from_secs(1));
    let came = ready.next();
    assert_eq!(came.header("x-vomeet-event"), Some("transcript.ready"));
    assert!(is_signed(&came, CHOSEN), "{came:?}");
    let event = came.json();
    assert_eq!(fields(&event), ["event_type", "meeting"]);
    assert_eq!(event["meeting"]["status"], "completed");
    assert_eq!(event["meeting"]["data"]["notes"], notes["data"]["notes"]);
    // Each has its own part of the list.
    let of = |id: i64| list(&server, &token.text, &format!("?webhook_id={id}")).len();
    assert_eq!((of(0), of(1), of(2), of(3)), (2, 2, 1, 0));
    assert_eq!((first.rest().len(), usual.rest().len(), ready.rest().len()), (0, 0, 0));
    // What the events share is kept once, however often an event has it.
    let parts = "SELECT count(*) FROM event_parts";
    let parts: i64 = reader(server.folder()).query_row(parts, [], |row| row.get(0)).expect("parts");
    assert_eq!(parts, 1, "the notes");
}

/// A bot that never came in heard nothing: there is no transcript.
#[test]
fn a_meeting_that_never_began_has_no_transcript_that_is_ready() {
    let receiver = Receiver::taking();
    let server = with_bots().start();
    let token = user(&server, "one@example.com", 5);
    let events = json!(["transcript.ready", "meeting.status_change"]);
    let body = json!({ "url": receiver.url(), "events": events });
    add(&server, &token.text, &body).expect(201);
    assert_eq!(send(&server, &token, &meet_code(1)).status, 201);
    report(&server, &session(&server, &token, &meet_code(1)), "failed");
    assert_eq!(receiver.next().json()["status"], "failed");
    let all = list(&server, &token.text, "");
    assert_eq!(all.len(), 1, "{all:?}");
}

#[test]
fn two_secrets_sign_while_one_rotates() {
    let (receiver, clock) = (Receiver::taking(), still_clock());
    let setup = setup().clock(&clock).set("VOMEET_TOKENS_LAST_USED_SECONDS", "1");
    let server = setup.start();
    let key = server.new_token(server.new_user("one@example.com")).text;
    add(&server, &key, &json!({ "url": receiver.url(), "secret": CHOSEN })).expect(201);
    let body = json!({ "webhook_url": receiver.url(), "webhook_secret": CHOSEN });
    server.call("PUT", "/user/webhook").user(&key).json(&body).send().expect(200);
    let tested = |id: i64| {
        let path = format!("/user/webhooks/{id}/test");
        let told = server.post(path).user(&key).send().expect(200);
        assert_eq!(told["delivered"], true, "{told}");
        receiver.next()
    };
    let old_secrets = || -> i64 {
        let sql = "SELECT (SELECT count(old_secret) FROM webhooks) +
                     (SELECT count(old_secret) FROM webhook_secrets)";
        reader(server.folder()).query_row(sql, [], |row| row.get(0)).expect("a count")
    };
    let mut secrets = Vec::new();
    for id in [1, 0] {
        let rotate = server.post(format!("/user/webhooks/{id}/rotate")).user(&key);
        let made = rotate.json(&json!({ "grace_seconds": 100 })).send().expect(201);
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        assert!(made["old_secret_until"].is_string() && secret != CHOSEN, "{made}");
        let came = tested(id);
        assert!(is_signed(&came, CHOSEN) && is_signed(&came, &secret), "{came:?}");
        let signatures = came.header("webhook-signature").expect("signatures");
        assert_eq!(signatures.split(' ').count(), 2);
        let [new, old] = [own(&came, &secret), own(&came, CHOSEN)];
        assert_eq!(came.header("x-vomeet-signature"), Some(new.as_str()));
        assert_eq!(came.header("x-vomeet-signature-old"), Some(old.as_str()));
        secrets.push((id, secret));
    }
    assert_eq!(old_secrets(), 2);
    clock.advance(Duration::from_secs(100));
    for (id, secret) in &secrets {
        let came = tested(*id);
        assert!(is_signed(&came, secret) && !is_signed(&came, CHOSEN), "{came:?}");
        assert_eq!(came.header("x-vomeet-signature-old"), None);
        assert_eq!(one(&server, "GET", &key, *id).expect(200)["old_secret_until"], Value::Null);
    }
    // It is not kept for nothing.
    wait_for(|| (old_secrets() == 0).then_some(()));
    // By itself a rotation has a day, and whoever replaces the secret has nothing.
    let made = server.post("/user/webhooks/1/rotate").user(&key).send().expect(201);
    let until: jiff::Timestamp =
        made["old_secret_until"].as_str().expect("a time").parse().expect("a time");
    let day = until.as_millisecond() - clock.now().as_millis();
    assert_eq!(day, 86_400_000);
    server.post("/user/webhooks/0/rotate").user(&key).send().expect(201);
    server.call("PUT", "/user/webhook").user(&key).json(&body).send().expect(200);
    assert_eq!(one(&server, "GET", &key, 0).expect(200)["old_secret_until"], Value::Null);
    let other = server.post("/user/webhooks/7/rotate").user(&key).send();
    assert_eq!(other.refusal(), missing());
}

#[test]
fn a_dead_webhook_holds_up_no_other_and_each_keeps_its_order() {
    let (down, up, mut key) = (Down::new(), Receiver::taking(), String::new());
    let setup = setup().rows(|db| {
        key = insert_user(db, 1, Some(&down.url()));
        let id = insert_webhook(db, 1, &up.url());
        for number in 0..6 {
            insert_event(db, 1, 1 + number % 2, number, now());
            insert_event(db, 1, 1 + number % 2, number, now());
            let sql = "UPDATE deliveries SET webhook_id = ?1 WHERE id = last_insert_rowid()";
            db.execute(sql, [id]).expect("for the other");
        }
    });
    let server = setup.start();
    let mut came = [Vec::new(), Vec::new()];
    for _ in 0..6 {
        let number = up.next().json()["number"].as_u64().expect("a number");
        came[usize::try_from(number % 2).expect("small")].push(number);
    }
    assert_eq!(came, [[0, 2, 4], [1, 3, 5]]);
    let waiting = wait_for(|| {
        let of_first = list(&server, &key, "?webhook_id=0");
        let tried = of_first.iter().filter(|event| event["attempts"].as_i64() > Some(0)).count();
        (tried == 2).then_some(of_first)
    });
    assert!(waiting.iter().all(|event| event["state"] == "waiting"), "{waiting:?}");
    let receiver = down.up();
    let numbers: Vec<_> = (0..6).map(|_| receiver.next().json()["number"].clone()).collect();
    assert_eq!(numbers.len(), 6);
}

#[test]
fn events_of_a_deleted_webhook_are_given_up_and_an_administrator_may_delete_one() {
    let (down, up, mut keys) = (Down::new(), Receiver::taking(), [String::new(), String::new()]);
    let setup = setup().rows(|db| {
        keys = [insert_user(db, 1, Some(&up.url())), insert_user(db, 2, None)];
        for user in [1, 2] {
            let id = insert_webhook(db, user, &down.url());
            insert_event(db, user, user, 0, now());
            db.execute("UPDATE deliveries SET webhook_id = ?1 WHERE user_id = ?2", [id, user])
                .expect("for it");
        }
    });
    let server = setup.start();
    let hooks = |user: i64| server.get(format!("/admin/users/{user}/webhooks")).admin().send();
    assert_eq!(hooks(1).expect(200)["webhooks"], all(&server, &keys[0]));
    assert_eq!(hooks(3).refusal(), (404, "User not found".to_owned()));
    let remove = |user: i64, id: i64| {
        server.delete(format!("/admin/users/{user}/webhooks/{id}")).admin().send()
    };
    assert_eq!(remove(1, 2).refusal(), missing(), "that of another");
    assert_eq!(remove(3, 1).refusal(), (404, "User not found".to_owned()));
    assert_eq!(remove(1, 1).status, 204);
    assert_eq!(one(&server, "DELETE", &keys[1], 2).status, 204);
    for (user, key) in [(1, &keys[0]), (2, &keys[1])] {
        let given_up = wait_for(|| {
            let event = list(&server, key, "")[0].clone();
            (event["state"] == "given_up").then_some(event)
        });
        assert_eq!(given_up["last_error"], "The webhook was deleted.");
        let path = format!("/user/webhook/deliveries/{user}/resend");
        assert_eq!(server.post(path).user(key).send().refusal(), missing());
    }
    let entries = server.get("/admin/audit?action=webhook.delete").admin().send().expect(200);
    let entry = &entries["entries"][0];
    assert_eq!(entries["entries"].as_array().map(Vec::len), Some(1), "users' own are not recorded");
    assert_eq!((&entry["subject"], &entry["subject_id"]), (&json!("webhook"), &json!(1)));
    assert_eq!((&entry["user_id"], &entry["before"]["url"]), (&json!(1), &json!(down.url())));
    assert!(!entry.to_string().contains(CHOSEN), "{entry}");
    // The first one goes on.
    let path = "/user/webhooks/0/test";
    assert_eq!(server.post(path).user(&keys[0]).send().expect(200)["delivered"], true);
    assert_eq!(up.calls(), 1);
}

/// What is sent once more goes to the webhook that it was for, and to no other.
#[test]
fn an_event_is_sent_once_more_to_its_own_webhook() {
    let [first, second] = [(); 2].map(|()| Receiver::taking());
    let mut key = String::new();
    let setup = setup().rows(|db| {
        key = insert_user(db, 1, Some(&first.url()));
        let id = insert_webhook(db, 1, &second.url());
        insert_event(db, 1, 1, 0, now());
        let sql = "UPDATE deliveries SET webhook_id = ?1, next_at = NULL";
        db.execute(sql, [id]).expect("given up");
    });
    let server = setup.start();
    let answer = server.post("/user/webhook/deliveries/1/resend").user(&key).send().expect(202);
    assert_eq!((&answer["state"], &answer["webhook_id"]), (&json!("waiting"), &json!(1)));
    let came = second.next();
    assert!(is_signed(&came, CHOSEN), "{came:?}");
    assert_eq!(came.header("webhook-id"), Some("uid-1-0"));
    wait_for(|| (list(&server, &key, "")[0]["state"] == "delivered").then_some(()));
    assert_eq!(first.calls(), 0);
}
