//! The spool of sound beside the database: what a start makes of it, what health checks say of it,
//! and how it is deleted.

use crate::client::{Client, wait_for};
use crate::durability::assert_one_line;
use crate::process::Launch;
use crate::segments::{insert_session, insert_stream};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The folder of sound beside a database.
pub fn folder_of_sound(folder: &Path) -> PathBuf {
    folder.join("vomeet.db.sound")
}

/// The bytes of a spool file with these records of sounds.
pub fn spool_file(records: &[(i64, u64, &[u8])]) -> Vec<u8> {
    let mut file = b"vomsnd1\n\0\0\0\0\0\0\0\0".to_vec();
    for (sound, at, payload) in records {
        let body = [&sound.to_le_bytes()[..], &at.to_le_bytes(), payload].concat();
        let length = u32::try_from(payload.len()).expect("a length");
        file.extend([length.to_le_bytes(), crc32fast::hash(&body).to_le_bytes()].concat());
        file.extend(body);
    }
    file
}

/// Sound of a meeting: its row, open as a kill leaves it, and its file, behind what is in that.
pub fn insert_sound(db: &Connection, folder: &Path, meeting: i64, payload: &[u8]) {
    let stream = insert_stream(db, meeting);
    let insert = "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels)
                  VALUES (?1, ?2, 'bot', 's16le', 16000, 1)";
    db.execute(insert, params![meeting, stream]).expect("a sound");
    let added = spool_file(&[(db.last_insert_rowid(), 0, payload)]);
    let folder = folder_of_sound(folder);
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("{meeting}.sound"));
    let file = match fs::read(&path) {
        Ok(before) => [&before[..], &added[16..]].concat(),
        Err(_) => added,
    };
    fs::write(path, file).expect("a file");
}

/// Users 1 and 2, each with a meeting that is over and has ten seconds of sound.
fn heard() -> (Setup, [String; 2]) {
    let mut tokens = [String::new(), String::new()];
    let setup = Setup::new();
    let folder = setup.folder().to_owned();
    let setup = setup.rows(|db| {
        for user in [1, 2] {
            let token = insert_token(db, user, None);
            tokens[usize::try_from(user).expect("a number") - 1] = token;
            insert_session(db, user, "abc-defg-hij");
            insert_sound(db, &folder, user, &vec![1; 320_000]);
        }
        let end = "UPDATE meetings SET status = 'completed', end_time = created_at";
        db.execute(end, []).expect("an end");
    });
    (setup, tokens)
}

/// The names in the folder of sound, besides that of its lock.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder_of_sound(folder)).expect("the folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("a name")
    };
    let mut names: Vec<String> = entries.map(name).filter(|name| name != ".lock").collect();
    names.sort();
    names
}

/// The value of a metric without labels.
fn metric(server: &Client, name: &str) -> u64 {
    let metrics = server.get("/metrics").send();
    let mut lines = metrics.text().lines();
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not there"))
}

fn waiting(server: &Client) -> u64 {
    metric(server, "vomeet_erasures_waiting")
}

/// The minutes of sound that are counted of a user, once some are.
fn used(server: &Client, token: &str) -> f64 {
    wait_for(|| {
        let usage = server.get("/user/usage?by=day").user(token).send().expect(200);
        usage["usage"].as_array().expect("lines").iter().find_map(|line| {
            let minutes = line["sound_minutes"].as_f64().expect("minutes");
            (minutes > 0.0).then_some(minutes)
        })
    })
}

#[test]
fn sound_that_a_kill_left_open_is_ended_and_counted() {
    let (setup, tokens) = heard();
    let server = setup.start();
    let used = used(&server, &tokens[0]);
    assert!((used - 0.167).abs() < 1e-9, "10 s are {used} min");
    assert_eq!(metric(&server, "vomeet_sounds_open"), 0);
    assert_eq!(metric(&server, "vomeet_spool_sync_failures_total"), 0);
    let setup = server.stop();
    let mut open = 1;
    setup.rows(|db| {
        let count = "SELECT count(*) FROM sounds WHERE ended_at IS NULL OR heard_ms <> 10000";
        open = db.query_row(count, [], |row| row.get(0)).expect("a count");
    });
    assert_eq!(open, 0);
}

#[test]
fn sound_goes_with_the_transcript_with_the_meeting_and_with_the_user() {
    let (setup, tokens) = heard();
    let server = setup.start();
    let path = "/meetings/google_meet/abc-defg-hij";
    server.delete(path).user(&tokens[0]).send().expect(200);
    assert_eq!(names(server.folder()), ["2.sound"]);
    assert_eq!(server.delete("/admin/users/2").admin().send().status, 204);
    assert_eq!(names(server.folder()), [""; 0]);
    assert_eq!(metric(&server, "vomeet_spool_bytes"), 0);
    assert_eq!(waiting(&server), 0);
}

#[test]
fn sound_that_cannot_be_deleted_now_is_deleted_later() {
    let (setup, tokens) = heard();
    // Nobody can delete a folder as a file, not even root.
    let file = folder_of_sound(setup.folder()).join("1.upload");
    fs::create_dir(&file).expect("a folder");
    let server = setup.start();
    let path = "/meetings/google_meet/abc-defg-hij";
    server.delete(path).user(&tokens[0]).send().expect(200);
    assert!(waiting(&server) > 0, "nothing is remembered");
    fs::remove_dir(&file).expect("it goes");
    wait_for(|| (waiting(&server) == 0).then_some(()));
    assert_eq!(names(server.folder()), ["2.sound"]);
}

#[test]
fn a_start_finishes_the_deletion_of_sound() {
    let (setup, _) = heard();
    let setup = setup.rows(|db| {
        db.execute("INSERT INTO erased_sounds VALUES (1), (77)", []).expect("what is owed");
    });
    let server = setup.start();
    wait_for(|| (waiting(&server) == 0).then_some(()));
    assert_eq!(names(server.folder()), ["2.sound"]);
}

#[test]
fn sound_of_meetings_that_are_not_there_is_deleted_at_the_start_and_the_log_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = folder_of_sound(folder.path());
    fs::create_dir(&sound).expect("a folder");
    for name in ["5.sound", "6.upload", "received.part", "readme.txt"] {
        fs::write(sound.join(name), "somebody's voice").expect("a file");
    }
    let server = Launch::serve(folder.path()).start();
    wait_for(|| (names(folder.path()) == ["readme.txt"]).then_some(()));
    let ended = server.terminate();
    let line = "deleted the sound of 2 meetings that the database does not have";
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
}

#[test]
fn a_full_spool_is_a_finding() {
    let (setup, _) = heard();
    let server = setup.set("VOMEET_TRANSCRIPTION_SPOOL_FREE_BYTES_MIN", "10995116277760").start();
    let found = |server: &Server| {
        let health = server.get("/healthz").send().expect(200);
        health["findings"].as_array().and_then(|findings| {
            findings.iter().find(|found| found["code"] == "spool_full").cloned()
        })
    };
    let finding = wait_for(|| found(&server));
    assert_eq!(finding["severity"], "warning");
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("free on the disk")));
    let server = server.stop().set("VOMEET_TRANSCRIPTION_SPOOL_FREE_BYTES_MIN", "0").start();
    wait_for(|| (metric(&server, "vomeet_spool_bytes") > 600_000).then_some(()));
    assert_eq!(found(&server), None);
}

#[test]
fn a_folder_of_sound_that_cannot_be_trusted_is_refused_at_the_start() {
    type Prepare = fn(&Path);
    let rows: [(&str, Prepare); 3] = [
        ("may be written by everybody", |path| {
            fs::create_dir(path).expect("a folder");
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("a mode");
        }),
        ("is no folder", |path| fs::write(path, "").expect("a file")),
        ("No such file", |path| {
            std::os::unix::fs::symlink("nowhere", path).expect("a link");
        }),
    ];
    for (why, prepare) in rows {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(&folder_of_sound(folder.path()));
        let ended = Launch::serve(folder.path()).run();
        assert_one_line(&ended, 15);
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    }
}

#[test]
fn two_servers_do_not_share_a_folder_of_sound() {
    let (first, second) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let sound = first.path().join("sound");
    fs::create_dir(&sound).expect("a folder");
    let sound = sound.to_str().expect("a path");
    let start =
        |folder: &Path| Launch::serve(folder).env("VOMEET_TRANSCRIPTION_SPOOL_FOLDER", sound);
    let server = start(first.path()).start();
    let refused = start(second.path()).run();
    let said = assert_one_line(&refused, 13);
    assert!(said.contains("Another vomeet keeps its sound in"), "{said}");
    // A command that asks the server, and one that opens a database at rest, are nobody's rival.
    for folder in [first.path(), second.path()] {
        let listed = Launch::new(folder, &["user", "list"])
            .env("VOMEET_TRANSCRIPTION_SPOOL_FOLDER", sound)
            .run();
        assert!(listed.status.success(), "{}", listed.stderr);
    }
    server.terminate();
    start(second.path()).start().terminate();
}

#[test]
fn a_folder_of_sound_that_cannot_be_locked_is_used_with_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = folder_of_sound(folder.path());
    // Nobody can open a folder as a file, not even root.
    fs::create_dir_all(sound.join(".lock")).expect("a folder");
    let ended = Launch::serve(folder.path()).start().terminate();
    let line = "the folder of sound vomeet.db.sound cannot be locked";
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
}

#[test]
fn sound_that_a_kill_left_open_ends_where_it_is_cut_where_the_spool_has_it_no_more() {
    let (setup, tokens) = heard();
    let file = folder_of_sound(setup.folder()).join("1.sound");
    fs::write(&file, spool_file(&[])).expect("all was given back");
    let setup = setup.rows(|db| {
        let cut = "UPDATE sounds SET heard_ms = 3000, cut_ms = 8000 WHERE meeting_id = 1";
        db.execute(cut, []).expect("a cut");
    });
    let server = setup.start();
    // That of the next meeting is ended after it.
    used(&server, &tokens[1]);
    let mut heard_ms = 0;
    server.stop().rows(|db| {
        let find = "SELECT heard_ms FROM sounds WHERE meeting_id = 1 AND ended_at IS NOT NULL";
        heard_ms = db.query_row(find, [], |row| row.get(0)).expect("it is ended");
    });
    assert_eq!(heard_ms, 8000);
}
