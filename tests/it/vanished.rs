//! A database file whose syncs fail, and files that go away under a running server: it says so and
//! ends.

use crate::client::{Client, PATIENCE};
use crate::durability::assert_one_line;
use crate::process::Launch;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// A folder with a stopped, empty database in it.
fn with_database() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Launch::serve(folder.path()).start().terminate().status.success(), "the tables");
    folder
}

/// Creates large users one after the other until one is refused; those that were acknowledged, and
/// the refusal.
fn create_until_refused(client: &Client) -> (Vec<String>, u16) {
    let (mut made, began) = (Vec::new(), Instant::now());
    loop {
        assert!(began.elapsed() < PATIENCE, "{} users, and the log was never folded", made.len());
        let email = format!("large{}@example.com", made.len());
        let body = json!({"email": email, "data": {"padding": "x".repeat(15_000)}});
        match client.post("/admin/users").admin().json(&body).send().status {
            201 => made.push(email),
            status => return (made, status),
        }
    }
}

/// Holds `/healthz` of a server that failed: 503, or nobody there any more.
fn assert_unwell(client: &Client) {
    if let Ok(answer) = client.get("/healthz").try_send() {
        assert_eq!(answer.status, 503, "{answer:?}");
    }
}

fn assert_kept(folder: &Path, emails: &[String]) {
    let server = Launch::serve(folder).start();
    for email in emails {
        let found = server.get(format!("/admin/users/email/{email}")).admin().send();
        assert_eq!(found.status, 200, "{email} was acknowledged and is lost");
    }
}

/// Runs a server for which every sync of the database file fails, and writes until it ends. How many
/// writes were acknowledged, all of which must be there after it.
fn acknowledged_before_a_fault() -> usize {
    let folder = with_database();
    let path = folder.path().canonicalize().expect("a folder").join("vomeet.db");
    let inject = "inject=fsync,fdatasync:error=EIO";
    let arguments = [
        "-f",
        "-qq",
        "-o",
        "trace",
        "-P",
        &path.to_string_lossy(),
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        inject,
    ];
    let server = Launch::under("strace", &arguments, folder.path()).start();
    let (made, status) = create_until_refused(&server);
    assert_eq!(status, 503, "after {} users", made.len());
    assert_unwell(&server);
    assert_one_line(&server.end(), 20);
    let trace = fs::read_to_string(folder.path().join("trace")).expect("a trace");
    assert!(trace.contains("(INJECTED)"), "the test itself: no sync of the file failed:\n{trace}");
    assert_kept(folder.path(), &made);
    made.len()
}

/// The WAL is checkpointed in the middle of the work; a fault there is as bad as one in the WAL.
/// While nobody writes for half a second it is checkpointed too, and on a busy machine that may come
/// first: such a run holds what it must, and another one follows.
#[test]
fn a_failed_fsync_of_the_file_itself_stops_the_server() {
    let began = Instant::now();
    while acknowledged_before_a_fault() <= 20 {
        assert!(began.elapsed() < PATIENCE, "the faults come too early");
    }
}

#[test]
fn a_write_to_a_file_that_is_gone_is_refused() {
    for (gone, replaced) in [
        ("vomeet.db-wal", false),
        ("vomeet.db", false),
        ("vomeet.db-wal", true),
        ("vomeet.db", true),
    ] {
        let folder = with_database();
        let server = Launch::serve(folder.path()).start();
        server.new_user("before@example.com");
        let file = folder.path().join(gone);
        if replaced {
            let copy = folder.path().join("copy");
            fs::copy(&file, &copy).expect("a copy");
            fs::rename(&copy, &file).expect("replaced");
        } else {
            fs::remove_file(&file).expect("removed");
        }
        let body = json!({"email": "after@example.com"});
        let answer = server.post("/admin/users").admin().json(&body).send();
        assert_eq!(answer.status, 503, "{gone}, replaced: {replaced}: {answer:?}");
        assert_unwell(&server);
        let ended = server.end();
        let said = assert_one_line(&ended, 20);
        assert!(said.contains(gone), "{gone}: {said}");
    }
}

#[test]
fn a_server_that_nobody_writes_to_notices_that_its_file_is_gone() {
    for (gone, moved) in [("vomeet.db", false), ("vomeet.db", true), ("vomeet.db-wal", false)] {
        let folder = with_database();
        let server = Launch::serve(folder.path()).start();
        server.get("/healthz").send().expect(200);
        let file = folder.path().join(gone);
        if moved {
            fs::rename(&file, folder.path().join("elsewhere.db")).expect("moved");
        } else {
            fs::remove_file(&file).expect("removed");
        }
        assert_eq!(server.get("/healthz").send().status, 503, "{gone}, moved: {moved}");
        assert_one_line(&server.end(), 20);
    }
}
