//! What browsers are told to keep to themselves, and what must not stand in a log or in an answer.

use crate::client::{ADMIN_KEY, segment};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use serde_json::json;
use vomeet::domain::PlainToken;

#[test]
fn a_key_that_is_sent_as_a_request_id_is_not_taken() {
    let mut token = String::new();
    let server = Setup::new().rows(|db| token = insert_token(db, 1, None)).start();
    let id_of = |sent: &str, header: (&str, &str)| {
        let call = server.get("/healthz").header("X-Request-Id", sent).header(header.0, header.1);
        call.send().header("x-request-id").expect("an id").to_owned()
    };
    let nothing = ("Accept", "*/*");
    for plain in ["a", "0123456789abcdef", "a.b_c-d", &"a".repeat(40), &"b".repeat(64)] {
        assert_eq!(id_of(plain, nothing), plain);
    }
    let unknown = PlainToken::generate().expect("randomness");
    for sent in [
        token.clone(),
        format!("request-{token}"),
        format!("{token}.1"),
        format!("a{token}b"),
        unknown.reveal().to_owned(),
    ] {
        assert!(!id_of(&sent, nothing).contains(&sent), "{sent}");
        assert_eq!(id_of(&sent, nothing).len(), 16, "another id");
    }
    for (name, value) in [
        ("X-Admin-API-Key", ADMIN_KEY),
        ("X-API-Key", "some-key-of-another-server"),
        ("Authorization", "Bearer some-secret-of-a-bot"),
    ] {
        let key = value.rsplit(' ').next().expect("a key");
        assert_eq!(id_of(key, (name, value)).len(), 16, "{name}");
        assert_eq!(id_of("1", (name, value)), "1", "{name}");
    }
}

#[test]
fn every_answer_says_that_it_is_no_other_type_and_for_no_other_site() {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    for (call, status) in [
        (server.get("/"), 200),
        (server.get("/healthz"), 200),
        (server.get("/metrics"), 200),
        (server.get("/docs"), 200),
        (server.get("/openapi.json"), 200),
        (server.get("/user"), 403),
        (server.get("/user").user(&token.text), 200),
        (server.get("/meetings").user(&token.text), 200),
        (server.post("/admin/users").admin().body("{"), 422),
        (server.get("/nowhere"), 404),
        (server.delete("/user"), 405),
        (server.delete(format!("/admin/tokens/{}", token.id)).admin(), 204),
    ] {
        let answer = call.send();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        let policy = answer.header("cross-origin-resource-policy");
        assert_eq!(policy, Some("same-origin"), "{answer:?}");
    }
}

#[test]
fn pages_of_other_sites_open_no_socket() {
    let server = Setup::new().set("VOMEET_HTTP_CORS_ORIGINS", "https://app.example.com").start();
    let own = format!("http://{}", server.address);
    for (origin, status) in [
        (None, 101),
        (Some(own.as_str()), 101),
        (Some("https://app.example.com"), 101),
        (Some("https://evil.example"), 403),
        (Some("http://localhost:1"), 403),
        (Some("null"), 403),
    ] {
        let call = server
            .get("/ws")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let call = origin.iter().fold(call, |call, origin| call.header("Origin", origin));
        let mut line = server.line();
        line.send(call.bytes()).expect("sent");
        let head = line.answer(true).expect("an answer");
        assert_eq!(head.status, status, "{origin:?}");
    }
}

#[test]
fn a_test_of_a_webhook_tells_no_names_of_the_network() {
    let mut token = String::new();
    let server = Setup::new().rows(|db| token = insert_token(db, 1, None)).start();
    let error_of = |url: &str| {
        let body = json!({ "webhook_url": url });
        server.call("PUT", "/user/webhook").user(&token).json(&body).send().expect(200);
        let tested = server.post("/user/webhook/test").user(&token).send().expect(200);
        assert_eq!((&tested["delivered"], &tested["status"]), (&json!(false), &json!(null)));
        tested["error"].as_str().expect("an error").to_owned()
    };
    let private = error_of("http://localhost:1/hook");
    assert!(private.contains("unknown, private or reserved"), "{private}");
    assert_eq!(error_of("http://no-such-name.invalid/hook"), private);
}

#[test]
fn an_address_is_one_by_what_the_dns_has_of_it() {
    let server = Server::start();
    let sharp = server.new_user("ceo@straße.de");
    let plain = server.new_user("ceo@strasse.de");
    assert_ne!(sharp, plain);
    let munich = server.new_user("u@münchen.de");
    let again =
        server.post("/admin/users").admin().json(&json!({ "email": "U@xn--mnchen-3ya.DE" }));
    assert_eq!(again.send().expect(200)["id"], munich);
    for (email, id) in [
        ("ceo@STRASSE.de", plain),
        ("ceo@xn--strae-oqa.de", sharp),
        ("u@MÜNCHEN.de", munich),
        ("u@xn--mnchen-3ya.de", munich),
    ] {
        let path = format!("/admin/users/email/{}", segment(email));
        assert_eq!(server.get(path).admin().send().expect(200)["id"], id, "{email}");
    }
    let found = server.get(format!("/admin/users?q={}", segment("münch"))).admin().send();
    assert_eq!(found.expect(200)[0]["id"], munich, "by a part of it");
}
