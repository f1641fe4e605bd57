//! the HTTP contract, section Live feed: who may follow what, and what they hear.

use crate::client::{Client, assert_time, fields, token_of};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use crate::watcher::{Received, Watcher, named};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vomeet::app::App;
use vomeet::domain::{
    Meeting, MeetingId, MeetingStatus, Offset, PlainToken, Platform, Segment, SpeakerSource,
    StatusReport, Time, TransitionSource,
};
use vomeet::domain::{TokenHash, TokenId, UserId};
use vomeet::store::{
    Advance, Change, MeetingName, MeetingRef, RedactMeeting, SendBot, Stored, Verb,
};

pub const MEET: &str = "google_meet";
pub const A: (&str, &str) = (MEET, "aaa-aaaa-aaa");
const B: (&str, &str) = (MEET, "bbb-bbbb-bbb");

fn now() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    Time::from_millis(i64::try_from(now.as_millis()).expect("small"))
}

fn write<V: Verb>(app: &App, verb: V) -> V::Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(app.store.write(verb)).expect("committed")
}

/// A bot of a user's is asked for.
pub fn send_bot(app: &App, user: i64, native_id: &str) -> Meeting {
    let verb = SendBot {
        user_id: UserId(user),
        token_id: TokenId(1),
        platform: Platform::GoogleMeet,
        native_meeting_id: native_id.to_owned(),
        url: String::new(),
        uid: PlainToken::generate().expect("randomness").reveal().to_owned(),
        token_hash: TokenHash::of(PlainToken::generate().expect("randomness").reveal().as_bytes()),
        bot_name: "Bot".to_owned(),
        language: None,
        task: None,
        has_voice: false,
        vocabulary: Vec::new(),
        now: now(),
    };
    write(app, verb)
}

fn advance(app: &App, id: MeetingId, to: MeetingStatus) {
    let report = StatusReport::new(to, TransitionSource::Bot);
    let verb =
        Advance { meeting_ref: MeetingRef::Meeting(id), report, container_id: None, now: now() };
    assert!(write(app, verb).is_some());
}

/// Words of a meeting, as if they were committed.
pub fn words(meeting: &Meeting, start: i64, text: &str) -> Change {
    let segment = Segment {
        segment_id: format!("1:{start}:"),
        start: Offset(start),
        end: Offset(start + 1000),
        text: text.to_owned(),
        language: None,
        speaker: None,
        speaker_source: SpeakerSource::Unknown,
        completed: true,
        created_at: now(),
        absolute_start_time: now(),
        absolute_end_time: now(),
        corrected: false,
        original_text: None,
        corrected_at: None,
    };
    Change::SegmentsStored(Arc::new(Stored {
        meeting_id: meeting.id,
        platform: meeting.platform.clone(),
        native_meeting_id: meeting.native_meeting_id.clone(),
        session_uid: "uid".to_owned(),
        segments: vec![segment],
        removed: Vec::new(),
        at: now(),
    }))
}

/// When the segment in a push began, in milliseconds.
pub fn start(push: &Value) -> i64 {
    let start = push["payload"]["segments"][0]["start"]
        .as_f64()
        .unwrap_or_else(|| panic!("no segment: {push}"));
    Offset::from_seconds(start).0
}

/// A server with two users who may send bots, and a token of each. Its clock stands still, so that
/// it does not look for the bots of the meetings that tests write.
pub fn prepare(setup: Setup) -> (Server, [String; 2]) {
    let mut tokens = [String::new(), String::new()];
    let setup = setup.rows(|db| {
        tokens = [1, 2].map(|user| insert_token(db, user, None));
        db.execute("UPDATE users SET max_concurrent_bots = 1000", []).expect("users");
    });
    (setup.clock(&still_clock()).start(), tokens)
}

fn refused(server: &Client, path: &str, keys: &[&[u8]], error: &str, code: &str) {
    let mut watcher = Watcher::with(server, path, keys);
    let said = watcher.json();
    assert_eq!(fields(&said), ["code", "error", "reason", "type"], "{path} {keys:?}");
    assert_eq!(
        (&said["type"], &said["error"], &said["code"]),
        (&json!("error"), &json!(error), &json!(code)),
        "{path}"
    );
    assert_eq!(watcher.receive(), Received::Closed(4401), "{path} {keys:?}");
}

#[test]
fn every_key_is_answered_over_the_socket() {
    let (mut expired, mut gone) = (String::new(), String::new());
    let (server, [one, _]) = prepare(Setup::new().rows(|db| {
        expired = insert_token(db, 1, Some(1));
        gone = insert_token(db, 3, None);
    }));
    let revoked = server.new_token(1);
    assert_eq!(server.revoke(&revoked).status, 204);
    assert_eq!(server.delete("/admin/users/3").admin().send().status, 204);
    let unknown = PlainToken::generate().expect("randomness");
    let key = one.as_bytes();
    let encoded = one.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
    for (path, keys) in [
        ("/ws".to_owned(), vec![key]),
        (format!("/ws?api_key={one}"), vec![]),
        (format!("/ws?a=b&api_key={one}&c"), vec![]),
        (format!("/ws?api%5fkey={encoded}"), vec![]),
        ("/ws?api_key=wrong".to_owned(), vec![key]),
    ] {
        let mut watcher = Watcher::with(&server, &path, &keys);
        watcher.expect_nothing();
    }
    for (path, keys) in [
        ("/ws", vec![]),
        ("/ws", vec![&b""[..]]),
        ("/ws?api_key=", vec![]),
        ("/ws?API_KEY=x", vec![]),
        ("/ws?apikey=x&api_key", vec![]),
    ] {
        refused(&server, path, &keys, "missing_api_key", "missing");
    }
    for (path, keys, code) in [
        ("/ws".to_owned(), vec![&b"wrong"[..]], "mistyped"),
        ("/ws".to_owned(), vec![key, key], "repeated"),
        ("/ws".to_owned(), vec![unknown.reveal().as_bytes()], "unknown"),
        ("/ws".to_owned(), vec![expired.as_bytes()], "expired"),
        ("/ws".to_owned(), vec![gone.as_bytes()], "unknown"),
        ("/ws".to_owned(), vec![revoked.text.as_bytes()], "revoked"),
        ("/ws".to_owned(), vec![b"token"], "mistyped"),
        ("/ws".to_owned(), vec!["tök".as_bytes()], "mistyped"),
        (format!("/ws?api_key={one}"), vec![b"wrong"], "mistyped"),
        (format!("/ws?api_key={one}x"), vec![], "mistyped"),
        ("/ws?api_key=%ff%fe".to_owned(), vec![], "mistyped"),
        (format!("/ws?api_key={}", revoked.text), vec![], "revoked"),
    ] {
        refused(&server, &path, &keys, "invalid_api_key", code);
    }
}

#[test]
fn what_is_said_is_answered() {
    let (server, [one, _]) = prepare(Setup::new());
    send_bot(&server.app, 1, A.1);
    let mut watcher = Watcher::open(&server, &one);
    let error = |error: &str| json!({"type": "error", "error": error});
    for (said, answer) in [
        (r#"{"action":"ping"}"#, json!({"type": "pong"})),
        (r#" {"x":1,"action":"\u0070ing"} "#, json!({"type": "pong"})),
        (r#"{"action":"subscribe","action":"ping"}"#, json!({"type": "pong"})),
        (r#"{"action":"Ping"}"#, error("unknown_action")),
        (r#"{"action":"dance"}"#, error("unknown_action")),
        (r#"{"action":["ping"]}"#, error("unknown_action")),
        (r#"{"action":null}"#, error("unknown_action")),
        ("{}", error("unknown_action")),
        (r#"["ping"]"#, error("unknown_action")),
        (r#""ping""#, error("unknown_action")),
        ("17", error("unknown_action")),
        ("", error("invalid_json")),
        ("ping", error("invalid_json")),
        (r#"{"action":"ping""#, error("invalid_json")),
        (r#"{"action":"ping"}{"action":"ping"}"#, error("invalid_json")),
        ("{'action':'ping'}", error("invalid_json")),
    ] {
        watcher.say(said);
        assert_eq!(watcher.json(), answer, "{said}");
    }
    let deep = format!(r#"{{"action":"ping","x":{}1{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    watcher.say(deep);
    assert_eq!(watcher.json(), json!({"type": "pong"}));
    let unsubscribed = watcher.ask("unsubscribe", &[A, B]);
    assert_eq!(unsubscribed, json!({"type": "unsubscribed", "meetings": named(&[A, B])}));
    watcher.subscribe(&[A]);
}

#[test]
fn what_is_wrong_with_an_entry_does_not_concern_the_others() {
    let (server, [one, _]) = prepare(Setup::new());
    let ours = send_bot(&server.app, 1, A.1);
    send_bot(&server.app, 2, B.1);
    let mut watcher = Watcher::open(&server, &one);
    let entries = json!([
        {"platform": MEET, "native_id": A.1},
        17,
        {"native_id": A.1},
        {"platform": MEET},
        {"platform": "webex", "native_id": A.1},
        {"platform": MEET, "native_id": 5},
        {"platform": MEET, "native_id": ""},
        {"platform": MEET, "native_id": B.1},
        {"platform": "teams", "native_id": A.1},
        {"platform": MEET, "native_id": "nothing\u{0}"},
        [MEET, A.1],
    ]);
    let reasons = [
        (1, "should be an object"),
        (2, "platform is missing"),
        (3, "native_id is missing"),
        (4, "unknown platform"),
        (5, "native_id is missing"),
        (6, "native_id is missing"),
        (7, "no such meeting"),
        (8, "no such meeting"),
        (9, "no such meeting"),
        (10, "should be an object"),
    ];
    let details: Vec<Value> =
        reasons.iter().map(|(index, reason)| json!({"index": index, "reason": reason})).collect();
    watcher.say(json!({"action": "subscribe", "meetings": entries}).to_string());
    assert_eq!(
        watcher.json(),
        json!({"type": "error", "error": "invalid_subscribe_payload", "details": details})
    );
    assert_eq!(watcher.json(), json!({"type": "subscribed", "meetings": named(&[A])}));
    advance(&server.app, ours.id, MeetingStatus::Joining);
    assert_eq!(watcher.json()["payload"], json!({"status": "joining"}));
    watcher.say(
        json!({"action": "unsubscribe", "meetings": [null, {"platform": MEET, "native_id": A.1}]})
            .to_string(),
    );
    let details = json!([{"index": 0, "reason": "should be an object"}]);
    assert_eq!(
        watcher.json(),
        json!({"type": "error", "error": "invalid_unsubscribe_payload", "details": details})
    );
    assert_eq!(watcher.json(), json!({"type": "unsubscribed", "meetings": named(&[A])}));
    for meetings in
        [json!(null), json!({}), json!([]), json!("all"), json!(vec![entries[0].clone(); 101])]
    {
        watcher.say(json!({"action": "subscribe", "meetings": meetings}).to_string());
        let answer = watcher.json();
        assert_eq!(answer["error"], "invalid_subscribe_payload");
        assert_eq!(
            answer["details"],
            json!([{"reason": "meetings should be a list of 1 to 100 objects"}])
        );
    }
    watcher.subscribe(&[A; 100]);
}

#[test]
fn watchers_of_a_meeting_hear_the_same_and_nobody_else_hears_it() {
    let (server, [one, two]) = prepare(Setup::new());
    // Both users are in the same call, each with a bot of their own; and there was an older one.
    let old = send_bot(&server.app, 1, A.1);
    advance(&server.app, old.id, MeetingStatus::Failed);
    let (ours, theirs) = (send_bot(&server.app, 1, A.1), send_bot(&server.app, 2, A.1));
    let mut first = Watcher::open(&server, &one);
    let mut second = Watcher::with(&server, &format!("/ws?api_key={one}"), &[]);
    let mut other = Watcher::open(&server, &two);
    let mut idle = Watcher::open(&server, &one);
    for watcher in [&mut first, &mut second, &mut other] {
        watcher.subscribe(&[A]);
    }
    first.subscribe(&[A]);
    let path = ["joining", "awaiting_admission", "active", "stopping", "completed"];
    for status in path {
        advance(&server.app, ours.id, MeetingStatus::from_word(status).expect("a status"));
    }
    for status in path {
        let push = first.json();
        assert_eq!(push, second.json());
        assert_time(&push["ts"]);
        let meeting = json!({"id": ours.id.0, "platform": MEET, "native_id": A.1});
        let expected = json!({"type": "meeting.status", "meeting": meeting, "payload": {"status": status}, "ts": push["ts"]});
        assert_eq!(push, expected);
    }
    advance(&server.app, theirs.id, MeetingStatus::Joining);
    assert_eq!(other.json()["meeting"]["id"], theirs.id.0);
    for watcher in [&mut first, &mut second, &mut other, &mut idle] {
        watcher.expect_nothing();
    }
    first.ask("unsubscribe", &[A]);
    server.app.feed.on_change(&words(&ours, 1, "late"));
    assert_eq!(start(&second.json()), 1);
    first.expect_nothing();
}

#[test]
fn a_key_that_ends_ends_its_sockets() {
    let (server, [one, two]) = prepare(Setup::new());
    let wish = json!({"expires_in": 20});
    let expiring =
        token_of(&server.post("/admin/users/1/tokens").admin().json(&wish).send().expect(201)).text;
    let meeting = send_bot(&server.app, 1, A.1);
    let fresh = server.new_token(1);
    let mut sockets =
        [&fresh.text, &expiring, &two, &one].map(|token| Watcher::open(&server, token));
    let ended = |watcher: &mut Watcher| {
        let said = watcher.json();
        assert_eq!((&said["type"], &said["error"]), (&json!("error"), &json!("invalid_api_key")));
        assert_eq!(watcher.receive(), Received::Closed(4401));
        said["code"].as_str().expect("a code").to_owned()
    };
    sockets[0].subscribe(&[A]);
    sockets[3].subscribe(&[A]);
    assert_eq!(server.revoke(&fresh).status, 204);
    // What is committed after the revocation is not for this key any more.
    server.app.feed.on_change(&words(&meeting, 1, "secret"));
    assert_eq!(ended(&mut sockets[0]), "revoked");
    assert_eq!(start(&sockets[3].json()), 1);
    // Sooner than the server looks for the bot that is not there.
    server.app.clock.advance(Duration::from_secs(19));
    sockets[1].expect_nothing();
    server.app.clock.advance(Duration::from_secs(1));
    assert_eq!(ended(&mut sockets[1]), "expired");
    assert_eq!(server.delete("/admin/users/2").admin().send().status, 204);
    assert_eq!(ended(&mut sockets[2]), "unknown");
    sockets[3].expect_nothing();
}

#[test]
fn words_that_are_deleted_are_followed_no_more() {
    let (server, [one, _]) = prepare(Setup::new());
    let meeting = send_bot(&server.app, 1, A.1);
    let mut watcher = Watcher::open(&server, &one);
    watcher.subscribe(&[A]);
    advance(&server.app, meeting.id, MeetingStatus::Completed);
    assert_eq!(watcher.json()["payload"]["status"], "completed");
    let name = MeetingName {
        user_id: UserId(1),
        platform: Platform::GoogleMeet.into(),
        native_meeting_id: A.1.to_owned(),
        meeting_id: None,
    };
    write(&server.app, RedactMeeting { name, now: now() });
    server.app.feed.on_change(&words(&meeting, 1, "deleted"));
    watcher.expect_nothing();
}
