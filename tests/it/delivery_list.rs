//! The list of the caller's webhook deliveries: whose they are, their order and pages.

use crate::client::{Answer, Client, wait_for};
use crate::deliveries::{insert_event, insert_user, list, now, setup};
use crate::receiver::{FAULT, OK, Receiver};
use crate::server::Server;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn deliveries_are_the_callers_own_newest_first_and_paged() {
    let mut keys = [String::new(), String::new(), String::new()];
    let setup = setup().rows(|db| {
        keys = [1, 2, 3].map(|user| insert_user(db, user, None));
        (0..30).for_each(|n| insert_event(db, 1 + n % 2, 1 + n % 2, n, now()));
    });
    let server = setup.start();
    let ids = |key: &str, query: &str| -> Vec<i64> {
        list(&server, key, query)
            .iter()
            .map(|delivery| delivery["id"].as_i64().expect("an id"))
            .collect()
    };
    let odd: Vec<i64> = (0..15).map(|n| 29 - 2 * n).collect();
    let even: Vec<i64> = (0..15).map(|n| 30 - 2 * n).collect();
    assert_eq!(
        (ids(&keys[0], ""), ids(&keys[1], ""), ids(&keys[2], "")),
        (odd.clone(), even, vec![])
    );
    assert_eq!(ids(&keys[0], "?limit=4"), odd[..4]);
    assert_eq!(ids(&keys[0], "?limit=4&before=23"), odd[4..8]);
    assert_eq!(ids(&keys[0], "?before=1"), Vec::<i64>::new());
    for (query, fault) in
        [("limit=0", "query.limit"), ("limit=1001", "query.limit"), ("before=x", "query.before")]
    {
        let answer = server.get(format!("/user/webhook/deliveries?{query}")).user(&keys[0]).send();
        assert_eq!(answer.faults()[0].1, fault, "{query}");
    }
}

fn of_user(server: &Client, user: i64, query: &str) -> Answer {
    server.get(format!("/admin/users/{user}/webhook/deliveries{query}")).admin().send()
}

fn resend(server: &Client, id: i64) -> Answer {
    server.post(format!("/admin/deliveries/{id}/resend")).admin().send()
}

fn resend_own(server: &Client, key: &str, id: i64) -> Answer {
    server.post(format!("/user/webhook/deliveries/{id}/resend")).user(key).send()
}

/// Waits until the newest delivery of a user is in this state, after so many attempts.
fn wait_for_state(server: &Client, key: &str, state: &str, attempts: i64) -> Value {
    wait_for(|| {
        let newest = list(server, key, "?limit=1")[0].clone();
        (newest["state"] == state && newest["attempts"] == attempts).then_some(newest)
    })
}

#[test]
fn an_administrator_sees_a_users_webhook_and_deliveries() {
    let (mut key, url) = (String::new(), "https://example.com/hook");
    let setup = setup().rows(|db| {
        key = insert_user(db, 1, Some(url));
        insert_user(db, 2, None);
        (0..3).for_each(|n| insert_event(db, 1 + n % 2, 1 + n % 2, n, now()));
        db.execute(
            "INSERT INTO webhook_secrets (user_id, secret) VALUES (1, 'a-secret-of-a-webhook')",
            [],
        )
        .expect("a secret");
        db.execute("UPDATE deliveries SET next_at = NULL", []).expect("over");
    });
    let server = setup.start();
    let own = json!({ "deliveries": list(&server, &key, "") });
    assert_eq!(of_user(&server, 1, "").expect(200), own);
    let page = of_user(&server, 1, "?limit=1&before=3").expect(200);
    assert_eq!(page["deliveries"], json!([own["deliveries"][1]]));
    assert_eq!(of_user(&server, 1, "?limit=0").faults()[0].1, "query.limit");
    let webhook = |user: i64| server.get(format!("/admin/users/{user}/webhook")).admin().send();
    assert_eq!(webhook(1).expect(200), json!({"webhook_url": url, "has_secret": true}));
    assert_eq!(webhook(2).expect(200), json!({"webhook_url": null, "has_secret": false}));
    for answer in [webhook(3), of_user(&server, 3, "")] {
        assert_eq!(answer.refusal(), (404, "User not found".to_owned()));
    }
    for path in ["/admin/users/1/webhook", "/admin/users/1/webhook/deliveries"] {
        assert_eq!(server.get(path).user(&key).send().status, 403, "{path}");
    }
}

/// A receiver that takes events once it is told to.
fn moody() -> (Arc<AtomicBool>, Receiver) {
    let takes = Arc::new(AtomicBool::new(false));
    let taking = Arc::clone(&takes);
    let receiver = Receiver::answering(move |_| {
        Some(if taking.load(Ordering::SeqCst) { OK } else { FAULT }.to_owned())
    });
    (takes, receiver)
}

/// A server with an event of user 1 that was given up, and users 2 and 3.
fn with_an_event_given_up(receiver: &Receiver) -> (Server, [String; 3]) {
    let mut keys = [String::new(), String::new(), String::new()];
    let setup = setup().rows(|db| {
        keys = [1, 2, 3]
            .map(|user| insert_user(db, user, (user < 3).then(|| receiver.url()).as_deref()));
        // Longer ago than an event is tried: a failed attempt is the last.
        insert_event(db, 1, 1, 1, now() - 8 * 86_400_000);
        insert_event(db, 3, 3, 1, now());
        db.execute("UPDATE deliveries SET next_at = NULL, attempts = 4", []).expect("given up");
    });
    (setup.start(), keys)
}

#[test]
fn an_event_that_was_given_up_is_sent_once_more() {
    let (takes, receiver) = moody();
    let (server, [key, other, _]) = with_an_event_given_up(&receiver);
    let answer = resend(&server, 1).expect(202);
    assert_eq!((&answer["id"], &answer["state"]), (&json!(1), &json!("waiting")));
    receiver.next();
    let failed = wait_for_state(&server, &key, "given_up", 5);
    assert_eq!(failed["last_status"], 500);
    takes.store(true, Ordering::SeqCst);
    resend_own(&server, &key, 1).expect(202);
    let came = receiver.next();
    assert_eq!(came.header("x-vomeet-delivery"), Some("uid-1-1"), "another event");
    let delivered = wait_for_state(&server, &key, "delivered", 6);
    assert_eq!(delivered["last_error"], Value::Null);
    // What was delivered is sent again as well.
    resend_own(&server, &key, 1).expect(202);
    receiver.next();
    wait_for_state(&server, &key, "delivered", 7);
    let entries = server.get("/admin/audit?action=webhook.resend").admin().send().expect(200);
    let entry = &entries["entries"][0];
    let subject = (&entry["subject"], &entry["subject_id"], &entry["user_id"]);
    assert_eq!(subject, (&json!("delivery"), &json!(1), &json!(1)));
    assert_eq!(
        (&entry["before"]["state"], &entry["after"]["state"]),
        (&json!("given_up"), &json!("waiting"))
    );
    assert_eq!(entries["entries"].as_array().map(Vec::len), Some(1), "users' own are not recorded");
    assert_eq!(resend_own(&server, &other, 1).refusal(), (404, "Delivery not found".to_owned()));
}

#[test]
fn a_delivered_event_that_is_refused_the_second_time_holds_nothing_up_and_stays_delivered() {
    // A receiver that drops doubles by their name.
    let receiver = Receiver::answering(|event| {
        let is_known = event.header("x-vomeet-delivery") == Some("uid-1-1");
        let refusal = "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n";
        Some(if is_known { refusal } else { OK }.to_owned())
    });
    let (mut key, created_at) = (String::new(), now());
    let setup = setup().rows(|db| {
        key = insert_user(db, 1, Some(&receiver.url()));
        insert_event(db, 1, 1, 1, created_at);
        let over = "UPDATE deliveries SET next_at = NULL, delivered_at = created_at, attempts = 1";
        db.execute(over, []).expect("delivered");
        insert_event(db, 1, 1, 2, created_at);
        // Both are to wait at one time.
        db.execute("UPDATE users SET disabled_at = 1", []).expect("disabled");
    });
    let server = setup.start();
    let resent = resend(&server, 1).expect(202);
    assert_eq!(resent["state"], "waiting");
    server.patch("/admin/users/1").admin().json(&json!({ "disabled": false })).send().expect(200);
    let names: Vec<_> = (0..2)
        .map(|_| receiver.next().header("x-vomeet-delivery").map(ToOwned::to_owned))
        .collect();
    assert_eq!(names, [Some("uid-1-1".to_owned()), Some("uid-1-2".to_owned())]);
    let again = wait_for(|| {
        let both = list(&server, &key, "");
        let is_over = both.iter().all(|event| event["state"] == "delivered");
        is_over.then(|| both[1].clone())
    });
    let seen = (&again["attempts"], &again["last_status"], &again["next_at"]);
    assert_eq!(seen, (&json!(2), &json!(409), &Value::Null));
    assert_eq!(again["delivered_at"], again["created_at"], "when it was delivered is lost");
}

#[test]
fn only_an_event_with_somewhere_to_go_is_sent_once_more() {
    let (_, receiver) = moody();
    let (server, [key, _, without]) = with_an_event_given_up(&receiver);
    let missing = (404, "Delivery not found".to_owned());
    assert_eq!(resend(&server, 99).refusal(), missing);
    assert_eq!(resend_own(&server, &without, 1).refusal(), missing);
    for answer in [resend(&server, 2), resend_own(&server, &without, 2)] {
        assert_eq!(answer.refusal().0, 404);
        assert!(answer.text().contains("No webhook URL is set"), "{}", answer.text());
    }
    assert_eq!(resend(&server, 0).faults()[0].1, "path.id");
    let read_only = json!({ "read_only": true });
    let narrow = server.post("/user/tokens").user(&key).json(&read_only).send().expect(201);
    let narrow = narrow["token"].as_str().expect("a token");
    assert_eq!(resend_own(&server, narrow, 1).status, 403);
    assert_eq!(server.post("/admin/deliveries/1/resend").user(&key).send().status, 403);
    assert_eq!(list(&server, &key, "")[0]["attempts"], 4, "somebody has sent it");
}
