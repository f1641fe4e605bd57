//! The record of administrative changes: who did what, and whether somebody has tampered with it.

use crate::client::wait_for;
use crate::process::Launch;
use crate::server::{Server, Setup, open_file};
use serde_json::{Value, json};
use std::fs;
use vomeet::auth::actor;
use vomeet::domain::configured::ConfiguredToken;
use vomeet::domain::{Data, Email, PlainToken, Time};
use vomeet::store::{CreateUser, Options, Store};

const DAY_SECONDS: i64 = 86_400;

/// The record of a few changes, in a file of a server that has stopped.
fn recorded() -> Setup {
    let server = Server::start();
    for number in 0..5 {
        server.new_user(&format!("user{number}@example.com"));
    }
    server
        .patch("/admin/users/1")
        .admin()
        .json(&json!({"max_concurrent_bots": 7}))
        .send()
        .expect(200);
    server.new_token(1);
    assert_eq!(server.delete("/admin/users/2").admin().send().status, 204);
    server.stop()
}

#[test]
fn the_record_tells_what_was_before_and_after() {
    let server = recorded().start();
    let entries =
        server.get("/admin/audit?user_id=1").admin().send().expect(200)["entries"].clone();
    let actions: Vec<_> =
        entries.as_array().expect("entries").iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["token.create", "user.update", "user.create"]);
    assert_eq!(entries[1]["before"], json!({"max_concurrent_bots": 0}));
    assert_eq!(entries[1]["after"], json!({"max_concurrent_bots": 7}));
    assert_eq!(
        (&entries[1]["actor"], &entries[1]["address"]),
        (&json!("key:settings"), &json!("127.0.0.1"))
    );
    let erased = server.get("/admin/audit?user_id=2").admin().send().expect(200);
    assert_eq!(erased["entries"][1]["after"], Value::Null, "what was erased is told yet");
    let page = server.get("/admin/audit?limit=3").admin().send().expect(200);
    let next = format!("/admin/audit?limit=100&before={}", page["next"]);
    assert_eq!(
        server.get(next).admin().send().expect(200)["entries"].as_array().expect("entries").len(),
        5
    );
    let lines = server.get("/admin/audit/export").admin().send();
    let ids: Vec<_> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(ids, (1..=8).map(Value::from).collect::<Vec<_>>());
}

#[test]
fn what_holders_do_to_their_tokens_is_told_with_their_address() {
    let server = Server::start();
    let token = server.new_token(server.new_user("one@example.com"));
    server.post("/user/tokens/rotate").user(&token.text).send().expect(201);
    let entry =
        server.get("/admin/audit?action=token.rotate").admin().send().expect(200)["entries"][0]
            .clone();
    assert_eq!(
        (&entry["actor"], &entry["address"]),
        (&json!(format!("token:{}", token.id)), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&entry["before"]["id"], &entry["subject_id"]),
        (&json!(token.id), &json!(token.id + 1))
    );
}

#[test]
fn a_record_that_was_tampered_with_is_told() {
    for (how, sql, fault) in [
        ("untouched", "", None),
        ("changed", "UPDATE audit SET actor = 'key:eve' WHERE id = 3", Some((3, "changed"))),
        (
            "told otherwise",
            "UPDATE audit_details SET after = '{}' WHERE audit_id = 6",
            Some((6, "another change")),
        ),
        ("removed", "DELETE FROM audit WHERE id = 4", Some((4, "missing"))),
        ("removed at the end", "DELETE FROM audit WHERE id >= 7", Some((7, "newest were removed"))),
        ("removed at the beginning", "DELETE FROM audit WHERE id <= 2", Some((1, "missing"))),
        ("emptied", "DELETE FROM audit", Some((1, "newest were removed"))),
        (
            "reordered",
            "UPDATE audit SET id = 99 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 99",
            Some((3, "not where it was")),
        ),
        (
            "silenced",
            "DELETE FROM audit_details WHERE audit_id = 6",
            Some((6, "nobody was erased")),
        ),
        (
            "pruned by hand",
            "INSERT INTO audit_base VALUES (2, zeroblob(32)); DELETE FROM audit WHERE id <= 2",
            Some((3, "changed")),
        ),
    ] {
        let setup = recorded();
        open_file(&setup.database(), |db| {
            db.pragma_update(None, "foreign_keys", false).expect("foreign keys");
            db.execute_batch(sql).expect(sql);
        });
        let server = setup.start();
        let found = server.get("/admin/audit/verify").admin().send().expect(200);
        assert_eq!(found["intact"], fault.is_none(), "{how}: {found}");
        if let Some((id, words)) = fault {
            let first = &found["faults"][0];
            assert_eq!(first["id"], id, "{how}: {found}");
            assert!(first["what"].as_str().expect("a text").contains(words), "{how}: {found}");
        }
    }
}

/// Adds users as the server did days ago: so many at each of these ages.
fn add_users(setup: &Setup, days_and_counts: &[(i64, usize)]) {
    let options =
        Options { path: setup.database(), small_readers: 1, long_readers: 1, queue_max: 8 };
    let store = Store::open(&options, |_| {}).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (days, count) in days_and_counts {
        let now = Time::from_millis(jiff::Timestamp::now().as_millisecond())
            .plus_seconds(-days * DAY_SECONDS);
        for number in 0..*count {
            let email = Email::stored(format!("{days}-{number}@example.com"));
            let (name, image_url, max_concurrent_bots, data) = (None, None, 1, Data::default());
            let verb = CreateUser { email, name, image_url, max_concurrent_bots, data, now };
            let actor = actor("key:settings".to_owned(), None, now).expect("randomness");
            runtime.block_on(store.write_by(actor, verb)).expect("a user");
        }
    }
    store.close();
}

#[test]
fn old_entries_go_by_age_and_what_is_left_can_be_verified() {
    let setup = Setup::new();
    add_users(&setup, &[(12, 700), (11, 600), (9, 3)]);
    // A server has run since: without that, the clock would seem to have leapt.
    let setup = setup.rows(|db| {
        let now = jiff::Timestamp::now().as_millisecond();
        db.execute("INSERT INTO clock (id, latest) VALUES (1, ?1)", [now]).expect("a time");
    });
    let server = setup.set("VOMEET_RETENTION_AUDIT_DAYS", "10").start();
    let listed = |server: &Server| {
        server.get("/admin/audit?limit=100").admin().send().expect(200)["entries"].clone()
    };
    let is_pruned = || {
        listed(&server)
            .as_array()
            .is_some_and(|entries| {
                entries.iter().all(|entry| entry["at"].as_str() > Some(ten_days_ago().as_str()))
            })
            .then_some(())
    };
    wait_for(is_pruned);
    let entries = listed(&server);
    let kept: Vec<_> = entries
        .as_array()
        .expect("entries")
        .iter()
        .filter(|entry| entry["action"] == "user.create")
        .map(|entry| entry["id"].clone())
        .collect();
    assert_eq!(kept, [1303, 1302, 1301]);
    assert_eq!(
        (&entries[0]["action"], &entries[0]["actor"], &entries[0]["after"]["up_to"]),
        (&json!("audit.prune"), &json!("server"), &json!(1300))
    );
    let verify = |server: &Server| server.get("/admin/audit/verify").admin().send().expect(200);
    assert_eq!(verify(&server)["intact"], true, "{}", verify(&server));
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        db.execute("DELETE FROM audit WHERE id = 1301", []).expect("the oldest that is kept");
    });
    assert_eq!(
        verify(&setup.start())["intact"],
        false,
        "who goes on where the server stopped is found"
    );
}

fn ten_days_ago() -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(240)).to_string()
}

#[test]
fn what_the_settings_declare_stands_in_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = PlainToken::generate().expect("randomness");
    let hash = ConfiguredToken::of(token.reveal().as_bytes()).expect("a token");
    let declare = |text: &str| fs::write(folder.path().join("vomeet.toml"), text).expect("written");
    let ada = "[[users]]\nemail = \"ada@example.com\"\n";
    let serve = || Launch::serve(folder.path()).start();
    for text in [
        &format!("{ada}disabled = true\ntokens = [\"{hash}\"]\n"),
        &format!("{ada}max_concurrent_bots = 4\n"),
        "",
    ] {
        declare(text);
        serve().terminate();
    }
    let server = serve();
    let entries = server.get("/admin/audit").admin().send().expect(200)["entries"].clone();
    let told: Vec<_> = entries
        .as_array()
        .expect("entries")
        .iter()
        .rev()
        .map(|entry| (entry["actor"].as_str(), entry["action"].as_str().expect("a word")))
        .collect();
    let by_file = ["user.create", "user.update", "token.create", "token.revoke", "user.update"]
        .map(|action| (Some("file"), action));
    assert_eq!(told, by_file);
    assert_eq!(
        (&entries[0]["before"], &entries[0]["after"]),
        (&json!({"max_concurrent_bots": 0}), &json!({"max_concurrent_bots": 4}))
    );
    assert_eq!(server.get("/admin/audit/verify").admin().send().expect(200)["intact"], true);
    assert!(!entries.to_string().contains(&hash.to_string()[5..]), "a hash is a secret");
}
