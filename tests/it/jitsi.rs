//! Meetings on Jitsi whose bridge brings the sound.

use crate::client::Token;
use crate::own_tokens::create;
use crate::patience::wait_for;
use crate::server::{Server, Setup, still_clock};
use crate::sound_client::{Heard, SoundSocket, Told, hearing, opus_packet, sounds};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/jitsi?meeting=0f3a&room=Weekly";
const ROOM: &str = "/transcripts/jitsi/Weekly@bridge";
/// Samples of 20 ms.
const FRAME: u64 = 960;

/// A server with two users, and a token of the first for everything.
fn start(setup: Setup) -> (Server, Token) {
    let server = setup.start();
    server.new_user("one@example.com");
    server.new_user("two@example.com");
    let token = server.new_token(1);
    (server, token)
}

/// A token as it stands in the configuration of a bridge.
fn bridge_token(server: &Server, user: i64) -> Token {
    create(server, user, &json!({ "platforms": ["jitsi"], "transcribe_only": true }))
}

fn open(server: &Server, path: &str, token: &Token) -> SoundSocket {
    SoundSocket::open(server, path, &[("X-API-Key", &token.text)])
}

fn start_text(tag: &str, endpoint: &str) -> String {
    json!({ "event": "start", "sequenceNumber": 0, "start": { "tag": tag,
        "mediaFormat": { "encoding": "opus", "sampleRate": 48_000, "channels": 2 },
        "customParameters": { "endpointId": endpoint } } })
    .to_string()
}

fn media(tag: &str, chunk: u64, timestamp: u64) -> String {
    let payload = STANDARD.encode(opus_packet(chunk.to_le_bytes()[0]));
    json!({ "event": "media", "sequenceNumber": chunk, "media": { "tag": tag, "chunk": chunk,
        "timestamp": timestamp, "payload": payload } })
    .to_string()
}

/// Waits until all was taken that was said before.
fn all_taken(socket: &mut SoundSocket, id: u64) {
    socket.say(json!({ "event": "ping", "id": id }).to_string());
    assert_eq!(socket.json(), json!({ "event": "pong", "id": id }));
}

fn status(server: &Server, token: &Token) -> Value {
    server.get(ROOM).user(&token.text).send().expect(200)["status"].clone()
}

fn wait_until(server: &Server, token: &Token, wanted: &str) -> Value {
    wait_for(|| {
        let meeting = server.get(ROOM).user(&token.text).send().expect(200);
        (meeting["status"] == wanted).then_some(meeting)
    })
}

#[test]
fn each_voice_of_a_bridge_is_heard_under_its_endpoint() {
    let clock = still_clock();
    let (server, token) = start(hearing().clock(&clock));
    let bridge = bridge_token(&server, 1);
    let mut socket = open(&server, PATH, &bridge);
    assert_eq!(status(&server, &token), "active");
    socket.say(json!({ "event": "info", "connected": true }).to_string());
    for (tag, endpoint) in [("ada-1", "ada"), ("bob-7", "bob"), ("mute-3", "mute")] {
        socket.say(start_text(tag, endpoint));
    }
    // The bridge's clock began whenever it did. A pause of a second is silence; what comes twice, or
    // too late, is dropped.
    for chunk in 0..50 {
        socket.say(media("ada-1", chunk, 7_000_000 + chunk * FRAME));
        socket.say(media("bob-7", chunk, chunk * FRAME));
    }
    socket.say(media("ada-1", 50, 7_000_000 + 100 * FRAME));
    for (chunk, timestamp) in [(50, 100), (10, 10), (48, 48)] {
        socket.say(media("ada-1", chunk, 7_000_000 + timestamp * FRAME));
    }
    all_taken(&mut socket, 1);
    let running = server.get("/bots/status").user(&token.text).send().expect(200);
    assert_eq!(running["running_bots"], json!([]), "a bridge is no bot");
    let found = server.get("/admin/users/search").admin().send().expect(200);
    assert_eq!(found["users"][0]["seats_in_use"], 0, "{found}");
    socket.say(json!({ "event": "session-end" }).to_string());
    assert_eq!(socket.receive(), Told::Closed(1000));
    clock.advance(Duration::from_secs(59));
    assert_eq!(status(&server, &token), "active");
    clock.advance(Duration::from_secs(1));
    let meeting = wait_until(&server, &token, "completed");
    assert_eq!(meeting["platform"], "jitsi");
    assert_eq!(meeting["data"]["completion_reason"], "left_alone", "{meeting}");
    let usage = server.get("/user/usage").user(&token.text).send().expect(200);
    assert!(usage.to_string().contains("\"bots\":0"), "{usage}");
    server.stop().rows(|db| {
        let heard = |uid, speaker, ms| Heard::new(uid, "jitsi", "opus 48000 1", Some(speaker), ms);
        assert_eq!(sounds(db), [heard("ada-1", "ada", 2020), heard("bob-7", "bob", 1000)]);
    });
}

#[test]
fn several_sockets_are_one_meeting_which_outlives_a_restart() {
    let clock = still_clock();
    let (server, token) = start(hearing().clock(&clock));
    let bridge = bridge_token(&server, 1);
    let mut first = open(&server, PATH, &bridge);
    let mut second = open(&server, "/jitsi?meeting=0f3b&room=Weekly", &bridge);
    for socket in [&mut first, &mut second] {
        all_taken(socket, 1);
    }
    first.close();
    clock.advance(Duration::from_mins(5));
    assert_eq!(status(&server, &token), "active", "a socket is there");
    drop(second);
    let server = server.restart();
    clock.advance(Duration::from_secs(59));
    // The bridge comes back to the same meeting, and its streams go on.
    let mut third = open(&server, PATH, &bridge);
    all_taken(&mut third, 1);
    clock.advance(Duration::from_mins(10));
    assert_eq!(status(&server, &token), "active");
    let listed = server.get("/meetings").user(&token.text).send().expect(200);
    assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(1), "{listed}");
    third.close();
    let server = server.restart();
    // Nobody comes back.
    wait_for(|| {
        clock.advance(Duration::from_secs(61));
        (status(&server, &token) == "completed").then_some(())
    });
    // The next one begins another.
    open(&server, PATH, &bridge).close();
    let listed = server.get("/meetings").user(&token.text).send().expect(200);
    assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(2), "{listed}");
}

#[test]
fn a_stream_goes_on_after_another_socket() {
    let clock = still_clock();
    let (server, _) = start(hearing().clock(&clock));
    let bridge = bridge_token(&server, 1);
    let mut lost = open(&server, PATH, &bridge);
    lost.say(start_text("ada-1", "ada"));
    lost.say(media("ada-1", 0, 500));
    all_taken(&mut lost, 1);
    clock.advance(Duration::from_secs(10));
    // The first one still seems open. The clock of the second begins anew.
    let mut socket = open(&server, PATH, &bridge);
    socket.say(start_text("ada-1", "ada"));
    socket.say(media("ada-1", 1, 0));
    all_taken(&mut socket, 1);
    // A jump of an hour is of another clock, and so is one back.
    socket.say(media("ada-1", 2, 3600 * 48_000));
    socket.say(media("ada-1", 3, 0));
    all_taken(&mut socket, 2);
    socket.close();
    server.stop().rows(|db| {
        assert_eq!(sounds(db), [Heard::new("ada-1", "jitsi", "opus 48000 1", Some("ada"), 10_060)]);
    });
}

/// How many sounds come in now.
fn open_sounds(server: &Server) -> Option<String> {
    let metrics = server.get("/metrics").send().text().to_owned();
    metrics.lines().find_map(|line| line.strip_prefix("vomeet_sounds_open ").map(str::to_owned))
}

#[test]
fn who_was_silent_for_minutes_gives_up_the_place_and_is_heard_again() {
    let clock = still_clock();
    let (server, _) = start(hearing().clock(&clock));
    let mut socket = open(&server, PATH, &bridge_token(&server, 1));
    for endpoint in ["ada", "bob"] {
        let tag = format!("{endpoint}-1");
        socket.say(start_text(&tag, endpoint));
        socket.say(media(&tag, 0, 0));
    }
    all_taken(&mut socket, 1);
    assert_eq!(open_sounds(&server).as_deref(), Some("2"));
    clock.advance(Duration::from_secs(100));
    socket.say(media("bob-1", 1, 100 * 48_000));
    clock.advance(Duration::from_secs(81));
    all_taken(&mut socket, 2);
    assert_eq!(open_sounds(&server).as_deref(), Some("1"), "Bob's");
    socket.say(media("ada-1", 1, 181 * 48_000));
    all_taken(&mut socket, 3);
    assert_eq!(open_sounds(&server).as_deref(), Some("2"));
    // Nor do thousands of streams keep out somebody new.
    for number in 2..5000 {
        socket.say(start_text(&format!("tag-{number}"), "eve"));
    }
    socket.say(start_text("new", "new"));
    assert_eq!(socket.json()["event"], "error");
    clock.advance(Duration::from_mins(3));
    socket.say(start_text("new", "new"));
    socket.say(media("new", 0, 0));
    all_taken(&mut socket, 4);
    assert_eq!(open_sounds(&server).as_deref(), Some("1"));
}

#[test]
fn a_bridge_that_comes_back_with_new_streams_is_heard_at_once() {
    let clock = still_clock();
    let (server, _) = start(hearing().clock(&clock));
    let bridge = bridge_token(&server, 1);
    let mut lost = open(&server, PATH, &bridge);
    lost.say(start_text("ada-1", "ada"));
    lost.say(media("ada-1", 0, 0));
    all_taken(&mut lost, 1);
    // The first one still seems open.
    let mut socket = open(&server, PATH, &bridge);
    socket.say(start_text("ada-2", "ada"));
    socket.say(media("ada-2", 0, 0));
    let told = socket.json();
    assert!(told["error"].as_str().is_some_and(|error| error.contains("heard already")), "{told}");
    clock.advance(Duration::from_secs(10));
    socket.say(media("ada-2", 1, 480_000));
    all_taken(&mut socket, 2);
    // Nothing more comes of the first.
    lost.say(media("ada-1", 1, 480_000));
    assert_eq!(lost.json()["event"], "error");
    server.stop().rows(|db| {
        let heard = |uid, ms| Heard::new(uid, "jitsi", "opus 48000 1", Some("ada"), ms);
        assert_eq!(sounds(db), [heard("ada-1", 20), heard("ada-2", 20)]);
    });
}

#[test]
fn a_bridge_has_a_token_for_nothing_else() {
    let (server, whole) = start(hearing());
    let refused = |token: &Token, path: &str| {
        let opened = SoundSocket::try_open(&server, path, &[("X-API-Key", &token.text)]);
        let (status, body) = opened.err().expect("a refusal");
        let reason = body["reason"].as_str().unwrap_or_default().to_owned();
        (status, reason)
    };
    let make = |body: Value| create(&server, 1, &body);
    for (token, named) in [
        (whole, "limited to the platform jitsi"),
        (make(json!({ "transcribe": true })), "limited to the platform jitsi"),
        (make(json!({ "transcribe_only": true })), "limited to the platform jitsi"),
        (make(json!({ "platforms": ["jitsi"], "transcribe": true })), "transcribe_only"),
        (make(json!({ "platforms": ["jitsi", "zoom"], "transcribe_only": true })), "limited to"),
        (make(json!({ "platforms": ["zoom"], "transcribe_only": true })), "limited to"),
        (make(json!({ "platforms": ["jitsi"] })), "transcribed"),
        (make(json!({ "platforms": ["jitsi"], "transcribe": false })), "transcribed"),
        (make(json!({ "platforms": ["jitsi"], "read_only": true })), "transcribed"),
        (
            make(json!({ "platforms": ["jitsi"], "transcribe_only": true,
                "meeting": { "platform": "jitsi", "native_meeting_id": "Other@bridge" } })),
            "limited to",
        ),
    ] {
        let (status, reason) = refused(&token, PATH);
        assert_eq!(status, 403, "{reason}");
        assert!(reason.contains(named), "{reason}");
    }
    let wrong = Token { text: "x".repeat(40), ..bridge_token(&server, 1) };
    assert_eq!(refused(&wrong, PATH).0, 403);
    let (status, _) = SoundSocket::try_open(&server, PATH, &[]).err().expect("a refusal");
    assert_eq!(status, 403);
    // In the address, and limited to this one room.
    let only = make(json!({ "platforms": ["jitsi"], "transcribe": true, "transcribe_only": true,
        "meeting": { "platform": "jitsi", "native_meeting_id": "Weekly@bridge" } }));
    let path = format!("{PATH}&api_key={}", only.text);
    let mut socket = SoundSocket::open(&server, &path, &[]);
    all_taken(&mut socket, 1);
    assert_eq!(refused(&only, "/jitsi?meeting=a&room=Other").0, 403);
}

#[test]
fn what_names_no_room_is_refused() {
    let (server, _) = start(hearing());
    let bridge = bridge_token(&server, 1);
    let open = |path: &str| SoundSocket::try_open(&server, path, &[("X-API-Key", &bridge.text)]);
    for (path, at) in [
        ("/jitsi", "query.meeting"),
        ("/jitsi?room=Weekly", "query.meeting"),
        ("/jitsi?meeting=", "query.meeting"),
        ("/jitsi?meeting=%01", "query.meeting"),
        ("/jitsi?meeting=a&room=%01", "query.room"),
        ("/jitsi?meeting=a&room=@host", "query.room"),
        ("/jitsi?meeting=a&room=Weekly@", "query.room"),
        (&format!("/jitsi?meeting={}", "a".repeat(129)), "query.meeting"),
    ] {
        let (status, body) = open(path).err().unwrap_or_else(|| panic!("{path}: taken"));
        assert_eq!(status, 422, "{path}: {body}");
        let loc = body["detail"][0]["loc"].as_array().expect("a place").iter();
        let loc: Vec<_> = loc.filter_map(Value::as_str).collect();
        assert_eq!(loc.join("."), at, "{path}: {body}");
    }
    let token = server.new_token(1);
    for (path, native_id) in [
        ("/jitsi?meeting=0f3a", "0f3a@bridge"),
        ("/jitsi?meeting=0f3a&room=", "0f3a@bridge"),
        ("/jitsi?meeting=0f3a&room=Weekly@meet.example.org", "Weekly@meet.example.org"),
    ] {
        let _socket = open(path).unwrap_or_else(|refused| panic!("{path}: {refused:?}"));
        server.get(format!("/transcripts/jitsi/{native_id}")).user(&token.text).send().expect(200);
    }
}

#[test]
fn what_cannot_be_used_is_said() {
    let (server, _) = start(hearing());
    let mut socket = open(&server, PATH, &bridge_token(&server, 1));
    socket.say(start_text("ada-1", "ada"));
    let payload = |payload: &str| {
        json!({ "event": "media", "media": { "tag": "ada-1", "timestamp": 0, "payload": payload } })
            .to_string()
    };
    for (text, named) in [
        ("{".to_owned(), "EOF"),
        (media("bob-1", 0, 0), "bob-1"),
        (payload("AAA"), "payload"),
        (payload("A A="), "payload"),
        (start_text("", "ada"), "tag"),
        (start_text("bob-1", "ada").replace("opus", "pcmu"), "opus"),
    ] {
        socket.say(text.clone());
        let told = socket.json();
        assert_eq!(told["event"], "error", "{text}");
        assert!(told["error"].as_str().is_some_and(|error| error.contains(named)), "{told}");
    }
    // An empty packet is none, and all of it goes on.
    socket.say(payload(""));
    all_taken(&mut socket, 1);
    socket.send(opus_packet(0));
    assert_eq!(socket.receive(), Told::Closed(1003));
}

#[test]
fn a_token_that_is_revoked_or_narrowed_closes_the_socket() {
    let (server, _) = start(hearing());
    let revoked = bridge_token(&server, 1);
    let mut socket = open(&server, PATH, &revoked);
    assert_eq!(server.revoke(&revoked).status, 204);
    assert_eq!(socket.receive(), Told::Closed(4401));
    let narrowed = bridge_token(&server, 1);
    let mut socket = open(&server, PATH, &narrowed);
    let path = format!("/admin/tokens/{}", narrowed.id);
    server.patch(&path).admin().json(&json!({ "transcribe": false })).send().expect(200);
    assert_eq!(socket.receive(), Told::Closed(1013));
}

#[test]
fn a_meeting_of_a_bridge_is_its_users_alone_and_can_be_stopped() {
    let (server, token) = start(hearing());
    let (one, two) = (bridge_token(&server, 1), bridge_token(&server, 2));
    let mut mine = open(&server, PATH, &one);
    let mut theirs = open(&server, PATH, &two);
    let other = server.new_token(2);
    for token in [&token, &other] {
        let listed = server.get("/meetings").user(&token.text).send().expect(200);
        assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(1), "{listed}");
    }
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 409);
    server.delete("/bots/jitsi/Weekly@bridge").user(&token.text).send().expect(202);
    assert_eq!(mine.receive(), Told::Closed(1000));
    let meeting = wait_until(&server, &token, "completed");
    assert_eq!(meeting["data"]["completion_reason"], "stopped", "{meeting}");
    all_taken(&mut theirs, 1);
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 204);
}

#[test]
fn a_room_with_a_bot_has_no_bridge() {
    let clock = still_clock();
    let setup = hearing().clock(&clock).rows(|db| {
        crate::tokens::insert_token(db, 1, None);
        crate::segments::insert_session(db, 1, "Weekly@bridge");
        db.execute("UPDATE meetings SET platform = 'jitsi'", []).expect("a meeting");
    });
    let server = setup.start();
    let opened =
        SoundSocket::try_open(&server, PATH, &[("X-API-Key", &bridge_token(&server, 1).text)]);
    let (status, body) = opened.err().expect("a refusal");
    assert_eq!(status, 409, "{body}");
}

#[test]
fn without_an_engine_a_bridge_is_refused_with_the_reason() {
    let (server, _) = start(Setup::new());
    let bridge = bridge_token(&server, 1);
    let opened = SoundSocket::try_open(&server, PATH, &[("X-API-Key", &bridge.text)]);
    let (status, body) = opened.err().expect("a refusal");
    assert_eq!((status, &body["code"]), (503, &json!("no_room_for_sound")), "{body}");
    assert!(body["reason"].as_str().is_some_and(|reason| reason.contains("engine")), "{body}");
}
