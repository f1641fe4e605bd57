//! What clients send although it is not written as it should be, and what is certain all the same:
//! empty texts, digits in quotes, blanks, null for no body, byte order marks.

use crate::bots::{setup, user};
use crate::client::{Answer, Client};
use crate::server::Server;
use crate::watcher::Watcher;
use serde_json::{Value, json};

/// U+FEFF in UTF-8.
const MARK: &str = "\u{feff}";

fn add_user(server: &Client, body: &Value) -> Answer {
    server.post("/admin/users").admin().json(body).send()
}

#[test]
fn an_empty_text_is_absent_where_a_text_may_be() {
    let server = Server::start();
    let empty = json!({ "email": "a@example.com", "name": "", "image_url": "", "data": {} });
    let made = add_user(&server, &empty).expect(201);
    assert_eq!((&made["name"], &made["image_url"]), (&Value::Null, &Value::Null));
    let named = json!({ "name": "Ada", "image_url": "https://example.com/a.png" });
    server.patch("/admin/users/1").admin().json(&named).send().expect(200);
    // It clears what null clears.
    let cleared = json!({ "name": "", "email": "" });
    let user = server.patch("/admin/users/1").admin().json(&cleared).send().expect(200);
    assert_eq!((&user["name"], &user["image_url"]), (&Value::Null, &named["image_url"]));
    let token = server.post("/admin/users/1/tokens").admin().json(&json!({ "name": "" }));
    let token = token.send().expect(201);
    assert_eq!(token["name"], Value::Null);
    let key = token["token"].as_str().expect("a token");
    for path in ["/meetings?status=&platform=", "/user/usage?from=&to=&by=&format=&after="] {
        server.get(path).user(key).send().expect(200);
    }
    let list = server.get("/admin/users?q=").admin().send().expect(200);
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    // What must be there must say something, and a number is no text.
    assert_eq!(add_user(&server, &json!({ "email": "" })).faults()[0].0, "value_error");
    let no_number = json!({ "email": "b@example.com", "max_concurrent_bots": "" });
    assert_eq!(add_user(&server, &no_number).faults()[0].0, "int_parsing");
}

#[test]
fn a_bot_is_sent_without_what_is_empty() {
    let server = setup().start();
    let token = user(&server, "a@example.com", 2);
    let body = json!({
        "platform": "google_meet", "native_meeting_id": "abc-defg-hij",
        "bot_name": "", "language": "", "task": "", "passcode": "",
    });
    let meeting = server.post("/bots").user(&token.text).json(&body).send().expect(201);
    assert_eq!(meeting["constructed_meeting_url"], "https://meet.google.com/abc-defg-hij");
}

#[test]
fn digits_in_a_text_are_a_number() {
    let server = Server::start();
    for (n, (sent, expected)) in
        [("2", 2), (" 3 ", 3), ("007", 7), ("+4", 4), ("5.0", 5)].into_iter().enumerate()
    {
        let email = format!("n{n}@example.com");
        let body = json!({ "email": email, "max_concurrent_bots": sent });
        assert_eq!(add_user(&server, &body).expect(201)["max_concurrent_bots"], expected);
    }
    for sent in ["two", "5.5", "-1", "1e3", "0x1", "٣"] {
        let body = json!({ "email": "x@example.com", "max_concurrent_bots": sent });
        assert_eq!(add_user(&server, &body).faults()[0].1, "body.max_concurrent_bots", "{sent}");
    }
    let body = json!({ "expires_in": "3600" });
    let token = server.post("/admin/users/1/tokens").admin().json(&body).send().expect(201);
    assert!(token["expires_at"].is_string(), "{token}");
}

#[test]
fn blanks_around_an_address_are_trimmed() {
    let server = Server::start();
    let user = add_user(&server, &json!({ "email": " Ada@example.com\t\n" })).expect(201);
    assert_eq!(user["email"], "Ada@example.com");
    assert_eq!(add_user(&server, &json!({ "email": "ada@example.com " })).expect(200), user);
    let found = server.get("/admin/users/email/%20ada@example.com%20").admin().send();
    assert_eq!(found.expect(200), user);
}

#[test]
fn no_body_null_and_an_empty_one_are_the_same_where_none_is_needed() {
    let server = Server::start();
    server.new_user("a@example.com");
    for body in ["", "null", " null\n", "{}", &format!("{MARK}null"), MARK] {
        let call = server.post("/admin/users/1/tokens").admin();
        let call = call.header("Content-Type", "application/json").body(body);
        let token = call.send().expect(201);
        let id = &token["id"];
        let call = server.post(format!("/admin/tokens/{id}/rotate")).admin().body(body);
        let rotated = call.send().expect(201);
        let key = rotated["token"].as_str().expect("a token");
        server.post("/user/tokens/rotate").user(key).body(body).send().expect(201);
    }
    let answer = server.post("/admin/users").admin().body("null").send();
    assert_eq!(answer.faults(), [("missing".to_owned(), "body".to_owned())]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let server = Server::start();
    let body = format!("{MARK}{}", json!({ "email": "a@example.com" }));
    server.post("/admin/users").admin().body(body).send().expect(201);
    let token = server.new_token(1);
    let mut watcher = Watcher::open(&server, &token.text);
    watcher.say(format!("{MARK}{}", json!({ "action": "ping" })));
    assert_eq!(watcher.json(), json!({ "type": "pong" }));
    let broken = format!("{MARK}{{");
    let answer = server.post("/admin/users").admin().body(broken).send();
    assert_eq!(answer.faults()[0].0, "json_invalid");
}
