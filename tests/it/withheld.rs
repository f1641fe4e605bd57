//! Words that an engine heard and that are not believed: shown with their reasons where that is
//! asked for, and gone with their meeting.

use crate::client::{fields, find};
use crate::secrets::everything;
use crate::segments::insert_session;
use crate::server::{Server, Setup, open_file};
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

const PATH: &str = "/transcripts/google_meet/abc-defg-hij?withheld=true";

/// A sound of a meeting that began so many milliseconds after it, with a window; the window's number.
fn insert_window(
    db: &Connection,
    meeting: i64,
    uid: &str,
    after_ms: i64,
    speaker: Option<&str>,
) -> i64 {
    let stream = "INSERT INTO streams (meeting_id, uid, started_at)
                  SELECT ?1, ?2, started_at + ?3 FROM sessions WHERE meeting_id = ?1";
    db.execute(stream, params![meeting, uid, after_ms]).expect("a stream");
    let stream_id = db.last_insert_rowid();
    let sound = "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, speaker)
                 VALUES (?1, ?2, 'bot', 's16le', 16000, 1, ?3)";
    db.execute(sound, params![meeting, stream_id, speaker]).expect("a sound");
    let window = "INSERT INTO windows (sound_id, start_ms, end_ms, spool_offset, created_at)
                  VALUES (?1, 0, 28000, 0, 0)";
    db.execute(window, [db.last_insert_rowid()]).expect("a window");
    db.last_insert_rowid()
}

fn insert_withheld(
    db: &Connection,
    window: i64,
    (start, end): (i64, i64),
    text: &str,
    reason: &str,
) {
    let sql = "INSERT INTO withheld (window_id, start_ms, end_ms, text, reason) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.execute(sql, params![window, start, end, text, reason]).expect("withheld words");
}

/// Meeting 1 with two sounds, and 2 of another user with one.
fn start() -> (Server, [String; 2]) {
    let mut keys = [String::new(), String::new()];
    let setup = Setup::new().rows(|db| {
        keys = [insert_token(db, 1, None), insert_token(db, 2, None)];
        insert_session(db, 1, "abc-defg-hij");
        insert_session(db, 2, "abc-defg-hij");
        let adas = insert_window(db, 1, "one", 0, Some("Ada"));
        let mixed = insert_window(db, 1, "two", 10_000, None);
        let others = insert_window(db, 2, "three", 0, None);
        insert_withheld(db, adas, (61_500, 63_000), "Zqwatching", "known_of_silence");
        insert_withheld(db, mixed, (500, 1_500), "[Zqnoise]", "no_voice");
        insert_withheld(db, adas, (10_500, 12_000), "so so so", "repeats");
        insert_withheld(db, others, (0, 1_000), "Zqother", "unsure");
    });
    (setup.start(), keys)
}

#[test]
fn withheld_words_are_shown_where_they_are_asked_for() {
    let (server, [key, other]) = start();
    let get = |path: &str| server.get(path).user(&key).send().expect(200);
    let whole = get(PATH);
    let shown = whole["withheld"].as_array().expect("a list");
    let words: Vec<_> =
        shown.iter().map(|one| (&one["start"], &one["end"], &one["text"])).collect();
    let at = |seconds: f64| json!(seconds);
    assert_eq!(
        words,
        [
            (&at(10.5), &at(11.5), &json!("[Zqnoise]")),
            (&at(10.5), &at(12.0), &json!("so so so")),
            (&at(61.5), &at(63.0), &json!("Zqwatching")),
        ]
    );
    let all = ["absolute_start_time", "end", "reason", "speaker", "start", "text"];
    assert_eq!(fields(&shown[0]), all);
    assert_eq!((&shown[0]["reason"], &shown[0]["speaker"]), (&json!("no_voice"), &Value::Null));
    assert_eq!(
        (&shown[2]["reason"], &shown[2]["speaker"]),
        (&json!("known_of_silence"), &json!("Ada"))
    );
    crate::client::assert_time(&shown[0]["absolute_start_time"]);
    assert_eq!(get("/transcripts/by-id/1?withheld=true"), whole);
    for path in [
        "/transcripts/google_meet/abc-defg-hij",
        "/transcripts/google_meet/abc-defg-hij?withheld=false",
        "/transcripts/by-id/1",
    ] {
        assert_eq!(get(path).get("withheld"), None, "{path}");
    }
    let text = server.get(format!("{PATH}&format=txt")).user(&key).send();
    assert_eq!((text.status, text.text()), (200, ""), "text holds what is believed");
    let theirs = server.get(PATH).user(&other).send().expect(200);
    assert_eq!(theirs["withheld"][0]["text"], "Zqother");
    assert_eq!(theirs["withheld"].as_array().map(Vec::len), Some(1));
    let wrong = server.get("/transcripts/by-id/1?withheld=perhaps").user(&key).send();
    assert_eq!(wrong.faults(), [("bool_parsing".to_owned(), "query.withheld".to_owned())]);
    let export = server.get("/admin/users/1/export").admin().send().expect(200);
    assert_eq!(export["meetings"][0]["withheld"], whole["withheld"]);
}

#[test]
fn a_known_transcript_is_new_once_more_is_withheld() {
    let (server, [key, _]) = start();
    let answer = server.get(PATH).user(&key).send();
    let tag = answer.header("etag").expect("a tag").to_owned();
    let again = || server.get(PATH).user(&key).header("If-None-Match", &tag).send().status;
    assert_eq!(again(), 304);
    let plain = "/transcripts/google_meet/abc-defg-hij";
    let plain = server.get(plain).user(&key).header("If-None-Match", &tag).send();
    assert_eq!(plain.status, 200, "it is another response");
    let setup = server.stop();
    open_file(&setup.database(), |db| insert_withheld(db, 1, (20_000, 21_000), "more", "unsure"));
    let server = setup.start();
    let answer = server.get(PATH).user(&key).header("If-None-Match", &tag).send();
    assert_eq!(answer.expect(200)["withheld"].as_array().map(Vec::len), Some(4));
}

#[test]
fn many_withheld_words_are_all_shown() {
    let (server, [key, _]) = start();
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        db.execute_batch("BEGIN").expect("a transaction");
        for number in 0..5_000 {
            let text = format!("number {number}");
            insert_withheld(db, 1, (number / 3, number / 3 + 1), &text, "unsure");
        }
        db.execute_batch("COMMIT").expect("a commit");
    });
    let server = setup.start();
    let whole = server.get(PATH).user(&key).send().expect(200);
    let shown = whole["withheld"].as_array().expect("a list");
    assert_eq!(shown.len(), 5_003);
    let numbers = shown.iter().filter(|one| one["reason"] == "unsure");
    for (number, one) in numbers.enumerate() {
        assert_eq!(one["text"], format!("number {number}"));
    }
}

#[test]
fn withheld_words_go_with_their_meeting() {
    let (server, [key, _]) = start();
    let over = server.stop();
    open_file(&over.database(), |db| {
        let sql =
            "UPDATE meetings SET status = 'completed', end_time = start_time + 1 WHERE id = 1";
        db.execute(sql, []).expect("a meeting that is over");
    });
    let server = over.start();
    server.delete("/meetings/google_meet/abc-defg-hij").user(&key).send().expect(200);
    let holds = |mark: &str| {
        let files = everything(server.folder());
        files.into_iter().any(|(_, bytes)| find(&bytes, mark.as_bytes()).is_some())
    };
    crate::client::wait_for(|| (!holds("Zqwatching") && !holds("Zqnoise")).then_some(()));
    assert!(holds("Zqother"), "that of others stays");
}
