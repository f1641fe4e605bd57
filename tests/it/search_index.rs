//! The word index as a search meets it: in step with the segments, nothing of what was deleted,
//! bounded.

use crate::client::segment as encoded;
use crate::search::{highlights, page, three_meetings};
use crate::segments::one_meeting;
use crate::server::open_file;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

#[test]
fn what_was_replaced_or_deleted_is_never_found_again() {
    let (server, [key, other], sessions) = three_meetings();
    sessions[0]
        .say(&server, &json!([{"start": 0, "end": 1, "text": "forecast 会議", "speaker": "Ada"}]));
    assert_eq!(highlights(&server, &key, "budget").len(), 7);
    assert_eq!(
        highlights(&server, &key, "forecast 会議"),
        ["<mark>forecast</mark> <mark>会議</mark>"]
    );
    assert_eq!(page(&server, &key, "q=forecast&speaker=ada")["results"][0]["id"], 1);
    assert_eq!(
        page(&server, &key, "q=budget&speaker=ada&meeting_id=1")["results"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    // A user goes with all that they said; a meeting's words go with its segments.
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        db.execute("UPDATE meetings SET status = 'completed'", []).expect("the end");
        db.execute("DELETE FROM segments WHERE meeting_id = 1", []).expect("redacted");
    });
    let server = setup.start();
    assert_eq!(highlights(&server, &key, "budget").len(), 4);
    assert_eq!(highlights(&server, &key, "forecast"), Vec::<String>::new());
    assert_eq!(highlights(&server, &other, "budget").len(), 4);
    assert_eq!(server.delete("/admin/users/2").admin().send().status, 204);
    let setup = server.stop();
    crate::indexing::index_all(&setup.database());
    open_file(&setup.database(), |db| {
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
        assert_eq!(count("SELECT count(*) FROM words"), 4);
        assert_eq!(count("SELECT count(*) FROM words WHERE words MATCH 'owner:u2'"), 0);
        db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)", [])
            .expect("an index that is whole");
        assert_eq!(count("SELECT count(*) FROM segments s JOIN words w ON w.rowid = s.id"), 4);
    });
}

/// However batches follow each other, the index holds what the table holds.
#[test]
fn the_index_keeps_in_step_with_the_segments() {
    let (server, _, session) = one_meeting();
    let word = prop::sample::select(vec!["one", "two", "會議", "ส", "👍", "Zoë", "\"q\"", ""]);
    let segment = (0u8..6, 1u8..4, word.clone(), proptest::option::of(word));
    let batch = proptest::collection::vec(segment, 0..6);
    let mut runner =
        TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&batch, |batch| {
        let segments = batch.iter().map(|(start, length, text, speaker)| {
            json!({"start": start, "end": start + length, "text": text, "speaker": speaker})
        });
        session.send(&server, &segments.collect()).expect(200);
        Ok(())
    });
    outcome.expect("every batch is stored");
    let setup = server.stop();
    crate::indexing::index_all(&setup.database());
    open_file(&setup.database(), |db| {
        db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)", [])
            .expect("an index that is whole");
        let sql = "SELECT s.text, s.speaker, w.text, w.speaker, w.owner FROM segments s LEFT JOIN words w ON w.rowid = s.id";
        let mut rows = db.prepare(sql).expect(sql);
        let rows = rows.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, String>(4)?))
        });
        let rows: Vec<(String, Option<String>, String, String, String)> =
            rows.expect("rows").map(|row| row.expect("a row")).collect();
        assert!(!rows.is_empty());
        for (text, speaker, indexed_text, indexed_speaker, owner) in rows {
            let bare = |text: &str| text.replace('\u{2060}', "");
            let without_accent = |text: &str| text.replace("Zoë", "Zoe");
            assert_eq!(
                (bare(&indexed_text), bare(&indexed_speaker)),
                (without_accent(&text), without_accent(&speaker.unwrap_or_default()))
            );
            assert_eq!(owner, "u1");
        }
        let count = db
            .query_row("SELECT count(*) FROM words", [], |row| row.get::<_, i64>(0))
            .expect("a count");
        assert_eq!(
            db.query_row("SELECT count(*) FROM segments", [], |row| row.get::<_, i64>(0))
                .expect("a count"),
            count
        );
    });
}

#[test]
fn a_search_for_too_much_is_refused() {
    let (server, key, _) = one_meeting();
    let search =
        |q: &str| server.get(format!("/transcripts/search?q={}", encoded(q))).user(&key).send();
    for (q, status) in [
        (["word"; 16].join(" "), 200),
        (["word"; 17].join(" "), 422),
        ("be* wo*".to_owned(), 200),
        ("be* wo* no*".to_owned(), 422),
    ] {
        assert_eq!(search(&q).status, status, "{q}");
    }
}
