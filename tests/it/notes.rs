//! the HTTP contract: what owners note about their meetings, and how a meeting is removed.

use crate::bots;
use crate::client::Answer;
use crate::lifecycle;
use crate::secrets::{everything, leaks};
use crate::segments::insert_stream;
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

/// Words that must be nowhere once their meeting was removed.
const PRIVATE: [&str; 4] =
    ["zzqxprivateword", "Zoltan Qxprivate", "qxq-abcd-zzz", "Qxqprivate notes"];

/// A meeting of user 1 with this state, and what was said in it.
fn insert_meeting(db: &Connection, status: &str) {
    let data = json!({
        "status_transition": [{ "from": "active", "to": status }], "completion_reason": "stopped", "error": "none",
        "failure_stage": "active", "participants": [PRIVATE[1]], "notes": PRIVATE[3]
    });
    let meeting = "INSERT INTO meetings (user_id, platform, native_meeting_id, constructed_meeting_url, status, data, created_at, updated_at)
                   VALUES (1, 'google_meet', ?1, ?2, ?3, ?4, 1, 1)";
    let url = format!("https://meet.google.com/{}", PRIVATE[2]);
    db.execute(meeting, params![PRIVATE[2], url, status, data.to_string()]).expect("a meeting");
    let id = db.last_insert_rowid();
    let session =
        "INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (?1, ?2, 'Vomeet', 1)";
    db.execute(session, params![id, format!("session-{id}")]).expect("a session");
    let stream = insert_stream(db, id);
    for start in 0..450 {
        let segment = "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker,
                         speaker_source, completed, created_at, updated_at)
                       VALUES (?1, ?2, ?3, ?3, ?3 + 1, ?4, ?5, 'stream', 1, 1, 1)";
        db.execute(segment, params![id, stream, start, PRIVATE[0], PRIVATE[1]]).expect("a segment");
        let words = "INSERT INTO words (rowid, owner, speaker, text) VALUES (?1, 'u1', ?2, ?3)";
        db.execute(words, params![db.last_insert_rowid(), PRIVATE[1], PRIVATE[0]]).expect("words");
    }
    let delivery = "INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts) VALUES (1, ?1, 'x', ?2, 1, 1)";
    db.execute(
        delivery,
        params![id, json!({ "meeting": { "native_meeting_id": PRIVATE[2] } }).to_string()],
    )
    .expect("a delivery");
}

fn start(statuses: &[&str]) -> (Server, String) {
    let mut key = String::new();
    let server = Setup::new().rows(|db| {
        key = insert_token(db, 1, None);
        for status in statuses {
            insert_meeting(db, status);
        }
    });
    (server.start(), key)
}

fn patch(server: &Server, key: &str, body: &Value) -> Answer {
    server.patch(format!("/meetings/google_meet/{}", PRIVATE[2])).user(key).json(body).send()
}

#[test]
fn notes_change_what_is_given_and_keep_the_rest() {
    let (server, key) = start(&["completed", "failed"]);
    let before = server.get("/meetings").user(&key).send().expect(200)["meetings"].clone();
    let change = json!({ "data": { "name": "Weekly", "languages": ["de", "en"], "secret": 1, "status_transition": [] } });
    let meeting = patch(&server, &key, &change).expect(200);
    assert_eq!(meeting["id"], 2, "the newest is meant");
    let mut expected = before[0]["data"].clone();
    expected["name"] = json!("Weekly");
    expected["languages"] = json!(["de", "en"]);
    assert_eq!(meeting["data"], expected);
    let after = server.get("/meetings").user(&key).send().expect(200)["meetings"].clone();
    assert_eq!((&after[0], &after[1]), (&meeting, &before[1]));
    let more =
        json!({ "data": { "notes": "line one\nline two\t.", "participants": [], "name": null } });
    let data = patch(&server, &key, &more).expect(200)["data"].clone();
    assert_eq!(
        (&data["notes"], &data["participants"], &data["name"]),
        (&json!("line one\nline two\t."), &json!([]), &json!("Weekly"))
    );
}

#[test]
fn what_is_no_note_is_said() {
    let (server, key) = start(&["completed"]);
    for body in [
        json!({ "data": {} }),
        json!({ "data": { "other": 1 } }),
        json!({ "data": { "name": null } }),
    ] {
        assert_eq!(
            patch(&server, &key, &body).refusal(),
            (400, "No data provided for update.".to_owned()),
            "{body}"
        );
    }
    for (body, faults) in [
        (json!({}), vec![("missing", "body.data")]),
        (json!({ "data": [] }), vec![("model_attributes_type", "body.data")]),
        (
            json!({ "data": { "name": 1, "participants": "Ada" } }),
            vec![("string_type", "body.data.name"), ("list_type", "body.data.participants")],
        ),
        (
            json!({ "data": { "participants": ["Ada", 1, "\u{0}"] } }),
            vec![
                ("string_type", "body.data.participants.1"),
                ("string_pattern_mismatch", "body.data.participants.2"),
            ],
        ),
        (
            json!({ "data": { "participants": vec!["x"; 101] } }),
            vec![("too_long", "body.data.participants")],
        ),
        (
            json!({ "data": { "languages": ["en", "klingon"] } }),
            vec![("enum", "body.data.languages.1")],
        ),
        (
            json!({ "data": { "notes": "a\u{0}b" } }),
            vec![("string_pattern_mismatch", "body.data.notes")],
        ),
        (
            json!({ "data": { "notes": "x".repeat(8193) } }),
            vec![("string_too_long", "body.data.notes")],
        ),
    ] {
        let expected: Vec<_> =
            faults.into_iter().map(|(kind, loc)| (kind.to_owned(), loc.to_owned())).collect();
        assert_eq!(patch(&server, &key, &body).faults(), expected, "{body:.80}");
    }
    let missing = server
        .patch("/meetings/teams/1234567890")
        .user(&key)
        .json(&json!({ "data": { "name": "x" } }))
        .send();
    assert_eq!(
        missing.refusal(),
        (404, "Meeting not found for platform teams and ID 1234567890".to_owned())
    );
}

#[test]
fn of_several_meetings_at_one_link_the_id_says_which_is_meant() {
    let (server, key) = start(&["completed", "active"]);
    let path = format!("/meetings/google_meet/{}", PRIVATE[2]);
    let note = |id: i64, text: &str| {
        let body = json!({ "data": { "notes": text } });
        server.patch(format!("{path}?meeting_id={id}")).user(&key).json(&body).send()
    };
    let notes = || {
        let meetings = server.get("/meetings").user(&key).send().expect(200);
        let list = meetings["meetings"].as_array().expect("meetings").clone();
        list.iter().map(|one| one["data"]["notes"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(note(1, "of the old one").expect(200)["id"], 1);
    assert_eq!(notes(), [json!(PRIVATE[3]), json!("of the old one")]);
    patch(&server, &key, &json!({ "data": { "notes": "of the new one" } })).expect(200);
    assert_eq!(notes(), [json!("of the new one"), json!("of the old one")]);
    assert_eq!(note(3, "x").status, 404);
    assert_eq!(note(0, "x").status, 422);
    server.delete(format!("{path}?meeting_id=1")).user(&key).send().expect(200);
    assert_eq!(note(1, "back again").status, 404, "what was deleted gets no notes");
    assert_eq!(notes(), [json!("of the new one"), Value::Null]);
}

#[test]
fn a_meeting_that_is_not_over_stays() {
    let server = bots::setup().start();
    let token = bots::user(&server, "one@example.com", 10);
    for (n, status) in
        ["requested", "joining", "awaiting_admission", "active"].into_iter().enumerate()
    {
        let code = bots::meet_code(n);
        lifecycle::bring(&server, &token, &code, status);
        let answer =
            server.delete(format!("/meetings/google_meet/{code}")).user(&token.text).send();
        let detail =
            format!("Meeting not finalized; cannot delete transcripts. Current status: {status}");
        assert_eq!(answer.refusal(), (409, detail), "{status}");
    }
}

#[test]
fn what_was_removed_is_in_no_file() {
    for status in ["completed", "failed"] {
        let (server, key) = start(&[status]);
        let path = format!("/meetings/google_meet/{}", PRIVATE[2]);
        let removed = server.delete(&path).user(&key).send().expect(200);
        assert!(removed["message"].is_string());
        let meeting = server.get("/meetings").user(&key).send().expect(200)["meetings"][0].clone();
        assert_eq!(
            (&meeting["native_meeting_id"], &meeting["constructed_meeting_url"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(meeting["status"], status);
        let kept = json!({ "status_transition": [{ "from": "active", "to": status }], "completion_reason": "stopped", "error": "none", "redacted": true });
        assert_eq!(meeting["data"], kept);
        assert_eq!(server.delete(&path).user(&key).send().status, 404, "it has no name any more");
        let again = server.delete(format!("{path}?meeting_id=1")).user(&key).send().expect(200);
        assert_eq!(again, removed, "by its id it is removed as often as one likes");
        let setup = server.stop();
        assert_eq!(leaks(&everything(setup.folder()), &PRIVATE), Vec::<String>::new(), "{status}");
    }
}

#[test]
fn the_search_for_what_was_removed_sees_what_was_not() {
    let setup = start(&["completed"]).0.stop();
    let places = everything(setup.folder());
    for word in PRIVATE {
        assert_ne!(
            leaks(&places, &[word]),
            Vec::<String>::new(),
            "{word} is not found although it is there"
        );
    }
}
