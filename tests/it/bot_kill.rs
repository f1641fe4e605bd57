//! Kill -9, of the bot and of the server, in each state: what the meetings say afterwards.

use crate::bots::{WAITING_BOT, meet_code, newest, send, session, user};
use crate::client::{Client, Token, wait_for};
use crate::lifecycle::{report, wait_until};
use crate::process::{Launch, Process};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use serde_json::{Value, json};
use std::path::Path;

/// The states of a meeting that is not over, and the stage that a failure in each is put down to.
const OPEN: [(&str, Option<&str>); 5] = [
    ("requested", Some("requested")),
    ("joining", Some("joining")),
    ("awaiting_admission", Some("awaiting_admission")),
    ("active", Some("active")),
    ("stopping", None),
];
/// A bot that does not leave when it is told to.
const STUBBORN_BOT: &str = r#"["sh", "-c", "trap '' TERM; for n in $(seq 300); do sleep 1; done"]"#;

fn serve(folder: &Path, bot: &str) -> Process {
    let launch = Launch::serve(folder)
        .env("VOMEET_BOTS_RUNNER", "process")
        .env("VOMEET_BOTS_PROCESS_COMMAND", bot);
    let launch = launch.env("VOMEET_BOTS_GRACE_SECONDS", "60");
    launch.env("VOMEET_BOTS_STOPPING_SECONDS_MAX", "120").start()
}

/// A meeting in this state, with a bot that stays; its session and its process.
fn bring(client: &Client, token: &Token, code: &str, state: &str) -> (String, Pid) {
    let meeting = send(client, token, code).expect(201);
    let session = session(client, token, code);
    match state {
        "requested" => {}
        "stopping" => {
            report(client, &session, "active").expect(200);
            client.delete(format!("/bots/google_meet/{code}")).user(&token.text).send().expect(202);
        }
        state => _ = report(client, &session, state).expect(200),
    }
    let handle = meeting["bot_container_id"].as_str().expect("a handle");
    let pid = handle.split(':').nth(1).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    (session, pid.expect("a process"))
}

fn kill(bot: Pid) {
    kill_process_group(bot, Signal::KILL).expect("a bot that runs");
}

/// What a meeting says of its end.
fn ending(meeting: &Value) -> (&Value, &Value, &Value) {
    (&meeting["status"], &meeting["data"]["completion_reason"], &meeting["data"]["failure_stage"])
}

fn assert_ended(client: &Client, token: &Token, state: &str, failed_at: Option<&str>) {
    let over =
        wait_for(|| Some(newest(client, token)).filter(|meeting| meeting["end_time"].is_string()));
    let (completed, failed) = (json!("completed"), json!("failed"));
    match failed_at {
        Some(failed_at) => {
            assert_eq!(ending(&over), (&failed, &Value::Null, &json!(failed_at)), "{state}");
            assert!(
                over["data"]["error"].as_str().is_some_and(|error| error.contains("bot")),
                "{state}: {over}"
            );
        }
        None => assert_eq!(ending(&over), (&completed, &json!("stopped"), &Value::Null), "{state}"),
    }
    let steps = over["data"]["status_transition"].as_array().expect("steps");
    assert_eq!(steps.last().expect("a step")["source"], "server", "{state}");
    println!("{state}: {} — {}", over["status"], steps.last().expect("a step"));
}

#[test]
fn a_bot_that_is_killed_ends_its_meeting_truthfully() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), STUBBORN_BOT);
    let token = user(&server, "one@example.com", 10);
    for (n, (state, stage)) in OPEN.into_iter().enumerate() {
        let (_, bot) = bring(&server, &token, &meet_code(n), state);
        kill(bot);
        assert_ended(&server, &token, state, stage);
    }
}

#[test]
fn a_server_that_is_killed_finds_its_bots_again() {
    for (state, _) in OPEN {
        let folder = tempfile::tempdir().expect("a folder");
        let server = serve(folder.path(), STUBBORN_BOT);
        let token = user(&server, "one@example.com", 1);
        let (session, bot) = bring(&server, &token, "abc-defg-hij", state);
        let before = newest(&server, &token);
        server.kill();
        let server = serve(folder.path(), STUBBORN_BOT);
        assert_eq!(newest(&server, &token), before, "{state}: a meeting changed without its bot");
        // The bot goes on, and is heard.
        let exited =
            json!({ "connection_id": session, "exit_code": 0, "completion_reason": "left_alone" });
        let outcome =
            server.post("/bots/internal/callback/exited").json(&exited).send().expect(200);
        assert_eq!(outcome["status"], "processed", "{state}");
        assert_eq!(newest(&server, &token)["data"]["completion_reason"], "left_alone", "{state}");
        kill(bot);
    }
}

#[test]
fn a_server_that_is_killed_with_its_bot_says_so_at_its_next_start() {
    for (state, stage) in OPEN {
        let folder = tempfile::tempdir().expect("a folder");
        let server = serve(folder.path(), STUBBORN_BOT);
        let token = user(&server, "one@example.com", 1);
        let (_, bot) = bring(&server, &token, "abc-defg-hij", state);
        server.kill();
        kill(bot);
        let server = serve(folder.path(), STUBBORN_BOT);
        assert_ended(&server, &token, state, stage);
    }
}

#[test]
fn a_bot_that_stays_after_its_meeting_is_ended_by_the_next_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), STUBBORN_BOT);
    let token = user(&server, "one@example.com", 1);
    let (session, bot) = bring(&server, &token, "abc-defg-hij", "active");
    report(&server, &session, "completed").expect(200);
    server.kill();
    assert!(test_kill_process(bot).is_ok(), "the bot left by itself: nothing is tested");
    let launch = Launch::serve(folder.path())
        .env("VOMEET_BOTS_RUNNER", "process")
        .env("VOMEET_BOTS_GRACE_SECONDS", "1");
    let _server = launch.env("VOMEET_BOTS_PROCESS_COMMAND", STUBBORN_BOT).start();
    wait_for(|| is_gone(bot).then_some(()));
}

/// Whether a process has ended: nobody may have waited for it yet.
fn is_gone(pid: Pid) -> bool {
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.is_empty() || stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

#[test]
fn a_bot_that_outlives_its_server_is_told_to_leave_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), WAITING_BOT);
    let token = user(&server, "one@example.com", 1);
    bring(&server, &token, "abc-defg-hij", "active");
    assert!(server.terminate().status.success(), "a graceful stop does not wait for bots");
    let server = serve(folder.path(), WAITING_BOT);
    assert_eq!(
        newest(&server, &token)["status"],
        "active",
        "a graceful stop leaves its bots alone"
    );
    server.delete("/bots/google_meet/abc-defg-hij").user(&token.text).send().expect(202);
    let over = wait_until(&server, &token, "completed");
    assert_eq!(over["data"]["completion_reason"], "stopped");
}
