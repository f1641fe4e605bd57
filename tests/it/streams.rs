//! Streams of one meeting: what names a segment, drafts, speakers, what is taken back, and words
//! after the end.

use crate::client::{Answer, Client, wait_for};
use crate::segments::{BEGAN, Session, insert_session, one_meeting, said};
use crate::server::{Server, Setup, open_file, still_clock};
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use serde_json::{Value, json};
use vomeet::clock::Clock;

const MEETING: (&str, &str) = ("google_meet", "abc-defg-hij");
const PATH: &str = "/transcripts/google_meet/abc-defg-hij";

/// Sends a body of `POST /bots/internal/segments`.
fn send(client: &Client, session: &Session, body: &Value) -> Answer {
    client.post("/bots/internal/segments").bearer(&session.token).json(body).send()
}

fn segments(client: &Client, key: &str) -> Vec<Value> {
    let body = client.get(PATH).user(key).send().expect(200);
    body["segments"].as_array().expect("segments").clone()
}

/// Text, speaker, where its name comes from, and whether it is final, of each segment.
fn spoken(client: &Client, key: &str) -> Vec<Value> {
    let of = |segment: &Value| {
        json!([
            segment["text"],
            segment["speaker"],
            segment["speaker_source"],
            segment["completed"]
        ])
    };
    segments(client, key).iter().map(of).collect()
}

fn format(client: &Client, key: &str, format: &str) -> String {
    client.get(format!("{PATH}?format={format}")).user(key).send().text().to_owned()
}

fn found(client: &Client, key: &str, word: &str) -> usize {
    let page = client.get(format!("/transcripts/search?q={word}")).user(key).send().expect(200);
    page["results"].as_array().expect("results").len()
}

/// The milliseconds of transcript that are counted for user 1.
fn transcript_ms(server: &Server) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(server.app.auth.usage().write(&server.app.store)).expect("written");
    let sum = "SELECT coalesce(sum(transcript_ms), 0) FROM usage WHERE user_id = 1";
    let reader = crate::erasure::reader(server.folder());
    reader.query_row(sum, [], |row| row.get(0)).expect("a sum")
}

/// A server whose clock the test moves, with an active meeting of user 1 that counts usage.
fn with_clock() -> (Server, String, Session, Clock) {
    let clock = still_clock();
    let mut made = None;
    let setup = Setup::new().clock(&clock).rows(|db| {
        let key = insert_token(db, 1, None);
        let session = insert_session(db, 1, MEETING.1);
        db.execute("UPDATE sessions SET token_id = 1", []).expect("a token");
        made = Some((key, session));
    });
    let (key, session) = made.expect("rows");
    (setup.start(), key, session, clock)
}

#[test]
fn streams_and_speakers_overwrite_nothing_of_each_other() {
    let (server, key, session) = one_meeting();
    let at = |start: f64, text: &str, speaker: Value| json!({"start": start, "end": start + 1.0, "text": text, "speaker": speaker});
    let began = "2025-10-10T12:01:00Z";
    for round in ["once", "twice"] {
        for (uid, started_at, batch) in [
            (
                session.uid.as_str(),
                Value::Null,
                json!([
                    at(1.0, "one", json!("Ada")),
                    at(1.0, "two", json!("Bob")),
                    at(1.0, "three", Value::Null)
                ]),
            ),
            ("reconnected", json!(began), json!([at(1.0, "four", json!("Ada"))])),
            // The first start of a stream is true for ever.
            ("reconnected", json!("2025-10-10T18:00:00Z"), json!([at(2.0, "five", json!("Ada"))])),
        ] {
            let body = json!({"uid": uid, "started_at": started_at, "segments": batch});
            send(&server, &session, &body).expect(200);
        }
        let found: Vec<_> =
            said(&server, &key).into_iter().map(|(start, _, _, text)| (start, text)).collect();
        // Of those that began together, the one without a speaker was stored first.
        let expected = [(1.0, "three"), (1.0, "one"), (1.0, "two"), (61.0, "four"), (62.0, "five")];
        assert_eq!(found, expected.map(|(start, text)| (start, text.to_owned())), "{round}");
    }
    let ids: std::collections::BTreeSet<_> = segments(&server, &key)
        .iter()
        .map(|segment| segment["segment_id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids.len(), 5, "each has an id of its own: {ids:?}");
}

#[test]
fn an_id_names_a_segment_wherever_it_lies() {
    let (server, key, session) = one_meeting();
    let one = |uid: &str, id: Value, start: f64, text: &str| {
        let segment = json!({"segment_id": id, "start": start, "end": start + 1.0, "text": text, "speaker": text});
        let body = json!({"uid": uid, "started_at": BEGAN / 1000, "segments": [segment]});
        assert_eq!(send(&server, &session, &body).expect(200)["accepted"], 1);
    };
    one(&session.uid, json!("s1:1"), 1.0, "one");
    one("other", json!("s1:1"), 2.5, "corrected");
    one("other", json!(17), 1.0, "by number");
    one("other", json!(" "), 1.0, "without");
    let found: Vec<_> = segments(&server, &key)
        .iter()
        .map(|segment| (segment["start"].as_f64().expect("a start"), segment["text"].clone()))
        .collect();
    assert_eq!(
        found,
        [(1.0, json!("by number")), (1.0, json!("without")), (2.5, json!("corrected"))]
    );
    let ids: Vec<_> =
        segments(&server, &key).iter().map(|segment| segment["segment_id"].clone()).collect();
    assert_eq!((&ids[0], &ids[2]), (&json!("17"), &json!("s1:1")));
}

#[test]
fn times_are_from_the_start_of_the_stream_or_on_the_clock() {
    let (server, key, session) = one_meeting();
    let batch = json!([
        {"start": "1.5", "end": "2", "text": "offset"},
        {"start": 1_760_097_603.25, "end": "1760097604", "text": "clock"},
        {"start": 1, "end": 3, "absolute_start_time": "2025-10-10T12:00:05.0004Z", "text": "absolute"},
        {"absolute_start_time": "2025-10-10T14:00:08+02:00", "absolute_end_time": "2025-10-10T12:00:09", "text": "only"},
    ]);
    let stored = session.send(&server, &batch).expect(200);
    assert_eq!((&stored["accepted"], &stored["refused"]), (&json!(4), &json!([])));
    let found: Vec<_> =
        said(&server, &key).into_iter().map(|(start, end, _, text)| (start, end, text)).collect();
    let expected =
        [(1.5, 2.0, "offset"), (3.25, 4.0, "clock"), (5.0, 7.0, "absolute"), (8.0, 9.0, "only")];
    assert_eq!(found, expected.map(|(start, end, text)| (start, end, text.to_owned())));
    let clock = segments(&server, &key)[1]["absolute_start_time"].clone();
    assert_eq!(clock, "2025-10-10T12:00:03.250Z");
}

#[test]
fn a_draft_is_shown_until_its_speaker_is_heard_again() {
    let (server, key, session) = one_meeting();
    let mut watcher = Watcher::open(&server, &key);
    watcher.subscribe(&[MEETING]);
    let draft = |start: f64, text: &str, speaker: &str| json!({"start": start, "end": start + 1.0, "text": text, "speaker": speaker, "completed": false});
    let texts = || -> Vec<Value> {
        segments(&server, &key).iter().map(|segment| segment["text"].clone()).collect()
    };
    session.say(&server, &json!([draft(1.0, "good mor", "Ada"), draft(1.0, "hel", "Bob")]));
    let pushed = watcher.json()["payload"].clone();
    assert_eq!(pushed["segments"][0]["completed"], json!(false), "{pushed}");
    assert_eq!(pushed.get("removed"), None, "{pushed}");
    assert_eq!(texts(), ["good mor", "hel"]);
    let first = pushed["segments"][0]["segment_id"].clone();
    // Its start has moved: it is another segment, and the first one is withdrawn.
    session.say(&server, &json!([draft(1.25, "good morning", "Ada")]));
    let pushed = watcher.json()["payload"].clone();
    assert_eq!(pushed["removed"], json!([first]), "{pushed}");
    assert_eq!(pushed["segments"][0]["text"], "good morning", "{pushed}");
    assert_eq!(texts(), ["hel", "good morning"]);
    for word in ["morning", "hel"] {
        assert_eq!(found(&server, &key, word), 0, "a draft is not found: {word}");
    }
    for name in ["txt", "srt", "vtt"] {
        assert!(!format(&server, &key, name).contains("morning"), "{name} has a draft");
    }
    // The same segment, final; then a draft of it comes late.
    let last = json!({"start": 1.25, "end": 2.5, "text": "Good morning.", "speaker": "Ada"});
    session.say(&server, &json!([last]));
    let pushed = watcher.json()["payload"].clone();
    assert_eq!(pushed["segments"][0]["completed"], json!(true), "{pushed}");
    session.say(&server, &json!([draft(1.25, "good morning", "Ada")]));
    watcher.expect_nothing();
    let (ada, bob) =
        (json!(["Good morning.", "Ada", "stream", true]), json!(["hel", "Bob", "stream", false]));
    assert_eq!(spoken(&server, &key), [bob, ada]);
    assert_eq!(found(&server, &key, "morning"), 1);
    assert_eq!(format(&server, &key, "txt"), "[00:00:01] Ada: Good morning.\n");
    // What is no words withdraws as well; an empty batch does not.
    session.say(&server, &json!([]));
    assert_eq!(texts().len(), 2);
    let silence = json!([{"start": 3, "end": 4, "text": "[BLANK_AUDIO]", "speaker": "Bob"}]);
    assert_eq!(session.send(&server, &silence).expect(200)["accepted"], 0);
    assert_eq!(texts(), ["Good morning."]);
    assert_eq!(watcher.json()["payload"]["segments"], json!([]));
}

#[test]
fn drafts_are_final_after_a_minute_at_rest_or_at_the_end() {
    let (server, key, session, clock) = with_clock();
    let draft = |start: f64, text: &str| json!([{"start": start, "end": start + 1.5, "text": text, "completed": false}]);
    let is_final = |at: usize| segments(&server, &key)[at]["completed"] == json!(true);
    session.say(&server, &draft(1.0, "first"));
    assert_eq!(transcript_ms(&server), 0, "a draft is not counted");
    let mut watcher = Watcher::open(&server, &key);
    watcher.subscribe(&[MEETING]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let now = clock.now();
    let settle = |seconds| {
        runtime
            .block_on(server.app.store.settle_drafts(now.plus_seconds(seconds)))
            .expect("settled");
    };
    settle(59);
    assert!(!is_final(0));
    settle(60);
    assert!(is_final(0));
    let pushed = watcher.json()["payload"].clone();
    assert_eq!(pushed["segments"][0]["completed"], json!(true), "{pushed}");
    assert_eq!((found(&server, &key, "first"), transcript_ms(&server)), (1, 1500));
    session.say(&server, &draft(5.0, "second"));
    let ended = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    assert!(is_final(1), "the meeting is over");
    // The subscribers have it as a draft, and final before the end.
    for completed in [false, true] {
        let pushed = watcher.json()["payload"].clone();
        let segment = &pushed["segments"][0];
        let told = (&segment["text"], &segment["completed"]);
        assert_eq!(told, (&json!("second"), &json!(completed)), "{pushed}");
    }
    assert_eq!(watcher.json()["payload"], json!({"status": "completed"}));
    assert_eq!((found(&server, &key, "second"), transcript_ms(&server)), (1, 3000));
}

#[test]
fn the_server_itself_makes_drafts_final() {
    let (server, key, session, clock) = with_clock();
    let draft = json!([{"start": 1, "end": 2, "text": "first", "completed": false}]);
    session.say(&server, &draft);
    clock.set(clock.now().plus_seconds(61));
    wait_for(|| (segments(&server, &key)[0]["completed"] == json!(true)).then_some(()));
}

#[test]
fn speaker_events_name_what_came_without_a_speaker() {
    let (server, key, session, clock) = with_clock();
    let event = |kind: &str, name: &str, ms: i64| json!({"event_type": format!("SPEAKER_{kind}"), "participant_name": name, "relative_ms": ms});
    let body = |segments: Value, events: Value| json!({"uid": session.uid, "segments": segments, "speaker_events": events});
    let line = |start: f64, text: &str| json!({"start": start, "end": start + 2.0, "text": text});
    let mut watcher = Watcher::open(&server, &key);
    watcher.subscribe(&[MEETING]);
    send(&server, &session, &body(json!([line(1.0, "one"), line(5.0, "two")]), Value::Null))
        .expect(200);
    assert_eq!(watcher.json()["payload"]["segments"][0]["speaker_source"], "unknown");
    let own = json!({"start": 1, "end": 3, "text": "own", "speaker": "Cleo", "speaker_source": "platform"});
    let events = json!([
        event("START", "Ada", 500),
        event("END", "Ada", 2500),
        event("START", "Bob", 2400),
        event("START", "Bob", 2400),
        {"event_type": "SPEAKER_JUMP", "participant_name": "Ada", "relative_ms": 1},
        {"event_type": "speaker_end", "participant_name": "Bob", "timestamp": BEGAN + 6500, "participant_id": null},
    ]);
    let answer = send(&server, &session, &body(json!([own]), events.clone())).expect(200);
    assert_eq!(answer["refused_events"][0]["index"], 4, "{answer}");
    let expected = [
        json!(["one", "Ada", "events", true]),
        json!(["own", "Cleo", "platform", true]),
        json!(["two", "Bob", "events", true]),
    ];
    assert_eq!(spoken(&server, &key), expected);
    let named = watcher.json()["payload"]["segments"].as_array().expect("a list").len();
    assert_eq!(named, 3, "all three are new or named");
    // Everything once more changes nothing.
    send(&server, &session, &body(json!([line(1.0, "one"), line(5.0, "two"), own]), events))
        .expect(200);
    watcher.expect_nothing();
    // Of another stream, and too late: both stay without a name.
    clock.set(clock.now().plus_seconds(61));
    send(&server, &session, &body(json!([line(20.0, "three")]), Value::Null)).expect(200);
    clock.set(clock.now().plus_seconds(61));
    let late = json!({"uid": session.uid, "speaker_events": [event("START", "Ada", 19_000)]});
    let other =
        json!({"uid": "other", "started_at": BEGAN / 1000, "segments": [line(20.5, "four")]});
    send(&server, &session, &late).expect(200);
    send(&server, &session, &other).expect(200);
    let unnamed = [json!(["three", null, "unknown", true]), json!(["four", null, "unknown", true])];
    assert_eq!(spoken(&server, &key)[3..], unnamed);
}

#[test]
fn what_is_taken_back_is_gone() {
    let (server, key, session, _clock) = with_clock();
    let mut watcher = Watcher::open(&server, &key);
    watcher.subscribe(&[MEETING]);
    let batch = json!([
        {"segment_id": "a", "start": 1, "end": 2, "text": "wrong"},
        {"start": 3, "end": 5, "text": "right"},
    ]);
    session.say(&server, &batch);
    assert_eq!(watcher.json()["payload"]["segments"].as_array().map(Vec::len), Some(2));
    assert_eq!(transcript_ms(&server), 3000);
    let retract = |token: &str, ids: Value| {
        let body = json!({"segment_ids": ids});
        server.delete("/bots/internal/segments").bearer(token).json(&body).send()
    };
    assert_eq!(retract("x", json!(["a"])).status, 401);
    assert_eq!(
        retract(&session.token, json!(["a", "never there"])).expect(200),
        json!({"removed": 1})
    );
    let payload = watcher.json()["payload"].clone();
    assert_eq!(payload, json!({"segments": [], "removed": ["a"]}));
    assert_eq!((found(&server, &key, "wrong"), segments(&server, &key).len()), (0, 1));
    assert_eq!(transcript_ms(&server), 2000);
    let id = segments(&server, &key)[0]["segment_id"].clone();
    assert_eq!(retract(&session.token, json!([id])).expect(200), json!({"removed": 1}));
    assert_eq!(segments(&server, &key).len(), 0);
    assert_eq!(retract(&session.token, json!([])).expect(200), json!({"removed": 0}));
    watcher.json();
    watcher.expect_nothing();
}

#[test]
fn words_are_taken_for_two_minutes_after_the_end() {
    let (server, key, session, clock) = with_clock();
    let say = |start: i64| {
        session.send(&server, &json!([{"start": start, "end": start + 1, "text": "late"}])).status
    };
    let ended = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    assert_eq!(say(1), 200);
    let participants = || {
        let meetings = server.get("/meetings").user(&key).send().expect(200);
        meetings["meetings"][0]["data"]["participants"].clone()
    };
    assert_eq!(participants(), json!([]));
    let named = |start: i64, speaker: &str| {
        let segment = json!({"start": start, "end": start + 1, "text": "late", "speaker": speaker});
        session.say(&server, &json!([segment]));
    };
    named(5, "Ada");
    named(6, "Bob");
    assert_eq!(participants(), json!(["Ada", "Bob"]));
    let noted = json!({"data": {"participants": ["Cleo"]}});
    server.patch("/meetings/google_meet/abc-defg-hij").user(&key).json(&noted).send().expect(200);
    named(7, "Dan");
    assert_eq!(participants(), json!(["Cleo"]), "what its owner noted stands");
    clock.set(clock.now().plus_seconds(119));
    assert_eq!(say(2), 200);
    let ids = json!({"segment_ids": []});
    let retract = server.delete("/bots/internal/segments").bearer(&session.token).json(&ids);
    assert_eq!(retract.send().status, 200);
    clock.set(clock.now().plus_seconds(1));
    assert_eq!((say(3), retract.send().status), (401, 401));
    assert_eq!(segments(&server, &key).len(), 5);
}

#[test]
fn a_redacted_meeting_takes_no_more_words() {
    let (server, key, session, _clock) = with_clock();
    let event =
        json!({"event_type": "SPEAKER_START", "participant_name": "Adaline", "relative_ms": 1});
    let body = json!({"uid": session.uid, "speaker_events": [event], "segments": [{"start": 1, "end": 2, "text": "x"}]});
    send(&server, &session, &body).expect(200);
    let ended = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    server.delete("/meetings/google_meet/abc-defg-hij").user(&key).send().expect(200);
    assert_eq!(send(&server, &session, &body).status, 401);
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        for table in ["segments", "streams", "speaker_events"] {
            let rows = format!("SELECT count(*) FROM {table}");
            let rows: i64 = db.query_row(&rows, [], |row| row.get(0)).expect("a count");
            assert_eq!(rows, 0, "{table}");
        }
    });
}

#[test]
fn a_meeting_has_a_bounded_number_of_streams() {
    let (server, _, session) = one_meeting();
    let stream = |n: usize| {
        let body = json!({"uid": format!("stream {n}"), "segments": [{"start": 1, "end": 2, "text": "x"}]});
        send(&server, &session, &body)
    };
    for n in 0..200 {
        stream(n).expect(200);
    }
    assert_eq!(stream(200).faults(), [("value_error".to_owned(), "body.uid".to_owned())]);
    stream(7).expect(200);
}
