//! `vomeet backup drill`: what a backup holds is served and compared, nothing goes outward, and
//! nothing is left.

use crate::backup::filled;
use crate::cli::{done, refused, vomeet};
use crate::durability::names;
use crate::process::{BINARY, Launch};
use crate::receiver::Receiver;
use crate::server::open_file;
use rusqlite::Connection;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A database with an event that waits to be delivered to this address.
fn with_waiting_event(database: &Path, url: &str) {
    filled(database);
    open_file(database, |db| {
        db.execute("UPDATE users SET webhook_url = ?1", [url]).expect("a webhook");
        db.execute_batch(
            "INSERT INTO webhook_secrets (user_id, secret) VALUES (1, 'secret');
             INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at)
               VALUES (1, 1, 'e1', '{}', 0, 0, 0);
             UPDATE meetings SET status = 'active';
             INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (1, 's', 'Bot', 0);",
        )
        .expect("a waiting event and an open meeting");
    });
}

#[test]
fn a_good_backup_passes_and_nothing_goes_outward() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let receiver = Receiver::taking();
    with_waiting_event(&path.join("vomeet.db"), &receiver.url());
    done(path, &["user", "add", "b@example.com"]);
    done(path, &["token", "create", "b@example.com"]);
    fs::create_dir(path.join("backups")).expect("a folder");
    fs::create_dir(path.join("scratch")).expect("a folder");
    fs::write(path.join("vomeet.toml"), "[backup]\nfolder = 'backups'\n").expect("settings");
    done(path, &["backup"]);
    let backup = names(&path.join("backups"));
    let before = fs::read(path.join("backups").join(&backup[0])).expect("a backup");
    // Another server's settings and a service that would send events must not count for the copy.
    let arguments = ["backup", "drill", "--scratch", "scratch", "--output", "json"];
    let networks = "127.0.0.0/8";
    let ended =
        Launch::new(path, &arguments).env("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", networks).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(said["passed"], true, "{said}");
    let compared = said["compared"].as_array().expect("a list");
    for (what, backup) in [
        ("tokens by /healthz", Value::from(1)),
        ("audit log is intact", true.into()),
        ("audit entries", 2.into()),
        ("the first user", 1.into()),
        ("the newest meeting", 1.into()),
        ("rows of users", 2.into()),
        ("rows of segments", 500.into()),
        ("rows of words_content", 500.into()),
        ("rows of deliveries", 1.into()),
    ] {
        let row = compared.iter().find(|row| row["what"] == what);
        let row = row.unwrap_or_else(|| panic!("{what} is not compared: {said}"));
        assert_eq!((&row["backup"], &row["served"]), (&backup, &backup), "{what}");
    }
    assert_eq!(receiver.calls(), 0, "an event was sent");
    assert_eq!(names(&path.join("scratch")), [""; 0]);
    assert_eq!(fs::read(path.join("backups").join(&backup[0])).expect("a backup"), before);
    assert_eq!(names(&path.join("backups")), backup);
}

#[test]
fn a_backup_of_an_older_version_is_upgraded_in_the_copy_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("old.db");
    let db = Connection::open(&old).expect("a database");
    db.execute_batch(include_str!("../../src/store/upgrade/at_4.sql")).expect("an older file");
    db.execute_batch("PRAGMA application_id = 1448037716; PRAGMA user_version = 4").expect("ours");
    drop(db);
    let said = done(folder.path(), &["backup", "drill", "old.db"]);
    assert!(said.contains("rows of segments") && !said.contains("rows of usage"), "{said}");
    assert_eq!(fs::read(&old).expect("a file")[60..64], [0, 0, 0, 4]);
}

#[test]
fn what_cannot_be_restored_does_not_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("vomeet.db"));
    let (code, message) = refused(path, &["backup", "drill"]);
    assert!(code == 4 && message.starts_with("Name the backup, or set folder"), "{code} {message}");
    fs::write(path.join("vomeet.toml"), "[backup]\nfolder = 'backups'\n").expect("settings");
    let (code, message) = refused(path, &["backup", "drill"]);
    assert!(code == 4 && message.starts_with("There is no good backup in /"), "{code} {message}");
    fs::write(path.join("text"), b"no database at all").expect("a file");
    let (code, message) = refused(path, &["backup", "drill", "text"]);
    assert_eq!((code, message.as_str()), (14, "text is no backup: it is no database."));
    done(path, &["backup"]);
    let (code, message) = refused(path, &["backup", "drill", "--scratch", "nowhere"]);
    assert!(code == 34 && message.contains("cannot be made"), "{code} {message}");
    // A copy for which there is no room.
    let script = r#"mount -t tmpfs -o size=100k tmpfs scratch || exit 99
        "$1" backup drill --scratch scratch; code=$?; ls -A scratch; exit $code"#;
    fs::create_dir(path.join("scratch")).expect("a folder");
    let arguments = ["--mount", "--map-root-user", "sh", "-c", script, "sh", BINARY];
    let ended = Launch::other("unshare", &arguments, path).run();
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(34), ""), "{ended:?}");
    assert!(ended.stderr.contains("cannot be copied (No space left on device"), "{ended:?}");
}

#[test]
fn the_server_of_a_copy_ends_with_its_drill() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(&folder.path().join("vomeet.db"));
    // Its standard input is at its end from the start.
    let ended = vomeet(folder.path(), &["backup", "serve-scratch"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(!folder.path().join("vomeet.db.sock").exists());
}
