//! Planned meetings of a former installation become planned bots of this one.

use crate::client::wait_for;
use crate::import::{Dump, HELD, KEY, MEETINGS, OTHER_KEY, TOKENS, import};
use crate::import_rows::{counts, remarked};
use crate::process::Launch;
use crate::restore::{one, sql};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fs;

/// A meeting of the former installation that had no bot yet.
fn planned(id: i64, user: i64, name: &str, status: &str, data: &Value) -> String {
    let data = data.to_string();
    let times = "2025-10-01 09:59:00\t2025-10-01 09:59:30";
    format!("{id}\t{user}\t{name}\t{status}\t\\N\t\\N\t\\N\t{data}\t{times}")
}

fn dump() -> Dump {
    let time = "2099-06-01T10:00:00+00:00";
    let meet = "google_meet\taaa-bbbb-ccc";
    let rows = [
        HELD.to_owned(),
        planned(
            20,
            1,
            meet,
            "scheduled",
            &json!({"scheduled_at": time, "bot_name": "Nora", "title": "Plans"}),
        ),
        planned(
            21,
            1,
            "teams\t9876543210123",
            "scheduled",
            &json!({"scheduled_at": "2099-06-02T10:00:00", "auto_join": true, "passcode": "Pass1"}),
        ),
        // The same meeting once more, and for another user, whose key has ended by then.
        planned(22, 1, meet, "scheduled", &json!({"scheduled_at": time})),
        planned(23, 2, meet, "scheduled", &json!({"scheduled_at": time})),
        // A user has said no, no time, a time that is over, one that is none, no address, no plan.
        planned(
            24,
            1,
            "google_meet\taaa-bbbb-ccd",
            "scheduled",
            &json!({"scheduled_at": time, "auto_join": false}),
        ),
        planned(
            25,
            1,
            "google_meet\taaa-bbbb-cce",
            "scheduled",
            &json!({"scheduled_at": time, "stop_requested": true}),
        ),
        planned(26, 1, "google_meet\taaa-bbbb-ccf", "scheduled", &json!({})),
        planned(
            27,
            1,
            "google_meet\taaa-bbbb-ccg",
            "scheduled",
            &json!({"scheduled_at": "2025-10-02T10:00:00Z"}),
        ),
        planned(28, 1, "google_meet\taaa-bbbb-cch", "scheduled", &json!({"scheduled_at": "soon"})),
        planned(29, 1, "google_meet\t\\N", "scheduled", &json!({"scheduled_at": time})),
        planned(30, 1, "google_meet\taaa-bbbb-cci", "idle", &json!({"scheduled_at": time})),
        planned(31, 99, "google_meet\taaa-bbbb-ccj", "scheduled", &json!({"scheduled_at": time})),
    ];
    let rows = rows.each_ref().map(String::as_str);
    Dump::new()
        .table(
            "api_tokens",
            &format!("{TOKENS}, expires_at"),
            &[
                &format!("1\t{KEY}\t1\t\\N\t\\N"),
                &format!("2\t{OTHER_KEY}\t2\t\\N\t2099-01-01 00:00:00"),
            ],
        )
        .table("meetings", MEETINGS, &rows)
        .table(
            "users",
            "id, email, max_concurrent_bots, data",
            &["1\tada@example.com\t2\t{}", "2\tbob@example.com\t2\t{}"],
        )
}

#[test]
fn planned_meetings_whose_time_is_to_come_are_planned_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let expected = [("plan_kept", 2), ("meeting_planned", 10)];
    assert_eq!(remarked(path, dump(), &["--time-zone", "+02:00"]), counts(&expected));
    let runner = Launch::serve(path).env("VOMEET_BOTS_RUNNER", "demo");
    let server = runner.start();
    let found = server.get("/meetings").user(KEY).send().expect(200);
    let meetings = found["meetings"].as_array().expect("meetings");
    let shown: Vec<_> = meetings
        .iter()
        .map(|meeting| {
            (meeting["id"].clone(), meeting["status"].clone(), meeting["data"]["join_at"].clone())
        })
        .collect();
    let at_ten = json!("2099-06-01T10:00:00.000Z");
    // A time without an offset is of the zone that was named.
    let at_eight = json!("2099-06-02T08:00:00.000Z");
    assert_eq!(
        shown,
        [
            (json!(21), json!("scheduled"), at_eight),
            (json!(20), json!("scheduled"), at_ten),
            (json!(5), json!("completed"), Value::Null),
        ]
    );
    // Moved, and cancelled, as any other plan.
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let moved = json!({"platform": "google_meet", "native_meeting_id": "aaa-bbbb-ccc", "join_at": tomorrow.to_string()});
    let answer = server.post("/bots").user(KEY).json(&moved).send();
    assert_eq!(answer.expect(200)["id"], 20);
    server.delete("/bots/teams/9876543210123").user(KEY).send().expect(202);
    server.terminate();
}

#[test]
fn the_bot_of_an_imported_plan_joins_at_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    import(path, dump(), &[]);
    sql(path, "UPDATE meetings SET join_at = unixepoch() * 1000 - 1000 WHERE status = 'scheduled'");
    let told = path.join("told-$1.json");
    let bot = format!(
        "printf %s \"$BOT_CONFIG\" > {0}.part; mv {0}.part {0}; exec sleep 600",
        told.display()
    );
    let bot = bot.replace("$1", "$$");
    let command = json!(["sh", "-c", bot]).to_string();
    let server = Launch::serve(path)
        .env("VOMEET_BOTS_RUNNER", "process")
        .env("VOMEET_BOTS_PROCESS_COMMAND", command)
        .env("VOMEET_BOTS_GRACE_SECONDS", "1")
        .start();
    let configs = wait_for(|| {
        let files = fs::read_dir(path).expect("a folder").flatten();
        let files = files.filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with("told-") && name.ends_with(".json")
        });
        let read = |file: fs::DirEntry| fs::read_to_string(file.path()).expect("a configuration");
        let found: Vec<Value> =
            files.map(|file| serde_json::from_str(&read(file)).expect("JSON")).collect();
        (found.len() == 2).then_some(found)
    });
    let config = |id: i64| configs.iter().find(|config| config["meeting_id"] == id).expect("a bot");
    assert_eq!(config(20)["botName"], "Nora");
    assert_eq!(config(20)["meetingUrl"], "https://meet.google.com/aaa-bbbb-ccc");
    let address = config(21)["meetingUrl"].as_str().expect("an address");
    assert!(address.contains("9876543210123") && address.ends_with("Pass1"), "{address}");
    assert!(config(21)["botName"].as_str().is_some_and(|name| !name.is_empty()));
    for name in ["google_meet/aaa-bbbb-ccc", "teams/9876543210123"] {
        server.delete(format!("/bots/{name}")).user(KEY).send().expect(202);
    }
    server.terminate();
    let requested = "SELECT count(*) FROM meetings WHERE id IN (20, 21) AND status <> 'scheduled'";
    assert_eq!(one::<i64>(&path.join("vomeet.db"), requested), 2);
}
