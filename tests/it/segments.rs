//! What a bot hears: how batches are stored, replaced, refused, and announced by the next
//! transcript.

use crate::client::{Answer, Client, assert_time};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::webhook_list::insert_quiet_webhook;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vomeet::domain::PlainToken;

/// When the sessions of these tests began: 2025-10-10T12:00:00.000Z.
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

/// The stream of a meeting's session.
pub fn insert_stream(db: &Connection, meeting: i64) -> i64 {
    let insert = "INSERT INTO streams (meeting_id, uid, started_at)
                  SELECT meeting_id, uid, started_at FROM sessions WHERE meeting_id = ?1 ON CONFLICT DO NOTHING";
    db.execute(insert, [meeting]).expect("a stream");
    db.query_row("SELECT id FROM streams WHERE meeting_id = ?1", [meeting], |row| row.get(0))
        .expect("a stream")
}

/// A server with meeting `abc-defg-hij` of user 1, and the user's token.
pub fn one_meeting() -> (Server, String, Session) {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
        let rename = "UPDATE users SET email = 'one@example.com', email_key = 'one@example.com' WHERE id = 1";
        db.execute(rename, []).expect("user 1");
        insert_quiet_webhook(db, 1);
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
fn a_replaced_segment_keeps_what_it_was_and_a_repeated_batch_changes_nothing() {
    let (server, key, session) = one_meeting();
    let transcript =
        || server.get("/transcripts/google_meet/abc-defg-hij").user(&key).send().expect(200);
    session
        .say(&server, &json!([{"start": 12.5, "end": 13, "text": "one"}, {"start": 61.001, "end": 62, "text": "two"}]));
    let first = transcript();
    let segment = &first["segments"][0];
    assert_eq!(segment["absolute_start_time"], "2025-10-10T12:00:12.500Z");
    assert_eq!(segment["absolute_end_time"], "2025-10-10T12:00:13.000Z");
    assert_eq!(first["segments"][1]["absolute_start_time"], "2025-10-10T12:01:01.001Z");
    assert_time(&segment["created_at"]);
    let batch = json!([{"start": 12.5, "end": 14, "text": "one and a half", "language": "en"}]);
    session.say(&server, &batch);
    let second = transcript();
    let mut expected = first.clone();
    expected["segments"][0]["text"] = json!("one and a half");
    expected["segments"][0]["language"] = json!("en");
    expected["segments"][0]["end"] = json!(14.0);
    expected["segments"][0]["absolute_end_time"] = json!("2025-10-10T12:00:14.000Z");
    assert_ne!(second["cursor"], first["cursor"]);
    expected["cursor"] = second["cursor"].clone();
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
    let [one, _, over] = made.expect("rows");
    let server = setup.start();
    let key = server.new_token(1).text;
    let batch = json!([{"start": 1, "end": 2, "text": "x"}]);
    let unknown = PlainToken::generate().expect("randomness").reveal().to_owned();
    for (about, uid, token) in [
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
