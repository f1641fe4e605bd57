//! the rules of hardening, table "HTTP": limits in size, time and number, and how connections end.

use crate::client::{ADMIN_KEY, Line, PATIENCE, is_end, wait_for};
use crate::server::{Server, Setup};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Lets this many seconds pass, as connections count them; their limits are 600 s.
fn pass(server: &Server, seconds: u32) {
    (0..seconds).for_each(|_| server.app.transport.connections.tick());
}

#[test]
fn a_head_has_a_longest_length() {
    let server = Server::start();
    let head = |bytes: usize| {
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(bytes))
    };
    assert_eq!(server.raw(head(8000)).expect("an answer").status, 200);
    for bytes in [16 * 1024, 20_000, 400_000, 4_000_000] {
        match server.raw(head(bytes)) {
            Ok(answer) => assert_eq!(answer.status, 431, "{bytes} bytes"),
            Err(error) => assert!(is_end(&error) && bytes > 20_000, "{bytes} bytes: {error}"),
        }
    }
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000));
    let status = server.raw(long_target).expect("an answer").status;
    assert!([414, 431].contains(&status), "a long target: {status}");
}

#[test]
fn a_head_has_a_largest_number_of_headers() {
    let server = Server::start();
    for (count, status) in [(10, 200), (63, 200), (64, 431), (65, 431), (500, 431), (1500, 431)] {
        let headers: Vec<String> = (0..count).map(|n| format!("X-{n}: y\r\n")).collect();
        let answer = server
            .raw(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", headers.concat()));
        assert_eq!(answer.expect("an answer").status, status, "{count} headers and Host");
    }
}

#[test]
fn an_unfinished_head_is_ended() {
    let server = Server::start();
    let begun = [
        "",
        "G",
        "GET /user HTTP/1.1\r\n",
        "GET /user HTTP/1.1\r\nHost: localhost\r\n",
        "GET /user HTTP/1.1\r\nHost: localhost\r\nX: ",
    ];
    let open = |begun: &&str| {
        let mut line = server.line();
        line.send(begun).expect("sent");
        line
    };
    let lines: Vec<Line> = begun.iter().map(open).collect();
    wait_for(|| (server.app.transport.connections.count() == lines.len()).then_some(()));
    pass(&server, 500);
    assert_eq!(server.app.transport.connections.count(), lines.len(), "there was time left");
    pass(&server, 102);
    for (line, begun) in lines.into_iter().zip(begun) {
        line.ended()
            .unwrap_or_else(|error| panic!("{begun:?}: the server does not end it: {error}"));
    }
}

#[test]
fn a_head_that_trickles_is_ended_all_the_same() {
    let server = Server::start();
    let mut line = server.line();
    line.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ").expect("sent");
    wait_for(|| (server.app.transport.connections.count() == 1).then_some(()));
    for _ in 0..602 {
        pass(&server, 1);
        if line.send("x").is_err() {
            break;
        }
    }
    line.ended().expect("each byte gives it another second");
}

#[test]
fn an_idle_connection_is_ended() {
    let server = Server::start();
    let mut line = server.line();
    assert_eq!(server.get("/healthz").over(&mut line).expect("an answer").status, 200);
    // It is idle from the moment on when its answer has left, which may be a little later than we
    // have it.
    wait_for(|| {
        pass(&server, 602);
        (server.app.transport.connections.count() == 0).then_some(())
    });
    line.ended().expect("the server ends it");
}

#[test]
fn a_body_that_does_not_come_is_408() {
    let server = Setup::new().set("VOMEET_HTTP_BODY_SECONDS_MAX", "1").start();
    let bodies = [
        "Content-Length: 50\r\n\r\n",
        "Content-Length: 50\r\n\r\n{\"email\":",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"em",
    ];
    let open = |body: &&str| {
        let head = format!(
            "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\n"
        );
        let mut line = server.line();
        line.send(format!("{head}{body}")).expect("sent");
        line
    };
    let lines: Vec<Line> = bodies.iter().map(open).collect();
    for (mut line, body) in lines.into_iter().zip(bodies) {
        let answer = line.answer(false).expect("an answer");
        assert_eq!(
            answer.refusal(),
            (408, "The body did not arrive in time.".to_owned()),
            "{body:?}"
        );
        assert_eq!(answer.header("connection"), Some("close"), "{body:?}");
        line.ended().expect("the server ends it");
    }
    assert_eq!(server.counts(), (0, 0));
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let server = Server::start();
    let whole = r#"{"email":"broken@example.com"}"#;
    for cut in [0, 1, 10, whole.len()] {
        let mut line = server.line();
        let head = format!(
            "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nContent-Length: {}\r\n\r\n",
            whole.len() + 1
        );
        line.send(head + &whole[..cut]).expect("sent");
        line.stream().shutdown(std::net::Shutdown::Write).expect("half closed");
        match line.answer(false) {
            Ok(answer) => assert_eq!(answer.status, 400, "cut at {cut}"),
            Err(error) => assert!(is_end(&error), "cut at {cut}: {error}"),
        }
    }
    assert_eq!(server.counts(), (0, 0));
}

#[test]
fn a_client_that_sends_everything_first_still_learns_why_not() {
    let server = Server::start();
    for (path, length, status) in [
        ("/admin/users", 65_537, 413),
        ("/admin/users", 4_000_000, 413),
        ("/nowhere", 4_000_000, 404),
        ("/user", 4_000_000, 405),
    ] {
        for _ in 0..5 {
            let call = server.post(path).admin().body(vec![b' '; length]);
            let mut line = server.line();
            // It may find out in the middle that nobody listens any more, and looks for the reason
            // then.
            let _ = line.send(call.bytes());
            let answer = line.answer(false);
            let answer = answer
                .unwrap_or_else(|error| panic!("{path}, {length} bytes: cannot read: {error}"));
            assert_eq!(answer.status, status, "{path}, {length} bytes");
        }
    }
}

#[test]
fn a_client_that_never_reads_is_ended() {
    let server = Server::start();
    let line = server.line();
    let ask = server.get("/docs/swagger-ui-bundle.js").bytes();
    line.stream().set_write_timeout(Some(Duration::from_millis(10))).expect("a time-out");
    // It asks for the largest answer again and again, while the server waits for it to take the
    // first.
    wait_for(|| {
        pass(&server, 60);
        match (&mut line.stream()).write_all(&ask) {
            Ok(()) => None,
            Err(error) if is_end(&error) => Some(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn when_full_the_oldest_that_finished_nothing_makes_room() {
    let server = Setup::new().set("VOMEET_HTTP_CONNECTIONS_MAX", "8").start();
    let mut busy = server.line();
    let ask = server.get("/");
    ask.over(&mut busy).expect("the first of all");
    let mut slow: Vec<Line> = Vec::new();
    for _ in 0..7 {
        let mut line = server.line();
        line.send("GET / HTTP/1.1\r\nHost: loc").expect("sent");
        slow.push(line);
        // A connection stands in the system's queue until the server accepts it, and is as old as that.
        wait_for(|| (server.app.transport.connections.count() == slow.len() + 1).then_some(()));
        // The one that works has finished a request since.
        ask.over(&mut busy).expect("the one that works");
    }
    // Each newcomer evicts the slow one that came first, and stays.
    let mut newcomers = Vec::new();
    for line in slow {
        let mut newcomer = server.line();
        ask.over(&mut newcomer).expect("a newcomer");
        ask.over(&mut busy).expect("the one that works");
        line.ended().expect("the oldest slow one is ended");
        newcomers.push(newcomer);
    }
    for line in newcomers.iter_mut().chain([&mut busy]) {
        ask.over(line).expect("those that finish their requests stay");
    }
}

#[test]
fn many_slow_connections_do_not_shut_others_out() {
    let server = Setup::new().set("VOMEET_HTTP_CONNECTIONS_MAX", "32").start();
    let slow: Vec<Line> = (0..200)
        .map(|_| {
            let mut line = server.line();
            let _ = line.send("GET / HTTP/1.1\r\n");
            line
        })
        .collect();
    for n in 0..20 {
        assert_eq!(server.get("/healthz").send().status, 200, "request {n}");
    }
    let metrics = server.get("/metrics").send();
    let open =
        metrics.text().lines().find_map(|line| line.strip_prefix("vomeet_http_connections "));
    assert!(
        open.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count <= 32)),
        "{open:?}"
    );
    drop(slow);
}

#[test]
fn a_stop_finishes_what_has_begun_and_refuses_the_rest() {
    let mut server = Setup::new().set("VOMEET_HTTP_STOP_SECONDS_MAX", "60").start();
    server.new_user("one@example.com");
    let body = r#"{"email":"late@example.com"}"#;
    let head = format!(
        "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut open = server.line();
    open.send(format!("{head}{}", &body[..5])).expect("sent");
    let mut idle = server.line();
    server.get("/healthz").over(&mut idle).expect("an answer");
    server.ask_to_stop();
    assert_eq!(idle.ended().expect("an idle connection ends"), b"");
    let is_answered =
        || Line::open(server.address).is_ok_and(|mut line| server.get("/").over(&mut line).is_ok());
    wait_for(|| (!is_answered()).then_some(()));
    open.send(&body[5..]).expect("sent");
    let answer = open.answer(false).expect("the open request is answered");
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    open.ended().expect("the end");
    let server = server.restart();
    let found = server.get("/admin/users/email/late@example.com").admin().send();
    found.expect(200);
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut server = Setup::new().set("VOMEET_HTTP_STOP_SECONDS_MAX", "1").start();
    let mut stuck = server.line();
    stuck
        .send(format!("POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nContent-Length: 9\r\n\r\n{{"))
        .expect("sent");
    server.get("/healthz").send();
    server.ask_to_stop();
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    stuck.ended().expect("the end");
}

/// Sends the head of a creation of a user, waits until the handler asks for the body, sends that
/// and hangs up.
fn hang_up_after(server: &Server, n: u64, reset: bool) {
    let body = format!(r#"{{"email":"hasty{n}@example.com"}}"#);
    let call =
        server.post("/admin/users").admin().header("Expect", "100-continue").body(body.as_str());
    let bytes = call.bytes();
    let (head, body) = bytes.split_at(bytes.len() - body.len());
    let mut line = server.line();
    line.send(head).expect("sent");
    line.wait_for("100 Continue\r\n\r\n").expect("a handler that reads");
    line.send(body).expect("sent");
    if reset {
        let socket = socket2::SockRef::from(line.stream());
        socket.set_linger(Some(Duration::ZERO)).expect("linger");
    }
}

#[test]
fn a_write_that_has_begun_is_done_although_its_client_hangs_up() {
    let server = Server::start();
    let count: u64 = 200;
    (0..count).for_each(|n| hang_up_after(&server, n, false));
    wait_for(|| (server.counts().0 == count).then_some(()));
}

#[test]
fn clients_that_reset_their_connections_do_no_harm() {
    let server = Server::start();
    (0..200).for_each(|n| hang_up_after(&server, n, true));
    // With a reset, what was sent may never have been received; what was received is whole.
    server.new_user("after@example.com");
    let before = server.counts().0;
    let users = server.get("/admin/users?limit=1000").admin().send().expect(200);
    let listed = users.as_array().expect("users").len() as u64;
    let after = server.counts().0;
    assert!(before <= listed && listed <= after && after <= 201, "{before} ≤ {listed} ≤ {after}");
}
