//! What is not accepted in a path or a query, and what is said about it. Bodies are in
//! [`crate::bad_body`].

use crate::client::{ADMIN_KEY, segment};
use crate::server::Server;
use serde_json::json;
use vomeet::routes::TABLE;

/// A server with user 1 and token 1.
pub fn server() -> Server {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    server.new_token(user);
    server
}

#[test]
fn an_id_is_written_in_one_way() {
    let server = server();
    let token = server.new_token(1).text;
    let huge = "9".repeat(400);
    for (id, kind) in [
        ("+1", "int_parsing"),
        ("007", "int_parsing"),
        ("01", "int_parsing"),
        ("00", "int_parsing"),
        ("1.0", "int_parsing"),
        ("1e0", "int_parsing"),
        ("0x1", "int_parsing"),
        ("1_000", "int_parsing"),
        ("%201", "int_parsing"),
        ("1%20", "int_parsing"),
        ("1%00", "int_parsing"),
        ("%0a1", "int_parsing"),
        ("-", "int_parsing"),
        ("--1", "int_parsing"),
        ("-01", "int_parsing"),
        ("one", "int_parsing"),
        ("null", "int_parsing"),
        ("%D9%A3", "int_parsing"),
        ("%EF%BC%91", "int_parsing"),
        ("%C2%B9", "int_parsing"),
        ("1%2F2", "int_parsing"),
        ("1%252F", "int_parsing"),
        ("%2531", "int_parsing"),
        ("%zz", "int_parsing"),
        ("1%", "int_parsing"),
        ("1;x=1", "int_parsing"),
        ("%ff", "string_unicode"),
        ("%c3%28", "string_unicode"),
        ("%ed%a0%80", "string_unicode"),
        ("0", "greater_than_equal"),
        ("-1", "greater_than_equal"),
        ("-0", "greater_than_equal"),
        ("-9223372036854775808", "greater_than_equal"),
        ("9007199254740992", "less_than_equal"),
        ("9223372036854775807", "less_than_equal"),
        ("9223372036854775808", "less_than_equal"),
        ("18446744073709551617", "less_than_equal"),
        (&huge, "less_than_equal"),
    ] {
        for route in TABLE.iter().filter(|route| route.path.contains("{id}")) {
            if route.path.starts_with("/user/webhooks/") && ["0", "-0"].contains(&id) {
                // The first webhook of a user has the id 0.
                continue;
            }
            let path = route.path.replace("{id}", id).replace("{webhook_id}", "1");
            let method = route.method.as_str();
            let call = server.call(method, &path).admin().user(&token);
            let call = if method == "PATCH" { call.body(r#"{"data":{}}"#) } else { call };
            let answer = call.send();
            assert_eq!(
                answer.faults(),
                [(kind.to_owned(), "path.id".to_owned())],
                "{method} {path}"
            );
        }
    }
    for (id, status) in [("1", 200), ("%31", 200), ("2", 404), ("9007199254740991", 404)] {
        let answer = server.get(format!("/admin/users/{id}")).admin().send();
        assert_eq!(answer.status, status, "{id}");
    }
    assert_eq!(server.counts(), (1, 2));
}

#[test]
fn paging_has_bounds() {
    let server = server();
    for (query, faults) in [
        ("skip=-1", vec![("greater_than_equal", "query.skip")]),
        ("skip=9007199254740992", vec![("less_than_equal", "query.skip")]),
        ("skip=99999999999999999999999999", vec![("less_than_equal", "query.skip")]),
        ("skip=", vec![("int_parsing", "query.skip")]),
        ("skip", vec![("int_parsing", "query.skip")]),
        ("skip=+1", vec![("int_parsing", "query.skip")]),
        ("skip=%2B1", vec![("int_parsing", "query.skip")]),
        ("skip=1.5", vec![("int_parsing", "query.skip")]),
        ("skip=%00", vec![("int_parsing", "query.skip")]),
        ("skip=%ff", vec![("int_parsing", "query.skip")]),
        ("%73kip=-1", vec![("greater_than_equal", "query.skip")]),
        ("limit=0", vec![("greater_than_equal", "query.limit")]),
        ("limit=-5", vec![("greater_than_equal", "query.limit")]),
        ("limit=1001", vec![("less_than_equal", "query.limit")]),
        ("limit=100.0", vec![("int_parsing", "query.limit")]),
        ("limit=none", vec![("int_parsing", "query.limit")]),
        ("limit=5&limit=0", vec![("greater_than_equal", "query.limit")]),
        ("after=-1", vec![("greater_than_equal", "query.after")]),
        ("after=x", vec![("int_parsing", "query.after")]),
        ("after=9223372036854775808", vec![("less_than_equal", "query.after")]),
        ("q=%00", vec![("string_pattern_mismatch", "query.q")]),
        ("q=a%0Ab", vec![("string_pattern_mismatch", "query.q")]),
        (
            "skip=-1&limit=0&after=x&q=%1F",
            vec![
                ("greater_than_equal", "query.skip"),
                ("greater_than_equal", "query.limit"),
                ("int_parsing", "query.after"),
                ("string_pattern_mismatch", "query.q"),
            ],
        ),
    ] {
        let answer = server.get(format!("/admin/users?{query}")).admin().send();
        let found = answer.faults();
        let found: Vec<_> = found.iter().map(|(kind, loc)| (kind.as_str(), loc.as_str())).collect();
        assert_eq!(found, faults, "{query}");
    }
    let long = format!("/admin/users?q={}", "a".repeat(255));
    assert_eq!(server.get(long).admin().send().faults()[0].0, "string_too_long");
    for query in
        ["skip=0&limit=1", "limit=1000", "after=0", "q=%25_%27%22%5C", "q=%F0%9F%98%80", "q=%ff"]
    {
        server.get(format!("/admin/users?{query}")).admin().send().expect(200);
    }
}

/// Addresses that nobody has, and whether their text may stand in a path as it is.
pub fn bad_addresses() -> Vec<String> {
    let long_local = format!("{}@example.com", "a".repeat(65));
    let long = format!("a@{}.com", "b.".repeat(130));
    [
        "",
        " ",
        "user",
        "user@",
        "@example.com",
        "@",
        "a@b",
        "a b@example.com",
        "a@exa mple.com",
        "a @example.com",
        "a@ example.com",
        "a\n@example.com",
        "a\0@example.com",
        "a@example.com\0",
        "a\t@example.com",
        "A <a@example.com>",
        "a@[127.0.0.1]",
        "a@@example.com",
        "a@b@example.com",
        "a@example..com",
        "a@.example.com",
        "a@-example.com",
        "a@example.com.",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a,b@example.com",
        "a;b@example.com",
        "a(b)@example.com",
        "a@example.com\u{7f}",
        "a\u{85}@example.com",
        "a\u{2028}b@example.com",
        "mailto:",
        "\"a@example.com",
        &long_local,
        &long,
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn an_address_is_an_address() {
    let server = server();
    for address in bad_addresses() {
        let body = json!({ "email": address });
        let answer = server.post("/admin/users").admin().json(&body).send();
        assert_eq!(
            answer.faults(),
            [("value_error".to_owned(), "body.email".to_owned())],
            "{address:?}"
        );
        let answer = server.patch("/admin/users/1").admin().json(&body).send();
        // Empty is absent where an address may be.
        if address.is_empty() {
            answer.expect(200);
        } else {
            assert_eq!(
                answer.faults(),
                [("value_error".to_owned(), "body.email".to_owned())],
                "PATCH {address:?}"
            );
        }
        if !address.is_empty() {
            let answer =
                server.get(format!("/admin/users/email/{}", segment(&address))).admin().send();
            // One that can be no address belongs to nobody.
            if answer.status == 422 {
                assert!(address.contains(char::is_control), "GET {address:?}");
            } else {
                assert_eq!(answer.refusal(), (404, "User not found".to_owned()), "{address:?}");
            }
        }
    }
    let not_text = server.get("/admin/users/email/%ff@example.com").admin().send();
    assert_eq!(not_text.faults(), [("string_unicode".to_owned(), "path.email".to_owned())]);
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn the_longest_address_is_254_characters() {
    let server = server();
    let of = |length: usize| {
        let labels = format!("{}.{}.{}", "b".repeat(60), "c".repeat(60), "d".repeat(60));
        let rest = length - labels.len() - "@..com".len();
        format!(
            "{}@{labels}.{}.com",
            "a".repeat(rest.min(60)),
            "e".repeat(rest.saturating_sub(60).max(1))
        )
    };
    for (length, status) in [(253, 201), (254, 201), (255, 422)] {
        let address = of(length);
        assert_eq!(address.chars().count(), length, "the test itself");
        let answer = server.post("/admin/users").admin().json(&json!({"email": address})).send();
        assert_eq!(answer.status, status, "{length} characters: {}", answer.text());
        if status == 201 {
            let found =
                server.get(format!("/admin/users/email/{}", address.to_uppercase())).admin();
            assert_eq!(found.send().expect(200)["email"], address.as_str());
        }
    }
}

#[test]
fn a_target_that_is_none_is_refused_and_nothing_breaks() {
    let server = server();
    for target in [
        "",
        "user",
        "*",
        "http://",
        "/user HTTP/1.1\r\nX: y",
        "/us er",
        "/\u{0}",
        "/user#fragment",
        "//localhost/user",
        "/\u{7f}",
        "http://localhost:99999/user",
        "?",
        "/../../etc/passwd",
        "/user\\..\\admin",
    ] {
        for method in ["GET", "OPTIONS", "DELETE"] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            if let Ok(answer) = server.raw(&request) {
                let known = [400, 403, 404, 405, 421];
                assert!(known.contains(&answer.status), "{request:?}: {}", answer.status);
            }
        }
    }
    let utf8 = "GET /\u{fc}ser HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(
        server.raw(utf8).is_ok_and(|answer| [400, 404].contains(&answer.status)),
        "UTF-8 in a path"
    );
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn a_coding_is_named_in_any_case_and_a_tunnel_in_none() {
    let server = server();
    for (n, coding) in ["Chunked", "CHUNKED", "chunked"].into_iter().enumerate() {
        let body = format!(r#"{{"email":"chunked{n}@example.com"}}"#);
        let request = format!(
            "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\n\
             Transfer-Encoding: {coding}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        let answer = server.raw(request).expect("an answer");
        assert_eq!(answer.status, 201, "{coding}: {answer:?}");
    }
    for (target, host) in [
        ("example.com:443", "example.com:443"),
        ("example.com:443", "localhost"),
        ("localhost:80", "localhost:80"),
    ] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = server.raw(request).expect("an answer");
        assert_eq!(answer.status, 405, "CONNECT {target} with Host {host}: {answer:?}");
    }
}
