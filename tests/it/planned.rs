//! Planned bots: `join_at` in `POST /bots`. The clock is the test's.

use crate::bots::{at_work, meet_code, newest, setup, user};
use crate::cli::done;
use crate::client::{Answer, Client, Token, wait_for};
use crate::restore::{applied, database, one, restored, sql};
use crate::server::{Server, open_file, still_clock};
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::{Clock, later};
use vomeet::domain::lifecycle::StatusReport;
use vomeet::domain::{MeetingStatus, Platform, Time, TokenHash, TokenId, TransitionSource, UserId};
use vomeet::error::Result;
use vomeet::store::{Advance, MeetingRef, PlanBot, PlannedSettings, RequestPlanned, Store};

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

/// A bot that is planned, and requested at its time.
pub async fn write_plan(store: &Store, now: Time) -> Result<()> {
    let plan = PlanBot {
        user_id: UserId(1),
        token_id: TokenId(1),
        platform: Platform::Teams,
        native_meeting_id: "5550001111".to_owned(),
        url: "https://example.com/5550001111".to_owned(),
        uid: "a plan".to_owned(),
        bot_name: "Bot".to_owned(),
        language: None,
        task: None,
        vocabulary: Vec::new(),
        settings: PlannedSettings::default(),
        join_at: now.plus_seconds(1),
        now,
    };
    let meeting_id = store.write(plan).await?.meeting.id;
    let due = RequestPlanned {
        meeting_id,
        uid: "a session".to_owned(),
        token_hash: TokenHash([77; 32]),
        not_before: now,
        now: now.plus_seconds(2),
    };
    let end = store.write(due).await?.expect("a plan that is due");
    assert_eq!(end.advanced.meeting.status.as_str(), "requested");
    let stopped = StatusReport::new(MeetingStatus::Completed, TransitionSource::Server);
    let meeting_ref = MeetingRef::Meeting(meeting_id);
    store.write(Advance { meeting_ref, report: stopped, container_id: None, now }).await?;
    Ok(())
}

/// Plans a bot for a Google Meet meeting.
fn plan(client: &Client, token: &Token, code: &str, join_at: Time) -> Answer {
    let body = json!({ "platform": "google_meet", "native_meeting_id": code, "join_at": join_at.to_string() });
    client.post("/bots").user(&token.text).json(&body).send()
}

fn cancel(client: &Client, token: &Token, code: &str) -> Value {
    client.delete(format!("/bots/google_meet/{code}")).user(&token.text).send().expect(202)
}

fn meetings(client: &Client, token: &Token, query: &str) -> Vec<Value> {
    let body = client.get(format!("/meetings{query}")).user(&token.text).send().expect(200);
    body["meetings"].as_array().expect("meetings").clone()
}

/// Waits until the newest meeting has this status.
fn wait_until(client: &Client, token: &Token, status: &str) -> Value {
    wait_for(|| {
        let meeting = newest(client, token);
        (meeting["status"] == status).then_some(meeting)
    })
}

/// The same while the clock goes on: what a bot that ends may still say is waited for.
fn wait_until_over(client: &Client, token: &Token, clock: &Clock) -> Value {
    wait_for(|| {
        clock.advance(SECOND);
        let meeting = newest(client, token);
        (meeting["status"] == "completed").then_some(meeting)
    })
}

/// A server whose bots only wait, with a user of this limit; the clock stands.
fn with_clock(limit: i64) -> (Server, Token, Clock) {
    let clock = still_clock();
    let server = setup().clock(&clock).start();
    let token = user(&server, "one@example.com", limit);
    (server, token, clock)
}

#[test]
fn a_plan_takes_no_seat_is_moved_by_sending_again_and_is_cancelled() {
    let (server, token, clock) = with_clock(0);
    let code = meet_code(1);
    let at = later(clock.now(), HOUR);
    let planned = plan(&server, &token, &code, at).expect(201);
    assert_eq!(
        (&planned["status"], &planned["data"]),
        (&json!("scheduled"), &json!({ "join_at": at.to_string() }))
    );
    assert_eq!(planned["constructed_meeting_url"], format!("https://meet.google.com/{code}"));
    assert_eq!(at_work(&server, &token), Vec::<Value>::new());
    assert_eq!(meetings(&server, &token, "?status=scheduled")[0], planned);

    let noted = json!({ "data": { "name": "Weekly" } });
    server
        .patch(format!("/meetings/google_meet/{code}"))
        .user(&token.text)
        .json(&noted)
        .send()
        .expect(200);
    let at = later(at, HOUR);
    let moved = plan(&server, &token, &code, at).expect(200);
    assert_eq!(moved["id"], planned["id"]);
    assert_eq!(moved["data"], json!({ "join_at": at.to_string(), "name": "Weekly" }));
    let refused = server.delete(format!("/meetings/google_meet/{code}")).user(&token.text).send();
    assert_eq!(refused.status, 409, "it is not over");

    // Its first time means nothing any more.
    clock.advance(HOUR + SECOND);
    assert_eq!(cancel(&server, &token, &code)["message"], "The planned bot is cancelled.");
    let over = newest(&server, &token);
    assert_eq!(
        (&over["status"], &over["data"]["completion_reason"]),
        (&json!("completed"), &json!("stopped"))
    );
    let step = &over["data"]["status_transition"][0];
    assert_eq!(
        (&step["from"], &step["to"], &step["source"]),
        (&json!("scheduled"), &json!("completed"), &json!("user"))
    );
    assert_eq!(cancel(&server, &token, &code)["message"], "Meeting already completed.");
    assert_eq!(plan(&server, &token, &code, later(at, HOUR)).status, 201, "another plan");
}

#[test]
fn a_time_that_is_over_or_far_ahead_is_refused() {
    let (server, token, clock) = with_clock(1);
    let now = clock.now();
    for (row, at) in [
        ("now", now),
        ("over", now.plus_seconds(-60)),
        ("in two years", now.plus_seconds(2 * 366 * 86_400)),
    ] {
        let faults = plan(&server, &token, &meet_code(1), at).faults();
        assert_eq!(faults, [("value_error".to_owned(), "body.join_at".to_owned())], "{row}");
    }
    let body = json!({ "platform": "google_meet", "native_meeting_id": meet_code(1), "join_at": "tomorrow" });
    let faults = server.post("/bots").user(&token.text).json(&body).send().faults();
    assert_eq!(faults, [("datetime_parsing".to_owned(), "body.join_at".to_owned())]);
    assert_eq!(meetings(&server, &token, ""), Vec::<Value>::new());
}

#[test]
fn a_planned_bot_joins_at_its_time_also_after_a_restart() {
    let (server, token, clock) = with_clock(1);
    let at = later(clock.now(), HOUR);
    let body = json!({
        "platform": "teams", "native_meeting_id": "1234567890", "bot_name": "Scribe", "language": "de",
        "passcode": "abcd1234", "voice_agent_enabled": true, "join_at": at.to_string()
    });
    server.post("/bots").user(&token.text).json(&body).send().expect(201);
    let server = server.restart();
    assert_eq!(newest(&server, &token)["status"], "scheduled");
    clock.set(at);
    let meeting = wait_for(|| {
        let meeting = newest(&server, &token);
        meeting["bot_container_id"].is_string().then_some(meeting)
    });
    assert_eq!(meeting["status"], "requested");
    let step = &meeting["data"]["status_transition"][0];
    assert_eq!(
        (&step["from"], &step["to"], &step["source"], &step["timestamp"]),
        (&json!("scheduled"), &json!("requested"), &json!("server"), &json!(at.to_string()))
    );
    let bots = at_work(&server, &token);
    assert_eq!(bots[0]["labels"]["vomeet.bot_name"], "Scribe");
    let environment = crate::bots::bot_environment(&server, 1);
    let config: Value = serde_json::from_str(&environment["BOT_CONFIG"]).expect("JSON");
    assert_eq!(
        (&config["botName"], &config["language"], &config["meetingUrl"]),
        (
            &json!("Scribe"),
            &json!("de"),
            &json!("https://teams.live.com/meet/1234567890?p=abcd1234")
        )
    );
    let strict: Value = serde_json::from_str(&environment["VEXA_BOT_CONFIG"]).expect("JSON");
    assert_eq!(
        (&strict["passcode"], &config["voiceAgentEnabled"]),
        (&json!("abcd1234"), &json!(true))
    );
    let report = json!({ "connection_id": config["connectionId"], "status": "active" });
    server.post("/bots/internal/callback/status_change").json(&report).send().expect(200);
    assert_eq!(newest(&server, &token)["status"], "active");
    server.delete("/bots/teams/1234567890").user(&token.text).send().expect(202);
    wait_until_over(&server, &token, &clock);
}

/// Some minutes late a meeting still goes on; later it does not.
#[test]
fn a_server_that_did_not_run_sends_the_bot_late_or_says_so() {
    for (seconds, status) in [(300, "requested"), (660, "failed")] {
        let (server, token, clock) = with_clock(1);
        let at = later(clock.now(), HOUR);
        plan(&server, &token, &meet_code(1), at).expect(201);
        let setup = server.stop();
        clock.set(at.plus_seconds(seconds));
        let server = setup.start();
        let meeting = wait_until(&server, &token, status);
        let why =
            (status == "failed").then_some("The server did not run at the time of the meeting.");
        assert_eq!(meeting["data"]["error"].as_str(), why, "{seconds} s");
    }
}

#[test]
fn seats_are_checked_at_the_time_and_who_gets_none_is_told() {
    let (server, token, clock) = with_clock(1);
    let hook = json!({ "webhook_url": "https://example.com/hook" });
    server.call("PUT", "/user/webhook").user(&token.text).json(&hook).send().expect(200);
    let at = later(clock.now(), HOUR);
    for n in 0..3 {
        plan(&server, &token, &meet_code(n), at.plus_seconds(i64::try_from(n).expect("small")))
            .expect(201);
    }
    cancel(&server, &token, &meet_code(2));
    clock.set(at);
    wait_for(|| (!at_work(&server, &token).is_empty()).then_some(()));
    clock.set(at.plus_seconds(5));
    let all = wait_for(|| {
        let all = meetings(&server, &token, "");
        all.iter().all(|meeting| meeting["status"] != "scheduled").then_some(all)
    });
    let statuses: Vec<_> = all.iter().map(|meeting| meeting["status"].clone()).collect();
    assert_eq!(statuses, ["completed", "failed", "requested"], "the newest first");
    let failed = &all[1]["data"];
    assert_eq!(failed["error"], "User has reached the maximum concurrent bot limit (1).");
    assert_eq!(failed["failure_stage"], "requested");
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let told: String = db
            .query_row(
                "SELECT group_concat(json_extract(body, '$.status_change.to') || ' ' ||
                   ifnull(json_extract(body, '$.status_change.reason'), ''), ', ')
                 FROM (SELECT body FROM deliveries WHERE meeting_id = 2 ORDER BY id)",
                [],
                |row| row.get(0),
            )
            .expect("an event");
        assert_eq!(told, "failed User has reached the maximum concurrent bot limit (1).");
        let bots: i64 = db
            .query_row("SELECT coalesce(sum(bots), 0) FROM usage", [], |row| row.get(0))
            .expect("usage");
        assert_eq!(bots, 1, "neither the cancelled nor the refused one counts");
    });
}

#[test]
fn a_bot_that_is_there_or_a_user_who_is_disabled_ends_the_plan() {
    let (server, token, clock) = with_clock(3);
    // Before the bot that is there must have reported.
    let at = later(clock.now(), 5 * SECOND);
    let code = meet_code(1);
    crate::bots::send(&server, &token, &code).expect(201);
    plan(&server, &token, &code, at).expect(201);
    // By its name, the meeting with the bot is meant.
    let path = format!("/transcripts/google_meet/{code}");
    assert_eq!(server.get(&path).user(&token.text).send().expect(200)["status"], "requested");
    clock.set(at);
    let failed = wait_until(&server, &token, "failed");
    let why = failed["data"]["error"].as_str().expect("a reason");
    assert!(why.starts_with("An active or requested meeting already exists"), "{why}");

    plan(&server, &token, &meet_code(2), later(at, HOUR)).expect(201);
    let disabled = json!({ "disabled": true });
    server.patch("/admin/users/1").admin().json(&disabled).send().expect(200);
    clock.set(later(at, HOUR));
    wait_for(|| {
        let path = "/admin/meetings/search?status=failed&user_id=1";
        let found = server.get(path).admin().send().expect(200);
        (found["meetings"].as_array().expect("meetings").len() == 2).then_some(())
    });
}

#[test]
fn a_plan_is_cancelled_though_a_later_meeting_of_that_name_is_over() {
    let (server, token, clock) = with_clock(1);
    let code = meet_code(1);
    let planned = plan(&server, &token, &code, later(clock.now(), HOUR)).expect(201);
    crate::bots::send(&server, &token, &code).expect(201);
    cancel(&server, &token, &code);
    let over = wait_until_over(&server, &token, &clock);
    assert_ne!(over["id"], planned["id"], "the bot that is there goes first");
    cancel(&server, &token, &code);
    let all = meetings(&server, &token, "?status=completed");
    assert_eq!(all.len(), 2);
}

#[test]
fn plans_go_with_their_user() {
    let (server, token, clock) = with_clock(1);
    let at = later(clock.now(), HOUR);
    plan(&server, &token, &meet_code(1), at).expect(201);
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 204);
    clock.set(at);
    let other = user(&server, "two@example.com", 1);
    plan(&server, &other, &meet_code(1), at.plus_seconds(1)).expect(201);
    clock.set(at.plus_seconds(1));
    wait_until(&server, &other, "requested");
}

/// As many as a user may plan, all within one minute; they share the server's clock, which jumps to
/// the end of it.
#[test]
fn a_thousand_join_in_one_minute_and_one_more_is_not_planned() {
    let clock = still_clock();
    let server = setup().set("VOMEET_BOTS_RUNNER", "demo").clock(&clock).start();
    let token = user(&server, "one@example.com", 1000);
    let at = later(clock.now(), HOUR);
    for n in 0..1000 {
        let second = i64::try_from(n % 60).expect("small");
        plan(&server, &token, &meet_code(n), at.plus_seconds(second)).expect(201);
    }
    let refused = plan(&server, &token, &meet_code(1000), at).refusal();
    assert_eq!(
        refused,
        (403, "User has planned 1000 bots, and no more may be. Cancel one first.".to_owned())
    );
    assert_eq!(
        plan(&server, &token, &meet_code(0), later(at, SECOND)).status,
        200,
        "a move is no new one"
    );
    clock.set(at.plus_seconds(60));
    wait_for(|| meetings(&server, &token, "?status=scheduled").is_empty().then_some(()));
    let failed = meetings(&server, &token, "?status=failed");
    assert_eq!(failed, Vec::<Value>::new());
    for meeting in meetings(&server, &token, "") {
        let step = &meeting["data"]["status_transition"][0];
        assert_eq!(step["to"], "requested", "{meeting}");
        assert_eq!(step["timestamp"], at.plus_seconds(60).to_string());
    }
}

#[test]
fn a_restore_takes_plans_as_the_old_file_has_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    done(path, &["user", "add", "one@example.com"]);
    sql(
        path,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4)
         INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at, join_at)
           SELECT 1, 'teams', i, 'scheduled', '{}', 1000, 1000, 4000000000000 + i FROM n;
         INSERT INTO sessions (meeting_id, uid, bot_name, started_at, plan)
           SELECT id, 'session ' || id, 'Bot', join_at, '{}' FROM meetings",
    );
    done(path, &["backup", "b.db"]);
    sql(
        path,
        "UPDATE meetings SET join_at = 5000000000000 WHERE id = 1;
         UPDATE meetings SET status = 'completed', end_time = 5000 WHERE id = 2;
         UPDATE meetings SET status = 'active' WHERE id = 3",
    );
    let plan = restored(path, &["b.db"]);
    assert_eq!(applied(&plan), json!({ "plans_changed": [1, 2, 3] }));
    let found = "SELECT group_concat(m.status || ' ' || m.join_at || ' ' || (m.end_time IS NULL) || ' ' || (s.plan IS NULL), ', ')
                 FROM meetings m JOIN sessions s ON s.meeting_id = m.id";
    let expected = "scheduled 5000000000000 1 0, completed 4000000000002 0 1, \
                    failed 4000000000003 0 1, scheduled 4000000000004 1 0";
    assert_eq!(one::<String>(&database(path), found), expected);
}
