//! the HTTP contract, section Users.

use crate::client::{assert_time, fields, segment};
use crate::server::{Server, Setup};
use insta::{assert_json_snapshot, dynamic_redaction};
use serde_json::{Value, json};

const USER: [&str; 8] = [
    "created_at",
    "data",
    "disabled_at",
    "email",
    "id",
    "image_url",
    "max_concurrent_bots",
    "name",
];

/// Hides a time in a snapshot, after it was looked at.
pub fn time() -> insta::internals::Redaction {
    dynamic_redaction(|value, _| {
        let text = value.as_str().expect("a time");
        assert_time(&json!(text));
        "[time]"
    })
}

fn full() -> Value {
    json!({
        "email": "John.Doe+work@Example.com", "name": "John Doe", "image_url": "https://example.com/j.png",
        "max_concurrent_bots": 2, "data": {"b": [1, 2.50, null], "a": {"deep": "ä😀"}},
    })
}

#[test]
fn creation_answers_the_whole_user() {
    let server = Server::start();
    let create = |body: Value| server.post("/admin/users").admin().json(&body).send().expect(201);
    assert_json_snapshot!("user_full", create(full()), {".created_at" => time()});
    let plain = create(json!({"email": "plain@example.com"}));
    assert_json_snapshot!("user_plain", plain, {".created_at" => time()});
    let nulls = json!({"email": "nulls@example.com", "name": null, "image_url": null, "max_concurrent_bots": null, "data": null});
    let nulls = create(nulls);
    assert_eq!(fields(&nulls), USER);
    for field in ["name", "image_url", "max_concurrent_bots", "data"] {
        assert_eq!(nulls[field], plain[field], "{field}");
    }
}

#[test]
fn a_known_address_is_200_with_the_stored_user_unchanged() {
    let server = Server::start();
    let stored = server.post("/admin/users").admin().json(&full()).send().expect(201);
    for email in
        ["John.Doe+work@Example.com", "john.doe+work@example.com", "JOHN.DOE+WORK@EXAMPLE.COM"]
    {
        let body = json!({"email": email, "name": "Other", "max_concurrent_bots": 9, "data": {}});
        let known = server.post("/admin/users").admin().json(&body).send().expect(200);
        assert_eq!(known, stored, "{email}");
    }
    let folded = [
        ("u@m\u{fc}nchen.de", "U@XN--MNCHEN-3YA.de"),
        ("k\u{e9}@example.com", "\u{212a}\u{c9}@example.com"),
    ];
    for (first, second) in folded {
        let first = server.new_user(first);
        let again = server.post("/admin/users").admin().json(&json!({"email": second})).send();
        assert_eq!(again.expect(200)["id"], first, "{second}");
    }
    assert_eq!(server.counts(), (3, 0));
}

#[test]
fn lists_are_ordered_paged_and_filtered() {
    let server = Server::start();
    for n in 1..=120 {
        let name = if n % 2 == 0 { "Even ÄRGER" } else { "odd" };
        let body = json!({"email": format!("user{n:03}@example.com"), "name": name});
        server.post("/admin/users").admin().json(&body).send().expect(201);
    }
    server.delete("/admin/users/5").admin().send();
    let ids: Vec<u64> = (1..=120).filter(|&id| id != 5).collect();
    let list = |query: &str| -> Vec<u64> {
        let page = server.get(format!("/admin/users{query}")).admin().send().expect(200);
        let users = page.as_array().expect("an array").iter();
        users
            .map(|user| {
                assert_eq!(fields(user), USER, "{query}");
                user["id"].as_u64().expect("an id")
            })
            .collect()
    };
    let none: [u64; 0] = [];
    let even: Vec<u64> = ids.iter().copied().filter(|id| id % 2 == 0).collect();
    for (query, expected) in [
        ("", &ids[..100]),
        ("?limit=1000", &ids[..]),
        ("?skip=0&limit=100", &ids[..100]),
        ("?skip=3&limit=3", &ids[3..6]),
        ("?skip=118", &ids[118..]),
        ("?skip=119", &none),
        ("?skip=9007199254740991", &none),
        ("?limit=1", &ids[..1]),
        ("?after=4&limit=2", &ids[4..6]),
        ("?after=5&limit=2", &ids[4..6]),
        ("?after=120", &none),
        ("?after=0&limit=1000", &ids[..]),
        ("?after=100&skip=18&limit=5", &ids[117..119]),
        ("?q=user01&limit=1000", &ids[8..18]),
        ("?q=USER010", &ids[8..9]),
        ("?q=even&limit=1000", &even[..]),
        ("?q=%C3%A4rger&limit=1000", &even[..]),
        ("?q=even+%C3%84r&limit=2&after=10", &even[5..7]),
        ("?q=even%20%C3%A4&limit=2", &even[..2]),
        ("?q=%25", &none),
        ("?q=_ser", &none),
        ("?q=", &ids[..100]),
        ("?q=nobody", &none),
        ("?limit=1&limit=2", &ids[..2]),
    ] {
        assert_eq!(list(query), expected, "{query}");
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = list(&format!("?limit=7&after={after}"));
        let Some(&end) = page.last() else { break };
        after = end;
        seen.extend(page);
    }
    assert_eq!(seen, ids, "page by page");
}

#[test]
fn users_are_found_by_address_however_it_is_encoded() {
    let server = Server::start();
    let stored = server.post("/admin/users").admin().json(&full()).send().expect(201);
    let slash = server.new_user("x/y@example.com");
    let wide = server.new_user("üser@exämple.com");
    for (path, id) in [
        ("John.Doe+work@Example.com", 1),
        ("john.doe%2Bwork%40example.com", 1),
        ("%4Aohn.Doe+work@Example.com", 1),
        ("x%2Fy@example.com", slash),
        ("x%2fY@example.com", slash),
        (&segment("ÜSER@exämple.com"), wide),
    ] {
        let user = server.get(format!("/admin/users/email/{path}")).admin().send().expect(200);
        assert_eq!(user["id"], id, "{path}");
        assert_eq!(fields(&user), USER, "{path}");
    }
    let exact = server.get("/admin/users/email/John.Doe+work@Example.com").admin().send();
    assert_eq!(exact.expect(200), stored);
    for path in ["nobody@example.com", "John.Doe%20work@Example.com", "x%252Fy@example.com"] {
        let answer = server.get(format!("/admin/users/email/{path}")).admin().send();
        assert_eq!(answer.refusal(), (404, "User not found".to_owned()), "{path}");
    }
}

#[test]
fn one_user_comes_with_tokens_that_have_no_secret() {
    let server = Server::start();
    server.post("/admin/users").admin().json(&full()).send().expect(201);
    let wish = json!({"name": "laptop", "expires_in": 3600});
    let named = server.post("/admin/users/1/tokens").admin().json(&wish).send().expect(201);
    server.new_token(1);
    let user = server.get("/admin/users/1").admin().send();
    assert!(!user.text().contains(named["token"].as_str().expect("a token")));
    let hint = dynamic_redaction(|value, _| {
        assert_eq!(value.as_str().map(str::len), Some(4));
        "[hint]"
    });
    assert_json_snapshot!("user_with_tokens", user.expect(200), {
        ".created_at" => time(),
        ".api_tokens[].created_at" => time(),
        ".api_tokens[0].expires_at" => time(),
        ".api_tokens[].hint" => hint,
    });
    let missing = server.get("/admin/users/2").admin().send();
    assert_eq!(missing.refusal(), (404, "User not found".to_owned()));
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let server = Server::start();
    let mut stored = server.post("/admin/users").admin().json(&full()).send().expect(201);
    let token = server.new_token(1).text;
    for (body, changes) in [
        (json!({}), json!({})),
        (json!({"unknown": 1}), json!({})),
        (json!({"name": "Jane"}), json!({"name": "Jane"})),
        (json!({"name": null}), json!({"name": null})),
        (json!({"name": "J"}), json!({"name": "J"})),
        (json!({"name": ""}), json!({"name": null})),
        (json!({"image_url": null}), json!({"image_url": null})),
        (json!({"image_url": "https://x.example/1"}), json!({"image_url": "https://x.example/1"})),
        (json!({"max_concurrent_bots": 0}), json!({"max_concurrent_bots": 0})),
        (json!({"max_concurrent_bots": 7}), json!({"max_concurrent_bots": 7})),
        (json!({"max_concurrent_bots": null}), json!({})),
        (json!({"data": {"only": true}}), json!({"data": {"only": true}})),
        (json!({"data": null}), json!({})),
        (json!({"data": {}}), json!({"data": {}})),
        (json!({"email": "John.Doe+work@Example.com", "name": "N"}), json!({"name": "N"})),
        (json!({"email": "JOHN.DOE+WORK@EXAMPLE.COM"}), json!({})),
        (json!({"email": null, "name": "M"}), json!({"name": "M"})),
        (json!({"id": 9, "created_at": "1970-01-01T00:00:00Z"}), json!({})),
        (
            json!({"name": "All", "image_url": "i", "max_concurrent_bots": 1, "data": {"a": 1}}),
            json!({"name": "All", "image_url": "i", "max_concurrent_bots": 1, "data": {"a": 1}}),
        ),
    ] {
        for (name, value) in changes.as_object().expect("an object") {
            stored[name] = value.clone();
        }
        let answer = server.patch("/admin/users/1").admin().json(&body).send().expect(200);
        assert_eq!(answer, stored, "{body}");
        let found = server.get("/admin/users/email/john.doe+work@example.com").admin().send();
        assert_eq!(found.expect(200), stored, "{body}");
        let me = server.whoami(&token).expect(200);
        for field in ["name", "image_url", "max_concurrent_bots", "email"] {
            assert_eq!(me[field], stored[field], "{field} of GET /user after {body}");
        }
    }
    let other = server
        .patch("/admin/users/1")
        .admin()
        .json(&json!({"email": "other@example.com", "name": "X"}));
    assert_eq!(
        other.send().refusal(),
        (400, "Cannot change user email via this endpoint.".to_owned())
    );
    let found = server.get("/admin/users/email/john.doe+work@example.com").admin().send();
    assert_eq!(found.expect(200), stored, "a refused change changes nothing");
    let missing = server.patch("/admin/users/2").admin().json(&json!({"name": "X"})).send();
    assert_eq!(missing.refusal(), (404, "User not found".to_owned()));
}

#[test]
fn a_deleted_user_is_gone_with_all_that_was_theirs() {
    let server = Server::start();
    let (gone, stays) = (server.new_user("gone@example.com"), server.new_user("stays@example.com"));
    let tokens = [server.new_token(gone), server.new_token(gone)];
    let other = server.new_token(stays);
    server.whoami(&tokens[0].text).expect(200);
    let answer = server.delete(format!("/admin/users/{gone}")).admin().send();
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for path in [
        format!("/admin/users/{gone}"),
        format!("/admin/users/{gone}/tokens"),
        "/admin/users/email/gone@example.com".to_owned(),
    ] {
        assert_eq!(
            server.get(&path).admin().send().refusal(),
            (404, "User not found".to_owned()),
            "{path}"
        );
    }
    for token in &tokens {
        assert_eq!(server.whoami(&token.text).refusal(), (403, "Invalid API token".to_owned()));
        assert_eq!(server.revoke(token).refusal(), (404, "Token not found".to_owned()));
    }
    server.whoami(&other.text).expect(200);
    let again = server.delete(format!("/admin/users/{gone}")).admin().send();
    assert_eq!(again.refusal(), (404, "User not found".to_owned()));
    assert_eq!(server.counts(), (1, 1));
    assert!(server.new_user("gone@example.com") > stays, "an id came back");
}

#[test]
fn a_user_with_a_bot_in_a_meeting_stays() {
    let statuses = [
        ("requested", 409),
        ("joining", 409),
        ("awaiting_admission", 409),
        ("active", 409),
        ("stopping", 409),
        ("completed", 204),
        ("failed", 204),
    ];
    let setup = Setup::new().rows(|db| {
        for (n, (status, _)) in (1..).zip(statuses) {
            db.execute(
                "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES (?1, ?1, 1, '{}', 0)",
                [format!("u{n}@example.com")],
            ).expect("a user");
            for status in ["completed", status] {
                db.execute(
                    "INSERT INTO meetings (user_id, platform, status, data, created_at, updated_at) VALUES (?1, 'teams', ?2, '{}', 0, 0)",
                    rusqlite::params![n, status],
                ).expect("a meeting");
            }
        }
    });
    let server = setup.start();
    for (id, (status, expected)) in (1..).zip(statuses) {
        let answer = server.delete(format!("/admin/users/{id}")).admin().send();
        assert_eq!(answer.status, expected, "{status}: {}", answer.text());
        let after = server.get(format!("/admin/users/{id}")).admin().send();
        assert_eq!(after.status, if expected == 409 { 200 } else { 404 }, "{status}");
        if expected == 409 {
            assert!(answer.json()["detail"].is_string(), "{status}");
        }
    }
    crate::server::open_file(&server.stop().database(), |db| {
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
        assert_eq!(
            count("SELECT count(*) FROM meetings WHERE user_id > 5"),
            0,
            "meetings of the deleted"
        );
        assert_eq!(count("SELECT count(*) FROM meetings"), 10, "meetings of the others");
    });
}
