//! What one caller may cause: bots that run, scrubs, commits, bytes in the file; and what a
//! disabled user still causes.

use crate::bots::{at_work, meet_code, send, session, user};
use crate::client::{Client, Token, wait_for};
use crate::durability::names;
use crate::erasure::reader;
use crate::receiver::{FAULT, OK, Receiver};
use crate::server::{Server, Setup, open_file, still_clock};
use crate::tokens::insert_token;
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// A bot that does not leave when it is told to, but when this file is gone.
const STUBBORN_BOT: &str =
    r#"["sh", "-c", "trap '' TERM; : > started-$$; while [ -e here ]; do sleep 0.05; done"]"#;

/// A server with such bots.
fn stubborn(running_max: &str) -> Server {
    let setup = Setup::new().set("VOMEET_BOTS_RUNNER", "process");
    let folder = setup.folder().to_string_lossy().into_owned();
    fs::write(setup.folder().join("here"), "").expect("a file");
    setup
        .set("VOMEET_BOTS_PROCESS_COMMAND", STUBBORN_BOT)
        .set("VOMEET_BOTS_PROCESS_FOLDER", &folder)
        .set("VOMEET_BOTS_LOG_FOLDER", &format!("{folder}/logs"))
        .set("VOMEET_BOTS_GRACE_SECONDS", "600")
        .set("VOMEET_BOTS_STOPPING_SECONDS_MAX", "700")
        .set("VOMEET_BOTS_RUNNING_MAX", running_max)
        .start()
}

/// Waits until so many bots have begun to be stubborn; before that SIGTERM ends them.
fn wait_for_started(server: &Server, count: usize) {
    let is_mark = |name: &String| name.starts_with("started-");
    wait_for(|| {
        let marks = names(server.folder()).iter().filter(|name| is_mark(name)).count();
        (marks == count).then_some(())
    });
}

fn leave(client: &Client, token: &Token, code: &str) {
    client.delete(format!("/bots/google_meet/{code}")).user(&token.text).send().expect(202);
}

#[test]
fn bots_that_do_not_leave_count_until_they_are_gone() {
    let server = stubborn("5");
    let [one, two] = ["one", "two"].map(|name| user(&server, &format!("{name}@example.com"), 1));
    for n in 0..3 {
        assert_eq!(send(&server, &one, &meet_code(n)).status, 201, "bot {n}");
        wait_for_started(&server, n + 1);
        leave(&server, &one, &meet_code(n));
    }
    for n in 3..20 {
        let refused = send(&server, &one, &meet_code(n)).expect(403);
        assert_eq!(refused["code"], "bots_still_leaving", "{refused}");
        assert_eq!(refused["reason"], "3 bots still run, and 1 may be in meetings.");
    }
    assert_eq!(server.app.bots.running(), 3);
    for n in 0..2 {
        assert_eq!(send(&server, &two, &meet_code(n)).status, 201, "bot {n}");
        wait_for_started(&server, n + 4);
        leave(&server, &two, &meet_code(n));
    }
    let full = send(&server, &two, &meet_code(9));
    assert_eq!((full.status, full.header("retry-after")), (503, Some("30")), "{full:?}");
    assert_eq!(server.app.bots.running(), 5);
    fs::remove_file(server.folder().join("here")).expect("removed");
    wait_for(|| (server.app.bots.running() == 0).then_some(()));
    assert_eq!(send(&server, &two, &meet_code(9)).status, 201, "there is room again");
}

#[test]
fn bots_that_outlive_the_server_count_in_the_next_one() {
    let server = stubborn("2");
    let one = user(&server, "one@example.com", 5);
    for n in 0..2 {
        assert_eq!(send(&server, &one, &meet_code(n)).status, 201, "bot {n}");
    }
    let server = server.restart();
    wait_for(|| (server.app.bots.running() == 2).then_some(()));
    assert_eq!(send(&server, &one, &meet_code(2)).status, 503);
    fs::remove_file(server.folder().join("here")).expect("removed");
    wait_for(|| (server.app.bots.running() == 0).then_some(()));
}

/// A server with a finished meeting of user 1, and a clock that stands still.
fn finished_meeting() -> (Server, String) {
    let mut token = String::new();
    let setup = Setup::new().rows(|db| {
        token = insert_token(db, 1, None);
        let sql = "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
                   VALUES (1, 'teams', '1234567890', 'completed', '{\"notes\":\"n\"}', 0, 0)";
        db.execute(sql, []).expect("a meeting");
    });
    (setup.clock(&still_clock()).start(), token)
}

#[test]
fn what_is_redacted_already_is_not_scrubbed_again() {
    let (server, token) = finished_meeting();
    let path = "/meetings/teams/1234567890";
    for _ in 0..5 {
        server.delete(format!("{path}?meeting_id=1")).user(&token).send().expect(200);
    }
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'erasures'";
        let scrubs: i64 = db.query_row(sql, [], |row| row.get(0)).expect("a count");
        assert_eq!(scrubs, 1);
    });
}

#[test]
fn usage_is_shown_without_a_commit() {
    let (server, token) = finished_meeting();
    // The clock stands still, so the server notes the time once.
    wait_for(|| server.app.store.known_time().expect("a read").filter(|known| known.is_noted));
    // What is readable is counted a moment later, but before the next commit.
    server.new_user("next@example.com");
    let commits = || server.app.store.written().commits;
    let before = commits();
    for asked in 1..=5 {
        let usage = server.get("/user/usage").user(&token).send().expect(200);
        assert_eq!(usage["usage"][0]["requests"], asked, "{usage}");
        for by in ["day", "user", "token"] {
            let all = server.get(format!("/admin/usage?by={by}")).admin().send().expect(200);
            assert_eq!(all["usage"][0]["requests"], asked, "{by}: {all}");
        }
    }
    assert_eq!(commits(), before);
    // What is in the file by now counts once.
    let setup = server.stop();
    let server = setup.start();
    let usage = server.get("/user/usage").user(&token).send().expect(200);
    assert_eq!(usage["usage"][0]["requests"], 6, "{usage}");
}

/// A server whose bots only wait and whose users have webhooks on this machine.
fn with_webhook(receiver: &Receiver) -> (Server, Token) {
    let setup = crate::bots::setup()
        .set("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")
        .set("VOMEET_WEBHOOKS_RETRY_SECONDS", "1");
    let server = setup.start();
    let token = user(&server, "one@example.com", 5);
    let body = json!({ "webhook_url": receiver.url() });
    server.call("PUT", "/user/webhook").user(&token.text).json(&body).send().expect(200);
    (server, token)
}

fn report(server: &Server, uid: &str, status: &str) {
    let body = json!({ "connection_id": uid, "container_id": "c", "status": status });
    let call = server.post("/bots/internal/callback/status_change");
    assert_eq!(call.json(&body).send().expect(200)["status"], "processed");
}

#[test]
fn an_event_has_the_same_bytes_at_every_attempt_and_large_members_once() {
    let seen: Mutex<HashSet<String>> = Mutex::default();
    let receiver = Receiver::answering(move |came| {
        let delivery = came.header("x-vomeet-delivery").expect("a name").to_owned();
        let is_first = seen.lock().expect("a lock").insert(delivery);
        Some(if is_first { FAULT } else { OK }.to_owned())
    });
    let (server, token) = with_webhook(&receiver);
    let code = meet_code(1);
    assert_eq!(send(&server, &token, &code).status, 201);
    let people: Vec<String> = (0..100).map(|n| format!("{n} {}", "ä\"".repeat(100))).collect();
    let notes =
        json!({ "notes": "a line\n".repeat(1000), "participants": people, "name": "short" });
    let path = format!("/meetings/google_meet/{code}");
    server.patch(&path).user(&token.text).json(&json!({ "data": notes })).send().expect(200);
    let uid = session(&server, &token, &code);
    let statuses = ["joining", "awaiting_admission", "active"];
    for status in statuses {
        report(&server, &uid, status);
    }
    for status in statuses {
        let [first, second] = [(); 2].map(|()| receiver.next());
        assert_eq!(first.body, second.body, "{status}");
        let delivery = first.header("x-vomeet-delivery").expect("a name");
        assert_eq!(Some(delivery), second.header("x-vomeet-delivery"));
        assert_eq!(*delivery, blake3::hash(first.body.as_bytes()).to_hex()[..32]);
        let event = first.json();
        assert_eq!(event["status_change"]["to"], status);
        for member in ["notes", "participants", "name"] {
            assert_eq!(event["meeting"]["data"][member], notes[member], "{status}: {member}");
        }
    }
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a sum");
        assert_eq!(number("SELECT count(*) FROM deliveries WHERE parts IS NOT NULL"), 3);
        assert_eq!(number("SELECT count(*) FROM event_parts"), 2, "notes and participants");
        assert!(number("SELECT max(length(body)) FROM deliveries") < 3_000);
        assert!(number("SELECT sum(length(json)) FROM event_parts") < 4_000);
        let sql = "UPDATE deliveries SET created_at = 1, next_at = NULL";
        db.execute(sql, []).expect("old events");
    });
    // Parts go with the last event that has them.
    let server = setup.set("VOMEET_TOKENS_LAST_USED_SECONDS", "1").start();
    let gone = || {
        let connection = reader(server.folder());
        let sql = "SELECT (SELECT count(*) FROM event_parts) + (SELECT count(*) FROM deliveries)";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count") == 0
    };
    wait_for(|| gone().then_some(()));
}

#[test]
fn events_of_a_disabled_user_are_held_back_until_the_user_is_enabled() {
    let receiver = Receiver::taking();
    let (server, token) = with_webhook(&receiver);
    let code = meet_code(1);
    assert_eq!(send(&server, &token, &code).status, 201);
    let uid = session(&server, &token, &code);
    report(&server, &uid, "joining");
    assert_eq!(receiver.next().json()["status_change"]["to"], "joining");
    let id = server.whoami(&token.text).expect(200)["id"].as_i64().expect("an id");
    let update = |body: serde_json::Value| {
        server.patch(format!("/admin/users/{id}")).admin().json(&body).send().expect(200)
    };
    update(json!({ "disabled": true }));
    report(&server, &uid, "active");
    assert_eq!(at_status(&server, id), "active", "the bot goes on");
    update(json!({ "disabled": true, "stop_bots": true }));
    wait_for(|| (at_status(&server, id) == "completed").then_some(()));
    // The bot is gone, so the dispatcher has been woken since, and has sent nothing.
    assert_eq!(receiver.rest().len(), 0);
    update(json!({ "disabled": false }));
    for status in ["active", "stopping", "completed"] {
        assert_eq!(receiver.next().json()["status_change"]["to"], status);
    }
    assert_eq!(at_work(&server, &token).len(), 0);
}

/// The status of the newest meeting of a user.
fn at_status(server: &Server, user: i64) -> String {
    let body = server.get("/admin/stats/meetings-users").admin().send().expect(200);
    assert_eq!(body["items"][0]["user"]["id"], user);
    body["items"][0]["status"].as_str().expect("a status").to_owned()
}

#[test]
fn events_of_a_user_who_stays_disabled_are_given_up_and_listed() {
    let clock = still_clock();
    let mut token = String::new();
    let at = clock.now().as_millis();
    let setup = Setup::new().set("VOMEET_TOKENS_LAST_USED_SECONDS", "1").rows(|db| {
        token = insert_token(db, 1, None);
        let hook = r#"{"webhook_url":"https://hook.example.com"}"#;
        db.execute("UPDATE users SET data = ?1, disabled_at = 1", [hook]).expect("a webhook");
        let sql = "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
                   VALUES (1, 'teams', '1234567890', 'completed', '{}', 0, 0)";
        db.execute(sql, []).expect("a meeting");
        let sql = "INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at)
                   VALUES (1, 1, 'x', '{\"event_type\":\"e\"}', ?1, 0, ?1)";
        db.execute(sql, [at]).expect("an event");
    });
    let server = setup.clock(&clock).start();
    let held = || {
        let connection = reader(server.folder());
        let sql = "SELECT next_at IS NOT NULL FROM deliveries";
        connection.query_row(sql, [], |row| row.get::<_, bool>(0)).expect("an event")
    };
    let doubted_ms = || {
        let known = server.app.store.known_time().expect("a read");
        known.and_then(|known| Some(known.doubted?.ran_ms))
    };
    // Six days, two at a time, because a clock that leaps is not believed.
    for _ in 0..3 {
        clock.advance(2 * DAY);
        wait_for(|| {
            let known = server.app.store.known_time().expect("a read");
            known.filter(|known| known.latest == clock.now())
        });
    }
    assert!(held());
    // Nor does a clock that leaps give it up in a round of the server's jobs. What is over for 30
    // days is forgotten, so it leaps by less.
    clock.advance(20 * DAY);
    wait_for(doubted_ms);
    for minutes in [10, 20] {
        clock.advance(Duration::from_mins(10));
        wait_for(|| doubted_ms().filter(|&ran_ms| ran_ms >= minutes * 60_000));
    }
    assert!(held(), "given up by a clock that is not believed");
    clock.advance(DAY);
    wait_for(|| (!held()).then_some(()));
    server.patch("/admin/users/1").admin().json(&json!({ "disabled": false })).send().expect(200);
    let list = server.get("/user/webhook/deliveries").user(&token).send().expect(200);
    let delivery = &list["deliveries"][0];
    assert_eq!(
        (&delivery["state"], &delivery["last_error"]),
        (&json!("given_up"), &json!("the user was disabled for 7 days")),
        "{list}"
    );
}
