//! The private socket as a file that may be in the way, and as a connection that has limits.

use crate::cli::done;
use crate::client::PATIENCE;
use crate::local::{mode_of, socket_of};
use crate::process::Launch;
use crate::server::Setup;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

#[test]
fn a_socket_that_cannot_be_made_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (taken, answered, dead) =
        (folder.path().join("file"), folder.path().join("answered"), folder.path().join("dead"));
    fs::write(&taken, "precious").expect("written");
    let _listener = UnixListener::bind(&answered).expect("a socket");
    drop(UnixListener::bind(&dead).expect("a socket"));
    let long = "x".repeat(120);
    for (socket, wanted) in [
        ("file", "another file lies there"),
        ("answered", "another program answers there"),
        ("nowhere/x.sock", "No such file"),
        (long.as_str(), "VOMEET_SOCKET"),
    ] {
        let ended = Launch::serve(folder.path()).args(&["--socket", socket]).run();
        assert_eq!(ended.status.code(), Some(12), "{socket}: {ended:?}");
        let said: Vec<&str> =
            ended.stderr.lines().filter(|line| line.starts_with("vomeet: ")).collect();
        assert!(
            said.len() == 1 && said[0].contains(wanted) && said[0].contains("`socket`"),
            "{socket}: {ended:?}"
        );
        assert!(!ended.stdout.contains("listens"), "{socket}: {ended:?}");
    }
    assert_eq!(fs::read_to_string(&taken).expect("a file"), "precious");
    UnixStream::connect(&answered).expect("the other program is still there");
    let server = Launch::serve(folder.path()).args(&["--socket", "dead"]).start();
    assert_eq!(mode_of(&dead), 0o600);
    server.terminate();
}

/// Who takes the path over while a server runs keeps it.
#[test]
fn a_file_that_replaced_the_socket_is_not_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let socket = socket_of(folder.path());
    fs::remove_file(&socket).and_then(|()| fs::write(&socket, "precious")).expect("another file");
    server.terminate();
    assert_eq!(fs::read_to_string(&socket).expect("a file"), "precious");
}

/// In a process whose files everybody may read: the mode comes from us.
#[test]
fn the_mode_does_not_come_from_the_surroundings() {
    let server = Setup::new().start();
    assert_eq!(mode_of(&socket_of(server.folder())), 0o600);
}

#[test]
fn who_keeps_the_private_socket_waiting_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).env("VOMEET_HTTP_HEADER_SECONDS_MAX", "1").start();
    for begun in ["", "GET /admin/users HT"] {
        let mut stream = UnixStream::connect(socket_of(folder.path())).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.write_all(begun.as_bytes()).expect("sent");
        assert_eq!(stream.read(&mut [0]).expect("an end"), 0, "{begun:?}");
    }
    done(folder.path(), &["user", "list"]);
    server.terminate();
}

#[test]
fn the_private_socket_counts_among_the_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).env("VOMEET_HTTP_CONNECTIONS_MAX", "2").start();
    let mut streams: Vec<_> =
        (0..3).map(|_| UnixStream::connect(socket_of(folder.path())).expect("one")).collect();
    streams[0].set_read_timeout(Some(PATIENCE)).expect("a limit");
    assert_eq!(streams[0].read(&mut [0]).expect("an end"), 0, "the first one makes room");
    server.terminate();
}

#[test]
fn what_was_asked_by_the_socket_is_answered_before_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let mut idle = UnixStream::connect(socket_of(folder.path())).expect("a connection");
    idle.set_read_timeout(Some(PATIENCE)).expect("a limit");
    done(folder.path(), &["user", "add", "ada@example.com"]);
    assert!(server.terminate().status.success());
    assert_eq!(idle.read(&mut [0]).expect("an end"), 0);
    assert!(done(folder.path(), &["user", "list"]).contains("ada@example.com"));
}
