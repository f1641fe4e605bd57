//! What bots report: words beyond the lists are kept and mapped, a secret that comes along is
//! checked, and the credential of the callbacks is shown nowhere.

use crate::bots::{at_work, newest, send as send_bot, session, setup, user};
use crate::client::{Answer, Client};
use crate::segments::{insert_session, one_meeting};
use crate::server::{Setup, open_file};
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use serde_json::{Value, json};

const CODE: &str = "abc-defg-hij";

fn report(client: &Client, body: &Value) -> Answer {
    client.post("/bots/internal/callback/status_change").json(body).send()
}

/// The last step of meeting 1, and its data.
fn last_step(client: &Client, key: &str) -> (Value, Value) {
    let meetings = client.get("/meetings").user(key).send().expect(200);
    let data = meetings["meetings"][0]["data"].clone();
    let steps = data["status_transition"].as_array().cloned().unwrap_or_default();
    (steps.last().cloned().unwrap_or_default(), data)
}

#[test]
fn words_beyond_the_lists_are_kept_and_mapped() {
    for (status, reason, stage, expected) in [
        (
            "ended",
            json!("left_alone_timeout"),
            Value::Null,
            ("completed", json!("left_alone"), Value::Null),
        ),
        ("Completed", json!("purple"), Value::Null, ("completed", json!("stopped"), Value::Null)),
        ("failed", Value::Null, json!("in_call"), ("failed", Value::Null, json!("active"))),
        ("crashed", json!(7), json!({"a": 1}), ("failed", Value::Null, json!("active"))),
    ] {
        let (server, key, session) = one_meeting();
        let body = json!({
            "connection_id": session.uid, "status": status, "completion_reason": reason, "failure_stage": stage,
            "error_details": ["a list"], "reason": {"why": "so"}, "timestamp": 1_760_097_600, "exit_code": 3_221_225_786_u32,
        });
        let answer = report(&server, &body).expect(200);
        assert_eq!(answer["status"], "processed", "{body}: {answer}");
        let (step, data) = last_step(&server, &key);
        let found =
            (step["to"].clone(), data["completion_reason"].clone(), data["failure_stage"].clone());
        assert_eq!(found, (json!(expected.0), expected.1, expected.2), "{body}");
        let said = if status == "failed" { Value::Null } else { json!(status) };
        assert_eq!(step["reported_status"], said, "{step}");
        assert_eq!(step["reason"], r#"{"why":"so"}"#, "{step}");
        assert_eq!(
            (&step["bot_timestamp"], &step["exit_code"]),
            (&json!("1760097600"), &json!(3_221_225_786_u32))
        );
        if let Some(reason) = reason.as_str() {
            assert_eq!(step["reported_completion_reason"], reason, "{step}");
        }
        if let Some(stage) = stage.as_str() {
            assert_eq!(step["reported_failure_stage"], stage, "{step}");
        }
    }
}

#[test]
fn the_reason_beside_stopped_is_the_truth() {
    let (server, key, session) = one_meeting();
    let body = json!({
        "connection_id": session.uid, "status": "completed", "completion_reason": "stopped",
        "reason": "left_alone_timeout",
    });
    let answer = server.post("/bots/internal/callback/lifecycle").json(&body).send().expect(200);
    assert_eq!(answer["status"], "processed", "{answer}");
    let (step, data) = last_step(&server, &key);
    assert_eq!(data["completion_reason"], "left_alone", "{data}");
    assert_eq!(step["reported_completion_reason"], "stopped", "{step}");
}

#[test]
fn a_bot_that_a_signal_ends_while_it_is_stopped_has_stopped() {
    for (is_told_to_leave, expected) in [(true, "completed"), (false, "failed")] {
        let (server, key, session) = one_meeting();
        if is_told_to_leave {
            let stopping = json!({"connection_id": session.uid, "status": "stopping"});
            report(&server, &stopping).expect(200);
        }
        let body = json!({
            "connection_id": session.uid, "status": "failed", "exit_code": 143, "reason": "signal_sigterm",
        });
        let answer = report(&server, &body).expect(200);
        let said = (answer["status"].clone(), answer["meeting_status"].clone());
        assert_eq!(said, (json!("processed"), json!(expected)), "{answer}");
        let (step, data) = last_step(&server, &key);
        let reason = is_told_to_leave.then_some("stopped");
        assert_eq!((&step["to"], &data["completion_reason"]), (&json!(expected), &json!(reason)));
        assert_eq!(step["exit_code"], 143, "{step}");
    }
}

#[test]
fn what_a_bot_tells_of_its_time_goes_to_its_log_once() {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, CODE)));
    });
    let (key, session) = made.expect("rows");
    let logs = setup.folder().join("logs").to_string_lossy().into_owned();
    let server = setup.set("VOMEET_BOTS_LOG_FOLDER", &logs).start();
    let lines: Vec<String> = (0..200).map(|n| format!("line {n}: {}", "x".repeat(1000))).collect();
    let body = json!({
        "connection_id": session.uid, "status": "completed", "bot_logs": lines,
        "bot_resources": {"peak_rss_mb": 512}, "speaker_events": [{"event_type": "SPEAKER_START"}],
    });
    for _ in 0..2 {
        report(&server, &body).expect(200);
    }
    let (_, data) = last_step(&server, &key);
    assert!(data.to_string().len() < 2000, "nothing of it is in the row: {data}");
    let log = server.get("/admin/meetings/1/log?bytes=65536").admin().send().expect(200);
    let text = log["log"].as_str().expect("a log");
    assert!(text.ends_with("bot_resources: {\"peak_rss_mb\":512}\n"), "{text:.100}");
    assert!(text.contains("\nbot_logs: line 199: xxx"), "{text:.100}");
    let log_bytes = log["log_bytes"].as_u64().expect("a length");
    assert!((200_000..300_000).contains(&log_bytes), "once: {log_bytes}");
}

#[test]
fn a_recording_is_read_to_its_end_and_dropped() {
    let (server, _, session) = one_meeting();
    let recording = "x".repeat(20_000_000);
    let call = || {
        let call = server.post("/bots/internal/recordings/upload");
        call.header("Content-Type", "multipart/form-data; boundary=b").body(recording.clone())
    };
    call().bearer(&session.token).send().expect(200);
    assert_eq!(call().bearer("no secret").send().status, 401);
}

#[test]
fn what_names_no_status_is_acknowledged() {
    let (server, key, session) = one_meeting();
    for status in
        [json!("needs_human_help"), json!("needs_help"), json!("purple"), json!(7), Value::Null]
    {
        let answer =
            report(&server, &json!({"connection_id": session.uid, "status": status})).expect(200);
        assert_eq!(
            (&answer["status"], &answer["meeting_id"]),
            (&json!("ignored"), &json!(1)),
            "{status}"
        );
    }
    assert_eq!(last_step(&server, &key).0, Value::Null, "nothing follows");
    let unknown =
        report(&server, &json!({"connection_id": "x", "status": "needs_help"})).expect(200);
    assert_eq!(unknown["status"], "error");
}

#[test]
fn a_secret_that_comes_with_a_report_must_be_the_meetings() {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        let key = insert_token(db, 1, None);
        made = Some((key, [CODE, "abc-defg-hik"].map(|code| insert_session(db, 1, code))));
    });
    let (key, [own, other]) = made.expect("rows");
    let server = setup.start();
    let body = json!({"connection_id": own.uid, "status": "stopping"});
    let call = || server.post("/bots/internal/callback/status_change").json(&body);
    for (about, value) in [
        ("another meeting's", format!("Bearer {}", other.token)),
        ("a user's", format!("Bearer {key}")),
        ("no token at all", "Bearer x".to_owned()),
    ] {
        let refused = call().header("Authorization", value).send().refusal();
        assert_eq!(refused, (401, "Invalid bot token".to_owned()), "{about}");
    }
    let exited = json!({"connection_id": own.uid, "exit_code": 0});
    let exited = server.post("/bots/internal/callback/exited").json(&exited).bearer(&other.token);
    assert_eq!(exited.send().status, 401);
    let status = || {
        server.get("/bots/status").user(&key).send().expect(200)["running_bots"][0]["status"]
            .clone()
    };
    assert_eq!(status(), "active", "nothing has changed");
    assert_eq!(
        call().header("Authorization", "Basic x").send().status,
        200,
        "another scheme is not ours"
    );
    assert_eq!(call().bearer(&own.token).send().status, 200);
    assert_eq!(status(), "stopping");
}

#[test]
fn the_credential_of_the_callbacks_is_shown_nowhere() {
    let server = setup().start();
    let token = user(&server, "a@example.com", 1);
    send_bot(&server, &token, CODE).expect(201);
    let uid = session(&server, &token, CODE);
    let alias =
        at_work(&server, &token)[0]["labels"]["vomeet.uid"].as_str().expect("a label").to_owned();
    assert_ne!(alias, uid);
    let mut watcher = Watcher::open(&server, &token.text);
    watcher.subscribe(&[("google_meet", CODE)]);
    report(&server, &json!({"connection_id": uid, "status": "active"})).expect(200);
    watcher.json();
    let id = newest(&server, &token)["id"].clone();
    let log = server.folder().join(format!("logs/meeting-{id}.log"));
    let log = crate::client::wait_for(|| {
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("BOT_CONFIG").then_some(log)
    });
    let secret =
        log.split(r#""token":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a secret");
    let words = json!({"uid": uid, "segments": [{"start": 1, "end": 2, "text": "hello"}]});
    server.post("/bots/internal/segments").bearer(secret).json(&words).send().expect(200);
    let pushed = watcher.json();
    assert_eq!(pushed["payload"]["segments"][0]["session_uid"], alias.as_str(), "{pushed}");
    let user_id = newest(&server, &token)["user_id"].clone();
    for (path, is_admin) in [
        ("/bots/status".to_owned(), false),
        ("/meetings".to_owned(), false),
        (format!("/transcripts/google_meet/{CODE}"), false),
        (format!("/admin/analytics/meetings/{id}/telematics?include_sessions=true"), true),
        (format!("/admin/users/{user_id}/export"), true),
        ("/admin/audit".to_owned(), true),
    ] {
        let call = server.get(&path);
        let call = if is_admin { call.admin() } else { call.user(&token.text) };
        let answer = call.send();
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains(&uid), "{path}: {}", answer.text());
        assert!(!answer.text().contains(secret), "{path}: {}", answer.text());
    }
}

#[test]
fn a_platform_and_a_status_of_another_version_are_shown_as_they_are() {
    let mut key = None;
    let setup = Setup::new().rows(|db| {
        key = Some(insert_token(db, 1, None));
        insert_session(db, 1, CODE);
        insert_session(db, 1, "abc-defg-hik");
        db.execute("UPDATE meetings SET platform = 'webex', status = 'on_hold', data = json_object('status_transition', json_array(json_object('to', 'on_hold', 'timestamp', 'soon'))) WHERE id = 2", [])
            .expect("another version's");
    });
    let key = key.expect("a token");
    let server = setup.start();
    for path in ["/meetings", "/meetings?limit=1", "/bots/status", "/user/usage"] {
        assert_eq!(server.get(path).user(&key).send().status, 200, "{path}");
    }
    for path in [
        "/admin/stats/meetings-users",
        "/admin/analytics/meetings",
        "/admin/analytics/meetings/2/telematics?include_transcriptions=true&include_sessions=true",
        "/admin/analytics/users/1/details",
        "/admin/users/1/export",
    ] {
        let answer = server.get(path).admin().send();
        assert_eq!(answer.status, 200, "{path}");
    }
    let meetings = server.get("/meetings").user(&key).send().expect(200);
    let newest = &meetings["meetings"][0];
    assert_eq!((&newest["platform"], &newest["status"]), (&json!("webex"), &json!("on_hold")));
    let bots = server.get("/bots/status").user(&key).send().expect(200);
    assert_eq!(bots["running_bots"].as_array().map(Vec::len), Some(1), "no bot of ours is in it");
    let stopped = server.post("/admin/meetings/2/stop").admin().send().expect(202);
    assert_eq!(stopped["message"], "Meeting already on_hold.");
    // It is read, deleted and erased by the name that it has.
    let path = "/transcripts/webex/abc-defg-hik";
    assert_eq!(server.get(path).user(&key).send().expect(200)["id"], 2);
    assert_eq!(server.get("/transcripts/webex/never").user(&key).send().status, 422);
    assert_eq!(server.get("/transcripts/teams/1234567890").user(&key).send().status, 404);
    assert_eq!(server.get("/transcripts/We-bex/abc").user(&key).send().status, 422);
    let gone = server.delete("/meetings/webex/abc-defg-hik").user(&key).send();
    assert_eq!(gone.status, 200, "{}", gone.text());
    // Only what is new is checked.
    let new = json!({"platform": "webex", "native_meeting_id": "abc-defg-hik"});
    assert_eq!(server.post("/bots").user(&key).json(&new).send().status, 422);
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let status: String = db
            .query_row("SELECT status FROM meetings WHERE id = 2", [], |row| row.get(0))
            .expect("a status");
        assert_eq!(status, "on_hold", "nothing has changed it");
    });
}
