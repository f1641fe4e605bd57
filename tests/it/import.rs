//! `vomeet import`: a dump becomes a database whose keys open the same meetings; what is refused,
//! and what is left behind; `vomeet import verify`.

use crate::cli::vomeet;
use crate::durability::names;
use crate::process::{Ended, Launch, Process};
use crate::restore::{one, serve};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The end of every plain dump.
const END: &str = "\n\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// A plain dump that is being written.
pub struct Dump(String);

impl Dump {
    pub fn new() -> Self {
        Self("--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n".to_owned())
    }

    /// Adds a table; fields are apart by a tab, as they are in a dump.
    pub fn table(mut self, name: &str, columns: &str, rows: &[&str]) -> Self {
        self.0 += &["\nCOPY public.", name, " (", columns, ") FROM stdin;\n"].concat();
        for row in rows {
            self.0 += row;
            self.0.push('\n');
        }
        self.0.push_str("\\.\n");
        self
    }

    /// Adds a table of users with these rows: id, address, data.
    pub fn users(self, rows: &[&str]) -> Self {
        self.table("users", "id, email, data", rows)
    }

    pub fn text(self) -> String {
        self.0 + END
    }
}

/// Columns of the tables of October 2025.
pub const TOKENS: &str = "id, token, user_id, created_at";
pub const SESSIONS: &str = "id, meeting_id, session_uid, session_start_time";
pub const MEETINGS: &str = "id, user_id, platform, platform_specific_id, status, bot_container_id, start_time, end_time, data, created_at, updated_at";
pub const SEGMENTS: &str =
    "id, meeting_id, start_time, end_time, text, speaker, language, created_at, session_uid";

/// A meeting that was held.
pub const HELD: &str = "5\t1\tgoogle_meet\tabc-defg-hij\tcompleted\tc1\t2025-10-01 10:00:01.5\t2025-10-01 11:00:00\t{\"name\": \"Standup\"}\t2025-10-01 09:59:00\t2025-10-01 11:00:00";

pub const KEY: &str = "Lh0nVb5cQ2r8Xy1TzKw3Jm7Pd9Fg4Hs6AaBbCcDd";
pub const OTHER_KEY: &str = "vxa_bot_5cQ2r8Xy1TzKw3Jm7Pd9Fg4Hs6AaBbCc";

/// A dump without anything odd in it.
pub fn sound() -> Dump {
    Dump::new()
        .table(
            "api_tokens",
            TOKENS,
            &[
                &format!("3\t{KEY}\t1\t2025-09-01 10:00:00.25"),
                &format!("9\t{OTHER_KEY}\t4\t2025-09-01 10:00:00"),
            ],
        )
        .table("meeting_sessions", SESSIONS, &["1\t5\ts-1\t2025-10-01 12:00:02+02", "2\t5\ts-2\t2025-10-01 10:30:00+00"])
        .table("meetings", MEETINGS, &[HELD])
        .table(
            "transcriptions",
            SEGMENTS,
            &[
                "1\t5\t1.5\t2.25\tGood \\\\ morning\\tall\tAda\ten\t2025-10-01 10:00:04\ts-1",
                "2\t5\t3\t4\tGrüße\t\\N\tde\t2025-10-01 10:00:06\ts-1",
                "3\t5\t0.5\t1\tBack again\tBob\ten\t2025-10-01 10:30:02\ts-2",
            ],
        )
        .table(
            "users",
            "id, email, name, image_url, created_at, max_concurrent_bots, data",
            &[
                "1\tada@example.com\tAda\thttps://example.com/a.png\t2025-08-01 10:00:00\t3\t{\"team\": \"a\", \"webhook_url\": \"https://example.com/hook\", \"webhook_secret\": \"0123456789abcdef\"}",
                "4\tBob@Example.com\t\\N\t\\N\t2025-08-02 10:00:00\t1\t{}",
            ],
        )
}

/// Imports a dump, and returns how that ended, with its report.
pub fn import(folder: &Path, dump: Dump, arguments: &[&str]) -> (Ended, Value) {
    fs::write(folder.join("dump.sql"), dump.text()).expect("written");
    let arguments = [&["import", "dump.sql", "--output", "json"], arguments].concat();
    let ended = vomeet(folder, &arguments);
    let report = serde_json::from_str(&ended.stdout).unwrap_or_default();
    (ended, report)
}

/// Imports a dump that has nothing to remark.
fn imported(folder: &Path, dump: Dump) -> Value {
    let (ended, report) = import(folder, dump, &[]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    report
}

/// What is left beside the database of a command that ended.
fn left(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| name != "dump.sql" && name != "vomeet.db.lock");
    names
}

fn transcript(server: &Process, key: &str) -> Value {
    server.get("/transcripts/google_meet/abc-defg-hij").user(key).send().expect(200)
}

#[test]
fn a_dump_becomes_a_database_and_its_keys_open_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let report = imported(path, sound());
    let expected = json!({ "users": 2, "tokens": 2, "meetings": 1, "streams": 2, "segments": 3 });
    assert_eq!(report["imported"], expected);
    assert_eq!(report["verified"], json!({ "keys": 2, "meetings": 1, "segments": 3 }));
    assert_eq!((&report["remarks"], &report["is_clean"]), (&json!([]), &json!(true)));
    assert_eq!(report["dump_rows"]["transcriptions"], 3);
    let dump = fs::read(path.join("dump.sql")).expect("a dump");
    assert_eq!(report["dump_blake3"], blake3::hash(&dump).to_string());
    assert_eq!(left(path), ["vomeet.db"]);
    let mode = fs::metadata(path.join("vomeet.db")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let server = serve(path);
    let me = server.whoami(KEY).expect(200);
    assert_eq!((&me["id"], &me["email"]), (&json!(1), &json!("ada@example.com")));
    let meetings = server.get("/meetings").user(KEY).send().expect(200);
    let meeting = &meetings["meetings"][0];
    assert_eq!(meeting["id"], 5);
    assert_eq!(meeting["start_time"], "2025-10-01T10:00:01.500Z");
    assert_eq!(meeting["constructed_meeting_url"], "https://meet.google.com/abc-defg-hij");
    assert_eq!(meeting["data"], json!({ "name": "Standup" }));
    let others = server.get("/meetings").user(OTHER_KEY).send().expect(200);
    assert_eq!(others["meetings"], json!([]));

    // By the clock of the meeting, which is that of its first session.
    let segments = transcript(&server, KEY)["segments"].clone();
    let said = |at: usize| {
        let segment = &segments[at];
        json!([
            segment["start"],
            segment["end"],
            segment["text"],
            segment["speaker"],
            segment["absolute_start_time"]
        ])
    };
    assert_eq!(
        said(0),
        json!([1.5, 2.25, "Good \\ morning all", "Ada", "2025-10-01T10:00:03.500Z"])
    );
    assert_eq!(said(1), json!([3.0, 4.0, "Grüße", null, "2025-10-01T10:00:05.000Z"]));
    assert_eq!(said(2), json!([1798.5, 1799.0, "Back again", "Bob", "2025-10-01T10:30:00.500Z"]));
    assert_eq!(segments[0]["speaker_source"], "stream");
    assert_eq!(segments[0]["created_at"], "2025-10-01T10:00:04.000Z");
    let found = server.get("/transcripts/search?q=GRÜSSE").user(KEY).send().expect(200);
    assert_eq!(found["results"].as_array().map(Vec::len), Some(1), "{found}");

    let user = server.get("/admin/users/1").admin().send().expect(200);
    let shown = json!({ "team": "a", "webhook_url": "https://example.com/hook" });
    assert_eq!((&user["data"], &user["max_concurrent_bots"]), (&shown, &json!(3)));
    let token = &user["api_tokens"][0];
    assert_eq!(
        (&token["id"], &token["created_at"]),
        (&json!(3), &json!("2025-09-01T10:00:00.250Z"))
    );
    let entry = &server.get("/admin/audit").admin().send().expect(200)["entries"][0];
    assert_eq!(entry["action"], "database.import");
    assert_eq!(entry["after"]["dump_blake3"], report["dump_blake3"]);
    // Ids go on behind those that were imported.
    assert_eq!(server.new_user("new@example.com"), 5);
    server.terminate();
    let secret: String = one(&path.join("vomeet.db"), "SELECT secret FROM webhook_secrets");
    assert_eq!(secret, "0123456789abcdef");
}

#[test]
fn a_dump_is_read_from_a_pipe_and_keys_are_in_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let ended = Launch::new(path, &["import", "-"]).input(&sound().text()).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("2 keys open their user"), "{ended:?}");
    let file = fs::read(path.join("vomeet.db")).expect("a file");
    for key in [KEY, OTHER_KEY] {
        assert!(crate::client::find(&file, key.as_bytes()).is_none(), "a key in plain text");
        assert!(!ended.stdout.contains(key) && !ended.stderr.contains(key));
    }
}

#[test]
fn what_a_terminal_would_obey_is_printed_in_plain() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = Dump::new()
        .users(&["1\tada\u{202e}@example.com\t{}", "2\tADA\u{202e}@example.com\t{}"])
        .table("\"a\u{1b}[2Jb\"", "id", &["1"]);
    fs::write(folder.path().join("dump.sql"), dump.text()).expect("written");
    for output in ["table", "json"] {
        let arguments = ["import", "dump.sql", "--dry-run", "--output", output];
        let ended = vomeet(folder.path(), &arguments);
        assert_eq!(ended.status.code(), Some(40), "{ended:?}");
        assert!(ended.stdout.contains("a\\u001b[2Jb"), "{ended:?}");
        assert!(!ended.stdout.contains(['\u{1b}', '\u{202e}']), "{ended:?}");
    }
}

#[test]
fn an_import_that_is_tried_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, report) = import(folder.path(), sound(), &["--dry-run"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!((&report["dry_run"], &report["verified"]["keys"]), (&json!(true), &json!(2)));
    assert_eq!(left(folder.path()), Vec::<String>::new());
}

#[test]
fn what_cannot_be_imported_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let wrong_id = Dump::new().users(&["x\ta@example.com\t{}"]);
    let without_users = Dump::new().table("films", "id", &["1"]);
    let without_column = Dump::new().table("users", "id", &["1"]);
    let latin = Dump(sound().0.replace("'UTF8'", "'LATIN1'"));
    for (dump, said) in [
        (wrong_id, "Line 8 of the dump has \"x\" in the place of a whole number"),
        (without_users, "no table users"),
        (without_column, "no column email"),
        (latin, "Make it with `pg_dump --encoding=UTF8`"),
    ] {
        let (ended, _) = import(path, dump, &[]);
        assert_eq!(ended.status.code(), Some(41), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
        assert_eq!(left(path), Vec::<String>::new(), "{said}");
    }
    let (ended, _) = import(path, sound(), &["--time-zone", "Nowhere/Land"]);
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    let ended = vomeet(path, &["import", "none.sql"]);
    assert_eq!(ended.status.code(), Some(41), "{ended:?}");
    let ended = vomeet(path, &["import"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");

    // A database with users, or one that had some, and one that is served.
    imported(path, sound());
    let before = fs::read(path.join("vomeet.db")).expect("a file");
    let (ended, _) = import(path, sound(), &[]);
    assert_eq!(ended.status.code(), Some(41), "{ended:?}");
    assert!(ended.stderr.contains("has users, or has had some"), "{ended:?}");
    assert_eq!(fs::read(path.join("vomeet.db")).expect("a file"), before);
    let server = serve(path);
    let (ended, _) = import(path, sound(), &[]);
    assert_eq!(ended.status.code(), Some(13), "{ended:?}");
    for user in [1, 4] {
        assert_eq!(server.delete(format!("/admin/users/{user}")).admin().send().status, 204);
    }
    server.terminate();
    let (ended, _) = import(path, sound(), &[]);
    assert_eq!(ended.status.code(), Some(41), "{ended:?}");
}

#[test]
fn admin_keys_and_audit_log_of_a_database_without_users_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let key = vomeet(path, &["admin-key", "create", "alice"]);
    assert_eq!(key.status.code(), Some(0), "{key:?}");
    imported(path, sound());
    let server = serve(path);
    let user = server.get("/admin/users/1").header("X-Admin-API-Key", key.stdout.trim()).send();
    user.expect(200);
    let entries = server.get("/admin/audit").admin().send().expect(200);
    let actions: Vec<_> = entries["entries"].as_array().expect("entries").iter().collect();
    assert_eq!(actions.len(), 2, "{entries}");
    server.terminate();
    let verified = vomeet(path, &["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[test]
fn both_servers_are_asked_with_every_key() {
    let [old, new] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    for folder in [&old, &new] {
        imported(folder.path(), sound());
    }
    let (there, here) = (serve(old.path()), serve(new.path()));
    let address = |server: &Process| format!("http://{}", server.address);
    let (there_url, here_url) = (address(&there), address(&here));
    let verify = |output: &str| {
        let arguments = ["import", "verify", "--old", &there_url, "--new", &here_url];
        let more = ["--keys-from", "dump.sql", "--output", output];
        vomeet(new.path(), &[&arguments[..], &more[..]].concat())
    };
    let ended = verify("json");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("keys that open the same meetings: 2 of 2"), "{ended:?}");
    let compared: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((&compared["meetings"], &compared["transcripts"]), (&json!(1), &json!(1)));

    // Words that differ, then a key that is refused here alone.
    there.terminate();
    crate::restore::sql(old.path(), "UPDATE segments SET text = 'Other' WHERE speaker = 'Ada'");
    let there = serve(old.path());
    let there_url = address(&there);
    let verify = |output: &str| {
        let arguments = ["import", "verify", "--old", &there_url, "--new", &here_url];
        let more = ["--keys-from", "dump.sql", "--output", output];
        vomeet(new.path(), &[&arguments[..], &more[..]].concat())
    };
    assert_eq!(here.delete("/admin/tokens/9").admin().send().status, 204);
    let ended = verify("table");
    assert_eq!(ended.status.code(), Some(42), "{ended:?}");
    assert!(ended.stderr.contains("api_tokens 3: another transcript at"), "{ended:?}");
    assert!(ended.stderr.contains("api_tokens 9: refused here alone (403"), "{ended:?}");
    for key in [KEY, OTHER_KEY] {
        assert!(!ended.stdout.contains(key) && !ended.stderr.contains(key), "{ended:?}");
    }
    let far = ["import", "verify", "--old", "http://192.0.2.1", "--keys-from", "dump.sql"];
    let ended = vomeet(new.path(), &far);
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    assert!(ended.stderr.contains("--plain"), "{ended:?}");
}
