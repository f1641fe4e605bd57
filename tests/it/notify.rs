//! What a service manager is told, and how the unit of the service asks for it.

use crate::client::Client;
use crate::patience::PATIENCE;
use crate::process::{Launch, Process};
use serde_json::json;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A socket as systemd opens one.
fn socket(address: &SocketAddr) -> UnixDatagram {
    let socket = UnixDatagram::bind_addr(address).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1024];
    let count = socket.recv(&mut bytes).expect("a message");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn systemd_is_told_that_the_server_is_ready_works_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let name = format!("vomeet-test-{}", std::process::id());
    let by_path = SocketAddr::from_pathname(&path).expect("an address");
    let by_name = SocketAddr::from_abstract_name(&name).expect("an address");
    let path = path.to_string_lossy().into_owned();
    for (address, variable) in [(by_path, path), (by_name, format!("@{name}"))] {
        let socket = socket(&address);
        let launch = Launch::serve(folder.path()).env("NOTIFY_SOCKET", variable);
        let server = launch.env("WATCHDOG_USEC", "200000").start();
        let ready = told(&socket);
        assert!(ready.starts_with("READY=1\nSTATUS=listens on http://localhost:"), "{ready}");
        assert_eq!(server.get("/healthz").send().status, 200, "it was ready");
        for _ in 0..3 {
            assert_eq!(told(&socket), "WATCHDOG=1");
        }
        server.terminate();
        let mut last = told(&socket);
        while last == "WATCHDOG=1" {
            last = told(&socket);
        }
        assert_eq!(last, "STOPPING=1");
    }
}

/// Waits until nothing was told for a second: many times as long as a server that works is silent.
fn assert_silent(socket: &UnixDatagram, what: &str) {
    let mut bytes = [0; 1024];
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
    for _ in 0..300 {
        if socket.recv(&mut bytes).is_err() {
            socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            return;
        }
    }
    panic!("{what}: the watchdog is told that all is well");
}

/// Holds the writer's thread at whatever it writes next, until this is killed.
fn hold_writer(server: &Process, folder: &Path) -> Process {
    let threads = format!("/proc/{}/task", server.pid().as_raw_pid());
    let mut found = None;
    for thread in fs::read_dir(threads).expect("threads") {
        let thread = thread.expect("a thread");
        let name = fs::read_to_string(thread.path().join("comm")).expect("a name");
        if name.trim() == "writer" {
            found = Some(thread.file_name().to_string_lossy().into_owned());
        }
    }
    let thread = found.expect("the writer's thread");
    let calls = "inject=pwrite64,fdatasync,fsync:delay_enter=600000000";
    let mut strace = Launch::other("strace", &["-p", &thread, "-e", calls], folder).launch();
    strace.stderr.find("attached").expect("strace holds it");
    strace
}

fn assert_hang_is_told(queue_max: &str, writers: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = socket(&SocketAddr::from_pathname(&path).expect("an address"));
    let server = Launch::serve(folder.path())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .env("VOMEET_STORE_QUEUE_MAX", queue_max)
        .start();
    assert!(told(&socket).starts_with("READY=1"));
    assert_eq!(told(&socket), "WATCHDOG=1");
    let strace = hold_writer(&server, folder.path());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..writers {
            let (server, is_over): (&Client, _) = (&server, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let user = json!({ "email": format!("{number}@example.com") });
                    server.post("/admin/users").admin().json(&user).send();
                }
            });
        }
        let silent = catch_unwind(AssertUnwindSafe(|| assert_silent(&socket, queue_max)));
        is_over.store(true, Ordering::Relaxed);
        strace.kill();
        silent.expect("silence");
    });
    assert_eq!(told(&socket), "WATCHDOG=1", "it works again");
    server.terminate();
}

#[test]
fn a_writer_that_hangs_is_told_by_silence() {
    assert_hang_is_told("100", 1);
}

#[test]
fn a_writer_that_hangs_behind_a_full_queue_is_told_by_silence() {
    assert_hang_is_told("1", 4);
}

#[test]
fn a_watchdog_of_another_process_is_not_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = socket(&SocketAddr::from_pathname(&path).expect("an address"));
    let server = Launch::serve(folder.path())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "600000000")
        .env("WATCHDOG_PID", "1")
        .start();
    assert!(told(&socket).starts_with("READY=1"));
    // Behind what a watchdog would have asked of the writer.
    server.new_user("one@example.com");
    server.terminate();
    assert_eq!(told(&socket), "STOPPING=1");
}
