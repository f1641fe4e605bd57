//! What a request without the right key is told, and which keys are looked for.

use crate::client::{Call, Client};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use rusqlite::params;
use serde_json::json;
use vomeet::domain::TokenHash;

/// A key as no token of this server looks.
const FOREIGN: &str = "vxa_user_0123";

fn reason(call: &Call) -> (u16, String, String) {
    let answer = call.send();
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("reason"))
}

#[test]
fn whoever_sends_no_key_is_told_what_came_instead() {
    let server = Server::start();
    let user = "Send an API token in the header X-API-Key.";
    let admin = "Send the admin key in the header X-Admin-API-Key.";
    let user_route = |client: &Client, query: &str| client.get(format!("/user{query}"));
    let admin_route = |client: &Client, query: &str| client.get(format!("/admin/users{query}"));
    for (headers, query, of_user, of_admin) in [
        (vec![], "", "", ""),
        (
            vec![("Authorization", "Bearer abc")],
            "",
            " The request has the header Authorization instead.",
            " The request has the header Authorization instead.",
        ),
        (
            vec![("X-Api-Token", "abc")],
            "",
            " The request has the header X-API-Token instead.",
            " The request has the header X-API-Token instead.",
        ),
        (
            vec![],
            "?api_key=abc",
            " The request has a key in its query instead.",
            " The request has a key in its query instead.",
        ),
        (
            vec![("X-API-Key", ""), ("X-Admin-API-Key", "")],
            "",
            " That header is there and empty.",
            " That header is there and empty.",
        ),
    ] {
        for (call, sentence, instead) in [
            (user_route(&server, query), user, of_user),
            (admin_route(&server, query), admin, of_admin),
        ] {
            let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
            let told = reason(&call);
            assert_eq!(told, (403, "missing".to_owned(), format!("{sentence}{instead}")));
        }
    }
    let (_, code, told) = reason(&server.get("/user").admin());
    assert_eq!(
        (code.as_str(), told),
        ("missing", format!("{user} The request has the header X-Admin-API-Key instead."))
    );
    let (_, code, told) = reason(&server.get("/admin/users").user("abc"));
    assert_eq!(
        (code.as_str(), told),
        ("missing", format!("{admin} The request has the header X-API-Key instead."))
    );
    let bot = server.post("/bots/internal/segments").user("abc").json(&json!({}));
    let (status, _, told) = reason(&bot);
    assert!(status == 401 && told.ends_with("has the header X-API-Key instead."), "{told}");
    let (_, code, told) = reason(&server.get("/user").user("Bearer abc"));
    assert!(code == "mistyped" && told.contains("without quotes or words before it"), "{told}");
}

/// A file with a token that is not of the shape of ours.
fn with_foreign_token(is_foreign: bool) -> Setup {
    Setup::new().rows(|db| {
        insert_token(db, 1, None);
        db.execute(
            "INSERT INTO tokens (user_id, hash, hint, created_at, is_foreign) VALUES (1, ?1, 'vxa_', 0, ?2)",
            params![TokenHash::of(FOREIGN.as_bytes()).0, is_foreign],
        )
        .expect("a token");
    })
}

#[test]
fn keys_of_another_installation_are_looked_for_where_there_are_some() {
    let server = with_foreign_token(true).start();
    server.whoami(FOREIGN).expect(200);
    let code = |server: &Server, key: &str| reason(&server.get("/user").user(key)).1;
    assert_eq!(code(&server, "vxa_user_9999"), "mistyped");
    let explained = |key: &str| {
        let call = server.post("/admin/tokens/explain").admin().json(&json!({ "token": key }));
        call.send().expect(200)["code"].clone()
    };
    assert_eq!(explained(FOREIGN), "accepted");
    let body = json!({ "disabled": true });
    server.patch("/admin/tokens/2").admin().json(&body).send().expect(200);
    assert_eq!(code(&server, FOREIGN), "disabled");
    assert_eq!(server.delete("/admin/tokens/2").admin().send().status, 204);
    assert_eq!(code(&server, FOREIGN), "revoked");
    let server = server.restart();
    assert_eq!(code(&server, FOREIGN), "revoked", "it is remembered");
    assert_eq!(code(&server, "vxa_user_9999"), "mistyped");
}

#[test]
fn where_there_are_none_a_malformed_key_costs_no_read() {
    // It would be found if it were looked for.
    let server = with_foreign_token(false).start();
    assert_eq!(reason(&server.get("/user").user(FOREIGN)).1, "mistyped");
}
