//! Backups of older versions: what is upgraded is a copy, and the room that it takes is looked for
//! first.

use crate::cli::{done, vomeet};
use crate::durability::names;
use crate::process::{BINARY, Ended, Launch};
use crate::restore::{database, one, restored};
use crate::upgrade::old_file;
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// Users of a file of some MiB.
const MANY: i64 = 6000;
const MIB: u64 = 1024 * 1024;

/// A backup of version 2: one file, without a WAL.
fn old_backup(path: &Path, count: i64) -> u64 {
    old_file(path, count);
    let db = Connection::open(path).expect("a database");
    let mode: String =
        db.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).expect("a mode");
    assert_eq!(mode, "delete");
    drop(db);
    fs::metadata(path).expect("a file").len()
}

#[test]
fn a_backup_of_an_older_version_is_restored_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let backup = path.join("old.db");
    old_backup(&backup, 20);
    let before = fs::read(&backup).expect("a backup");
    restored(path, &["old.db", "--without-old-file"]);
    assert_eq!(one::<i64>(&database(path), "PRAGMA user_version"), 8);
    assert_eq!(one::<i64>(&database(path), "SELECT count(*) FROM segments"), 100);
    assert_eq!(fs::read(&backup).expect("a backup"), before);
    assert_eq!(names(path), ["old.db", "vomeet.db", "vomeet.db.lock"], "no copy of a copy is kept");
}

#[test]
fn a_drill_of_an_older_version_passes_and_keeps_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    old_backup(&path.join("old.db"), 20);
    fs::create_dir(path.join("scratch")).expect("a folder");
    let ended = vomeet(path, &["backup", "drill", "old.db", "--scratch", "scratch"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("rows of segments"), "{ended:?}");
    assert_eq!(names(&path.join("scratch")), Vec::<String>::new());
}

/// Restores on a disk of its own, on which so many bytes are free.
fn restore_with(folder: &Path, files: &str, free: u64, arguments: &str) -> Ended {
    fs::create_dir_all(folder.join("disk")).expect("a folder");
    let script = format!(
        "mount -t tmpfs -o size=1g tmpfs disk || exit 99
        cp {files} disk && mount -o remount,size=$(( $(du -s -B1 disk | cut -f1) + {free} )) disk || exit 98
        cd disk && exec \"$1\" restore {arguments} --yes"
    );
    let arguments = ["--mount", "--map-root-user", "sh", "-c", &script, "sh", BINARY];
    Launch::other("unshare", &arguments, folder).run()
}

#[test]
fn a_restore_looks_for_the_room_of_an_upgrade() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let bytes = old_backup(&path.join("old.db"), MANY);
    assert!(bytes > 5 * MIB, "{bytes}");
    let restore = |free| restore_with(path, "old.db", free, "old.db --without-old-file");
    // Enough for the backup twice, and not for what it becomes.
    let ended = restore(2 * bytes + bytes / 2 + 16 * MIB);
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(ended.stderr.contains("There is no room for a restore"), "{ended:?}");
    let ended = restore(6 * bytes + 16 * MIB);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn a_restore_looks_for_the_room_of_an_older_file_that_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let bytes = old_backup(&path.join("since.db"), MANY);
    done(path, &["user", "add", "a@example.com"]);
    done(path, &["backup", "new.db"]);
    let small = fs::metadata(path.join("new.db")).expect("a backup").len();
    let free = 2 * small + bytes + 16 * MIB;
    let ended = restore_with(path, "new.db since.db", free, "new.db --since since.db");
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(ended.stderr.contains("There is no room for a restore"), "{ended:?}");
}
