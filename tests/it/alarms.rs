//! Meetings that go on and miss sound, words or names: within a minute a webhook, the metrics and
//! the meeting tell of it, once, until it is over.

use crate::client::{Client, wait_for};
use crate::receiver::Receiver;
use crate::segments::{Session, insert_session, insert_stream};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use crate::webhook_list::add;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;

/// A server with an active meeting of user 1 that began now, by a clock of the test's.
fn start(clock: &Clock, more: impl FnOnce(&Connection)) -> (Server, String, Session) {
    let mut made = None;
    let now = clock.now().as_millis();
    let setup = Setup::new().clock(clock).set("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8");
    let setup = setup.rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
        for sql in [
            "UPDATE meetings SET start_time = ?1, created_at = ?1, updated_at = ?1",
            "UPDATE sessions SET started_at = ?1",
        ] {
            db.execute(sql, [now]).expect("it begins now");
        }
        more(db);
    });
    let (key, session) = made.expect("rows");
    (setup.start(), key, session)
}

fn alarms(client: &Client, key: &str) -> Vec<Value> {
    let meeting = client.get("/meetings/1").user(key).send().expect(200);
    meeting["alarms"].as_array().expect("alarms").clone()
}

/// Waits for an alarm of this kind that is raised, or is over.
fn wait_until(client: &Client, key: &str, kind: &str, is_over: bool) -> Value {
    wait_for(|| {
        let alarms = alarms(client, key);
        let of_kind = |alarm: &&Value| alarm["kind"] == kind;
        let found = alarms.iter().find(of_kind)?.clone();
        (found["cleared_at"].is_null() != is_over).then_some(found)
    })
}

fn metric(client: &Client, line: &str) -> bool {
    client.get("/metrics").send().text().lines().any(|found| found == line)
}

fn listen_for(server: &Client, key: &str) -> Receiver {
    let receiver = Receiver::taking();
    let body = json!({ "url": receiver.url(), "events": ["meeting.silent"] });
    add(server, key, &body).expect(201);
    receiver
}

fn send(server: &Client, session: &Session, body: &Value) {
    server.post("/bots/internal/segments").bearer(&session.token).json(body).send().expect(200);
}

/// Somebody begins or ends to speak, so many seconds after the meeting began.
fn speaker(server: &Client, session: &Session, kind: &str, second: i64) {
    let event =
        json!({"event_type": kind, "participant_name": "Ada", "relative_ms": second * 1000});
    send(server, session, &json!({"uid": session.uid, "speaker_events": [event]}));
}

fn say(server: &Client, session: &Session, second: i64, speaker: &Value) {
    let words = json!({"start": second, "end": second + 1, "text": "words", "speaker": speaker});
    send(server, session, &json!({"uid": session.uid, "segments": [words]}));
}

#[test]
fn speech_without_words_is_told_once_until_words_come() {
    let clock = still_clock();
    let (server, key, session) = start(&clock, |_| {});
    let receiver = listen_for(&server, &key);
    speaker(&server, &session, "SPEAKER_START", 1);
    speaker(&server, &session, "SPEAKER_END", 14);
    clock.advance(Duration::from_secs(58));
    let raised = wait_until(&server, &key, "no_words", false);
    assert!(raised["what_to_do"].as_str().expect("a sentence").contains("/explain"));
    let came = receiver.next();
    assert_eq!(came.header("x-vomeet-event"), Some("meeting.silent"));
    let event = came.json();
    assert_eq!((&event["event_type"], &event["alarm"]), (&json!("meeting.silent"), &raised));
    assert_eq!(event["meeting"]["id"], 1);
    assert!(event.get("status_change").is_none(), "{event}");
    let raised_line = "vomeet_meeting_alarms_raised_total{kind=\"no_words\"} 1";
    wait_for(|| metric(&server, "vomeet_meeting_alarms{kind=\"no_words\"} 1").then_some(()));
    assert!(metric(&server, raised_line));
    // It stays one alarm while it lasts.
    clock.advance(Duration::from_mins(1));
    speaker(&server, &session, "SPEAKER_START", 60);
    speaker(&server, &session, "SPEAKER_END", 100);
    say(&server, &session, 110, &json!("Ada"));
    let over = wait_until(&server, &key, "no_words", true);
    assert_eq!(over["raised_at"], raised["raised_at"]);
    wait_for(|| metric(&server, "vomeet_meeting_alarms{kind=\"no_words\"} 0").then_some(()));
    assert!(metric(&server, raised_line));
    // And is raised again when it comes again.
    clock.advance(Duration::from_secs(100));
    speaker(&server, &session, "SPEAKER_START", 120);
    speaker(&server, &session, "SPEAKER_END", 150);
    let again = wait_until(&server, &key, "no_words", false);
    assert_ne!(again["raised_at"], raised["raised_at"]);
    assert_eq!(receiver.next().json()["alarm"], again);
    assert_eq!(receiver.rest().len(), 0, "each is told once");
}

#[test]
fn words_without_names_are_told_until_a_name_comes() {
    let clock = still_clock();
    let (server, key, session) = start(&clock, |_| {});
    let receiver = listen_for(&server, &key);
    for second in 1..=3 {
        say(&server, &session, second, &Value::Null);
    }
    clock.advance(Duration::from_secs(46));
    let raised = wait_until(&server, &key, "no_names", false);
    assert_eq!(receiver.next().json()["alarm"], raised);
    // Somebody names them, which is as good as a name that came.
    let named = json!({"from": null, "to": "Ada"});
    server.patch("/transcripts/by-id/1/speakers").user(&key).json(&named).send().expect(200);
    wait_until(&server, &key, "no_names", true);
    assert_eq!(alarms(&server, &key).len(), 1);
}

#[test]
fn a_bot_that_sends_sound_and_ceases_is_told_until_it_sends_again() {
    let clock = still_clock();
    let (server, key, _) = start(&clock, |db| {
        let stream = insert_stream(db, 1);
        let sql =
            "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, heard_ms)
                   VALUES (1, ?1, 'whisper_live', 's16le', 16000, 1, 60000)";
        db.execute(sql, [stream]).expect("a sound");
        let earlier = "UPDATE meetings SET start_time = start_time - 60000";
        db.execute(earlier, []).expect("a minute ago");
    });
    // Nobody listens to it, which is told at the first look; the sound is known from then on.
    wait_until(&server, &key, "no_words", false);
    let receiver = listen_for(&server, &key);
    clock.advance(Duration::from_secs(46));
    let raised = wait_until(&server, &key, "no_sound", false);
    assert_eq!(receiver.next().json()["alarm"], raised);
    let setup = server.stop().rows(|db| {
        db.execute("UPDATE sounds SET heard_ms = 61000, cut_ms = 61000", []).expect("more sound");
    });
    let server = setup.start();
    wait_until(&server, &key, "no_sound", true);
    wait_until(&server, &key, "no_words", true);
}

#[test]
fn a_bot_that_should_bring_sound_and_brings_none_is_told() {
    let clock = still_clock();
    for (bring_sound, has_earlier) in [(true, false), (false, true)] {
        let mut made = None;
        let now = clock.now().as_millis();
        let setup = Setup::new().clock(&clock).set("VOMEET_TRANSCRIPTION_USER_ENGINES", "true");
        let setup = setup.rows(|db| {
            let key = insert_token(db, 1, None);
            if has_earlier {
                // Words of an earlier meeting came without sound of ours.
                insert_session(db, 1, "abc-defg-hik");
                db.execute("UPDATE meetings SET status = 'completed', bot_container_id = 'c', end_time = 1", [])
                    .expect("over");
                let stream = insert_stream(db, 1);
                let sql = "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text,
                             speaker_source, completed, created_at, updated_at)
                           VALUES (1, ?1, 'a', 1, 2, 'a', 'unknown', 1, 0, 0)";
                db.execute(sql, [stream]).expect("a segment");
            }
            let session = insert_session(db, 1, "abc-defg-hij");
            for sql in [
                "UPDATE meetings SET start_time = ?1 WHERE status = 'active'",
                "UPDATE sessions SET started_at = ?1",
            ] {
                db.execute(sql, [now]).expect("it begins now");
            }
            made = Some((key, session));
        });
        let (key, session) = made.expect("rows");
        let server = setup.start();
        clock.advance(Duration::from_secs(46));
        if bring_sound {
            wait_until(&server, &key, "no_sound", false);
            continue;
        }
        // Names are missing later: by then the sound was judged too.
        for second in 1..=3 {
            say(&server, &session, second, &Value::Null);
        }
        let path = "/meetings/2";
        clock.advance(Duration::from_secs(46));
        let alarms = wait_for(|| {
            let meeting = server.get(path).user(&key).send().expect(200);
            let alarms = meeting["alarms"].as_array().expect("alarms").clone();
            (!alarms.is_empty()).then_some(alarms)
        });
        assert_eq!((alarms.len(), &alarms[0]["kind"]), (1, &json!("no_names")), "{alarms:?}");
    }
}
