//! Segments and the word index: found at once, indexed once they rest, and by no old word.

use crate::client::{Client, wait_for};
use crate::process::Launch;
use crate::segments::{BEGAN, Session, insert_session, one_meeting};
use crate::server::{Server, Setup, open_file};
use crate::tokens::insert_token;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use tokio::runtime::{Builder, Runtime};
use vomeet::domain::{SegmentId, SegmentInput, SentTime, Time, TokenHash};
use vomeet::store::{IndexSegments, Options, Store, StoreSegmentBatch};

/// A time at which all that these tests say has rested for long.
fn much_later() -> Time {
    Time::from_millis(BEGAN).plus_seconds(100 * 365 * 86_400)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn options(database: &Path) -> Options {
    Options { path: database.to_owned(), small_readers: 1, long_readers: 1, queue_max: 1024 }
}

/// Brings all segments of a file that no server has open into the index.
pub fn index_all(database: &Path) {
    let store = Store::open(&options(database), |_| {}).expect("a store");
    runtime().block_on(store.index_resting(much_later())).expect("an index");
    store.close();
}

/// Brings all segments of a server into the index, as if they had rested.
pub fn index_now(server: &Server) -> usize {
    runtime().block_on(server.app.store.index_resting(much_later())).expect("an index")
}

/// The ids and marked texts that are found, page by page.
fn found(client: &Client, key: &str, query: &str, limit: usize) -> Vec<(i64, String)> {
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/transcripts/search?q={query}&limit={limit}{before}");
        let page = client.get(path).user(key).send().expect(200);
        for result in page["results"].as_array().expect("results") {
            let highlight = result["highlight"].as_str().expect("a highlight");
            found.push((result["id"].as_i64().expect("an id"), highlight.to_owned()));
        }
        let Some(next) = page["next"].as_i64() else { return found };
        before = format!("&before={next}");
    }
}

fn count(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).expect(sql)
}

const INDEXED: &str = "SELECT count(*) FROM words";
const UNINDEXED: &str = "SELECT count(*) FROM segments WHERE unindexed_user_id IS NOT NULL";

/// Whether the index is sound, and has the words of every segment as they are.
fn assert_whole(db: &Connection) {
    db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)", [])
        .expect("a sound index");
    let others = "SELECT count(*) FROM words w LEFT JOIN segments s ON s.id = w.rowid WHERE s.text IS NOT w.text";
    assert_eq!(count(db, others), 0, "words of nobody");
    assert_eq!(count(db, INDEXED), count(db, "SELECT count(*) FROM segments"));
    assert_eq!(count(db, UNINDEXED), 0);
}

/// Segments of a second each from there on, with `word` and their number.
fn numbered(first: usize, number: usize, word: &str) -> Value {
    (first..first + number)
        .map(|n| json!({"start": n, "end": n + 1, "text": format!("{word} {n}")}))
        .collect()
}

#[test]
fn what_was_just_said_is_found_like_what_is_in_the_index() {
    let (server, key, session) = one_meeting();
    session.say(&server, &numbered(0, 30, "common"));
    let at_once = found(&server, &key, "common", 100);
    assert_eq!(at_once.len(), 30);
    assert_eq!(at_once[0], (30, "<mark>common</mark> 29".to_owned()));
    index_now(&server);
    assert_eq!(found(&server, &key, "common", 100), at_once);
    // Some in the index, some not, by turns: pages follow each other through both.
    session.say(&server, &numbered(30, 30, "common"));
    let changed = (0..60)
        .step_by(4)
        .map(|n| json!({"start": n, "end": n + 1, "text": format!("common and {n}")}));
    session.say(&server, &changed.collect());
    let all = found(&server, &key, "common", 100);
    assert_eq!(
        all.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        (1..=60).rev().collect::<Vec<_>>()
    );
    for limit in [1, 7, 15, 59, 60] {
        assert_eq!(found(&server, &key, "common", limit), all, "{limit} on a page");
    }
    index_now(&server);
    assert_eq!(found(&server, &key, "common", 7), all);
    open_file(&server.stop().database(), assert_whole);
}

#[test]
fn what_was_changed_is_found_by_its_new_words_alone() {
    let (server, key, session) = one_meeting();
    let say = |text: &str, speaker: &str| {
        session.say(
            &server,
            &json!([{"segment_id": "x", "start": 1, "end": 2, "text": text, "speaker": speaker}]),
        );
    };
    let number = |query: &str| found(&server, &key, query, 10).len();
    say("first 会議", "Ada");
    index_now(&server);
    for is_indexed in [false, true] {
        say("second", "Ada");
        say("third", "Bob");
        if is_indexed {
            index_now(&server);
        }
        let row = format!("in the index: {is_indexed}");
        assert_eq!(
            (number("first"), number("会議"), number("second"), number("third")),
            (0, 0, 0, 1),
            "{row}"
        );
        assert_eq!((number("third&speaker=ada"), number("third&speaker=bob")), (0, 1), "{row}");
    }
    // Another end alone is no other word.
    session.say(
        &server,
        &json!([{"segment_id": "x", "start": 1, "end": 9, "text": "third", "speaker": "Bob"}]),
    );
    assert_eq!(index_now(&server), 0);
    assert_eq!(number("third"), 1);
    open_file(&server.stop().database(), assert_whole);
}

#[test]
fn nobody_finds_what_others_just_said() {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        let keys = [1, 2].map(|user| insert_token(db, user, None));
        let sessions = [1, 2].map(|user| insert_session(db, user, "abc-defg-hij"));
        made = Some((keys, sessions));
    });
    let ([one, other], sessions) = made.expect("rows");
    let server = setup.start();
    for session in &sessions {
        session.say(&server, &numbered(0, 3, "budget"));
    }
    let ids = |key: &str, query: &str| {
        found(&server, key, query, 2).into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&one, "budget"), [3, 2, 1]);
    assert_eq!(ids(&other, "budget"), [6, 5, 4]);
    assert_eq!(ids(&other, "budget&meeting_id=1"), Vec::<i64>::new());
    assert_eq!(ids(&other, "budget&from=2025-10-10T12:00:01Z&to=2025-10-10T12:00:02Z"), [5]);
    assert_eq!(ids(&other, "budget&platform=teams"), Vec::<i64>::new());
}

#[test]
fn a_meeting_has_few_segments_out_of_the_index() {
    let (server, key, session) = one_meeting();
    for batch in 0..9 {
        session.say(&server, &numbered(batch * 50, 50, "common"));
    }
    assert_eq!(found(&server, &key, "common", 100).len(), 450);
    open_file(&server.stop().database(), |db| {
        let (indexed, unindexed) = (count(db, INDEXED), count(db, UNINDEXED));
        assert_eq!(indexed + unindexed, 450);
        assert!(unindexed <= 200, "{unindexed} are not in the index");
        let newest_indexed = count(db, "SELECT max(rowid) FROM words");
        assert_eq!(newest_indexed, indexed, "the oldest enter it first");
    });
}

#[test]
fn a_kill_leaves_nothing_unfound_and_the_next_start_indexes_it() {
    let mut made = None;
    let setup = Setup::new()
        .rows(|db| made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij"))));
    let (key, session) = made.expect("rows");
    let server =
        Launch::serve(setup.folder()).env("VOMEET_BOTS_ACTIVE_SECONDS_MAX", "315360000").start();
    session.say(&server, &numbered(0, 5, "common"));
    let before = found(&server, &key, "common", 10);
    assert_eq!(before.len(), 5);
    server.kill();
    // As a kill leaves it that comes before they rest; then time passes.
    let setup = setup.rows(|db| {
        db.execute_batch(
            "DELETE FROM words; UPDATE segments SET unindexed_user_id = 1, updated_at = 0",
        )
        .expect("a kill");
        assert_eq!(count(db, UNINDEXED), 5);
    });
    let server = setup.start();
    assert_eq!(found(&server, &key, "common", 10), before);
    let reader = crate::erasure::reader(server.folder());
    wait_for(|| (count(&reader, UNINDEXED) == 0).then_some(()));
    drop(reader);
    assert_eq!(found(&server, &key, "common", 10), before);
    open_file(&server.stop().database(), assert_whole);
}

#[test]
fn nothing_is_found_of_a_redacted_meeting() {
    let (server, key, session) = one_meeting();
    session.say(&server, &numbered(0, 10, "common"));
    index_now(&server);
    session.say(&server, &numbered(5, 10, "other"));
    let setup = server.stop().rows(|db| {
        // Those that rest in the meantime are as they were: some in the index, some not, some there
        // with old words.
        let moving = "DELETE FROM words WHERE rowid > 10; UPDATE segments SET unindexed_user_id = 1 WHERE id > 5";
        db.execute_batch(moving).expect("segments that move");
        assert_eq!((count(db, INDEXED), count(db, UNINDEXED)), (10, 10));
        db.execute("UPDATE meetings SET status = 'completed'", []).expect("the end");
    });
    let server = setup.start();
    assert_eq!(server.delete("/meetings/google_meet/abc-defg-hij").user(&key).send().status, 200);
    assert_eq!(
        (found(&server, &key, "common", 10), found(&server, &key, "other", 10)),
        (vec![], vec![])
    );
    assert_eq!(index_now(&server), 0);
    open_file(&server.stop().database(), |db| {
        assert_whole(db);
        assert_eq!(count(db, INDEXED), 0);
    });
}

/// A file with a meeting in it, and the bot's session.
fn file_with_session(folder: &Path) -> (Options, Session) {
    let database = folder.join("vomeet.db");
    let mut session = None;
    open_file(&database, |db| {
        insert_token(db, 1, None);
        session = Some(insert_session(db, 1, "abc-defg-hij"));
    });
    (options(&database), session.expect("a session"))
}

fn said(session: &Session, starts: &[i64], text: &str, at: Time) -> StoreSegmentBatch {
    let heard = starts.iter().map(|start| SegmentInput {
        segment_id: None,
        start: SentTime::Offset(*start),
        end: SentTime::Offset(*start + 500),
        absolute: None,
        text: text.to_owned(),
        speaker: None,
        by_platform: false,
        language: None,
        completed: true,
    });
    StoreSegmentBatch {
        token_hash: TokenHash::of(session.token.as_bytes()),
        uid: session.uid.clone(),
        started_at: None,
        segments: heard.collect(),
        events: Vec::new(),
        now: at,
    }
}

#[test]
fn a_segment_rests_when_the_next_has_begun_or_time_has_passed_or_the_meeting_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let (options, session) = file_with_session(folder.path());
    let at = |seconds: i64| Time::from_millis(BEGAN).plus_seconds(seconds);
    let runtime = runtime();
    let store = Store::open(&options, |_| {}).expect("a store");
    let indexed =
        |seconds: i64| runtime.block_on(store.index_resting(at(seconds))).expect("an index");
    runtime.block_on(store.write(said(&session, &[0, 1000, 2000], "a", at(0)))).expect("segments");
    assert_eq!([indexed(4), indexed(5), indexed(19), indexed(20), indexed(21)], [0, 2, 0, 1, 0]);
    // What changes is no longer at rest.
    runtime.block_on(store.write(said(&session, &[0, 2000], "b", at(30)))).expect("segments");
    runtime.block_on(store.write(said(&session, &[0], "c", at(34)))).expect("a segment");
    assert_eq!([indexed(38), indexed(39), indexed(49), indexed(50)], [0, 1, 0, 1]);
    runtime.block_on(store.write(said(&session, &[0, 2000], "d", at(60)))).expect("segments");
    store.close();
    drop(store);
    open_file(&options.path, |db| {
        db.execute("UPDATE meetings SET status = 'failed'", []).expect("the end");
    });
    let store = Store::open(&options, |_| {}).expect("a store");
    assert_eq!(runtime.block_on(store.index_resting(at(60))).expect("an index"), 2);
    store.close();
    drop(store);
    open_file(&options.path, assert_whole);
}

/// The tables that these verbs write, row by row.
fn tables(database: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    open_file(database, |db| {
        for sql in [
            "SELECT id || '|' || text || '|' || coalesce(unindexed_user_id, '') FROM segments ORDER BY id",
            "SELECT rowid || '|' || owner || '|' || text FROM words ORDER BY rowid",
            "SELECT term || '|' || doc || '|' || cnt FROM vocabulary ORDER BY term",
        ] {
            let mut statement = db.prepare(sql).expect(sql);
            let table = statement.query_map([], |row| row.get::<_, String>(0)).expect(sql);
            rows.extend(table.map(|row| row.expect("a row")));
        }
    });
    rows
}

/// However verbs share commits, the rows and the index come out the same.
#[test]
fn verbs_in_one_commit_leave_what_they_leave_one_by_one() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let at = Time::from_millis(BEGAN);
    let mut commits = Vec::new();
    let (options, session) = file_with_session(folders[0].path());
    std::fs::copy(&options.path, folders[1].path().join("vomeet.db")).expect("a copy");
    for (folder, is_together) in folders.iter().zip([false, true]) {
        let store =
            Store::open(&self::options(&folder.path().join("vomeet.db")), |_| {}).expect("a store");
        runtime().block_on(async {
            for round in 0..40_i64 {
                let starts: Vec<i64> = (round * 6..round * 6 + 12).map(|n| n * 1000).collect();
                let ids = (round * 4..round * 4 + 5).map(SegmentId).collect();
                let first = store.write(said(&session, &starts, &format!("round {round}"), at));
                let index = store.write(IndexSegments { ids });
                let refused = store.write(StoreSegmentBatch {
                    token_hash: TokenHash::of(b"nobody"),
                    ..said(&session, &[7], "x", at)
                });
                let again =
                    store.write(said(&session, &starts[3..5], &format!("again {round}"), at));
                if is_together {
                    let (first, index, refused, again) = tokio::join!(first, index, refused, again);
                    for (what, error) in
                        [("first", first.err()), ("index", index.err()), ("again", again.err())]
                    {
                        assert!(error.is_none(), "round {round}, {what}: {error:?}");
                    }
                    assert!(refused.is_err());
                } else {
                    assert!(first.await.is_ok());
                    assert!(index.await.is_ok());
                    assert!(refused.await.is_err());
                    assert!(again.await.is_ok());
                }
            }
        });
        commits.push(store.written().commits);
        store.close();
    }
    assert!(commits[1] < commits[0], "no commit was shared: nothing is tested ({commits:?})");
    let [one_by_one, together] = folders.map(|folder| tables(&folder.path().join("vomeet.db")));
    assert!(one_by_one.len() > 300, "{} rows", one_by_one.len());
    assert_eq!(one_by_one, together);
}
