//! The life of a meeting as bots report it: every callback in every state, twice, and out of order.

use crate::bots::{at_work, meet_code, newest, send, session, setup, user};
use crate::client::{Answer, Client, Token, assert_time, wait_for};
use crate::server::{Setup, still_clock};
use serde_json::{Value, json};
use vomeet::domain::lifecycle::TransitionOutcome;
use vomeet::domain::{MeetingStatus, StatusReport, Time, TransitionSource};
use vomeet::store::{Advance, MeetingRef};

/// A callback: its name, what it says besides the session, and the state that it reports.
type Callback = (&'static str, Value, &'static str);

fn callbacks() -> Vec<Callback> {
    let mut all = vec![
        ("joining", json!({ "container_id": "c" }), "joining"),
        ("awaiting_admission", json!({ "container_id": "c" }), "awaiting_admission"),
        ("started", json!({ "container_id": "c" }), "active"),
        ("exited", json!({ "exit_code": 0 }), "completed"),
        ("exited", json!({ "exit_code": 1 }), "failed"),
    ];
    all.extend(
        MeetingStatus::WORDS.iter().map(|word| ("status_change", json!({ "status": word }), *word)),
    );
    all
}

fn call(client: &Client, session: &str, (name, body, _): &Callback) -> Answer {
    let mut body = body.clone();
    body["connection_id"] = json!(session);
    client.post(format!("/bots/internal/callback/{name}")).json(&body).send()
}

/// A bot reports where it stands.
pub fn report(client: &Client, session: &str, status: &str) -> Answer {
    let body = json!({ "connection_id": session, "status": status });
    client.post("/bots/internal/callback/status_change").json(&body).send()
}

/// Waits until the newest meeting of a user stands there, and returns it.
pub fn wait_until(client: &Client, token: &Token, status: &str) -> Value {
    wait_for(|| Some(newest(client, token)).filter(|meeting| meeting["status"] == status))
}

/// A server whose clock stands still: a bot that is told to leave may end, and its last word is
/// waited for all the same.
fn patient() -> Setup {
    setup().clock(&still_clock())
}

/// Brings a new meeting into a state, and returns the name of its session.
pub fn bring(client: &Client, token: &Token, code: &str, state: &str) -> String {
    send(client, token, code).expect(201);
    let session = session(client, token, code);
    match state {
        "requested" => {}
        "stopping" => {
            report(client, &session, "active").expect(200);
            report(client, &session, "stopping").expect(200);
        }
        _ => _ = report(client, &session, state).expect(200),
    }
    session
}

/// What the contract says of a report: the `status` of the answer, and whether the meeting moves.
fn expected(from: &str, to: &str, name: &str) -> (&'static str, bool) {
    // No bot plans itself: that word is before all others.
    let order = [
        "scheduled",
        "requested",
        "joining",
        "awaiting_admission",
        "active",
        "stopping",
        "completed",
        "failed",
    ];
    let at = |state: &str| order.iter().position(|known| *known == state).expect("a state");
    let over = |state: &str| state == "completed" || state == "failed";
    match () {
        () if from == to && to == "active" => ("container_updated", false),
        () if from == to => ("processed", false),
        () if over(from) && over(to) => ("processed", false),
        () if over(from) || at(to) < at(from) => ("ignored", false),
        () if name.is_empty() => ("", false),
        () => ("processed", true),
    }
}

#[test]
fn every_callback_in_every_state_twice() {
    let server = patient().start();
    let token = user(&server, "one@example.com", 1000);
    let mut number = 0;
    // A planned bot has no session that anything could report of.
    let all_from = MeetingStatus::WORDS.iter().copied().filter(|word| *word != "scheduled");
    for from in all_from {
        for callback in callbacks() {
            let (name, _, to) = callback;
            number += 1;
            let row = format!("{name} ({to}) in {from}");
            let session = bring(&server, &token, &meet_code(number), from);
            let before = newest(&server, &token);
            assert_eq!(before["status"], from, "{row}");
            let (status, moves) = expected(from, to, name);
            let answer = call(&server, &session, &callback).expect(200);
            assert_eq!(
                (&answer["status"], &answer["meeting_id"]),
                (&json!(status), &before["id"]),
                "{row}: {answer}"
            );
            let after = newest(&server, &token);
            assert_eq!(after["status"], if moves { to } else { from }, "{row}");
            if !moves {
                assert_eq!(after, before, "{row}: something changed");
            }
            let again = call(&server, &session, &callback).expect(200);
            let repeated = if moves { expected(to, to, name).0 } else { status };
            assert_eq!(again["status"], repeated, "{row}, again");
            assert_eq!(newest(&server, &token), after, "{row}, again: something changed");
            report(&server, &session, "completed").expect(200);
        }
    }
    assert_eq!(at_work(&server, &token), Vec::<Value>::new());
}

#[test]
fn each_step_is_noted_with_who_and_when() {
    let server = patient().start();
    let token = user(&server, "one@example.com", 1);
    let session = bring(&server, &token, "abc-defg-hij", "joining");
    report(&server, &session, "awaiting_admission").expect(200);
    report(&server, &session, "active").expect(200);
    let active = newest(&server, &token);
    assert!(active["start_time"].is_string() && active["end_time"].is_null(), "{active}");
    server.delete("/bots/google_meet/abc-defg-hij").user(&token.text).send().expect(202);
    let late = report(&server, &session, "active").expect(200);
    assert_eq!(
        (&late["status"], &late["detail"]),
        (&json!("ignored"), &json!("Stop already requested."))
    );
    let exited = json!({ "connection_id": session, "exit_code": 0, "completion_reason": "evicted", "reason": "the host ended it" });
    server.post("/bots/internal/callback/exited").json(&exited).send().expect(200);
    let meeting = newest(&server, &token);
    let steps = meeting["data"]["status_transition"].as_array().expect("steps").clone();
    let words = |step: &Value| {
        ["from", "to", "source"].map(|name| step[name].as_str().unwrap_or("-").to_owned())
    };
    let expected = [
        ["requested", "joining", "bot_callback"],
        ["joining", "awaiting_admission", "bot_callback"],
        ["awaiting_admission", "active", "bot_callback"],
        ["active", "stopping", "user"],
        ["stopping", "completed", "bot_callback"],
    ];
    assert_eq!(steps.iter().map(words).collect::<Vec<_>>(), expected);
    let times: Vec<_> = steps.iter().map(|step| assert_time(&step["timestamp"])).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(
        (&steps[4]["reason"], &steps[4]["exit_code"]),
        (&json!("the host ended it"), &json!(0))
    );
    assert_eq!(meeting["data"]["completion_reason"], "evicted");
    assert_eq!(meeting["end_time"], steps[4]["timestamp"]);
}

/// The state before, what a bot reports of its end, the status after, and what is noted: reason,
/// stage, error.
type End = (&'static str, Value, &'static str, Value, Value, Value);

fn ends() -> [End; 8] {
    [
        (
            "active",
            json!({ "exit_code": 0 }),
            "completed",
            json!("stopped"),
            Value::Null,
            Value::Null,
        ),
        (
            "joining",
            json!({ "exit_code": 0, "completion_reason": "validation_error" }),
            "completed",
            json!("validation_error"),
            Value::Null,
            Value::Null,
        ),
        (
            "awaiting_admission",
            json!({ "exit_code": 1 }),
            "failed",
            Value::Null,
            json!("awaiting_admission"),
            Value::Null,
        ),
        (
            "stopping",
            json!({ "exit_code": 1 }),
            "failed",
            Value::Null,
            json!("active"),
            Value::Null,
        ),
        (
            "active",
            json!({ "exit_code": 2, "failure_stage": "joining", "reason": "lost" }),
            "failed",
            Value::Null,
            json!("joining"),
            json!("lost"),
        ),
        (
            "active",
            json!({ "exit_code": 2, "error_details": "boom" }),
            "failed",
            Value::Null,
            json!("active"),
            json!("boom"),
        ),
        (
            "active",
            json!({ "exit_code": 2, "error_details": { "code": [1, 2.50] } }),
            "failed",
            Value::Null,
            json!("active"),
            json!({ "code": [1, 2.50] }),
        ),
        (
            "active",
            json!({ "exit_code": 2, "platform_specific_error": "no camera" }),
            "failed",
            Value::Null,
            json!("active"),
            json!("no camera"),
        ),
    ]
}

#[test]
fn ends_say_why() {
    let server = patient().start();
    let token = user(&server, "one@example.com", 100);
    for (n, (state, exited, status, reason, stage, error)) in ends().into_iter().enumerate() {
        let session = bring(&server, &token, &meet_code(n), state);
        call(&server, &session, &("exited", exited.clone(), status)).expect(200);
        let meeting = newest(&server, &token);
        assert_eq!(meeting["status"], status, "{exited}");
        for (name, value) in
            [("completion_reason", &reason), ("failure_stage", &stage), ("error", &error)]
        {
            assert_eq!(meeting["data"][name], *value, "{name} of {exited} in {state}");
        }
    }
}

#[test]
fn news_of_a_state_that_is_left_moves_nothing() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 1);
    let session = bring(&server, &token, "abc-defg-hij", "active");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (only_from, expected) in [
        (MeetingStatus::AwaitingAdmission, TransitionOutcome::Refuse),
        (MeetingStatus::Active, TransitionOutcome::Move),
    ] {
        let report = StatusReport {
            only_from: Some(only_from),
            ..StatusReport::new(MeetingStatus::Completed, TransitionSource::Server)
        };
        let (meeting_ref, now) =
            (MeetingRef::Session(session.clone()), Time::from_millis(1_760_097_600_000));
        let verb = Advance { meeting_ref, report, container_id: None, now };
        let advanced =
            runtime.block_on(server.app.store.write(verb)).expect("written").expect("a meeting");
        assert_eq!(advanced.step, expected, "only from {only_from:?}");
    }
    assert_eq!(newest(&server, &token)["status"], "completed");
}

#[test]
fn whoever_names_no_session_takes_no_writers_time() {
    let server = setup().start();
    let writes = || {
        let figures = server.get("/metrics").send();
        let line = figures
            .text()
            .lines()
            .find(|line| line.starts_with("vomeet_store_writes_total "))
            .map(str::to_owned);
        line.expect("a figure")
    };
    // The server notes the time once, when it starts.
    wait_for(|| server.app.store.known_time().expect("a time").filter(|known| known.is_noted));
    let before = writes();
    for unknown in ["", "x", "11111111-1111-4111-8111-111111111111"] {
        assert_eq!(
            report(&server, unknown, "active").expect(200)["status"],
            "error",
            "{unknown:?}"
        );
    }
    assert_eq!(writes(), before);
}

#[test]
fn what_is_no_report_is_said() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 1);
    let session = bring(&server, &token, "abc-defg-hij", "requested");
    for (name, body, faults) in [
        (
            "status_change",
            json!({}),
            vec![("missing", "body.connection_id"), ("missing", "body.status")],
        ),
        ("exited", json!({ "connection_id": session }), vec![("missing", "body.exit_code")]),
        (
            "exited",
            json!({ "connection_id": session, "exit_code": "none" }),
            vec![("int_parsing", "body.exit_code")],
        ),
        ("joining", json!({ "container_id": "c" }), vec![("missing", "body.connection_id")]),
    ] {
        let answer = server.post(format!("/bots/internal/callback/{name}")).json(&body).send();
        let expected: Vec<_> =
            faults.into_iter().map(|(kind, loc)| (kind.to_owned(), loc.to_owned())).collect();
        assert_eq!(answer.faults(), expected, "{name} {body}");
    }
    // However long its words are, the news itself arrives.
    let long = json!({ "connection_id": session, "exit_code": 1, "reason": "x\n".repeat(9000), "error_details": "y".repeat(20_000) });
    server.post("/bots/internal/callback/exited").json(&long).send().expect(200);
    assert_eq!(newest(&server, &token)["status"], "failed");
    let unknown = report(&server, "11111111-1111-4111-8111-111111111111", "active").expect(200);
    assert_eq!(unknown["status"], "error");
    assert!(
        unknown["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("Meeting session not found")),
        "{unknown}"
    );
}

/// What is stored never runs backwards, although the clock does.
#[test]
fn a_meeting_ends_after_it_began_although_the_clock_was_set_back() {
    let clock = still_clock();
    let server = setup().clock(&clock).start();
    let token = user(&server, "a@example.com", 1);
    let session = bring(&server, &token, "abc-defg-hij", "active");
    server.whoami(&token.text).expect(200);
    clock.set(clock.now().plus_seconds(-86_400));
    report(&server, &session, "completed").expect(200);
    server.whoami(&token.text).expect(200);
    let meeting = wait_until(&server, &token, "completed");
    let times = ["created_at", "start_time", "end_time"].map(|name| assert_time(&meeting[name]));
    assert!(times.is_sorted() && assert_time(&meeting["updated_at"]) >= times[2], "{meeting}");
    let steps = meeting["data"]["status_transition"].as_array().expect("steps");
    let steps: Vec<_> = steps.iter().map(|step| assert_time(&step["timestamp"])).collect();
    assert!(steps.is_sorted(), "{meeting}");
    let tokens = server.get("/admin/users/1/tokens").admin().send().expect(200);
    let [made, used] = ["created_at", "last_used_at"].map(|name| assert_time(&tokens[0][name]));
    assert!(made <= used, "{tokens}");
}
