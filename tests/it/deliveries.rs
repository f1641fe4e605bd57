//! Webhooks, second part: what the courier does with events. They are put into the file before the
//! server starts.

use crate::client::{Client, assert_time, fields, wait_for};
use crate::receiver::{Down, FAULT, OK, Receiver};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use ring::hmac;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vomeet::clock::later;
use vomeet::domain::Time;

const DELIVERY: [&str; 12] = [
    "attempts",
    "created_at",
    "delivered_at",
    "delivery",
    "event_type",
    "id",
    "last_error",
    "last_status",
    "meeting_id",
    "next_at",
    "state",
    "webhook_id",
];
const SECRET: &str = "a-secret-of-a-webhook";
/// The longest attempt.
const ATTEMPT: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_hours(1);

/// A server that may reach receivers on this machine, and tries again soon.
pub fn setup() -> Setup {
    Setup::new()
        .set("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")
        .set("VOMEET_WEBHOOKS_RETRY_SECONDS", "1")
}

/// When the next attempt of a delivery is due.
fn next_at(delivery: &Value) -> Time {
    Time::from_millis(assert_time(&delivery["next_at"]).as_millisecond())
}

pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A user with a token and, where there is an address, a webhook.
pub fn insert_user(db: &Connection, user: i64, url: Option<&str>) -> String {
    let key = insert_token(db, user, None);
    db.execute("UPDATE users SET webhook_url = ?2 WHERE id = ?1", params![user, url])
        .expect("a webhook");
    key
}

/// An event of a meeting, which is made where it is missing.
pub fn insert_event(db: &Connection, user: i64, meeting: i64, number: i64, created_at: i64) {
    let sql = "INSERT OR IGNORE INTO meetings (id, user_id, platform, native_meeting_id, status, data, created_at, updated_at)
               VALUES (?1, ?2, 'google_meet', 'abc-defg-hij', 'completed', '{}', 0, 0)";
    db.execute(sql, params![meeting, user]).expect("a meeting");
    let body = json!({"event_type": "meeting.status_change", "meeting": {"id": meeting}, "number": number}).to_string();
    let sql = "INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?5)";
    db.execute(sql, params![user, meeting, format!("uid-{meeting}-{number}"), body, created_at])
        .expect("an event");
}

pub fn list(server: &Client, key: &str, query: &str) -> Vec<Value> {
    let body = server.get(format!("/user/webhook/deliveries{query}")).user(key).send().expect(200);
    assert_eq!(fields(&body), ["deliveries"]);
    let list = body["deliveries"].as_array().expect("an array").clone();
    assert!(list.iter().all(|delivery| fields(delivery) == DELIVERY), "{list:?}");
    list
}

/// Waits until the user's deliveries are as wanted, and returns them, the oldest first.
fn wait_until(server: &Client, key: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    wait_for(|| {
        let mut list = list(server, key, "");
        list.reverse();
        wanted(&list).then_some(list)
    })
}

fn all_are(state: &'static str) -> impl Fn(&[Value]) -> bool {
    move |list| list.iter().all(|delivery| delivery["state"] == state)
}

#[test]
fn an_event_is_delivered_signed_and_noted() {
    let (receiver, mut key) = (Receiver::taking(), String::new());
    let setup = setup().rows(|db| {
        key = insert_user(db, 1, Some(&receiver.url()));
        insert_event(db, 1, 7, 1, now());
        db.execute("INSERT INTO webhook_secrets (user_id, secret) VALUES (1, ?1)", [SECRET])
            .expect("a secret");
    });
    let before = now() / 1000;
    let server = setup.start();
    let came = receiver.next();
    assert_eq!(came.line, "POST /hook HTTP/1.1");
    for (name, value) in [
        ("host", receiver.address.to_string().as_str()),
        ("content-type", "application/json"),
        ("user-agent", concat!("vomeet/", env!("CARGO_PKG_VERSION"))),
        ("x-vomeet-event", "meeting.status_change"),
        ("x-vomeet-delivery", "uid-7-1"),
    ] {
        assert_eq!(came.header(name), Some(value), "{came:?}");
    }
    let at: i64 = came.header("x-vomeet-timestamp").expect("a time").parse().expect("seconds");
    assert!((before..=now() / 1000).contains(&at), "{at}");
    assert_eq!(came.json()["meeting"]["id"], 7);
    let signature =
        came.header("x-vomeet-signature").and_then(|value| value.strip_prefix("sha256="));
    let signature: Vec<u8> =
        signature.expect("a signature").as_bytes().chunks(2).map(hex).collect();
    let verifier = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&verifier, came.body.as_bytes(), &signature).expect("a signature of the body");

    let delivery = &wait_until(&server, &key, all_are("delivered"))[0];
    let expected = json!({"id": 1, "delivery": "uid-7-1", "event_type": "meeting.status_change", "webhook_id": 0, "meeting_id": 7, "attempts": 1,
        "state": "delivered", "next_at": null, "last_status": 200, "last_error": null,
        "created_at": delivery["created_at"], "delivered_at": delivery["delivered_at"]});
    assert_eq!(*delivery, expected);
    assert!(assert_time(&delivery["created_at"]) <= assert_time(&delivery["delivered_at"]));
}

fn hex(pair: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal")
}

/// What a receiver got of each meeting, in its order.
fn by_meeting(receiver: &Receiver, count: usize) -> BTreeMap<i64, Vec<i64>> {
    let mut meetings: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for _ in 0..count {
        let event = receiver.next().json();
        let meeting = meetings.entry(event["meeting"]["id"].as_i64().expect("an id")).or_default();
        meeting.push(event["number"].as_i64().expect("a number"));
    }
    meetings
}

#[test]
fn a_receiver_that_was_down_gets_everything_in_order() {
    let (down, mut key) = (Down::new(), String::new());
    let setup = setup().rows(|db| {
        key = insert_user(db, 1, Some(&down.url()));
        // The events of three meetings, mixed.
        (0..9).for_each(|n| insert_event(db, 1, 1 + n % 3, n / 3, now()));
    });
    let server = setup.start();
    let tried =
        |list: &[Value]| list[..3].iter().all(|delivery| delivery["attempts"].as_i64() > Some(0));
    let waiting = wait_until(&server, &key, tried);
    for (n, delivery) in waiting.iter().enumerate() {
        assert_eq!(delivery["state"], "waiting", "{delivery}");
        assert_eq!(
            delivery["attempts"].as_i64() > Some(0),
            n < 3,
            "only the oldest of each meeting: {delivery}"
        );
        assert_eq!(
            delivery["last_error"].as_str().map(|error| error.contains("refused")),
            (n < 3).then_some(true)
        );
    }
    // A restart in between loses nothing either.
    let server = server.restart();
    let receiver = down.up();
    let expected: BTreeMap<i64, Vec<i64>> =
        (1..=3).map(|meeting| (meeting, vec![0, 1, 2])).collect();
    assert_eq!(by_meeting(&receiver, 9), expected);
    wait_until(&server, &key, all_are("delivered"));
    assert_eq!(receiver.rest().len(), 0, "something was sent twice");
}

#[test]
fn an_event_that_is_refused_comes_again_under_its_name() {
    let (failed, mut key) = (AtomicUsize::new(0), String::new());
    let receiver = Receiver::answering(move |_| {
        let answer = if failed.fetch_add(1, Ordering::SeqCst) < 2 { FAULT } else { OK };
        Some(answer.to_owned())
    });
    let clock = still_clock();
    let setup = setup().clock(&clock).set("VOMEET_WEBHOOKS_RETRY_SECONDS", "100");
    let start = clock.now();
    let server = setup
        .rows(|db| {
            key = insert_user(db, 1, Some(&receiver.url()));
            (0..2).for_each(|n| insert_event(db, 1, 1, n, start.as_millis()));
        })
        .start();
    let mut came = Vec::new();
    // A wait grows threefold, and is up to a fifth longer or shorter than that.
    for (attempts, wait) in [(1, 100), (2, 300)] {
        came.push(receiver.next());
        let list = wait_until(&server, &key, |list| list[0]["attempts"] == attempts);
        let waits = (next_at(&list[0]).as_millis() - clock.now().as_millis()) / 1000;
        assert!((wait * 4 / 5..=wait * 6 / 5).contains(&waits), "{waits} s after {attempts}");
        clock.set(next_at(&list[0]));
    }
    came.extend((0..2).map(|_| receiver.next()));
    let names: Vec<_> =
        came.iter().filter_map(|received| received.header("x-vomeet-delivery")).collect();
    assert_eq!(names, ["uid-1-0", "uid-1-0", "uid-1-0", "uid-1-1"]);
    assert_eq!(came[0].body, came[2].body);
    assert!(
        came.iter().all(|received| received.header("x-vomeet-signature").is_none()),
        "signed without a secret"
    );
    let list = wait_until(&server, &key, all_are("delivered"));
    let told = |delivery: &Value| (delivery["attempts"].as_i64(), delivery["last_status"].as_i64());
    assert_eq!(
        list.iter().map(told).collect::<Vec<_>>(),
        [(Some(3), Some(200)), (Some(1), Some(200))]
    );
    assert_eq!(list[0]["last_error"], Value::Null);
}

#[test]
fn a_slow_receiver_fails_and_holds_up_nobody_else() {
    let (slow, fast) = (Receiver::answering(|_| None), Receiver::taking());
    let mut keys = [String::new(), String::new()];
    let clock = still_clock();
    let setup = setup().clock(&clock).rows(|db| {
        keys = [insert_user(db, 1, Some(&slow.url())), insert_user(db, 2, Some(&fast.url()))];
        (0..8).for_each(|n| insert_event(db, 1, 1 + n, 0, now()));
        (0..40).for_each(|n| insert_event(db, 2, 100 + n, 0, now()));
    });
    clock.set(Time::from_millis(now()));
    let server = setup.start();
    (0..40).for_each(|_| drop(fast.next()));
    assert_eq!(wait_until(&server, &keys[1], all_are("delivered")).len(), 40);
    // Four at once for one user: the fifth begins when one of them has ended.
    (0..4).for_each(|_| drop(slow.next()));
    assert_eq!(slow.calls(), 4, "more than four at once");
    clock.advance(ATTEMPT);
    slow.next();
    let list = wait_until(&server, &keys[0], |list| {
        list[..4].iter().all(|delivery| delivery["attempts"] == 1)
    });
    let told = (&list[0]["last_error"], &list[0]["last_status"], &list[0]["state"]);
    assert_eq!(
        told,
        (&json!("The webhook did not answer within 5 seconds."), &Value::Null, &json!("waiting"))
    );
    // The server waits for attempts when it ends.
    drop(slow);
}

#[test]
fn there_are_only_so_many_attempts_at_once() {
    let slow = Receiver::answering(|_| None);
    let setup = setup().rows(|db| {
        for user in 1..=20 {
            insert_user(db, user, Some(&slow.url()));
            insert_event(db, user, user, 0, now());
        }
    });
    let clock = still_clock();
    let server = setup.clock(&clock).start();
    (0..16).for_each(|_| drop(slow.next()));
    assert_eq!(slow.calls(), 16, "more than sixteen at once");
    clock.advance(ATTEMPT);
    slow.next();
    // Those who wait in the meantime do not hold up the server.
    server.get("/healthz").send().expect(200);
    // It waits for attempts when it ends.
    drop(slow);
}

#[test]
fn what_comes_too_late_is_given_up_and_visible_and_the_next_one_follows() {
    let (down, mut keys) = (Down::new(), [String::new(), String::new()]);
    let clock = still_clock();
    let setup = setup().clock(&clock).set("VOMEET_WEBHOOKS_GIVE_UP_SECONDS", "3600").rows(|db| {
        keys = [insert_user(db, 1, Some(&down.url())), insert_user(db, 2, None)];
        let start = clock.now();
        insert_event(db, 1, 1, 0, start.as_millis());
        insert_event(db, 1, 1, 1, later(start, HOUR).as_millis());
        insert_event(db, 2, 2, 0, start.as_millis());
    });
    let server = setup.start();
    let list = wait_until(&server, &keys[0], |list| list[0]["attempts"] == 1);
    assert_eq!((&list[0]["state"], &list[1]["attempts"]), (&json!("waiting"), &json!(0)));
    clock.advance(HOUR);
    let list = wait_until(&server, &keys[0], |list| list[1]["attempts"] == 1);
    let told: Vec<_> =
        list.iter().map(|delivery| (&delivery["state"], delivery["next_at"].is_null())).collect();
    assert_eq!(told, [(&json!("given_up"), true), (&json!("waiting"), false)]);
    assert_eq!((&list[0]["attempts"], &list[0]["delivered_at"]), (&json!(2), &Value::Null));
    assert!(
        list[0]["last_error"].as_str().is_some_and(|error| error.contains("refused")),
        "{list:?}"
    );
    let gone = wait_until(&server, &keys[1], all_are("given_up"));
    let told = (&gone[0]["attempts"], &gone[0]["last_error"]);
    assert_eq!(told, (&json!(0), &json!("The user has no webhook any more.")));
}

/// A clock that leaps far ahead gives nothing up, and what it put off is due once it is right again.
#[test]
fn a_clock_that_is_ahead_gives_no_event_up() {
    let (down, mut key) = (Down::new(), String::new());
    let clock = still_clock();
    let start = clock.now();
    let setup = setup().clock(&clock).set("VOMEET_WEBHOOKS_GIVE_UP_SECONDS", "3600").rows(|db| {
        key = insert_user(db, 1, Some(&down.url()));
        insert_event(db, 1, 1, 0, start.as_millis());
    });
    let server = setup.start();
    wait_for(|| server.app.store.known_time().expect("a read").filter(|known| known.is_noted));
    wait_until(&server, &key, |list| list[0]["attempts"] == 1);
    clock.set(later(start, 400 * 24 * HOUR));
    let list = wait_until(&server, &key, |list| list[0]["attempts"] == 2);
    assert_eq!(list[0]["state"], "waiting", "{list:?}");
    let setup = server.stop();
    clock.set(later(start, HOUR / 2));
    let server = setup.start();
    let list = wait_until(&server, &key, |list| list[0]["attempts"] == 3);
    assert_eq!(list[0]["state"], "waiting", "{list:?}");
    clock.advance(HOUR);
    wait_until(&server, &key, all_are("given_up"));
}

#[test]
fn what_was_over_long_ago_is_forgotten() {
    let (down, mut key) = (Down::new(), String::new());
    let (day, clock) = (86_400_000, still_clock());
    let start = clock.now().as_millis();
    let setup = setup().clock(&clock).rows(|db| {
        key = insert_user(db, 1, Some(&down.url()));
        // Over for long, over for less long, and of a month ago but still waiting.
        insert_event(db, 1, 2, 0, start - 41 * day);
        for (number, age) in [(0, 40), (1, 32), (2, 30), (3, 1)] {
            insert_event(db, 1, 1, number, start - age * day);
        }
        let over =
            "UPDATE deliveries SET next_at = NULL, delivered_at = created_at WHERE meeting_id = 1";
        db.execute(over, []).expect("over");
        db.execute("UPDATE deliveries SET next_at = ?1 WHERE meeting_id = 2", [start + day])
            .expect("waiting");
    });
    let server = setup.start();
    assert_eq!(list(&server, &key, "").len(), 5);
    // What is over is looked through with each batch of what was used.
    clock.advance(Duration::from_mins(10));
    let list = wait_until(&server, &key, |list| list.len() == 3);
    let names: Vec<_> = list.iter().filter_map(|delivery| delivery["delivery"].as_str()).collect();
    assert_eq!(names, ["uid-2-0", "uid-1-2", "uid-1-3"]);
}

/// The end of the server waits for an attempt under way, whose outcome is then in the file.
#[test]
fn an_attempt_under_way_is_finished_before_the_end() {
    let (mut key, receiver) = (String::new(), Receiver::answering(|_| None));
    let clock = still_clock();
    let setup = setup().clock(&clock).rows(|db| {
        key = insert_user(db, 1, Some(&receiver.url()));
        insert_event(db, 1, 1, 0, clock.now().as_millis());
    });
    let mut server: Server = setup.start();
    receiver.next();
    server.ask_to_stop();
    clock.advance(ATTEMPT);
    let server = server.restart();
    let list = list(&server, &key, "");
    assert!(list[0]["attempts"].as_i64() > Some(0), "{list:?}");
}
