//! What becomes of open meetings and of webhook events by a restore; restores after restores; files
//! of older versions.

use crate::backup::rows;
use crate::cli::{done, refused};
use crate::process::Launch;
use crate::restore::{applied, database, has, kept, one, restored, serve, sql, with_transcripts};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use vomeet::domain::PlainToken;

/// Meetings and events as they are at the time of the backup.
const AT_BACKUP: &str = "
    UPDATE users SET webhook_url = 'https://example.com/one';
    INSERT INTO webhook_secrets (user_id, secret) VALUES (1, 'secret-one');
    INSERT INTO webhooks (user_id, url, events, secret, created_at) VALUES
      (1, 'https://example.com/gone', '[\"transcript.ready\"]', 'secret-gone', 1000),
      (1, 'https://example.com/kept', '[\"transcript.ready\"]', 'secret-kept', 1000),
      (1, 'https://example.com/leaked', '[\"transcript.ready\"]', 'secret-leaked', 1000);
    INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at) VALUES
      (1, 'google_meet', 'a', 'active', '{}', 1000, 1000),
      (1, 'google_meet', 'b', 'completed', '{}', 1000, 1000),
      (1, 'google_meet', 'c', 'requested', '{}', 1000, 1000),
      (1, 'google_meet', 'd', 'active', '{}', 1000, 1000);
    INSERT INTO sessions (meeting_id, uid, token_hash, bot_name, started_at) VALUES
      (1, 'session-a', randomblob(32), 'Bot', 1000), (3, 'session-c', randomblob(32), 'Bot', 1000);
    INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at, delivered_at) VALUES
      (1, 2, 'one', '{}', 1, 0, 5, NULL), (1, 2, 'two', '{}', 1, 0, 5, NULL),
      (1, 2, 'three', '{}', 1, 0, 5, NULL), (1, 2, 'four', '{}', 1, 1, NULL, 4);";

/// What happened since.
const SINCE: &str = "
    UPDATE deliveries SET next_at = NULL, delivered_at = 7, attempts = 1, last_status = 200 WHERE id = 1;
    UPDATE deliveries SET next_at = 9, attempts = 2, last_status = 500 WHERE id = 2;
    DELETE FROM deliveries WHERE id = 3;
    UPDATE meetings SET status = 'completed', end_time = 5000 WHERE id = 4;
    INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at, delivered_at)
      VALUES (1, 4, 'six', '{}', 1, 2, 9, NULL);
    UPDATE meetings SET bot_container_id = 'container-1' WHERE id = 1;
    INSERT INTO meetings (user_id, platform, native_meeting_id, status, bot_container_id, data, created_at, updated_at)
      VALUES (1, 'google_meet', 'lost', 'active', 'container-5', '{}', 1000, 1000);
    UPDATE meetings SET status = 'completed', end_time = 5000 WHERE id = 3;
    INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at, delivered_at)
      VALUES (1, 3, 'five', '{}', 1, 1, NULL, 9);
    UPDATE users SET webhook_url = 'https://example.com/two';
    UPDATE webhook_secrets SET secret = 'secret-two';
    DELETE FROM webhooks WHERE id = 1;
    UPDATE webhooks SET secret = 'secret-new', old_secret = 'secret-leaked', old_until = 9 WHERE id = 3;";

fn prepared(folder: &Path) {
    done(folder, &["user", "add", "one@example.com"]);
    sql(folder, AT_BACKUP);
    done(folder, &["backup", "b.db"]);
    sql(folder, SINCE);
}

#[test]
fn open_meetings_have_failed_and_no_event_is_sent_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    let plan = restored(path, &["b.db"]);
    let expected = json!({
        "events_settled": [1], "webhooks_changed": [1], "webhooks_deleted": [1],
        "webhooks_updated": [3],
    });
    assert_eq!(applied(&plan), expected);
    assert_eq!(plan["meetings_failed"], json!([1, 3, 4]));
    let lost = json!([{ "id": 5, "bot_container_id": "container-5" }]);
    assert_eq!(plan["open_meetings_lost"], lost);
    let container = "SELECT bot_container_id FROM meetings WHERE id = 1";
    assert_eq!(one::<String>(&database(path), container), "container-1");
    assert_eq!(plan["events_given_up"], json!([3]));
    let file = database(path);
    let events: String = one(
        &file,
        "SELECT group_concat(concat_ws('|', id, attempts, ifnull(next_at, '-'), ifnull(delivered_at, '-'),
           ifnull(last_status, '-')), ' ' ORDER BY id) FROM deliveries WHERE id <= 4",
    );
    assert_eq!(events, "1|1|-|7|200 2|2|9|-|500 3|0|-|-|- 4|1|-|4|-");
    let why: String = one(&file, "SELECT last_error FROM deliveries WHERE id = 3");
    assert!(why.starts_with("The database was restored from a backup, and whether"), "{why}");
    let failed: String = one(
        &file,
        "SELECT group_concat(concat_ws('|', status, data ->> '$.failure_stage', data ->> '$.error',
           end_time IS NOT NULL), ' ') FROM meetings WHERE id IN (1, 3)",
    );
    let because =
        "The database was restored from a backup that was made while this meeting was open.";
    assert_eq!(failed, format!("failed|active|{because}|1 failed|requested|{because}|1"));
    // The end is as of the backup, not as of the restore: bots are not paid for the time between.
    let ends: i64 = one(&file, "SELECT count(DISTINCT end_time) FROM meetings WHERE id IN (1, 3)");
    let as_of = plan["as_of"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    let end: i64 = one(&file, "SELECT end_time FROM meetings WHERE id = 1");
    assert_eq!((ends, end), (1, as_of.as_millisecond()));
    let secrets = "SELECT count(*) FROM sessions WHERE token_hash IS NOT NULL";
    assert_eq!(one::<i64>(&file, secrets), 0);
    // Meeting 1 was open until now: its end is told. How meeting 3 ended was told before.
    let told = |meeting: i64| {
        let query = format!(
            "SELECT group_concat(next_at IS NOT NULL) FROM deliveries WHERE id > 5 AND meeting_id = {meeting}"
        );
        one::<String>(&file, &query)
    };
    assert_eq!((told(1), told(3)), ("1".to_owned(), "0".to_owned()));
    // That meeting 4 has ended waited still: nobody was told.
    assert_eq!(told(4), "1");
    let hook =
        "SELECT webhook_url || ' ' || secret FROM users JOIN webhook_secrets ON user_id = id";
    assert_eq!(one::<String>(&file, hook), "https://example.com/two secret-two");
    let others = "SELECT group_concat(concat_ws(' ', id, secret, old_until), ', ') FROM webhooks";
    assert_eq!(one::<String>(&file, others), "2 secret-kept, 3 secret-new 9");
}

#[test]
fn without_the_old_file_no_event_that_waited_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    fs::remove_file(database(path)).expect("removed");
    let plan = restored(path, &["b.db", "--without-old-file"]);
    assert_eq!(plan["events_given_up"], json!([1, 2, 3]));
    assert_eq!((&plan["kept"], &plan["since"]), (&json!(null), &json!([])));
    assert_eq!(plan["audit_log_goes_on"], false);
    let log = done(path, &["audit", "verify", "--output", "json"]);
    assert!(log.contains("\"intact\":true"), "{log}");
    let waiting = "SELECT count(*) FROM deliveries WHERE next_at IS NOT NULL AND id <= 4";
    assert_eq!(one::<i64>(&database(path), waiting), 0);
}

#[test]
fn a_better_backup_can_be_restored_after_one_that_was_too_old() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let first = server.new_user("one@example.com");
    done(path, &["backup", "old.db"]);
    let [second, third] = [2, 3].map(|n| server.new_user(&format!("u{n}@example.com")));
    let (good, revoked) = (server.new_token(second), server.new_token(first));
    done(path, &["backup", "better.db"]);
    server.revoke(&revoked);
    assert_eq!(server.delete(format!("/admin/users/{third}")).admin().send().status, 204);
    server.terminate();

    let plan = restored(path, &["old.db"]);
    assert_eq!(plan["lost"]["users"], 1);
    let first_kept = kept(&plan).to_string_lossy().into_owned();
    let server = serve(path);
    let fourth = server.new_user("u4@example.com");
    assert_eq!(fourth, third + 1, "an id was given again");
    done(path, &["backup", "newest.db"]);
    assert_eq!(server.delete(format!("/admin/users/{fourth}")).admin().send().status, 204);
    server.terminate();

    // The second user was lost by the restore and not erased; the third was erased before it.
    let plan = restored(path, &["better.db", "--since", &first_kept]);
    assert_eq!(applied(&plan), json!({ "tokens_revoked": [revoked.id], "users_erased": [third] }));
    let second_kept = kept(&plan).to_string_lossy().into_owned();
    let server = serve(path);
    server.whoami(&good.text).expect(200);
    assert_eq!(server.whoami(&revoked.text).status, 403);
    server.terminate();
    let log = done(path, &["audit", "verify", "--output", "json"]);
    assert!(log.contains("\"intact\":true"), "{log}");

    // And who came and went after the first restore does not come back either.
    let plan = restored(path, &["newest.db", "--since", &second_kept]);
    assert_eq!(applied(&plan), json!({ "users_erased": [fourth] }));
}

#[test]
fn more_than_one_file_is_read_for_what_is_newer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    with_transcripts(path, 2);
    done(path, &["backup", "old.db"]);
    sql(path, "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
        VALUES (2, 'google_meet', 'zqlater', 'completed', '{}', 0, 0)");
    done(path, &["backup", "better.db"]);
    sql(path, "DELETE FROM meetings WHERE native_meeting_id = 'zqlater'");
    let first = kept(&restored(path, &["old.db"]));
    let name = first.file_name().expect("a name").to_string_lossy().into_owned();
    // No audit log tells of a meeting that was deleted; the file that was kept does.
    let plan = restored(path, &["better.db", "--since", "vomeet.db", "--since", &name]);
    assert_eq!(applied(&plan), json!({ "meetings_erased": [5] }));
    assert_eq!(plan["since"].as_array().expect("a list").len(), 2, "{plan}");
    assert!(!has(&database(path), "zqlater"));
}

#[test]
fn a_configured_token_that_was_revoked_since_stays_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let secret = PlainToken::generate().expect("randomness").reveal().to_owned();
    let secret = secret.as_str();
    let ended = Launch::new(path, &["token", "hash"]).input(secret).run();
    let hash = ended.stdout.trim();
    let settings = format!("[[users]]\nemail = \"c@example.com\"\ntokens = [\"{hash}\"]\n");
    done(path, &["user", "add", "b@example.com"]);
    done(path, &["backup", "b.db"]);
    fs::write(path.join("vomeet.toml"), settings).expect("settings");
    let server = serve(path);
    server.whoami(secret).expect(200);
    let id = done(path, &["token", "list", "--output", "json"]);
    let id: Value = serde_json::from_str(&id).expect("JSON");
    let id = id[0]["id"].as_i64().expect("an id");
    assert_eq!(server.delete(format!("/admin/tokens/{id}")).admin().send().status, 204);
    server.terminate();
    restored(path, &["b.db"]);
    let server = serve(path);
    assert_eq!(server.whoami(secret).status, 403, "it was made again from the settings");
    server.terminate();
}

/// A file of version 5 with two users, who have a token each.
fn older(path: &Path) {
    let db = Connection::open(path).expect("a database");
    db.execute_batch(include_str!("../../src/store/upgrade/at_5.sql")).expect("an older file");
    db.execute_batch(
        "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
           VALUES ('a@b.c', 'a@b.c', 1, '{}', 0), ('d@b.c', 'd@b.c', 1, '{}', 0);
         INSERT INTO tokens (user_id, hash, hint, created_at)
           VALUES (1, randomblob(32), 'AbCd', 0), (2, randomblob(32), 'AbCd', 0);
         PRAGMA application_id = 1448037716; PRAGMA user_version = 5; PRAGMA journal_mode = WAL",
    )
    .expect("an older file");
}

#[test]
fn a_backup_of_an_older_version_is_upgraded_at_once_and_an_older_file_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    older(&database(path));
    done(path, &["backup", "b.db"]);
    let db = Connection::open(database(path)).expect("a database");
    db.execute_batch(
        "PRAGMA foreign_keys = ON; DELETE FROM users WHERE id = 2; DELETE FROM tokens WHERE id = 1",
    )
    .expect("changes");
    drop(db);
    let plan = restored(path, &["b.db"]);
    assert_eq!(applied(&plan), json!({ "users_erased": [2], "tokens_revoked": [1] }));
    let version = |file: &Path| one::<i64>(file, "PRAGMA user_version");
    assert_eq!((version(&path.join("b.db")), version(&database(path))), (5, 8));
    let kept = kept(&plan);
    assert_eq!(version(&kept), 5, "an older program can go back to it");
    assert_eq!(rows(&kept)["users"].len(), 1);
}

#[test]
fn a_changed_audit_log_does_not_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    let erased = server.new_user("two@example.com");
    done(path, &["backup", "b.db"]);
    server.revoke(&token);
    assert_eq!(server.delete(format!("/admin/users/{erased}")).admin().send().status, 204);
    server.terminate();
    sql(path, "UPDATE audit SET actor = 'nobody' WHERE id = (SELECT max(id) FROM audit)");
    let plan = restored(path, &["b.db"]);
    assert_eq!(plan["audit_log_goes_on"], false);
    assert!(plan["audit_log_fault"].as_str().expect("a fault").contains("was changed"), "{plan}");
    let expected = json!({ "tokens_revoked": [token.id], "users_erased": [erased] });
    assert_eq!(applied(&plan), expected);
    let log = done(path, &["audit", "verify", "--output", "json"]);
    assert!(log.contains("\"intact\":true"), "{log}");
}

#[test]
fn files_that_are_not_of_one_history_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let other = path.join("other");
    fs::create_dir(&other).expect("a folder");
    for place in [path, &other] {
        done(place, &["user", "add", "one@example.com"]);
        done(place, &["user", "add", "two@example.com"]);
    }
    done(&other, &["backup", "../b.db"]);
    let before = rows(&database(path));
    let (code, message) = refused(path, &["restore", "b.db", "--yes"]);
    assert_eq!(code, 6, "{message}");
    assert!(
        message.contains("are not of one history") && message.contains("after entry 0"),
        "{message}"
    );
    assert_eq!(rows(&database(path)), before);
    // Put back by hand, and gone on: the same ids mean others.
    done(path, &["backup", "hand.db"]);
    done(path, &["user", "add", "three@example.com"]);
    done(path, &["backup", "later.db"]);
    fs::copy(path.join("hand.db"), database(path)).expect("a copy");
    done(path, &["user", "add", "four@example.com"]);
    let (code, message) = refused(path, &["restore", "later.db", "--yes"]);
    assert_eq!(code, 6, "{message}");
    assert!(message.contains("after entry 2"), "{message}");
}

#[test]
fn a_backup_is_as_old_as_what_is_in_it_and_not_as_its_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    sql(
        path,
        "DELETE FROM audit_details; DELETE FROM audit;
         DELETE FROM sqlite_sequence WHERE name = 'audit';
         INSERT OR REPLACE INTO clock (id, latest) VALUES (1, 5000)",
    );
    done(path, &["backup", "c.db"]);
    fs::copy(path.join("c.db"), path.join("copy.db")).expect("a copy");
    let plan = restored(path, &["copy.db"]);
    assert!(plan["as_of"].as_str().expect("a time").starts_with("1970-01-01T00:00:05"), "{plan}");
}
