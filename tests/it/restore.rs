//! `vomeet restore`: the backup in the place of the database, the old file kept, and nothing undone
//! that shut somebody out or erased somebody.

use crate::backup::rows;
use crate::cli::done;
use crate::client::{Token, token_of};
use crate::process::{Launch, Process};
use crate::server::open_file;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Restores without a question, and returns what was done.
pub fn restored(folder: &Path, arguments: &[&str]) -> Value {
    let text = done(folder, &[&["restore"], arguments, &["--yes", "--output", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// The kinds of what was applied again that have ids, with these.
pub fn applied(plan: &Value) -> Value {
    let mut members = plan["applied"].as_object().expect("an object").clone();
    members.retain(|_, ids| *ids != json!([]));
    members.into()
}

pub fn serve(folder: &Path) -> Process {
    Launch::serve(folder).any_wrong_keys().start()
}

pub fn sql(folder: &Path, statements: &str) {
    open_file(&folder.join("vomeet.db"), |db| db.execute_batch(statements).expect("SQL"));
}

pub fn one<T: rusqlite::types::FromSql>(file: &Path, query: &str) -> T {
    let db = Connection::open(file).expect("a database");
    db.query_row(query, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{query}: {error}"))
}

pub fn database(folder: &Path) -> PathBuf {
    folder.join("vomeet.db")
}

pub fn kept(plan: &Value) -> PathBuf {
    plan["kept"].as_str().expect("a file").into()
}

fn token(server: &Process, user: i64, body: &Value) -> Token {
    let path = format!("/admin/users/{user}/tokens");
    token_of(&server.post(path).admin().json(body).send().expect(201))
}

fn change(server: &Process, path: String, body: &Value) {
    server.patch(path).admin().json(body).send().expect(200);
}

/// Rotates it, and returns the new one.
fn rotate(server: &Process, token: &Token, body: &Value) -> Token {
    let path = format!("/admin/tokens/{}/rotate", token.id);
    token_of(&server.post(path).admin().json(body).send().expect(201))
}

#[test]
fn a_backup_takes_the_place_and_the_old_file_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    done(path, &["backup", "b.db"]);
    let newer = server.new_user("two@example.com");
    server.new_token(newer);
    change(&server, format!("/admin/users/{user}"), &json!({ "name": "Newer" }));
    server.kill();
    let old = rows(&database(path));

    let plan = restored(path, &["b.db"]);
    assert_eq!(applied(&plan), json!({}));
    assert_eq!(plan["lost"], json!({ "users": 1, "tokens": 1, "meetings": 0, "segments": 0 }));
    assert_eq!((&plan["users"], &plan["tokens"]), (&json!(1), &json!(1)));
    let kept = kept(&plan);
    let name = kept.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.starts_with("vomeet.db.before-restore-20") && name.ends_with('Z'), "{name}");
    for file in [&kept, &database(path)] {
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    let mut left = crate::durability::names(path);
    // What the killed server has left.
    left.retain(|name| ![".sock", ".ballast"].iter().any(|end| name.ends_with(end)));
    assert_eq!(left, ["b.db", "vomeet.db", name.as_str(), "vomeet.db.lock"]);
    assert_eq!(rows(&kept), old, "with what its WAL had");
    let backup = rows(&path.join("b.db"));
    let new = rows(&database(path));
    assert_eq!((&new["users"], &new["tokens"]), (&backup["users"], &backup["tokens"]));

    let server = serve(path);
    assert_eq!(server.counts(), (1, 1));
    server.whoami(&token.text).expect(200);
    server.terminate();
}

#[test]
fn who_lost_access_does_not_get_it_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let user = server.new_user("one@example.com");
    change(&server, format!("/admin/users/{user}"), &json!({ "max_concurrent_bots": 3 }));
    let (disabled, erased) = (server.new_user("two@example.com"), server.new_user("x@example.com"));
    let new_token = || token(&server, user, &json!({}));
    let [good, revoked, rotated, graceful, stopped, shortened, unused] =
        std::array::from_fn(|_| new_token());
    let others = [server.new_token(disabled), server.new_token(erased)];
    server.whoami(&unused.text).expect(200);
    done(path, &["backup", "b.db"]);

    assert_eq!(server.revoke(&revoked).status, 204);
    let successors = [
        rotate(&server, &rotated, &json!({})),
        rotate(&server, &graceful, &json!({ "grace_seconds": 3600 })),
    ];
    change(&server, format!("/admin/tokens/{}", stopped.id), &json!({ "disabled": true }));
    change(&server, format!("/admin/tokens/{}", shortened.id), &json!({ "expires_in": 600 }));
    change(&server, format!("/admin/tokens/{}", unused.id), &json!({ "disuse_seconds": 700 }));
    change(&server, format!("/admin/users/{disabled}"), &json!({ "disabled": true }));
    change(&server, format!("/admin/users/{user}"), &json!({ "max_concurrent_bots": 0 }));
    assert_eq!(server.delete(format!("/admin/users/{erased}")).admin().send().status, 204);
    server.kill();
    // As a release that lets administrators narrow a token would leave it.
    let narrow = r#"{"read_only":true,"platforms":[],"meeting":null}"#;
    sql(path, &format!("UPDATE tokens SET scope = '{narrow}' WHERE id = {}", good.id));
    let before: String = one(
        &database(path),
        "SELECT group_concat(concat_ws('|', id, disabled_at, expires_at, disuse_seconds, replaced_by,
           lifetime_seconds, scope), ';' ORDER BY id) FROM tokens WHERE id <= 9",
    );

    let plan = restored(path, &["b.db"]);
    assert_eq!(
        applied(&plan),
        json!({
            "tokens_revoked": [revoked.id, rotated.id],
            "tokens_restricted": [good.id, graceful.id, stopped.id, shortened.id, unused.id],
            "users_disabled": [disabled], "users_limited": [user], "users_erased": [erased],
        })
    );
    let after: String = one(
        &database(path),
        "SELECT group_concat(concat_ws('|', id, disabled_at, expires_at, disuse_seconds, replaced_by,
           lifetime_seconds, scope), ';' ORDER BY id) FROM tokens",
    );
    assert_eq!(before, after);
    let server = serve(path);
    for token in [&good, &graceful, &shortened, &unused] {
        server.whoami(&token.text).expect(200);
    }
    for refused in [&revoked, &rotated, &stopped].into_iter().chain(&others).chain(&successors) {
        assert_eq!(server.whoami(&refused.text).status, 403, "{}", refused.id);
    }
    let said = server.whoami(&revoked.text).text().to_owned();
    assert!(said.contains("revoked"), "{said}");
    let shown = server.get(format!("/admin/users/{user}")).admin().send().expect(200);
    assert_eq!(shown["max_concurrent_bots"], 0);
    server.terminate();
}

#[test]
fn admin_keys_are_as_they_were_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let create = |name: &str| {
        let body = json!({ "name": name });
        let made = server.post("/admin/keys").admin().json(&body).send().expect(201);
        (made["id"].as_i64().expect("an id"), made["key"].as_str().expect("a key").to_owned())
    };
    let [good, revoked, rotated, graceful] = ["good", "revoked", "rotated", "graceful"].map(create);
    done(path, &["backup", "b.db"]);
    server.delete(format!("/admin/keys/{}", revoked.0)).admin().send();
    let rotate = |id: i64, body: &Value| {
        let path = format!("/admin/keys/{id}/rotate");
        let made = server.post(path).admin().json(body).send().expect(201);
        made["key"].as_str().expect("a key").to_owned()
    };
    let rotated_to = rotate(rotated.0, &json!({}));
    let graceful_to = rotate(graceful.0, &json!({ "grace_seconds": 3600 }));
    server.terminate();
    let plan = restored(path, &["b.db"]);
    let expected =
        json!({ "admin_keys_revoked": [revoked.0], "admin_keys_rotated": [rotated.0, graceful.0] });
    assert_eq!(applied(&plan), expected);
    let server = serve(path);
    let status =
        |key: &str| server.get("/admin/users").header("X-Admin-API-Key", key).send().status;
    for key in [&good.1, &rotated_to, &graceful.1, &graceful_to] {
        assert_eq!(status(key), 200, "{key}");
    }
    for key in [&revoked.1, &rotated.1] {
        assert_eq!(status(key), 403, "{key}");
    }
    server.terminate();
}

/// A user without any, and others with two meetings each, and words in them.
pub fn with_transcripts(folder: &Path, users: i64) {
    done(folder, &["user", "add", "first@example.com"]);
    sql(
        folder,
        &format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
             INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
               SELECT 'zqmail' || (i + 1) || '@example.com', 'zqmail' || (i + 1) || '@example.com', 1, '{{}}', 0
               FROM n;
             INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
               SELECT u.id, 'google_meet', 'zqmeet' || u.id || p.n, 'completed',
                 json_object('notes', 'zqnote' || u.id || 'x' || p.n), 0, 0
               FROM users u, (SELECT 1 AS n UNION ALL SELECT 2) p WHERE u.id > 1 ORDER BY u.id, p.n;
             INSERT INTO streams (meeting_id, uid, started_at) SELECT id, 'one', 0 FROM meetings;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
             INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text,
                 speaker_source, completed, created_at, updated_at)
               SELECT m.id, s.id, 'i' || i, i, i, 'zqword' || m.id || 'x' || i || ' of zqmeeting' || m.id || 'x',
                 'bot', 1, 0, 0 FROM meetings m JOIN streams s ON s.meeting_id = m.id, n;
             INSERT INTO words (rowid, owner, speaker, text)
               SELECT s.id, 'u' || m.user_id, 'Ada', s.text
               FROM segments s JOIN meetings m ON m.id = s.meeting_id;"
        ),
    );
}

/// Whether the bytes of a file have a word, in whatever case.
pub fn has(file: &Path, word: &str) -> bool {
    let bytes = fs::read(file).expect("a file").to_ascii_lowercase();
    memchr::memmem::find(&bytes, word.as_bytes()).is_some()
}

#[test]
fn who_was_erased_does_not_come_back_not_even_in_free_space() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    with_transcripts(path, 4);
    let first: i64 = one(&database(path), "SELECT min(id) FROM users WHERE id > 1");
    // What a program that does not overwrite has left in the free space of a page.
    sql(
        path,
        "PRAGMA secure_delete = OFF;
         INSERT INTO webhook_secrets (user_id, secret) VALUES (3, 'kept'), (4, 'zqghost');
         DELETE FROM webhook_secrets WHERE user_id = 4",
    );
    done(path, &["backup", "b.db"]);
    let server = serve(path);
    assert_eq!(server.delete(format!("/admin/users/{first}")).admin().send().status, 204);
    let token = server.new_token(first + 1);
    let meeting = format!("/meetings/google_meet/zqmeet{}1", first + 1);
    assert_eq!(server.delete(meeting).user(&token.text).send().status, 200);
    server.terminate();
    // As retention leaves it, which deletes meetings whole; and an erasure that is under way.
    sql(
        path,
        &format!(
            "DELETE FROM meetings WHERE id = 6;
             UPDATE users SET erasing_at = 1, email_key = 'erased:' || id WHERE id = {}",
            first + 3
        ),
    );
    let plan = restored(path, &["b.db"]);
    assert_eq!(
        applied(&plan),
        json!({
            "users_erased": [first, first + 3], "meetings_erased": [6], "transcripts_erased": [3],
        })
    );
    let file = database(path);
    for word in [
        "zqghost".to_owned(),
        format!("zqmail{first}@"),
        format!("zqmail{}@", first + 3),
        "zqmeeting1x".to_owned(),
        "zqmeeting2x".to_owned(),
        "zqword1x".to_owned(),
        "zqmeeting3x".to_owned(),
        "zqmeeting6x".to_owned(),
        "zqword6x".to_owned(),
        "zqmeeting7x".to_owned(),
        format!("zqnote{first}x"),
        format!("zqmeet{}1", first + 1),
    ] {
        assert!(has(&path.join("b.db"), &word), "{word} is not in the backup");
        assert!(!has(&file, &word), "{word} has come back");
    }
    for word in ["zqmeeting4x", "zqword5x7", "zqmail"] {
        assert!(has(&file, word), "{word} is lost");
    }
    let check: String = one(&file, "PRAGMA integrity_check");
    assert_eq!(check, "ok");
    assert_eq!(one::<i64>(&file, "SELECT count(*) FROM erasures"), 0);
    let found: i64 = one(&file, "SELECT count(*) FROM words WHERE words MATCH 'zqmeeting4x'");
    assert_eq!(found, 400);
}

#[test]
fn an_id_is_never_given_again_and_the_time_never_goes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let first = server.new_user("one@example.com");
    done(path, &["backup", "b.db"]);
    let users = [2, 3].map(|n| server.new_user(&format!("u{n}@example.com")));
    let token = server.new_token(first);
    let body = json!({ "name": "k" });
    let key = server.post("/admin/keys").admin().json(&body).send().expect(201)["id"].as_i64();
    server.terminate();
    sql(
        path,
        "UPDATE sqlite_sequence SET seq = 77 WHERE name = 'users';
        INSERT INTO sqlite_sequence (name, seq) VALUES ('segments', 99);
        INSERT OR REPLACE INTO clock (id, latest) VALUES (1, 4102444800000)",
    );
    assert!(users[1] < 77);
    restored(path, &["b.db"]);
    assert_eq!(one::<i64>(&database(path), "SELECT latest FROM clock"), 4_102_444_800_000);
    let segments = "SELECT seq FROM sqlite_sequence WHERE name = 'segments'";
    assert_eq!(one::<i64>(&database(path), segments), 99);
    let server = serve(path);
    assert_eq!(server.new_user("next@example.com"), 78);
    assert_eq!(server.new_token(first).id, token.id + 1);
    let body = json!({ "name": "k" });
    let next = server.post("/admin/keys").admin().json(&body).send().expect(201)["id"].as_i64();
    assert_eq!(next, key.map(|key| key + 1));
    server.terminate();
}

#[test]
fn the_audit_log_is_not_set_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let user = server.new_user("one@example.com");
    done(path, &["backup", "b.db"]);
    let token = server.new_token(user);
    server.revoke(&token);
    let lost = server.new_user("zqlost@example.com");
    server.terminate();
    let before = done(path, &["audit", "verify", "--output", "json"]);
    let before: Value = serde_json::from_str(&before).expect("JSON");
    let head_of_backup = done(path, &["backup", "verify", "b.db", "--output", "json"]);
    let head_of_backup: Value = serde_json::from_str(&head_of_backup).expect("JSON");

    let plan = restored(path, &["b.db"]);
    assert_eq!(plan["audit_log_goes_on"], true);
    assert_eq!(plan["audit_entry"], before["last_id"].as_i64().expect("an id") + 1);
    let after = done(path, &["audit", "verify", "--output", "json"]);
    let after: Value = serde_json::from_str(&after).expect("JSON");
    assert_eq!((&after["intact"], &after["entries"]), (&json!(true), &plan["audit_entry"]));
    let log = done(path, &["audit", "export"]);
    let log: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_head = |hash: &Value| log.iter().any(|entry| entry["hash"] == *hash);
    assert!(of_head(&before["head"]) && of_head(&head_of_backup["audit_head"]));
    let entry = log.last().expect("an entry");
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("database.restore"), &json!("database"))
    );
    assert!(entry["actor"].as_str().expect("an actor").starts_with("local:"), "{entry}");
    let said = &entry["after"];
    for (name, file) in [("backup", path.join("b.db")), ("kept", kept(&plan))] {
        let said = Path::new(said[name].as_str().expect("a path"));
        assert!(said.is_absolute() && said.file_name() == file.file_name(), "{name}: {said:?}");
    }
    assert_eq!(said["backup_head"], head_of_backup["audit_head"]);
    assert_eq!(said["as_of"], plan["as_of"]);
    assert_eq!(said["lost"]["users"], 1);
    assert_eq!(said["ids"]["users"], json!({ "restored": user, "given": lost }));
    // Of somebody who is not there any more, and whom nobody could erase, nothing is said.
    assert!(has(&kept(&plan), "zqlost") && !has(&database(path), "zqlost"));
    let created =
        log.iter().find(|entry| entry["subject_id"] == lost && entry["subject"] == "user");
    assert_eq!(created.expect("an entry")["after"], Value::Null);

    // Only what the restore has lost may be missing.
    sql(
        path,
        &format!(
            "DELETE FROM audit_details WHERE audit_id = (SELECT min(id) FROM audit WHERE user_id = {user})"
        ),
    );
    let ended = crate::cli::vomeet(path, &["audit", "verify"]);
    assert_eq!(ended.status.code(), Some(31), "{ended:?}");
}
