//! the HTTP contract, section Webhooks: where events may go, what is said about it, and who learns
//! of the secret.

use crate::client::{Answer, Client, Token};
use crate::deliveries::setup;
use crate::process::Launch;
use crate::receiver::{FAULT, OK, Receiver};
use crate::server::{Server, Setup, still_clock};
use serde_json::{Value, json};
use std::time::Duration;

const SECRET: &str = "Xq7-a-secret-of-a-webhook";
const PRIVATE: &str = "The address of the webhook is unknown, private or reserved; the operator can allow private ones.";

fn put(server: &Client, key: &Token, body: &Value) -> Answer {
    server.call("PUT", "/user/webhook").user(&key.text).json(body).send()
}

fn show(server: &Client, key: &Token) -> Value {
    server.get("/user/webhook").user(&key.text).send().expect(200)
}

fn test(server: &Client, key: &Token) -> Value {
    server.post("/user/webhook/test").user(&key.text).send().expect(200)
}

fn user_of(server: &Client) -> Token {
    server.new_token(server.new_user("one@example.com"))
}

#[test]
fn it_is_set_shown_and_removed() {
    let server = Server::start();
    let key = user_of(&server);
    let nothing = json!({"webhook_url": null, "has_secret": false});
    assert_eq!(show(&server, &key), nothing);
    let answer = server.post("/user/webhook/test").user(&key.text).send();
    assert_eq!(
        answer.refusal(),
        (404, "No webhook URL is set. Set one with PUT /user/webhook.".to_owned())
    );
    server.patch("/admin/users/1").admin().json(&json!({"data": {"a": 1}})).send().expect(200);
    let url = "https://example.com/hook?a=b";
    for (body, in_data, has_secret) in [
        (json!({"webhook_url": url}), Some(url), false),
        (json!({"webhook_url": url, "webhook_secret": SECRET}), Some(url), true),
        (json!({"webhook_url": "http://example.com"}), Some("http://example.com"), true),
        (json!({"webhook_secret": null}), Some("http://example.com"), false),
        (json!({"webhook_secret": SECRET}), Some("http://example.com"), true),
        (json!({"webhook_url": null}), None, true),
        (json!({"webhook_url": "", "webhook_secret": null}), None, false),
    ] {
        let user = put(&server, &key, &body).expect(200);
        let expected = in_data.map_or(json!({"a": 1}), |url| json!({"a": 1, "webhook_url": url}));
        assert_eq!((&user["id"], &user["data"]), (&json!(1), &expected), "{body}");
        assert_eq!(
            show(&server, &key),
            json!({"webhook_url": in_data, "has_secret": has_secret}),
            "{body}"
        );
        let admins = server.get("/admin/users/1").admin().send().expect(200);
        assert_eq!(admins["data"], expected, "{body}");
    }
}

#[test]
fn what_cannot_be_posted_to_is_refused_at_once() {
    let server = Server::start();
    let key = user_of(&server);
    let long = format!("http://example.com/{}", "x".repeat(2048));
    for (url, kind) in [
        ("http://127.0.0.1/", "url_private"),
        ("http://127.0.0.1:18056/admin/users", "url_private"),
        ("https://10.0.0.1/", "url_private"),
        ("http://172.31.255.255/", "url_private"),
        ("http://192.168.1.1/", "url_private"),
        ("http://169.254.169.254/latest/meta-data/", "url_private"),
        ("http://0.0.0.0/", "url_private"),
        ("http://2130706433/", "url_private"),
        ("http://0177.0.0.1/", "url_private"),
        ("http://0x7f.0.0.1/", "url_private"),
        ("http://127.1/", "url_private"),
        ("http://[::1]/", "url_private"),
        ("http://[::ffff:127.0.0.1]/", "url_private"),
        ("http://[64:ff9b::10.0.0.1]/", "url_private"),
        ("http://[fe80::1]/", "url_private"),
        ("http://[fd00:ec2::254]/", "url_private"),
        ("http://user:pw@example.com/", "url_parsing"),
        ("http://example.com/#x", "url_parsing"),
        ("ftp://example.com/", "url_parsing"),
        ("example.com", "url_parsing"),
        ("http://", "url_parsing"),
        ("http://example.com /", "url_parsing"),
        ("http://exam\nple.com/", "string_pattern_mismatch"),
        (&long, "string_too_long"),
    ] {
        let faults = put(&server, &key, &json!({"webhook_url": url})).faults();
        assert_eq!(faults, [(kind.to_owned(), "body.webhook_url".to_owned())], "{url}");
    }
    for (body, fault) in [
        (json!({}), ("missing", "body.webhook_url")),
        (json!({"url": "http://example.com/"}), ("missing", "body.webhook_url")),
        (json!({"webhook_url": 5}), ("string_type", "body.webhook_url")),
        (json!({"webhook_secret": "short"}), ("string_too_short", "body.webhook_secret")),
        (
            json!({"webhook_secret": "with spaces in between"}),
            ("string_pattern_mismatch", "body.webhook_secret"),
        ),
    ] {
        let faults = put(&server, &key, &body).faults();
        assert_eq!(faults, [(fault.0.to_owned(), fault.1.to_owned())], "{body}");
    }
    assert_eq!(show(&server, &key), json!({"webhook_url": null, "has_secret": false}));
}

/// What is not allowed is not even called, whoever put the address there and however it is spelled.
#[test]
fn private_addresses_are_not_reached_by_name_or_by_stealth() {
    let receiver = Receiver::taking();
    let server = Setup::new().start();
    let key = user_of(&server);
    let port = receiver.address.port();
    for url in [
        format!("http://localhost:{port}/"),
        format!("http://LOCALHOST:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        // An operator may write anything into a user's data.
        let data = json!({"data": {"webhook_url": url}});
        server.patch("/admin/users/1").admin().json(&data).send().expect(200);
        let tested = test(&server, &key);
        assert_eq!(
            (&tested["delivered"], &tested["error"]),
            (&json!(false), &json!(PRIVATE)),
            "{url}: {tested}"
        );
    }
    assert_eq!(receiver.calls(), 0, "a private address was called");
}

/// The address is shown in the user's data, and is no part of it: an administrator who changes the
/// data leaves it, unless the change names it.
#[test]
fn a_change_of_the_data_leaves_the_webhook() {
    let server = setup().start();
    let key = user_of(&server);
    let url = "https://example.com/hook";
    put(&server, &key, &json!({"webhook_url": url, "webhook_secret": SECRET})).expect(200);
    let patch = |body: Value| {
        let user = server.patch("/admin/users/1").admin().json(&body).send().expect(200);
        assert_eq!(server.get("/admin/users/1").admin().send().expect(200)["data"], user["data"]);
        user["data"].clone()
    };
    for (data, shown) in [
        (json!({"team": 7}), json!({"team": 7, "webhook_url": url})),
        (json!({}), json!({"webhook_url": url})),
        (
            json!({"webhook_url": "https://example.com/b"}),
            json!({"webhook_url": "https://example.com/b"}),
        ),
        (json!({"a": 1}), json!({"a": 1, "webhook_url": "https://example.com/b"})),
        (json!({"a": 1, "webhook_url": ""}), json!({"a": 1})),
    ] {
        assert_eq!(patch(json!({ "data": data })), shown);
        let webhook = json!({"webhook_url": shown["webhook_url"], "has_secret": true});
        assert_eq!(show(&server, &key), webhook);
    }
    put(&server, &key, &json!({"webhook_url": url})).expect(200);
    assert_eq!(patch(json!({"name": "Ada"})), json!({"a": 1, "webhook_url": url}));
    let server = server.restart();
    assert_eq!(show(&server, &key)["webhook_url"], url);
}

#[test]
fn a_test_is_posted_at_once_and_told() {
    let endless =
        format!("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n{}", "x".repeat(100_000));
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000));
    for (answer, delivered, status, error) in [
        (OK, true, json!(200), Value::Null),
        ("HTTP/1.1 204 No Content\r\n\r\n", true, json!(204), Value::Null),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", true, json!(200), Value::Null),
        (&endless, true, json!(200), Value::Null),
        (FAULT, false, json!(500), json!("The webhook answered 500.")),
        ("HTTP/1.1 410 Gone\r\n\r\n", false, json!(410), json!("The webhook answered 410.")),
        ("garbage\r\n\r\n", false, Value::Null, Value::Null),
        (&long, false, Value::Null, Value::Null),
        ("", false, Value::Null, Value::Null),
    ] {
        let (named, answer) = (format!("{answer:.40}"), answer.to_owned());
        let receiver = Receiver::answering(move |_| Some(answer.clone()));
        let server = setup().start();
        let key = user_of(&server);
        put(&server, &key, &json!({"webhook_url": receiver.url(), "webhook_secret": SECRET}))
            .expect(200);
        let tested = test(&server, &key);
        assert_eq!(
            (&tested["delivered"], &tested["status"]),
            (&json!(delivered), &status),
            "{named}: {tested}"
        );
        assert!(
            delivered == tested["error"].is_null() && tested["milliseconds"].is_u64(),
            "{named}: {tested}"
        );
        assert!(error.is_null() || tested["error"] == error, "{named}: {tested}");
        let came = receiver.next();
        assert_eq!(came.header("x-vomeet-event"), Some("webhook.test"));
        assert_eq!(came.json()["event_type"], "webhook.test");
        assert!(came.header("x-vomeet-signature").is_some(), "not signed: {came:?}");
        let kept = server.get("/user/webhook/deliveries").user(&key.text).send().expect(200);
        assert_eq!(kept, json!({"deliveries": []}), "a test was kept");
    }
}

#[test]
fn redirects_are_not_followed() {
    let inside = Receiver::taking();
    for status in [301, 302, 303, 307, 308] {
        let to = inside.url();
        let answer =
            format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        let outside = Receiver::answering(move |_| Some(answer.clone()));
        let server = setup().start();
        let key = user_of(&server);
        put(&server, &key, &json!({"webhook_url": outside.url()})).expect(200);
        let error = format!("The webhook answered {status}; redirects are not followed.");
        let tested = test(&server, &key);
        let told = (&tested["delivered"], &tested["status"], &tested["error"]);
        assert_eq!(told, (&json!(false), &json!(status), &json!(error)));
        assert_eq!(outside.calls(), 1);
    }
    assert_eq!(inside.calls(), 0, "a redirect was followed");
}

#[test]
fn a_user_tests_one_at_a_time() {
    let (receiver, clock) = (Receiver::answering(|_| None), still_clock());
    let server = setup().clock(&clock).start();
    let (key, other) = (user_of(&server), server.new_token(server.new_user("two@example.com")));
    for key in [&key, &other] {
        put(&server, key, &json!({"webhook_url": receiver.url()})).expect(200);
    }
    let call = |key: &Token| server.post("/user/webhook/test").user(&key.text);
    let mut first = server.line();
    first.send(call(&key).bytes()).expect("sent");
    receiver.next();
    let again = call(&key).send();
    assert_eq!((again.status, again.header("retry-after")), (503, Some("1")), "{again:?}");
    let mut second = server.line();
    second.send(call(&other).bytes()).expect("sent");
    receiver.next();
    clock.advance(Duration::from_secs(5));
    for mut line in [first, second] {
        let told = line.answer(false).expect("an answer").expect(200);
        assert_eq!(told["error"], "The webhook did not answer within 5 seconds.");
        assert_eq!(told["milliseconds"], 5000, "{told}");
    }
}

/// No route shows it, not even to the one who sent it, and no line of the log at its most
/// talkative.
#[test]
fn the_secret_is_nowhere_but_in_the_file() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::taking());
    let launch = Launch::serve(folder.path()).env("VOMEET_LOG", "trace");
    let server = launch.env("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8").start();
    let key = user_of(&server);
    let mut said = vec![
        put(&server, &key, &json!({"webhook_url": receiver.url(), "webhook_secret": SECRET})),
        put(&server, &key, &json!({"webhook_url": 1, "webhook_secret": SECRET})),
        put(&server, &key, &json!({"webhook_secret": format!("{SECRET} ")})),
        put(&server, &key, &json!({"webhook_url": receiver.url(), "webhook_secret": [SECRET]})),
        server.post("/user/webhook/test").user(&key.text).send(),
    ];
    assert!(receiver.next().header("x-vomeet-signature").is_some());
    for path in ["/user", "/user/webhook", "/user/webhook/deliveries", "/meetings"] {
        said.push(server.get(path).user(&key.text).send());
    }
    for path in ["/admin/users", "/admin/users/1", "/admin/users/1/tokens", "/metrics", "/healthz"]
    {
        said.push(server.get(path).admin().send());
    }
    for answer in &said {
        assert!(!answer.text().contains(&SECRET[..10]), "{answer:?}");
    }
    let ended = server.terminate();
    assert!(ended.stderr.contains("PUT /user/webhook 200"), "the log is not searched");
    assert!(!ended.stderr.contains(&SECRET[..10]) && !ended.stdout.contains(&SECRET[..10]));
}
