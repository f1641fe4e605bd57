//! `ETag` and `If-None-Match` of transcripts: 304 as long as nothing has changed.

use crate::client::Answer;
use crate::segments::{insert_session, one_meeting};
use crate::server::{Server, Setup, open_file};
use crate::steady::{PATH, cursor_of, retract};
use crate::tokens::insert_token;
use crate::transcripts::insert_segments;
use rusqlite::Connection;
use serde_json::json;

/// The tag of a response.
fn tag_of(answer: &Answer) -> String {
    answer.header("etag").expect("a tag").to_owned()
}

#[test]
fn whoever_has_it_is_told_so_until_something_changes() {
    let (server, key, session) = one_meeting();
    let get = |query: &str, tag: &str| {
        let call = server.get(format!("{PATH}{query}")).user(&key);
        let call = if tag.is_empty() { call } else { call.header("If-None-Match", tag) };
        call.send()
    };
    let mut tag = tag_of(&get("", ""));
    let notes = json!({"data": {"notes": "x"}});
    let segment = json!([{"segment_id": "a", "start": 1, "end": 2, "text": "one"}]);
    let changed = json!([{"segment_id": "a", "start": 1, "end": 2, "text": "two"}]);
    let steps: [(&str, &dyn Fn()); 5] = [
        ("a new segment", &|| session.say(&server, &segment)),
        ("a changed segment", &|| session.say(&server, &changed)),
        ("a removed segment", &|| retract(&server, &session, &["a".to_owned()])),
        ("a note", &|| {
            server
                .patch("/meetings/google_meet/abc-defg-hij")
                .user(&key)
                .json(&notes)
                .send()
                .expect(200);
        }),
        ("the end", &|| {
            let ended = json!({"connection_id": session.uid, "exit_code": 0});
            server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
        }),
    ];
    for (row, change) in steps {
        for query in ["", "?format=vtt", &format!("?after={}", cursor_of(&get("", "").json()))] {
            let known = get(query, &tag);
            assert_eq!((known.status, known.body.len()), (304, 0), "before {row}, {query}");
            assert_eq!(tag_of(&known), tag, "before {row}, {query}");
            assert_eq!(known.header("content-type"), None, "before {row}, {query}");
        }
        change();
        let new = get("", &tag);
        assert_eq!(new.status, 200, "{row}");
        assert_ne!(tag_of(&new), tag, "{row}");
        tag = tag_of(&new);
    }
    let by_id = |query: &str| server.get(format!("/transcripts/by-id/1{query}")).user(&key);
    for query in ["", "?format=vtt", &format!("?after={}", cursor_of(&get("", "").json()))] {
        assert_eq!(by_id(query).header("If-None-Match", &tag).send().status, 304, "{query}");
        let (one, other) = (by_id(query).send(), get(query, ""));
        assert_eq!((one.status, tag_of(&one)), (200, tag.clone()), "{query}");
        assert_eq!(one.text(), other.text(), "{query}");
    }
    assert_eq!(get("", &format!("\"other\", {tag}")).status, 304);
    assert_eq!(get("", "*").status, 304);
    assert_eq!(get("", "\"other\"").status, 200);
    let server = server.restart();
    let known = server.get(PATH).user(&key).header("If-None-Match", &tag).send();
    assert_eq!(known.status, 304, "a restart changes nothing");
}

/// A broken segment cannot be read: a response that reads it fails.
fn with_a_broken_segment(db: &Connection) -> String {
    let key = insert_token(db, 1, None);
    insert_session(db, 1, "abc-defg-hij");
    insert_segments(db, 1, 3, "fine");
    key
}

#[test]
fn no_segment_is_read_for_whoever_has_it() {
    let mut key = String::new();
    let setup = Setup::new().rows(|db| key = with_a_broken_segment(db));
    let server: Server = setup.start();
    let tag = tag_of(&server.get(PATH).user(&key).send());
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        db.execute("UPDATE segments SET text = CAST(x'ff' AS TEXT) WHERE id = 1", [])
            .expect("a broken row");
    });
    let server = setup.start();
    let known = server.get(PATH).user(&key).header("If-None-Match", &tag).send();
    assert_eq!(known.status, 304);
    assert_eq!(server.get(PATH).user(&key).send().status, 500, "nothing is tested");
}
