//! Who reaches the private socket, and the database where no server runs; what they may do there.

use crate::cli::{done, refused, vomeet};
use crate::client::{Answer, PATIENCE};
use crate::process::{BINARY, Launch};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Somebody without any rights.
const NOBODY: u32 = 65_534;

pub fn socket_of(folder: &Path) -> PathBuf {
    folder.join("vomeet.db.sock")
}

/// Permissions and kind of the socket.
pub fn mode_of(socket: &Path) -> u32 {
    let meta = fs::symlink_metadata(socket).expect("a socket");
    assert!(meta.file_type().is_socket());
    meta.mode() & 0o7777
}

/// Sends a request over the private socket and reads to the end of the connection: the status and
/// the body.
pub fn ask(socket: &Path, head: &str) -> io::Result<(u16, Value)> {
    let answer = ask_whole(socket, &format!("{head}\r\nConnection: close\r\n\r\n"))?;
    Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
}

/// Sends a whole request over the private socket, of which the connection ends with its answer.
pub fn ask_whole(socket: &Path, request: &str) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok(Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    assert_eq!(mode_of(&socket_of(folder.path())), 0o600);
    server.terminate();
    assert!(!fs::exists(socket_of(folder.path())).expect("a folder"), "it was left");
}

#[test]
fn a_group_that_is_named_may_use_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let gid = rustix::process::getegid().as_raw();
    let server = Launch::serve(folder.path()).env("VOMEET_SOCKET_GROUP", gid.to_string()).start();
    let socket = socket_of(folder.path());
    assert_eq!((mode_of(&socket), fs::metadata(&socket).expect("a socket").gid()), (0o660, gid));
    server.terminate();
    for launch in [Launch::serve(folder.path()), Launch::new(folder.path(), &["config", "check"])] {
        let ended = launch.env("VOMEET_SOCKET_GROUP", "no-such-group").run();
        assert_eq!(ended.status.code(), Some(10), "{ended:?}");
        assert!(
            ended.stderr.contains("no-such-group") && ended.stderr.contains("socket_group"),
            "{ended:?}"
        );
    }
}

/// Whether other users of the machine can be played here, and get as far as the folder.
pub fn others_can_come(folder: &Path) -> bool {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("a folder of ours");
    let comes = || Launch::as_user(NOBODY, NOBODY, folder, &["--version"]).run().status.success();
    let can = rustix::process::geteuid().is_root() && comes();
    if !can {
        eprintln!("not tested: needs root, setpriv, and a way to {BINARY} for everybody");
    }
    can
}

#[test]
fn another_user_is_told_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    if !others_can_come(folder.path()) {
        return;
    }
    let as_nobody =
        |gid, arguments: &[&str]| Launch::as_user(NOBODY, gid, folder.path(), arguments).run();
    done(folder.path(), &["user", "add", "ada@example.com"]);
    let ended = as_nobody(NOBODY, &["user", "list"]);
    assert!(
        ended.status.code() == Some(8) && ended.stderr.contains("vomeet.db;"),
        "without a server: {ended:?}"
    );
    let server = Launch::serve(folder.path()).start();
    let ended = as_nobody(NOBODY, &["user", "list"]);
    assert!(ended.status.code() == Some(8) && ended.stderr.contains("vomeet.db.sock"), "{ended:?}");
    assert!(ended.stderr.contains("socket_group") && ended.stdout.is_empty(), "{ended:?}");
    server.terminate();

    let mut server = Launch::serve(folder.path()).env("VOMEET_SOCKET_GROUP", "54321").start();
    assert_eq!(as_nobody(NOBODY, &["user", "list"]).status.code(), Some(8), "not of the group");
    let ended = as_nobody(54_321, &["user", "list"]);
    assert!(
        ended.status.success() && ended.stdout.contains("ada@example.com"),
        "of the group: {ended:?}"
    );
    assert!(
        server
            .stderr
            .find("from=local:nobody")
            .is_some_and(|line| line.contains("GET /admin/users 200"))
    );
    server.terminate();
}

#[test]
fn files_that_root_makes_belong_to_whom_the_folder_belongs() {
    let folder = tempfile::tempdir().expect("a folder");
    if !others_can_come(folder.path()) {
        return;
    }
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root");
    done(folder.path(), &["user", "add", "ada@example.com"]);
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("a file").uid(), NOBODY, "{entry:?}");
    }
    let listed = Launch::as_user(NOBODY, NOBODY, folder.path(), &["user", "list"]).run();
    assert!(listed.status.success() && listed.stdout.contains("ada@example.com"), "{listed:?}");
}

#[test]
fn the_socket_opens_the_doors_of_administrators_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).start();
    let socket = socket_of(folder.path());
    let ask = |request: &str| ask(&socket, request).expect("an answer");
    let refusal = |status, detail: &str| (status, json!({ "detail": detail }));
    let said = |(status, body): (u16, Value)| (status, body["detail"].clone());
    assert_eq!(ask("GET /admin/users HTTP/1.1\r\nHost: any.example.com"), (200, json!([])));
    assert_eq!(
        ask("GET /admin/users HTTP/1.1\r\nHost: x\r\nX-Admin-API-Key: wrong"),
        (200, json!([]))
    );
    assert_eq!(
        said(ask("GET /user HTTP/1.1\r\nHost: x")),
        (403, json!("Missing API token (X-API-Key header)"))
    );
    assert_eq!(ask("GET /user HTTP/1.1\r\nHost: x\r\nX-API-Key: token").0, 403);
    assert_eq!(
        said(ask("POST /bots/internal/segments HTTP/1.1\r\nHost: x\r\nContent-Length: 0")),
        (401, json!("Invalid bot token"))
    );
    assert_eq!(ask("GET /nothing HTTP/1.1\r\nHost: x"), refusal(404, "Not Found"));
    assert_eq!(ask("GET /admin/users HTTP/1.1").0, 400, "HTTP's rules hold here too");
    assert_eq!(
        ask("GET /healthz HTTP/1.1\r\nHost: x").1["server"]["users"],
        0,
        "it is on this machine"
    );
    let name = done(folder.path(), &["user", "list"]);
    assert!(name.starts_with("ID"));
    let me = vomeet::http::peer::user_name(rustix::process::getuid().as_raw());
    assert!(server.stderr.find(&format!("from=local:{me}")).is_some());
    // The network opens nothing more than before.
    assert_eq!(server.get("/admin/users").send().status, 403);
}

#[test]
fn a_server_that_was_killed_leaves_the_way_to_the_file_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    done(folder.path(), &["user", "add", "ada@example.com"]);
    server.kill();
    let socket = socket_of(folder.path());
    assert!(fs::exists(&socket).expect("a folder"), "the test itself: a socket that nobody serves");
    assert!(done(folder.path(), &["user", "list"]).contains("ada@example.com"));
    let server = Launch::serve(folder.path()).start();
    assert_eq!(mode_of(&socket), 0o600);
    assert!(done(folder.path(), &["user", "list"]).contains("ada@example.com"));
    server.terminate();
    assert!(!fs::exists(&socket).expect("a folder"));
}

#[test]
fn a_second_server_leaves_the_socket_of_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    assert_eq!(Launch::serve(folder.path()).run().status.code(), Some(13));
    done(folder.path(), &["user", "list"]);
    // Another database, the same socket.
    let ended = Launch::serve(folder.path())
        .args(&["--database", "other.db", "--socket", "vomeet.db.sock"])
        .run();
    assert_eq!(ended.status.code(), Some(12), "{ended:?}");
    assert!(ended.stderr.contains("another program answers there"), "{ended:?}");
    done(folder.path(), &["user", "list"]);
    server.terminate();
}

#[test]
fn a_server_whose_socket_lies_elsewhere_is_found_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).args(&["--socket", "run.sock"]).start();
    let began = Instant::now();
    let (code, said) = refused(folder.path(), &["user", "list"]);
    assert!(code == 13 && said.contains("--socket"), "{code} {said}");
    assert!(began.elapsed() > Duration::from_secs(4), "a server that starts is not waited for");
    done(folder.path(), &["user", "list", "--socket", "run.sock"]);
    assert!(
        Launch::new(folder.path(), &["user", "list"])
            .env("VOMEET_SOCKET", "run.sock")
            .run()
            .status
            .success()
    );
    server.terminate();
    assert!(vomeet(folder.path(), &["user", "add", "ada@example.com"]).status.success());
}
