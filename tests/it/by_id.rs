//! Meetings by their ids and by the addresses of later clients: they respond as those by platform and
//! native id do, and an id says nothing of what it names.

use crate::client::Answer;
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vomeet::domain::PlainToken;

/// A token of user 1 with a scope.
fn insert_scoped(db: &Connection, scope: &Value) -> String {
    let token = PlainToken::generate().expect("randomness");
    let sql =
        "INSERT INTO tokens (user_id, hash, hint, created_at, scope) VALUES (1, ?1, ?2, 0, ?3)";
    db.execute(sql, params![token.hash().0, token.hint().0, scope.to_string()]).expect("a token");
    token.reveal().to_owned()
}

/// Meetings 1 and 2 of user 1 have one name, 3 is of user 2; the tokens of both, and one that is
/// limited to Teams.
fn start() -> (Server, [String; 3], Vec<Session>) {
    let (mut tokens, mut sessions) = ([String::new(), String::new(), String::new()], Vec::new());
    let setup = Setup::new().rows(|db| {
        let teams = json!({"read_only": false, "platforms": ["teams"], "meeting": null});
        let [one, two] = [1, 2].map(|user| insert_token(db, user, None));
        tokens = [one, two, insert_scoped(db, &teams)];
        sessions.push(insert_session(db, 1, "abc-defg-hij"));
        db.execute("UPDATE meetings SET status = 'completed', end_time = 1", []).expect("over");
        sessions.push(insert_session(db, 1, "abc-defg-hij"));
        sessions.push(insert_session(db, 2, "abc-defg-hij"));
    });
    (setup.start(), tokens, sessions)
}

fn missing() -> (u16, String) {
    (404, "Meeting not found".to_owned())
}

#[test]
fn an_id_opens_what_the_name_does_and_older_ones_too() {
    let (server, [token, ..], sessions) = start();
    sessions[1].say(&server, &json!([{"start": 1, "end": 2, "text": "newer", "speaker": "Ada"}]));
    let get = |path: &str| server.get(path).user(&token).send();
    let list = get("/meetings").expect(200)["meetings"].clone();
    for (path, expected) in [
        ("/meetings/2", &list[0]),
        ("/meetings/1", &list[1]),
        ("/bots/id/2", &list[0]),
        ("/bots/id/1", &list[1]),
    ] {
        let mut found = get(path).expect(200);
        let members = found.as_object_mut().expect("an object");
        for name in ["alarms", "sounds"] {
            assert_eq!(members.remove(name), Some(json!([])), "{path}: {name}");
        }
        assert_eq!(&found, expected, "{path}");
    }
    let by_name = get("/transcripts/google_meet/abc-defg-hij").expect(200);
    assert_eq!(get("/transcripts/by-id/2").expect(200), by_name);
    assert_eq!(by_name["segments"][0]["text"], "newer");
    assert_eq!(get("/transcripts/by-id/1").expect(200)["segments"], json!([]));
    assert_eq!(get("/transcripts/by-id/2?format=txt").text(), "[00:00:01] Ada: newer\n");
    assert_eq!(get("/bots").expect(200), get("/meetings").expect(200));
    assert_eq!(
        get("/bots?limit=1&offset=1").expect(200),
        get("/meetings?limit=1&skip=1").expect(200)
    );
    let user = get("/user").expect(200);
    assert_eq!(get("/auth/me").expect(200), user);
}

#[test]
fn a_meeting_is_noted_and_deleted_by_its_id() {
    let (server, [token, ..], sessions) = start();
    sessions[1].say(&server, &json!([{"start": 1, "end": 2, "text": "secret"}]));
    let note =
        |id: i64, body: &Value| server.patch(format!("/meetings/{id}")).user(&token).json(body);
    let noted = note(1, &json!({"data": {"name": "Old", "notes": "kept"}})).send().expect(200);
    assert_eq!((&noted["id"], &noted["data"]["name"]), (&json!(1), &json!("Old")));
    let nothing = note(1, &json!({"data": {}})).send();
    assert_eq!(nothing.refusal(), (400, "No data provided for update.".to_owned()));
    let newer = server.get("/meetings/2").user(&token).send().expect(200);
    assert_eq!(newer["data"], json!({}), "the newer one of that name is another");

    let delete = |id: i64| server.delete(format!("/meetings/{id}")).user(&token).send();
    let open = "Meeting not finalized; cannot delete transcripts. Current status: active";
    assert_eq!(delete(2).refusal(), (409, open.to_owned()));
    let said = server.get("/transcripts/by-id/2").user(&token).send().expect(200);
    assert_eq!(said["segments"][0]["text"], "secret");
    for round in ["first", "again"] {
        let gone = delete(1).expect(200);
        assert_eq!(gone["message"], "Meeting transcripts deleted and data anonymized.", "{round}");
    }
    let redacted = server.get("/meetings/1").user(&token).send().expect(200);
    assert_eq!(
        (&redacted["native_meeting_id"], &redacted["data"]),
        (&Value::Null, &json!({"redacted": true}))
    );
    assert_eq!(note(1, &json!({"data": {"name": "Back"}})).send().refusal(), missing());
}

#[test]
fn an_id_says_nothing_of_what_it_names() {
    let (server, [token, other, teams], _) = start();
    let calls = |id: &str, token: &str| -> Vec<Answer> {
        let body = json!({"data": {"name": "x"}});
        vec![
            server.get(format!("/meetings/{id}")).user(token).send(),
            server.get(format!("/bots/id/{id}")).user(token).send(),
            server.get(format!("/transcripts/by-id/{id}")).user(token).send(),
            server.patch(format!("/meetings/{id}")).user(token).json(&body).send(),
            server.delete(format!("/meetings/{id}")).user(token).send(),
        ]
    };
    for (about, id, token) in [
        ("nobody's", "99", &token),
        ("somebody else's", "3", &token),
        ("of another user", "1", &other),
        ("beyond the scope", "1", &teams),
    ] {
        for (n, answer) in calls(id, token).iter().enumerate() {
            assert_eq!(answer.refusal(), missing(), "{about}, call {n}");
        }
    }
    for answer in calls("one", &token) {
        assert_eq!(answer.faults()[0].1, "path.id", "{}", answer.text());
    }
    let name = server.get("/meetings/3").user(&other).send().expect(200)["data"].clone();
    assert_eq!(name, json!({}), "nothing was changed");
}
