//! the rules of hardening, table "HTTP": what a request must look like, and what every answer
//! carries.

use crate::client::{ADMIN_KEY, Line, is_end};
use crate::process::Launch;
use crate::server::{Server, Setup};
use std::collections::HashSet;
use std::io;

const ONE_HOST: &str = "A request has exactly one Host header.";

const ONE_CODING: &str = "The only Transfer-Encoding is a single chunked.";

#[test]
fn there_is_exactly_one_host() {
    let server = Server::start();
    for (headers, detail) in [
        ("", ONE_HOST),
        ("Host: localhost\r\nHost: localhost\r\n", ONE_HOST),
        ("Host: localhost\r\nhost: evil.example\r\n", ONE_HOST),
        ("Host: evil.example\r\nHost: localhost\r\n", ONE_HOST),
        ("X-Host: localhost\r\n", ONE_HOST),
    ] {
        let answer = server.raw(format!("GET /healthz HTTP/1.1\r\n{headers}\r\n"));
        assert_eq!(answer.expect(headers).refusal(), (400, detail.to_owned()), "{headers:?}");
    }
}

/// Sends a request for `/healthz` with this Host.
fn with_host(server: &Server, target: &str, host: &str) -> u16 {
    let answer = server.raw(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    answer.map_or(0, |answer| answer.status)
}

#[test]
fn an_unknown_host_is_refused_on_loopback() {
    let server = Server::start();
    let port = server.address.port();
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]", 200),
        ("localhost:1", 200),
        ("[::1]:80", 200),
        (&format!("127.0.0.1:{port}"), 200),
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("localhost.evil.example", 421),
        ("evil.example/localhost", 421),
        ("evil.example#localhost", 421),
        ("localhost@evil.example", 421),
        ("localhost:80@evil.example", 421),
        ("evil.example localhost", 421),
        ("localhost, evil.example", 421),
        ("localhost.", 421),
        ("127.0.0.2", 421),
        ("127.1", 421),
        ("0.0.0.0", 421),
        ("[::ffff:127.0.0.1]", 421),
        ("[::1", 421),
        (":80", 421),
        ("", 421),
        ("localhost:x", 421),
    ] {
        assert_eq!(with_host(&server, "/", host), status, "Host: {host:?}");
    }
    for (target, host, status) in [
        ("http://localhost/", "evil.example", 200),
        ("http://evil.example/", "localhost", 421),
        ("http://user@localhost/", "localhost", 421),
        ("http://localhost:80@evil.example/", "localhost", 421),
    ] {
        let found = with_host(&server, target, host);
        assert!(found == status || (status == 421 && found == 400), "{target} for {host}: {found}");
    }
    let refused = server.raw("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").expect("an answer");
    assert!(refused.refusal().1.contains("http.allowed_hosts"), "{}", refused.text());
}

#[test]
fn further_hosts_can_be_allowed() {
    let setup = Setup::new().set("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com, Other.example");
    let server = setup.start();
    for (host, status) in [
        ("vomeet.example.com", 200),
        ("VOMEET.example.com:443", 200),
        ("other.example", 200),
        ("localhost", 200),
        ("example.com", 421),
        ("evil.vomeet.example.com", 421),
        ("vomeet.example.com.evil.example", 421),
    ] {
        assert_eq!(with_host(&server, "/", host), status, "Host: {host:?}");
    }
}

#[test]
fn a_server_that_others_reach_takes_any_host_unless_told() {
    let base = || Setup::new().set("VOMEET_LISTEN", "0.0.0.0:0");
    let any = base().start();
    assert_eq!(with_host(&any, "/healthz", "vomeet.example.com"), 200);
    let named = base().set("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com").start();
    assert_eq!(with_host(&named, "/healthz", "vomeet.example.com"), 200);
    assert_eq!(with_host(&named, "/", "evil.example"), 421);
}

const USER: &str = r#"{"email":"smuggled@example.com"}"#;

/// Everything that two servers in a row could read in two ways is refused, and the connection is
/// ended.
#[test]
fn nothing_can_be_smuggled() {
    let server = Server::start();
    let inner = format!(
        "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nContent-Length: {}\r\n\r\n{USER}",
        USER.len()
    );
    for framing in [
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding: \u{b}chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: 0, 5",
        "Content-Length: +0",
        "Content-Length: -0",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 99999999999999999999999",
        "Content-Length:",
        "Content-Length : 5",
        "Transfer-Encoding: chunked\r\n\r\n5 \r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x0",
        "Transfer-Encoding: chunked\r\n\r\n+0",
        "Transfer-Encoding: chunked\r\n\r\n0\n\n",
        "Transfer-Encoding: chunked\r\n\r\n0;\n\r\n",
    ] {
        let request = format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n0\r\n\r\n{inner}"
        );
        let mut line = server.line();
        let _ = line.send(&request);
        let first = line.answer(false);
        let said = line.ended().expect("the server ends the connection");
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("201 Created"), "{framing:?}: {first:?} {said}");
    }
    assert_eq!(server.counts(), (0, 0));
}

#[test]
fn the_only_coding_is_chunked_once() {
    let server = Server::start();
    for coding in ["identity, chunked", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
        let head = format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n"
        );
        let answer = server.raw(head).expect(coding);
        assert_eq!(answer.refusal(), (400, ONE_CODING.to_owned()), "{coding}");
        assert_eq!(answer.header("connection"), Some("close"), "{coding}");
    }
}

#[test]
fn both_lengths_at_once_are_refused() {
    let server = Server::start();
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let head = format!("GET /user HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n0\r\n\r\n");
        let mut line = server.line();
        line.send(head).expect("sent");
        let answer = line.answer(false).expect("an answer");
        assert!([400, 403].contains(&answer.status), "{framing:?}: {}", answer.status);
        line.ended().expect("the end");
    }
}

#[test]
fn a_connection_with_an_unread_body_ends() {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user).text;
    for (head, status) in [
        ("GET /nowhere", 404),
        ("PUT /user", 405),
        ("GET /healthz", 200),
        ("GET /user", 403),
        ("POST /admin/users", 403),
    ] {
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nGET /user HTTP/1.1\r\nX-API-Key: {token}\r\n\r\n"
        );
        let mut line = server.line();
        line.send(request).expect("sent");
        let answer = line.answer(false).expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{head}");
        assert_eq!(line.ended().expect("the end"), b"", "{head}: the body was read as a request");
    }
    // A body that was read leaves the connection open.
    let mut line = server.line();
    for _ in 0..3 {
        let call = server.post("/admin/users").admin().body(USER);
        let answer = call.over(&mut line).expect("an answer");
        assert!(answer.status < 300 && answer.header("connection").is_none(), "{answer:?}");
    }
}

#[test]
fn request_ids_are_taken_or_made() {
    let server = Server::start();
    let longest = "a".repeat(64);
    let id = |sent: Option<&[u8]>| {
        let call = server.get("/healthz");
        let call = sent.map_or(server.get("/healthz"), |id| call.header("X-Request-Id", id));
        call.send().header("x-request-id").expect("an id").to_owned()
    };
    for sent in ["a", "0-9._Z", "f47ac10b-58cc-4372-a567-0e02b2c3d479", &longest] {
        assert_eq!(id(Some(sent.as_bytes())), sent);
    }
    let mut made = HashSet::new();
    let too_long = "a".repeat(65);
    let refused: [&[u8]; 8] =
        [b"", b"a b", b"a\tb", b"\xff", b"<script>", "é".as_bytes(), b"a\"b", too_long.as_bytes()];
    for sent in refused.into_iter().map(Some).chain([None, None, None]) {
        let id = id(sent);
        assert!(
            id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{sent:?}: {id}"
        );
        assert!(made.insert(id), "{sent:?}: an id came twice");
    }
    for answer in [
        server.get("/nowhere").send(),
        server.get("/user").send(),
        server.call("PUT", "/user").send(),
    ] {
        assert!(answer.header("x-request-id").is_some(), "{answer:?}");
    }
}

#[test]
fn every_answer_has_the_headers_that_protect_it() {
    let server = Server::start();
    for call in [
        server.get("/"),
        server.get("/healthz"),
        server.get("/docs"),
        server.get("/docs/start.js"),
        server.get("/docs/swagger-ui-bundle.js"),
        server.get("/openapi.json"),
        server.get("/metrics"),
        server.get("/nowhere"),
        server.call("PUT", "/"),
        server.get("/user"),
        server.get("/admin/users").admin(),
        server.post("/admin/users").admin().body("{"),
    ] {
        let answer = call.send();
        // What a browser might take for something else than it is; JSON is only ever JSON.
        if answer.header("cache-control") != Some("no-store") {
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        }
        assert!(answer.header("access-control-allow-origin").is_none(), "{answer:?}");
        assert!(answer.header("server").is_none(), "{answer:?}");
        if answer.header("content-type") == Some("application/json")
            && answer.header("cache-control") != Some("no-cache")
        {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut line = server.line();
    let paths = ["/healthz", "/nowhere", "/", "/user", "/openapi.json", "/healthz"];
    let all: Vec<u8> = paths.iter().flat_map(|path| server.get(*path).bytes()).collect();
    line.send(all).expect("sent");
    let statuses = paths.map(|_| line.answer(false).expect("an answer").status);
    assert_eq!(statuses, [200, 404, 200, 403, 200, 200]);
}

#[test]
fn http_1_0_and_stranger_versions() {
    let server = Server::start();
    let old = server.raw("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("HTTP/1.0");
    assert_eq!(old.status, 200);
    for request in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n",
        "GET /\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "hello\r\n\r\n",
        "\r\n\r\n\r\n\r\nGET\r\n\r\n",
    ] {
        let mut line: Line = server.line();
        line.send(request).expect("sent");
        line.stream().shutdown(std::net::Shutdown::Write).expect("half closed");
        let answer: io::Result<u16> = line.answer(false).map(|answer| answer.status);
        match answer {
            Ok(status) => assert!([400, 421, 505].contains(&status), "{request:?}: {status}"),
            Err(error) => assert!(is_end(&error), "{request:?}: {error}"),
        }
    }
    assert_eq!(server.get("/healthz").send().status, 200);
}

#[test]
fn the_access_log_tells_the_route_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).start();
    let user = server.new_user("someone@example.com");
    let token = server.new_token(user).text;
    let id = |call: crate::client::Call, id: &str| call.header("X-Request-Id", id).send();
    id(server.get("/admin/users?q=query-secret").admin(), "list-1");
    id(server.get("/admin/users/email/someone@example.com").admin(), "mail-1");
    id(server.get("/meetings").user(&token), "user-1");
    id(server.get(format!("/{token}?x={token}")), "lost-1");
    for (id, wanted) in [
        ("list-1", "GET /admin/users 200 "),
        ("mail-1", "GET /admin/users/email/{email} 200 "),
        ("user-1", "GET /meetings 200 "),
        ("lost-1", "GET - 404 "),
    ] {
        let line =
            server.stderr.find(&format!("id={id} ")).unwrap_or_else(|| panic!("no line for {id}"));
        assert!(
            line.contains(wanted) && line.contains("us ") && line.contains("from=127.0.0.1:"),
            "{line}"
        );
    }
    let log = server.terminate().stderr;
    for secret in ["query-secret", "someone@", &token, "token="] {
        assert!(!log.contains(secret), "{secret} in the log:\n{log}");
    }
}
