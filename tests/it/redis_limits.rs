//! What the Redis endpoint bounds: commands, connections, silence; from where feeders come.

use crate::client::{ADMIN_KEY, Line, wait_for};
use crate::process::Launch;
use crate::redis_client::{Redis, is_id, request};
use crate::redis_protocol::with;
use crate::segments::{insert_session, one_meeting};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const TOO_MANY: &str = "-ERR max number of clients reached";

#[test]
fn long_commands_are_taken_of_those_who_are_known() {
    let (server, _, session) = one_meeting();
    let words = |length: usize| {
        let text = "x".repeat(length);
        request(&["XADD", "other", "*", "field", &text])
    };
    let longest = 64 * 1024 - words(60_000).len() + 60_000;
    let mut stranger = Redis::connect(server.address);
    stranger.raw(words(longest));
    assert!(stranger.next().is_some_and(|reply| is_id(&reply)));
    stranger.raw(&words(longest + 1)[..100]);
    let expected = "-ERR Protocol error: the command is longer than 65536 bytes";
    assert_eq!(stranger.rest(), [expected], "as soon as its length is known");

    let longest = 1024 * 1024 - words(1_000_000).len() + 1_000_000;
    let mut feeder = Redis::connect(server.address);
    feeder.add(&json!({ "type": "session_end", "token": session.token, "uid": "a" }));
    let mut bot = Redis::bot(server.address, 3, &session.token);
    for redis in [&mut feeder, &mut bot] {
        redis.raw(words(longest));
        assert!(redis.next().is_some_and(|reply| is_id(&reply)));
    }
    bot.raw(words(longest + 1));
    assert_eq!(bot.rest(), ["-ERR Protocol error: the command is longer than 1048576 bytes"]);
    let held = server.app.transport.budgets.bodies.used();
    assert_eq!(held, 0, "what was counted is given back");
}

#[test]
fn half_a_command_is_counted_while_it_is_there() {
    let (server, _, session) = one_meeting();
    let mut bot = Redis::bot(server.address, 3, &session.token);
    bot.raw("*2\r\n$4\r\nECHO\r\n$500000\r\nabc");
    let used = || server.app.transport.budgets.bodies.used();
    wait_for(|| (used() > 499_000).then_some(()));
    drop(bot);
    wait_for(|| (used() == 0).then_some(()));
}

/// Fills the room for bodies of callers without a key from this address, for as long as the lines
/// are held.
fn fill_keyless_room(server: &Server) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut begin = |path: &str, announced: usize| {
        let call = server.post(path).header("Content-Length", announced.to_string());
        let mut line = server.line();
        line.send(call.bytes()).expect("sent");
        lines.push(line);
    };
    for _ in 0..34 {
        begin("/bots/internal/callback/joining", 16 * 1024);
    }
    begin("/bots/internal/callback/status_change", 1024 * 1024);
    let all = 34 * 15 * 1024 + 1023 * 1024;
    let used = || server.app.transport.budgets.bodies.used();
    wait_for(|| (used() >= all).then_some(()));
    lines
}

#[test]
fn whoever_has_no_key_takes_no_room_of_feeders() {
    let password = "m2Vq8sKx0TzL5wRb";
    let patient = ("VOMEET_HTTP_BODY_SECONDS_MAX", "600");
    for settings in [&[patient][..], &[patient, ("VOMEET_BOTS_REDIS_PASSWORD", password)]] {
        let (server, _, session) = with(settings);
        let words = |filling: usize| {
            let filling = "x".repeat(filling);
            json!({ "type": "session_end", "token": session.token, "uid": "a", "more": filling })
        };
        let mut feeder = Redis::connect(server.address);
        match settings.len() {
            1 => feeder.add(&words(1)),
            _ => assert_eq!(feeder.call(&["AUTH", password]), "+OK"),
        }
        let _lines = fill_keyless_room(&server);
        feeder.add(&words(8 * 1024));
        feeder.add(&words(200 * 1024));
    }
}

#[test]
fn a_feeder_waits_for_room_and_is_cut_off_without_a_reply() {
    let (server, _, session) = with(&[("VOMEET_HTTP_BODY_SECONDS_MAX", "600")]);
    let payload = json!({ "type": "session_end", "token": session.token, "uid": "a" });
    let used = || server.app.transport.budgets.bodies.used();
    let words = |filling: usize| request(&["XADD", "other", "*", "a", &"x".repeat(filling)]);
    let fill = || {
        wait_for(|| (used() == 0).then_some(()));
        let mut feeders = Vec::new();
        for count in 1..=3 {
            let mut feeder = Redis::connect(server.address);
            feeder.add(&payload);
            feeder.raw(&words(1_048_000)[..100]);
            wait_for(|| (used() >= count * 1_046_000).then_some(()));
            feeders.push(feeder);
        }
        feeders
    };
    let feeders = fill();
    let mut waiting = Redis::connect(server.address);
    waiting.add(&payload);
    waiting.raw(words(500_000));
    drop(feeders);
    assert!(waiting.next().is_some_and(|reply| is_id(&reply)), "once there is room again");
    let _feeders = fill();
    waiting.send_if_open(&["XADD", "other", "*", "a", &"x".repeat(500_000)]);
    assert_eq!(waiting.rest(), Vec::<String>::new());
}

#[test]
fn strangers_do_not_keep_others_out() {
    for words in [&[][..], &["PING"]] {
        let setup = Setup::new().clock(&still_clock()).set("VOMEET_HTTP_CONNECTIONS_MAX", "8");
        let server = setup.start();
        let mut strangers = Vec::new();
        for _ in 0..2 {
            for _ in 0..8 {
                let mut stranger = Redis::connect(server.address);
                stranger.send_if_open::<&str>(words);
                strangers.push(stranger);
            }
            server.get("/healthz").send().expect(200);
        }
    }
}

#[test]
fn an_empty_request_needs_a_place() {
    let (server, ..) = one_meeting();
    let mut strangers = Vec::new();
    for _ in 0..8 {
        let mut stranger = Redis::connect(server.address);
        stranger.raw("*0\r\n*1\r\n$4\r\nPING\r\n");
        assert_eq!(stranger.next().as_deref(), Some("+PONG"));
        strangers.push(stranger);
    }
    let mut ninth = Redis::connect(server.address);
    ninth.raw("*0\r\n");
    assert_eq!(ninth.rest(), [TOO_MANY]);
}

#[test]
fn a_reply_repeats_no_long_word() {
    let (server, _, session) = one_meeting();
    let mut bot = Redis::bot(server.address, 3, &session.token);
    let long = "x".repeat(4 * 1024 + 1);
    assert_eq!(bot.call(&["ECHO", &long[1..]]).len(), 4 * 1024 + 2);
    for words in [["ECHO", &long], ["PING", &long], ["UNSUBSCRIBE", &long[..256]]] {
        let reply = bot.call(&words);
        assert!(reply.starts_with("-ERR the ") && reply.len() < 100, "{reply}");
    }
    let reply = bot.call(&["HELLO", "3", &long]);
    assert!(reply.starts_with("-ERR Syntax error") && reply.len() < 200, "{reply}");
}

#[test]
fn strangers_of_one_address_are_few_and_bots_do_not_count() {
    let (server, _, session) = one_meeting();
    let mut strangers = Vec::new();
    for _ in 0..8 {
        let mut stranger = Redis::connect(server.address);
        assert_eq!(stranger.call(&["PING"]), "+PONG");
        strangers.push(stranger);
    }
    let mut ninth = Redis::connect(server.address);
    ninth.send(&["PING"]);
    assert_eq!(ninth.rest(), [TOO_MANY]);
    // Whoever signs in at once needs no such place, and whoever is accepted gives it back.
    Redis::bot(server.address, 2, &session.token);
    strangers[0].add(&json!({ "type": "session_end", "token": session.token, "uid": "a" }));
    let mut next = Redis::connect(server.address);
    assert_eq!(next.call(&["PING"]), "+PONG");
    let mut ninth = Redis::connect(server.address);
    ninth.send(&["PING"]);
    assert_eq!(ninth.rest(), [TOO_MANY]);
}

#[test]
fn a_meeting_has_eight_connections() {
    let mut made = Vec::new();
    let server = Setup::new()
        .rows(|db| {
            insert_token(db, 1, None);
            made.push(insert_session(db, 1, "abc-defg-hij"));
            made.push(insert_session(db, 1, "abc-defg-hik"));
        })
        .start();
    let mut bots: Vec<Redis> =
        (0..8).map(|_| Redis::bot(server.address, 3, &made[0].token)).collect();
    let mut ninth = Redis::connect(server.address);
    ninth.send(&["AUTH", "bot", &made[0].token]);
    assert_eq!(ninth.rest(), [TOO_MANY]);
    Redis::bot(server.address, 3, &made[1].token);
    bots.pop();
    wait_for(|| {
        (Redis::connect(server.address).call(&["AUTH", &made[0].token]) == "+OK").then_some(())
    });
}

#[test]
fn silence_ends_strangers_and_feeders_and_a_bot_stays_until_its_meeting_is_over() {
    let clock = still_clock();
    let mut made = None;
    let server = Setup::new()
        .clock(&clock)
        .rows(|db| {
            insert_token(db, 1, None);
            made = Some(insert_session(db, 1, "abc-defg-hij"));
        })
        .start();
    let session = made.expect("a session");
    let mut stranger = Redis::connect(server.address);
    stranger.call(&["PING"]);
    let mut feeder = Redis::connect(server.address);
    feeder.add(&json!({ "type": "session_end", "token": session.token, "uid": "a" }));
    let mut bot = Redis::bot(server.address, 3, &session.token);
    clock.advance(Duration::from_secs(59));
    assert_eq!(stranger.call(&["PING"]), "+PONG");
    clock.advance(Duration::from_secs(61));
    assert_eq!(stranger.rest(), Vec::<String>::new());
    clock.advance(Duration::from_mins(12));
    assert_eq!(feeder.call(&["PING"]), "+PONG");
    clock.advance(Duration::from_mins(15));
    assert_eq!(feeder.rest(), Vec::<String>::new());
    assert_eq!(bot.call(&["PING"]), "+PONG");
    let end = json!({ "connection_id": session.uid, "exit_code": 0 });
    server.post("/bots/internal/callback/exited").json(&end).send().expect(200);
    clock.advance(Duration::from_secs(100));
    assert_eq!(bot.call(&["PING"]), "+PONG", "its last words are waited for");
    // Its silence is looked at from its last command on.
    clock.advance(Duration::from_secs(61));
    assert_eq!(bot.rest(), Vec::<String>::new());
}

#[test]
fn a_bot_that_goes_on_sending_ends_with_its_meeting() {
    let clock = still_clock();
    let mut made = None;
    let server = Setup::new()
        .clock(&clock)
        .rows(|db| {
            insert_token(db, 1, None);
            made = Some(insert_session(db, 1, "abc-defg-hij"));
        })
        .start();
    let session = made.expect("a session");
    let mut bot = Redis::bot(server.address, 3, &session.token);
    let end = json!({ "connection_id": session.uid, "exit_code": 0 });
    server.post("/bots/internal/callback/exited").json(&end).send().expect(200);
    let mut is_closed = false;
    for _ in 0..10 {
        clock.advance(Duration::from_secs(50));
        bot.send_if_open(&["PING"]);
        is_closed = is_closed || bot.next().is_none();
    }
    assert!(is_closed, "what it sends does not put off the look at its meeting");
}

#[test]
fn half_a_command_that_does_not_go_on_ends_its_connection() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).set("VOMEET_HTTP_BODY_SECONDS_MAX", "10").start();
    let mut redis = Redis::connect(server.address);
    redis.raw("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI");
    assert_eq!(redis.next().as_deref(), Some("+PONG"));
    // The time of a half command counts from when it is read.
    let is_over = AtomicBool::new(false);
    let rest = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(|| {
                clock.advance(Duration::from_secs(11));
                is_over.load(Ordering::Relaxed).then_some(())
            });
        });
        let rest = redis.rest();
        is_over.store(true, Ordering::Relaxed);
        rest
    });
    assert_eq!(rest, Vec::<String>::new());
}

#[test]
fn a_password_makes_feeders_sign_in() {
    let password = "m2Vq8sKx0TzL5wRb";
    let (server, _, session) = with(&[("VOMEET_BOTS_REDIS_PASSWORD", password)]);
    let payload = json!({ "type": "session_end", "token": session.token, "uid": "a" });
    let mut feeder = Redis::connect(server.address);
    for words in [vec!["PING"], vec!["CLIENT", "SETINFO", "a", "b"]] {
        assert_eq!(feeder.call(&words), "-NOAUTH Authentication required.");
    }
    assert_eq!(feeder.try_add(&payload), "-NOAUTH Authentication required.");
    let refused = feeder.call(&["AUTH", "default", "m2Vq8sKx0TzL5wRc"]);
    assert!(refused.starts_with("-WRONGPASS "), "{refused}");
    assert_eq!(feeder.call(&["AUTH", password]), "+OK");
    feeder.add(&payload);
    let mut feeder = Redis::connect(server.address);
    let hello = feeder.call(&["HELLO", "3", "AUTH", "default", password]);
    assert!(hello.contains("\"proto\", :3"), "{hello}");
    feeder.add(&payload);
    // Each payload brings its own key all the same.
    let unknown = json!({ "type": "session_end", "token": "x", "uid": "a" });
    assert!(feeder.try_add(&unknown).starts_with("-NOPERM "));
    Redis::bot(server.address, 3, &session.token);
}

/// What `vomeet config check` says is wrong with a file.
fn config_faults(toml: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("vomeet.toml"), toml).expect("written");
    Launch::new(folder.path(), &["config", "check"]).admin_key(ADMIN_KEY).run().stderr
}

#[test]
fn the_settings_of_the_endpoint_must_go_together() {
    let docker = "[bots]\nrunner = \"docker\"\ndocker_image = \"bot\"\n";
    for (text, expected) in [
        (
            format!("{docker}callback_url = \"https://vomeet.example.com\""),
            "bots.callback_url is encrypted, and",
        ),
        (
            format!("{docker}callback_url = \"http://10.0.0.5:80\""),
            "bots.callback_url is of another port than listen, and",
        ),
        (
            format!(
                "{docker}callback_url = \"http://10.0.0.5:18056\"\nredis_listen = \"127.0.0.1:16379\""
            ),
            "bots.redis_listen is an address that this machine alone reaches, and",
        ),
        (
            "[bots]\nredis_feeders = \"any\"".to_owned(),
            "bots.redis_feeders is any, and bots.redis_password is not set",
        ),
        (
            "[bots]\nredis_password = \"secret\"".to_owned(),
            "bots.redis_password is a known placeholder",
        ),
        ("[bots]\nredis_password = \"k2\"".to_owned(), "bots.redis_password is short"),
        (
            "[bots]\nredis_listen = \"on\"".to_owned(),
            "bots.redis_listen (vomeet.toml) should be empty, \"off\" or ADDRESS:PORT",
        ),
        (
            "[bots]\nredis_feeders = \"all\"".to_owned(),
            "bots.redis_feeders (vomeet.toml) should be private, any or off",
        ),
        (
            "[bots]\nredis_address = \"a b\"".to_owned(),
            "bots.redis_address (vomeet.toml) should be HOST:PORT",
        ),
        (
            "[bots]\nredis_password_file = \"none\"".to_owned(),
            "bots.redis_password_file: cannot read none",
        ),
    ] {
        let said = config_faults(&text);
        assert!(said.contains(expected), "{text}:\n{said}");
    }
    for sound in [
        format!("{docker}callback_url = \"https://vomeet.example.com\"\nredis_listen = \"off\""),
        format!(
            "{docker}callback_url = \"https://vomeet.example.com\"\nredis_listen = \"0.0.0.0:16379\""
        ),
        format!(
            "{docker}callback_url = \"https://vomeet.example.com\"\nredis_address = \"h:16379\""
        ),
        format!("{docker}callback_url = \"https://vomeet.example.com\"\nredis_url = \"redis://h\""),
        format!("{docker}callback_url = \"http://10.0.0.5:18056\""),
        format!("{docker}callback_url = \"http://10.0.0.5:18056\"\nredis_listen = \"10.0.0.5:1\""),
        "[bots]\nrunner = \"process\"\nprocess_command = [\"bot\"]\ncallback_url = \
         \"http://localhost:18056\"\nredis_listen = \"127.0.0.1:16379\""
            .to_owned(),
        "[bots]\nrunner = \"demo\"\ncallback_url = \"https://vomeet.example.com\"".to_owned(),
        "[bots]\nredis_feeders = \"any\"\nredis_password = \"m2Vq8sKx0TzL5wRb\"".to_owned(),
    ] {
        assert_eq!(config_faults(&sound), "", "{sound}");
    }
}
