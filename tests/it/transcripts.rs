//! `GET /transcripts/{platform}/{native_meeting_id}`: what is shown to whom, in every format, at
//! any length.

use crate::client::{PATIENCE, fields, is_end, wait_for};
use crate::patience::Unbroken;
use crate::process::{Launch, Process};
use crate::segments::{BEGAN, insert_session, insert_stream, one_meeting};
use crate::server::{Setup, open_file};
use crate::tokens::insert_token;
use crate::watched::resident_kib;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io::{Read, Write};

const PATH: &str = "/transcripts/google_meet/abc-defg-hij";

/// Puts segments of a second each into a meeting, without the index.
pub fn insert_segments(db: &Connection, meeting: i64, count: i64, text: &str) {
    let stream = insert_stream(db, meeting);
    let sql = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
        INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker,
          speaker_source, language, completed, created_at, updated_at)
        SELECT ?1, ?5, i, ?3 + i * 1000, ?3 + i * 1000 + 900, ?4 || ' ' || i, 'Ada', 'stream', 'en', 1, ?3, ?3 FROM n";
    db.execute(sql, params![meeting, count, BEGAN, text, stream]).expect("segments");
}

#[test]
fn a_transcript_is_the_meeting_and_its_segments_in_order() {
    let (server, key, session) = one_meeting();
    session.say(
        &server,
        &json!([{"start": 5, "end": 6, "text": "second"}, {"start": 1, "end": 2, "text": "first"}]),
    );
    session.say(
        &server,
        &json!([{"start": 3, "end": 4, "text": "between", "speaker": "Ada", "language": "en"}]),
    );
    let answer = server.get(PATH).user(&key).send();
    assert!(answer.header("content-length").is_some(), "a short one is sent whole");
    let body = answer.expect(200);
    let meetings = server.get("/meetings").user(&key).send().expect(200);
    let mut meeting = body.clone();
    for member in ["segments", "cursor", "is_whole", "removed"] {
        assert!(meeting.as_object_mut().expect("an object").remove(member).is_some(), "{member}");
    }
    assert_eq!(meeting, meetings["meetings"][0]);
    let texts: Vec<_> =
        body["segments"].as_array().expect("segments").iter().map(|s| s["text"].clone()).collect();
    assert_eq!(texts, ["first", "between", "second"]);
    assert_eq!(
        fields(&body["segments"][0]),
        [
            "absolute_end_time",
            "absolute_start_time",
            "completed",
            "created_at",
            "end",
            "language",
            "segment_id",
            "speaker",
            "speaker_source",
            "start",
            "text"
        ]
    );
}

#[test]
fn every_format_has_its_type_and_its_text() {
    let (server, key, session) = one_meeting();
    let empty = |format: &str| {
        server.get(format!("{PATH}?format={format}")).user(&key).send().text().to_owned()
    };
    assert_eq!(["txt", "srt", "vtt"].map(empty), ["", "", "WEBVTT\n\n"]);
    session.say(
        &server,
        &json!([
            {"start": 0.5, "end": 2.25, "text": "Good morning.", "speaker": "Ada"},
            {"start": 61, "end": 3_661.007, "text": "1 < 2 && 3 > 2\n--> <i>next</i>", "speaker": "<Bob> & Co"},
            {"start": 360_000, "end": 360_001, "text": "Grüße 会議 👍", "language": "de"},
        ]),
    );
    for (format, content_type) in [
        ("txt", "text/plain; charset=utf-8"),
        ("srt", "application/x-subrip; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
    ] {
        let answer = server.get(format!("{PATH}?format={format}")).user(&key).send();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some(content_type)),
            "{format}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{format}");
        insta::assert_snapshot!(format!("transcript_{format}"), answer.text());
    }
    let faults = server.get(format!("{PATH}?format=pdf&meeting_id=x")).user(&key).send().faults();
    assert_eq!(
        faults,
        [
            ("int_parsing".to_owned(), "query.meeting_id".to_owned()),
            ("enum".to_owned(), "query.format".to_owned())
        ]
    );
}

#[test]
fn the_newest_or_the_very_one_and_nobody_elses() {
    let mut keys = [String::new(), String::new()];
    let setup = Setup::new().rows(|db| {
        keys = [1, 2].map(|user| insert_token(db, user, None));
        for user in [1, 2] {
            insert_session(db, user, "abc-defg-hij");
            db.execute("UPDATE meetings SET status = 'completed'", []).expect("the end");
        }
        insert_session(db, 1, "abc-defg-hij");
        insert_session(db, 2, "abc-defg-hik");
        (1..=4).for_each(|meeting| insert_segments(db, meeting, 1, &format!("of {meeting}")));
        db.execute("UPDATE meetings SET native_meeting_id = NULL WHERE id = 1", [])
            .expect("redacted");
    });
    let server = setup.start();
    for (user, path, meeting) in [
        (0, "google_meet/abc-defg-hij", Some(3)),
        (0, "google_meet/abc-defg-hij?meeting_id=3", Some(3)),
        (0, "google_meet/abc-defg-hij?meeting_id=1", Some(1)),
        (0, "google_meet/abc-defg-hij?meeting_id=2", None),
        (0, "google_meet/abc-defg-hij?meeting_id=4", None),
        (0, "google_meet/abc-defg-hik", None),
        (0, "google_meet/abc-defg-xyz?meeting_id=3", None),
        (0, "teams/abc-defg-hij", None),
        (1, "google_meet/abc-defg-hij", Some(2)),
        (1, "google_meet/abc-defg-hij?meeting_id=3", None),
        (1, "google_meet/abc-defg-hik", Some(4)),
    ] {
        let answer = server.get(format!("/transcripts/{path}")).user(&keys[user]).send();
        let Some(meeting) = meeting else {
            let (platform, id) =
                path.split('?').next().and_then(|path| path.split_once('/')).expect("a path");
            let detail = format!("Meeting not found for platform {platform} and ID {id}");
            assert_eq!(answer.refusal(), (404, detail), "{path} by user {user}");
            continue;
        };
        let body = answer.expect(200);
        assert_eq!(body["id"], meeting, "{path} by user {user}");
        assert_eq!(body["segments"][0]["text"], format!("of {meeting} 0"), "{path} by user {user}");
    }
    let zoom = server.get("/transcripts/webex/1").user(&keys[0]).send().faults();
    assert_eq!(zoom, [("enum".to_owned(), "path.platform".to_owned())]);
}

#[test]
fn a_long_one_comes_in_pieces_and_is_whole_in_every_format() {
    let count = 1_777;
    let mut key = String::new();
    let setup = Setup::new().rows(|db| {
        key = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, count, "word");
        // Some begin at one moment: their ids decide.
        db.execute(
            "UPDATE segments SET absolute_start = ?1 WHERE id BETWEEN 400 AND 1300",
            [BEGAN + 399_000],
        )
        .expect("an update");
    });
    let server = setup.start();
    let answer = server.get(PATH).user(&key).send();
    assert_eq!(
        (answer.header("transfer-encoding"), answer.header("content-length")),
        (Some("chunked"), None)
    );
    let body = answer.expect(200);
    let texts: Vec<_> =
        body["segments"].as_array().expect("segments").iter().map(|s| s["text"].clone()).collect();
    assert_eq!(texts, (0..count).map(|n| json!(format!("word {n}"))).collect::<Vec<_>>());
    for (format, per_segment, header) in [("txt", 1, 0), ("srt", 4, 0), ("vtt", 3, 2)] {
        let answer = server.get(format!("{PATH}?format={format}")).user(&key).send();
        let lines: Vec<&str> = answer.text().lines().collect();
        assert_eq!(
            lines.len(),
            header + per_segment * usize::try_from(count).expect("small"),
            "{format}"
        );
        if format == "srt" {
            let numbers: Vec<&str> = lines.iter().step_by(4).copied().collect();
            assert_eq!(numbers, (1..=count).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }
    // The connection stays good, after HEAD too.
    let mut line = server.line();
    for method in ["HEAD", "GET", "HEAD", "GET"] {
        let answer = server.call(method, PATH).user(&key).over(&mut line).expect("an answer");
        assert_eq!((answer.status, answer.body.is_empty()), (200, method == "HEAD"));
    }
}

/// A real server on a file with these rows, and the token of user 1.
pub fn process_with(folder: &std::path::Path, rows: impl FnOnce(&Connection)) -> (Process, String) {
    let mut key = String::new();
    open_file(&folder.join("vomeet.db"), |db| {
        key = insert_token(db, 1, None);
        rows(db);
    });
    (Launch::serve(folder).start(), key)
}

/// How much more memory than before the process held at the worst moment of a request, in KiB, and
/// the answer's length.
pub fn growth_kib(server: &Process, call: &crate::client::Call) -> (u64, usize) {
    let before = resident_kib(server);
    let pid = server.pid().as_raw_nonzero();
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a new peak");
    let answer = call.send();
    assert_eq!(answer.status, 200);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    (peak.saturating_sub(before), answer.body.len())
}

#[test]
fn fifty_thousand_segments_take_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "what somebody said in a meeting that went on and on".repeat(3);
    let (server, key) = process_with(folder.path(), |db| {
        insert_session(db, 1, "abc-defg-hij");
        insert_session(db, 1, "abc-defg-hik");
        insert_segments(db, 1, 50_000, &text);
        insert_segments(db, 2, 2_000, &text);
    });
    server.get("/transcripts/google_meet/abc-defg-hik").user(&key).send().expect(200);
    for format in ["", "?format=vtt"] {
        let (grown, length) =
            growth_kib(&server, &server.get(format!("{PATH}{format}")).user(&key));
        // Held in memory as a whole it would be more than its length.
        assert!(length > 8_000_000, "{length} bytes");
        assert!(grown < 4 * 1024, "{grown} KiB for {length} bytes");
    }
    server.terminate();
}

#[test]
fn ten_thousand_meetings_take_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = json!({"notes": "n".repeat(700)}).to_string();
    let (server, key) = process_with(folder.path(), |db| {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 10000)
            INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
            SELECT 1, 'teams', 1000000000 + i, 'completed', ?1, ?2, ?2 FROM n";
        db.execute(sql, params![data, BEGAN]).expect("meetings");
    });
    server.get("/meetings?limit=1000").user(&key).send().expect(200);
    let (grown, length) = growth_kib(&server, &server.get("/meetings").user(&key));
    assert!(length > 8_000_000, "{length} bytes");
    assert!(grown < 4 * 1024, "{grown} KiB for {length} bytes");
    let body = server.get("/meetings").user(&key).send().expect(200);
    assert_eq!(body["meetings"].as_array().expect("meetings").len(), 10_000);
    server.terminate();
}

/// A long transcript, and few connections to read it with.
fn long() -> (Setup, String) {
    let mut key = String::new();
    let setup = Setup::new().set("VOMEET_STORE_LONG_READS_MAX", "1").rows(|db| {
        key = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, 20_000, &"long ".repeat(100));
    });
    (setup, key)
}

#[test]
fn slow_readers_hold_nobody_up_and_are_ended() {
    let (setup, key) = long();
    let server = setup.start();
    let ask = server.get(PATH).user(&key).bytes();
    // A token may have four responses under way that are more than a page.
    let mut stalled: Vec<_> = (0..3)
        .map(|_| {
            let mut line = server.line();
            line.send(&ask).expect("sent");
            line.wait_for("HTTP/1.1 200 OK\r\n").expect("a head");
            line
        })
        .collect();
    // The one connection for long reads is free between the pages.
    for _ in 0..2 {
        server.get(PATH).user(&key).send().expect(200);
    }
    for line in &mut stalled {
        // What is sent anew shows that the server has gone; what was sent to us is not read.
        wait_for(|| {
            (0..60).for_each(|_| server.app.transport.connections.tick());
            line.send(&ask).is_err().then_some(())
        });
    }
}

/// Reads bit by bit for longer than the time-out, but never stalls for that long; its buffer is
/// small, so that the server has to wait for it.
#[test]
fn a_reader_that_keeps_taking_gets_all_of_it() {
    let (setup, key) = long();
    let server = setup.set("VOMEET_HTTP_RESPONSE_SECONDS_MAX", "300").start();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(64 * 1024).expect("a small buffer");
    socket.connect_timeout(&SockAddr::from(server.address), PATIENCE).expect("a connection");
    let mut stream = Unbroken(socket.into());
    stream
        .write_all(&server.get(PATH).user(&key).header("Connection", "close").bytes())
        .expect("sent");
    stream.0.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let (mut taken, mut seconds, mut piece) = (Vec::new(), 0, vec![0; 64 * 1024]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        taken.extend_from_slice(&piece[..count]);
        // It takes 16 KiB in a second.
        while seconds < taken.len() / (16 * 1024) {
            server.app.transport.connections.tick();
            seconds += 1;
        }
    }
    assert!(taken.ends_with(b"]}\r\n0\r\n\r\n"), "cut after {} bytes and {seconds} s", taken.len());
    assert!(seconds > 600, "{seconds} s: nothing is tested");
}

#[test]
fn a_page_that_fails_cuts_the_connection() {
    let mut key = String::new();
    let setup = Setup::new().rows(|db| {
        key = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, 3_000, "fine");
        // What is no UTF-8 cannot be read as text.
        db.execute("UPDATE segments SET text = CAST(x'ff' AS TEXT) WHERE id = 2500", [])
            .expect("a broken row");
    });
    let server = setup.start();
    let cut = server.get(PATH).user(&key).try_send().expect_err("a transcript that is not whole");
    assert!(is_end(&cut), "{cut}");
    assert_eq!(server.get("/healthz").send().status, 200);
}

#[test]
fn a_stop_lets_a_transcript_come_to_its_end() {
    let mut key = String::new();
    let setup = Setup::new().set("VOMEET_HTTP_STOP_SECONDS_MAX", "60").rows(|db| {
        key = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, 50_000, &"word ".repeat(50));
    });
    let mut server = setup.start();
    let mut line = server.line();
    line.send(server.get(PATH).user(&key).bytes()).expect("sent");
    line.wait_for("HTTP/1.1 200 OK\r\n").expect("a head");
    server.ask_to_stop();
    let text = line.ended().expect("the end");
    assert!(text.ends_with(b"]}\r\n0\r\n\r\n"), "cut after {} bytes", text.len());
}

#[test]
fn what_is_said_meanwhile_is_there_once_or_not_at_all() {
    let (server, key, session) = one_meeting();
    let batch = |from: u32| {
        json!(
            (from..from + 500)
                .map(|n| json!({"start": n, "end": n + 1, "text": format!("w{n}")}))
                .collect::<Vec<_>>()
        )
    };
    (0..4).for_each(|n| session.say(&server, &batch(n * 500)));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..20).for_each(|_| session.say(&server, &batch(1_000))));
        while !writer.is_finished() {
            let body = server.get(PATH).user(&key).send().expect(200);
            let starts: Vec<_> = body["segments"]
                .as_array()
                .expect("segments")
                .iter()
                .map(|s| s["start"].clone())
                .collect();
            assert_eq!(starts, (0..2_000).map(|n| json!(f64::from(n))).collect::<Vec<Value>>());
        }
    });
}
