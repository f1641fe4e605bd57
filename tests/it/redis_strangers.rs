//! The Redis endpoint towards those who do not sign in or do not read: few are served, and whoever
//! holds something up is cut off.

use crate::client::wait_for;
use crate::redis_client::{Redis, request};
use crate::redis_protocol::with;
use crate::segments::one_meeting;
use crate::server::Server;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use vomeet::domain::MeetingId;

const NOAUTH: &str = "-NOAUTH Authentication required.";

#[test]
fn there_are_few_strangers_from_all_addresses_together() {
    let server = Server::start();
    let mut strangers = Vec::new();
    let mut connect = |last: u8| {
        let mut stranger = Redis::connect_from(Ipv4Addr::new(127, 0, 0, last), server.address);
        let reply = stranger.call(&["PING"]);
        strangers.push(stranger);
        reply
    };
    for number in 0..64 {
        assert_eq!(connect(2 + number / 8), "+PONG", "stranger {number}");
    }
    assert_eq!(connect(10), "-ERR max number of clients reached");
    strangers.truncate(63);
    wait_for(|| {
        let mut stranger = Redis::connect_from(Ipv4Addr::new(127, 0, 0, 10), server.address);
        (stranger.call(&["PING"]) == "+PONG").then_some(())
    });
}

#[test]
fn whoever_may_never_feed_is_closed_unless_it_signs_in() {
    let (server, _, session) = with(&[("VOMEET_BOTS_REDIS_FEEDERS", "off")]);
    for words in [&["PING"][..], &["XADD", "a", "*", "b", "c"], &["SUBSCRIBE", "a"]] {
        let mut stranger = Redis::connect(server.address);
        stranger.send(words);
        assert_eq!(stranger.rest(), [NOAUTH], "{words:?}");
    }
    let mut stranger = Redis::connect(server.address);
    stranger.send(&["HELLO", "3"]);
    assert!(stranger.rest()[0].starts_with("-NOAUTH HELLO must be called"));
    Redis::bot(server.address, 3, &session.token);
}

#[test]
fn a_secret_in_a_hello_that_cannot_be_read_does_not_count() {
    let password = "m2Vq8sKx0TzL5wRb";
    let (server, ..) = with(&[("VOMEET_BOTS_REDIS_PASSWORD", password)]);
    let mut redis = Redis::connect(server.address);
    let refused = redis.call(&["HELLO", "3", "AUTH", "default", password, "NOSUCH"]);
    assert_eq!(refused, "-ERR Syntax error in HELLO option 'NOSUCH'");
    assert_eq!(redis.call(&["PING"]), NOAUTH);
    let hello = redis.call(&["HELLO", "3", "AUTH", "default", password, "SETNAME", "a"]);
    assert!(hello.contains("\"proto\", :3"), "{hello}");
}

#[test]
fn a_bot_that_would_miss_a_command_is_cut_off() {
    let (server, _, session) = one_meeting();
    let mut bot = Redis::bot(server.address, 3, &session.token);
    bot.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
    let commands = &server.app.bot_commands;
    while commands.count() > 0 {
        commands.leave(MeetingId(1));
    }
    let heard = bot.rest();
    assert!(heard.iter().all(|push| push.contains("leave")), "{heard:?}");
    assert!(heard.len() >= 64, "what was queued before is sent: {}", heard.len());
}

#[test]
fn a_client_that_does_not_read_its_replies_is_cut_off() {
    let (server, _, session) = one_meeting();
    let mut bot = Redis::bot(server.address, 3, &session.token);
    let words = request(&["ECHO".to_owned(), "x".repeat(4000)]);
    bot.unblock();
    // Sends whole commands until the server takes no more, and waits for the end.
    let mut left = Vec::new();
    wait_for(|| {
        loop {
            if left.is_empty() {
                left.extend_from_slice(&words);
            }
            match bot.write_some(&left) {
                Ok(count) => drop(left.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(()),
            }
        }
    });
    let text = server.get("/metrics").send().text().to_owned();
    assert!(text.contains("vomeet_redis_connections{kind=\"bot\"} 0"), "{text}");
}
