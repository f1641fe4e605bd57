//! Disks that are full, that lie, and that forget: what was acknowledged holds, and the rest is
//! refused aloud.
//!
//! The full disk is a small tmpfs in a mount namespace of its own, which needs `unshare`, and root
//! or user namespaces for everyone; the failing fsync needs `strace`. Where one of them is missing
//! the test fails and says so.

use crate::client::{Client, PATIENCE, Token, wait_for};
use crate::durability::assert_one_line;
use crate::files::{rows_in_copy, users_in_copy};
use crate::process::{Launch, Process};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

/// Mounts a tmpfs at `$1` with the options `$3`, serves in it, and in the end copies what is there
/// to `$2`.
const IN_TMPFS: &str = r#"
    mount -t tmpfs -o "$3" tmpfs "$1" || { echo "no tmpfs: this test needs mount namespaces" >&2; exit 99; }
    cd "$1" || exit 98
    out=$2; shift 3
    "$@" & server=$!
    echo "server process $server"
    wait $server; code=$?
    cp -a . "$out" || exit 97
    exit $code
"#;

/// A server on a tmpfs of its own.
struct OnTmpfs {
    process: Process,
    server: Pid,
    /// Where the tmpfs is seen from here.
    disk: PathBuf,
    /// Where its files are in the end.
    copy: PathBuf,
}

fn in_tmpfs(folder: &Path, options: &str) -> Launch {
    let (mount, copy) = (folder.join("disk"), folder.join("copy"));
    for folder in [&mount, &copy] {
        fs::create_dir(folder).expect("a folder");
    }
    let (mount, copy) = (mount.to_string_lossy(), copy.to_string_lossy());
    let arguments =
        ["--mount", "--map-root-user", "sh", "-c", IN_TMPFS, "sh", &mount, &copy, options];
    Launch::under("unshare", &arguments, folder).any_wrong_keys()
}

impl OnTmpfs {
    fn start(folder: &Path, options: &str) -> Self {
        Self::of(folder, in_tmpfs(folder, options))
    }

    fn of(folder: &Path, launch: Launch) -> Self {
        let mut process = launch.start();
        let line = process.stdout.find("server process ").expect("a process");
        let number = line.trim().rsplit(' ').next().and_then(|number| number.parse().ok());
        let server = Pid::from_raw(number.expect("a number")).expect("a process id");
        let root = PathBuf::from(format!("/proc/{}/root", process.pid().as_raw_nonzero()));
        let disk = root.join(folder.join("disk").strip_prefix("/").expect("an absolute path"));
        Self { process, server, disk, copy: folder.join("copy") }
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = File::create(self.disk.join("filler")).expect("a filler");
        for size in [64 * 1024, 4096, 512, 1] {
            while filler.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.disk.join("filler")).expect("a filler");
    }
}

/// Creates users from eight threads until each is told that the disk is full; those that were
/// acknowledged.
fn create_until_full(client: Client, name: &str) -> Vec<String> {
    let create = |thread: usize| {
        let mut made = Vec::new();
        let began = Instant::now();
        for n in 0.. {
            assert!(began.elapsed() < PATIENCE, "the disk does not become full");
            let email = format!("{name}-{thread}-{n}@example.com");
            let body = json!({"email": email, "data": {"padding": "x".repeat(8000)}});
            let answer = client.post("/admin/users").admin().json(&body).send();
            match answer.status {
                201 => made.push(email),
                507 => break,
                _ => panic!("{email}: {answer:?}"),
            }
        }
        made
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || create(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a writer")).collect()
    })
}

fn assert_kept(client: &Client, emails: &[String], revoked: &[Token], kept: &Token) {
    for email in emails {
        let found = client.get(format!("/admin/users/email/{email}")).admin().send();
        assert_eq!(found.status, 200, "{email} was acknowledged and is lost");
    }
    for token in revoked {
        assert_eq!(
            client.whoami(&token.text).status,
            403,
            "token {} was revoked and is accepted",
            token.id
        );
    }
    client.whoami(&kept.text).expect(200);
}

/// What would need room is refused.
fn assert_refused(client: &Client, user: i64) {
    let (name, refused) = (
        json!({"name": "x".repeat(200)}),
        "The disk is full. Free some space on the server and try again.",
    );
    for call in [
        client
            .post("/admin/users")
            .admin()
            .json(&json!({"email": "no@example.com", "data": {"p": "x".repeat(8000)}})),
        client.post(format!("/admin/users/{user}/tokens")).admin(),
        client.patch(format!("/admin/users/{user}")).admin().json(&name),
    ] {
        assert_eq!(call.send().refusal(), (507, refused.to_owned()));
    }
}

#[test]
fn a_full_disk_loses_nothing_and_still_revokes() {
    for end in [Signal::TERM, Signal::KILL] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = OnTmpfs::start(folder.path(), "size=12m");
        let client = *server.process;
        let user = client.new_user("first@example.com");
        let tokens: Vec<Token> = (0..40).map(|_| client.new_token(user)).collect();
        let (kept, revoked) = tokens.split_first().expect("tokens");
        let mut emails = create_until_full_after(&server, client);

        assert_refused(&client, user);
        // A restart would not help, so it counts as working; but it should get no requests.
        client.get("/healthz").send().expect(200);
        let unready = client.get("/ready").send();
        assert_eq!(unready.expect(503)["reasons"], json!(["disk_full"]));
        for token in revoked {
            let answer = client.revoke(token);
            assert_eq!(answer.status, 204, "on a full disk: {}", answer.text());
            assert_eq!(client.whoami(&token.text).status, 403, "accepted after its 204");
        }
        let gone = emails.pop().expect("an address");
        let id = client.get(format!("/admin/users/email/{gone}")).admin().send().expect(200)["id"]
            .clone();
        assert_eq!(
            client.delete(format!("/admin/users/{id}")).admin().send().status,
            204,
            "DELETE on a full disk"
        );
        assert_kept(&client, &emails, revoked, kept);

        if end == Signal::TERM {
            server.free();
            let create = || {
                client
                    .post("/admin/users")
                    .admin()
                    .json(&json!({"email": "after@example.com"}))
                    .send()
            };
            // There is room, which the server looks for now and then.
            wait_for(|| (create().status != 507).then_some(()));
            emails.push("after@example.com".to_owned());
            wait_for(|| (client.get("/ready").send().status == 200).then_some(()));
            emails.extend((0..20).map(|n| {
                let email = format!("after{n}@example.com");
                client.new_user(&email);
                email
            }));
        }
        kill_process(server.server, end).expect("a server");
        let ended = server.process.end();
        let expected = if end == Signal::TERM { 0 } else { 128 + 9 };
        assert_eq!(ended.status.code(), Some(expected), "{ended:?}");
        let again = Launch::serve(&server.copy).any_wrong_keys().start();
        assert_kept(&again, &emails, revoked, kept);
        let lost = again.get(format!("/admin/users/email/{gone}")).admin().send();
        assert_eq!(lost.status, 404, "a deleted user is back");
        assert!(
            emails.len() > 10,
            "hardly anything was written before the disk was full: {}",
            emails.len()
        );
    }
}

/// The WAL keeps its length, so there is room for a few writes; the database has none for them.
#[test]
fn an_idle_server_on_a_full_disk_says_so_once_and_when_it_is_well_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = in_tmpfs(folder.path(), "size=12m").env("VOMEET_LOG", "debug");
    let mut server = OnTmpfs::of(folder.path(), launch);
    let client = *server.process;
    let create = |n: usize| {
        let email = format!("u{n}@example.com");
        let body = json!({"email": email, "data": {"padding": "x".repeat(8000)}});
        client.post("/admin/users").admin().json(&body).send().expect(201);
    };
    (0..20).for_each(create);
    wait_for(|| (users_in_copy(&server.disk, folder.path()) == Some(20)).then_some(()));
    server.fill();
    let began = Instant::now();
    (20..25).for_each(create);
    let trouble = "the WAL cannot be checkpointed into the database yet";
    let tries = |text: &str| text.matches(trouble).count();
    while tries(&server.process.stderr.text) < 4 {
        server.process.stderr.next_line().expect("a line");
    }
    server.free();
    let again = "the WAL is checkpointed into the database again";
    server.process.stderr.find(again).expect("a line");
    kill_process(server.server, Signal::TERM).expect("a server");
    let said = server.process.end().stderr;
    let warned = said.lines().filter(|line| line.contains(trouble) && line.contains(" WARN "));
    // A trouble that lasts is told every minute.
    let warned_max = 1 + began.elapsed().as_secs() / 60;
    let warned = warned.count() as u64;
    assert!((1..=warned_max).contains(&warned), "{warned} of {warned_max}: {said}");
    assert_eq!(said.matches(again).count(), 1, "{said}");
}

/// Each sweep, which frees space, begins with a note of the time.
#[test]
fn the_time_is_noted_on_a_full_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    // There is room for the database, and none for the reserve.
    let server = OnTmpfs::start(folder.path(), "size=4m");
    wait_for(|| (rows_in_copy("clock", &server.disk, folder.path()) == Some(1)).then_some(()));
    let body = json!({"email": "no@example.com"});
    assert_eq!(server.process.post("/admin/users").admin().json(&body).send().status, 507);
    kill_process(server.server, Signal::TERM).expect("a server");
    server.process.end();
}

/// Fills the disk up and writes into what is left of it.
fn create_until_full_after(server: &OnTmpfs, client: Client) -> Vec<String> {
    let mut emails: Vec<String> = (0..20).map(|n| format!("early{n}@example.com")).collect();
    for email in &emails {
        client.new_user(email);
    }
    server.fill();
    emails.extend(create_until_full(client, "full"));
    emails
}

#[test]
fn a_disk_without_room_or_writing_is_one_line_at_the_start() {
    for options in ["ro,size=1m", "size=4k,nr_inodes=1", "size=4k"] {
        let folder = tempfile::tempdir().expect("a folder");
        let ended = in_tmpfs(folder.path(), options).run();
        let said = assert_one_line(&ended, 15);
        assert!(said.contains("vomeet.db"), "{options}: {said}");
        assert!(!ended.stdout.contains("listens on"), "{options}: {}", ended.stdout);
    }
}
