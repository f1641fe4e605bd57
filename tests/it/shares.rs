//! The share of one caller: bodies, long responses, live sockets, and places for connections. Who
//! has used up their share waits or is refused, and nobody else is.

use crate::client::{Answer, Line, wait_for};
use crate::live;
use crate::segments::insert_session;
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::transcripts::insert_segments;
use crate::watcher::Watcher;
use serde_json::json;
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

const CALLBACKS: &str = "/bots/internal/callback";

#[test]
fn idle_newcomers_cut_no_upload() {
    let server = Setup::new().set("VOMEET_HTTP_CONNECTIONS_MAX", "16").start();
    let body = |n: usize| format!(r#"{{"email":"upload{n}@example.com"}}"#);
    let mut uploads: Vec<Line> = Vec::new();
    for n in 0..8 {
        let body = body(n);
        let call = server.post("/admin/users").admin().header("Expect", "100-continue");
        let mut line = server.line();
        let bytes = call.body(body.as_str()).bytes();
        line.send(&bytes[..bytes.len() - body.len()]).expect("sent");
        line.wait_for("100 Continue\r\n\r\n").expect("a handler that reads");
        uploads.push(line);
    }
    let mut idle: Vec<Line> = Vec::new();
    for _ in 0..100 {
        idle.push(server.line());
    }
    wait_for(|| (server.app.transport.connections.evicted() >= 92).then_some(()));
    for (n, line) in uploads.iter_mut().enumerate() {
        line.send(body(n)).expect("sent");
        assert_eq!(line.answer(false).expect("an answer").status, 201, "upload {n}");
    }
}

#[test]
fn a_body_without_a_key_is_short_unless_it_may_carry_a_log() {
    let server = Server::start();
    let report = |length: usize| {
        let filling = json!({"connection_id": "unknown", "container_id": "c", "exit_code": 0,
            "status": "joining", "bot_logs": ["x".repeat(length)]});
        filling.to_string()
    };
    for (path, length, status) in [
        ("joining", 15_000, 200),
        ("joining", 17_000, 413),
        ("started", 17_000, 413),
        ("awaiting_admission", 60_000, 413),
        ("status_change", 1_000_000, 200),
        ("status_change", 1_100_000, 413),
        ("exited", 1_000_000, 200),
        ("exited", 1_100_000, 413),
    ] {
        let call = server.post(format!("{CALLBACKS}/{path}")).body(report(length));
        assert_eq!(call.send().status, status, "{path} with {length} bytes");
    }
}

/// Anybody can announce bodies without a key, and send nothing of them.
#[test]
fn announced_bodies_without_a_key_keep_nobody_with_one_waiting() {
    let mut token = String::new();
    let setup = Setup::new().set("VOMEET_HTTP_BODY_SECONDS_MAX", "600").rows(|db| {
        token = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
    });
    let server = setup.start();
    let mut silent = Vec::new();
    for last in 2..6 {
        for (path, length, count) in [("exited", 1_048_576, 6), ("joining", 16_384, 110)] {
            for _ in 0..count {
                let call = server.post(format!("{CALLBACKS}/{path}"));
                let head = call.header("Content-Length", length.to_string()).bytes();
                let mut stream = connection_from(&server, last);
                std::io::Write::write_all(&mut stream, &head).expect("sent");
                silent.push(stream);
            }
        }
    }
    let bodies = &server.app.transport.budgets.bodies;
    // All that is for short ones of them, and some have waited in vain.
    wait_for(|| (bodies.used() > 2_000_000 && bodies.refused() > 0).then_some(()));
    let filling = "x".repeat(60_000);
    for n in 0..3 {
        let notes = json!({"data": {"notes": n.to_string()}, "filling": filling});
        let call = server.patch("/meetings/google_meet/abc-defg-hij").user(&token).json(&notes);
        call.send().expect(200);
        let user = json!({"email": format!("new{n}@example.com"), "filling": filling});
        server.post("/admin/users").admin().json(&user).send().expect(201);
    }
    drop(silent);
    wait_for(|| (bodies.used() == 0).then_some(()));
}

/// A connection from an address of this machine.
fn connection_from(server: &Server, last: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(&SockAddr::from(from)).expect("an address of this machine");
    socket.connect(&SockAddr::from(server.address)).expect("a connection");
    socket.into()
}

/// A body that is longer than a caller's share has the whole share, and does not wait for itself.
#[test]
fn a_body_that_is_longer_than_a_share_is_read() {
    let mut token = String::new();
    let setup = Setup::new().set("VOMEET_HTTP_BODY_BYTES_MAX", "16777216");
    let setup = setup.rows(|db| {
        token = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
    });
    let server = setup.start();
    let body = json!({"data": {"name": "long"}, "filling": "x".repeat(9_000_000)});
    let call = server.patch("/meetings/google_meet/abc-defg-hij").user(&token).json(&body);
    call.send().expect(200);
    let bodies = &server.app.transport.budgets.bodies;
    wait_for(|| (bodies.used() == 0).then_some(()));
}

/// A connection that can take hardly anything.
fn narrow(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(&SockAddr::from(server.address)).expect("a connection");
    socket.into()
}

fn assert_busy(answer: &Answer) {
    let busy = (503, "The server is busy. Try again in a second.".to_owned());
    assert_eq!((answer.refusal(), answer.header("retry-after")), (busy, Some("1")), "{answer:?}");
}

#[test]
fn a_token_has_four_long_responses_and_the_others_have_theirs() {
    const PATH: &str = "/transcripts/google_meet/abc-defg-hij";
    let mut tokens = Vec::new();
    let setup = Setup::new().rows(|db| {
        tokens = vec![insert_token(db, 1, None), insert_token(db, 1, None)];
        insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, 20_000, &"long ".repeat(100));
        insert_session(db, 1, "abc-defg-hik");
    });
    let server = setup.start();
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut stream = narrow(&server);
        let ask = server.get(PATH).user(&tokens[0]).bytes();
        std::io::Write::write_all(&mut stream, &ask).expect("sent");
        stalled.push(stream);
    }
    let budgets = &server.app.transport.budgets;
    wait_for(|| (budgets.long_responses.used() == 4).then_some(()));
    assert_busy(&server.get(PATH).user(&tokens[0]).send());
    assert!(budgets.refused() > 0);
    // What is short needs no permit, and another token has its own.
    server.get("/transcripts/google_meet/abc-defg-hik").user(&tokens[0]).send().expect(200);
    server.get(PATH).user(&tokens[1]).send().expect(200);
    drop(stalled);
    wait_for(|| (budgets.long_responses.used() == 0).then_some(()));
    wait_for(|| (budgets.responses.used() == 0).then_some(()));
    server.get(PATH).user(&tokens[0]).send().expect(200);
}

#[test]
fn a_user_has_a_share_of_the_live_sockets() {
    let setup = Setup::new().set("VOMEET_LIVE_SOCKETS_MAX", "6");
    let (server, [one, two]) = live::prepare(setup.set("VOMEET_LIVE_SOCKETS_MAX_USER", "4"));
    let mut sockets: Vec<_> = (0..4).map(|_| Watcher::open(&server, &one)).collect();
    let handshake = |token: &str| {
        let call = server.get(format!("/ws?api_key={token}")).header("Upgrade", "websocket");
        let call = call.header("Connection", "Upgrade").header("Sec-WebSocket-Version", "13");
        call.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").send()
    };
    assert_busy(&handshake(&one));
    sockets.push(Watcher::open(&server, &two));
    sockets.push(Watcher::open(&server, &two));
    assert_busy(&handshake(&two));
    for socket in &mut sockets {
        socket.expect_nothing();
    }
}
