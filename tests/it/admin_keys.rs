//! What the holder of a named admin key may do with admin keys, and what the audit log says of it.

use crate::client::Answer;
use crate::server::{Server, Setup, still_clock};
use serde_json::{Value, json};
use std::time::Duration;

const YEAR: i64 = 365 * 24 * 60 * 60;

/// A named key: its id and its secret.
struct Key {
    id: i64,
    secret: String,
}

fn key_of(answer: &Answer) -> Key {
    let body = answer.expect(201);
    let secret = body["key"].as_str().expect("a key").to_owned();
    Key { id: body["id"].as_i64().expect("an id"), secret }
}

fn create(server: &Server, body: &Value) -> Key {
    key_of(&server.post("/admin/keys").admin().json(body).send())
}

fn create_by(server: &Server, maker: &Key, body: &Value) -> Answer {
    server.post("/admin/keys").header("X-Admin-API-Key", &maker.secret).json(body).send()
}

fn rotate_by(server: &Server, holder: &Key, id: i64, grace_seconds: i64) -> Answer {
    let call = server.post(format!("/admin/keys/{id}/rotate"));
    let body = json!({ "grace_seconds": grace_seconds });
    call.header("X-Admin-API-Key", &holder.secret).json(&body).send()
}

fn end_of(server: &Server, id: i64) -> Value {
    let keys = server.get("/admin/keys").admin().send().expect(200);
    let mut keys = keys.as_array().expect("keys").iter();
    keys.find(|key| key["id"] == id).expect("the key")["expires_at"].clone()
}

fn refusal(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["code"].clone())
}

#[test]
fn a_named_key_rotates_itself_alone_and_keeps_its_end() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    let ada = create(&server, &json!({ "name": "ada", "expires_in": YEAR }));
    let ben = create(&server, &json!({ "name": "ben" }));
    let not_allowed = (403, json!("not_allowed"));
    assert_eq!(refusal(&rotate_by(&server, &ada, ben.id, 0)), not_allowed);
    let end = end_of(&server, ada.id);
    clock.advance(Duration::from_hours(24));
    assert_eq!(refusal(&rotate_by(&server, &ada, ada.id, 3601)), not_allowed, "too long a grace");
    let new = key_of(&rotate_by(&server, &ada, ada.id, 3600));
    assert_eq!((new.id, end_of(&server, ada.id)), (ada.id, end), "a holder has won time");
    // The old secret works in its grace, and makes no new one.
    let listed = server.get("/admin/keys").header("X-Admin-API-Key", &ada.secret).send();
    assert_eq!(listed.status, 200);
    assert_eq!(refusal(&rotate_by(&server, &ada, ada.id, 0)), not_allowed);
    // The key of the settings gives the time that was meant.
    let path = format!("/admin/keys/{}/rotate", ada.id);
    server.post(path).admin().send().expect(201);
    assert_eq!(end_of(&server, ada.id), json!(clock.now().plus_seconds(YEAR).to_string()));
    let path = format!("/admin/keys/{}/rotate", ben.id);
    server.post(path).admin().send().expect(201);
    assert_eq!(end_of(&server, ben.id), Value::Null);
}

#[test]
fn a_named_key_makes_none_that_outlives_it() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    let ada = create(&server, &json!({ "name": "ada", "expires_in": 60 }));
    for expires_in in [Value::Null, json!(61), json!(YEAR)] {
        let body = json!({ "name": "backdoor", "expires_in": expires_in });
        let refused = create_by(&server, &ada, &body);
        assert_eq!(refusal(&refused), (403, json!("not_allowed")), "{expires_in}");
    }
    let short = key_of(&create_by(&server, &ada, &json!({ "name": "short", "expires_in": 60 })));
    assert_eq!(end_of(&server, short.id), end_of(&server, ada.id));
    let endless = create(&server, &json!({ "name": "endless" }));
    create_by(&server, &endless, &json!({ "name": "as long" })).expect(201);
    // A secret in its grace ends sooner than its key.
    let body = json!({ "grace_seconds": 10 });
    let path = format!("/admin/keys/{}/rotate", endless.id);
    server.post(path).admin().json(&body).send().expect(201);
    let refused = create_by(&server, &endless, &json!({ "name": "backdoor" }));
    assert_eq!(refusal(&refused), (403, json!("not_allowed")), "by an old secret");
}

#[test]
fn the_audit_log_tells_two_keys_of_one_name_apart() {
    let server = Server::start();
    let mut actors = Vec::new();
    for number in 0..2 {
        let ada = create(&server, &json!({ "name": "ada" }));
        let body = json!({ "email": format!("{number}@example.com") });
        let call = server.post("/admin/users").header("X-Admin-API-Key", &ada.secret);
        call.json(&body).send().expect(201);
        assert_eq!(server.delete(format!("/admin/keys/{}", ada.id)).admin().send().status, 204);
        actors.insert(0, format!("key:ada#{}", ada.id));
    }
    let by = |actor: &str| {
        let path = format!("/admin/audit?actor={}", crate::client::segment(actor));
        let page = server.get(path).admin().send().expect(200);
        let entries = page["entries"].as_array().expect("entries").iter();
        let actors = entries.map(|entry| entry["actor"].as_str().expect("an actor").to_owned());
        actors.collect::<Vec<_>>()
    };
    assert_eq!(by("key:ada"), actors, "by the name: both");
    assert_eq!(by(&actors[0]), actors[..1]);
    assert_eq!(by("key:ad"), Vec::<String>::new());
}

/// Two rotations of one key at once: the second is decided after the first, by a secret that is no
/// longer the key's, and gives no third secret.
#[test]
fn of_two_rotations_at_once_by_one_secret_one_is_made() {
    let server = Server::start();
    for round in 0..20 {
        let key = create(&server, &json!({ "name": format!("ada-{round}") }));
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let rotations: Vec<_> =
                (0..4).map(|_| scope.spawn(|| rotate_by(&server, &key, key.id, 0))).collect();
            rotations.into_iter().map(|rotation| rotation.join().expect("an answer")).collect()
        });
        let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(made.len(), 1, "round {round}");
        assert!(answers.iter().all(|answer| [201, 403].contains(&answer.status)));
        let secret = made[0].json()["key"].as_str().expect("a key").to_owned();
        let listed = server.get("/admin/keys").header("X-Admin-API-Key", &secret).send();
        assert_eq!(listed.status, 200, "round {round}: the secret that was answered opens");
    }
}
