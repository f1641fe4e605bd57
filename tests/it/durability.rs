//! Stops and starts: what was acknowledged is there again, in one file that only its owner can
//! read.

use crate::client::{PATIENCE, assert_time};
use crate::process::{Ended, Launch};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A process that ended by itself said one sentence and no back-trace.
pub fn assert_one_line(ended: &Ended, code: i32) -> &str {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    let said: Vec<&str> =
        ended.stderr.lines().filter(|line| line.starts_with("vomeet: ")).collect();
    assert_eq!(said.len(), 1, "{ended:?}");
    for trace in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Error {", "Os {"] {
        assert!(!ended.stderr.contains(trace), "{ended:?}");
    }
    said[0]
}

#[test]
fn a_stop_leaves_one_file_and_a_start_finds_everything() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Launch::serve(folder.path()).start();
        let body = json!({"email": "one@example.com", "name": "One", "data": {"a": [1]}});
        let user = server.post("/admin/users").admin().json(&body).send().expect(201);
        let (kept, revoked) = (server.new_token(1), server.new_token(1));
        server.whoami(&kept.text).expect(200);
        assert_eq!(server.revoke(&revoked).status, 204);
        let running = names(folder.path());
        assert!(running.contains(&"vomeet.db-wal".to_owned()), "{running:?}");
        server.signal(signal);
        let ended = server.end();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let left = names(folder.path());
        assert!(left == ["vomeet.db"] || left == ["vomeet.db", "vomeet.db.lock"], "{left:?}");

        let server = Launch::serve(folder.path()).start();
        assert_eq!(
            server.get("/admin/users/email/ONE@example.com").admin().send().expect(200),
            user
        );
        server.whoami(&kept.text).expect(200);
        assert_eq!(server.whoami(&revoked.text).status, 403);
        let list = server.get("/admin/users/1/tokens").admin().send().expect(200);
        assert_time(&list[0]["last_used_at"]);
        assert!(
            server.new_user("two@example.com") > 1 && server.new_token(1).id > revoked.id,
            "ids came back"
        );
    }
}

#[test]
fn every_file_is_the_owners_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    server.new_user("one@example.com");
    let names = names(folder.path());
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let mode =
            fs::metadata(folder.path().join(&name)).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name} has mode {mode:o}");
    }
}

#[test]
fn the_first_screen_says_what_comes_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = "a-very-secret-admin-key";
    let server = Launch::serve(folder.path()).env("ADMIN_API_TOKEN", key).start();
    let url = format!("http://localhost:{}", server.address.port());
    let answer = server.get("/admin/users").header("X-Admin-API-Key", key).send();
    assert_eq!(answer.status, 200);
    let ended = server.terminate();
    let docs = format!("{url}/docs");
    let file = folder.path().join("vomeet.db").display().to_string();
    for wanted in [
        url.as_str(),
        &docs,
        &file,
        "Bots       none are started",
        "ADMIN_API_TOKEN in the environment",
        " user add user@example.com ",
        " token create user@example.com ",
    ] {
        assert!(ended.stdout.contains(wanted), "{wanted}:\n{}", ended.stdout);
    }
    assert!(
        !ended.stdout.contains(key) && !ended.stderr.contains(key),
        "the key itself: {ended:?}"
    );
}

#[test]
fn the_first_screens_lines_work_in_any_shell_and_come_while_they_are_needed() {
    for socket in [None, Some("the admin's.sock")] {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a folder of $ADA's");
        fs::create_dir(&place).expect("a folder");
        fs::write(place.join("vomeet.toml"), "[bots]\nrunner = \"demo\"\n").expect("written");
        let launch = || {
            let launch =
                Launch::serve(&place).env("ADMIN_API_TOKEN", "an-admin-key-$with\"quotes'");
            socket.iter().fold(launch, |launch, name| launch.args(&["--socket", name]))
        };
        let mut server = launch().start();
        server.stdout.find("runner demo").expect("the runner");
        server.stdout.find("vomeet.toml").expect("the settings file");
        let lines = [" user add ", " token create "].map(|wanted| {
            let line = server.stdout.find(wanted).expect("a line to type");
            line.trim().to_owned()
        });
        for line in lines {
            let output = std::process::Command::new("sh")
                .args(["-c", &line])
                .current_dir("/")
                .env_clear()
                .output()
                .expect("a shell");
            assert!(output.status.success(), "{line}: {output:?}");
        }
        assert_eq!(server.counts(), (1, 1));
        server.terminate();
        let ended = launch().start().terminate();
        assert!(!ended.stdout.contains("user add"), "there is a user: {}", ended.stdout);
    }
}

#[test]
fn a_hang_up_ends_nothing_and_checkpoints() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).start();
    server.new_user("one@example.com");
    server.signal(Signal::HUP);
    server.stderr.find("SIGHUP: the WAL is checkpointed").expect("a line");
    server.stderr.find("read again; none has changed").expect("a line");
    let log = fs::metadata(folder.path().join("vomeet.db-wal")).expect("a WAL");
    assert_eq!(log.len(), 0, "the WAL was not checkpointed");
    server.signal(Signal::HUP);
    server.new_user("two@example.com");
    assert_eq!(server.counts(), (2, 0));
    assert!(server.terminate().status.success());
}

#[test]
fn a_second_server_on_one_database_is_turned_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Launch::serve(folder.path()).start();
    first.new_user("one@example.com");
    let second = Launch::serve(folder.path()).run();
    let said = assert_one_line(&second, 13);
    assert!(said.contains("vomeet.db") && said.contains("--database"), "{said}");
    assert_eq!(second.stdout, "", "it says that it listens");
    // By another name it is the same file.
    fs::create_dir(folder.path().join("sub")).expect("a folder");
    let path = folder.path().join("sub/../vomeet.db");
    let third = Launch::serve(folder.path()).args(&["--database", &path.to_string_lossy()]).run();
    assert_one_line(&third, 13);
    std::os::unix::fs::symlink(folder.path().join("vomeet.db"), folder.path().join("link.db"))
        .expect("a link");
    let fourth = Launch::serve(folder.path()).args(&["--database", "link.db"]).run();
    assert_one_line(&fourth, 13);
    assert_eq!(first.counts(), (1, 0));
    assert!(first.terminate().status.success());
    let after = Launch::serve(folder.path()).start();
    assert_eq!(after.counts(), (1, 0));
}

/// Writes until one is refused for want of the file, and returns how often it was acknowledged
/// before.
fn write_until_refused(server: &crate::client::Client) -> usize {
    let began = Instant::now();
    for n in 0.. {
        assert!(began.elapsed() < PATIENCE, "it goes on acknowledging into nowhere");
        let call = server
            .post("/admin/users")
            .admin()
            .json(&json!({"email": format!("late{n}@example.com")}));
        match call.try_send() {
            Ok(answer) if answer.status == 201 => {}
            Ok(answer) => {
                let detail = "The database cannot be written; the server is stopping.".to_owned();
                assert_eq!(answer.refusal(), (503, detail));
                return n;
            }
            Err(error) => panic!("the refusal was lost: {error}"),
        }
    }
    unreachable!("the loop has no end")
}

#[test]
fn a_file_that_is_gone_takes_no_write() {
    type Harm = fn(&Path);
    let rows: [(&str, Harm); 3] = [
        ("deleted", |file| fs::remove_file(file).expect("removed")),
        ("renamed", |file| fs::rename(file, file.with_extension("moved")).expect("renamed")),
        ("replaced", |file| {
            let copy = file.with_extension("copy");
            fs::copy(file, &copy).expect("copied");
            fs::rename(&copy, file).expect("replaced");
        }),
    ];
    for (name, harm) in rows {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Launch::serve(folder.path()).start();
        server.new_user("one@example.com");
        // Begun before and not finished: it is answered although the server stops.
        let mut health = server.line();
        health.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n").expect("sent");
        server.get("/healthz").send().expect(200);
        harm(&folder.path().join("vomeet.db"));
        assert_eq!(write_until_refused(&server), 0, "{name}: acknowledged after it was gone");
        health.send("\r\n").expect("sent");
        let answer = health.answer(false).expect("an answer");
        assert_eq!(answer.status, 503, "{name}: /healthz: {}", answer.text());
        let ended = server.end();
        let said = assert_one_line(&ended, 20);
        assert!(said.contains("vomeet.db"), "{name}: {said}");
    }
}
