//! The live feed with many watchers, and with some that do not keep up.

use crate::client::{Client, PATIENCE};
use crate::live::{A, prepare, send_bot, start, words};
use crate::server::Setup;
use crate::watcher::{Received, Watcher};
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::TcpStream;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

/// Opens a socket on a connection that takes little at a time.
fn narrow(server: &Client, token: &str) -> Watcher {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect_timeout(&SockAddr::from(server.address), PATIENCE).expect("a connection");
    Watcher::over(TcpStream::from(socket), server, "/ws", &[token.as_bytes()])
}

#[test]
fn who_does_not_read_is_dropped_and_the_others_get_everything() {
    let (server, [one, _]) = prepare(Setup::new().set("VOMEET_LIVE_QUEUE_MAX", "8"));
    let meeting = send_bot(&server.app, 1, A.1);
    let mut deaf = narrow(&server, &one);
    let mut reading = [Watcher::open(&server, &one), Watcher::open(&server, &one)];
    deaf.subscribe(&[A]);
    for watcher in &mut reading {
        watcher.subscribe(&[A]);
    }
    let text = "x".repeat(8000);
    let began = Instant::now();
    let (mut sent, mut held) = (0, 3);
    while held > 2 {
        assert!(began.elapsed() < PATIENCE, "{sent} messages, and nobody was dropped");
        server.app.feed.on_change(&words(&meeting, sent, &text));
        for watcher in &mut reading {
            assert_eq!(start(&watcher.json()), sent);
        }
        sent += 1;
        held = server.app.transport.budgets.sockets.used();
    }
    server.app.feed.on_change(&words(&meeting, sent, "the last"));
    for watcher in &mut reading {
        assert_eq!(start(&watcher.json()), sent);
        watcher.expect_nothing();
    }
    // What the deaf one finds when it listens at last has no gap, and then it ends.
    let mut found = 0;
    let end = loop {
        match deaf.receive() {
            Received::Json(push) => assert_eq!(start(&push), found),
            end => break end,
        }
        found += 1;
    };
    assert!(matches!(end, Received::Cut | Received::Closed(1013)), "{end:?}");
    assert!(found < sent, "it missed nothing");
    assert!(found < 60, "{found} messages of 8 kB were held for it");
}

#[test]
fn who_reads_late_is_told_that_it_missed_something() {
    let (server, [one, _]) = prepare(Setup::new().set("VOMEET_LIVE_QUEUE_MAX", "1"));
    let meeting = send_bot(&server.app, 1, A.1);
    let mut watcher = Watcher::open(&server, &one);
    watcher.subscribe(&[A]);
    let mut sent = 0;
    while server.app.transport.budgets.sockets.used() == 1 && sent < 100_000 {
        server.app.feed.on_change(&words(&meeting, sent, "x"));
        sent += 1;
    }
    let mut found = 0;
    let end = loop {
        match watcher.receive() {
            Received::Json(push) => assert_eq!(start(&push), found),
            end => break end,
        }
        found += 1;
    };
    assert_eq!(end, Received::Closed(1013));
    let counted = server.app.feed.counted();
    assert_eq!(counted.slow, 1);
    assert!(counted.dropped > 0 && counted.sent >= found.unsigned_abs(), "{counted:?}");
}

#[test]
fn a_thousand_watchers_miss_nothing() {
    let (server, [one, _]) = prepare(Setup::new());
    let meeting = send_bot(&server.app, 1, A.1);
    let mut watchers: Vec<Watcher> = (0..1000).map(|_| Watcher::open(&server, &one)).collect();
    for watcher in &mut watchers {
        watcher.subscribe(&[A]);
    }
    let updates = 20;
    (0..updates).for_each(|n| server.app.feed.on_change(&words(&meeting, n, "Good morning.")));
    for watcher in &mut watchers {
        assert!((0..updates).all(|n| start(&watcher.json()) == n));
    }
    watchers.iter_mut().for_each(Watcher::expect_nothing);
    let figures = server.get("/metrics").send();
    assert!(figures.text().contains("vomeet_live_sockets 1000\n"), "{}", figures.text());
    let sent = format!("vomeet_live_messages_sent_total {}\n", updates * 1000);
    assert!(figures.text().contains(&sent), "{}", figures.text());
}

#[test]
fn no_socket_outlives_a_key_that_is_revoked_while_it_opens() {
    let (server, _) = prepare(Setup::new());
    for round in 0..10 {
        let token = server.new_token(1);
        let (opened, first) = sync_channel(1);
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let (client, key, opened) = (*server, token.text.clone(), opened.clone());
                std::thread::spawn(move || -> Vec<Watcher> {
                    let open = |_| {
                        let watcher = Watcher::open(&client, &key);
                        // Only the first is waited for.
                        let _ = opened.try_send(());
                        watcher
                    };
                    (0..20).map(open).collect()
                })
            })
            .collect();
        first.recv_timeout(PATIENCE).expect("a socket");
        assert_eq!(server.revoke(&token).status, 204);
        for mut watcher in opening.into_iter().flat_map(|thread| thread.join().expect("sockets")) {
            assert_eq!(watcher.json()["error"], "invalid_api_key", "round {round}");
            assert_eq!(watcher.receive(), Received::Closed(4401), "round {round}");
        }
    }
}
