//! The process seen from outside: what it takes in memory, how fast it ends, what it logs, and
//! where its words go.

use crate::client::{GUIDE_KEY, PATIENCE, wait_for};
use crate::durability::assert_one_line;
use crate::process::{Launch, Process};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

const BUNDLE: &str = "/docs/swagger-ui-bundle.js";

/// What the process holds in memory, in KiB.
pub fn resident_kib(server: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid().as_raw_nonzero()))
        .expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// How many requests `/metrics` counts with these labels.
fn counted(server: &Process, path: &str, status: u16) -> u64 {
    let (metrics, path, status) =
        (server.get("/metrics").send(), format!("path=\"{path}\""), format!("status=\"{status}\""));
    let mut lines =
        metrics.text().lines().filter(|line| line.starts_with("vomeet_http_requests_total{"));
    let line = lines.find(|line| line.contains(&path) && line.contains(&status));
    line.and_then(|line| line.rsplit_once(' '))
        .map_or(0, |(_, count)| count.parse().expect("a count"))
}

/// A connection that can take hardly anything, and has asked for something large.
fn ask_with_a_small_buffer(server: &Process) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect_timeout(&SockAddr::from(server.address), PATIENCE).expect("a connection");
    let mut stream = TcpStream::from(socket);
    stream.write_all(&server.get(BUNDLE).bytes()).expect("sent");
    stream
}

#[test]
fn a_client_that_does_not_read_holds_no_copy_of_its_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let whole = server.get(BUNDLE).send();
    assert!(whole.status == 200 && whole.body.len() > 1_000_000, "{} bytes", whole.body.len());
    assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string().as_str()));
    let counted_before: u64 = counted(&server, "/docs/{file}", 200);
    let before = resident_kib(&server);
    let sockets = 300;
    let stuck: Vec<TcpStream> = (0..sockets).map(|_| ask_with_a_small_buffer(&server)).collect();
    wait_for(|| (counted(&server, "/docs/{file}", 200) == counted_before + sockets).then_some(()));
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < sockets * 64, "{grown} KiB for {sockets} clients that do not read");
    drop(stuck);
    server.terminate();
}

#[test]
fn half_a_head_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).env("VOMEET_HTTP_STOP_SECONDS_MAX", "300").start();
    let mut used = server.line();
    server.get("/healthz").over(&mut used).expect("an answer");
    used.send("GET /user HT").expect("sent");
    let heads =
        ["", "G", "GET /user HTTP/1.1\r\n", "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX: "];
    let lines: Vec<_> = heads
        .into_iter()
        .map(|head| {
            let mut line = server.line();
            line.send(head).expect("sent");
            line
        })
        .collect();
    server.get("/healthz").send().expect(200);
    // It may wait for longer than the test does.
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    drop((lines, used));
}

#[test]
fn a_request_that_cannot_be_read_is_logged_and_counted() {
    for (request, status) in [
        ("G ET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000)), 431),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Launch::serve(folder.path()).env("VOMEET_LOG", "info").start();
        let before = counted(&server, "-", status);
        assert_eq!(server.raw(&request).expect("an answer").status, status, "{request:.40}");
        let line = server.stderr.find(&format!(" - - {status} ")).expect("an access line");
        assert!(line.contains("access") || line.contains("from=127.0.0.1:"), "{line}");
        assert_eq!(counted(&server, "-", status), before + 1, "{request:.40}");
    }
}

/// What a shell does before it becomes the program in `$1`: its standard output cannot be written.
const NOWHERE: [&str; 3] = [
    "exec \"$1\" COMMAND >/dev/full",
    "exec \"$1\" COMMAND >&-",
    // A pipe that nobody reads any more.
    "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; exec \"$1\" COMMAND >&4",
];

#[test]
fn words_that_nobody_takes_are_no_fault() {
    for shell in NOWHERE {
        // A disk that is full loses an answer; what nobody reads is lost by no fault.
        let code = if shell.contains("/dev/full") { 16 } else { 0 };
        for command in ["config show", "config check"] {
            let folder = tempfile::tempdir().expect("a folder");
            let script = shell.replace("COMMAND", command);
            let ended = Launch::under("sh", &["-c", &script, "sh"], folder.path()).run();
            assert_eq!(ended.status.code(), Some(code), "{script}: {ended:?}");
            assert_eq!(ended.stderr.is_empty(), code == 0, "{script}: {ended:?}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let script = shell.replace("COMMAND", "serve --listen 127.0.0.1:0");
        let launch = Launch::under("sh", &["-c", &script, "sh"], folder.path());
        let mut server = launch.admin_key(GUIDE_KEY).launch();
        // The warning about the weak key follows the first screen.
        let warning = server.stderr.find(" WARN ");
        assert!(warning.is_some(), "{script}: {}", server.stderr.all());
        let ended = server.terminate();
        assert_eq!(ended.status.code(), Some(0), "{script}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{script}: {ended:?}");
    }
}

#[test]
fn a_database_that_others_could_read_becomes_the_owners_alone() {
    for mode in [0o644, 0o666, 0o640] {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Launch::serve(folder.path()).start().terminate().status.success(), "the tables");
        let file = folder.path().join("vomeet.db");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        let server = Launch::serve(folder.path()).start();
        server.new_user("one@example.com");
        for name in ["vomeet.db", "vomeet.db-wal"] {
            let found =
                fs::metadata(folder.path().join(name)).expect("a file").permissions().mode()
                    & 0o777;
            assert_eq!(found, 0o600, "{name} was {mode:o} and is {found:o}");
        }
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let value = OsStr::from_bytes(b"k\xff\xfey-0123456789-abcdef");
    for name in ["ADMIN_API_TOKEN", "VOMEET_LISTEN", "VOMEET_DATABASE"] {
        for command in
            [&["serve", "--listen", "127.0.0.1:0"][..], &["config", "check"], &["config", "show"]]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let ended = Launch::new(folder.path(), command).env(name, value).run();
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(name) && !said.contains("0123456789"), "{name}: {said}");
        }
    }
    // What is no setting is nobody's business.
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Launch::new(folder.path(), &["config", "check"]).env("SOMETHING", value).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}
