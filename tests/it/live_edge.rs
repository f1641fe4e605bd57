//! The live feed's sockets as connections: how they open, how many there may be, how they end.

use crate::client::{Answer, Client, Line, wait_for};
use crate::live::{MEET, prepare, send_bot};
use crate::process::Launch;
use crate::server::{Server, Setup};
use crate::watcher::{Received, Watcher};
use rustix::process::Signal;
use serde_json::json;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What RFC 6455 says of that key, in section 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const RIGHT: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";

fn request(method: &str, version: &str, headers: &str) -> String {
    format!("{method} /ws HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n")
}

fn with_key(headers: &str) -> String {
    format!("{headers}Sec-WebSocket-Key: {KEY}\r\n")
}

/// Opens a socket by hand and leaves what follows to the caller.
fn by_hand(server: &Client, token: &str) -> Line {
    let mut line = server.line();
    let headers = with_key(RIGHT) + &format!("X-API-Key: {token}\r\n");
    line.send(request("GET", "1.1", &headers)).expect("sent");
    line.wait_for("\r\n\r\n").expect("a head");
    line
}

fn hints(answer: &Answer) -> [Option<&str>; 3] {
    ["upgrade", "connection", "sec-websocket-version"].map(|name| answer.header(name))
}

#[test]
fn a_handshake_is_whole_or_it_is_refused() {
    let server = Server::start();
    let no_socket = "This route speaks WebSocket; send an upgrade request (RFC 6455).";
    let bad_key = "A Sec-WebSocket-Key is 16 bytes in base64, and there is one.";
    for (headers, status, detail) in [
        (String::new(), 426, no_socket),
        (format!("Sec-WebSocket-Key: {KEY}\r\n"), 426, no_socket),
        (with_key("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), 426, no_socket),
        (with_key("Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"), 426, no_socket),
        (
            with_key("Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"),
            426,
            no_socket,
        ),
        (with_key("Upgrade: websocket\r\nConnection: Upgrade\r\n"), 426, no_socket),
        (
            with_key("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"),
            426,
            no_socket,
        ),
        (
            with_key(
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13, 8\r\n",
            ),
            426,
            no_socket,
        ),
        (with_key(RIGHT) + "Sec-WebSocket-Version: 13\r\n", 426, no_socket),
        (with_key(RIGHT) + "Content-Length: 1\r\n", 426, no_socket),
        (RIGHT.to_owned(), 400, bad_key),
        (format!("{RIGHT}Sec-WebSocket-Key: \r\n"), 400, bad_key),
        (format!("{RIGHT}Sec-WebSocket-Key: x\r\n"), 400, bad_key),
        (format!("{RIGHT}Sec-WebSocket-Key: {}\r\n", KEY.replace("==", "=A")), 400, bad_key),
        (format!("{RIGHT}Sec-WebSocket-Key: {}\r\n", KEY.replace('G', "*")), 400, bad_key),
        (with_key(&with_key(RIGHT)), 400, bad_key),
    ] {
        let answer = server.raw(request("GET", "1.1", &headers)).expect("an answer");
        assert_eq!(answer.refusal(), (status, detail.to_owned()), "{headers}");
        let wanted = if status == 426 {
            [Some("websocket"), Some("upgrade"), Some("13")]
        } else {
            [None; 3]
        };
        if !headers.contains("Content-Length") {
            assert_eq!(hints(&answer), wanted, "{headers}");
        }
    }
    let old = server.raw(request("GET", "1.0", &with_key(RIGHT))).expect("an answer");
    assert_eq!(old.status, 426, "HTTP/1.0");
    let post = server.raw(request("POST", "1.1", &with_key(RIGHT))).expect("an answer");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    let strange = with_key(
        "upgrade: foo, WebSocket\r\nconnection: keep-alive, UPGRADE\r\nsec-websocket-version: 13\r\n",
    );
    for headers in [with_key(RIGHT), strange] {
        let mut line = server.line();
        line.send(request("GET", "1.1", &headers)).expect("sent");
        line.wait_for("HTTP/1.1 101 ").expect("101");
        line.wait_for(&format!("sec-websocket-accept: {ACCEPT}\r\n")).expect("the key");
    }
}

#[test]
fn head_is_no_socket() {
    let server = Server::start();
    for headers in [String::new(), with_key(RIGHT)] {
        let mut line = server.line();
        line.send(request("HEAD", "1.1", &headers)).expect("sent");
        let answer = line.answer(true).expect("an answer");
        assert_eq!((answer.status, answer.header("upgrade")), (426, Some("websocket")));
        // The connection is what it was.
        assert_eq!(server.get("/healthz").over(&mut line).expect("an answer").status, 200);
    }
}

#[test]
fn other_routes_do_not_switch() {
    let server = Server::start();
    let mut line = server.line();
    for _ in 0..2 {
        line.send(request("GET", "1.1", &with_key(RIGHT)).replace("/ws", "/healthz"))
            .expect("sent");
        assert_eq!(line.answer(false).expect("an answer").status, 200);
    }
    line.send(request("GET", "1.1", &RIGHT.replace("13", "7"))).expect("sent");
    assert_eq!(line.answer(false).expect("an answer").status, 426);
    assert_eq!(server.get("/healthz").over(&mut line).expect("an answer").status, 200);
}

#[test]
fn frames_that_are_none_end_their_own_socket() {
    let (server, [one, _]) = prepare(Setup::new());
    let mut bystander = Watcher::open(&server, &one);
    for (name, frame, code) in [
        ("unmasked", vec![0x81, 1, b'x'], 1002_u16),
        ("binary", vec![0x82, 0x81, 0, 0, 0, 0, b'x'], 1003),
        ("no UTF-8", vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        ("too long", [&[0x81, 0xff][..], &70_000_u64.to_be_bytes(), &[0; 4]].concat(), 1009),
        ("fragmented ping", vec![0x09, 0x80, 0, 0, 0, 0], 1002),
        ("HTTP", b"GET /user HTTP/1.1\r\n\r\n".to_vec(), 1002),
    ] {
        let mut line = by_hand(&server, &one);
        line.send(frame).expect("sent");
        let said = line.ended().expect("the end");
        assert_eq!(said.first(), Some(&0x88), "{name}: {said:?}");
        assert_eq!(said.get(2..4), Some(&code.to_be_bytes()[..]), "{name}: {said:?}");
    }
    bystander.expect_nothing();
}

#[test]
fn there_are_only_so_many_sockets() {
    let (server, [one, two]) = prepare(Setup::new().set("VOMEET_LIVE_SOCKETS_MAX", "2"));
    let mut open = [Watcher::open(&server, &one), Watcher::open(&server, &two)];
    let headers = with_key(RIGHT) + &format!("X-API-Key: {one}\r\n");
    let full = server.raw(request("GET", "1.1", &headers)).expect("an answer");
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    // Whoever is only to be refused takes the place of nobody.
    let mut refused = Watcher::with(&server, "/ws", &[b"wrong"]);
    assert_eq!(refused.json()["error"], "invalid_api_key");
    open.iter_mut().for_each(Watcher::expect_nothing);
    let [first, _second] = open;
    drop(first);
    wait_for(|| (server.app.transport.budgets.sockets.used() == 1).then_some(()));
    Watcher::open(&server, &one).expect_nothing();
}

#[test]
fn a_client_that_closes_is_answered() {
    let (server, [one, _]) = prepare(Setup::new());
    let mut line = by_hand(&server, &one);
    line.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).expect("sent");
    assert_eq!(line.ended().expect("the end"), [0x88, 2, 0x03, 0xe8]);
}

#[test]
fn a_server_that_stops_says_so() {
    let (mut server, [one, _]) = prepare(Setup::new());
    let meeting = ("google_meet", "aaa-aaaa-aaa");
    send_bot(&server.app, 1, meeting.1);
    let mut watchers: Vec<Watcher> = (0..20).map(|_| Watcher::open(&server, &one)).collect();
    for watcher in &mut watchers {
        watcher.subscribe(&[meeting]);
    }
    // One that does not answer must not hold up the end for long.
    let silent = by_hand(&server, &one);
    server.ask_to_stop();
    for watcher in &mut watchers {
        assert_eq!(watcher.receive(), Received::Closed(1001));
    }
    let said = silent.ended().expect("the end");
    assert_eq!(said.get(..4), Some(&[0x88, 18, 0x03, 0xe9][..]), "{said:?}");
}

#[test]
fn a_process_that_stops_closes_its_sockets_and_logs_no_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).env("VOMEET_LOG", "trace").start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user).text;
    let mut watcher = Watcher::with(&server, &format!("/ws?api_key={token}"), &[]);
    watcher.say(
        json!({"action": "subscribe", "meetings": [{"platform": MEET, "native_id": "private-words"}]}).to_string(),
    );
    assert_eq!(watcher.json()["details"][0]["reason"], "no such meeting");
    assert_eq!(watcher.json()["type"], "subscribed");
    let wrong = format!("/ws?api_key={}", token.replace(&token[..1], "_"));
    assert_eq!(Watcher::with(&server, &wrong, &[]).json()["error"], "invalid_api_key");
    assert!(server.stderr.find("GET /ws 101 ").is_some(), "no access line");
    server.signal(Signal::TERM);
    assert_eq!(watcher.receive(), Received::Closed(1001));
    let ended = server.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    for secret in [&token[1..12], "private-words"] {
        assert!(!ended.stderr.contains(secret), "{secret}: {}", ended.stderr);
    }
}

#[test]
fn sockets_and_connections_share_the_files_that_may_be_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let few = ["-c", "ulimit -n 364; exec \"$@\"", "sh"];
    let mut server = Launch::under("sh", &few, folder.path()).start();
    let warned = server.stderr.find("only 364 files may be open: at most").expect("a warning");
    assert!(warned.contains("at most 200 connections and 100 live sockets"), "{warned}");
    server.terminate();
}
