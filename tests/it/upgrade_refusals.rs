//! Upgrades that are refused or stopped: what is found before anything is copied, what others write
//! meanwhile, and what probes and people are told.

use crate::cli::{done, refused, vomeet};
use crate::durability::names;
use crate::process::{BINARY, Ended, Launch};
use crate::restore::{database, one};
use crate::upgrade::{folder_of_old_file, held_start, release, version};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Changes an old file as its administrator would, and leaves no WAL.
fn change(folder: &Path, statements: &str) {
    let db = Connection::open(database(folder)).expect("a database");
    db.execute_batch(statements).expect(statements);
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
}

/// The files of a folder but for the lock and an empty WAL.
fn files(folder: &Path) -> Vec<String> {
    let mut found = names(folder);
    found.retain(|name| name == "vomeet.db" || name.contains(".db.v") || name.contains("upgrad"));
    found
}

#[test]
fn addresses_that_are_one_are_found_before_anything_is_copied() {
    let folder = folder_of_old_file();
    let path = folder.path();
    change(
        path,
        "UPDATE users SET email = 'u@münchen.de', email_key = 'u@münchen.de' WHERE id = 1;
         UPDATE users SET email = 'u@xn--mnchen-3ya.de', email_key = 'u@xn--mnchen-3ya.de'
           WHERE id = 2;",
    );
    for arguments in [&["upgrade", "--check"][..], &["upgrade"]] {
        let (code, why) = refused(path, arguments);
        assert_eq!(code, 15, "{why}");
        assert!(why.contains("u@münchen.de and u@xn--mnchen-3ya.de"), "{why}");
        assert_eq!(files(path), ["vomeet.db"], "{arguments:?}");
    }
    let ended = Launch::serve(path).run();
    assert_eq!(ended.status.code(), Some(15), "{ended:?}");
    assert_eq!(files(path), ["vomeet.db"]);
}

#[test]
fn what_an_administrator_has_added_does_not_keep_a_file_from_an_upgrade() {
    let folder = folder_of_old_file();
    let path = folder.path();
    change(
        path,
        "CREATE INDEX of_mine ON users (name);
         CREATE TABLE notes_of_mine (text TEXT);
         INSERT INTO notes_of_mine VALUES ('kept');",
    );
    done(path, &["upgrade"]);
    assert_eq!(version(&database(path)), 8);
    let note: String = one(&database(path), "SELECT text FROM notes_of_mine");
    assert_eq!(note, "kept");
}

#[test]
fn what_another_program_writes_meanwhile_is_not_lost() {
    let folder = folder_of_old_file();
    let path = folder.path();
    let (server, _) = held_start(path);
    let db = Connection::open(database(path)).expect("a database");
    db.execute("UPDATE users SET name = 'written meanwhile' WHERE id = 2", []).expect("a write");
    drop(db);
    release(&server);
    let ended = server.end();
    assert_eq!(ended.status.code(), Some(13), "{ended:?}");
    assert!(ended.stderr.contains("was written to while it was upgraded"), "{ended:?}");
    let name: String = one(&database(path), "SELECT name FROM users WHERE id = 2");
    assert_eq!(name, "written meanwhile");
    assert_eq!(version(&database(path)), 2);
    assert_eq!(files(path), ["vomeet.db"], "what it had kept was not the last of it");
}

#[test]
fn health_asks_the_port_of_a_server_that_upgrades() {
    let folder = folder_of_old_file();
    let path = folder.path();
    let (server, client) = held_start(path);
    let health = |arguments: &[&str]| {
        Launch::new(path, arguments).env("VOMEET_LISTEN", client.address.to_string()).run()
    };
    let ended = health(&["health"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let ended = health(&["health", "--ready"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("starting"), "{ended:?}");
    drop(server);
}

#[test]
fn probes_that_keep_their_connections_do_not_starve_each_other() {
    let folder = folder_of_old_file();
    let (server, client) = held_start(folder.path());
    let mut kept = Vec::new();
    for _ in 0..6 {
        let mut line = client.line();
        let answer = client.get("/healthz").over(&mut line).expect("an answer");
        assert_eq!(answer.status, 200);
        kept.push(line);
    }
    drop(server);
}

#[test]
fn commands_say_that_they_upgrade_and_where_the_old_file_is() {
    for arguments in [&["upgrade"][..], &["user", "list"]] {
        let folder = folder_of_old_file();
        let ended = vomeet(folder.path(), arguments);
        assert!(ended.status.success(), "{ended:?}");
        assert!(ended.stderr.contains("upgrading"), "{arguments:?}: {ended:?}");
        assert!(
            ended.stderr.contains("vomeet.db.v2 has all of before"),
            "{arguments:?}: {ended:?}"
        );
    }
}

#[test]
fn a_check_says_that_another_file_has_the_name_of_the_kept_one() {
    let folder = folder_of_old_file();
    let path = folder.path();
    change(path, "");
    fs::write(path.join("vomeet.db.v2"), "somebody's").expect("a file");
    let (code, why) = refused(path, &["upgrade", "--check"]);
    assert_eq!(code, 6, "{why}");
    assert!(why.contains("another file is there"), "{why}");
}

#[test]
fn a_file_that_was_kept_by_hand_is_for_its_owner_alone_after_the_upgrade() {
    let folder = folder_of_old_file();
    let path = folder.path();
    change(path, "");
    let kept = path.join("vomeet.db.v2");
    fs::copy(database(path), &kept).expect("a copy");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).expect("a mode");
    done(path, &["upgrade"]);
    assert_eq!(fs::metadata(&kept).expect("a file").permissions().mode() & 0o777, 0o600);
}

/// `vomeet upgrade` where these calls fail that touch one path.
fn upgrade_with_failing(folder: &Path, path: &Path, calls: &str, failure: &str) -> Ended {
    let path = path.to_str().expect("a path");
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:{failure}");
    let arguments = ["-f", "-qq", "-o", "/dev/null", "-P", path, "-e", &trace, "-e", &inject];
    let arguments = [&arguments[..], &[BINARY, "upgrade"]].concat();
    Launch::other("strace", &arguments, folder).run()
}

#[test]
fn a_disk_that_is_full_on_the_way_has_an_exit_code_of_its_own() {
    let folder = folder_of_old_file();
    let path = folder.path().canonicalize().expect("a folder");
    // The first write only takes the mark of a WAL away.
    for number in [2, 20] {
        let failure = format!("error=ENOSPC:when={number}+");
        let copied = path.join("vomeet.db.upgrading");
        let ended = upgrade_with_failing(&path, &copied, "/^pwrite", &failure);
        assert_eq!(ended.status.code(), Some(18), "{number}: {ended:?}");
        assert!(ended.stderr.contains("is full; free some space"), "{number}: {ended:?}");
        assert_eq!(version(&database(&path)), 2, "{number}");
        assert_eq!(files(&path), ["vomeet.db"], "{number}");
    }
    done(&path, &["upgrade"]);
}

#[test]
fn a_folder_that_cannot_be_flushed_leaves_one_of_the_files_whole() {
    let mut told_after_rename = 0;
    for number in 1..=5 {
        let folder = folder_of_old_file();
        let path = folder.path().canonicalize().expect("a folder");
        let failure = format!("error=EIO:when={number}");
        let ended = upgrade_with_failing(&path, &path, "/sync$", &failure);
        if ended.status.success() {
            // The flush of a journal's name, which SQLite does without; or there are no more.
            continue;
        }
        let has_come = version(&database(&path)) != 2;
        let is_told = ended.stderr.contains("is upgraded, but not flushed");
        assert_eq!(has_come, is_told, "{number}: {ended:?}");
        told_after_rename += u32::from(is_told);
        let ended = Launch::serve(&path).start().terminate();
        assert!(ended.status.success(), "{number}: {ended:?}");
    }
    assert_eq!(told_after_rename, 1);
}
