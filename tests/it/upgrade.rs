//! Files of older versions: what an upgrade will do, what it keeps, what it leaves where it is
//! stopped, killed or refused, and what a server says meanwhile.

use crate::backup::rows;
use crate::cli::{done, refused};
use crate::client::{Client, Line, wait_for};
use crate::durability::names;
use crate::process::{BINARY, Ended, Launch, Process};
use crate::restore::{database, one};
use crate::wire::Pair;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// The version that this program writes.
const NEWEST: i64 = 8;

/// What every file below has: so many users, each with a token and a meeting.
const ROWS: i64 = 40;

/// A file of version 2, with words, and with its last change in the WAL alone.
pub fn old_file(path: &Path, count: i64) {
    let db = Connection::open(path).expect("a database");
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("set");
    db.execute_batch("PRAGMA journal_mode = WAL").expect("a WAL");
    db.execute_batch(include_str!("../../src/store/upgrade/at_2.sql")).expect("tables");
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let tx = db.unchecked_transaction().expect("a transaction");
    for insert in [
        "INSERT INTO users (id, email, email_key, max_concurrent_bots, data, created_at)
           SELECT i, i || '@b.c', i || '@b.c', 1, '{}', 0 FROM n",
        "INSERT INTO tokens (id, user_id, hash, hint, created_at)
           SELECT i, i, randomblob(32), 'AbCd', 0 FROM n",
        "INSERT INTO meetings (id, user_id, platform, status, data, created_at, updated_at)
           SELECT i, i, 'teams', 'completed', '{}', 0, 7 FROM n",
        "INSERT INTO sessions (id, meeting_id, uid, bot_name, started_at)
           SELECT i, i, 'u' || i, 'Vomeet', 0 FROM n",
        "INSERT INTO segments (id, meeting_id, session_id, start_ms, end_ms, absolute_start,
             absolute_end, text, created_at, updated_at)
           SELECT 5 * i + j, i, i, 1000 * j, 1000 * j + 900, 1000 * j, 1000 * j + 900,
             'good morning, word ' || i || ' of ' || j, 0, 0
           FROM n, (SELECT 0 AS j UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3
                    UNION ALL SELECT 4)",
        "INSERT INTO words (rowid, owner, speaker, text)
           SELECT s.id, 'u' || m.user_id, '', s.text
           FROM segments s JOIN meetings m ON m.id = s.meeting_id WHERE ?1 > 0",
    ] {
        db.execute(&format!("{numbers} {insert}"), [count]).expect(insert);
    }
    tx.commit().expect("a commit");
    db.pragma_update(None, "application_id", 0x564f_4d54).expect("a mark");
    db.pragma_update(None, "user_version", 2).expect("a version");
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    db.execute("UPDATE users SET name = 'in the WAL' WHERE id = 1", []).expect("an update");
    drop(db);
    let wal = path.with_extension("db-wal");
    assert!(fs::metadata(&wal).expect("a WAL").len() > 0, "the last change is in the file");
}

/// The version of a file.
pub fn version(file: &Path) -> i64 {
    one(file, "PRAGMA user_version")
}

/// Everything in a folder that is a file, with its bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in names(folder) {
        if folder.join(&name).is_file() {
            found.insert(name.clone(), fs::read(folder.join(&name)).expect("a file"));
        }
    }
    found
}

/// Users, tokens and meetings, which no step changes but by new columns.
fn counts(file: &Path) -> [i64; 4] {
    ["users", "tokens", "meetings", "segments"]
        .map(|table| one(file, &format!("SELECT count(*) FROM {table}")))
}

fn assert_upgraded(folder: &Path, row: &str) {
    let file = database(folder);
    assert_eq!(version(&file), NEWEST, "{row}");
    let check: String = one(&file, "PRAGMA integrity_check");
    assert_eq!(check, "ok", "{row}");
    assert_eq!(counts(&file), [ROWS, ROWS, ROWS, 5 * ROWS], "{row}");
    let name: String = one(&file, "SELECT name FROM users WHERE id = 1");
    assert_eq!(name, "in the WAL", "{row}");
    let kept = folder.join("vomeet.db.v2");
    assert_eq!(version(&kept), 2, "{row}");
    assert_eq!(counts(&kept), [ROWS, ROWS, ROWS, 5 * ROWS], "{row}");
    let left = names(folder);
    assert!(!left.iter().any(|name| name.contains("upgrading")), "{row}: {left:?}");
}

/// A folder with such a file.
pub fn folder_of_old_file() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    old_file(&database(folder.path()), ROWS);
    folder
}

#[test]
fn a_check_says_what_will_be_done_and_changes_nothing() {
    let folder = folder_of_old_file();
    let path = folder.path();
    let before = bytes(path);
    let plan = done(path, &["upgrade", "--check", "vomeet.db", "--output", "json"]);
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    assert_eq!((&plan["from"], &plan["to"]), (&2.into(), &NEWEST.into()));
    let steps: Vec<i64> = plan["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["to"].as_i64().expect("a version"))
        .collect();
    assert_eq!(steps, [3, 4, 5, 6, 7, 8]);
    assert_eq!(plan["rows"]["segments"], 5 * ROWS);
    let kept = path.join("vomeet.db.v2");
    assert_eq!(plan["kept"], kept.to_string_lossy().as_ref());
    let size = plan["bytes"].as_u64().expect("bytes");
    assert_eq!(size, before["vomeet.db"].len() as u64 + before["vomeet.db-wal"].len() as u64);
    assert!(plan["needed_bytes"].as_u64().expect("bytes") > 2 * size, "{plan}");
    assert!(plan["seconds"].as_u64().expect("seconds") >= 1, "{plan}");
    let shown = done(path, &["upgrade", "--check"]);
    assert!(shown.contains("streams and identities"), "{shown}");
    assert_eq!(bytes(path), before, "something was changed");

    // The same while a server has it open, of which only the lock is seen.
    let lock = fs::File::create(path.join("vomeet.db.lock")).expect("a lock");
    lock.lock().expect("locked");
    let before = bytes(path);
    let shown = done(path, &["upgrade", "--check"]);
    assert!(shown.contains("streams and identities"), "{shown}");
    assert_eq!(bytes(path), before, "something was changed");
    drop(lock);

    let (code, why) = refused(path, &["upgrade", "--check", "missing.db"]);
    assert_eq!(code, 3, "{why}");
    done(path, &["upgrade"]);
    assert_eq!(done(path, &["upgrade", "--check", "--output", "json"]), "null\n");
}

#[test]
fn a_start_upgrades_and_keeps_the_old_file_with_what_its_wal_had() {
    let folder = folder_of_old_file();
    let path = folder.path();
    let old = rows(&database(path));
    // `rows` has read it as any program does, which takes the WAL into the file.
    let before = fs::read(database(path)).expect("a file");
    let server = Launch::serve(path).start();
    let count = u64::try_from(ROWS).expect("a count");
    assert_eq!(server.counts(), (count, count));
    let ended = server.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.contains("vomeet.db.v2 has all of before"), "{ended:?}");
    assert_upgraded(path, "a start");
    let kept = path.join("vomeet.db.v2");
    for file in [&kept, &database(path)] {
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(rows(&kept), old);
    assert_eq!(fs::read(&kept).expect("a file"), before);
    // A second start has nothing to do.
    let inode = fs::metadata(database(path)).expect("a file").ino();
    let ended = Launch::serve(path).start().terminate();
    assert!(!ended.stderr.contains("upgrad"), "{ended:?}");
    assert_eq!(fs::metadata(database(path)).expect("a file").ino(), inode);
}

#[test]
fn a_command_on_a_file_at_rest_keeps_the_old_file_too() {
    let folder = folder_of_old_file();
    let shown = done(folder.path(), &["user", "list"]);
    assert!(shown.contains("1@b.c"), "{shown}");
    assert_upgraded(folder.path(), "a command");
}

#[test]
fn a_kept_file_of_the_same_content_stays_and_another_one_is_never_overwritten() {
    let folder = folder_of_old_file();
    let (path, kept) = (folder.path(), folder.path().join("vomeet.db.v2"));
    let name: String = one(&database(path), "SELECT name FROM users WHERE id = 1");
    assert_eq!(name, "in the WAL", "it is in the file now");
    fs::write(&kept, "somebody's").expect("a file");
    let before = bytes(path);
    let (code, why) = refused(path, &["upgrade"]);
    assert_eq!(code, 6, "{why}");
    assert!(why.contains("vomeet.db.v2, and another file is there; move that away"), "{why}");
    let ended = Launch::serve(path).run();
    assert_eq!(ended.status.code(), Some(6), "{ended:?}");
    let mut after = bytes(path);
    after.retain(|name, _| before.contains_key(name));
    assert_eq!(after, before);

    fs::copy(database(path), &kept).expect("a copy");
    let inode = fs::metadata(&kept).expect("a file").ino();
    done(path, &["upgrade"]);
    assert_eq!(fs::metadata(&kept).expect("a file").ino(), inode);
    assert_upgraded(path, "a file that was kept before");
}

/// Runs a script with a small disk at `disk`, on which the old file lies.
fn on_small_disk(folder: &Path, mib: u32, command: &str) -> Ended {
    fs::create_dir(folder.join("disk")).expect("a folder");
    let script = format!(
        "mount -t tmpfs -o size={mib}m tmpfs disk || exit 99
        cp vomeet.db vomeet.db-wal disk && cd disk && ls > ../before
        \"$1\" {command}; code=$?
        ls > ../after; cmp vomeet.db ../vomeet.db || exit 98
        exit $code"
    );
    let arguments = ["--mount", "--map-root-user", "sh", "-c", &script, "sh", BINARY];
    Launch::other("unshare", &arguments, folder).run()
}

#[test]
fn without_room_nothing_is_changed() {
    for command in ["upgrade", "upgrade --check", "serve --listen 127.0.0.1:0"] {
        let folder = folder_of_old_file();
        let ended = on_small_disk(folder.path(), 12, command);
        assert_eq!(ended.status.code(), Some(18), "{command}: {ended:?}");
        assert!(ended.stderr.contains("There is no room to upgrade"), "{command}: {ended:?}");
        assert!(ended.stderr.contains("free some space and start again"), "{command}: {ended:?}");
        let [before, after] = ["before", "after"]
            .map(|name| fs::read_to_string(folder.path().join(name)).expect("names"));
        let left: Vec<&str> = after.lines().filter(|name| *name != "vomeet.db.lock").collect();
        assert_eq!(left, before.lines().collect::<Vec<_>>(), "{command}");
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_file_or_the_new_one_whole() {
    let origin = folder_of_old_file();
    let fresh = || {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["vomeet.db", "vomeet.db-wal"] {
            fs::copy(origin.path().join(name), folder.path().join(name)).expect("a copy");
        }
        folder
    };
    let is_long = std::env::var_os("VOMEET_TEST_LONG").is_some();
    let every = |number: usize| if is_long { 1 } else { number };
    let calls = [
        ("/^rename", 1),
        ("/sync$", 1),
        ("/^unlink", every(6)),
        ("/^pwrite", every(25)),
        ("/^(copy_file_range|sendfile)", 1),
        ("/^ftruncate", 1),
    ];
    let (mut killed, mut of_old, mut of_new) = (0, 0, 0);
    for (calls, every) in calls {
        for number in (1..).step_by(every) {
            let folder = fresh();
            let path = folder.path();
            let inject = format!("inject={calls}:signal=KILL:when={number}");
            let trace = format!("trace={calls}");
            let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let arguments = [&arguments[..], &[BINARY, "upgrade"]].concat();
            let ended = Launch::other("strace", &arguments, path).run();
            if ended.status.success() {
                break;
            }
            let row = format!("{calls} {number}");
            killed += 1;
            // As it lies there: no program of ours has looked at it.
            let check: String = one(&database(path), "PRAGMA integrity_check");
            assert_eq!(check, "ok", "{row}");
            match version(&database(path)) {
                2 => of_old += 1,
                NEWEST => of_new += 1,
                other => panic!("{row}: version {other}"),
            }
            assert_eq!(counts(&database(path)), [ROWS, ROWS, ROWS, 5 * ROWS], "{row}");
            // The next start finishes it, or begins again.
            let ended = Launch::serve(path).start().terminate();
            assert!(ended.status.success(), "{row}: {ended:?}");
            assert_upgraded(path, &row);
        }
    }
    println!("{killed} kills: {of_old} left the old file, {of_new} the new one");
    assert!(killed >= 20 && of_new >= 1, "{killed} kills: {of_old} old, {of_new} new");
}

/// A server whose upgrade waits until [`release`]: the flush of the file that it keeps is held up.
/// It is the child itself; `strace` runs beside it (`-D`).
pub fn held_start(folder: &Path) -> (Process, Client) {
    held_start_with(folder, |launch| launch)
}

/// The same with other settings.
pub fn held_start_with(
    folder: &Path,
    settings: impl FnOnce(Launch) -> Launch,
) -> (Process, Client) {
    let kept = folder.canonicalize().expect("a folder").join("vomeet.db.upgrading-keep");
    let kept = kept.to_str().expect("a path");
    let delay = "inject=/sync$:delay_enter=600s";
    let arguments = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=/sync$", "-e", delay];
    let arguments = [&arguments[..], &["-P", kept]].concat();
    let mut server = settings(Launch::under("strace", &arguments, folder)).launch();
    let line = server.stderr.find("responds with 503").expect("a line");
    let (_, rest) = line.split_once("://").expect("an address");
    let address = rest.split(' ').next().expect("an address").replace("localhost", "127.0.0.1");
    let address = address.parse().expect("an address");
    let client = Client { address, ..*server };
    wait_for(|| Path::new(kept).exists().then_some(()));
    (server, client)
}

/// Lets the upgrade go on. The kernel lets go of whatever a tracer holds when that ends (ptrace(2)).
pub fn release(server: &Process) {
    let status = format!("/proc/{}/status", server.pid().as_raw_nonzero());
    let status = fs::read_to_string(status).expect("a process");
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("a line");
    let tracer = Pid::from_raw(tracer.trim().parse().expect("a process id")).expect("a tracer");
    kill_process(tracer, Signal::KILL).expect("a signal");
}

#[test]
fn while_it_is_upgraded_a_server_lives_and_is_not_ready() {
    let folder = folder_of_old_file();
    let (mut server, client) = held_start(folder.path());
    let health = client.get("/healthz").send();
    assert_eq!(health.expect(200), serde_json::json!({ "status": "ok" }));
    let ready = client.get("/ready").send();
    assert_eq!(ready.header("Retry-After"), Some("1"));
    let expected = serde_json::json!({ "status": "unavailable", "reasons": ["starting"] });
    assert_eq!(ready.expect(503), expected);
    for (method, path) in [("GET", "/user"), ("POST", "/admin/users"), ("GET", "/nothing")] {
        let refused = client.call(method, path).admin().send();
        assert_eq!(refused.header("Retry-After"), Some("5"), "{path}");
        assert_eq!(refused.expect(503)["code"], "starting", "{path}");
    }
    let line = server.stderr.find(" % after ").expect("how far it is");
    assert!(line.contains("upgrading ") && line.contains(" s: "), "{line}");
    release(&server);
    assert!(server.wait_until_listening(), "it serves in the end");
    wait_for(|| (client.get("/ready").send().status == 200).then_some(()));
    drop(server);
}

#[test]
fn while_it_is_upgraded_a_server_with_a_certificate_speaks_tls() {
    let folder = folder_of_old_file();
    let pair = Pair::new(folder.path());
    let (mut server, client) = held_start_with(folder.path(), |launch| {
        launch.env("VOMEET_TLS_CERT", &pair.cert).env("VOMEET_TLS_KEY", &pair.key)
    });
    let config = Arc::new(pair.trusted());
    let mut line = Line::secure(client.address, &config).expect("a handshake");
    let ready = client.get("/ready").over(&mut line).expect("an answer");
    assert_eq!(ready.expect(503)["reasons"], serde_json::json!(["starting"]));
    let plain = client.get("/ready").send();
    assert_eq!(plain.status, 400, "{plain:?}");
    release(&server);
    assert!(server.wait_until_listening(), "it serves in the end");
    let mut line = Line::secure(client.address, &config).expect("a handshake");
    wait_for(|| {
        let ready = client.get("/ready").over(&mut line).expect("an answer");
        (ready.status == 200).then_some(())
    });
}

#[test]
fn a_server_that_is_told_to_stop_meanwhile_leaves_the_old_file() {
    let folder = folder_of_old_file();
    let path = folder.path();
    let (mut server, _) = held_start(path);
    server.signal(Signal::TERM);
    server.stderr.find("the upgrade stops").expect("it has heard");
    release(&server);
    let ended = server.end();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(version(&database(path)), 2);
    let left = names(path);
    let is_of_upgrade = |name: &String| name.contains("upgrading") || name.contains(".v2");
    assert!(!left.iter().any(is_of_upgrade), "{left:?}");
    done(path, &["upgrade"]);
    assert_upgraded(path, "after a stop");
}
