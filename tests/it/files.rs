//! The database as a file among others: copied while the server runs, reached by links, mounted
//! into a container, in a folder where others can write.

use crate::cli::{done, refused, vomeet};
use crate::client::wait_for;
use crate::durability::{assert_one_line, names};
use crate::local::others_can_come;
use crate::process::Launch;
use crate::server::open_file;
use rusqlite::Connection;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

/// Somebody without any rights.
const NOBODY: u32 = 65_534;

/// The users in a copy of a folder's database file alone, made in `to`.
pub fn users_in_copy(folder: &Path, to: &Path) -> Option<i64> {
    rows_in_copy("users", folder, to)
}

/// How many rows a table has in such a copy.
pub fn rows_in_copy(table: &str, folder: &Path, to: &Path) -> Option<i64> {
    let copy = to.join("copied");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).expect("a folder");
    fs::copy(folder.join("vomeet.db"), copy.join("vomeet.db")).expect("a copy");
    let db = Connection::open(copy.join("vomeet.db")).expect("a database");
    let count = format!("SELECT count(*) FROM {table}");
    db.query_row(&count, [], |row| row.get(0)).ok()
}

#[test]
fn a_copy_of_the_file_alone_has_what_was_written_a_moment_ago() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    assert_eq!(
        users_in_copy(folder.path(), folder.path()),
        Some(0),
        "the tables are in the file from the start"
    );
    server.new_user("one@example.com");
    wait_for(|| (users_in_copy(folder.path(), folder.path()) == Some(1)).then_some(()));
    server.new_user("two@example.com");
    wait_for(|| (users_in_copy(folder.path(), folder.path()) == Some(2)).then_some(()));
    // The copy is a database that serves.
    let copy = folder.path().join("copied");
    let second = Launch::serve(&copy).start();
    assert_eq!(second.counts(), (2, 0));
}

#[test]
fn an_upgraded_file_has_its_tables_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vomeet.db");
    let old = include_str!("../../src/store/upgrade/at_4.sql");
    let db = Connection::open(&file).expect("a database");
    db.execute_batch(old).expect("an older file");
    db.execute_batch(
        "PRAGMA application_id = 1448037716; PRAGMA user_version = 4; PRAGMA journal_mode = WAL;
         INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
           VALUES ('a@b.c', 'a@b.c', 1, '{}', 0);",
    )
    .expect("an older file with a user");
    drop(db);
    let server = Launch::serve(folder.path()).start();
    let version = |file: &Path| {
        let bytes = fs::read(file).expect("a file");
        u32::from_be_bytes(bytes[60..64].try_into().expect("four bytes"))
    };
    assert_eq!(version(&file), 8);
    assert_eq!(users_in_copy(folder.path(), folder.path()), Some(1));
    server.kill();
}

#[test]
fn a_copy_that_lacks_its_tables_is_told_for_what_it_is() {
    for sql in [
        "PRAGMA application_id = 1448037716; PRAGMA user_version = 5",
        "PRAGMA application_id = 1448037716",
        "PRAGMA journal_mode = WAL",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vomeet.db");
        Connection::open(&file).and_then(|db| db.execute_batch(sql)).expect(sql);
        let before = fs::read(&file).expect("a file");
        let ended = Launch::serve(folder.path()).run();
        let said = assert_one_line(&ended, 14);
        assert!(said.contains("copied from a running server without its -wal"), "{sql}: {said}");
        let (code, said) = refused(folder.path(), &["user", "add", "ada@example.com"]);
        assert!(code == 14 && said.contains("-wal"), "{sql}: {said}");
        assert!(fs::read(&file).expect("a file") == before, "{sql}: the file was changed");
    }
}

#[test]
fn a_link_to_the_database_is_the_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, links) = (folder.path().join("data"), folder.path().join("links"));
    fs::create_dir(&data).and_then(|()| fs::create_dir(&links)).expect("folders");
    done(&data, &["user", "add", "ada@example.com"]);
    symlink("../data/vomeet.db", links.join("vomeet.db")).expect("a link");
    let server = Launch::serve(&links).start();
    assert_eq!(server.counts(), (1, 0));
    server.new_user("two@example.com");
    // By either name commands find the server.
    for folder in [&data, &links] {
        assert!(done(folder, &["user", "list"]).contains("two@example.com"));
    }
    assert_eq!(names(&links), ["vomeet.db"], "something was made beside the link");
    server.terminate();
    assert!(done(&data, &["user", "list"]).contains("two@example.com"));
}

#[test]
fn a_link_that_leads_nowhere_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    symlink("nowhere/vomeet.db", folder.path().join("vomeet.db")).expect("a link");
    let said = assert_one_line(&Launch::serve(folder.path()).run(), 15).to_owned();
    assert!(said.contains("symbolic link that leads to no file"), "{said}");
    let (code, _) = refused(folder.path(), &["user", "add", "ada@example.com"]);
    assert_eq!(code, 15);
    assert_eq!(names(folder.path()), ["vomeet.db"]);
}

#[test]
fn links_beside_the_database_lead_nowhere() {
    for suffix in [".lock", ".ballast", "-wal", "-journal"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (place, victim) = (folder.path().join("place"), folder.path().join("victim"));
        fs::create_dir(&place).expect("a folder");
        fs::write(&victim, "precious").expect("a file");
        fs::set_permissions(&victim, Permissions::from_mode(0o644)).expect("a mode");
        symlink(&victim, place.join(format!("vomeet.db{suffix}"))).expect("a link");
        let ended = vomeet(&place, &["user", "add", "ada@example.com"]);
        // The reserve is no condition: what lies in its place is removed, and not written to.
        let expected = if suffix == ".ballast" { 0 } else { 15 };
        assert_eq!(ended.status.code(), Some(expected), "{suffix}: {ended:?}");
        assert!(expected == 0 || ended.stderr.contains("symbolic link"), "{suffix}: {ended:?}");
        let meta = fs::metadata(&victim).expect("a file");
        assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious", "{suffix}");
        assert_eq!(meta.mode() & 0o777, 0o644, "{suffix}: the mode was changed");
    }
}

#[test]
fn the_log_of_a_bot_is_written_to_no_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (logs, victim) = (folder.path().join("bot-logs"), folder.path().join("victim"));
    fs::create_dir(&logs).expect("a folder");
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, logs.join("meeting-1.log")).expect("a link");
    let launch = Launch::serve(folder.path()).env("VOMEET_BOTS_RUNNER", "process");
    let server = launch.env("VOMEET_BOTS_PROCESS_COMMAND", r#"["echo", "hello"]"#).start();
    let token = crate::bots::user(&server, "one@example.com", 1);
    assert_eq!(crate::bots::send(&server, &token, "abc-defg-hij").status, 503);
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
}

/// A link at the place of the database, in a folder where everybody can write, leads to a file of
/// root's.
#[test]
fn a_file_that_is_no_database_keeps_its_mode_and_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, other) = (folder.path().join("place"), folder.path().join("other"));
    fs::create_dir(&place).and_then(|()| fs::create_dir(&other)).expect("folders");
    fs::write(other.join("victim"), "precious ".repeat(100)).expect("a file");
    fs::set_permissions(other.join("victim"), Permissions::from_mode(0o644)).expect("a mode");
    let foreign = Connection::open(other.join("foreign")).expect("a database");
    foreign.execute_batch("CREATE TABLE notes (text)").expect("a table");
    fs::set_permissions(other.join("foreign"), Permissions::from_mode(0o644)).expect("a mode");
    for victim in ["victim", "foreign"] {
        let _ = fs::remove_file(place.join("vomeet.db"));
        symlink(other.join(victim), place.join("vomeet.db")).expect("a link");
        for launch in
            [Launch::serve(&place), Launch::new(&place, &["user", "add", "ada@example.com"])]
        {
            let ended = launch.run();
            assert_eq!(ended.status.code(), Some(14), "{victim}: {ended:?}");
        }
        let mode = fs::metadata(other.join(victim)).expect("a file").mode() & 0o777;
        assert_eq!(mode, 0o644, "{victim}: the mode was changed");
        assert_eq!(names(&other), ["foreign", "victim"], "{victim}: something was made beside it");
    }
}

#[test]
fn what_somebody_else_has_put_into_a_shared_folder_is_not_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    if !others_can_come(folder.path()) {
        return;
    }
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).expect("a folder");
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).expect("a mode");
    let file = shared.join("vomeet.db");
    open_file(&file, |_| {});
    chown(&file, Some(NOBODY), Some(NOBODY)).expect("root");
    let said = assert_one_line(&Launch::serve(&shared).run(), 15).to_owned();
    assert!(said.contains("belongs to another user"), "{said}");
    let (code, said) = refused(&shared, &["user", "list"]);
    assert!(code == 15 && said.contains("belongs to another user"), "{code} {said}");

    // The same file is its owner's in a folder that is theirs alone.
    let own = folder.path().join("own");
    fs::create_dir(&own).expect("a folder");
    fs::rename(&file, own.join("vomeet.db")).expect("moved");
    chown(&own, Some(NOBODY), Some(NOBODY)).expect("root");
    assert!(done(&own, &["user", "list"]).starts_with("ID"));
}

/// A socket that takes a connection and says nothing.
const LISTENER: &str = "import socket, sys, time\n\
    s = socket.socket(socket.AF_UNIX)\ns.bind('vomeet.db.sock')\ns.listen()\n\
    print('ready', flush=True)\nc, _ = s.accept()\nprint('got', c.recv(1000), flush=True)\n";

#[test]
fn a_socket_that_somebody_else_serves_hears_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    if !others_can_come(folder.path()) {
        return;
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).expect("a mode");
    let mut impostor = Launch::other_as_user(
        NOBODY,
        folder.path(),
        &["env", "PATH=/usr/bin:/bin", "python3", "-c", LISTENER],
    );
    impostor.stdout.find("ready").expect("a socket");
    let (code, said) = refused(folder.path(), &["user", "add", "ada@example.com"]);
    assert!(code == 8 && said.contains("is served by nobody"), "{code} {said}");
    let heard = impostor.stdout.find("got").expect("a connection");
    assert!(heard.contains("b''"), "it heard {heard}");
}

/// Binds the database alone into `$1`, and serves there.
const MOUNTED: &str =
    r#"mount --bind "$1/real.db" "$1/place/vomeet.db" || exit 99; cd "$1/place"; shift; exec "$@""#;

#[test]
fn a_database_that_is_mounted_without_its_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("a folder");
    fs::write(place.join("vomeet.db"), "").expect("a place to mount");
    open_file(&folder.path().join("real.db"), |_| {});
    let path = folder.path().to_string_lossy();
    let arguments = ["--mount", "--map-root-user", "sh", "-c", MOUNTED, "sh", &path];
    let ended = Launch::under("unshare", &arguments, folder.path()).run();
    let said = assert_one_line(&ended, 15);
    assert!(said.contains("mounted by itself") && said.contains("folder"), "{said}");
    // A folder that is mounted has the WAL in it.
    let mounted = r#"mount --bind "$1" "$1" || exit 99; cd "$1"; shift; exec "$@""#;
    let path = place.to_string_lossy();
    let arguments = ["--mount", "--map-root-user", "sh", "-c", mounted, "sh", &path];
    Launch::under("unshare", &arguments, folder.path()).start();
}

/// A server that is asked by its socket answers for its own database, whoever has the port.
#[test]
fn status_asks_the_server_of_this_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fs::create_dir(&one).and_then(|()| fs::create_dir(&two)).expect("folders");
    let server = Launch::serve(&one).start();
    let shown = done(&one, &["status"]);
    let url = format!("runs at http://localhost:{} since", server.address.port());
    assert!(shown.contains(&url) && shown.contains("one/vomeet.db"), "{shown}");
    // Of another folder no server runs, although one listens at the port of its settings.
    let listen = server.address.to_string();
    let ended = Launch::new(&two, &["status"]).env("VOMEET_LISTEN", &listen).run();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("vomeet.db.sock"), "{ended:?}");
    // A port that is named is asked.
    assert!(done(&two, &["status", "--listen", &listen]).contains(&url));
    server.terminate();
    assert_eq!(refused(&one, &["status"]).0, 3);
}

/// SQLite deletes a log whose database is missing, and with it what was acknowledged last.
#[test]
fn a_log_without_its_database_is_not_begun_anew() {
    for suffix in ["-wal", "-journal"] {
        for is_empty in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let log = folder.path().join(format!("vomeet.db{suffix}"));
            fs::write(&log, "what was written last").expect("a log");
            if is_empty {
                fs::write(folder.path().join("vomeet.db"), "").expect("an empty file");
            }
            let ended = Launch::serve(folder.path()).run();
            let said = assert_one_line(&ended, 14).to_owned();
            assert!(said.contains(suffix) && said.contains("bring the database back"), "{said}");
            assert_eq!(fs::read(&log).expect("the log"), b"what was written last");
        }
    }
}

#[test]
fn what_cannot_be_the_reserve_or_a_log_is_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let reserve = folder.path().join("vomeet.db.ballast");
    fs::create_dir(&reserve).expect("a folder in its place");
    let said = assert_one_line(&Launch::serve(folder.path()).run(), 15).to_owned();
    assert!(said.contains("vomeet.db.ballast is no regular file"), "{said}");
    fs::remove_dir(&reserve).expect("removed");

    let elsewhere = folder.path().join("somebody's");
    fs::write(&elsewhere, "precious").expect("a file");
    fs::hard_link(&elsewhere, folder.path().join("vomeet.db-wal")).expect("a hard link");
    let said = assert_one_line(&Launch::serve(folder.path()).run(), 15).to_owned();
    assert!(said.contains("hard link"), "{said}");
    assert_eq!(fs::read(&elsewhere).expect("the file"), b"precious");
}
