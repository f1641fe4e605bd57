//! Clients that read a transcript again and again: what has changed since a cursor.

use crate::client::Client;
use crate::restore::{database, restored, serve};
use crate::segments::{Session, insert_session, one_meeting};
use crate::server::{Setup, open_file};
use crate::tokens::insert_token;
use crate::transcripts::insert_segments;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const PATH: &str = "/transcripts/google_meet/abc-defg-hij";

/// A program that keeps a transcript by what it is told of changes.
#[derive(Default)]
struct Follower {
    cursor: Option<String>,
    segments: BTreeMap<String, Value>,
}

impl Follower {
    /// Asks what is new, and takes it in; returns the response.
    fn follow(&mut self, client: &Client, key: &str) -> Value {
        let after = self.cursor.as_ref().map_or(String::new(), |cursor| format!("?after={cursor}"));
        let body = client.get(format!("{PATH}{after}")).user(key).send().expect(200);
        if body["is_whole"].as_bool().expect("a flag") {
            self.segments.clear();
        }
        for id in strings(&body["removed"]) {
            self.segments.remove(&id);
        }
        for segment in body["segments"].as_array().expect("segments") {
            let id = segment["segment_id"].as_str().expect("an id").to_owned();
            self.segments.insert(id, segment.clone());
        }
        self.cursor = Some(cursor_of(&body));
        body
    }

    fn assert_has_all(&self, client: &Client, key: &str, row: &str) {
        let whole = client.get(PATH).user(key).send().expect(200);
        let mut expected = BTreeMap::new();
        for segment in whole["segments"].as_array().expect("segments") {
            expected
                .insert(segment["segment_id"].as_str().expect("an id").to_owned(), segment.clone());
        }
        assert_eq!(self.segments, expected, "{row}");
    }
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list").iter();
    list.map(|item| item.as_str().expect("a text").to_owned()).collect()
}

pub fn cursor_of(body: &Value) -> String {
    body["cursor"].as_str().expect("a cursor").to_owned()
}

/// The texts of a response, in its order.
fn texts(body: &Value) -> Vec<String> {
    let segments = body["segments"].as_array().expect("segments").iter();
    segments.map(|segment| segment["text"].as_str().expect("a text").to_owned()).collect()
}

pub fn retract(client: &Client, session: &Session, ids: &[String]) {
    let body = json!({ "segment_ids": ids });
    client.delete("/bots/internal/segments").bearer(&session.token).json(&body).send().expect(200);
}

fn after(client: &Client, key: &str, cursor: &str) -> Value {
    client.get(format!("{PATH}?after={cursor}")).user(key).send().expect(200)
}

#[test]
fn new_changed_and_removed_segments_are_told_and_nothing_else() {
    let (server, key, session) = one_meeting();
    let named = |id: &str, start: f64, text: &str| json!({"segment_id": id, "start": start, "end": start + 1.0, "text": text});
    session.say(
        &server,
        &json!([named("a", 1.0, "one"), named("b", 2.0, "two"), named("c", 3.0, "three")]),
    );
    let first = server.get(PATH).user(&key).send().expect(200);
    assert_eq!((&first["is_whole"], &first["removed"]), (&json!(true), &json!([])));
    let begin = cursor_of(&first);
    let same = after(&server, &key, &begin);
    assert_eq!(
        (texts(&same).len(), &same["is_whole"], &same["removed"]),
        (0, &json!(false), &json!([]))
    );
    assert_eq!(cursor_of(&same), begin, "nothing has changed");
    session.say(&server, &json!([named("b", 2.0, "two")]));
    assert_eq!(cursor_of(&after(&server, &key, &begin)), begin, "sent twice, it changes nothing");

    session.say(&server, &json!([named("d", 0.5, "zero")]));
    session.say(&server, &json!([named("a", 1.0, "ONE")]));
    retract(&server, &session, &["c".to_owned()]);
    let later = after(&server, &key, &begin);
    assert_eq!(texts(&later), ["zero", "ONE"], "by the time of the change");
    assert_eq!((&later["removed"], &later["is_whole"]), (&json!(["c"]), &json!(false)));
    assert_eq!(later["id"], first["id"], "the meeting is there as well");
    let server = server.restart();
    let next = cursor_of(&later);
    let none = after(&server, &key, &next);
    assert_eq!(
        (texts(&none).len(), &none["removed"]),
        (0, &json!([])),
        "a restart changes nothing"
    );
    // What comes back under its old name was removed before, and is there.
    session.say(&server, &json!([named("c", 3.0, "again")]));
    let again = after(&server, &key, &begin);
    assert_eq!(texts(&again), ["zero", "ONE", "again"]);
    assert_eq!(texts(&after(&server, &key, &next)), ["again"]);
}

/// Whatever bots do, whoever follows has what whoever reads the whole has.
#[test]
fn a_follower_has_the_whole_transcript_at_any_time() {
    let (mut server, key, session) = one_meeting();
    let mut follower = Follower::default();
    let mut steps = 0;
    for n in 0_u32..60 {
        let start = f64::from(n % 23);
        let speaker = ["Ada", "Bob"][usize::try_from(n % 2).expect("small")];
        let segment = json!({"start": start, "end": start + 0.5, "text": format!("{n}"), "speaker": speaker, "completed": n % 3 == 0});
        let unnamed =
            json!({"start": start + 0.25, "end": start + 0.75, "text": format!("unnamed {n}")});
        let event = json!({"event_type": "SPEAKER_START", "participant_name": format!("P{n}"), "relative_ms": n % 23 * 1000});
        let body = match n % 4 {
            0 => json!({"uid": session.uid, "segments": [unnamed]}),
            1 => json!({"uid": session.uid, "segments": [], "speaker_events": [event]}),
            _ => {
                json!({"uid": format!("stream {}", n % 3), "started_at": "2025-10-10T12:00:00Z", "segments": [segment]})
            }
        };
        server
            .post("/bots/internal/segments")
            .bearer(&session.token)
            .json(&body)
            .send()
            .expect(200);
        if n % 7 == 6 {
            let some: Vec<String> = follower.segments.keys().take(2).cloned().collect();
            retract(&server, &session, &some);
        }
        if n == 30 {
            server = server.restart();
        }
        if n % 2 == 0 {
            let told = follower.follow(&server, &key);
            assert_eq!(told["is_whole"], json!(n == 0), "step {n}");
            follower.assert_has_all(&server, &key, &format!("step {n}"));
            steps += 1;
        }
    }
    assert_eq!(steps, 30);
    // The drafts are final at the end of the meeting.
    let drafts = follower.segments.values().filter(|segment| segment["completed"] == false).count();
    assert!(drafts > 0, "nothing is tested");
    let ended = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    let told = follower.follow(&server, &key);
    assert_eq!(texts(&told).len(), drafts);
    follower.assert_has_all(&server, &key, "at the end");
}

#[test]
fn long_changes_come_in_pages_and_each_once() {
    let (server, key, session) = one_meeting();
    session.say(&server, &json!([{"start": 1, "end": 2, "text": "first"}]));
    let begin = cursor_of(&server.get(PATH).user(&key).send().expect(200));
    for batch in 0..4 {
        let rows: Vec<Value> = (0..400)
            .map(|n| json!({"segment_id": format!("{batch}-{n}"), "start": n, "end": n + 1, "text": format!("{batch} {n:03}")}))
            .collect();
        session.say(&server, &rows.into());
    }
    let answer = server.get(format!("{PATH}?after={begin}")).user(&key).send();
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let mut found = texts(&answer.expect(200));
    assert_eq!(found.len(), 1600);
    found.dedup();
    assert_eq!(found.len(), 1600);
    assert_eq!(found[..2], ["0 000", "0 001"]);
}

#[test]
fn whoever_missed_too_many_removals_gets_the_whole() {
    let (server, key, session) = one_meeting();
    let stay = json!([{"segment_id": "stay", "start": 1, "end": 2, "text": "stay"}]);
    session.say(&server, &stay);
    let begin = cursor_of(&server.get(PATH).user(&key).send().expect(200));
    let mut middle = String::new();
    for batch in 0..20 {
        let ids: Vec<String> = (0..100).map(|n| format!("{batch}-{n}")).collect();
        let rows: Vec<Value> = ids
            .iter()
            .map(|id| json!({"segment_id": id, "start": 5, "end": 6, "text": "x"}))
            .collect();
        session.say(&server, &rows.into());
        retract(&server, &session, &ids);
        if batch == 14 {
            middle = cursor_of(&after(&server, &key, &begin));
        }
    }
    // Notes are forgotten now and then, at a revision.
    for n in 0..64 {
        session.say(
            &server,
            &json!([{"segment_id": "last", "start": 9, "end": 10, "text": format!("{n}")}]),
        );
    }
    let whole = after(&server, &key, &begin);
    assert_eq!(
        (texts(&whole), &whole["is_whole"]),
        (vec!["stay".into(), "63".into()], &json!(true))
    );
    assert_eq!(whole["removed"], json!([]));
    let part = after(&server, &key, &middle);
    assert_eq!((texts(&part), &part["is_whole"]), (vec!["63".to_owned()], &json!(false)));
    assert_eq!(strings(&part["removed"]).len(), 500);
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let noted: i64 = db
            .query_row("SELECT count(*) FROM removed_segments", [], |row| row.get(0))
            .expect("a count");
        assert!((1001..=1001 + 100).contains(&noted), "{noted} notes");
    });
}

#[test]
fn a_cursor_of_something_else_gets_the_whole_and_what_is_none_is_refused() {
    let (server, key, session) = one_meeting();
    session.say(&server, &json!([{"start": 1, "end": 2, "text": "word"}]));
    let cursor = cursor_of(&server.get(PATH).user(&key).send().expect(200));
    let parts: Vec<i64> = cursor.split('.').map(|part| part.parse().expect("a number")).collect();
    let [meeting, restored, revision] = parts[..] else { panic!("{cursor}") };
    for (row, other) in [
        ("of another meeting", format!("{}.{restored}.{revision}", meeting + 1)),
        ("of another database", format!("{meeting}.{}.{revision}", restored + 1)),
        ("of the future", format!("{meeting}.{restored}.{}", revision + 1)),
    ] {
        let body = after(&server, &key, &other);
        assert_eq!((&body["is_whole"], texts(&body).len()), (&json!(true), 1), "{row}");
    }
    for (query, place) in [
        ("after=yesterday", "query.after"),
        ("after=1.2", "query.after"),
        (&format!("after={cursor}&format=txt"), "query.after"),
    ] {
        let faults = server.get(format!("{PATH}?{query}")).user(&key).send().faults();
        assert_eq!(faults, [("value_error".to_owned(), place.to_owned())], "{query}");
    }
    server.get(format!("{PATH}?after=")).user(&key).send().expect(200);
}

/// Words of files from before there were revisions are in the whole, and only what changes later is
/// told.
#[test]
fn a_file_from_before_is_followed_from_its_first_change() {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        let key = insert_token(db, 1, None);
        let session = insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, 700, "old");
        made = Some((key, session));
    });
    let (key, session) = made.expect("rows");
    let server = setup.start();
    let mut follower = Follower::default();
    assert_eq!(texts(&follower.follow(&server, &key)).len(), 700);
    session.say(&server, &json!([{"start": 1, "end": 2, "text": "new"}]));
    assert_eq!(texts(&follower.follow(&server, &key)), ["new"]);
    follower.assert_has_all(&server, &key, "after the change");
}

#[test]
fn what_its_owner_deleted_is_gone_for_followers_too() {
    let (server, key, session) = one_meeting();
    session.say(&server, &json!([{"start": 1, "end": 2, "text": "word"}, {"segment_id": "Ada-7", "start": 2, "end": 3, "text": "gone"}]));
    retract(&server, &session, &["Ada-7".to_owned()]);
    let ended = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&ended).send().expect(200);
    let body = server.get(PATH).user(&key).send().expect(200);
    let (cursor, id) = (cursor_of(&body), &body["id"]);
    server.delete("/meetings/google_meet/abc-defg-hij").user(&key).send().expect(200);
    let query = format!("{PATH}?meeting_id={id}&after={cursor}");
    let body = server.get(query).user(&key).send().expect(200);
    assert_eq!((&body["is_whole"], texts(&body).len()), (&json!(true), 0));
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let named: i64 = db
            .query_row("SELECT count(*) FROM removed_segments WHERE segment_id <> ''", [], |row| {
                row.get(0)
            })
            .expect("a count");
        assert_eq!(named, 0, "an id may be a name");
    });
}

#[test]
fn a_restore_makes_the_cursors_from_before_worthless() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut made = None;
    open_file(&database(path), |db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
    });
    let (key, session) = made.expect("rows");
    let server = serve(path);
    session.say(&server, &json!([{"start": 1, "end": 2, "text": "before"}]));
    crate::cli::done(path, &["backup", "b.db"]);
    let cursor = |server: &Client| cursor_of(&server.get(PATH).user(&key).send().expect(200));
    let before = cursor(&server);
    session.say(&server, &json!([{"start": 3, "end": 4, "text": "lost"}]));
    let lost = cursor(&server);
    assert_ne!(before, lost);
    server.terminate();
    restored(path, &["b.db"]);
    let server = serve(path);
    for cursor in [before, lost] {
        let body = after(&server, &key, &cursor);
        assert_eq!((&body["is_whole"], texts(&body)), (&json!(true), vec!["before".to_owned()]));
    }
    server.terminate();
}
