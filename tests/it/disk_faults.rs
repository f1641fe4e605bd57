//! A disk whose syncs fail, and a file that is damaged: the server stops, and loses nothing that it
//! acknowledged.

use crate::client::{Client, Line, PATIENCE, Token, is_end};
use crate::durability::assert_one_line;
use crate::process::{Launch, Process};
use rustix::process::Signal;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

/// `vomeet serve` whose syncs fail, each thread counting its own, as `when` says (strace's syntax);
/// system calls go to `trace`.
fn with_failing_syncs(folder: &Path, when: &str) -> Process {
    let inject = format!("inject=fdatasync,fsync:error=EIO:when={when}");
    let trace = "trace=fdatasync,fsync,pwrite64,pwritev,write,ftruncate,unlink";
    Launch::under("strace", &["-f", "-qq", "-y", "-o", "trace", "-e", trace, "-e", &inject], folder)
        .start()
}

/// Creates users from eight threads until each is refused or finds nobody any more; those that were
/// acknowledged.
fn create_until_refused(client: Client, name: &str) -> Vec<String> {
    let create = |thread: usize| {
        let (mut made, began) = (Vec::new(), Instant::now());
        for n in 0.. {
            assert!(began.elapsed() < PATIENCE, "no sync fails");
            let email = format!("sync{name}-{thread}-{n}@example.com");
            let answer =
                client.post("/admin/users").admin().json(&json!({"email": email})).try_send();
            match answer {
                Ok(answer) if answer.status == 201 => made.push(email),
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{answer:?}");
                    break;
                }
                Err(_) => break,
            }
        }
        made
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || create(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a writer")).collect()
    })
}

/// More syncs than the start of a server takes, all of them on one thread.
const SYNCS_AT_START: usize = 8;

#[test]
fn every_commit_is_synced_before_it_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Launch::serve(folder.path()).start().terminate().status.success(), "the tables");
    let nearly_never = "65535";
    let server = with_failing_syncs(folder.path(), nearly_never);
    let user = server.new_user("one@example.com");
    for n in 0..20 {
        let token = server.new_token(user);
        server
            .patch(format!("/admin/users/{user}"))
            .admin()
            .json(&json!({"name": n.to_string()}))
            .send()
            .expect(200);
        assert_eq!(server.revoke(&token).status, 204);
    }
    server.kill_all();
    let trace = fs::read_to_string(folder.path().join("trace")).expect("a trace");
    let synced = trace
        .lines()
        .filter(|line| line.contains("sync(") && line.contains("vomeet.db-wal"))
        .count();
    assert!(synced > 3 * 20, "61 commits, one after the other, and {synced} syncs of the log");
}

/// A request that the server reads, and the rest of its body.
fn begin_request(server: &Client) -> (Line, &'static str) {
    let body = r#"{"email":"begun@example.com"}"#;
    let call = server.post("/admin/users").admin().header("Expect", "100-continue");
    let bytes = call.body(body).bytes();
    let mut line = server.line();
    line.send(&bytes[..bytes.len() - body.len()]).expect("sent");
    line.wait_for("100 Continue\r\n\r\n").expect("a handler that reads");
    (line, body)
}

#[test]
fn a_failed_fsync_stops_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(
        Launch::serve(folder.path()).start().terminate().status.success(),
        "the tables, without a fault"
    );
    let mut acknowledged = Vec::new();
    for when in [SYNCS_AT_START, SYNCS_AT_START + 1, SYNCS_AT_START + 7] {
        // The writer's first commits succeed, and from then on no sync does; or one fails, and the
        // next ones lie.
        for when in [format!("{when}+"), when.to_string()] {
            let server = with_failing_syncs(folder.path(), &when);
            let mut health = server.line();
            health.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n").expect("sent");
            let (mut begun, rest) = begin_request(&server);
            acknowledged.extend(create_until_refused(*server, &when));
            // A request that has begun is served until its end.
            begun.send(rest).expect("sent");
            let answer = begun.answer(false).expect("an answer");
            assert_eq!(answer.status, 503, "{when}: a write after a failed sync");
            // One whose head has only begun to come may be closed, and learns nothing else.
            match health.send("\r\n").and_then(|()| health.answer(false)) {
                Ok(answer) => assert_eq!(answer.status, 503, "{when}: after a failed sync"),
                Err(error) => assert!(is_end(&error), "{when}: {error}"),
            }
            assert_one_line(&server.end(), 20);
            let trace = fs::read_to_string(folder.path().join("trace")).expect("a trace");
            let (_, after) = trace.split_once("(INJECTED)").expect("a fault");
            let written = |line: &&str| {
                line.contains("write") && line.contains("vomeet.db") && !line.contains(".lock")
            };
            let written: Vec<&str> = after.lines().filter(written).collect();
            assert!(written.is_empty(), "{when}: written after a failed sync: {written:#?}");
        }
    }
    assert!(acknowledged.len() >= 30, "the faults came too early: {acknowledged:?}");
    let server = Launch::serve(folder.path()).start();
    for email in acknowledged {
        server.get(format!("/admin/users/email/{email}")).admin().send().expect(200);
    }
}

/// A stopped database with some hundred users and a token.
fn database(folder: &Path) -> (PathBuf, Token) {
    let server = Launch::serve(folder).start();
    for n in 0..300 {
        let body =
            json!({"email": format!("u{n}@example.com"), "data": {"padding": "x".repeat(300)}});
        server.post("/admin/users").admin().json(&body).send().expect(201);
    }
    let token = server.new_token(1);
    assert!(server.terminate().status.success());
    (folder.join("vomeet.db"), token)
}

#[test]
fn a_damaged_file_is_refused_or_stops_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, token) = database(folder.path());
    let whole = fs::read(&file).expect("a database");
    let pages = whole.len() / 4096;
    assert!(pages > 30, "{pages} pages");
    let mut rows: Vec<(String, usize, Vec<u8>)> = vec![
        ("header".to_owned(), 0, vec![0xaa; 100]),
        ("magic".to_owned(), 0, b"SQLite format 4\0".to_vec()),
        ("first page".to_owned(), 100, vec![0xff; 3996]),
        ("schema".to_owned(), 200, vec![0; 3896]),
        ("all but the first page".to_owned(), 4096, vec![0x55; whole.len() - 4096]),
    ];
    rows.extend(
        (1..pages)
            .step_by(pages / 12)
            .map(|page| (format!("page {page}"), page * 4096, vec![0xa5; 4096])),
    );
    rows.extend(
        (1..pages)
            .step_by(pages / 6)
            .map(|page| (format!("head of page {page}"), page * 4096, vec![0xff; 12])),
    );
    for (name, at, bytes) in rows {
        fs::write(&file, &whole).expect("restored");
        OpenOptions::new()
            .write(true)
            .open(&file)
            .expect("a file")
            .write_all_at(&bytes, at as u64)
            .expect("damaged");
        let mut command = Launch::serve(folder.path()).env("RUST_BACKTRACE", "0").launch();
        if command.wait_until_listening() {
            let statuses = use_everything(&command, &token);
            let broken = statuses.iter().any(|&(_, status)| status == 503 || status == 0);
            assert!(
                statuses
                    .iter()
                    .all(|&(_, status)| [200, 201, 204, 403, 404, 503, 0].contains(&status)),
                "{name}: {statuses:?}"
            );
            if !broken {
                // The damage lies where nobody looks.
                command.signal(Signal::TERM);
            }
            let ended = command.end();
            assert!(!ended.stderr.contains("panicked"), "{name}: {ended:?}");
            assert_eq!(
                ended.status.code(),
                Some(if broken { 20 } else { 0 }),
                "{name}: {statuses:?} {ended:?}"
            );
        } else {
            assert_one_line(&command.end(), 14);
        }
    }
    fs::write(&file, &whole[..whole.len() / 2]).expect("cut off");
    let mut command = Launch::serve(folder.path()).launch();
    if command.wait_until_listening() {
        use_everything(&command, &token);
        assert_one_line(&command.end(), 20);
    } else {
        assert_one_line(&command.end(), 14);
    }
}

/// Reads and writes all over the file; 0 stands for no answer at all.
fn use_everything(client: &Client, token: &Token) -> Vec<(String, u16)> {
    let mut calls = vec![
        ("list".to_owned(), client.get("/admin/users?limit=1000").admin()),
        ("token".to_owned(), client.get("/user").user(&token.text)),
        ("health".to_owned(), client.get("/healthz")),
        ("meetings".to_owned(), client.get("/meetings").user(&token.text)),
        ("by address".to_owned(), client.get("/admin/users/email/u150@example.com").admin()),
        (
            "new user".to_owned(),
            client.post("/admin/users").admin().json(&json!({"email": "new@example.com"})),
        ),
        ("new token".to_owned(), client.post("/admin/users/2/tokens").admin()),
        // What was used is written before it is shown, as it would be at the end.
        ("usage".to_owned(), client.get("/admin/usage").admin()),
    ];
    calls.extend(
        (1..300)
            .step_by(7)
            .map(|id| (format!("user {id}"), client.get(format!("/admin/users/{id}")).admin())),
    );
    calls
        .into_iter()
        .map(|(name, call)| (name, call.try_send().map_or(0, |answer| answer.status)))
        .collect()
}
