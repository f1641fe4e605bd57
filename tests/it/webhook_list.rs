//! Several webhooks of a user: the list, and what it does not take.

use crate::client::{Answer, Client, fields};
use crate::server::Server;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::Connection;
use serde_json::{Value, json};

pub const CHOSEN: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

pub fn add(server: &Client, key: &str, body: &Value) -> Answer {
    server.post("/user/webhooks").user(key).json(body).send()
}

pub fn all(server: &Client, key: &str) -> Value {
    let body = server.get("/user/webhooks").user(key).send().expect(200);
    assert_eq!(fields(&body), ["webhooks"]);
    body["webhooks"].clone()
}

pub fn one(server: &Client, method: &str, key: &str, id: i64) -> Answer {
    server.call(method, format!("/user/webhooks/{id}")).user(key).send()
}

/// A webhook of a user that no event goes to.
pub fn insert_quiet_webhook(db: &Connection, user: i64) {
    let sql = "INSERT INTO webhooks (user_id, url, events, secret, created_at)
               VALUES (?1, 'https://example.com/hook', '[]', 'a-secret-of-a-webhook', 0)";
    db.execute(sql, [user]).expect("a webhook");
}

pub fn missing() -> (u16, String) {
    (404, "Webhook not found".to_owned())
}

#[test]
fn a_webhook_is_added_listed_changed_and_deleted() {
    let server = Server::start();
    let key = server.new_token(server.new_user("one@example.com")).text;
    let other = server.new_token(server.new_user("two@example.com")).text;
    assert_eq!(all(&server, &key), json!([]));
    assert_eq!(one(&server, "GET", &key, 0).refusal(), missing());
    let made = add(&server, &key, &json!({ "url": "https://example.com/a" })).expect(201);
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let mut wanted = json!({
        "id": 1, "url": "https://example.com/a", "events": ["meeting.status_change"],
        "has_secret": true, "old_secret_until": null, "created_at": made["created_at"],
    });
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").remove("secret");
    assert_eq!(shown, wanted);
    let events = json!(["transcript.ready", "meeting.status_change", "transcript.ready"]);
    let body = json!({ "url": "https://example.com/b", "events": events, "secret": CHOSEN });
    let second = add(&server, &key, &body).expect(201);
    assert_eq!((&second["id"], &second["secret"]), (&json!(2), &Value::Null), "{second}");
    assert_eq!(second["events"], json!(["transcript.ready", "meeting.status_change"]));
    // The one that every user had is the first of the list.
    let first = json!({ "webhook_url": "https://example.com/first" });
    server.call("PUT", "/user/webhook").user(&key).json(&first).send().expect(200);
    let listed = all(&server, &key);
    let ids: Vec<_> = listed.as_array().expect("a list").iter().map(|hook| &hook["id"]).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(listed[0]["created_at"], Value::Null);
    assert_eq!((&listed[0]["has_secret"], &listed[1]), (&json!(false), &wanted));
    assert!(!listed.to_string().contains(&secret[..12]) && !listed.to_string().contains(CHOSEN));
    // It is changed by either door, and its address is shown where clients look for it.
    let patch = |id: i64, body: Value| {
        server.patch(format!("/user/webhooks/{id}")).user(&key).json(&body).send()
    };
    let moved = json!({ "url": "https://example.com/moved", "events": ["transcript.ready"] });
    patch(0, moved.clone()).expect(200);
    let single = server.get("/user/webhook").user(&key).send().expect(200);
    assert_eq!(single, json!({ "webhook_url": "https://example.com/moved", "has_secret": false }));
    let data = server.get("/admin/users/1").admin().send().expect(200)["data"].clone();
    assert_eq!(data, json!({ "webhook_url": "https://example.com/moved" }));
    wanted["events"] = json!(["transcript.ready"]);
    wanted["url"] = json!("https://example.com/moved");
    assert_eq!(patch(1, moved).expect(200), wanted);
    assert_eq!(one(&server, "GET", &key, 1).expect(200), wanted);
    // Nobody else's.
    assert_eq!(all(&server, &other), json!([]));
    for method in ["GET", "DELETE"] {
        assert_eq!(one(&server, method, &other, 1).refusal(), missing());
    }
    for id in [0, 1] {
        assert_eq!(one(&server, "DELETE", &key, id).status, 204);
        assert_eq!(one(&server, "DELETE", &key, id).refusal(), missing());
    }
    let single = server.get("/user/webhook").user(&key).send().expect(200);
    assert_eq!(single, json!({ "webhook_url": null, "has_secret": false }));
    let server = server.restart();
    assert_eq!(
        all(&server, &key),
        json!([{
            "id": 2, "url": "https://example.com/b", "has_secret": true, "old_secret_until": null,
            "events": ["transcript.ready", "meeting.status_change"], "created_at": second["created_at"],
        }])
    );
    // An id does not come back.
    let next = add(&server, &key, &json!({ "url": "https://example.com/c" })).expect(201);
    assert_eq!(next["id"], 3);
}

#[test]
fn what_is_not_valid_is_refused_and_there_are_at_most_ten() {
    let server = Server::start();
    let key = server.new_token(server.new_user("one@example.com")).text;
    let url = "https://example.com/a";
    let short = format!("whsec_{}", BASE64.encode([7; 23]));
    for (body, kind, at) in [
        (json!({}), "missing", "body.url"),
        (json!({ "url": "" }), "missing", "body.url"),
        (json!({ "url": "http://127.0.0.1/" }), "url_private", "body.url"),
        (json!({ "url": "http://[::1]/" }), "url_private", "body.url"),
        (json!({ "url": "ftp://example.com/" }), "url_parsing", "body.url"),
        (json!({ "url": url, "events": [] }), "too_short", "body.events"),
        (json!({ "url": url, "events": ["meeting.over"] }), "enum", "body.events.0"),
        (json!({ "url": url, "events": "transcript.ready" }), "list_type", "body.events"),
        (json!({ "url": url, "secret": "short" }), "string_too_short", "body.secret"),
        (json!({ "url": url, "secret": short }), "value_error", "body.secret"),
        (json!({ "url": url, "secret": "whsec_no!base64!at!all!" }), "value_error", "body.secret"),
    ] {
        let answer = add(&server, &key, &body);
        assert_eq!(answer.faults(), [(kind.to_owned(), at.to_owned())], "{body}");
        let sent = format!("\"{}\"", body["secret"].as_str().unwrap_or("nothing"));
        assert!(!answer.text().contains(&sent), "{answer:?}");
    }
    for n in 0..10 {
        add(&server, &key, &json!({ "url": format!("https://example.com/{n}") })).expect(201);
    }
    let full = add(&server, &key, &json!({ "url": url })).refusal();
    let why = "You have 10 webhooks. Delete one with DELETE /user/webhooks/{id} first.";
    assert_eq!(full, (409, why.to_owned()));
    let patch = |body: &Value| server.patch("/user/webhooks/1").user(&key).json(body).send();
    assert_eq!(patch(&json!({})).refusal().0, 400);
    assert_eq!(patch(&json!({ "url": "http://10.0.0.1/" })).faults()[0].0, "url_private");
    assert_eq!(patch(&json!({ "events": [] })).faults()[0].0, "too_short");
    assert_eq!(one(&server, "GET", &key, -1).faults()[0].1, "path.id");
    // The one that every user has is beside those, and makes room for none.
    let first = json!({ "webhook_url": url });
    server.call("PUT", "/user/webhook").user(&key).json(&first).send().expect(200);
    assert_eq!(all(&server, &key).as_array().map(Vec::len), Some(11));
    let read_only = json!({ "read_only": true });
    let narrow = server.post("/user/tokens").user(&key).json(&read_only).send().expect(201);
    let narrow = narrow["token"].as_str().expect("a token");
    assert_eq!(all(&server, narrow), all(&server, &key));
    assert_eq!(one(&server, "DELETE", narrow, 1).status, 403);
    assert_eq!(add(&server, narrow, &json!({ "url": url })).status, 403);
}
