//! Requests over TLS; what a client cannot speak with the server; handshakes that do not end.

use crate::cli::done;
use crate::client::{Client, Line, wait_for};
use crate::process::Launch;
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::wire::{Pair, connect, secure};
use serde_json::json;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, version};

const SILENT: &str = "VOMEET_HTTP_HEADER_SECONDS_MAX";

fn launch(folder: &Path, pair: &Pair) -> Launch {
    Launch::serve(folder).env("VOMEET_TLS_CERT", &pair.cert).env("VOMEET_TLS_KEY", &pair.key)
}

fn line(server: &Client, config: &Arc<ClientConfig>) -> Line {
    Line::secure(server.address, config).expect("a handshake")
}

/// A server in this process that speaks TLS, and what its clients trust.
fn server(setup: Setup) -> (Server, Arc<ClientConfig>) {
    let pair = Pair::new(setup.folder());
    let [cert, key] = [&pair.cert, &pair.key].map(|path| path.to_string_lossy().into_owned());
    let server = setup.set("VOMEET_TLS_CERT", &cert).set("VOMEET_TLS_KEY", &key).start();
    (server, Arc::new(pair.trusted()))
}

#[test]
fn requests_are_answered_in_both_versions() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let mut server = launch(folder.path(), &pair).start();
    let first = server.stdout.find("listens on").expect("a line");
    assert!(first.contains("listens on https://localhost:"), "{first}");
    for (version, expected) in
        [(&version::TLS13, ProtocolVersion::TLSv1_3), (&version::TLS12, ProtocolVersion::TLSv1_2)]
    {
        let mut config = pair.trusted_with(&[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = connect(server.address).expect("a connection");
        let stream = secure(stream, &Arc::new(config)).expect("a handshake");
        assert_eq!(stream.conn.protocol_version(), Some(expected));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    let mut line = line(&server, &Arc::new(pair.trusted()));
    let created = server.post("/admin/users").admin().json(&json!({ "email": "a@example.com" }));
    created.over(&mut line).expect("an answer").expect(201);
    // A long answer, and another after it on the same connection.
    let script = server.get("/docs/swagger-ui-bundle.js").over(&mut line).expect("an answer");
    assert_eq!(script.status, 200);
    assert!(script.body.len() > 500_000, "{}", script.body.len());
    assert!(script.header("strict-transport-security").is_none());
    let health = server.get("/healthz").over(&mut line).expect("an answer").expect(200);
    assert_eq!(health["server"]["users"], 1);
    server.terminate();
}

#[test]
fn plain_http_is_told_to_use_tls() {
    let (server, _) = server(Setup::new());
    let answer = server.raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("an answer");
    let (status, detail) = answer.refusal();
    assert_eq!((status, detail.contains("https://")), (400, true), "{answer:?}");
}

#[test]
fn what_no_client_should_speak_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let server = launch(folder.path(), &pair).start();
    let mut config = pair.trusted();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(server.address).expect("a connection");
    let refused = secure(stream, &Arc::new(config)).expect_err("HTTP/2 alone");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    for minor in [1, 2] {
        // TLS 1.0 is 3.1, TLS 1.1 is 3.2 (RFC 5246, appendix E).
        let mut hello = vec![3, minor];
        hello.extend([7; 32]);
        // One cipher, no compression, and the one extension that a hello must have.
        hello.extend([0, 0, 2, 0, 0x2f, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
        let length = u8::try_from(hello.len()).expect("a short hello");
        let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
        record.extend(hello);
        let mut stream = connect(server.address).expect("a connection");
        stream.write_all(&record).expect("sent");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("an end");
        assert_eq!(said[0], 21, "no alert: {said:?}");
        assert_eq!(said[5..], [2, 70], "not that of the version: {said:?}");
    }
    server.terminate();
}

/// A socket by TLS, opened by a page of the server itself.
#[test]
fn a_websocket_works_over_tls() {
    let mut token = String::new();
    let (server, config) = server(Setup::new().rows(|db| token = insert_token(db, 1, None)));
    let open = |origin: &str| {
        let call = server.get("/ws").user(&token).header("Upgrade", "websocket");
        let call = call.header("Connection", "Upgrade").header("Sec-WebSocket-Version", "13");
        let call = call.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let mut line = line(&server, &config);
        line.send(call.header("Origin", origin).bytes()).expect("sent");
        line
    };
    let mut stranger = open("https://evil.example");
    assert_eq!(stranger.answer(false).expect("an answer").status, 403);
    let mut own = open(&format!("https://{}", server.address));
    own.wait_for("101 Switching Protocols").expect("a switch");
    // A text frame with a mask of zeros (RFC 6455, section 5.2).
    let mut ping = vec![0x81, 0x91, 0, 0, 0, 0];
    ping.extend(br#"{"action":"ping"}"#);
    own.send(ping).expect("sent");
    own.wait_for("pong").expect("a pong");
}

#[test]
fn a_handshake_takes_no_longer_than_the_head_of_a_request_may() {
    let (server, config) = server(Setup::new().set(SILENT, "1"));
    let silent = Line::open(server.address).expect("a connection");
    let mut begun = Line::open(server.address).expect("a connection");
    begun.send([22, 3, 1, 2, 0, 1, 0]).expect("sent");
    let done = line(&server, &config);
    for (line, what) in [(silent, "silent"), (begun, "begun"), (done, "without a request")] {
        line.ended().unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    wait_for(|| (server.app.transport.connections.count() == 0).then_some(()));
}

/// Messages of a handshake are gathered until they are whole, and may be 64 KiB long.
#[test]
fn a_handshake_takes_little_memory() {
    let (server, _) = server(Setup::new());
    let mut line = Line::open(server.address).expect("a connection");
    // A hello of 60,000 bytes in records of 16,000, of which the last does not come.
    let mut first = vec![22, 3, 1, 0x3e, 0x80, 1, 0, 0xea, 0x60];
    first.extend([0; 15_996]);
    let mut next = vec![22, 3, 1, 0x3e, 0x80];
    next.extend([0; 16_000]);
    // The server may end it before all is sent.
    let _ = line.send(&first).and_then(|()| line.send(&next)).and_then(|()| line.send(&next));
    line.ended().expect("an end, long before the time is over");
}

#[test]
fn status_asks_over_tls_whoever_has_this_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let server = launch(folder.path(), &pair).start();
    let status = |pair: &Pair, more: &[&str]| {
        let mut arguments = vec!["status"];
        arguments.extend(more);
        Launch::new(folder.path(), &arguments)
            .env("VOMEET_TLS_CERT", &pair.cert)
            .env("VOMEET_TLS_KEY", &pair.key)
            .run()
    };
    let place = format!("https://localhost:{}", server.address.port());
    let listen = server.address.to_string();
    for more in [&[][..], &["--listen", &listen]] {
        let ended = status(&pair, more);
        assert!(ended.stdout.contains(&place), "{more:?}: {ended:?}");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    let another = Pair::new(elsewhere.path());
    let ended = status(&another, &["--listen", &listen]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("certificate"), "{ended:?}");
    server.terminate();
}

#[test]
fn the_link_of_open_is_one_of_https() {
    let folder = tempfile::tempdir().expect("a folder");
    Pair::new(folder.path());
    let toml = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(folder.path().join("vomeet.toml"), toml).expect("written");
    let server = Launch::serve(folder.path()).start();
    let printed = done(folder.path(), &["open", "--print"]);
    let console = format!("https://localhost:{}/console/#open=", server.address.port());
    assert!(printed.starts_with(&console), "{printed}");
    server.terminate();
}

#[test]
fn the_demo_bot_reports_to_a_server_that_speaks_tls() {
    let mut token = String::new();
    let setup = Setup::new().set("VOMEET_BOTS_RUNNER", "demo");
    let (server, config) = server(setup.rows(|db| token = insert_token(db, 1, None)));
    let mut line = line(&server, &config);
    let meeting = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
    let call = server.post("/bots").user(&token).json(&meeting);
    call.over(&mut line).expect("an answer").expect(201);
    wait_for(|| {
        let listed = server.get("/meetings").user(&token).over(&mut line).expect("an answer");
        (listed.expect(200)["meetings"][0]["status"] == "active").then_some(())
    });
}
