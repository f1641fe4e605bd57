//! Backups that the server makes: by the schedule and by its routes; who may say where one is
//! written; what is known of the last one.

use crate::backup::{filled, has_partial, with_many_pages};
use crate::cli::{done, refused};
use crate::client::{Client, wait_for};
use crate::durability::names;
use crate::local::{ask, others_can_come, socket_of};
use crate::process::Launch;
use crate::server::{Setup, still_clock};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use vomeet::clock::Clock;

/// Somebody without any rights.
const NOBODY: u32 = 65_534;
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn list(client: &Client) -> Value {
    client.get("/admin/backups").admin().send().expect(200)
}

/// The value of a metric.
fn metric(client: &Client, name: &str) -> i64 {
    let text = client.get("/metrics").send();
    let text = text.text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("vomeet_{name} ")));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
}

fn files(folder: &Path) -> usize {
    if folder.exists() { names(folder).len() } else { 0 }
}

/// A server with a schedule, by a clock that the test moves.
fn with_schedule(clock: &Clock, keep: &str) -> Setup {
    let setup = Setup::new().clock(clock);
    let folder = setup.folder().join("backups").to_string_lossy().into_owned();
    setup
        .set("VOMEET_BACKUP_FOLDER", &folder)
        .set("VOMEET_BACKUP_EVERY", "2h")
        .set("VOMEET_BACKUP_KEEP", keep)
}

#[test]
fn the_schedule_makes_them_and_keeps_as_many_as_it_should() {
    let clock = still_clock();
    let server = with_schedule(&clock, "2").start();
    let folder = server.folder().join("backups");
    wait_for(|| (list(&server)["backups"][0]["verified"] == true).then_some(()));
    assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
    fs::write(folder.join("mine.db"), b"mine").expect("a file");
    let in_two_hours = vomeet::clock::later(clock.now(), 2 * HOUR).to_string();
    wait_for(|| (list(&server)["next_at"] == in_two_hours.as_str()).then_some(()));
    let first = list(&server);
    assert_eq!(first["last_failure"], Value::Null);
    for (count, kept) in [(2, 3), (3, 3), (4, 3)] {
        clock.advance(2 * HOUR);
        let newest = clock.now().to_string();
        wait_for(|| (list(&server)["backups"][0]["at"] == newest.as_str()).then_some(()));
        wait_for(|| (files(&folder) == kept).then_some(()));
        assert!(folder.join("mine.db").exists(), "after backup {count}");
    }
    let at = clock.now().as_millis() / 1000;
    let last_good = || metric(&server, "backup_last_success_timestamp_seconds");
    wait_for(|| (last_good() == at).then_some(()));
    assert!(metric(&server, "backup_bytes") > 0);
    assert_eq!(metric(&server, "backup_failures_total"), 0);
}

#[test]
fn its_age_outlives_a_restart() {
    let clock = still_clock();
    let server = with_schedule(&clock, "9").start();
    wait_for(|| (metric(&server, "backup_bytes") > 0).then_some(()));
    let at = metric(&server, "backup_last_success_timestamp_seconds");
    clock.advance(HOUR);
    let server = server.restart();
    wait_for(|| (metric(&server, "backup_bytes") > 0).then_some(()));
    assert_eq!(metric(&server, "backup_last_success_timestamp_seconds"), at);
    assert_eq!(metric(&server, "backup_seconds"), 0, "it was before the start");
    assert_eq!(list(&server)["backups"].as_array().map(Vec::len), Some(1), "none was due");
    // One that was cut off since does not count, nor one of a time that has not come.
    let folder = server.folder().join("backups");
    let name = names(&folder).remove(0);
    let whole = fs::read(folder.join(&name)).expect("a backup");
    fs::write(folder.join("vomeet-29991231T000000.000Z.db"), &whole).expect("one of the future");
    fs::write(folder.join(&name), &whole[..whole.len() - 4096]).expect("one that is cut off");
    clock.advance(MINUTE);
    let due = clock.now().to_string();
    wait_for(|| (list(&server)["backups"][1]["at"] == due.as_str()).then_some(()));
    assert_eq!(list(&server)["backups"][2]["verified"], false);
}

#[test]
fn a_failure_is_told_and_tried_again() {
    let clock = still_clock();
    let setup = with_schedule(&clock, "9");
    let parent = setup.folder().join("later");
    let folder = parent.join("backups");
    let server = setup.set("VOMEET_BACKUP_FOLDER", &folder.to_string_lossy()).start();
    wait_for(|| (metric(&server, "backup_failures_total") == 1).then_some(()));
    let told = list(&server);
    assert_eq!(told["last_failure"]["at"], clock.now().to_string().as_str());
    let why = told["last_failure"]["why"].as_str().expect("a sentence");
    assert!(why.starts_with("Cannot make the folder of backups "), "{why}");
    assert_eq!(
        told["next_at"],
        vomeet::clock::later(clock.now(), 10 * MINUTE).to_string().as_str()
    );
    fs::create_dir(&parent).expect("a folder");
    clock.advance(10 * MINUTE);
    wait_for(|| (files(&folder) == 1).then_some(()));
    wait_for(|| (list(&server)["last_failure"] == Value::Null).then_some(()));
    assert_eq!(metric(&server, "backup_failures_total"), 1);
}

#[test]
fn an_admin_key_makes_and_lists_them_in_the_folder_and_nowhere_else() {
    let setup = Setup::new();
    let folder = setup.folder().join("backups").to_string_lossy().into_owned();
    let server = setup.set("VOMEET_BACKUP_FOLDER", &folder).set("VOMEET_BACKUP_EVERY", "").start();
    server.new_user("a@example.com");
    let made = server.post("/admin/backups").admin().send().expect(201);
    assert_eq!(made["tables"]["users"], 1);
    assert!(made["file"].as_str().is_some_and(|file| file.starts_with(&folder)), "{made}");
    let listed = list(&server);
    assert_eq!(listed["folder"], folder.as_str());
    assert_eq!(listed["next_at"], Value::Null, "there is no schedule");
    assert_eq!(listed["backups"][0]["bytes"], made["bytes"]);
    let entries = server.get("/admin/audit").admin().send().expect(200);
    let entry = &entries["entries"][0];
    assert_eq!(entry["action"], "database.backup", "{entries}");
    assert_eq!(entry["actor"], "key:settings", "{entries}");
    assert_eq!(entry["after"]["file"], made["file"], "{entries}");
    let elsewhere = server.folder().join("x.db");
    for path in [elsewhere.to_string_lossy().as_ref(), &folder, "x.db"] {
        let call = server.post("/admin/backups").admin().json(&json!({ "path": path }));
        let (status, why) = call.send().refusal();
        assert!(status == 403 && why.starts_with("Where a backup is written"), "{status} {why}");
    }
    let faulty = server.post("/admin/backups").admin().json(&json!({ "path": 1, "replace": 2 }));
    assert_eq!(faulty.send().faults().len(), 2);
    let alone = server.post("/admin/backups").admin().json(&json!({ "replace": true }));
    assert_eq!(alone.send().refusal().0, 409);
    assert!(!elsewhere.exists());
    assert_eq!(files(Path::new(&folder)), 1);
}

/// Whoever has a key cannot delete the history by asking for new ones, nor fill the disk.
#[test]
fn an_admin_key_deletes_none_and_adds_only_so_many() {
    let setup = Setup::new();
    let folder = setup.folder().join("backups");
    let server = setup
        .set("VOMEET_BACKUP_FOLDER", &folder.to_string_lossy())
        .set("VOMEET_BACKUP_EVERY", "")
        .set("VOMEET_BACKUP_KEEP", "2")
        .start();
    for made in 1..=4 {
        server.post("/admin/backups").admin().send().expect(201);
        assert_eq!(files(&folder), made);
    }
    let (status, why) = server.post("/admin/backups").admin().send().refusal();
    assert!(status == 409 && why.starts_with("4 backups lie in the folder"), "{status} {why}");
    assert_eq!(files(&folder), 4);
    assert_eq!(metric(&server, "backup_failures_total"), 0, "it was not tried");
}

#[test]
fn without_a_folder_none_is_made_and_none_is_listed() {
    let server = Setup::new().start();
    let (status, why) = server.post("/admin/backups").admin().send().refusal();
    assert!(
        status == 409 && why.starts_with("No folder of backups is configured."),
        "{status} {why}"
    );
    let nothing = json!({
        "folder": null, "backups": [], "last_failure": null, "next_at": null, "encrypt_to": null,
        "upload": null,
    });
    assert_eq!(list(&server), nothing);
    assert_eq!(metric(&server, "backup_last_success_timestamp_seconds"), 0);
    assert_eq!(metric(&server, "backup_failures_total"), 0, "nobody wanted one");
}

#[test]
fn only_who_could_open_the_database_says_where_one_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    if !others_can_come(path) {
        return;
    }
    let group = NOBODY.to_string();
    let server = Launch::serve(path).env("VOMEET_SOCKET_GROUP", &group);
    let server =
        server.env("VOMEET_BACKUP_FOLDER", "backups").env("VOMEET_BACKUP_EVERY", "").start();
    let open = path.join("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("a folder of ours");
    let as_member = |arguments: &[&str]| Launch::as_user(NOBODY, NOBODY, path, arguments).run();
    let ended = as_member(&["backup", "open/x.db"]);
    assert_eq!(ended.status.code(), Some(8), "{ended:?}");
    assert!(ended.stderr.contains("only root and the server's own user may say"), "{ended:?}");
    assert_eq!(files(&open), 0);
    assert_eq!(as_member(&["backup"]).status.code(), Some(0), "into the configured folder");
    assert_eq!(files(&path.join("backups")), 1);
    done(path, &["backup", "open/x.db"]);
    assert_eq!(
        fs::metadata(open.join("x.db")).expect("a file").permissions().mode() & 0o777,
        0o600
    );
    server.terminate();
}

#[test]
fn the_list_is_there_also_when_the_database_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("vomeet.db"));
    for (every, kept) in [("24h", 3), ("", 2)] {
        let settings = format!("[backup]\nfolder = 'backups'\nkeep = 2\nevery = '{every}'\n");
        fs::write(path.join("vomeet.toml"), settings).expect("settings");
        for _ in 0..3 {
            done(path, &["backup"]);
        }
        assert_eq!(files(&path.join("backups")), kept, "every {every:?}");
    }
    for name in names(path).iter().filter(|name| name.starts_with("vomeet.db")) {
        fs::remove_file(path.join(name)).expect("a file");
    }
    let listed = done(path, &["backup", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(!names(path).iter().any(|name| name.starts_with("vomeet.db")), "it made something");
}

#[test]
fn a_server_that_stops_stops_a_backup_and_leaves_nothing_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("vomeet.db"));
    with_many_pages(&path.join("vomeet.db"));
    // Each page of the copy takes a while, so that it cannot be done before the stop.
    let slow = "inject=pwrite64:delay_enter=20000";
    let arguments = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", slow];
    let copies = path.join("backups");
    fs::create_dir(&copies).expect("a folder");
    let server = Launch::under("strace", &arguments, path).start();
    let socket = socket_of(path);
    let body = json!({ "path": path.join("backups").join("x.db") }).to_string();
    let head = format!(
        "POST /admin/backups HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // `ask` ends the head itself.
    let asker = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("a socket");
        stream.write_all(head.as_bytes()).expect("a request");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    wait_for(|| has_partial(&copies).then_some(()));
    let get = "GET /admin/backups HTTP/1.1\r\nHost: localhost";
    assert_eq!(ask(&socket_of(path), get).expect("an answer").0, 200);
    let (code, message) = refused(path, &["backup", "y.db"]);
    assert!(code == 6 && message.starts_with("A backup is being made already"), "{code} {message}");
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let answer = asker.join().expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("The backup was stopped"),
        "{answer}"
    );
    assert_eq!(names(&path.join("backups")), [""; 0]);
}
