//! What a service manager is told, and how the unit of the service asks for it.

use crate::patience::PATIENCE;
use crate::process::Launch;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

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
