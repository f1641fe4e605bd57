//! What `vomeet restore` refuses, what it says and asks, and that nothing is changed then.

use crate::backup::filled;
use crate::cli::{done, refused};
use crate::process::{BINARY, Launch};
use crate::restore::{applied, database, kept, restored, serve, sql};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file but the lock, and the SHA-256 of what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, bytes) in crate::secrets::everything(folder) {
        if !name.ends_with("vomeet.db.lock") {
            files.insert(
                name,
                ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref().to_vec(),
            );
        }
    }
    files
}

/// A database with a backup, and something newer.
fn prepared(folder: &Path) {
    filled(&database(folder));
    done(folder, &["user", "add", "two@example.com"]);
    done(folder, &["backup", "b.db"]);
    done(folder, &["user", "add", "three@example.com"]);
    done(folder, &["user", "disable", "two@example.com"]);
}

#[test]
fn nothing_is_restored_under_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let server = serve(folder.path());
    let (code, message) = refused(folder.path(), &["restore", "b.db", "--yes"]);
    assert_eq!(code, 13, "{message}");
    assert!(message.starts_with("Another vomeet serves ") && message.contains("stop it first"));
    assert_eq!(server.counts().0, 3);
    server.terminate();
}

#[test]
fn what_cannot_be_restored_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    let good = fs::read(path.join("b.db")).expect("a backup");
    let changed = |at: usize, bytes: &[u8]| {
        let mut copy = good.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        copy
    };
    fs::write(path.join("newer"), changed(60, &[0, 0, 0, 99])).expect("a file");
    fs::write(path.join("cut"), &good[..good.len() - 4096]).expect("a file");
    fs::write(path.join("text"), b"no database").expect("a file");
    let before = files(path);
    let rows: [(&[&str], i32, &str); 9] = [
        (
            &["newer", "--yes"],
            14,
            "newer is no backup: it was written by a newer vomeet (file version 99",
        ),
        (&["cut", "--yes"], 14, "cut is no backup: it is cut off"),
        (&["text", "--yes"], 14, "text is no backup: it is no database."),
        (&["missing", "--yes"], 15, "missing cannot be read ("),
        (&["vomeet.db", "--yes"], 6, "vomeet.db is the database itself; name a backup."),
        (
            &["b.db", "--since", "b.db", "--yes"],
            6,
            "b.db is named with --since as well; name a backup.",
        ),
        (
            &["b.db", "--since", "nothing", "--yes"],
            4,
            "There is no database nothing; name another.",
        ),
        (
            &["b.db", "--without-old-file", "--yes"],
            6,
            "There is a file that can be read for what is newer",
        ),
        (&["b.db"], 9, "Put "),
    ];
    for (arguments, code, expected) in rows {
        let (found, message) = refused(path, &[&["restore"], arguments].concat());
        assert_eq!(found, code, "{arguments:?}: {message}");
        assert!(message.starts_with(expected), "{arguments:?}: {message}");
        assert_eq!(files(path), before, "{arguments:?}");
    }
    let (_, message) = refused(path, &["restore", "b.db"]);
    assert!(message.ends_with("There is no terminal to ask on; give --yes to do it."), "{message}");
}

#[test]
fn on_a_terminal_it_says_what_it_will_do_and_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    let before = files(path);
    let line = format!("{BINARY} restore b.db");
    let answer = |word: &str| {
        let arguments = ["-qec", line.as_str(), "/dev/null"];
        Launch::other("script", &arguments, path).input(&format!("{word}\n")).run()
    };
    let ended = answer("n");
    assert_eq!(ended.status.code(), Some(9), "{ended:?}");
    for said in [
        "The backup is good, and as of 20",
        " ago.",
        "It has 2 users, 0 tokens and 1 meeting.",
        "Newer than the backup, and lost: 1 user",
        "Applied again: 1 user disabled (2)",
        "in the place of ",
        "[y/N]",
        "Nothing was done.",
    ] {
        assert!(ended.stdout.contains(said), "{said}: {ended:?}");
    }
    assert_eq!(files(path), before);
    let ended = answer("y");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Old file"), "{ended:?}");
    assert_ne!(files(path), before);
}

#[test]
fn without_the_old_file_it_says_what_it_cannot_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    fs::remove_file(database(path)).expect("removed");
    let before = files(path);
    let (code, message) = refused(path, &["restore", "b.db", "--yes"]);
    assert_eq!(code, 9, "{message}");
    assert!(
        message.starts_with("There is no ") && message.contains("vomeet.db: which tokens"),
        "{message}"
    );
    assert!(
        message.contains("who was disabled or erased") && message.contains("--without-old-file")
    );
    let (code, message) = refused(path, &["restore", "b.db", "--without-old-file"]);
    assert!(code == 9 && message.contains("give --yes"), "{code} {message}");
    assert_eq!(files(path), before);
    let plan = restored(path, &["b.db", "--without-old-file"]);
    assert_eq!((applied(&plan), &plan["kept"]), (json!({}), &json!(null)));
    done(path, &["user", "show", "two@example.com"]);
}

#[test]
fn a_damaged_file_is_not_believed_and_is_kept_with_its_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    fs::copy(database(path), path.join("copy.db")).expect("a copy");
    // A page of segments: rows that are missing by a fault were not erased.
    let mut bytes = fs::read(database(path)).expect("a file");
    let at = memchr::memmem::find(&bytes, b"some words 3").expect("a segment") / 4096 * 4096;
    bytes[at..at + 4096].fill(0xff);
    fs::write(database(path), &bytes).expect("a file");
    fs::write(path.join("vomeet.db-wal"), b"no log").expect("a file");
    let (code, message) = refused(path, &["restore", "b.db", "--yes"]);
    assert!(code == 9 && message.contains("is damaged ("), "{code} {message}");
    // A good copy can be read in its place.
    let plan = restored(path, &["b.db", "--since", "copy.db"]);
    assert_eq!(applied(&plan), json!({ "users_disabled": [2] }));
    let kept = kept(&plan);
    assert_eq!(fs::read(&kept).expect("a file"), bytes);
    let log = format!("{}-wal", kept.display());
    assert_eq!(fs::read(log).expect("a file"), b"no log");
    assert!(!path.join("vomeet.db-wal").exists());
    let listed = done(path, &["user", "list"]);
    assert!(listed.contains("two@example.com") && !listed.contains("three@"), "{listed}");
}

#[test]
fn without_room_nothing_is_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    fs::create_dir(path.join("small")).expect("a folder");
    let script = r#"mount -t tmpfs -o size=8m tmpfs small || exit 99
        cp vomeet.db small; "$1" restore b.db --database small/vomeet.db --yes; code=$?
        ls -A small; exit $code"#;
    let arguments = ["--mount", "--map-root-user", "sh", "-c", script, "sh", BINARY];
    let ended = Launch::other("unshare", &arguments, path).run();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    let said = "There is no room for a restore in small: it takes ";
    assert!(ended.stderr.contains(said), "{ended:?}");
    assert_eq!(ended.stdout, "vomeet.db\nvomeet.db.lock\n");
}

#[test]
fn what_a_killed_restore_left_goes_with_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    for name in
        ["restoring", "restoring-wal", "restoring.lock", "restoring-keep", "restoring-since"]
    {
        fs::write(path.join(format!("vomeet.db.{name}")), b"left").expect("a file");
    }
    sql(path, "SELECT 1");
    let names = crate::durability::names(path);
    assert!(!names.iter().any(|name| name.contains("restoring")), "{names:?}");
}

#[test]
fn a_database_of_another_program_or_a_newer_release_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    let ours = fs::read(database(path)).expect("a file");
    fs::remove_file(database(path)).expect("removed");
    let other = rusqlite::Connection::open(database(path)).expect("a database");
    other
        .execute_batch("PRAGMA application_id = 7; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .expect("a database");
    drop(other);
    let mut newer = ours.clone();
    newer[60..64].copy_from_slice(&[0, 0, 0, 99]);
    let foreign = fs::read(database(path)).expect("a file");
    for (bytes, said) in [(foreign, "another program"), (newer, "a newer vomeet")] {
        fs::write(database(path), bytes).expect("a file");
        let before = files(path);
        let (code, message) = refused(path, &["restore", "b.db", "--without-old-file", "--yes"]);
        assert!(code == 14 && message.contains(said), "{code} {message}");
        assert_eq!(files(path), before);
    }
    // What cannot be read at all is replaced and kept, and it is said why it was not read.
    fs::write(database(path), [7; 5000]).expect("a file");
    let plan = restored(path, &["b.db", "--without-old-file"]);
    assert!(plan["not_read"].as_str().expect("a reason").contains("is not a readable"), "{plan}");
    assert_eq!(fs::read(kept(&plan)).expect("a file"), [7; 5000]);
}

#[test]
fn a_fault_in_the_last_step_does_not_say_that_nothing_was_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    // The first one gives the kept file its name.
    let inject = "inject=/^rename:error=EIO:when=2";
    let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=/^rename", "-e", inject, BINARY];
    let arguments = [&arguments[..], &["restore", "b.db", "--yes"]].concat();
    let ended = Launch::other("strace", &arguments, path).run();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(ended.stderr.contains("The last step of the restore has failed"), "{ended:?}");
    assert!(ended.stderr.contains("vomeet.db.before-restore-"), "{ended:?}");
    assert!(!ended.stderr.contains("nothing was changed"), "{ended:?}");
    restored(path, &["b.db"]);
}
