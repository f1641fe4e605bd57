//! `vomeet compact`: free pages given back to the disk, of a running server and of a file at rest,
//! and who hears that it is worth it.

use crate::cli::{done, refused, vomeet};
use crate::client::{Client, wait_for};
use crate::process::{BINARY, Launch};
use crate::restore::{database, one};
use crate::server::open_file;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const MIB: u64 = 1024 * 1024;

/// Leaves so many MiB of free pages in the file.
fn with_free_pages(folder: &Path, mib: u64) {
    open_file(&database(folder), |db| {
        let many = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
             INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
               SELECT i, i, 1, printf('{{\"x\":\"%.*c\"}}', 3800, 'x'), 0 FROM n;
             DELETE FROM users WHERE data LIKE '{{\"x%';",
            mib * 256
        );
        db.execute_batch(&many).expect("free pages");
    });
}

fn bytes(folder: &Path) -> u64 {
    fs::metadata(database(folder)).expect("a file").len()
}

/// A server that was there and has ended, and a user in it.
fn folder_with_user() -> (tempfile::TempDir, i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let user = server.new_user("ada@example.com");
    server.terminate();
    (folder, user)
}

fn compacted(folder: &Path, arguments: &[&str]) -> Value {
    let text = done(folder, &[&["compact", "--output", "json"], arguments].concat());
    serde_json::from_str(&text).expect("JSON")
}

fn assert_sound(folder: &Path) {
    let check: String = one(&database(folder), "PRAGMA integrity_check");
    assert_eq!(check, "ok");
    let mode = fs::metadata(database(folder)).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left = crate::durability::names(folder);
    assert!(left.iter().all(|name| name.starts_with("vomeet.db")), "{left:?}");
}

#[test]
fn a_file_at_rest_becomes_as_short_as_what_is_in_it() {
    let (folder, _) = folder_with_user();
    let path = folder.path();
    with_free_pages(path, 8);
    let before = bytes(path);
    assert!(before > 8 * MIB, "{before}");
    let done = compacted(path, &[]);
    assert_eq!(done["bytes_before"], before);
    assert!(done["free_bytes_before"].as_u64().expect("bytes") > 7 * MIB, "{done}");
    let after = bytes(path);
    assert_eq!(done["bytes_after"], after);
    assert!(after < MIB, "{after}");
    assert_sound(path);
    let shown = crate::cli::done(path, &["user", "show", "ada@example.com"]);
    assert!(shown.contains("ada@example.com"), "{shown}");
}

/// Creates users until it is told to stop; returns the ids that were acknowledged.
fn write(client: Client, name: &str, end: &AtomicBool) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    while !end.load(Ordering::Relaxed) {
        let email = format!("{name}-{}@example.com", acknowledged.len());
        acknowledged.push(client.new_user(&email));
    }
    acknowledged
}

#[test]
fn a_running_server_gives_space_back_and_loses_nothing_acknowledged() {
    let (folder, _) = folder_with_user();
    let path = folder.path();
    with_free_pages(path, 24);
    let server = Launch::serve(path).start();
    let (client, end) = (*server, AtomicBool::new(false));
    let written: Vec<i64> = thread::scope(|scope| {
        let end = &end;
        let writers: Vec<_> =
            ["a", "b", "c"].map(|name| scope.spawn(move || write(client, name, end))).into();
        wait_for(|| (client.counts().0 > 20).then_some(()));
        let done = compacted(path, &[]);
        let shorter = done["bytes_after"].as_u64() < Some(6 * MIB);
        let was = done["bytes_before"].as_u64() > Some(24 * MIB);
        let users = client.counts().0;
        wait_for(|| (client.counts().0 > users + 20).then_some(()));
        end.store(true, Ordering::Relaxed);
        assert!(shorter && was, "{done}");
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect()
    });
    wait_for(|| (bytes(path) < 6 * MIB).then_some(()));
    for id in &written {
        server.get(format!("/admin/users/{id}")).admin().send().expect(200);
    }
    let ended = server.terminate();
    assert!(ended.stderr.contains("has compacted the database"), "{ended:?}");
    assert_sound(path);
    let users: i64 = one(&database(path), "SELECT count(*) FROM users");
    assert_eq!(users, i64::try_from(written.len()).expect("a count") + 1);
}

#[test]
fn while_meetings_are_open_it_is_refused_unless_it_is_to_be_done_now() {
    let (folder, user) = folder_with_user();
    let path = folder.path();
    let launch = Launch::serve(path).env("VOMEET_BOTS_RUNNER", "demo");
    let server = launch.start();
    let limit = json!({ "max_concurrent_bots": 1 });
    server.patch(format!("/admin/users/{user}")).admin().json(&limit).send().expect(200);
    let token = server.new_token(user);
    let body = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
    server.post("/bots").user(&token.text).json(&body).send().expect(201);
    let (code, why) = refused(path, &["compact"]);
    assert_eq!(code, 6, "{why}");
    assert!(why.contains("Meetings are open: 1.") && why.contains("--now"), "{why}");
    compacted(path, &["--now"]);
    drop(server);
    // At rest nobody waits.
    compacted(path, &[]);
}

#[test]
fn over_the_network_there_is_no_such_route() {
    let (folder, _) = folder_with_user();
    let server = Launch::serve(folder.path()).start();
    assert_eq!(server.post("/admin/compact").admin().send().status, 404);
}

#[test]
fn a_kill_on_the_way_leaves_the_file_whole() {
    for (calls, every) in [("/^pwrite", 15), ("/sync$", 1), ("/^ftruncate", 1)] {
        let mut kills = 0;
        for number in (1..).step_by(every) {
            let (folder, _) = folder_with_user();
            let path = folder.path();
            with_free_pages(path, 4);
            let inject = format!("inject={calls}:signal=KILL:when={number}");
            let trace = format!("trace={calls}");
            let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let arguments = [&arguments[..], &[BINARY, "compact"]].concat();
            let ended = Launch::other("strace", &arguments, path).run();
            if ended.status.success() {
                break;
            }
            let row = format!("{calls} {number}: {ended:?}");
            // `strace` ends by the signal that has ended the program.
            assert_eq!(ended.status.signal(), Some(9), "{row}");
            kills += 1;
            let users: i64 = one(&database(path), "SELECT count(*) FROM users");
            assert_eq!(users, 1, "{row}");
            compacted(path, &[]);
            assert!(bytes(path) < MIB, "{row}");
            assert_sound(path);
        }
        println!("{calls}: {kills} kills");
        assert!(kills >= 1, "{calls}: nothing was killed");
    }
}

#[test]
fn without_room_it_is_refused_and_nothing_is_changed() {
    let (folder, _) = folder_with_user();
    let path = folder.path();
    with_free_pages(path, 4);
    fs::create_dir(path.join("disk")).expect("a folder");
    let script = "mount -t tmpfs -o size=40m tmpfs disk || exit 99
        cp vomeet.db disk && cd disk && \"$1\" compact; code=$?
        cmp vomeet.db ../vomeet.db || exit 98
        exit $code";
    let arguments = ["--mount", "--map-root-user", "sh", "-c", script, "sh", BINARY];
    let ended = Launch::other("unshare", &arguments, path).run();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(ended.stderr.contains("There is no room to compact"), "{ended:?}");
}

#[test]
fn doctor_and_metrics_say_when_it_is_worth_it() {
    let (folder, _) = folder_with_user();
    let path = folder.path();
    let findings = || vomeet(path, &["doctor", "--json"]).stdout;
    assert!(!findings().contains("free_space"), "{}", findings());
    with_free_pages(path, 70);
    let found = findings();
    assert!(found.contains("free_space") && found.contains("vomeet compact"), "{found}");
    let server = Launch::serve(path).start();
    let metrics = server.get("/metrics").send();
    let line = metrics.text().lines().find(|line| line.starts_with("vomeet_store_free_bytes "));
    let free: u64 =
        line.expect("a metric").rsplit(' ').next().expect("a value").parse().expect("bytes");
    assert!(free > 69 * MIB, "{free}");
    let health = server.get("/healthz").send().expect(200);
    assert!(health["findings"].to_string().contains("free_space"), "{health}");
    compacted(path, &[]);
    wait_for(|| (!findings().contains("free_space")).then_some(()));
}
