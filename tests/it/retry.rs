//! A bot that is sent again to a meeting that has failed.

use crate::bots::{at_work, newest, send, setup, user};
use crate::client::{Answer, Client, Token};
use crate::lifecycle::wait_until;
use crate::server::{Setup, open_file};
use serde_json::{Value, json};

fn retry(client: &Client, token: &Token, name: &str) -> Answer {
    client.post(format!("/bots/{name}/retry")).user(&token.text).send()
}

/// Sends a bot that fails at once.
fn fail(setup: Setup, wish: &Value) -> (Setup, Token) {
    let command = setup.set("VOMEET_BOTS_PROCESS_COMMAND", r#"["sh", "-c", "exit 3"]"#);
    let server = command.start();
    let token = user(&server, "one@example.com", 1);
    server.post("/bots").user(&token.text).json(wish).send().expect(201);
    wait_until(&server, &token, "failed");
    (server.stop(), token)
}

#[test]
fn a_meeting_that_failed_is_tried_again_as_it_was_and_no_other() {
    let wish = json!({"platform": "teams", "native_meeting_id": "1234567890", "passcode": "abcd",
        "bot_name": "Scribe", "language": "de", "task": "translate", "voice_agent_enabled": true});
    let (failed, token) = fail(setup(), &wish);
    let server = failed.set("VOMEET_BOTS_PROCESS_COMMAND", crate::bots::WAITING_BOT).start();
    let name = "teams/1234567890";
    let first = newest(&server, &token);
    let again = retry(&server, &token, name).expect(201);
    assert_eq!((&again["id"], &again["status"]), (&json!(2), &json!("requested")));
    assert_eq!(again["constructed_meeting_url"], first["constructed_meeting_url"]);
    assert_eq!(at_work(&server, &token)[0]["labels"]["vomeet.bot_name"], "Scribe");
    let old = server.get("/meetings/1").user(&token.text).send().expect(200);
    assert_eq!(old["status"], "failed", "the failed one stays as it is");

    let open = "Only a meeting that has failed is tried again. Current status: requested";
    assert_eq!(retry(&server, &token, name).refusal(), (409, open.to_owned()));
    server.delete(format!("/bots/{name}")).user(&token.text).send().expect(202);
    wait_until(&server, &token, "completed");
    let over = "Only a meeting that has failed is tried again. Current status: completed";
    assert_eq!(retry(&server, &token, name).refusal(), (409, over.to_owned()));
    let none = retry(&server, &token, "teams/9999999999").refusal();
    let why = "Meeting not found for platform teams and ID 9999999999";
    assert_eq!(none, (404, why.to_owned()));
    open_file(&server.stop().database(), |db| {
        let sql =
            "SELECT concat_ws(' ', language, task, has_voice) FROM sessions WHERE meeting_id = 2";
        let told: String = db.query_row(sql, [], |row| row.get(0)).expect("a session");
        assert_eq!(told, "de translate 1", "as the first one was told");
    });
}

#[test]
fn a_retry_is_under_the_rules_of_now() {
    let wish = json!({"platform": "google_meet", "native_meeting_id": "abc-defg-hij"});
    let (failed, token) = fail(setup(), &wish);
    let failed = failed.set("VOMEET_BOTS_PROCESS_COMMAND", crate::bots::WAITING_BOT);
    let server = failed.set("VOMEET_BOTS_PLATFORMS", "teams,google_meet").start();
    send(&server, &token, "aaa-aaaa-aaa").expect(201);
    let full = "User has reached the maximum concurrent bot limit (1).";
    let name = "google_meet/abc-defg-hij";
    assert_eq!(retry(&server, &token, name).refusal(), (403, full.to_owned()));
    let teams = server.stop().set("VOMEET_BOTS_PLATFORMS", "teams").start();
    let refused = retry(&teams, &token, name);
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("see bots.platforms"), "{}", refused.text());
}
