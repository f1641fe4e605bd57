//! `GET /admin/users/{id}/export`: all of one person's data and nothing of others', readable at any
//! length and in any moment.

use crate::client::{fields, wait_for};
use crate::segments::insert_session;
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::transcripts::{growth_kib, insert_segments, process_with};
use rusqlite::Connection;
use serde_json::{Value, json};
use vomeet::domain::bot::session_alias;

const PARTS: [&str; 12] = [
    "audit",
    "complete",
    "deliveries",
    "exported_at",
    "meetings",
    "shares",
    "tokens",
    "transcription",
    "usage",
    "user",
    "webhook",
    "webhooks",
];

/// Two users with something in every table.
fn rows(db: &Connection) {
    for user in [1, 2] {
        insert_token(db, user, None);
        insert_token(db, user, None);
        insert_session(db, user, "abc-defg-hij");
        insert_session(db, user, "abc-defg-hik");
    }
    for meeting in [1, 3] {
        insert_segments(db, meeting, 3, &format!("word of {meeting}"));
    }
    db.execute_batch(
        r#"UPDATE users SET name = 'person ' || id, webhook_url = 'https://example.com/' || id;
           INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, 'other', 0), (3, 'other', 0);
           INSERT INTO speaker_events (stream_id, at, is_start, participant, name)
             SELECT id, 2000, 1, 'p-' || meeting_id, 'talker of ' || meeting_id FROM streams;
           INSERT INTO speaker_events (stream_id, at, is_start, participant, name)
             SELECT id, 1000, 0, 'Talker of ' || meeting_id, 'Talker of ' || meeting_id FROM streams WHERE uid = 'other';
           INSERT INTO webhook_secrets (user_id, secret) SELECT id, 'a-secret-of-a-webhook' FROM users;
           INSERT INTO webhooks (user_id, url, events, secret, old_secret, old_until, created_at)
             SELECT id, 'https://example.com/more/' || id, '["transcript.ready"]', 'a-secret-of-a-webhook-2', 'a-secret-of-a-webhook-1', 9000, 0 FROM users;
           INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, delivered_at, last_status)
             SELECT user_id, id, 'uid-' || id, '{"event_type": "meeting.status_change", "number": ' || id || '}', 0, 1, 0, 200 FROM meetings;
           INSERT INTO shares (user_id, meeting_id, made_by, hash, created_at, expires_at)
             SELECT user_id, id, 1, randomblob(32), 0, 60000 FROM meetings;
           INSERT INTO usage (user_id, day, token_id, requests, bots, bot_ms, transcript_ms, sound_ms)
             SELECT user_id, 20000, id, 5, 1, 60000, 30000, 90000 FROM tokens;
           INSERT INTO audit (at, actor, address, action, subject, subject_id, user_id, details_hash, hash)
             SELECT 1000, 'admin key', '192.0.2.7', 'user.create', 'user', id, id, zeroblob(32), zeroblob(32) FROM users;
           INSERT INTO audit_details SELECT id, zeroblob(8), NULL, '{"name": "person ' || user_id || '"}' FROM audit;
           INSERT INTO audit (at, actor, action, subject, user_id, details_hash, hash)
             VALUES (2000, 'admin key', 'user.update', 'user', 1, zeroblob(32), zeroblob(32));"#,
    )
    .expect("rows");
}

fn export(server: &Server, user: i64) -> Value {
    server.get(format!("/admin/users/{user}/export")).admin().send().expect(200)
}

fn ids(list: &Value) -> Vec<i64> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|item| item["id"].as_i64().expect("an id"))
        .collect()
}

/// Those of user 1, without the links themselves.
fn assert_shares(shares: &Value) {
    let share = json!({"id": 2, "user_id": 1, "meeting_id": 2, "made_by": 1,
        "created_at": "1970-01-01T00:00:00.000Z", "expires_at": "1970-01-01T00:01:00.000Z"});
    assert_eq!((ids(shares), &shares[1]), (vec![1, 2], &share));
}

#[test]
fn everything_of_one_person_is_there_and_nothing_of_another() {
    let server = Setup::new().rows(rows).start();
    let answer = server.get("/admin/users/1/export").admin().send();
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"vomeet-user-1.json\"")
    );
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        (Some("application/json"), Some("no-store"))
    );
    let whole = answer.expect(200);
    assert_eq!(fields(&whole), PARTS);
    assert_eq!(
        whole["user"],
        server.get("/admin/users/email/u1@example.com").admin().send().expect(200)
    );
    assert_eq!(whole["webhook"], json!({ "url": "https://example.com/1", "is_signed": true }));
    assert_eq!((ids(&whole["tokens"]), ids(&whole["meetings"])), (vec![1, 2], vec![1, 2]));
    assert_eq!((ids(&whole["deliveries"]), ids(&whole["audit"])), (vec![1, 2], vec![1, 3, 4]));
    let texts: Vec<_> = whole["meetings"][0]["segments"]
        .as_array()
        .expect("words")
        .iter()
        .map(|s| &s["text"])
        .collect();
    assert_eq!(texts, ["word of 1 0", "word of 1 1", "word of 1 2"]);
    assert_eq!(
        (&whole["meetings"][1]["segments"], &whole["meetings"][1]["session"]["uid"]),
        (&json!([]), &json!(session_alias("session-2")))
    );
    let event = |uid: &str, kind: &str, id: &str, name: &str, timestamp: &str| {
        json!({"session_uid": session_alias(uid), "event_type": kind, "participant_name": name,
            "participant_id": id, "timestamp": timestamp})
    };
    let (first, second) = ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.000Z");
    let events = json!([
        event("session-1", "SPEAKER_START", "p-1", "talker of 1", second),
        event("other", "SPEAKER_START", "p-1", "talker of 1", second),
        event("other", "SPEAKER_END", "Talker of 1", "Talker of 1", first),
    ]);
    assert_eq!(whole["meetings"][0]["speaker_events"], events);
    assert_eq!(whole["meetings"][1]["speaker_events"], json!([]));
    assert_eq!(whole["deliveries"][1]["body"]["number"], 2);
    assert_shares(&whole["shares"]);
    assert_eq!(whole["audit"][0]["after"], json!({ "name": "person 1" }));
    assert_eq!(
        whole["audit"][1]["after"],
        Value::Null,
        "an entry whose details are gone is an entry"
    );
    let used = json!({ "day": "2024-10-04", "token_id": 1, "requests": 5, "bots": 1, "bot_minutes": 1.0, "transcript_minutes": 0.5, "sound_minutes": 1.5 });
    assert_eq!((&whole["usage"][0], whole["usage"].as_array().map(Vec::len)), (&used, Some(2)));
    assert_eq!(whole["audit"][2]["action"], "user.export", "this very export");
    assert_eq!(whole["complete"], true);
    let text = answer.text();
    for foreign in [
        "a-secret-of-a-webhook",
        "hash",
        "192.0.2.7",
        "person 2",
        "u2@example.com",
        "word of 3",
        "alker of 3",
    ] {
        assert!(!text.contains(foreign), "{foreign} is in it");
    }
}

#[test]
fn all_webhooks_of_a_person_are_there_without_their_secrets() {
    let server = Setup::new().rows(rows).start();
    let whole = export(&server, 1);
    let webhooks = json!([
        { "id": 0, "url": "https://example.com/1", "events": ["meeting.status_change"],
          "is_signed": true, "created_at": null },
        { "id": 1, "url": "https://example.com/more/1", "events": ["transcript.ready"],
          "is_signed": true, "created_at": "1970-01-01T00:00:00.000Z" },
    ]);
    assert_eq!(whole["webhooks"], webhooks);
    assert!(!whole.to_string().contains("a-secret-of-a-webhook"), "{whole}");
}

#[test]
fn an_empty_person_is_a_document_and_an_unknown_one_is_404() {
    let server = Server::start();
    server.new_user("one@example.com");
    let whole = export(&server, 1);
    assert_eq!(fields(&whole), PARTS);
    for list in ["tokens", "meetings", "deliveries", "shares", "usage"] {
        assert_eq!(whole[list], json!([]), "{list}");
    }
    let actions: Vec<_> =
        whole["audit"].as_array().expect("a list").iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["user.create", "user.export"]);
    assert_eq!(
        server.get("/admin/users/2/export").admin().send().refusal(),
        (404, "User not found".to_owned())
    );
}

#[test]
fn lists_of_many_pages_are_whole() {
    let server = Setup::new()
        .rows(|db| {
            insert_token(db, 1, None);
            insert_session(db, 1, "abc-defg-hij");
            db.execute_batch(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1203)
                 INSERT INTO meetings (user_id, platform, status, data, created_at, updated_at)
                   SELECT 1, 'teams', 'completed', '{}', 0, 0 FROM n;
                 INSERT INTO tokens (user_id, hash, hint, created_at) SELECT 1, randomblob(32), 'AbCd', 0 FROM meetings;
                 INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts) SELECT 1, id, '', '{}', 0, 0 FROM meetings;
                 INSERT INTO usage (user_id, day, token_id) SELECT 1, id / 7, id FROM meetings;
                 INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, 'a', 0), (1, 'b', 0);
                 INSERT INTO speaker_events (stream_id, at, is_start, participant, name)
                   SELECT 1 + id % 2, id, 1, '', hex(zeroblob(100)) || id FROM meetings;
                 INSERT INTO audit (at, actor, action, subject, user_id, details_hash, hash)
                   SELECT 0, '', '', '', 1, zeroblob(32), zeroblob(32) FROM meetings;",
            )
            .expect("rows");
        })
        .start();
    let whole = export(&server, 1);
    for (list, count) in
        [("tokens", 1205), ("meetings", 1204), ("deliveries", 1204), ("audit", 1205)]
    {
        assert_eq!(ids(&whole[list]), (1..=count).collect::<Vec<_>>(), "{list}");
    }
    let talked = whole["meetings"][0]["speaker_events"].as_array().expect("events").iter();
    let talked: std::collections::BTreeSet<_> =
        talked.map(|event| event["participant_name"].to_string()).collect();
    assert_eq!(talked.len(), 1204);
    let used: Vec<i64> = whole["usage"]
        .as_array()
        .expect("usage")
        .iter()
        .map(|row| row["token_id"].as_i64().expect("an id"))
        .collect();
    assert_eq!(used, (1..=1204).collect::<Vec<_>>());
}

#[test]
fn fifty_thousand_segments_take_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _) = process_with(folder.path(), |db| {
        insert_token(db, 2, None);
        insert_session(db, 1, "abc-defg-hij");
        insert_session(db, 2, "abc-defg-hik");
        insert_segments(
            db,
            1,
            50_000,
            &"what somebody said in a meeting that went on and on".repeat(3),
        );
        insert_segments(
            db,
            2,
            2_000,
            &"what somebody said in a meeting that went on and on".repeat(3),
        );
    });
    server.get("/admin/users/2/export").admin().send().expect(200);
    let (grown, length) = growth_kib(&server, &server.get("/admin/users/1/export").admin());
    println!("{length} bytes took {grown} KiB");
    assert!(length > 8_000_000, "{length} bytes");
    assert!(grown < 4096, "{grown} KiB more for {length} bytes");
}

#[test]
fn a_user_who_goes_meanwhile_leaves_a_document_that_says_so() {
    let server = Setup::new()
        .rows(|db| {
            insert_token(db, 1, None);
            insert_session(db, 1, "abc-defg-hij");
            // More than what the sockets hold on the way.
            insert_segments(db, 1, 50_000, &"a long sentence ".repeat(40));
            db.execute("UPDATE meetings SET status = 'completed'", []).expect("over");
        })
        .start();
    let mut line = server.line();
    line.send(server.get("/admin/users/1/export").admin().bytes()).expect("sent");
    // A signal may interrupt it.
    wait_for(|| line.stream().peek(&mut [0]).ok());
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 204);
    let whole = line.answer(false).expect("an answer").expect(200);
    assert_eq!((&whole["complete"], &whole["user"]["id"]), (&json!(false), &json!(1)));
    let heard = whole["meetings"][0]["segments"].as_array().map_or(0, Vec::len);
    assert!((1..50_000).contains(&heard), "{heard} segments: nothing is tested");
}

/// What was used a moment ago is in memory alone.
#[test]
fn what_is_used_until_now_is_exported() {
    let server = Server::start();
    let id = server.new_user("one@example.com");
    let token = server.new_token(id);
    for _ in 0..3 {
        server.whoami(&token.text).expect(200);
    }
    let whole = export(&server, id);
    assert!(whole["tokens"][0]["last_used_at"].is_string(), "{whole}");
    assert_eq!(whole["tokens"][0]["last_address"], "127.0.0.1", "{whole}");
    assert_eq!(whole["usage"][0]["requests"], 3, "{whole}");
}
