//! Bots that bring their sound as WhisperLive's clients do.

use crate::bots::{bot_environment, user};
use crate::process::Launch;
use crate::secrets::leaks;
use crate::segments::{Session, insert_session, one_meeting};
use crate::server::{Server, open_file, still_clock};
use crate::sound_client::{ENGINE, Heard, SoundSocket, Told, f32le, hearing, sounds};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const PATH: &str = "/whisper-live";
const FORMAT: &str = "s16le 16000 1";

/// A server that takes sound, with a meeting of user 1.
fn start() -> (Server, Session, String) {
    let mut made = None;
    let setup = hearing().rows(|db| {
        let token = insert_token(db, 1, None);
        made = Some((insert_session(db, 1, "abc-defg-hij"), token));
    });
    let (session, token) = made.expect("rows");
    (setup.start(), session, token)
}

/// The first text of a bot of October 2025.
fn hello(uid: &str, token: &str) -> Value {
    json!({ "uid": uid, "language": null, "task": "transcribe", "model": null, "use_vad": true,
        "platform": "google_meet", "token": token, "meeting_id": "abc-defg-hij",
        "meeting_url": "https://meet.google.com/abc-defg-hij" })
}

fn activity(uid: &str, token: &str, kind: &str, at_ms: i64) -> String {
    json!({ "type": "speaker_activity", "payload": { "event_type": kind, "participant_name": "Ada",
        "participant_id_meet": "spaces/1/devices/2", "relative_client_timestamp_ms": at_ms,
        "uid": uid, "token": token, "meeting_id": "abc-defg-hij", "platform": "google_meet" } })
    .to_string()
}

/// Opens a socket, and is told that the server is ready.
fn ready(server: &Server, uid: &str, token: &str) -> SoundSocket {
    let mut socket = SoundSocket::open(server, PATH, &[]);
    socket.say(hello(uid, token).to_string());
    let told = socket.json();
    assert_eq!((&told["status"], &told["uid"]), (&json!("SERVER_READY"), &json!(uid)));
    socket
}

#[test]
fn a_bot_brings_its_sound_and_comes_again_with_another_name() {
    let (server, session, _) = start();
    let token = &session.token;
    let mut socket = ready(&server, "first", token);
    socket.say(activity("first", token, "SPEAKER_START", 10));
    for samples in [4096, 16_384] {
        socket.send(f32le(&vec![0.25; samples]));
    }
    socket
        .say(json!({ "type": "audio_chunk_metadata", "payload": { "length": 4096 } }).to_string());
    socket.say(activity("first", token, "SPEAKER_END", 1200));
    socket.send(Vec::new());
    socket.send("END_OF_AUDIO");
    assert_eq!(socket.json(), json!({ "uid": "first", "message": "DISCONNECT" }));
    assert_eq!(socket.receive(), Told::Closed(1000));

    let mut socket = ready(&server, "second", token);
    socket.send(f32le(&vec![0.25; 8000]));
    let leaving = json!({ "type": "session_control",
        "payload": { "event": "LEAVING_MEETING", "uid": "second" } });
    socket.say(leaving.to_string());
    assert_eq!(socket.json(), json!({ "uid": "second", "message": "DISCONNECT" }));
    assert_eq!(socket.receive(), Told::Closed(1000));

    // One that is gone without a word has brought what came.
    let mut socket = ready(&server, "third", token);
    socket.send(f32le(&[f32::NAN, f32::INFINITY, 7.5, -7.5].repeat(400)));
    socket.close();
    server.stop().rows(|db| {
        let expected = [("first", 1280), ("second", 500), ("third", 100)];
        let expected = expected.map(|(uid, ms)| Heard::new(uid, "whisper_live", FORMAT, None, ms));
        assert_eq!(sounds(db), expected);
        let events: i64 = db
            .query_row(
                "SELECT count(*) FROM speaker_events e JOIN streams s ON s.id = e.stream_id
                 WHERE s.uid = 'first' AND e.name = 'Ada' AND e.at - s.started_at IN (10, 1200)",
                [],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(events, 2);
    });
}

#[test]
fn who_says_too_little_is_told_what_is_missing() {
    let (server, session, _) = start();
    for member in ["uid", "token", "platform", "meeting_id", "meeting_url"] {
        let mut text = hello("first", &session.token);
        text.as_object_mut().expect("an object").remove(member);
        let mut socket = SoundSocket::open(&server, PATH, &[]);
        socket.say(text.to_string());
        let told = socket.json();
        assert_eq!(told["status"], "ERROR", "{told}");
        let expected = if member == "uid" { Value::Null } else { json!("first") };
        assert_eq!(told["uid"], expected);
        assert!(told["message"].as_str().is_some_and(|text| text.contains(member)), "{told}");
        assert_eq!(socket.receive(), Told::Closed(1008));
    }
    for text in ["", "{", "[]", "null", r#"{"uid": 7}"#] {
        let mut socket = SoundSocket::open(&server, PATH, &[]);
        socket.say(text);
        assert_eq!(socket.json()["status"], "ERROR", "{text}");
        assert_eq!(socket.receive(), Told::Closed(1008), "{text}");
    }
    let mut socket = SoundSocket::open(&server, PATH, &[]);
    socket.send(f32le(&[0.0; 16]));
    assert_eq!(socket.json()["status"], "ERROR");
    assert_eq!(socket.receive(), Told::Closed(1008));
}

#[test]
fn a_secret_opens_its_own_meeting_alone_and_others_are_counted() {
    let mut made = Vec::new();
    let setup = hearing().set("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "3").rows(|db| {
        insert_token(db, 1, None);
        insert_token(db, 2, None);
        made.push(insert_session(db, 1, "abc-defg-hij"));
        made.push(insert_session(db, 2, "xyz-defg-hij"));
    });
    let server = setup.start();
    let refused = |text: &Value, code| {
        let mut socket = SoundSocket::open(&server, PATH, &[]);
        socket.say(text.to_string());
        let told = socket.json();
        assert_eq!(told["status"], "ERROR", "{told}");
        assert_eq!(socket.receive(), Told::Closed(code), "{told}");
        told["message"].as_str().expect("a sentence").to_owned()
    };
    // The other user's secret, for this user's meeting.
    let why = refused(&hello("first", &made[1].token), 1008);
    assert!(why.contains("meeting_id"), "{why}");
    for _ in 0..3 {
        let why = refused(&hello("first", &"x".repeat(40)), 4401);
        assert!(why.contains("secret of the meeting"), "{why}");
    }
    let why = refused(&hello("first", "y"), 4401);
    assert!(why.contains("looked at again in"), "{why}");
    let refusals = server.get("/admin/refusals").admin().send().expect(200);
    let counted = refusals["refusals"].as_array().expect("a list").iter();
    let counted: u64 = counted
        .filter(|refusal| refusal["path"] == PATH && refusal["key"] == "bot")
        .filter_map(|refusal| refusal["count"].as_u64())
        .sum();
    assert_eq!(counted, 4, "{refusals}");
    // A right one is taken all the same.
    ready(&server, "first", &made[0].token).close();
}

#[test]
fn what_is_no_sound_ends_the_socket_with_a_reason() {
    let (server, session, _) = start();
    let mut socket = ready(&server, "odd", &session.token);
    socket.send(vec![0; 4097]);
    let told = socket.json();
    assert_eq!((&told["status"], &told["uid"]), (&json!("ERROR"), &json!("odd")), "{told}");
    assert_eq!(socket.receive(), Told::Closed(1008));
    let mut socket = ready(&server, "long", &session.token);
    socket.try_send(vec![0; 256 * 1024 + 4]);
    assert_eq!(socket.json(), json!({ "uid": "long", "message": "DISCONNECT" }));
    assert_eq!(socket.receive(), Told::Closed(1009));
}

#[test]
fn a_text_that_cannot_be_used_is_passed_over() {
    let (server, session, _) = start();
    let mut socket = ready(&server, "first", &session.token);
    for text in [
        "{".to_owned(),
        activity("first", &session.token, "SPEAKER_LAUGHS", 10),
        json!({ "type": "speaker_activity" }).to_string(),
    ] {
        socket.say(text);
    }
    socket.send(f32le(&vec![0.25; 16_000]));
    socket.send("END_OF_AUDIO");
    assert_eq!(socket.json(), json!({ "uid": "first", "message": "DISCONNECT" }));
    assert_eq!(socket.receive(), Told::Closed(1000));
    let metrics = server.get("/metrics").send().text().to_owned();
    assert!(metrics.contains("vomeet_sound_dropped_total{kind=\"text\"} 3\n"), "{metrics}");
    server.stop().rows(|db| {
        assert_eq!(sounds(db), [Heard::new("first", "whisper_live", FORMAT, None, 1000)]);
    });
}

#[test]
fn a_bot_that_comes_again_hundreds_of_times_is_heard() {
    let mut made = None;
    let setup = hearing().rows(|db| {
        insert_token(db, 1, None);
        made = Some(insert_session(db, 1, "abc-defg-hij"));
        for number in 0..600 {
            db.execute(
                "INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, ?1, 0)",
                [format!("before {number}")],
            )
            .expect("a stream");
            db.execute(
                "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, ended_at)
                 VALUES (1, last_insert_rowid(), 'whisper_live', 's16le', 16000, 1, 0)",
                [],
            )
            .expect("a sound");
        }
    });
    let (server, session) = (setup.start(), made.expect("rows"));
    ready(&server, "one more", &session.token).close();
    // Nor do they keep out words that somebody brings.
    let body =
        json!({ "uid": "words", "segments": [{ "start": 0.5, "end": 1.5, "text": "Yes." }] });
    let answer = server.post("/bots/internal/segments").bearer(&session.token).json(&body);
    assert_eq!(answer.send().expect(200)["accepted"], 1);
}

#[test]
fn without_an_engine_bots_are_asked_to_wait() {
    let (server, _, session) = one_meeting();
    let mut socket = SoundSocket::open(&server, PATH, &[]);
    socket.say(hello("first", &session.token).to_string());
    let told = socket.json();
    assert_eq!((&told["status"], &told["message"]), (&json!("WAIT"), &json!(1)), "{told}");
    assert_eq!(socket.receive(), Told::Closed(1013));
}

#[test]
fn a_socket_ends_with_its_meeting() {
    let clock = still_clock();
    let mut session = None;
    let setup = hearing().clock(&clock).rows(|db| {
        insert_token(db, 1, None);
        session = Some(insert_session(db, 1, "abc-defg-hij"));
    });
    let (server, session) = (setup.start(), session.expect("rows"));
    let mut socket = ready(&server, "first", &session.token);
    let ended = json!({ "connection_id": session.uid, "exit_code": 0 });
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    // Last words come after the end.
    clock.advance(Duration::from_mins(1));
    socket.send(f32le(&[0.0; 160]));
    clock.advance(Duration::from_secs(121));
    assert_eq!(socket.json(), json!({ "uid": "first", "message": "DISCONNECT" }));
    assert_eq!(socket.receive(), Told::Closed(1000));
}

#[test]
fn words_that_a_bot_tells_again_are_not_stored_twice() {
    let (server, session, _) = start();
    ready(&server, "first", &session.token).close();
    let words = |uid: &str| {
        let body = json!({ "uid": uid, "segments": [
            { "start": 0.5, "end": 1.5, "text": "Good morning.", "speaker": "Ada" }] });
        let answer = server.post("/bots/internal/segments").bearer(&session.token).json(&body);
        answer.send().expect(200)["accepted"].clone()
    };
    assert_eq!(words("first"), 0, "its sound is heard here");
    assert_eq!(words("another"), 1, "that of another recogniser is not");
}

#[test]
fn bots_are_given_the_servers_own_addresses_where_it_makes_words() {
    let setup = crate::bots::setup();
    std::fs::write(setup.folder().join("vomeet.toml"), ENGINE).expect("written");
    let server = setup.start();
    let token = user(&server, "one@example.com", 2);
    let wish = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
    server.post("/bots").user(&token.text).json(&wish).send().expect(201);
    let environment = bot_environment(&server, 1);
    let own = format!("ws://{}/whisper-live", server.address);
    assert_eq!(environment["WHISPER_LIVE_URL"], own);
    for form in ["BOT_CONFIG", "VEXA_BOT_CONFIG"] {
        let config: Value = serde_json::from_str(&environment[form]).expect("JSON");
        let url = format!("http://{}/v1/audio/transcriptions", server.address);
        assert_eq!(config["transcriptionServiceUrl"], url, "{form}");
        assert_eq!(config["transcriptionServiceToken"], config["token"], "{form}");
    }
}

#[test]
fn no_key_of_a_socket_for_sound_is_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("vomeet.toml"), ENGINE).expect("written");
    let mut made = None;
    open_file(&folder.path().join("vomeet.db"), |db| {
        let scope =
            r#"{"read_only":false,"platforms":["jitsi"],"meeting":null,"transcribe_only":true}"#;
        let (token, session) = (insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij"));
        db.execute("UPDATE tokens SET scope = ?1", [scope]).expect("a scope");
        made = Some((session, token));
    });
    let (session, token) = made.expect("rows");
    let server = Launch::serve(folder.path()).env("VOMEET_LOG", "trace").start();
    let mut socket = SoundSocket::open(&server, PATH, &[]);
    socket.say(hello("first", &session.token).to_string());
    assert_eq!(socket.json()["status"], "SERVER_READY");
    socket.say(activity("first", &session.token, "SPEAKER_START", 10));
    socket.send(f32le(&[0.0; 160]));
    socket.close();
    let unknown = "Zq7".repeat(13) + "x";
    for text in [hello("first", &unknown).to_string(), format!("{{\"token\": \"{unknown}\"")] {
        let mut socket = SoundSocket::open(&server, PATH, &[]);
        socket.say(text);
        assert_eq!(socket.json()["status"], "ERROR");
        socket.close();
    }
    let path = format!("/jitsi?meeting=a&api_key={token}");
    SoundSocket::open(&server, &path, &[]).close();
    let refused = format!("/jitsi?meeting=a&api_key={unknown}");
    assert_eq!(SoundSocket::try_open(&server, &refused, &[]).err().expect("a refusal").0, 403);
    let bearer = format!("Bearer {}", session.token);
    SoundSocket::open(&server, "/bots/internal/audio", &[("Authorization", &bearer)]).close();
    let ended = server.terminate();
    assert!(ended.stderr.contains("/whisper-live"), "{}", ended.stderr);
    let places = BTreeMap::from([("log".to_owned(), ended.stderr.into_bytes())]);
    assert_eq!(leaks(&places, &[&session.token, &token, &unknown]), Vec::<String>::new());
}
