//! Starts that are refused: one sentence that says what to do, an exit code of its own, and no
//! back-trace.

use crate::client::{ADMIN_KEY, Line};
use crate::durability::{assert_one_line, names};
use crate::process::Launch;
use crate::server::open_file;
use rusqlite::Connection;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Prepares a folder for a start that must fail.
type Prepare = fn(&Path);

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let rows: [(&str, Prepare, &str); 9] = [
        (
            "text",
            |file| fs::write(file, "Dear diary,\n".repeat(1000)).expect("written"),
            "not a readable database",
        ),
        ("short text", |file| fs::write(file, "hello").expect("written"), "vomeet.db"),
        ("zeros", |file| fs::write(file, vec![0; 8192]).expect("written"), "vomeet.db"),
        (
            "somebody else's tables",
            |file| sql(file, "CREATE TABLE notes (text)"),
            "another program",
        ),
        (
            "somebody else's mark",
            |file| sql(file, "PRAGMA application_id = 7; CREATE TABLE users (id)"),
            "another program",
        ),
        (
            "somebody else's version",
            |file| sql(file, "PRAGMA user_version = 3; CREATE TABLE t (x)"),
            "another program",
        ),
        (
            "somebody else's WAL",
            |file| sql(file, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)"),
            "another program",
        ),
        (
            "newer",
            |file| {
                open_file(file, |db| {
                    db.execute_batch("PRAGMA user_version = 99").expect("a version");
                });
            },
            "newer vomeet",
        ),
        (
            "ours without a version",
            |file| sql(file, "PRAGMA application_id = 1448037716; CREATE TABLE t (x)"),
            "another program",
        ),
    ];
    for (name, prepare, wanted) in rows {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vomeet.db");
        prepare(&file);
        let before = fs::read(&file).expect("a file");
        let ended = Launch::serve(folder.path()).run();
        let said = assert_one_line(&ended, 14);
        assert!(said.contains(wanted) && said.contains("--database"), "{name}: {said}");
        assert_eq!(ended.stdout, "", "{name}: it says that it listens");
        assert!(fs::read(&file).expect("a file") == before, "{name}: the file was changed");
    }
}

fn sql(file: &Path, sql: &str) {
    Connection::open(file).and_then(|db| db.execute_batch(sql)).expect(sql);
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("vomeet.db"), "").expect("written");
    let server = Launch::serve(folder.path()).start();
    server.new_user("one@example.com");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "").expect("written");
    fs::create_dir(folder.path().join("folder.db")).expect("a folder");
    let missing = folder.path().join("no/such/folder/vomeet.db");
    let mode_of_null = || fs::metadata("/dev/null").expect("/dev/null").permissions().mode();
    let mode = mode_of_null();
    for database in [
        "nowhere/vomeet.db",
        "file/vomeet.db",
        "folder.db",
        "/proc/vomeet.db",
        "/dev/null",
        &missing.to_string_lossy(),
    ] {
        let ended = Launch::serve(folder.path()).args(&["--database", database]).run();
        let code = ended.status.code();
        let said = assert_one_line(&ended, if code == Some(14) { 14 } else { 15 });
        assert!(said.contains(database), "{database}: {said}");
        assert!(code == Some(15) || database == "/dev/null", "{database}: {code:?} {said}");
    }
    assert!(!folder.path().join("nowhere").exists(), "it made a folder");
    assert_eq!(mode_of_null(), mode, "a device was closed to others");
}

#[test]
fn a_database_that_another_program_holds_is_left_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vomeet.db");
    open_file(&file, |db| {
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; UPDATE users SET name = 'x'",
        )
        .expect("a lock");
        let ended = Launch::serve(folder.path()).run();
        let said = assert_one_line(&ended, 13);
        assert!(said.contains("vomeet.db"), "{said}");
    });
    Launch::serve(folder.path()).start();
}

/// A database shell that does nothing at the moment still has its log open, and an empty log is a
/// log.
#[test]
fn the_log_of_another_program_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, log) = (folder.path().join("vomeet.db"), folder.path().join("vomeet.db-wal"));
    open_file(&file, |_| {});
    let shell = Connection::open(&file).expect("a shell");
    shell
        .execute_batch("UPDATE users SET name = 'x'; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("a look");
    assert_eq!(
        fs::metadata(&log).map(|log| log.len()).ok(),
        Some(0),
        "the test itself: an empty log"
    );
    assert_one_line(&Launch::serve(folder.path()).run(), 13);
    assert!(log.exists(), "the log that the shell writes to was removed");
    let user = "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES ('a@b.c', 'a@b.c', 1, '{}', 0)";
    shell.execute(user, []).expect("a write of the shell");
    // The shell never closes properly: its write is in the log alone.
    std::mem::forget(shell);
    let seen = Connection::open(&file)
        .and_then(|db| db.query_row("SELECT count(*) FROM users", [], |row| row.get(0)));
    assert_eq!(seen, Ok(1), "the shell's write is lost");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for listen in [address.as_str(), "192.0.2.1:0", "127.0.0.1:1"] {
        // Root may take port 1; everybody else may not.
        if listen.ends_with(":1") && rustix::process::geteuid().is_root() {
            continue;
        }
        let long = Launch::new(folder.path(), &["serve", "--listen", listen])
            .env("ADMIN_API_TOKEN", "long-enough-for-every-address");
        let said = assert_one_line(&long.run(), 12).to_owned();
        assert!(said.contains(listen) && said.contains("--listen"), "{listen}: {said}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new(), "it made a file before it listened");
}

#[test]
fn containers_that_could_not_reach_the_server_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |more: &[(&str, &str)]| {
        let launch =
            Launch::new(folder.path(), &["config", "check"]).env("VOMEET_BOTS_RUNNER", "docker");
        let launch = launch.env("ADMIN_API_TOKEN", ADMIN_KEY);
        let launch = launch.env("VOMEET_BOTS_DOCKER_IMAGE", "bot:1");
        more.iter().fold(launch, |launch, (name, value)| launch.env(name, value)).run()
    };
    let refused = check(&[]);
    assert!(assert_one_line(&refused, 10).contains("bots.callback_url"), "{refused:?}");
    for reachable in [
        ("VOMEET_BOTS_CALLBACK_URL", "http://10.0.0.5:18056"),
        ("VOMEET_BOTS_DOCKER_NETWORK", "host"),
    ] {
        assert_eq!(check(&[reachable]).status.code(), Some(0), "{reachable:?}");
    }
}

#[test]
fn a_weak_admin_key_is_refused_where_others_can_reach_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for key in [
        None,
        Some(""),
        Some("token"),
        Some("TOKEN"),
        Some("changeme"),
        Some("short"),
        Some("fifteen-chars-x"),
        Some("secretsecretsecret"),
        Some("token token token token"),
    ] {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let launch = Launch::new(folder.path(), &["serve", "--listen", listen]);
            let launch = key.iter().fold(launch, |launch, key| launch.env("ADMIN_API_TOKEN", key));
            let ended = launch.run();
            let said = assert_one_line(&ended, 11);
            assert!(said.contains("ADMIN_API_TOKEN"), "{key:?} on {listen}: {said}");
            let shown = key.is_some_and(|key| key.len() > 6 && said.contains(key));
            assert!(!shown, "the key itself is shown: {said}");
        }
        // Here it is good enough, with a warning.
        let launch = Launch::serve_with_guide_key(folder.path());
        let launch = key.iter().fold(launch, |launch, key| launch.env("ADMIN_API_TOKEN", key));
        let mut server = launch.start();
        assert!(
            server.stderr.find(" WARN ").is_some_and(|line| line.contains("ADMIN_API_TOKEN")),
            "{key:?}"
        );
        server.terminate();
    }
    let strong = Launch::new(folder.path(), &["serve", "--listen", "0.0.0.0:0"])
        .env("ADMIN_API_TOKEN", "sixteen-chars-xy");
    let server = strong.start();
    assert!(Line::open(server.address).is_ok());
    let ended = server.terminate();
    assert!(!ended.stderr.contains("WARN"), "{ended:?}");
}

#[test]
fn an_empty_admin_key_still_has_to_be_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).env("ADMIN_API_TOKEN", "").start();
    assert_eq!(server.get("/admin/users").send().status, 403);
    for key in ["token", "x"] {
        let answer = server.get("/admin/users").header("X-Admin-API-Key", key).send();
        assert_eq!(answer.status, 403, "{key:?}");
    }
}

#[test]
fn wrong_arguments_are_told_with_the_right_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["serve", "--prot", "1"][..],
        &["sevre"],
        &["serve", "extra"],
        &["config"],
        &["config", "shwo"],
    ] {
        let ended = Launch::new(folder.path(), arguments).run();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {ended:?}");
        assert!(
            ended.stderr.contains("Usage:") && !ended.stderr.contains("panicked"),
            "{arguments:?}: {ended:?}"
        );
    }
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"], &["help", "status"]] {
        let ended = Launch::new(folder.path(), arguments).run();
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr, "", "{arguments:?}");
    }
}
