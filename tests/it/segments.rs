//! What a bot hears: how batches are stored, replaced, refused, and announced by the next
//! transcript.

use crate::client::{Answer, Client, assert_time};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vomeet::domain::{Offset, PlainToken, SegmentInput, Time, TokenHash};
use vomeet::store::{Change, Options, Store, StoreSegments};

/// When the sessions of these tests began: 2025-10-10T12:00:00Z.
pub const BEGAN: i64 = 1_760_097_600_000;

/// A meeting with a bot in it.
#[derive(Debug, Clone)]
pub struct Session {
    pub uid: String,
    pub token: String,
}

/// Puts an active meeting of a user on Google Meet into a file, and the session of its bot.
pub fn insert_session(db: &Connection, user: i64, native_id: &str) -> Session {
    let token = PlainToken::generate().expect("randomness");
    db.execute(
        "INSERT INTO meetings (user_id, platform, native_meeting_id, status, start_time, data, created_at, updated_at)
         VALUES (?1, 'google_meet', ?2, 'active', ?3, '{}', ?3, ?3)",
        params![user, native_id, BEGAN],
    )
    .expect("a meeting");
    let meeting_id = db.last_insert_rowid();
    let uid = format!("session-{meeting_id}");
    db.execute(
        "INSERT INTO sessions (meeting_id, uid, token_hash, bot_name, language, task, started_at)
         VALUES (?1, ?2, ?3, 'Bot', 'de', 'translate', ?4)",
        params![meeting_id, uid, token.hash().0, BEGAN],
    )
    .expect("a session");
    Session { uid, token: token.reveal().to_owned() }
}

/// A server with meeting `abc-defg-hij` of user 1, and the user's token.
pub fn one_meeting() -> (Server, String, Session) {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
        let rename = "UPDATE users SET email = 'one@example.com', email_key = 'one@example.com' WHERE id = 1";
        db.execute(rename, []).expect("user 1");
    });
    let (key, session) = made.expect("rows");
    (setup.start(), key, session)
}

impl Session {
    pub fn send(&self, client: &Client, segments: &Value) -> Answer {
        let body = json!({ "uid": self.uid, "segments": segments });
        client.post("/bots/internal/segments").bearer(&self.token).json(&body).send()
    }

    /// Sends segments that must all be stored.
    pub fn say(&self, client: &Client, segments: &Value) {
        let stored = self.send(client, segments).expect(200);
        assert_eq!(stored["accepted"], segments.as_array().expect("segments").len(), "{segments}");
    }
}

/// Start, end, speaker and text of each segment of a transcript.
pub fn said(client: &Client, key: &str) -> Vec<(f64, f64, Value, String)> {
    let body = client.get("/transcripts/google_meet/abc-defg-hij").user(key).send().expect(200);
    let segment = |segment: &Value| {
        let number = |name: &str| segment[name].as_f64().expect("a number");
        (
            number("start"),
            number("end"),
            segment["speaker"].clone(),
            segment["text"].as_str().expect("text").to_owned(),
        )
    };
    body["segments"].as_array().expect("segments").iter().map(segment).collect()
}

fn refused() -> (u16, String) {
    (401, "Invalid bot token".to_owned())
}

#[test]
fn batches_are_tidied_stored_and_replaced() {
    let (server, key, session) = one_meeting();
    let ada = json!("Ada");
    for (about, batch, accepted, expected) in [
        (
            "as it comes",
            json!([{"start": 1.5, "end": 2.25, "text": " Hello\n", "speaker": "Ada", "language": "en"}]),
            1,
            vec![(1.5, 2.25, ada.clone(), "Hello")],
        ),
        (
            "the same start to 1 ms is replaced",
            json!([{"start": 1.500_4, "end": 3, "text": "Hello there", "speaker": "Ada"}]),
            1,
            vec![(1.5, 3.0, ada.clone(), "Hello there")],
        ),
        (
            "another millisecond is another segment, and swapped times are swapped back",
            json!([{"start": 4, "end": 1.501, "text": "later"}]),
            1,
            vec![(1.5, 3.0, ada.clone(), "Hello there"), (1.501, 4.0, Value::Null, "later")],
        ),
        (
            "nothing is nothing",
            json!([{"start": 7, "end": 8, "text": " \n "}, {"start": 7, "end": 7.0004, "text": "short"}]),
            0,
            vec![(1.5, 3.0, ada.clone(), "Hello there"), (1.501, 4.0, Value::Null, "later")],
        ),
        (
            "of two in a batch the later one counts; times before the start are the start",
            json!([
                {"start": -2, "end": 1, "text": "first", "speaker": " "},
                {"start": 0, "end": 1, "text": "sec\u{0}ond\u{7}", "speaker": "A\tB"},
            ]),
            1,
            vec![
                (0.0, 1.0, json!("A B"), "sec ond"),
                (1.5, 3.0, ada.clone(), "Hello there"),
                (1.501, 4.0, Value::Null, "later"),
            ],
        ),
        (
            "no segments at all",
            json!([]),
            0,
            vec![
                (0.0, 1.0, json!("A B"), "sec ond"),
                (1.5, 3.0, ada.clone(), "Hello there"),
                (1.501, 4.0, Value::Null, "later"),
            ],
        ),
    ] {
        let answer = session.send(&server, &batch).expect(200);
        assert_eq!(
            answer,
            json!({"accepted": accepted, "language": "de", "task": "translate"}),
            "{about}"
        );
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(start, end, speaker, text)| (start, end, speaker, text.to_owned()))
            .collect();
        assert_eq!(said(&server, &key), expected, "{about}");
    }
}

#[test]
fn a_replaced_segment_keeps_what_it_was_and_a_repeated_batch_changes_nothing() {
    let (server, key, session) = one_meeting();
    let transcript =
        || server.get("/transcripts/google_meet/abc-defg-hij").user(&key).send().expect(200);
    session
        .say(&server, &json!([{"start": 12.5, "end": 13, "text": "one"}, {"start": 61.001, "end": 62, "text": "two"}]));
    let first = transcript();
    let segment = &first["segments"][0];
    assert_eq!(segment["absolute_start_time"], "2025-10-10T12:00:12.5Z");
    assert_eq!(segment["absolute_end_time"], "2025-10-10T12:00:13Z");
    assert_eq!(first["segments"][1]["absolute_start_time"], "2025-10-10T12:01:01.001Z");
    assert_time(&segment["created_at"]);
    let batch = json!([{"start": 12.5, "end": 14, "text": "one and a half", "language": "en"}]);
    session.say(&server, &batch);
    let second = transcript();
    let mut expected = first.clone();
    expected["segments"][0]["text"] = json!("one and a half");
    expected["segments"][0]["language"] = json!("en");
    expected["segments"][0]["end"] = json!(14.0);
    expected["segments"][0]["absolute_end_time"] = json!("2025-10-10T12:00:14Z");
    assert_eq!(second, expected);
    session.say(&server, &batch);
    assert_eq!(transcript(), second);
}

#[test]
fn only_the_meetings_own_bot_is_let_in_and_only_until_its_end() {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        insert_token(db, 1, None);
        made = Some(
            ["abc-defg-hij", "abc-defg-hik", "abc-defg-hil"].map(|id| insert_session(db, 1, id)),
        );
        let over = "UPDATE meetings SET status = 'completed' WHERE id = 3";
        db.execute(over, []).expect("the end");
    });
    let [one, two, over] = made.expect("rows");
    let server = setup.start();
    let key = server.new_token(1).text;
    let batch = json!([{"start": 1, "end": 2, "text": "x"}]);
    let unknown = PlainToken::generate().expect("randomness").reveal().to_owned();
    for (about, uid, token) in [
        ("another meeting's token", &one.uid, &two.token),
        ("another meeting's session", &two.uid, &one.token),
        ("no such session", &"nobody".to_owned(), &one.token),
        ("an unknown token", &one.uid, &unknown),
        ("a user's token", &one.uid, &key),
        ("a meeting that is over", &over.uid, &over.token),
    ] {
        let session = Session { uid: uid.clone(), token: token.clone() };
        assert_eq!(session.send(&server, &batch).refusal(), refused(), "{about}");
    }
    let body = json!({"uid": one.uid, "segments": batch});
    let post = || server.post("/bots/internal/segments");
    for (about, call) in [
        ("no token", post()),
        ("no scheme", post().header("Authorization", &one.token)),
        ("another scheme", post().header("Authorization", format!("Basic {}", one.token))),
        ("twice", post().bearer(&one.token).bearer(&one.token)),
        ("no ASCII", post().header("Authorization", "Bearer é")),
        ("in another header", post().header("X-API-Key", &one.token)),
    ] {
        assert_eq!(call.json(&body).send().refusal(), refused(), "{about}");
    }
    let lower = post().header("Authorization", format!("bearer {}", one.token)).json(&body).send();
    assert_eq!(lower.expect(200)["accepted"], 1, "the name of a scheme has no case");
    assert_eq!(server.get("/user").user(&one.token).send().status, 403, "a bot is no user");
}

#[test]
fn every_fault_of_a_batch_is_told_at_once() {
    let (server, key, session) = one_meeting();
    let long = |count: usize| "é".repeat(count);
    let many = |count: u32| {
        (0..count).map(|n| json!({"start": n, "end": n + 1, "text": "x"})).collect::<Vec<_>>()
    };
    let batch = json!([
        {"start": 1, "end": 2, "text": long(8192), "speaker": long(255)},
        {"end": "2", "text": long(8193), "speaker": long(256)},
        7,
        {"start": 1, "end": 2, "text": "x", "language": 5},
    ]);
    let faults = session.send(&server, &batch).faults();
    let faults: Vec<_> = faults.iter().map(|(kind, loc)| (kind.as_str(), loc.as_str())).collect();
    assert_eq!(
        faults,
        [
            ("missing", "body.segments.1.start"),
            ("float_type", "body.segments.1.end"),
            ("string_too_long", "body.segments.1.text"),
            ("string_too_long", "body.segments.1.speaker"),
            ("model_attributes_type", "body.segments.2"),
            ("string_type", "body.segments.3.language"),
        ]
    );
    assert_eq!(
        session.send(&server, &json!(many(1001))).faults(),
        [("too_long".to_owned(), "body.segments".to_owned())]
    );
    assert_eq!(said(&server, &key).len(), 0, "a batch with faults stores nothing");
    session.say(&server, &json!(many(1000)));
    assert_eq!(said(&server, &key).len(), 1000);
}

#[test]
fn this_route_takes_a_mebibyte_and_no_more() {
    let (server, _, session) = one_meeting();
    let body = |bytes: usize| {
        let start =
            format!(r#"{{"uid":"{}","segments":[{{"start":1,"end":2,"text":"x"}}]"#, session.uid);
        format!("{start}{}}}", " ".repeat(bytes - start.len() - 1))
    };
    for (bytes, status) in [(70_000, 200), (1024 * 1024, 200), (1024 * 1024 + 1, 413)] {
        let answer =
            server.post("/bots/internal/segments").bearer(&session.token).body(body(bytes)).send();
        assert_eq!(answer.status, status, "{bytes} bytes");
    }
    assert_eq!(
        server.post("/admin/users").admin().body(body(70_000)).send().status,
        413,
        "other routes do not"
    );
}

/// Bots of many meetings at once: their batches share commits, and each meeting and the index hold
/// all of it.
#[test]
fn many_bots_at_once_lose_nothing() {
    let bots = 8;
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        let sessions = (0..bots).map(|n| insert_session(db, 1 + n % 2, &format!("abc-defg-hi{n}")));
        let keys = [1, 2].map(|user| insert_token(db, user, None));
        made = Some((keys, sessions.collect::<Vec<_>>()));
    });
    let (keys, sessions) = made.expect("rows");
    let server = setup.start();
    std::thread::scope(|scope| {
        for session in &sessions {
            scope.spawn(|| {
                for batch in 0..30 {
                    // Every batch replaces half of the one before.
                    let segment = |n: u32| json!({"start": n, "end": n + 1, "text": format!("batch{batch} word{n}")});
                    session.say(&server, &(batch * 5..batch * 5 + 10).map(segment).collect());
                }
            });
        }
    });
    for key in &keys {
        let found = |q: &str| {
            let path = format!("/transcripts/search?q={q}&limit=100");
            server.get(path).user(key).send().expect(200)["results"]
                .as_array()
                .expect("results")
                .len()
        };
        assert_eq!(
            (found("batch29"), found("batch28"), found("word5"), found("word*")),
            (40, 20, 4, 100)
        );
    }
    let setup = server.stop();
    crate::indexing::index_all(&setup.database());
    crate::server::open_file(&setup.database(), |db| {
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
        assert_eq!(count("SELECT count(*) FROM segments"), 8 * 155);
        assert_eq!(
            count("SELECT count(*) FROM segments s JOIN words w ON w.rowid = s.id"),
            8 * 155
        );
        assert_eq!(count("SELECT count(*) FROM words"), 8 * 155);
        db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)", [])
            .expect("an index that is whole");
    });
}

#[test]
fn what_is_really_stored_is_announced_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, mut made) = (folder.path().join("vomeet.db"), None);
    crate::server::open_file(&database, |db| {
        insert_token(db, 1, None);
        made = Some(insert_session(db, 1, "abc-defg-hij"));
    });
    let session = made.expect("rows");
    let (announced, news) = std::sync::mpsc::channel();
    let options = Options { path: database, small_readers: 1, long_readers: 1, queue_max: 8 };
    let store =
        Store::open(&options, move |change| announced.send(change.clone()).expect("a test"))
            .expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let say = |said: &[(i64, &str)], uid: &str| {
        let heard = said.iter().map(|(start, text)| SegmentInput {
            start: Offset(*start),
            end: Offset(*start + 500),
            text: (*text).to_owned(),
            speaker: None,
            language: None,
        });
        let token_hash = TokenHash::of(session.token.as_bytes());
        let now = Time::from_millis(BEGAN + 60_000);
        let verb = StoreSegments { token_hash, uid: uid.to_owned(), heard: heard.collect(), now };
        runtime.block_on(store.write(verb)).map(|stored| stored.accepted)
    };
    for (about, said, uid, accepted, expected) in [
        (
            "two of three begin at once",
            vec![(1000, "a"), (0, "b"), (1000, "c")],
            session.uid.as_str(),
            Some(2),
            "b c",
        ),
        ("the same again", vec![(0, "b"), (1000, "c")], session.uid.as_str(), Some(2), ""),
        ("one of two is new", vec![(0, "b"), (1000, "d")], session.uid.as_str(), Some(2), "d"),
        ("nothing", vec![], session.uid.as_str(), Some(0), ""),
        ("somebody else's session", vec![(7, "x")], "nobody", None, ""),
    ] {
        assert_eq!(say(&said, uid).ok(), accepted, "{about}");
        let texts = news.try_iter().map(|change| match change {
            Change::SegmentsStored(stored) => {
                assert_eq!(
                    (stored.meeting_id.0, stored.session_uid.as_str()),
                    (1, session.uid.as_str()),
                    "{about}"
                );
                assert_eq!(stored.native_meeting_id.as_deref(), Some("abc-defg-hij"), "{about}");
                stored
                    .segments
                    .iter()
                    .map(|segment| segment.text.clone())
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            other => panic!("{about}: {other:?}"),
        });
        assert_eq!(texts.collect::<Vec<_>>().join("|"), expected, "{about}");
    }
    store.close();
}
