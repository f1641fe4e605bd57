//! `vomeet backup`: of a running server and of a file at rest, and what is said when there is none.

use crate::cli::{done, refused, vomeet};
use crate::client::wait_for;
use crate::durability::names;
use crate::process::{BINARY, Launch};
use crate::server::open_file;
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Every row of every table that is not the word index's own.
pub fn rows(database: &Path) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let db = Connection::open(database).expect("a database");
    let list = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'";
    let mut list = db.prepare(list).expect("tables");
    let tables = list.query_map([], |row| row.get::<_, String>(0)).expect("tables");
    let mut found = BTreeMap::new();
    for table in tables.map(|table| table.expect("a table")) {
        let mut select = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).expect("rows");
        let columns = select.column_count();
        let rows = select.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
        let rows = rows.expect("rows").map(|row| row.expect("a row")).collect();
        found.insert(table, rows);
    }
    found
}

/// A database with some of everything that is counted and verified.
pub fn filled(database: &Path) {
    open_file(database, |db| {
        db.execute_batch(
            "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
               VALUES ('a@b.c', 'a@b.c', 1, '{}', 0);
             INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
               VALUES (1, 'google_meet', 'abc-defg-hij', 'completed', '{}', 0, 0);
             INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, 'one', 0);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text,
                 speaker_source, completed, created_at, updated_at)
               SELECT 1, 1, 'i' || i, i, i, 'some words ' || i, 'bot', 1, 0, 0 FROM n;
             INSERT INTO words (rowid, owner, speaker, text) SELECT id, 'u1', 'Ada', text FROM segments;",
        )
        .expect("rows");
    });
}

/// Gives a database so many pages that a copy of it takes a while where each is slowed down.
pub fn with_many_pages(database: &Path) {
    open_file(database, |db| {
        let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
            INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
              SELECT i, i, 1, printf('{\"x\":\"%.*c\"}', 3500, 'x'), 0 FROM n";
        db.execute_batch(many).expect("many pages");
    });
}

/// Whether a backup that is not finished lies in the folder.
pub fn has_partial(folder: &Path) -> bool {
    names(folder).iter().any(|name| name.ends_with(".partial"))
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let text = done(folder, &[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

#[test]
fn a_backup_of_a_running_server_is_whole_and_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(&folder.path().join("vomeet.db"));
    let server = Launch::serve(folder.path()).start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    let copies = folder.path().join("copies");
    fs::create_dir(&copies).expect("a folder");
    let made = json(folder.path(), &["backup", "copies"]);
    let file = Path::new(made["file"].as_str().expect("a file"));
    assert_eq!(file.parent(), Some(copies.as_path()));
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.starts_with("vomeet-20") && name.ends_with("Z.db"), "{name}");
    assert_eq!(names(&copies), [name], "nothing lies beside it");
    let meta = fs::metadata(file).expect("a file");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(made["bytes"], meta.len());
    let header = fs::read(file).expect("a file");
    assert_eq!(header[18..20], [1, 1], "it is read without a WAL");
    assert_eq!(made["tables"]["users"], 2);
    assert_eq!(made["tables"]["segments"], 500);
    assert_eq!(made["audit_entries"], 3, "its own is one of them");
    let entry: Value =
        serde_json::from_str(&done(folder.path(), &["audit", "list", "--output", "json"]))
            .expect("JSON");
    let entry = &entry["entries"][0];
    assert_eq!(entry["action"], "database.backup", "{entry}");
    assert_eq!(entry["after"]["file"], made["file"]);

    let verified = json(folder.path(), &["backup", "verify", &file.to_string_lossy()]);
    for member in ["bytes", "tables", "audit_head", "audit_entries", "file_version"] {
        assert_eq!(verified[member], made[member], "{member}");
    }
    assert_eq!(names(&copies).len(), 1, "verifying leaves nothing");
    server.terminate();
    assert_eq!(rows(file), rows(&folder.path().join("vomeet.db")));

    let second = tempfile::tempdir().expect("a folder");
    fs::copy(file, second.path().join("vomeet.db")).expect("a copy");
    let second = Launch::serve(second.path()).start();
    second.whoami(&token.text).expect(200);
}

/// Ends the writers, also where the test fails: else their scope would wait for them for ever.
struct EndWriters<'a>(&'a AtomicBool);

impl Drop for EndWriters<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_was_answered_before_a_backup_began_is_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let (client, stop) = (*server, AtomicBool::new(false));
    thread::scope(|scope| {
        let end = EndWriters(&stop);
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let stop = &stop;
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let email = format!("w{writer}-{}@example.com", ids.len());
                        ids.push((client.new_user(&email), email));
                    }
                    ids
                })
            })
            .collect();
        for number in 0..5 {
            let last = client.new_user(&format!("before{number}@example.com"));
            let file = format!("{number}.db");
            let made = json(folder.path(), &["backup", &file]);
            let db = Connection::open(folder.path().join(&file)).expect("a backup");
            let has = "SELECT count(*) = ?1, max(id) >= ?1 FROM users WHERE id <= ?1";
            let whole: (bool, bool) =
                db.query_row(has, [last], |row| Ok((row.get(0)?, row.get(1)?))).expect("users");
            assert_eq!(whole, (true, true), "a user who was answered is missing");
            let created = "SELECT count(*) FROM audit WHERE action = 'user.create'";
            let audit: i64 = db.query_row(created, [], |row| row.get(0)).expect("a count");
            assert_eq!(made["tables"]["users"], audit, "it is of one moment");
        }
        drop(end);
        for writer in writers {
            for (id, email) in writer.join().expect("a writer") {
                let user = client.get(format!("/admin/users/{id}")).admin().send().expect(200);
                assert_eq!(user["email"], email.as_str());
            }
        }
    });
    server.terminate();
}

#[test]
fn a_file_at_rest_is_backed_up_with_its_wal_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    server.new_user("one@example.com");
    server.kill();
    let (database, wal) = (folder.path().join("vomeet.db"), folder.path().join("vomeet.db-wal"));
    let before = (fs::read(&database).expect("a file"), fs::read(&wal).expect("a WAL"));
    done(folder.path(), &["backup", "copy.db"]);
    assert_eq!(before, (fs::read(&database).expect("a file"), fs::read(&wal).expect("a WAL")));
    let copied = rows(&folder.path().join("copy.db"));
    assert_eq!(copied["users"].len(), 1);
    assert_eq!(copied, rows(&database));
}

#[test]
fn an_older_file_is_backed_up_and_verified_without_an_upgrade() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vomeet.db");
    let db = Connection::open(&file).expect("a database");
    db.execute_batch(include_str!("../../src/store/upgrade/at_2.sql")).expect("an older file");
    db.execute_batch(
        "PRAGMA application_id = 1448037716; PRAGMA user_version = 2; PRAGMA journal_mode = WAL",
    )
    .expect("an older file");
    drop(db);
    let made = json(folder.path(), &["backup", "copy.db"]);
    assert_eq!((&made["file_version"], &made["tables"]["users"]), (&2.into(), &0.into()));
    let version = fs::read(&file).expect("a file")[60..64].to_vec();
    assert_eq!(version, [0, 0, 0, 2], "it was upgraded");
    assert_eq!(json(folder.path(), &["backup", "verify", "copy.db"])["file_version"], 2);
}

#[test]
fn who_interrupts_a_backup_leaves_nothing_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("vomeet.db"));
    fs::create_dir(path.join("copies")).expect("a folder");
    with_many_pages(&path.join("vomeet.db"));
    // Each page of the copy takes a while, so that it cannot be done before it is interrupted.
    let slow = "inject=pwrite64:delay_enter=20000";
    let arguments =
        ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", slow, BINARY];
    let arguments = [&arguments[..], &["backup", "copies/x.db"]].concat();
    let process = Launch::other("strace", &arguments, path).launch();
    wait_for(|| has_partial(&path.join("copies")).then_some(()));
    process.signal(rustix::process::Signal::INT);
    let ended = process.end();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(ended.stderr.contains("The backup was stopped; nothing was kept."), "{ended:?}");
    assert_eq!(names(&path.join("copies")), [""; 0]);
}

#[test]
fn a_command_without_a_database_or_a_folder_says_what_to_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, message) = refused(folder.path(), &["backup", "x.db"]);
    assert!(code == 3 && message.starts_with("There is no database "), "{code} {message}");
    assert_eq!(names(folder.path()), [""; 0]);
    filled(&folder.path().join("vomeet.db"));
    let (code, message) = refused(folder.path(), &["backup"]);
    assert!(code == 6 && message.starts_with("Name a file or a folder "), "{code} {message}");
    let settings = "[backup]\nfolder = 'backups'\n";
    fs::write(folder.path().join("vomeet.toml"), settings).expect("settings");
    let (code, message) = refused(folder.path(), &["backup", "--database", "vomeet.db"]);
    assert!(code == 7 && message.starts_with("Name a file or a folder for "), "{code} {message}");
    fs::remove_file(folder.path().join("vomeet.toml")).expect("settings");
    let (code, message) = refused(folder.path(), &["backup", "x.db", "list"]);
    assert!(code == 7 && message.starts_with("A file and --force belong"), "{code} {message}");
    let ended = vomeet(folder.path(), &["backup", "list"]);
    assert!(ended.status.success() && ended.stderr.contains("No folder of backups"), "{ended:?}");
}
