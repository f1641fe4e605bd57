//! the HTTP contract: bots sent, looked at, told otherwise, told to leave. Each is a real process
//! that only waits.

use crate::client::{Answer, Client, Token, fields, wait_for};
use crate::server::{Server, Setup};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;

/// A bot that shows what it was told in its log, and then waits to be told to leave.
pub const WAITING_BOT: &str = r#"["sh", "-c", "env; exec sleep 300"]"#;

/// A server whose bots only wait.
pub fn setup() -> Setup {
    let setup = Setup::new()
        .set("VOMEET_BOTS_RUNNER", "process")
        .set("VOMEET_BOTS_PROCESS_COMMAND", WAITING_BOT)
        // What the limit is about has tests of its own: `cost.rs`.
        .set("VOMEET_BOTS_RUNNING_MAX", "1000");
    let logs = setup.folder().join("logs").to_string_lossy().into_owned();
    setup.set("VOMEET_BOTS_LOG_FOLDER", &logs)
}

/// A user with this limit, and a token of theirs.
pub fn user(client: &Client, email: &str, limit: i64) -> Token {
    let body = json!({ "email": email, "max_concurrent_bots": limit });
    let id = client.post("/admin/users").admin().json(&body).send().expect(201)["id"]
        .as_i64()
        .expect("an id");
    client.new_token(id)
}

/// The `n`-th Google Meet code.
pub fn meet_code(n: usize) -> String {
    let letter = |power: u32| {
        char::from(b'a' + u8::try_from(n / 26usize.pow(power) % 26).expect("a letter"))
    };
    format!("aaa-a{}{}{}-aaa", letter(2), letter(1), letter(0))
}

/// Sends a bot into a Google Meet meeting.
pub fn send(client: &Client, token: &Token, code: &str) -> Answer {
    let body = json!({ "platform": "google_meet", "native_meeting_id": code });
    client.post("/bots").user(&token.text).json(&body).send()
}

/// The bots of a user that are at work.
pub fn at_work(client: &Client, token: &Token) -> Vec<Value> {
    let body = client.get("/bots/status").user(&token.text).send().expect(200);
    body["running_bots"].as_array().expect("an array").clone()
}

/// The name of the session in the user's open meeting with this code, which no response shows.
pub fn session(client: &Client, token: &Token, code: &str) -> String {
    let bots = at_work(client, token);
    let bot =
        bots.iter().rev().find(|bot| bot["native_meeting_id"] == code).expect("a bot at work");
    session_of(bot)
}

/// The name of the session of a bot that is a process, as its environment has it.
pub fn session_of(bot: &Value) -> String {
    let handle = bot["container_id"].as_str().expect("a handle");
    let pid = handle.split(':').nth(1).expect("a process");
    // Of a process that is replaced at this very moment there is none, or a part of it.
    wait_for(|| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let environment = String::from_utf8(environment).ok()?;
        let mut variables = environment.split('\0');
        let config = variables.find_map(|variable| variable.strip_prefix("BOT_CONFIG="))?;
        let config: Value = serde_json::from_str(config).ok()?;
        Some(config["connectionId"].as_str().expect("a session").to_owned())
    })
}

/// The newest meeting of a user.
pub fn newest(client: &Client, token: &Token) -> Value {
    client.get("/meetings?limit=1").user(&token.text).send().expect(200)["meetings"][0].clone()
}

#[test]
fn a_bot_is_sent_seen_and_told_to_leave() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 2);
    let wish = json!({
        "platform": "teams", "native_meeting_id": "1234567890", "bot_name": "Scribe", "language": "de",
        "task": "translate", "passcode": "abcd1234", "unknown": true
    });
    let meeting = server.post("/bots").user(&token.text).json(&wish).send().expect(201);
    assert_eq!(meeting["status"], "requested");
    assert_eq!(
        meeting["constructed_meeting_url"],
        "https://teams.live.com/meet/1234567890?p=abcd1234"
    );
    assert_eq!(
        (&meeting["platform"], &meeting["native_meeting_id"]),
        (&json!("teams"), &json!("1234567890"))
    );
    assert!(
        meeting["bot_container_id"].as_str().is_some_and(|id| id.starts_with("process:")),
        "{meeting}"
    );
    assert_eq!(newest(&server, &token), meeting, "the list shows the same");

    let bots = at_work(&server, &token);
    let bot = &bots[0];
    assert_eq!(bots.len(), 1);
    assert_eq!(bot["container_id"], meeting["bot_container_id"]);
    assert_eq!(
        (&bot["container_name"], &bot["meeting_id_from_name"]),
        (&json!("vomeet-bot-1"), &json!("1"))
    );
    assert_eq!(
        (&bot["status"], &bot["normalized_status"]),
        (&json!("requested"), &json!("Requested"))
    );
    assert_eq!(fields(&bot["labels"]), ["vomeet.bot_name", "vomeet.meeting_id", "vomeet.uid"]);

    let stop = || server.delete("/bots/teams/1234567890").user(&token.text).send();
    assert_eq!(stop().expect(202)["message"], "Stop request accepted and is being processed.");
    let over = crate::lifecycle::wait_until(&server, &token, "completed");
    assert_eq!(over["data"]["completion_reason"], "stopped");
    assert_eq!(stop().expect(202)["message"], "Meeting already completed.");
    assert_eq!(at_work(&server, &token), Vec::<Value>::new());
    let none = server.delete("/bots/teams/1234567891").user(&token.text).send();
    assert_eq!(none.refusal(), (404, "No meeting found to stop.".to_owned()));
}

#[test]
fn a_bot_is_told_all_that_the_contract_names_and_nothing_else() {
    let server = setup().set("VOMEET_BOTS_WHISPER_LIVE_URL", "ws://whisper:9090").start();
    let token = user(&server, "one@example.com", 2);
    let wish =
        json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij", "language": "en" });
    server.post("/bots").user(&token.text).json(&wish).send().expect(201);
    let environment = bot_environment(&server, 1);
    assert_eq!(environment["WHISPER_LIVE_URL"], "ws://whisper:9090");
    let config: Value = serde_json::from_str(&environment["BOT_CONFIG"]).expect("JSON");
    let members = [
        "automaticLeave",
        "botManagerCallbackUrl",
        "botName",
        "connectionId",
        "container_name",
        "language",
        "meetingApiCallbackUrl",
        "meetingUrl",
        "meeting_id",
        "nativeMeetingId",
        "platform",
        "recordingEnabled",
        "redisUrl",
        "token",
        "transcribeEnabled",
    ];
    assert_eq!(fields(&config), members);
    assert_eq!(
        config["automaticLeave"],
        json!({ "waitingRoomTimeout": 300_000, "noOneJoinedTimeout": 120_000, "everyoneLeftTimeout": 60_000 })
    );
    assert_eq!(
        config["botManagerCallbackUrl"],
        format!("http://{}/bots/internal/callback/exited", server.address)
    );
    assert_eq!(config["connectionId"], session(&server, &token, "abc-defg-hij"));
    assert_eq!(
        (&config["botName"], &config["container_name"]),
        (&json!("Vomeet"), &json!("vomeet-bot-1"))
    );
    for secret in ["ADMIN_API_TOKEN", "VOMEET_LISTEN", "VOMEET_DATABASE"] {
        assert!(!environment.contains_key(secret), "{secret} was told to a bot");
    }
}

/// The environment of the bot of a meeting, as it wrote it to its log.
pub fn bot_environment(server: &Server, meeting: i64) -> BTreeMap<String, String> {
    let log = server.folder().join(format!("logs/meeting-{meeting}.log"));
    let text =
        wait_for(|| std::fs::read_to_string(&log).ok().filter(|text| text.contains("BOT_CONFIG=")));
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn what_a_bot_printed_goes_with_its_transcript_and_with_its_user() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 2);
    let log = |meeting: i64| server.folder().join(format!("logs/meeting-{meeting}.log"));
    for (meeting, code) in [(1, "abc-defg-hij"), (2, "xyz-defg-hij")] {
        send(&server, &token, code).expect(201);
        bot_environment(&server, meeting);
        server.delete(format!("/bots/google_meet/{code}")).user(&token.text).send().expect(202);
        crate::lifecycle::wait_until(&server, &token, "completed");
    }
    server.delete("/meetings/google_meet/abc-defg-hij").user(&token.text).send().expect(200);
    assert_eq!((log(1).exists(), log(2).exists()), (false, true));
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 204);
    assert!(!log(2).exists());
}

#[test]
fn what_is_no_wish_is_said() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 2);
    let meet = |more: Value| {
        let mut wish = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
        wish.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        wish
    };
    for (wish, faults) in [
        (json!({}), vec![("missing", "body.platform"), ("missing", "body.native_meeting_id")]),
        (meet(json!({ "platform": "webex" })), vec![("enum", "body.platform")]),
        (meet(json!({ "platform": "teams" })), vec![("value_error", "body.native_meeting_id")]),
        (
            meet(json!({ "native_meeting_id": "abcdefghij" })),
            vec![("value_error", "body.native_meeting_id")],
        ),
        (meet(json!({ "native_meeting_id": 7 })), vec![("string_type", "body.native_meeting_id")]),
        (meet(json!({ "passcode": "abcd1234" })), vec![("value_error", "body.passcode")]),
        (meet(json!({ "passcode": "short" })), vec![("value_error", "body.passcode")]),
        (meet(json!({ "language": "klingon" })), vec![("enum", "body.language")]),
        (meet(json!({ "task": "summarise" })), vec![("enum", "body.task")]),
        (
            meet(json!({ "bot_name": "a\u{0}b" })),
            vec![("string_pattern_mismatch", "body.bot_name")],
        ),
        (
            meet(json!({ "language": "x", "task": "y", "bot_name": 1 })),
            vec![
                ("string_type", "body.bot_name"),
                ("enum", "body.language"),
                ("enum", "body.task"),
            ],
        ),
    ] {
        let answer = server.post("/bots").user(&token.text).json(&wish).send();
        let expected: Vec<_> =
            faults.into_iter().map(|(kind, loc)| (kind.to_owned(), loc.to_owned())).collect();
        assert_eq!(answer.faults(), expected, "{wish}");
    }
    assert_eq!(at_work(&server, &token), Vec::<Value>::new(), "a wish that was refused sent a bot");
}

#[test]
fn the_limit_and_uniqueness_hold_against_every_race() {
    let server = setup().start();
    let (limited, eager) =
        (user(&server, "one@example.com", 5), user(&server, "two@example.com", 200));
    let (one_each, all_the_same) = thread::scope(|scope| {
        let many: Vec<_> = (0..200)
            .map(|n| {
                scope.spawn({
                    let (server, token) = (&server, &limited);
                    move || send(server, token, &meet_code(n)).status
                })
            })
            .collect();
        let same: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn({
                    let (server, token) = (&server, &eager);
                    move || send(server, token, "abc-defg-hij").status
                })
            })
            .collect();
        let join = |threads: Vec<thread::ScopedJoinHandle<'_, u16>>| -> Vec<u16> {
            threads.into_iter().map(|one| one.join().expect("an answer")).collect()
        };
        (join(many), join(same))
    });
    let count =
        |answers: &[u16], status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(&one_each, 201), count(&one_each, 403)), (5, 195));
    assert_eq!((count(&all_the_same, 201), count(&all_the_same, 409)), (1, 49));
    assert_eq!((at_work(&server, &limited).len(), at_work(&server, &eager).len()), (5, 1));
}

#[test]
fn a_seat_is_free_again_once_its_bot_is_told_to_leave() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 1);
    send(&server, &token, "abc-defg-hij").expect(201);
    assert_eq!(send(&server, &token, "abc-defg-hij").status, 409);
    let full = send(&server, &token, "xyz-defg-hij");
    assert_eq!(
        full.refusal(),
        (403, "User has reached the maximum concurrent bot limit (1).".to_owned())
    );
    server.delete("/bots/google_meet/abc-defg-hij").user(&token.text).send().expect(202);
    // The bot may still be on its way out: neither its seat nor its meeting's name is taken.
    send(&server, &token, "abc-defg-hij").expect(201);
    let nobody = user(&server, "none@example.com", 0);
    let none = send(&server, &nobody, "abc-defg-hij");
    assert_eq!(
        none.refusal(),
        (403, "User has reached the maximum concurrent bot limit (0).".to_owned())
    );
}

#[test]
fn only_an_active_bot_is_told_otherwise() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 1);
    let change = |body: Value| {
        server
            .call("PUT", "/bots/google_meet/abc-defg-hij/config")
            .user(&token.text)
            .json(&body)
            .send()
    };
    let missing = "Meeting not found for platform google_meet and ID abc-defg-hij";
    assert_eq!(change(json!({ "language": "fr" })).refusal(), (404, missing.to_owned()));
    send(&server, &token, "abc-defg-hij").expect(201);
    let early = "Meeting found but is not active (status: 'requested'). Cannot reconfigure.";
    assert_eq!(change(json!({ "language": "fr" })).refusal(), (409, early.to_owned()));
    crate::lifecycle::report(&server, &session(&server, &token, "abc-defg-hij"), "active")
        .expect(200);
    let done = change(json!({ "language": "fr", "task": null })).expect(202);
    assert_eq!(done["message"], "Reconfiguration request accepted and sent to the bot.");
    assert_eq!(
        change(json!({ "language": "xx" })).faults(),
        [("enum".to_owned(), "body.language".to_owned())]
    );
}

#[test]
fn without_a_runner_the_next_step_is_said() {
    let server = Server::start();
    let token = user(&server, "one@example.com", 1);
    let (status, detail) = send(&server, &token, "abc-defg-hij").refusal();
    assert_eq!(status, 503);
    assert!(detail.contains("runner") && detail.contains("vomeet.toml"), "{detail}");
    assert_eq!(server.get("/meetings").user(&token.text).send().expect(200)["meetings"], json!([]));
}

#[test]
fn a_bot_that_cannot_be_started_is_said_and_its_meeting_has_failed() {
    let server = setup().set("VOMEET_BOTS_PROCESS_COMMAND", r#"["/nowhere/bot"]"#).start();
    let token = user(&server, "one@example.com", 1);
    let (status, detail) = send(&server, &token, "abc-defg-hij").refusal();
    assert_eq!(status, 503);
    assert!(detail.starts_with("The bot could not be started: "), "{detail}");
    let meeting = newest(&server, &token);
    assert_eq!(
        (&meeting["status"], &meeting["data"]["failure_stage"]),
        (&json!("failed"), &json!("requested"))
    );
    assert!(detail.ends_with(meeting["data"]["error"].as_str().expect("why")), "{meeting}");
}

#[test]
fn nobody_reaches_another_users_bot() {
    let server = setup().start();
    let (owner, other) = (user(&server, "one@example.com", 1), user(&server, "two@example.com", 1));
    send(&server, &owner, "abc-defg-hij").expect(201);
    assert_eq!(at_work(&server, &other), Vec::<Value>::new());
    for (method, path) in [
        ("DELETE", "/bots/google_meet/abc-defg-hij"),
        ("PUT", "/bots/google_meet/abc-defg-hij/config"),
        ("PATCH", "/meetings/google_meet/abc-defg-hij"),
        ("PATCH", "/meetings/google_meet/abc-defg-hij?meeting_id=1"),
        ("DELETE", "/meetings/google_meet/abc-defg-hij"),
        ("DELETE", "/meetings/google_meet/abc-defg-hij?meeting_id=1"),
    ] {
        let body = json!({ "data": { "name": "mine now" } });
        assert_eq!(
            server.call(method, path).user(&other.text).json(&body).send().status,
            404,
            "{method} {path}"
        );
    }
    assert_eq!(newest(&server, &owner)["status"], "requested");
}
