//! `vomeet backup verify`: what is no good backup, and what is said about it.

use crate::backup::filled;
use crate::cli::{done, refused, vomeet};
use crate::client::wait_for;
use crate::durability::names;
use crate::process::Launch;
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// A good backup, changed by hand.
fn spoiled(folder: &Path, name: &str, spoil: impl FnOnce(&Path)) {
    let path = folder.join(name);
    fs::copy(folder.join("good.db"), &path).expect("a copy");
    spoil(&path);
}

/// Runs SQL on a file, as somebody would who means harm or has an accident.
fn sql(statements: &'static str) -> impl FnOnce(&Path) {
    move |path| {
        let db = Connection::open(path).expect("a database");
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)
            .expect("set");
        db.execute_batch(statements).expect(statements);
    }
}

fn bytes(change: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&Path) {
    move |path| {
        let mut bytes = fs::read(path).expect("a file");
        change(&mut bytes);
        fs::write(path, bytes).expect("a file");
    }
}

/// Backups that lack a part of what their version has, or have something else.
fn without_its_tables(path: &Path) {
    spoiled(path, "tables-gone", |path| {
        fs::remove_file(path).expect("a file");
        sql(
            "PRAGMA application_id = 1448037716; PRAGMA user_version = 7; CREATE TABLE x (y); DROP TABLE x",
        )(path);
    });
    spoiled(path, "one-table", |path| {
        fs::remove_file(path).expect("a file");
        sql("PRAGMA application_id = 1448037716; PRAGMA user_version = 7; CREATE TABLE x (y)")(
            path,
        );
    });
    spoiled(path, "no-audit", sql("DROP TABLE audit_details; DROP TABLE audit"));
    spoiled(
        path,
        "older-no-audit",
        sql("DROP TABLE audit_details; DROP TABLE audit; PRAGMA user_version = 3"),
    );
    spoiled(path, "no-index", sql("DROP INDEX tokens_of_user"));
    let trigger = "CREATE TRIGGER spy AFTER INSERT ON users BEGIN DELETE FROM audit; END";
    spoiled(path, "trigger", sql(trigger));
    let another = "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL UNIQUE', 'NOT  NULL  /* */ UNIQUE') WHERE name = 'users'";
    spoiled(path, "another", sql(another));
    spoiled(path, "journal", |_| fs::write(path.join("journal-journal"), b"x").expect("a journal"));
}

/// Runs `backup verify` on each file: what differs from the exit code and the beginning of the
/// sentence that are expected.
fn wrongly_told(path: &Path, expected: &[(&str, i32, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, code, expected) in expected {
        let ended = vomeet(path, &["backup", "verify", file]);
        let said = ended.stderr.trim_start_matches("vomeet: ");
        let is_one_line = ended.stderr.lines().count() == 1;
        if ended.status.code() != Some(*code) || !said.starts_with(expected) || !is_one_line {
            wrong.push(format!("{file}: {ended:?}"));
        }
    }
    wrong
}

#[test]
fn what_is_no_good_backup_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("vomeet.db"));
    done(path, &["user", "add", "b@example.com"]);
    done(path, &["user", "add", "c@example.com"]);
    done(path, &["backup", "good.db"]);
    fs::create_dir(path.join("a-folder")).expect("a folder");
    spoiled(path, "empty", bytes(Vec::clear));
    spoiled(path, "text", bytes(|bytes| *bytes = vec![b'x'; 5000]));
    spoiled(path, "short", bytes(|bytes| bytes.truncate(60)));
    spoiled(path, "cut", bytes(|bytes| bytes.truncate(bytes.len() - 4096)));
    spoiled(path, "encrypted", bytes(|bytes| *bytes = b"age-encryption.org/v1\n...".to_vec()));
    spoiled(path, "foreign", sql("PRAGMA application_id = 1"));
    spoiled(path, "newer", sql("PRAGMA user_version = 99"));
    spoiled(path, "page", bytes(|bytes| bytes[3 * 4096..4 * 4096].fill(0xff)));
    let index = "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'completed = 0', 'completed = 1') WHERE name = 'drafts'";
    spoiled(path, "index", sql(index));
    spoiled(path, "words", sql("UPDATE words_content SET c2 = 'another' WHERE id = 7"));
    spoiled(path, "audit", sql("UPDATE audit SET action = 'user.delete' WHERE id = 2"));
    without_its_tables(path);
    std::os::unix::fs::symlink("nowhere", path.join("dangling")).expect("a link");
    spoiled(path, "in-use", |_| fs::write(path.join("in-use-wal"), b"wal").expect("a WAL"));
    let before = names(path);
    let wrong = wrongly_told(
        path,
        &[
            ("missing", 15, "missing cannot be read (No such file"),
            ("a-folder", 14, "a-folder is no backup: it is no regular file."),
            ("empty", 14, "empty is no backup: it is empty."),
            ("text", 14, "text is no backup: it is no database."),
            ("short", 14, "short is no backup: it is no database."),
            ("cut", 14, "cut is no backup: it is cut off: it has "),
            ("encrypted", 7, "encrypted is encrypted, and there is no encrypted.sha256"),
            ("foreign", 14, "foreign is no backup: it is a database of another program."),
            ("newer", 14, "newer is no backup: it was written by a newer vomeet (file version 99"),
            ("page", 14, "page is damaged ("),
            ("index", 14, "index is damaged ("),
            ("words", 14, "words is damaged ("),
            ("audit", 31, "The audit log in audit was changed: entry 2 was changed"),
            ("tables-gone", 14, "tables-gone is no backup: it has no table "),
            ("one-table", 14, "one-table is no backup: it has no table "),
            ("no-audit", 14, "no-audit is no backup: it has no table audit."),
            ("older-no-audit", 14, "older-no-audit is no backup: it has no table audit."),
            ("no-index", 14, "no-index is no backup: it has no index tokens_of_user."),
            (
                "trigger",
                14,
                "trigger is no backup: it has a trigger spy, which is not of this program.",
            ),
            ("another", 14, "another is no backup: it has another table users."),
            ("journal", 14, "journal is in use, or was copied while it was: journal-journal lies"),
            ("dangling", 15, "dangling cannot be read (No such file"),
            (
                "in-use",
                14,
                "in-use is in use, or was copied while it was: in-use-wal lies beside it.",
            ),
        ],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(names(path), before, "verifying leaves nothing");
    done(path, &["backup", "verify", "good.db"]);
}

#[test]
fn a_database_in_use_is_no_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    // A WAL that is not empty would give it away.
    wait_for(|| {
        server.signal(rustix::process::Signal::HUP);
        let wal = fs::metadata(folder.path().join("vomeet.db-wal")).expect("a WAL");
        (wal.len() == 0).then_some(())
    });
    let (code, message) = refused(folder.path(), &["backup", "verify", "vomeet.db"]);
    assert!(code == 14 && message.starts_with("vomeet.db is in use;"), "{code} {message}");
    fs::create_dir(folder.path().join("links")).expect("a folder");
    let link = folder.path().join("links/latest.db");
    std::os::unix::fs::symlink("../vomeet.db", link).expect("a link");
    let (code, message) = refused(folder.path(), &["backup", "verify", "links/latest.db"]);
    assert!(code == 14 && message.contains("vomeet.db is in use;"), "{code} {message}");
    server.terminate();
    done(folder.path(), &["backup", "verify", "links/latest.db"]);
    done(folder.path(), &["backup", "verify", "vomeet.db"]);
}

#[test]
fn a_damaged_database_gives_no_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("vomeet.db");
    filled(&database);
    sql("UPDATE words_content SET c2 = 'another' WHERE id = 7")(&database);
    let (code, message) = refused(folder.path(), &["backup", "copy.db"]);
    assert_eq!(code, 21, "{message}");
    assert!(
        message.starts_with("The backup was verified, and nothing of it was kept: "),
        "{message}"
    );
    assert!(!names(folder.path()).iter().any(|name| name.contains("copy")));
}
