//! What bots and feeders bring to the Redis endpoint: the same rows as by `POST
//! /bots/internal/segments`, and whose words are taken.

use crate::client::{Client, PATIENCE, wait_for};
use crate::redis_client::{Redis, id, is_id};
use crate::segments::{BEGAN, Session, insert_session, one_meeting, said};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use vomeet::domain::Time;

/// A payload as recognisers write it.
fn payload(session: &Session, kind: &str, more: &Value) -> Value {
    let mut payload = json!({
        "type": kind, "token": session.token, "platform": "google_meet",
        "meeting_id": "abc-defg-hij", "uid": "stream-1"
    });
    for (name, value) in more.as_object().expect("members") {
        payload[name] = value.clone();
    }
    payload
}

fn segments(client: &Client, key: &str) -> Value {
    let path = "/transcripts/google_meet/abc-defg-hij";
    client.get(path).user(key).send().expect(200)["segments"].clone()
}

/// What is shown of each segment, without the time at which it was stored.
fn shown(client: &Client, key: &str) -> Value {
    let mut segments = segments(client, key);
    for segment in segments.as_array_mut().expect("segments") {
        segment.as_object_mut().expect("a segment").remove("created_at");
    }
    segments
}

/// An entry of speaker events as recognisers write it.
fn speaker(redis: &mut Redis, session: &Session, change: &str, name: &str, at: &str) -> String {
    redis.call(&[
        "XADD",
        "speaker_events_relative",
        "*",
        "uid",
        "stream-1",
        "event_type",
        change,
        "participant_name",
        name,
        "participant_id_meet",
        "p1",
        "relative_client_timestamp_ms",
        at,
        "token",
        &session.token,
        "platform",
        "google_meet",
        "meeting_id",
        "abc-defg-hij",
    ])
}

#[test]
fn a_feeder_and_http_store_the_same_rows() {
    let clock = still_clock();
    let started = "2025-10-10T12:00:10.250000Z";
    let heard = json!([
        {"start": "1.000", "end": "2.500", "text": "good morning", "language": "en", "completed": true},
        {"start": 3, "end": 4.5, "text": "and good-", "completed": false},
        {"start": 10, "end": 11, "text": "[BLANK_AUDIO]"},
    ]);
    let (server, key, session) = at(&clock);
    let body = json!({
        "uid": "stream-1", "started_at": started, "segments": heard, "speaker_events": [
            {"event_type": "SPEAKER_START", "participant_name": "Ada", "participant_id": "p1", "relative_ms": 0},
            {"event_type": "SPEAKER_END", "participant_name": "Ada", "participant_id": "p1", "relative_ms": "2600"},
        ]
    });
    server.post("/bots/internal/segments").bearer(&session.token).json(&body).send().expect(200);
    let by_http = shown(&server, &key);
    assert_eq!(by_http.as_array().map(Vec::len), Some(2), "{by_http}");

    let (server, key, session) = at(&clock);
    let mut redis = Redis::connect(server.address);
    redis.add(&payload(&session, "session_start", &json!({ "start_timestamp": started })));
    // Whoever says it later, says it in vain.
    redis.add(&payload(&session, "session_start", &json!({ "start_timestamp": BEGAN / 1000 })));
    for _ in 0..2 {
        redis.add(&payload(&session, "transcription", &json!({ "segments": heard })));
        assert!(is_id(&speaker(&mut redis, &session, "SPEAKER_START", "Ada", "0")));
        assert!(is_id(&speaker(&mut redis, &session, "speaker_end", "Ada", "2600")));
    }
    redis.add(&payload(&session, "session_end", &json!({})));
    assert_eq!(shown(&server, &key), by_http);
}

/// A server with this clock, a user's key, and a meeting.
fn at(clock: &vomeet::clock::Clock) -> (Server, String, Session) {
    let mut made = None;
    let setup = Setup::new().clock(clock).rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
    });
    let (key, session) = made.expect("rows");
    (setup.start(), key, session)
}

#[test]
fn a_bot_writes_by_its_own_connection_and_takes_back() {
    let (server, key, session) = one_meeting();
    let mut redis = Redis::bot(server.address, 3, &session.token);
    // As the bot itself writes: without a token, and the stream is its session.
    let segment = |id: &str, text: &str| json!({"segment_id": id, "start": 1, "end": 2, "text": text, "speaker": "Ada"});
    redis.add(
        &json!({ "type": "transcription", "meeting_id": 1, "segments": [segment("a", "one")] }),
    );
    redis.add(&json!({
        "schema_version": 1, "type": "transcription", "meeting_id": "1", "session_uid": session.uid,
        "segments": [segment("b", "two"), segment("a", "one more")]
    }));
    let texts = || said(&server, &key).into_iter().map(|(.., text)| text).collect::<Vec<_>>();
    assert_eq!(texts(), ["one more", "two"]);
    let retract = json!({ "type": "transcript_retract", "segment_ids": ["a", "none"] });
    redis.add(&retract);
    redis.add(&retract);
    assert_eq!(texts(), ["two"]);
    // Its stream is that of the session, whose clock began with it.
    assert_eq!(segments(&server, &key)[0]["absolute_start_time"], "2025-10-10T12:00:01.000Z");
}

#[test]
fn xadd_takes_every_form_that_clients_send() {
    let (server, _, session) = one_meeting();
    let mut redis = Redis::bot(server.address, 3, &session.token);
    let mut last = (0, 0);
    for options in [
        "*",
        "NOMKSTREAM *",
        "MAXLEN 1000 *",
        "maxlen ~ 1000 *",
        "MAXLEN = 1000 *",
        "MAXLEN ~ 1000 LIMIT 5 *",
        "NOMKSTREAM MINID ~ 5-1 *",
        "5",
        "5-6",
        "5-*",
    ] {
        for key in ["transcription_segments", "speaker_events_relative", "bot_logs"] {
            let mut words = vec!["XADD", key];
            words.extend(options.split(' '));
            match key {
                "transcription_segments" => words.extend(["payload", r#"{"type":"session_end"}"#]),
                _ => words.extend([
                    "event_type",
                    "SPEAKER_START",
                    "participant_name",
                    "Ada",
                    "relative_client_timestamp_ms",
                    "0",
                ]),
            }
            let reply = redis.call(&words);
            let id = id(&reply).unwrap_or_else(|| panic!("{words:?}: {reply}"));
            assert!(id > last, "{id:?} after {last:?}");
            last = id;
        }
    }
    for (words, expected) in [
        ("XADD a b c", "-ERR wrong number of arguments for 'xadd' command"),
        ("XADD a * b", "-ERR wrong number of arguments for 'xadd' command"),
        ("XADD a * b c d", "-ERR wrong number of arguments for 'xadd' command"),
        ("XADD a x b c", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD a -1 b c", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD a MAXLEN ~ 5 LIMIT", "-ERR syntax error"),
        ("XADD a MAXLEN 5 MAXLEN 5", "-ERR syntax error"),
        ("XADD transcription_segments * a b", "-ERR payload: the entry has no field payload"),
    ] {
        assert_eq!(redis.call(&words.split(' ').collect::<Vec<_>>()), expected, "{words}");
    }
}

#[test]
fn a_payload_that_cannot_be_read_says_why_and_closes_nothing() {
    let (server, key, session) = one_meeting();
    let mut redis = Redis::connect(server.address);
    let of = |kind: &str, more: Value| payload(&session, kind, &more);
    for (sent, expected) in [
        (of("nothing", json!({})), "type: Input should be 'session_start', "),
        (json!({ "token": session.token }), "type: Field required"),
        (of("transcription", json!({})), "segments: Field required"),
        (of("transcription", json!({ "segments": {} })), "segments: Input should be a valid list"),
        (of("transcription", json!({ "uid": null, "segments": [] })), "uid: Field required"),
        (of("session_start", json!({ "uid": 5 })), "uid: Input should be a valid string"),
        (
            of("session_start", json!({ "start_timestamp": "soon" })),
            "start_timestamp: Input should be a time",
        ),
        (of("transcript_retract", json!({})), "segment_ids: Field required"),
        (
            of("transcription", json!({ "meeting_id": 1.5 })),
            "meeting_id: Input should be a valid string",
        ),
    ] {
        let reply = redis.try_add(&sent);
        assert!(reply.starts_with(&format!("-ERR payload: {expected}")), "{sent}: {reply}");
    }
    for text in ["", "{", "[]", "null", "\u{1}"] {
        let reply = redis.call(&["XADD", "transcription_segments", "*", "payload", text]);
        assert!(reply.starts_with("-ERR payload: "), "{text:?}: {reply}");
    }
    let mut words: Vec<&[u8]> =
        [&b"XADD"[..], b"transcription_segments", b"*", b"payload"].to_vec();
    words.push(b"{\"type\": \"\xff\"}");
    assert!(redis.call(&words).starts_with("-ERR payload: "));
    for (field, value, expected) in [
        ("event_type", "LOUD", "event_type: Input should be 'SPEAKER_START' or 'SPEAKER_END'"),
        ("participant_name", " ", "participant_name: Field required"),
        (
            "relative_client_timestamp_ms",
            "x",
            "relative_client_timestamp_ms: Input should be a valid",
        ),
        ("relative_client_timestamp_ms", "", "relative_client_timestamp_ms: Field required"),
    ] {
        let reply = redis.call(&[
            "XADD",
            "speaker_events_relative",
            "*",
            "uid",
            "a",
            "token",
            &session.token,
            "event_type",
            "SPEAKER_END",
            "participant_name",
            "Ada",
            "relative_client_timestamp_ms",
            "5",
            field,
            value,
        ]);
        assert!(reply.starts_with(&format!("-ERR payload: {expected}")), "{field}: {reply}");
    }
    // Rows that can be read are stored all the same, and nobody believes that all were.
    let rows = json!([{"start": 1, "end": 2, "text": "one"}, {"text": "two"}, {"start": "x"}]);
    let reply = redis.try_add(&of("transcription", json!({ "segments": rows })));
    let expected = "-ERR payload: 2 segments were refused, the first of them segments: 1: start: Field \
                    required; end: Field required; the other 1 are stored";
    assert_eq!(reply, expected);
    assert_eq!(said(&server, &key).len(), 1);
}

/// A server with two open meetings of user 1, and one that is over.
fn three_meetings(clock: &vomeet::clock::Clock) -> (Server, [Session; 3]) {
    let mut made = None;
    let server = Setup::new()
        .clock(clock)
        .set("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "3")
        .rows(|db| {
            insert_token(db, 1, None);
            let ids = ["abc-defg-hij", "abc-defg-hik", "abc-defg-hil"];
            made = Some(ids.map(|id| insert_session(db, 1, id)));
            let over = "UPDATE meetings SET status = 'completed', end_time = ?1 WHERE id = 3";
            db.execute(over, [BEGAN]).expect("the end");
        })
        .start();
    (server, made.expect("rows"))
}

#[test]
fn a_meeting_takes_words_with_its_own_secret_alone() {
    let clock = vomeet::clock::Clock::manual(Time::from_millis(BEGAN + 121_000));
    let (server, [one, two, over]) = three_meetings(&clock);
    let mut feeder = Redis::connect(server.address);
    let mut bot = Redis::bot(server.address, 3, &one.token);
    let of = |session: &Session, more: Value| payload(session, "session_end", &more);
    for id in [json!(1), json!("1"), json!("abc-defg-hij"), Value::Null] {
        for redis in [&mut feeder, &mut bot] {
            redis.add(&of(&one, json!({ "meeting_id": id })));
        }
    }
    // One feeder serves many meetings, a bot its own.
    feeder.add(&of(&two, json!({ "meeting_id": 2 })));
    let other = "-NOPERM the token is not of this connection's meeting";
    assert_eq!(bot.try_add(&of(&two, json!({ "meeting_id": 2 }))), other);
    for id in [json!(2), json!("abc-defg-hik"), json!("01"), json!("ABC-DEFG-HIJ")] {
        let expected = "-NOPERM the token is not of the meeting that meeting_id names";
        for redis in [&mut feeder, &mut bot] {
            assert_eq!(redis.try_add(&of(&one, json!({ "meeting_id": id }))), expected, "{id}");
        }
    }
    let no_token = json!({ "type": "session_end", "uid": "a" });
    assert_eq!(feeder.try_add(&no_token), "-NOPERM the payload has no token");
    // That of a meeting which is over does not count as a failed key, however often it comes.
    let is_over = "-NOPERM the meeting of the payload is over";
    for _ in 0..10 {
        assert_eq!(feeder.try_add(&of(&over, json!({ "meeting_id": 3 }))), is_over);
    }
    let mut late = Redis::connect(server.address);
    late.send(&["AUTH", &over.token]);
    assert_eq!(late.rest(), ["-NOPERM the meeting is over"]);
    let unknown = Session {
        token: vomeet::domain::PlainToken::generate().expect("one").reveal().to_owned(),
        ..one.clone()
    };
    for _ in 0..3 {
        let expected = "-NOPERM the token of the payload is the secret of no meeting";
        assert_eq!(feeder.try_add(&of(&unknown, json!({}))), expected);
    }
    let too_many = feeder.try_add(&of(&unknown, json!({})));
    assert_eq!(too_many, "-NOPERM too many wrong secrets from your address; try again in 20 s.");
    let refused = Redis::connect(server.address).call(&["AUTH", &unknown.token]);
    assert_eq!(refused, "-WRONGPASS too many wrong secrets from your address; try again in 20 s.");
    // Those that are known are taken all the same.
    feeder.add(&of(&one, json!({})));
    Redis::bot(server.address, 2, &two.token);
    let overview = server.get("/admin/refusals").admin().send().expect(200).to_string();
    assert!(overview.contains(r#""path":"redis""#), "{overview}");
}

#[test]
fn words_are_taken_until_two_minutes_after_the_end() {
    let clock = vomeet::clock::Clock::manual(Time::from_millis(BEGAN + 119_000));
    let (server, [.., over]) = three_meetings(&clock);
    let mut feeder = Redis::connect(server.address);
    let mut bot = Redis::bot(server.address, 3, &over.token);
    let words = json!({
        "meeting_id": 3, "segments": [{"start": 1, "end": 2, "text": "goodbye"}]
    });
    let late = payload(&over, "transcription", &words);
    feeder.add(&late);
    bot.add(&late);
    clock.advance(Duration::from_secs(2));
    assert_eq!(feeder.try_add(&late), "-NOPERM the meeting of the payload is over");
    assert_eq!(bot.try_add(&late), "-NOPERM the meeting is over");
}

/// Bots that each send a segment to a server whose queue has one place.
fn eight_bots(server: &Server, session: &Session) -> Vec<Redis> {
    let mut bots = Vec::new();
    for start in 0..8 {
        let mut bot = Redis::bot(server.address, 3, &session.token);
        let text = json!({
            "type": "transcription", "uid": "stream",
            "segments": [{"start": start, "end": start + 1, "text": "a word"}]
        });
        bot.send(&["XADD", "transcription_segments", "*", "payload", &text.to_string()]);
        bots.push(bot);
    }
    bots
}

#[test]
fn a_full_queue_holds_the_answer() {
    let (server, key, session) = crate::redis_protocol::with(&[("VOMEET_STORE_QUEUE_MAX", "1")]);
    let held = server.hold_writer();
    let bots = eight_bots(&server, &session);
    let is_full = || {
        let text = server.get("/metrics").send().text().to_owned();
        text.lines().any(|line| line == "vomeet_store_queue_writes 1").then_some(())
    };
    wait_for(is_full);
    drop(held);
    for mut bot in bots {
        let reply = bot.next().expect("a reply");
        assert!(is_id(&reply), "{reply}");
    }
    assert_eq!(said(&server, &key).len(), 8);
}

#[test]
fn a_queue_that_stays_full_is_told_after_five_seconds() {
    let (server, key, session) = crate::redis_protocol::with(&[("VOMEET_STORE_QUEUE_MAX", "1")]);
    let held = server.hold_writer();
    let began = Instant::now();
    let (replies, told) = channel();
    for mut bot in eight_bots(&server, &session) {
        let replies = replies.clone();
        std::thread::spawn(move || replies.send(bot.next().expect("a reply")));
    }
    drop(replies);
    let first = told.recv_timeout(PATIENCE).expect("a reply");
    assert!(first.starts_with("-BUSY "), "nobody else is told while the writer is held: {first}");
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    drop(held);
    let mut stored = 0;
    for reply in told {
        let is_stored = is_id(&reply);
        assert!(is_stored || reply.starts_with("-BUSY "), "{reply}");
        stored += usize::from(is_stored);
    }
    assert!(stored > 0, "what was queued is stored");
    assert_eq!(said(&server, &key).len(), stored);
}
