//! A new database that is not as the dump says is seen, whatever differs.

#![cfg(test)]

use crate::domain::import::Remarks;
use crate::domain::{Actor, Data, Hint, SentTime, Time, TokenHash};
use crate::exit::Code;
use crate::store::import::check::DumpRows;
use crate::store::import::scratch::{OldMeeting, OldOwner, OldSegment, OldToken, OldUser};
use crate::store::import::work::{ImportTerms, Imported, Importing};
use std::path::Path;

fn begin(folder: &Path) -> Importing {
    let at = Time::from_millis(1_800_000_000_000);
    let actor = Actor { name: "server".to_owned(), address: None, at, salt: [1; 16] };
    Importing::begin(&folder.join("a.db"), actor, ImportTerms::default()).expect("begun")
}

/// What a reader has counted of [`fill`].
const ROWS: DumpRows = DumpRows { users: 2, tokens: 2, meetings: 2, segments: 6 };

/// Two users with a key, a meeting and three segments each.
fn fill(importing: &Importing) {
    for id in [1, 2] {
        let user = OldUser {
            owner: OldOwner::User,
            id,
            email: format!("{id}@example.com"),
            name: None,
            image_url: None,
            max_concurrent_bots: 1,
            data: Data::default(),
            webhook_url: None,
            webhook_secret: None,
            is_disabled: false,
            created_at: None,
        };
        importing.put_user(&user).expect("kept");
        let token = OldToken {
            owner: OldOwner::User,
            id,
            owner_id: id,
            hash: TokenHash::of(&[id.to_le_bytes()[0]]),
            hint: Hint(String::new()),
            name: None,
            read_only: false,
            is_disabled: false,
            created_at: None,
            last_used_at: None,
            expires_at: None,
        };
        importing.put_token(&token).expect("kept");
        let meeting = OldMeeting {
            id,
            user_id: Some(id),
            account_id: None,
            planned_id: None,
            platform: Some("teams".to_owned()),
            native_meeting_id: None,
            status: "completed".to_owned(),
            join_at: None,
            bot_container_id: None,
            start_time: None,
            end_time: None,
            data: Data::default(),
            created_at: None,
            updated_at: None,
        };
        importing.put_meeting(&meeting).expect("kept");
        importing.put_session(id, "s", None).expect("kept");
        for row_id in 0..3 {
            let segment = OldSegment {
                meeting_id: id,
                uid: Some("s"),
                start: SentTime::Offset(row_id * 1000),
                end: SentTime::Offset(row_id * 1000 + 500),
                text: "words",
                speaker: Some("Ada"),
                language: None,
                created_at: None,
                segment_id: None,
                row_id,
            };
            importing.put_segment(&segment).expect("kept");
        }
    }
}

fn load(importing: &Importing, remarks: &mut Remarks) -> Imported {
    importing.load(remarks, &mut |_, _| {}).expect("loaded")
}

#[test]
fn whatever_differs_is_seen_before_the_database_has_its_place() {
    for (statement, said) in [
        ("", None),
        ("DELETE FROM tokens WHERE id = 1", Some("tokens: 1 rows and not 2")),
        ("UPDATE tokens SET user_id = 2", Some("1 of 2 keys")),
        ("UPDATE tokens SET hash = zeroblob(32) WHERE id = 1", Some("1 of 2 keys")),
        ("UPDATE tokens SET disabled_at = 1 WHERE id = 1", Some("1 of 2 keys")),
        ("UPDATE meetings SET user_id = 2", Some("meeting 1 has another user")),
        ("UPDATE users SET email = 'x@y.z' WHERE id = 2", Some("user 2 is not the one")),
        ("UPDATE segments SET text = 'word' WHERE id = 2", Some("not in the word index")),
        ("UPDATE segments SET language = 'en' WHERE id = 2", Some("meeting 1 has other words")),
        ("UPDATE segments SET absolute_end = 9 WHERE id = 6", Some("meeting 2 has other words")),
        ("DELETE FROM segments WHERE id = 6", Some("segments: 5 rows and not 6")),
        ("UPDATE words_content SET c0 = 'u2' WHERE id = 1", Some("segment 1 is not in the word")),
        ("DELETE FROM words_data WHERE id > 10", Some("fts5")),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let importing = begin(folder.path());
        fill(&importing);
        let mut remarks = Remarks::default();
        let imported = load(&importing, &mut remarks);
        assert_eq!((imported.tokens, imported.segments), (2, 6));
        importing.db.execute_batch(statement).expect(statement);
        importing.commit().expect("committed");
        let verified = importing.verify(&imported, &ROWS, &remarks);
        match said {
            None => assert_eq!(verified.expect("sound").segments, 6),
            Some(said) => {
                let refused = verified.expect_err(statement);
                assert_eq!(refused.code, Code::NotImported);
                assert!(refused.message.contains(said), "{statement}: {refused}");
            }
        }
        drop(importing);
        let left = std::fs::read_dir(folder.path()).expect("a folder");
        let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(left, ["a.db.lock"], "{statement}");
    }
}

/// What the writing sees of a table while it is loaded, and the words for the fault that follows.
const OVERLOOKED: &[(&str, &str, &str)] = &[
    (
        "segments",
        "DELETE FROM old.segments WHERE row_id = 2 AND meeting_id = 2",
        "segments: 6 in the dump, 5",
    ),
    ("tokens", "DELETE FROM old.tokens WHERE id = 2", "keys: 2 in the dump, 1 written"),
    ("meetings", "DELETE FROM old.meetings WHERE id = 2", "meetings: 2 in the dump, 1 written"),
    ("users", "UPDATE old.users SET email = 'x@y.z' WHERE id = 1", "user 1 is not the one"),
    ("users", "UPDATE old.users SET is_disabled = 1 WHERE id = 1", "user 1 is not the one"),
    ("tokens", "UPDATE old.tokens SET owner_id = 1", "1 of 2 keys"),
    ("tokens", "UPDATE old.tokens SET expires_at = 9 WHERE id = 2", "1 of 2 keys"),
    ("meetings", "UPDATE old.meetings SET user_id = 2", "meeting 1 has another user"),
    (
        "sessions",
        "UPDATE old.sessions SET started_at = 9 WHERE meeting_id = 1",
        "meeting 1 has other",
    ),
    ("segments", "UPDATE old.segments SET text = 'x' WHERE meeting_id = 2", "meeting 2 has other"),
    ("segments", "UPDATE old.segments SET start = start + 1", "meeting 1 has other words"),
    // Two that are the same but for their meetings, in each other's place.
    ("segments", "UPDATE old.segments SET meeting_id = 3 - meeting_id WHERE row_id = 1", ""),
    (
        "segments",
        "UPDATE old.segments SET meeting_id = 1 WHERE row_id = 1",
        "meeting 1 has other words",
    ),
];

#[test]
fn what_the_writing_has_overlooked_or_joined_wrongly_is_seen() {
    let mut unseen = Vec::new();
    for (table, wrong, said) in OVERLOOKED {
        let folder = tempfile::tempdir().expect("a folder");
        let importing = begin(folder.path());
        fill(&importing);
        let sql = |statement: &str| importing.db.execute_batch(statement).expect("run");
        sql(&format!("CREATE TABLE old.aside AS SELECT * FROM old.{table}"));
        sql(wrong);
        let mut remarks = Remarks::default();
        let imported = load(&importing, &mut remarks);
        sql(&format!("DELETE FROM old.{table}; INSERT INTO old.{table} SELECT * FROM old.aside"));
        importing.commit().expect("committed");
        let verified = importing.verify(&imported, &ROWS, &remarks);
        let found = verified.map_or_else(|refused| refused.message, |_| String::new());
        let is_seen = if said.is_empty() { found.is_empty() } else { found.contains(said) };
        if !is_seen {
            unseen.push(format!("{wrong}: {found:?}"));
        }
    }
    assert_eq!(unseen, Vec::<String>::new());
}
