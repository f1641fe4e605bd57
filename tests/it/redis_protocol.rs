//! The Redis endpoint: where it is, both versions of the protocol, and every command by every kind
//! of client.

use crate::bots::{bot_environment, setup, user};
use crate::client::Client;
use crate::redis_client::{Redis, is_id};
use crate::segments::{Session, insert_session, one_meeting};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::wire::Pair;
use serde_json::{Value, json};
use std::net::SocketAddr;
use vomeet::config::RedisListen;

/// What a server says of itself in reply to `HELLO`.
fn hello(version: u8, number: u8) -> String {
    let open = if version == 3 { "%" } else { "" };
    format!(
        "{open}[\"server\", \"redis\", \"version\", \"7.0.0\", \"proto\", :{version}, \"id\", :{number}, \
         \"mode\", \"standalone\", \"role\", \"master\", \"modules\", []]"
    )
}

const NOAUTH: &str = "-NOAUTH Authentication required.";

#[test]
fn one_port_speaks_both_protocols() {
    let (server, key, session) = one_meeting();
    let mut redis = Redis::connect(server.address);
    // In pieces, as the network may bring it.
    for piece in ["*", "1\r\n$4\r", "\nPI", "NG\r\n*1\r\n$4\r\nping\r\n"] {
        redis.raw(piece);
    }
    assert_eq!(redis.next().as_deref(), Some("+PONG"));
    assert_eq!(redis.next().as_deref(), Some("+PONG"));
    server.get("/user").user(&key).send().expect(200);
    assert_eq!(redis.call(&["AUTH", &session.token]), "+OK");
    assert_eq!(server.raw("* / HTTP/1.1\r\nHost: localhost\r\n\r\n").ok().map(|a| a.status), None);
}

/// A server on whose network port Redis is not spoken.
fn assert_http_alone(server: &Server) {
    let answer = server.raw("*1\r\n$4\r\nPING\r\n\r\n").expect("an answer");
    assert_eq!(answer.status, 400);
}

#[test]
fn the_endpoint_is_off_or_has_an_address_of_its_own() {
    let server = Setup::new().set("VOMEET_BOTS_REDIS_LISTEN", "off").start();
    assert_http_alone(&server);
    let server = Setup::new().set("VOMEET_BOTS_REDIS_LISTEN", "127.0.0.1:0").start();
    assert_http_alone(&server);
    let RedisListen::At(address) = server.app.config.bots.redis.listen else {
        panic!("no address of its own");
    };
    assert_eq!(Redis::connect(address).call(&["PING"]), "+PONG");
    let mut redis = Redis::connect(address);
    redis.raw("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(redis.rest(), ["-ERR Protocol error: expected '*', got 'G'"]);
}

#[test]
fn where_tls_is_spoken_redis_is_not() {
    let of = |listen: &str| {
        let setup = Setup::new().set("VOMEET_BOTS_REDIS_LISTEN", listen);
        let pair = Pair::new(setup.folder());
        let [cert, key] = [&pair.cert, &pair.key].map(|path| path.to_string_lossy().into_owned());
        setup.set("VOMEET_TLS_CERT", &cert).set("VOMEET_TLS_KEY", &key).start()
    };
    let server = of("");
    assert_http_alone(&server);
    assert_eq!(server.app.redis_address_for_bots(), None);
    let server = of("127.0.0.1:0");
    assert_http_alone(&server);
    let address = server.app.redis_address_for_bots().expect("an address of its own");
    let mut redis = Redis::connect(address.parse().expect("an address"));
    assert_eq!(redis.call(&["PING"]), "+PONG");
}

#[test]
fn bots_are_told_where_their_redis_is() {
    let url = |server: &Server| {
        let token = user(server, "one@example.com", 2);
        let wish = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
        server.post("/bots").user(&token.text).json(&wish).send().expect(201);
        let environment = bot_environment(server, 1);
        let config: Value = serde_json::from_str(&environment["BOT_CONFIG"]).expect("JSON");
        (config["redisUrl"].clone(), config["token"].as_str().expect("a secret").to_owned())
    };
    let server = setup().start();
    let (redis_url, secret) = url(&server);
    assert_eq!(redis_url, format!("redis://bot:{secret}@{}/0", server.address));
    assert_eq!(Redis::connect(server.address).call(&["AUTH", "bot", &secret]), "+OK");
    let address = "redis.internal:16379";
    for (variable, value, expected) in [
        ("VOMEET_BOTS_REDIS_ADDRESS", address, Some("redis://bot:SECRET@redis.internal:16379/0")),
        (
            "VOMEET_BOTS_CALLBACK_URL",
            "http://localhost:1",
            Some("redis://bot:SECRET@localhost:PORT/0"),
        ),
        ("VOMEET_BOTS_REDIS_URL", "redis://own:6379/1", Some("redis://own:6379/1")),
        ("VOMEET_BOTS_REDIS_LISTEN", "off", None),
    ] {
        let server = setup().set(variable, value).start();
        let (redis_url, secret) = url(&server);
        let port = server.address.port().to_string();
        let expected = expected.map(|url| url.replace("SECRET", &secret).replace("PORT", &port));
        assert_eq!(redis_url.as_str(), expected.as_deref(), "{variable}={value}");
    }
}

#[test]
fn hello_chooses_the_version_and_signs_in() {
    let (server, _, session) = one_meeting();
    let mut redis = Redis::connect(server.address);
    for (words, expected) in [
        (vec!["HELLO"], hello(2, 1)),
        (vec!["hello", "3"], hello(3, 1)),
        (vec!["HELLO", "4"], "-NOPROTO unsupported protocol version".to_owned()),
        (vec!["HELLO", "x"], "-ERR Protocol version is not an integer or out of range".to_owned()),
        (vec!["HELLO", "2", "FOO"], "-ERR Syntax error in HELLO option 'FOO'".to_owned()),
        (vec!["HELLO", "2", "AUTH", "x"], "-ERR Syntax error in HELLO option 'AUTH'".to_owned()),
        (vec!["HELLO"], hello(3, 1)),
        (vec!["HELLO", "2", "AUTH", "bot", &session.token, "SETNAME", "a"], hello(2, 1)),
        (vec!["HELLO", "3", "AUTH", "bot", &session.token], hello(3, 1)),
        (vec!["CLIENT", "ID"], ":1".to_owned()),
    ] {
        assert_eq!(redis.call(&words), expected, "{words:?}");
    }
    let mut redis = Redis::connect(server.address);
    let refused = redis.call(&["HELLO", "3", "AUTH", "bot", "wrong"]);
    assert!(refused.starts_with("-WRONGPASS "), "{refused}");
    assert_eq!(redis.call(&["GET", "a"]), NOPERM_GET, "no version was chosen, nobody signed in");
}

const NOPERM_GET: &str = "-NOPERM only the bot of a meeting may use 'get'; sign in by AUTH";

/// A command, the reply to a bot in both versions, and whether feeders may use it.
#[rustfmt::skip]
const ROWS: &[(&[&str], &str, &str, bool)] = &[
    (&["PING"], "+PONG", "+PONG", true),
    (&["PING", "hi"], "\"hi\"", "\"hi\"", true),
    (&["PING", "a", "b"], "-ERR wrong number of arguments for 'ping' command", "", true),
    (&["ECHO", "hi"], "\"hi\"", "\"hi\"", true),
    (&["ECHO"], "-ERR wrong number of arguments for 'echo' command", "", true),
    (&["SELECT", "0"], "+OK", "+OK", true),
    (&["SELECT", "16"], "-ERR DB index is out of range", "", true),
    (&["SELECT", "x"], "-ERR value is not an integer or out of range", "", true),
    (&["CLIENT", "SETINFO", "LIB-NAME", "redis-py"], "+OK", "+OK", true),
    (&["CLIENT", "SETNAME", "a"], "+OK", "+OK", true),
    (&["CLIENT", "GETNAME"], "(nil)", "_", true),
    (&["CLIENT", "MAINT_NOTIFICATIONS", "ON"], "-ERR unknown subcommand 'maint_notifications'", "", true),
    (&["CLIENT", "LIST"], "-ERR unknown subcommand 'list'", "", true),
    (&["INFO"], "\"# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\n# Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\n\"", "", true),
    (&["PUBLISH", "tc:meeting:1:mutable", "{}"], ":0", ":0", false),
    (&["SET", "meeting:1:pending", "[]", "EX", "60"], "+OK", "+OK", false),
    (&["GET", "meeting:1:pending"], "(nil)", "_", false),
    (&["DEL", "meeting:1:pending"], ":0", ":0", false),
    (&["EXPIRE", "a", "60"], ":0", ":0", false),
    (&["RPUSH", "a", "b"], ":1", ":1", false),
    (&["LTRIM", "a", "0", "9"], "+OK", "+OK", false),
    (&["UNSUBSCRIBE"], "[\"unsubscribe\", (nil), :0]", ">[\"unsubscribe\", _, :0]", false),
    (&["XREADGROUP", "GROUP", "a", "b"], "-ERR unknown command 'XREADGROUP'", "", true),
    (&["KEYS", "*"], "-ERR unknown command 'KEYS'", "", true),
    (&["X\r\nY"], "-ERR unknown command 'X\\r\\nY'", "", true),
    (&[""], "-ERR unknown command ''", "", true),
];

#[test]
fn every_command_has_its_reply_in_both_versions() {
    let (server, _, session) = one_meeting();
    for version in [2, 3] {
        let mut redis = Redis::bot(server.address, version, &session.token);
        for (words, in_2, in_3, _) in ROWS {
            let expected = if version == 2 || in_3.is_empty() { in_2 } else { in_3 };
            assert_eq!(redis.call(words), *expected, "{words:?} in version {version}");
        }
        assert_eq!(redis.call(&["QUIT"]), "+OK");
        assert_eq!(redis.next(), None);
    }
}

#[test]
fn feeders_may_use_what_they_need_and_strangers_nothing() {
    let (server, ..) = one_meeting();
    let mut feeder = Redis::connect(server.address);
    let password = ("VOMEET_BOTS_REDIS_PASSWORD", "m2Vq8sKx0TzL5wRb");
    let (locked, ..) = with(&[password]);
    let mut stranger = Redis::connect(locked.address);
    for (words, reply, _, is_for_feeders) in ROWS {
        let name = words[0].to_lowercase();
        let refused =
            format!("-NOPERM only the bot of a meeting may use '{name}'; sign in by AUTH");
        let expected = if *is_for_feeders { *reply } else { &*refused };
        assert_eq!(feeder.call(words), expected, "{words:?} by a feeder");
        let is_unknown = reply.starts_with("-ERR unknown command");
        let expected = if is_unknown { reply } else { NOAUTH };
        assert_eq!(stranger.call(words), expected, "{words:?} by a stranger");
    }
    let refused = feeder.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
    assert!(refused.starts_with("-NOPERM only the bot"), "{refused}");
    let refused = stranger.call(&["HELLO", "3"]);
    assert!(refused.starts_with("-NOAUTH HELLO must be called"), "{refused}");
    assert_eq!(stranger.call(&["QUIT"]), "+OK");
}

/// A server with these settings and an active meeting of user 1, and the user's key.
pub fn with(settings: &[(&str, &str)]) -> (Server, String, Session) {
    let mut made = None;
    let mut setup = Setup::new().rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
    });
    for (variable, value) in settings {
        setup = setup.set(variable, value);
    }
    let (key, session) = made.expect("rows");
    (setup.start(), key, session)
}

/// Changes what the bot is told, as its owner does.
fn configure(client: &Client, key: &str, body: &Value) {
    let path = "/bots/google_meet/abc-defg-hij/config";
    client.call("PUT", path).user(key).json(body).send().expect(202);
}

#[test]
fn a_bot_hears_the_commands_for_it() {
    let (server, key, session) = one_meeting();
    let of_session = format!("bot_commands:{}", session.uid);
    let of_meeting = "bot_commands:meeting:1";
    for (version, open) in [(2, ""), (3, ">")] {
        let mut redis = Redis::bot(server.address, version, &session.token);
        redis.send(&["SUBSCRIBE", of_meeting, &of_session]);
        for (count, channel) in [(1, of_meeting), (2, &of_session)] {
            let expected = format!("{open}[\"subscribe\", \"{channel}\", :{count}]");
            assert_eq!(redis.next(), Some(expected));
        }
        configure(&server, &key, &json!({ "language": "fr" }));
        let command = r#"{"action":"reconfigure","uid":"session-1","meeting_id":1,"language":"fr","task":"translate"}"#;
        for channel in [of_meeting, &of_session] {
            let expected = format!("{open}[\"message\", \"{channel}\", \"{command}\"]");
            assert_eq!(redis.next(), Some(expected), "in version {version}");
        }
        let expected = format!("{open}[\"unsubscribe\", \"{of_session}\", :1]");
        assert_eq!(redis.call(&["UNSUBSCRIBE", &of_session]), expected);
        assert_eq!(server.app.bot_commands.leave(vomeet::domain::MeetingId(1)), 1);
        let leave = r#"{"action":"leave","meeting_id":1}"#;
        let expected = format!("{open}[\"message\", \"{of_meeting}\", \"{leave}\"]");
        assert_eq!(redis.next(), Some(expected));
        let expected = format!("{open}[\"unsubscribe\", \"{of_meeting}\", :0]");
        assert_eq!(redis.call(&["UNSUBSCRIBE"]), expected);
        assert_eq!(server.app.bot_commands.leave(vomeet::domain::MeetingId(1)), 0);
        configure(&server, &key, &json!({ "task": "transcribe" }));
        assert_eq!(redis.call(&["PING"]), "+PONG", "nothing is pushed any more");
        configure(&server, &key, &json!({ "task": "translate" }));
    }
}

#[test]
fn a_subscriber_of_version_2_may_do_little_else() {
    let (server, _, session) = one_meeting();
    let mut redis = Redis::bot(server.address, 2, &session.token);
    redis.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
    assert_eq!(redis.call(&["PING"]), "[\"pong\", \"\"]");
    assert_eq!(redis.call(&["PING", "a"]), "[\"pong\", \"a\"]");
    let refused = redis.call(&["GET", "a"]);
    assert!(refused.starts_with("-ERR Can't execute 'get': only"), "{refused}");
    let mut redis = Redis::bot(server.address, 3, &session.token);
    redis.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
    assert_eq!(redis.call(&["GET", "a"]), "_");
    assert_eq!(redis.call(&["PING"]), "+PONG");
}

#[test]
fn nobody_hears_the_commands_of_others() {
    let mut made = Vec::new();
    let server = Setup::new()
        .rows(|db| {
            insert_token(db, 1, None);
            made.push(insert_session(db, 1, "abc-defg-hij"));
            made.push(insert_session(db, 1, "abc-defg-hik"));
        })
        .start();
    let mut redis = Redis::bot(server.address, 3, &made[0].token);
    for names in [
        vec!["bot_commands:meeting:2"],
        vec!["bot_commands:session-2"],
        vec!["bot_commands:meeting:1", "bot_commands:meeting:2"],
        vec!["bot_commands:"],
        vec!["bot_commands:meeting:01"],
        vec!["*"],
    ] {
        let words = [&["SUBSCRIBE"], &names[..]].concat();
        let refused = redis.call(&words);
        assert!(refused.starts_with("-NOPERM No permissions to access a channel"), "{refused}");
    }
    assert_eq!(server.app.bot_commands.count(), 0);
    // A connection stays with its meeting.
    let refused = redis.call(&["AUTH", "bot", &made[1].token]);
    assert_eq!(refused, "-NOPERM this connection stays with its meeting");
    assert_eq!(redis.call(&["AUTH", "bot", &made[0].token]), "+OK");
}

#[test]
fn what_happens_is_counted() {
    let (server, _, session) = one_meeting();
    let mut bot = Redis::bot(server.address, 3, &session.token);
    bot.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
    bot.call(&["NOSUCH"]);
    let mut feeder = Redis::connect(server.address);
    assert!(!is_id(&feeder.try_add(&json!({ "type": "nothing" }))));
    feeder.add(&json!({ "type": "session_end", "token": session.token, "uid": "a" }));
    let _stranger = Redis::connect(server.address).call(&["PING"]);
    let text = server.get("/metrics").send().text().to_owned();
    for line in [
        "vomeet_redis_connections{kind=\"bot\"} 1",
        "vomeet_redis_connections{kind=\"feeder\"} 1",
        "vomeet_redis_commands_total{command=\"xadd\"} 2",
        "vomeet_redis_commands_total{command=\"subscribe\"} 1",
        "vomeet_redis_commands_total{command=\"unknown\"} 1",
        "vomeet_redis_payloads_refused_total{reason=\"invalid\"} 1",
        "vomeet_redis_subscribers 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line}:\n{text}");
    }
}

#[test]
fn bytes_that_are_no_request_end_the_connection_and_say_why() {
    let server = Server::start();
    for (bytes, expected) in [
        ("*x\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*129\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*1\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'P'"),
        ("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length"),
        ("*1\r\n$65537\r\n", "-ERR Protocol error: the command is longer than 65536 bytes"),
    ] {
        assert_eq!(ended(server.address, bytes), [expected], "{bytes:?}");
    }
    // Empty requests are none, and what came before is answered.
    let replies = ended(server.address, "*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\nPING\r\n");
    assert_eq!(replies, ["+PONG", "-ERR Protocol error: expected '*', got 'P'"]);
}

fn ended(address: SocketAddr, bytes: &str) -> Vec<String> {
    let mut redis = Redis::connect(address);
    redis.raw(bytes);
    redis.rest()
}
