//! Bots that bring a stream for each speaker.

use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup, still_clock};
use crate::sound_client::{Heard, SoundSocket, Told, f32le, hearing, opus_packet, sounds};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;

const PATH: &str = "/bots/internal/audio";

fn start(setup: Setup) -> (Server, Session) {
    let mut session = None;
    let setup = setup.rows(|db| {
        insert_token(db, 1, None);
        session = Some(insert_session(db, 1, "abc-defg-hij"));
    });
    (setup.start(), session.expect("rows"))
}

fn open(server: &Server, session: &Session) -> SoundSocket {
    let bearer = format!("Bearer {}", session.token);
    SoundSocket::open(server, PATH, &[("Authorization", &bearer)])
}

fn ask(socket: &mut SoundSocket, text: &Value) -> Value {
    socket.say(text.to_string());
    socket.json()
}

fn begin(socket: &mut SoundSocket, stream: u16, speaker: &str, codec: &str, rate: u32) {
    let wanted = json!({ "stream": stream, "speaker": speaker, "codec": codec, "rate": rate });
    assert_eq!(ask(socket, &wanted), json!({ "stream": stream, "ready": true }));
}

fn numbered(stream: u16, sound: &[u8]) -> Vec<u8> {
    [&stream.to_be_bytes(), sound].concat()
}

#[test]
fn each_speaker_has_a_stream() {
    let clock = still_clock();
    let (server, session) = start(hearing().clock(&clock));
    let mut socket = open(&server, &session);
    begin(&mut socket, 0, "Ada", "s16le", 48_000);
    begin(&mut socket, 1, "Bob", "f32le", 16_000);
    begin(&mut socket, 65_535, "Cleo", "opus", 48_000);
    socket.send(numbered(0, &vec![7; 2 * 24_000]));
    socket.send(numbered(1, &f32le(&[0.5; 1600])));
    socket.send(numbered(65_535, &opus_packet(1)));
    socket.send(numbered(65_535, &opus_packet(2)));
    let ended = ask(&mut socket, &json!({ "stream": 1, "end": true }));
    assert_eq!(ended, json!({ "stream": 1, "ended": true }));
    // Whoever speaks again goes on in the same stream, by whatever number.
    begin(&mut socket, 2, "Bob", "f32le", 16_000);
    socket.send(numbered(2, &f32le(&[0.5; 1600])));
    assert_eq!(ask(&mut socket, &json!({ "stream": 2, "end": true }))["ended"], true);
    socket.close();
    server.stop().rows(|db| {
        let heard = |codec: &str, rate: u32, speaker: &str, ms| {
            let uid = format!("audio-{codec}-{rate}-{speaker}");
            Heard::new(&uid, "bot", &format!("{codec} {rate} 1"), Some(speaker), ms)
        };
        let expected = [
            heard("s16le", 48_000, "Ada", 500),
            heard("s16le", 16_000, "Bob", 200),
            heard("opus", 48_000, "Cleo", 40),
        ];
        assert_eq!(sounds(db), expected);
    });
}

#[test]
fn what_does_not_come_in_time_is_silence() {
    let clock = still_clock();
    let (server, session) = start(hearing().clock(&clock));
    let mut socket = open(&server, &session);
    begin(&mut socket, 3, "Ada", "s16le", 16_000);
    let second = numbered(3, &vec![0; 32_000]);
    let pass = |clock: &Clock, socket: &mut SoundSocket, millis: u64| {
        socket.send(second.clone());
        // The next text is answered once the sound before it was taken.
        ask(socket, &json!({ "stream": 9, "end": true }));
        clock.advance(Duration::from_millis(millis));
    };
    // A little late is as good as in time.
    pass(&clock, &mut socket, 1900);
    pass(&clock, &mut socket, 8100);
    pass(&clock, &mut socket, 0);
    socket.close();
    server.stop().rows(|db| assert_eq!(sounds(db)[0].heard_ms, 11_000));
}

#[test]
fn what_is_wrong_is_said_with_its_stream() {
    let (server, session) = start(hearing());
    let mut socket = open(&server, &session);
    begin(&mut socket, 0, "Ada", "s16le", 16_000);
    for (text, stream, named) in [
        ("{".to_owned(), None, "JSON"),
        (json!({}).to_string(), None, "stream"),
        (json!({ "stream": 65_536, "codec": "opus" }).to_string(), None, "stream"),
        (json!({ "stream": -1, "codec": "opus" }).to_string(), None, "stream"),
        (json!({ "stream": 1 }).to_string(), Some(1), "codec"),
        (json!({ "stream": 1, "codec": "mp3", "rate": 48_000 }).to_string(), Some(1), "codec"),
        (json!({ "stream": 1, "codec": "s16le" }).to_string(), Some(1), "rate"),
        (json!({ "stream": 1, "codec": "s16le", "rate": 1 }).to_string(), Some(1), "rate"),
        (json!({ "stream": 1, "codec": "opus", "rate": 16_000 }).to_string(), Some(1), "rate"),
        (
            json!({ "stream": 1, "codec": "opus", "language": "klingon" }).to_string(),
            Some(1),
            "language",
        ),
        (json!({ "stream": 0, "codec": "opus" }).to_string(), Some(0), "open already"),
        (
            json!({ "stream": 1, "codec": "opus", "speaker": "Ada" }).to_string(),
            Some(1),
            "another stream",
        ),
        (json!({ "stream": 1, "end": true }).to_string(), Some(1), "no such stream"),
    ] {
        socket.say(text.clone());
        let told = socket.json();
        assert!(
            told["error"].as_str().is_some_and(|error| error.contains(named)),
            "{text}: {told}"
        );
        assert_eq!(told["stream"].as_u64(), stream, "{text}: {told}");
    }
    for (message, stream, named) in [
        (vec![], None, "number"),
        (vec![0], None, "number"),
        (numbered(7, &[0; 4]), Some(7), "no such stream"),
        (numbered(0, &[0; 3]), Some(0), "whole samples"),
    ] {
        socket.send(message.clone());
        let told = socket.json();
        assert!(told["error"].as_str().is_some_and(|error| error.contains(named)), "{told}");
        assert_eq!(told["stream"].as_u64(), stream, "{message:?}: {told}");
    }
    // A stream without sound in a message is no fault, and all of it goes on.
    socket.send(numbered(0, &[]));
    socket.send(numbered(0, &[0; 320]));
    assert_eq!(ask(&mut socket, &json!({ "stream": 0, "end": true }))["ended"], true);
    socket.try_send(vec![0; 64 * 1024 + 1]);
    assert_eq!(socket.receive(), Told::Closed(1009));
    server.stop().rows(|db| assert_eq!(sounds(db)[0].heard_ms, 10));
}

#[test]
fn a_socket_has_at_most_64_streams() {
    let (server, session) = start(hearing());
    let mut socket = open(&server, &session);
    for stream in 0..64 {
        begin(&mut socket, stream, &format!("speaker {stream}"), "opus", 48_000);
    }
    let told = ask(&mut socket, &json!({ "stream": 64, "speaker": "one more", "codec": "opus" }));
    assert_eq!(told["stream"], 64);
    assert!(told["error"].as_str().is_some_and(|error| error.contains("64")), "{told}");
    ask(&mut socket, &json!({ "stream": 9, "end": true }));
    begin(&mut socket, 64, "one more", "opus", 48_000);
}

#[test]
fn who_has_no_secret_opens_nothing() {
    let (server, session) = start(hearing());
    for bearer in ["", "Bearer x", &format!("Bearer {}", "x".repeat(40)), &session.token] {
        let refused = SoundSocket::try_open(&server, PATH, &[("Authorization", bearer)]);
        let (status, body) = refused.err().expect("a refusal");
        assert_eq!((status, &body["detail"]), (401, &json!("Invalid bot token")), "{bearer}");
    }
    let bearer = format!("Bearer {}", session.token);
    let plain = server.get(PATH).header("Authorization", &bearer).send();
    assert_eq!(plain.status, 426);
}

#[test]
fn without_an_engine_a_stream_has_to_wait() {
    let (server, session) = start(Setup::new());
    let mut socket = open(&server, &session);
    let told = ask(&mut socket, &json!({ "stream": 0, "codec": "opus" }));
    assert_eq!((&told["stream"], &told["status"]), (&json!(0), &json!("WAIT")));
    assert!(told["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told}");
}

#[test]
fn a_socket_ends_with_its_meeting() {
    let clock = still_clock();
    let (server, session) = start(hearing().clock(&clock));
    let mut socket = open(&server, &session);
    begin(&mut socket, 0, "Ada", "opus", 48_000);
    let ended = json!({ "connection_id": session.uid, "exit_code": 0 });
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    clock.advance(Duration::from_mins(1));
    socket.send(numbered(0, &opus_packet(1)));
    clock.advance(Duration::from_secs(121));
    assert_eq!(socket.json(), json!({ "error": "the meeting is over" }));
    assert_eq!(socket.receive(), Told::Closed(1000));
}
