//! Bodies that are not accepted: no JSON, wrong types, too deep, too long, badly framed.

use crate::bad_input::server;
use crate::client::ADMIN_KEY;
use serde_json::{Value, json};

type Faults = &'static [(&'static str, &'static str)];

fn owned(faults: Faults) -> Vec<(String, String)> {
    faults.iter().map(|(kind, loc)| ((*kind).to_owned(), (*loc).to_owned())).collect()
}

const MISSING: Faults = &[("missing", "body.email")];
const NO_JSON: Faults = &[("json_invalid", "body.offset")];
const NO_OBJECT: Faults = &[("model_attributes_type", "body")];

#[test]
fn a_body_is_a_json_object() {
    let server = server();
    let rows: Vec<(&[u8], Faults)> = vec![
        (b"", &[("missing", "body")]),
        (b"  \r\n\t ", &[("missing", "body")]),
        (b"null", &[("missing", "body")]),
        (b"{}", MISSING),
        (b"{\"Email\":\"a@example.com\"}", MISSING),
        (b"[]", NO_OBJECT),
        (b"[{\"email\":\"a@example.com\"}]", NO_OBJECT),
        (b"\"email\"", NO_OBJECT),
        (b"1", NO_OBJECT),
        (b"true", NO_OBJECT),
        (b"{", NO_JSON),
        (b"email=a@example.com", NO_JSON),
        (b"{'email':'a@example.com'}", NO_JSON),
        (b"{\"email\":\"a@example.com\",}", NO_JSON),
        (b"{\"email\":\"a@example.com\"} x", NO_JSON),
        (b"{\"email\":\"a@example.com\"}{}", NO_JSON),
        (b"\n\n{\"email\": nope}", NO_JSON),
        (b"{\"email\":NaN}", NO_JSON),
        (b"{\"email\":\"a\x01b\"}", NO_JSON),
        (b"\xef\xbb\xbf{\"email\":\"a@example.com\"", NO_JSON),
        (b"{}\xef\xbb\xbf", NO_JSON),
    ];
    for (body, faults) in rows {
        let shown = String::from_utf8_lossy(body).into_owned();
        let answer = server
            .post("/admin/users")
            .admin()
            .header("Content-Type", "application/json")
            .body(body)
            .send();
        let found = answer.faults();
        if faults == NO_JSON {
            // Where exactly the parser gave up is its own affair, but it is somewhere in the body.
            let (kind, loc) = &found[0];
            let offset = loc.strip_prefix("body.").and_then(|offset| offset.parse::<usize>().ok());
            assert!(offset.is_some_and(|offset| offset <= body.len()), "{shown}: {loc}");
            assert_eq!((kind.as_str(), found.len()), ("json_invalid", 1), "{shown}");
        } else {
            assert_eq!(found, owned(faults), "{shown}");
        }
    }
    for body in [
        &b"{\"email\":\"\xff@example.com\"}"[..],
        b"\xff\xfe{\0}\0",
        b"\x00",
        b"{\"a\":01}",
        br#"{"\ud800":1,"email":"a@example.com"}"#,
        br#"{"email":"a@example.com","\udfff":null}"#,
        br#"{"email":"a@example.com","x\ud800y":{}}"#,
    ] {
        let answer = server.post("/admin/users").admin().body(body).send();
        let (kind, loc) = answer.faults().remove(0);
        assert_eq!(
            (kind.as_str(), &loc[..5]),
            ("json_invalid", "body."),
            "{}",
            String::from_utf8_lossy(&body[..8.min(body.len())])
        );
    }
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn members_have_types_and_bounds() {
    let server = server();
    let email = "new@example.com";
    let long = |length: usize| json!("x".repeat(length));
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
    let rows: Vec<(&str, Value, Option<&str>)> = vec![
        ("email", json!(1), Some("string_type")),
        ("email", json!(null), Some("string_type")),
        ("email", json!([email]), Some("string_type")),
        ("email", json!({"a": email}), Some("string_type")),
        ("email", json!(true), Some("string_type")),
        ("name", json!(1), Some("string_type")),
        ("name", json!(["x"]), Some("string_type")),
        ("name", json!("a\0b"), Some("string_pattern_mismatch")),
        ("name", json!("a\nb"), Some("string_pattern_mismatch")),
        ("name", json!("\u{9f}"), Some("string_pattern_mismatch")),
        ("name", long(256), Some("string_too_long")),
        ("name", long(255), None),
        ("name", json!("ä".repeat(255)), None),
        ("name", json!("'; DROP TABLE users; --"), None),
        ("image_url", json!(0), Some("string_type")),
        ("image_url", long(2049), Some("string_too_long")),
        ("image_url", json!("x\u{7f}"), Some("string_pattern_mismatch")),
        ("image_url", long(2048), None),
        ("max_concurrent_bots", json!("one"), Some("int_parsing")),
        ("max_concurrent_bots", json!(true), Some("int_type")),
        ("max_concurrent_bots", json!([]), Some("int_type")),
        ("max_concurrent_bots", json!(1.5), Some("int_from_float")),
        ("max_concurrent_bots", json!(-1), Some("greater_than_equal")),
        ("max_concurrent_bots", json!(2_147_483_648_u64), Some("less_than_equal")),
        ("max_concurrent_bots", json!(u64::MAX), Some("less_than_equal")),
        ("max_concurrent_bots", json!(1e300), Some("less_than_equal")),
        ("max_concurrent_bots", json!(2_147_483_647), None),
        ("max_concurrent_bots", json!(3.0), None),
        ("data", json!([]), Some("dict_type")),
        ("data", json!("{}"), Some("dict_type")),
        ("data", json!(1), Some("dict_type")),
        ("data", nested(17), Some("recursion_loop")),
        ("data", nested(16), None),
        ("data", json!({"a": long(16 * 1024)}), Some("too_long")),
        ("data", json!({"a": long(16 * 1024 - 8)}), None),
        ("data", json!({"a\0b": "\0", "": {"": []}}), None),
    ];
    for (n, (name, value, kind)) in rows.into_iter().enumerate() {
        let row = format!("{name}: {:.60}", value.to_string());
        let mut body = json!({"email": format!("m{n}@example.com")});
        body[name] = value.clone();
        let created = server.post("/admin/users").admin().json(&body).send();
        let patched =
            server.patch("/admin/users/1").admin().json(&json!({ name: value.clone() })).send();
        let Some(kind) = kind else {
            let stored = if value == json!(3.0) { json!(3) } else { value };
            assert_eq!(created.expect(201)[name], stored, "{row}");
            assert_eq!(patched.expect(200)[name], stored, "PATCH {row}");
            continue;
        };
        let fault = [(kind.to_owned(), format!("body.{name}"))];
        assert_eq!(created.faults(), fault, "{row}");
        assert_eq!(created.json()["detail"][0]["input"], value, "{row}: the input is shown");
        if !(name == "email" && value.is_null()) {
            assert_eq!(patched.faults(), fault, "PATCH {row}");
        }
    }
    let faults =
        json!({"email": 1, "name": 2, "image_url": 3, "max_concurrent_bots": "x", "data": 5});
    assert_eq!(server.post("/admin/users").admin().json(&faults).send().faults().len(), 5);
}

#[test]
fn wishes_for_tokens_have_bounds() {
    let server = server();
    for (body, kind, loc) in [
        (json!({"expires_in": 0}), "greater_than_equal", "body.expires_in"),
        (json!({"expires_in": -1}), "greater_than_equal", "body.expires_in"),
        (json!({"expires_in": 3_155_760_001_u64}), "less_than_equal", "body.expires_in"),
        (json!({"expires_in": i64::MAX}), "less_than_equal", "body.expires_in"),
        (json!({"expires_in": 1.5}), "int_from_float", "body.expires_in"),
        (json!({"expires_in": "60s"}), "int_parsing", "body.expires_in"),
        (json!({"name": 1}), "string_type", "body.name"),
        (json!({"name": "a\0"}), "string_pattern_mismatch", "body.name"),
        (json!({"name": "x".repeat(256)}), "string_too_long", "body.name"),
        (json!([]), "model_attributes_type", "body"),
    ] {
        let answer = server.post("/admin/users/1/tokens").admin().json(&body).send();
        assert_eq!(answer.faults(), [(kind.to_owned(), loc.to_owned())], "{body:.60}");
    }
    let both = server
        .post("/admin/users/0/tokens")
        .admin()
        .json(&json!({"name": 1, "expires_in": "x"}))
        .send();
    let locs: Vec<String> = both.faults().into_iter().map(|(_, loc)| loc).collect();
    assert_eq!(locs, ["path.id", "body.name", "body.expires_in"], "path and body at once");
    let no_json = server.post("/admin/users/x/tokens").admin().body("{").send();
    assert_eq!(no_json.faults().len(), 2, "path and body at once");
    assert_eq!(server.counts(), (1, 1));
}

/// The refusal shows what was sent; it must stay JSON that every reader can read.
#[test]
fn a_refusal_can_be_read_whatever_was_sent() {
    let server = server();
    let deep = format!("{{\"email\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let deep_data = format!(
        "{{\"email\":\"a@example.com\",\"data\":{}}}",
        "[".repeat(5000) + &"]".repeat(5000)
    );
    for (body, kind, loc) in [
        (deep.as_str(), "string_type", "body.email"),
        (&deep_data, "dict_type", "body.data"),
        (r#"{"email":"a@example.com","name":"\ud800"}"#, "string_unicode", "body.name"),
        (r#"{"email":"\udfff@example.com"}"#, "string_unicode", "body.email"),
        (r#"{"email":"a\u0000@example.com"}"#, "value_error", "body.email"),
        (r#"{"name":"\ud800"}"#, "missing", "body.email"),
        (
            r#"{"email":"a@example.com","max_concurrent_bots":1e999}"#,
            "int_from_float",
            "body.max_concurrent_bots",
        ),
        (r#"{"email":"a@example.com","data":{"a":"\ud800"}}"#, "json_invalid", "body.data"),
        (r#"{"email":"a@example.com","data":{"\ud800":1}}"#, "json_invalid", "body.data"),
        (r#"{"email":"a@example.com","data":{"a":1e999}}"#, "json_invalid", "body.data"),
        (r#""\ud800""#, "model_attributes_type", "body"),
    ] {
        let answer = server.post("/admin/users").admin().body(body).send();
        assert_eq!(answer.status, 422, "{body:.60}");
        if let Err(error) = serde_json::from_slice::<Value>(&answer.body) {
            panic!("{body:.60}: the answer is no JSON ({error}): {answer:?}");
        }
        let (found, at) = &answer.faults()[0];
        // A parser that gives up on the whole says so of the body; both are refusals that can be
        // read.
        let whole = found == "json_invalid" && at.starts_with("body.");
        assert!(whole || (found == kind && at == loc), "{body:.60}: {found} at {at}");
    }
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn an_unknown_member_is_ignored_whatever_it_holds() {
    let server = server();
    for (n, member) in [r#""\ud800""#, "1e999", "[[[[[[{}]]]]]]", "null"].iter().enumerate() {
        let body = format!(r#"{{"email":"u{n}@example.com","unknown":{member}}}"#);
        let answer = server.post("/admin/users").admin().body(body).send();
        assert_eq!(answer.status, 201, "{member}: {}", answer.text());
    }
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    let server = server();
    let body = r#"{"email":1,"email":"twice@example.com","name":"a","\u006eame":"b"}"#;
    let user = server.post("/admin/users").admin().body(body).send().expect(201);
    assert_eq!((&user["email"], &user["name"]), (&json!("twice@example.com"), &json!("b")));
    let body = r#"{"email":"thrice@example.com","email":7}"#;
    let answer = server.post("/admin/users").admin().body(body).send();
    assert_eq!(answer.faults(), owned(&[("string_type", "body.email")]));
}

#[test]
fn the_content_type_does_not_matter_to_a_json_body() {
    let server = server();
    for (n, kind) in
        ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""]
            .iter()
            .enumerate()
    {
        let call = server.post("/admin/users").admin().header("Content-Type", kind);
        call.body(format!(r#"{{"email":"c{n}@example.com"}}"#)).send().expect(201);
    }
}

#[test]
fn a_body_has_a_longest_length() {
    let server = server();
    let too_large = (413, "The body is longer than 65536 bytes.".to_owned());
    let padded = |length: usize| {
        let start = r#"{"email":"pad@example.com""#;
        format!("{start}{}}}", " ".repeat(length - start.len() - 1))
    };
    assert_eq!(
        server.post("/admin/users").admin().body(padded(65_537)).send().refusal(),
        too_large
    );
    server.post("/admin/users").admin().body(padded(65_536)).send().expect(201);
    // Announced only: refused at once, whatever comes.
    for length in ["65537", "4294967297", "9223372036854775807"] {
        let head = format!(
            "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = server.raw(head).expect("an answer");
        assert_eq!(answer.refusal(), too_large, "{length}");
        assert_eq!(answer.header("connection"), Some("close"), "{length}");
    }
    // Unannounced: refused as soon as it is too long.
    let head = format!(
        "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut line = server.line();
    line.send(&head).expect("sent");
    line.send(format!("10001\r\n{}", " ".repeat(0x10001))).expect("sent");
    assert_eq!(line.answer(false).expect("an answer").refusal(), too_large);
    line.ended().expect("the end");
    assert_eq!(server.counts(), (2, 1));
}

#[test]
fn chunks_are_put_together() {
    let server = server();
    let head = format!(
        "POST /admin/users HTTP/1.1\r\nHost: localhost\r\nX-Admin-API-Key: {ADMIN_KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let body = r#"{"email":"chunked@example.com","name":"ä"}"#;
    let mut line = server.line();
    line.send(&head).expect("sent");
    for byte in body.bytes() {
        let chunk = [b"1;ext=\"x\"\r\n", &[byte][..], b"\r\n"].concat();
        line.send(chunk).expect("sent");
    }
    line.send("0\r\nTrailer: x\r\n\r\n").expect("sent");
    let user = line.answer(false).expect("an answer").expect(201);
    assert_eq!(user["name"], "ä");
    for (n, broken) in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-1\r\n",
        "2\r\n{}X0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "2 \n{}\r\n",
    ]
    .iter()
    .enumerate()
    {
        let mut line = server.line();
        line.send(format!("{head}{broken}")).expect("sent");
        if let Ok(answer) = line.answer(false) {
            assert_eq!(answer.status, 400, "row {n}: {broken:?}: {}", answer.text());
        }
    }
    assert_eq!(server.counts(), (2, 1));
}
