//! Wrong keys by address, requests by token and user: who is refused for asking too often, and who
//! never is.

use crate::client::{Answer, Call, Client, wait_for};
use crate::process::Launch;
use crate::segments::insert_session;
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use crate::watcher::{Received, Watcher};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use vomeet::clock::Clock;
use vomeet::domain::PlainToken;

const FAILED_KEYS: &str = "VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE";
const BY_TOKEN: &str = "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN";
const BY_USER: &str = "VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER";
const PROXIES: &str = "VOMEET_HTTP_TRUSTED_PROXIES";
/// A route behind the door of a bot.
const SEGMENTS: &str = "/bots/internal/segments";

/// A server with two users, of whom the first has two tokens, and a bot at work. Its clock stands
/// still, so that no slow machine gives back what was counted.
struct Fixture {
    clock: Clock,
    server: Server,
    tokens: [String; 3],
    bot: String,
}

fn fixture(settings: &[(&str, &str)]) -> Fixture {
    let (mut tokens, mut bot) = (<[String; 3]>::default(), String::new());
    let setup = settings.iter().fold(Setup::new(), |setup, (name, value)| setup.set(name, value));
    let setup = setup.rows(|db| {
        tokens = [1, 1, 2].map(|user| insert_token(db, user, None));
        bot = insert_session(db, 1, "abc-defg-hij").token;
    });
    let clock = still_clock();
    Fixture { server: setup.clock(&clock).start(), clock, tokens, bot }
}

/// A call with a wrong key for each door, and what the door says to it.
fn wrong(server: &Client) -> [(Call, u16); 3] {
    let unknown = PlainToken::generate().expect("randomness");
    [
        (server.get("/admin/users").header("X-Admin-API-Key", "wrong"), 403),
        (server.get("/user").user(unknown.reveal()), 403),
        (server.post(SEGMENTS).bearer(unknown.reveal()), 401),
    ]
}

/// The seconds of `Retry-After`, of an answer that must be a 429 with a sentence.
fn retry_after(answer: &Answer) -> u64 {
    let (status, detail) = answer.refusal();
    let seconds =
        answer.header("retry-after").unwrap_or_else(|| panic!("no Retry-After: {answer:?}"));
    assert_eq!(status, 429, "{answer:?}");
    assert!(
        detail.starts_with("Too many ") && detail.ends_with(&format!(" Try again in {seconds} s.")),
        "{detail}"
    );
    seconds.parse().expect("whole seconds")
}

#[test]
fn wrong_keys_are_limited_at_every_door_and_good_ones_at_none() {
    let Fixture { server, tokens, bot, .. } = fixture(&[(FAILED_KEYS, "3")]);
    for (call, status) in wrong(&server) {
        assert_eq!(call.send().status, status);
    }
    for (call, _) in wrong(&server) {
        assert_eq!(retry_after(&call.send()), 20);
    }
    for token in &tokens {
        server.whoami(token).expect(200);
    }
    server.get("/admin/users").admin().send().expect(200);
    assert_eq!(server.post(SEGMENTS).bearer(&bot).json(&json!({})).send().status, 422);
    // Who brings no key tries none, and hears why.
    for (call, status) in [
        (server.get("/user"), 403),
        (server.get("/user").user(""), 403),
        (server.get("/admin/users"), 403),
        (server.post(SEGMENTS), 401),
    ] {
        assert_eq!(call.send().status, status);
    }
}

#[test]
fn a_missing_key_is_not_counted() {
    let Fixture { server, .. } = fixture(&[(FAILED_KEYS, "1")]);
    for _ in 0..10 {
        assert_eq!(server.get("/user").send().status, 403);
        assert_eq!(server.get("/admin/users").header("X-Admin-API-Key", "").send().status, 403);
        assert_eq!(server.post(SEGMENTS).send().status, 401);
        assert_eq!(Watcher::with(&server, "/ws", &[]).json()["error"], "missing_api_key");
    }
    assert_eq!(server.whoami("wrong").status, 403);
    retry_after(&server.whoami("wrong"));
}

#[test]
fn sockets_are_limited_before_they_are_opened() {
    let Fixture { server, tokens, .. } = fixture(&[(FAILED_KEYS, "2")]);
    for path in ["/ws", "/ws?api_key=wrong"] {
        let keys: &[&[u8]] = if path == "/ws" { &[b"wrong"] } else { &[] };
        let mut socket = Watcher::with(&server, path, keys);
        assert_eq!(socket.json()["error"], "invalid_api_key");
        assert_eq!(socket.receive(), Received::Closed(4401));
    }
    let request = |key: &str| {
        let call = server.get(format!("/ws?api_key={key}")).header("Upgrade", "websocket");
        let call = call.header("Connection", "Upgrade").header("Sec-WebSocket-Version", "13");
        call.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    retry_after(&request("wrong").send());
    Watcher::open(&server, &tokens[0]).expect_nothing();
}

#[test]
fn an_address_recovers() {
    let Fixture { server, clock, .. } = fixture(&[(FAILED_KEYS, "120")]);
    let looked_at = || (0..1000).take_while(|_| server.whoami("wrong").status == 403).count();
    assert_eq!(looked_at(), 120);
    // Half a second gives one back.
    for (seconds, count) in [(1, 2), (10, 20), (3600, 120)] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(looked_at(), count, "after {seconds} s");
    }
}

#[test]
fn a_good_client_is_served_while_a_bad_one_is_at_its_limit() {
    let Fixture { server, tokens, .. } = fixture(&[(FAILED_KEYS, "5")]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let bad = scope.spawn(|| {
            let mut line = server.line();
            let wrong = server.get("/user").user("wrong");
            let mut counts = [0, 0];
            while !done.load(Ordering::Relaxed) {
                match wrong.over(&mut line).expect("an answer").status {
                    403 => counts[0] += 1,
                    429 => counts[1] += 1,
                    other => panic!("{other}"),
                }
            }
            counts
        });
        wait_for(|| (server.whoami("wrong").status == 429).then_some(()));
        let mut line = server.line();
        for _ in 0..1000 {
            assert_eq!(
                server.get("/user").user(&tokens[0]).over(&mut line).expect("an answer").status,
                200
            );
        }
        done.store(true, Ordering::Relaxed);
        let [looked_at, refused] = bad.join().expect("no panic");
        assert!(looked_at <= 5 && refused > 0, "{looked_at} and {refused}");
    });
}

#[test]
fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own() {
    let Fixture { server, .. } = fixture(&[(FAILED_KEYS, "1"), (PROXIES, "127.0.0.1/32")]);
    let from = |addresses: &str| {
        server.get("/user").user("wrong").header("X-Forwarded-For", addresses).send().status
    };
    for (addresses, status) in [
        ("192.0.2.1", 403),
        ("192.0.2.1", 429),
        ("192.0.2.2", 403),
        // What a client says of itself changes nothing.
        ("192.0.2.9, 192.0.2.1", 429),
        ("192.0.2.1, 192.0.2.3", 403),
        ("2001:db8::1", 403),
        ("2001:db8::2", 429),
        // Nobody knows who that is: it is held against the proxy.
        ("unknown", 403),
        ("somebody else", 429),
    ] {
        assert_eq!(from(addresses), status, "{addresses}");
    }
}

#[test]
fn nobody_else_is_believed_about_an_address() {
    for proxies in ["", "192.0.2.0/24"] {
        let Fixture { server, .. } = fixture(&[(FAILED_KEYS, "1"), (PROXIES, proxies)]);
        for (address, status) in [("192.0.2.1", 403), ("192.0.2.2", 429)] {
            let call = server.get("/user").user("wrong").header("X-Forwarded-For", address);
            assert_eq!(call.send().status, status, "{address} behind {proxies:?}");
        }
    }
}

#[test]
fn the_inside_is_not_shown_through_a_proxy() {
    let Fixture { server, .. } = fixture(&[(PROXIES, "127.0.0.1")]);
    let health = |address: &str| {
        server.get("/healthz").header("X-Forwarded-For", address).send().expect(200)
    };
    assert!(health("203.0.113.7").get("server").is_none());
    assert!(health("127.0.0.1, 203.0.113.7").get("server").is_none());
    assert!(server.get("/healthz").send().expect(200)["server"].is_object());
}

#[test]
fn the_access_log_tells_the_client_behind_a_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).env(PROXIES, "127.0.0.0/8").start();
    for (id, address, wanted) in
        [("far-1", "203.0.113.7", "from=203.0.113.7"), ("near-1", "?", "from=127.0.0.1:")]
    {
        server.get("/healthz").header("X-Request-Id", id).header("X-Forwarded-For", address).send();
        let line =
            server.stderr.find(&format!("id={id} ")).unwrap_or_else(|| panic!("no line for {id}"));
        assert!(line.contains(wanted), "{line}");
    }
}

/// The parameters `r` and `t` of a policy in `RateLimit`.
fn limit(answer: &Answer, policy: &str) -> Option<(u64, u64)> {
    let value = answer.header("ratelimit").unwrap_or_else(|| panic!("no RateLimit: {answer:?}"));
    let item = value.split(", ").find_map(|item| item.strip_prefix(&format!("\"{policy}\";r=")))?;
    let (remaining, reset) = item.split_once(";t=")?;
    Some((remaining.parse().ok()?, reset.parse().ok()?))
}

#[test]
fn requests_are_counted_by_token_whatever_becomes_of_them() {
    let Fixture { server, tokens: [one, other, _], .. } = fixture(&[(BY_TOKEN, "4")]);
    let calls = [
        (server.get("/user"), 200),
        (server.get("/transcripts/google_meet/none"), 404),
        (server.call("PUT", "/user/webhook").body("{"), 422),
        (server.call("HEAD", "/meetings"), 200),
    ];
    for (left, (call, status)) in (0..4).rev().zip(calls) {
        let answer = call.user(&one).send();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"token\";q=4;w=60"), "{answer:?}");
        let (remaining, reset) = limit(&answer, "token").expect("a limit");
        assert_eq!((remaining, reset), (left, 15 * (4 - left)), "{answer:?}");
    }
    let refused = server.whoami(&one);
    let wait = retry_after(&refused);
    assert_eq!(wait, 15, "{refused:?}");
    assert_eq!(limit(&refused, "token"), Some((0, wait)));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"token\";q=4;w=60"));
    server.whoami(&other).expect(200);
}

#[test]
fn requests_are_counted_by_user_and_the_others_have_theirs() {
    let Fixture { server, tokens: [one, two, other], .. } =
        fixture(&[(BY_TOKEN, "3"), (BY_USER, "4")]);
    let policy = Some("\"token\";q=3;w=60, \"user\";q=4;w=60");
    for (token, left) in [(&one, (2, 3)), (&one, (1, 2)), (&one, (0, 1))] {
        let answer = server.whoami(token);
        let parts = ["token", "user"].map(|policy| limit(&answer, policy).expect("a limit").0);
        assert_eq!((parts[0], parts[1]), left, "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), policy);
    }
    // What one token may not ask is not held against the user's other one.
    for _ in 0..5 {
        let refused = server.whoami(&one);
        retry_after(&refused);
        assert_eq!(limit(&refused, "user"), None, "{refused:?}");
    }
    server.whoami(&two).expect(200);
    let refused = server.whoami(&two);
    assert_eq!(limit(&refused, "user"), Some((0, retry_after(&refused))));
    server.whoami(&other).expect(200);
}

#[test]
fn a_user_who_changes_is_still_the_same() {
    let Fixture { server, tokens, .. } = fixture(&[(BY_USER, "2")]);
    for _ in 0..2 {
        let body = json!({ "webhook_url": "https://example.com/hook" });
        assert_eq!(
            server.call("PUT", "/user/webhook").user(&tokens[0]).json(&body).send().status,
            200
        );
    }
    retry_after(&server.whoami(&tokens[0]));
}

#[test]
fn sockets_count_as_requests() {
    let Fixture { server, tokens, .. } = fixture(&[(BY_TOKEN, "2")]);
    Watcher::open(&server, &tokens[0]).expect_nothing();
    retry_after(&server.whoami(&tokens[0]));
}

#[test]
fn messages_on_a_socket_count_as_requests() {
    let Fixture { server, tokens, clock, .. } = fixture(&[(BY_TOKEN, "6")]);
    let mut socket = Watcher::open(&server, &tokens[0]);
    let ask = |socket: &mut Watcher, text: &str| {
        socket.say(text);
        socket.json()
    };
    let refused = json!({
        "type": "error",
        "error": "too_many_requests",
        "code": "too_many_requests",
        "reason": "The next request is answered in 10 s.",
    });
    let ping = r#"{"action":"ping"}"#;
    assert_eq!(ask(&mut socket, "no JSON")["error"], "invalid_json");
    assert_eq!(ask(&mut socket, "{}")["error"], "unknown_action");
    // A message that names eleven meetings costs as much as two.
    let eleven: Vec<_> = (0..11).map(|_| json!({"platform": "teams", "native_id": "1"})).collect();
    let subscribe = json!({"action": "unsubscribe", "meetings": eleven}).to_string();
    assert_eq!(ask(&mut socket, &subscribe)["type"], "unsubscribed");
    assert_eq!(ask(&mut socket, ping)["type"], "pong");
    assert_eq!(ask(&mut socket, ping), refused);
    assert_eq!(ask(&mut socket, "no JSON"), refused);
    retry_after(&server.whoami(&tokens[0]));
    clock.advance(Duration::from_secs(10));
    assert_eq!(ask(&mut socket, ping)["type"], "pong");
}

#[test]
fn what_is_expensive_counts_as_several_requests() {
    let Fixture { server, tokens: [one, two, _], .. } = fixture(&[(BY_TOKEN, "12")]);
    let answer = server.delete("/meetings/teams/1234567890").user(&one).send();
    assert_eq!((answer.status, limit(&answer, "token")), (404, Some((2, 50))), "{answer:?}");
    let refused = server.delete("/meetings/teams/1234567890").user(&one).send();
    assert_eq!(retry_after(&refused), 40);
    server.whoami(&one).expect(200);
    server.get("/transcripts/search?q=x").user(&two).send().expect(200);
    let answer = server.get("/transcripts/search?q=x").user(&two).send();
    assert_eq!(limit(&answer, "token"), Some((2, 50)), "{answer:?}");
}

#[test]
fn the_limits_are_on_by_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).start();
    let id = server.new_user("one@example.com");
    let answer = server.whoami(&server.new_token(id).text);
    let policy = "\"token\";q=600;w=60, \"user\";q=1200;w=60";
    assert_eq!(answer.header("ratelimit-policy"), Some(policy), "{answer:?}");
    server.terminate();
}

#[test]
fn who_is_not_limited_hears_of_no_limit() {
    let limited = fixture(&[(BY_TOKEN, "1"), (BY_USER, "1")]);
    let Fixture { server, tokens, .. } = fixture(&[]);
    for answer in [
        limited.server.get("/admin/users").admin().send(),
        limited.server.get("/admin/users").admin().send(),
        limited.server.get("/healthz").send(),
        limited.server.whoami("wrong"),
        server.whoami(&tokens[0]),
        server.whoami(&tokens[0]),
    ] {
        assert_ne!(answer.status, 429);
        for header in ["ratelimit", "ratelimit-policy", "retry-after"] {
            assert_eq!(answer.header(header), None, "{answer:?}");
        }
    }
}
