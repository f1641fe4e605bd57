//! Restores after restores, and which files are read for what is newer: the present one wherever it
//! can be, the newest with the last word, and none that is older or of another history.

use crate::cli::{done, refused};
use crate::client::{Token, token_of};
use crate::process::Process;
use crate::restore::{applied, database, kept, one, restored, serve, sql};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn new_key(server: &Process, name: &str) -> (i64, String) {
    let body = json!({ "name": name });
    let made = server.post("/admin/keys").admin().json(&body).send().expect(201);
    (made["id"].as_i64().expect("an id"), made["key"].as_str().expect("a key").to_owned())
}

fn status(server: &Process, key: &str) -> u16 {
    server.get("/admin/users").header("X-Admin-API-Key", key).send().status
}

fn file_name(plan: &Value) -> String {
    kept(plan).file_name().expect("a name").to_string_lossy().into_owned()
}

fn audit_heads(folder: &Path) -> Vec<Value> {
    let log = done(folder, &["audit", "export"]);
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["hash"].clone())
        .collect()
}

#[test]
fn a_file_that_a_server_has_open_is_not_read_and_the_server_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, other) = (folder.path(), folder.path().join("other"));
    fs::create_dir(&other).expect("a folder");
    done(path, &["user", "add", "one@example.com"]);
    done(path, &["backup", "b.db"]);
    let mut server = serve(&other);
    server.new_user("two@example.com");
    server.signal(Signal::HUP);
    server.stderr.find("SIGHUP: the WAL is checkpointed").expect("a line");
    let (code, message) =
        refused(path, &["restore", "b.db", "--since", "other/vomeet.db", "--yes"]);
    assert_eq!(code, 13, "{message}");
    server.new_user("three@example.com");
    assert_eq!(server.counts().0, 2);
    server.terminate();
}

#[test]
fn the_present_file_is_read_beside_others_and_an_older_one_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let user = server.new_user("one@example.com");
    done(path, &["backup", "mon.db"]);
    let token = server.new_token(user);
    done(path, &["backup", "tue.db"]);
    server.new_token(user);
    done(path, &["backup", "wed.db"]);
    server.revoke(&token);
    server.terminate();
    let (code, message) = refused(path, &["restore", "tue.db", "--since", "mon.db", "--yes"]);
    assert!(code == 6 && message.contains("mon.db is older than tue.db"), "{code} {message}");
    let plan = restored(path, &["tue.db", "--since", "wed.db"]);
    assert_eq!(applied(&plan), json!({ "tokens_revoked": [token.id] }));
    assert_eq!(plan["since"].as_array().expect("a list").len(), 2, "{plan}");

    // The present file is set back by hand: it is no old file, and its log does not go on.
    fs::copy(path.join("mon.db"), database(path)).expect("a copy");
    let (code, message) = refused(path, &["restore", "tue.db", "--yes"]);
    assert!(code == 6 && message.contains("is older than tue.db"), "{code} {message}");
    assert!(message.contains("--without-old-file"), "{message}");
    let plan = restored(path, &["tue.db", "--without-old-file"]);
    assert_eq!((&plan["audit_log_goes_on"], &plan["since"]), (&json!(false), &json!([])));
    assert!(plan["not_read"].as_str().expect("a reason").contains("is older"), "{plan}");
    let head = done(path, &["backup", "verify", "tue.db", "--output", "json"]);
    let head: Value = serde_json::from_str(&head).expect("JSON");
    assert!(audit_heads(path).contains(&head["audit_head"]), "the backup's head is lost");
}

#[test]
fn ids_that_were_given_again_are_not_taken_for_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    done(path, &["user", "add", "one@example.com"]);
    done(path, &["backup", "a.db"]);
    done(path, &["user", "add", "alice@example.com"]);
    done(path, &["backup", "b.db"]);
    fs::remove_file(database(path)).expect("removed");
    restored(path, &["a.db", "--without-old-file"]);
    done(path, &["user", "add", "mallory@example.com"]);
    sql(path, "UPDATE users SET webhook_url = 'https://mallory.example.com' WHERE id = 2");
    let (code, message) = refused(path, &["restore", "b.db", "--yes"]);
    assert!(code == 6 && message.contains("are not of one history"), "{code} {message}");
    let plan = restored(path, &["b.db", "--without-old-file"]);
    assert_eq!(applied(&plan), json!({}));
    let hooks = "SELECT count(*) FROM users WHERE webhook_url IS NOT NULL";
    assert_eq!(one::<i64>(&database(path), hooks), 0);
}

#[test]
fn where_the_logs_cannot_tell_the_rows_must_be_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, other) = (folder.path(), folder.path().join("other"));
    fs::create_dir(&other).expect("a folder");
    for place in [path, &other] {
        done(place, &["user", "add", "one@example.com"]);
        done(place, &["user", "add", "two@example.com"]);
    }
    sql(
        &other,
        "DELETE FROM audit_details; DELETE FROM audit;
         DELETE FROM sqlite_sequence WHERE name = 'audit'",
    );
    done(&other, &["backup", "../b.db"]);
    sql(
        path,
        "DELETE FROM users WHERE id = 2; UPDATE users SET webhook_url = 'https://x.example.com'",
    );
    let (code, message) = refused(path, &["restore", "b.db", "--yes"]);
    assert!(code == 6 && message.contains("the same ids mean others"), "{code} {message}");
}

#[test]
fn a_server_that_was_started_on_a_new_disk_does_not_stand_in_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    done(path, &["user", "add", "one@example.com"]);
    done(path, &["user", "add", "two@example.com"]);
    done(path, &["backup", "b.db"]);
    fs::remove_file(database(path)).expect("removed");
    // Empty, or with the users of the settings.
    for users in [0, 1] {
        for _ in 0..users {
            done(path, &["user", "add", "configured@example.com"]);
        }
        let server = serve(path);
        server.terminate();
        let (code, message) = refused(path, &["restore", "b.db", "--yes"]);
        assert!(code == 6 && message.contains("are not of one history"), "{code} {message}");
        assert!(message.contains("--without-old-file"), "{message}");
        let plan = restored(path, &["b.db", "--without-old-file"]);
        assert!(kept(&plan).exists(), "{plan}");
        assert_eq!(one::<i64>(&database(path), "SELECT count(*) FROM users"), 2);
        fs::remove_file(database(path)).expect("removed");
    }
}

/// A backup that was too old is restored, after a better one of which much was taken back since.
struct Twice {
    folder: tempfile::TempDir,
    key: (i64, String),
    disabled: i64,
    token: Token,
    kept: String,
}

fn twice() -> Twice {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let first = server.new_user("one@example.com");
    done(path, &["backup", "old.db"]);
    let disabled = server.new_user("two@example.com");
    let body = json!({});
    let token = server.post(format!("/admin/users/{first}/tokens")).admin().json(&body).send();
    let token = token_of(&token.expect(201));
    let key = new_key(&server, "ops");
    server.terminate();
    sql(
        path,
        "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
           VALUES (1, 'google_meet', 'zqname', 'completed', '{\"notes\":\"zqnote\"}', 0, 0)",
    );
    done(path, &["backup", "better.db"]);
    let server = serve(path);
    server.delete(format!("/admin/keys/{}", key.0)).admin().send();
    let off = json!({ "disabled": true });
    server.patch(format!("/admin/users/{disabled}")).admin().json(&off).send().expect(200);
    server.patch(format!("/admin/tokens/{}", token.id)).admin().json(&off).send().expect(200);
    let reader = server.new_token(first);
    assert_eq!(server.delete("/meetings/google_meet/zqname").user(&reader.text).send().status, 200);
    server.terminate();
    let kept = file_name(&restored(path, &["old.db"]));
    Twice { folder, key, disabled, token, kept }
}

#[test]
fn a_second_restore_wants_the_file_that_the_first_one_has_kept() {
    let Twice { folder, key, disabled, token, kept } = twice();
    let path = folder.path();
    let (code, message) = refused(path, &["restore", "better.db", "--yes"]);
    assert_eq!(code, 6, "{message}");
    assert!(
        message.contains("an earlier restore has lost") && message.contains(&kept),
        "{message}"
    );
    // A file that was made before the first restore's is not the one.
    fs::copy(path.join("better.db"), path.join("copy.db")).expect("a copy");
    let (code, message) = refused(path, &["restore", "better.db", "--since", "copy.db", "--yes"]);
    assert!(code == 6 && message.contains(&kept), "{code} {message}");

    let plan = restored(path, &["better.db", "--since", &kept]);
    assert_eq!(
        applied(&plan),
        json!({
            "admin_keys_revoked": [key.0], "users_disabled": [disabled],
            "tokens_restricted": [token.id], "transcripts_erased": [1],
        })
    );
    assert!(!crate::restore::has(&database(path), "zqnote"));
    let server = serve(path);
    assert_eq!(status(&server, &key.1), 403);
    assert_eq!(server.whoami(&token.text).status, 403);
    server.terminate();
    // What it has brought back is there now, and no gap any more.
    restored(path, &["better.db"]);
}

#[test]
fn a_secret_that_has_ended_is_no_admin_keys_again() {
    let Twice { folder, key, .. } = twice();
    let path = folder.path();
    let plan = restored(path, &["better.db", "--without-old-file"]);
    assert_eq!(applied(&plan)["admin_keys_revoked"], json!([key.0]));
    let server = serve(path);
    assert_eq!(status(&server, &key.1), 403);
    server.terminate();
}

#[test]
fn of_two_files_the_newer_has_the_last_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    server.new_user("one@example.com");
    let (id, first) = new_key(&server, "ops");
    done(path, &["backup", "old.db"]);
    server.new_user("two@example.com");
    done(path, &["backup", "better.db"]);
    server.terminate();
    sql(path, "UPDATE users SET webhook_url = 'https://example.com/one'");
    let kept = file_name(&restored(path, &["old.db"]));
    let server = serve(path);
    let rotate = format!("/admin/keys/{id}/rotate");
    let made = server.post(rotate).admin().json(&json!({})).send().expect(201);
    let second = made["key"].as_str().expect("a key");
    server.terminate();
    sql(path, "UPDATE users SET webhook_url = NULL WHERE id = 1");
    // In whatever order they are named.
    let plan = restored(path, &["better.db", "--since", "vomeet.db", "--since", &kept]);
    assert_eq!(applied(&plan)["admin_keys_rotated"], json!([id]));
    let since = plan["since"].as_array().expect("a list");
    assert!(since[0] == kept.as_str() && since.len() == 2, "{since:?}");
    let hook = "SELECT webhook_url FROM users WHERE id = 1";
    assert_eq!(one::<Option<String>>(&database(path), hook), None);
    let server = serve(path);
    assert_eq!((status(&server, &first), status(&server, second)), (403, 200));
    server.terminate();
}
