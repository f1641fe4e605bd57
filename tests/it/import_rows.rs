//! What becomes of rows that are not as they should be.

use crate::import::{Dump, HELD, KEY, MEETINGS, OTHER_KEY, SEGMENTS, SESSIONS, TOKENS, import};
use crate::process::Process;
use crate::restore::{one, serve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Imports a dump that has something to remark, and returns how often each thing was.
pub fn remarked(folder: &Path, dump: Dump, arguments: &[&str]) -> BTreeMap<String, u64> {
    let (ended, report) = import(folder, dump, arguments);
    let remarks = report["remarks"].as_array().unwrap_or_else(|| panic!("{ended:?}"));
    let is_clean = remarks.iter().all(|remark| remark["is_note"] == true);
    let code = if is_clean { 0 } else { 40 };
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    let counted = |remark: &Value| {
        let word = remark["remark"].as_str().expect("a word").to_owned();
        assert!(!remark["examples"].as_array().expect("examples").is_empty());
        (word, remark["count"].as_u64().expect("a count"))
    };
    remarks.iter().map(counted).collect()
}

pub fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

/// The status that a key gets, sent as these bytes.
pub fn status(server: &Process, key: impl AsRef<[u8]>) -> u16 {
    server.get("/meetings").header("X-API-Key", key).send().status
}

#[test]
fn keys_open_what_they_opened_whatever_they_look_like() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let long = "k".repeat(255);
    let dump = || {
        Dump::new()
            .table(
                "api_tokens",
                TOKENS,
                &[
                    &format!("1\t{KEY}\t1\t\\N"),
                    &format!("2\t{long}\t1\t\\N"),
                    "3\tschlüssel-mit-umlaut\t1\t\\N",
                    "4\twith blanks and \"quotes\" inside\t1\t\\N",
                    "5\tshort\t1\t\\N",
                    "6\tключ-от-всех-дверей\t1\t\\N",
                    "7\tline\\nbreak-in-the-middle\t1\t\\N",
                    "8\t a-blank-before-the-key\t1\t\\N",
                    &format!("9\t{OTHER_KEY}\t77\t\\N"),
                ],
            )
            .users(&["1\tada@example.com\t{}"])
    };
    let expected = [("weak_key", 1), ("key_without_header", 3), ("token_of_nobody", 1)];
    assert_eq!(remarked(path, dump(), &[]), counts(&expected));
    let server = serve(path);
    for key in [KEY, &long, "with blanks and \"quotes\" inside"] {
        assert_eq!(status(&server, key), 200, "{key}");
    }
    // As the former servers read headers: in Latin-1.
    assert_eq!(status(&server, b"schl\xfcssel-mit-umlaut"), 200);
    for key in [OTHER_KEY, "short", "schlüssel-mit-umlaut", "ключ-от-всех-дверей"]
    {
        assert_eq!(status(&server, key), 403, "{key}");
    }
    assert_eq!(status(&server, "a-blank-before-the-key"), 403);
    let tokens = server.get("/admin/users/1").admin().send().expect(200);
    let hints: Vec<_> = tokens["api_tokens"].as_array().expect("tokens").iter().collect();
    assert_eq!(hints[4]["hint"], "s", "a quarter of a short key");
    server.terminate();

    let folder = tempfile::tempdir().expect("a folder");
    let found = remarked(folder.path(), dump(), &["--keep-weak-keys"]);
    assert_eq!((found.get("weak_key"), found.get("weak_key_kept")), (None, Some(&1)));
    let server = serve(folder.path());
    assert_eq!(status(&server, "short"), 200);
    server.terminate();
}

#[test]
fn addresses_that_differ_by_case_are_two_users_or_one() {
    let dump = || {
        Dump::new()
            .table(
                "api_tokens",
                TOKENS,
                &[&format!("1\t{KEY}\t1\t\\N"), &format!("2\t{OTHER_KEY}\t2\t\\N")],
            )
            .table("meetings", MEETINGS, &[HELD])
            .users(&[
                "1\tAda@example.com\t{}",
                "2\tada@EXAMPLE.com\t{}",
                "3\tAda+2@example.com\t{}",
            ])
    };
    let folder = tempfile::tempdir().expect("a folder");
    let found = remarked(folder.path(), dump(), &[]);
    // The address that the second one would have is the third one's.
    assert_eq!(found, counts(&[("email_changed", 2)]));
    let server = serve(folder.path());
    let emails = [1, 2, 3].map(|id| {
        let user = server.get(format!("/admin/users/{id}")).admin().send().expect(200);
        user["email"].as_str().expect("an address").to_owned()
    });
    assert_eq!(emails, ["Ada@example.com", "ada+2@EXAMPLE.com", "Ada+2+3@example.com"]);
    let opened = |server: &Process, key: &str| {
        let meetings = server.get("/meetings").user(key).send().expect(200);
        meetings["meetings"].as_array().map(Vec::len)
    };
    assert_eq!((opened(&server, KEY), opened(&server, OTHER_KEY)), (Some(1), Some(0)));
    server.terminate();

    let folder = tempfile::tempdir().expect("a folder");
    let found = remarked(folder.path(), dump(), &["--merge-same-email"]);
    assert_eq!(found, counts(&[("email_joined", 1)]));
    let server = serve(folder.path());
    assert_eq!((opened(&server, KEY), opened(&server, OTHER_KEY)), (Some(1), Some(1)));
    server.get("/admin/users/2").admin().send().expect(404);
    server.terminate();
}

#[test]
fn segments_are_mended_kept_apart_or_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let dump = Dump::new()
        .table("api_tokens", TOKENS, &[&format!("1\t{KEY}\t1\t\\N")])
        .table("meeting_sessions", SESSIONS, &["1\t5\ts-1\t2025-10-01 10:00:00+00"])
        .table("meetings", MEETINGS, &[HELD])
        .table(
            "transcriptions",
            SEGMENTS,
            &[
                "1\t5\t1\t2\tone\tAda\ten\t\\N\ts-1",
                "2\t5\t1\t2\tone again\tAda\ten\t\\N\ts-1",
                "3\t5\t1.0004\t2\tand again\tAda\ten\t\\N\ts-1",
                "4\t5\t1\t2\tbeside\tBob\ten\t\\N\ts-1",
                "5\t5\t9\t8\tswapped\tAda\ten\t\\N\ts-1",
                "6\t5\tNaN\t8\tlost\tAda\ten\t\\N\ts-1",
                "7\t5\t8\tInfinity\tlost\tAda\ten\t\\N\ts-1",
                "8\t5\t1e8\t2e8\tlost\tAda\ten\t\\N\ts-1",
                "9\t5\t1759312820\t1759312821.5\tabsolute\tAda\ten\t\\N\t\\N",
                "10\t5\t20\t21\tof no session\tAda\ten\t\\N\tnobody",
                "11\t5\t30\t31\t [BLANK_AUDIO] \t\\N\ten\t\\N\ts-1",
                "12\t5\t30\t31\t\t\\N\ten\t\\N\ts-1",
                "13\t77\t30\t31\torphan\t\\N\ten\t\\N\ts-1",
                "14\t5\t40\t40\tshort\t  \t\\N\t\\N\ts-1",
                "15\t5\t-2\t-1\tbefore\\nthe start\t\\N\t\\N\t\\N\ts-1",
            ],
        )
        .users(&["1\tada@example.com\t{}"]);
    let expected = [
        ("segment_equal", 2),
        ("segment_swapped", 1),
        ("segment_times", 3),
        ("segment_of_no_session", 1),
        ("segment_empty", 2),
        ("segment_of_no_meeting", 1),
    ];
    assert_eq!(remarked(path, dump, &[]), counts(&expected));
    let server = serve(path);
    let body = server.get("/transcripts/google_meet/abc-defg-hij").user(KEY).send().expect(200);
    let segments = body["segments"].as_array().expect("segments");
    let mut found: Vec<_> =
        segments.iter().map(|s| json!([s["start"], s["end"], s["text"], s["speaker"]])).collect();
    found.sort_by_key(|row| (row[0].as_f64().unwrap_or(0.0).to_bits(), row[2].to_string()));
    let expected = [
        json!([0.0, 0.001, "before the start", null]),
        json!([1.0, 2.0, "and again", "Ada"]),
        json!([1.0, 2.0, "beside", "Bob"]),
        json!([1.0, 2.0, "one again", "Ada"]),
        json!([1.0, 2.0, "one", "Ada"]),
        json!([8.0, 9.0, "swapped", "Ada"]),
        json!([20.0, 21.5, "absolute", "Ada"]),
        json!([20.0, 21.0, "of no session", "Ada"]),
        json!([40.0, 40.001, "short", null]),
    ];
    assert_eq!(found, expected);
    let mut ids: Vec<_> =
        segments.iter().map(|segment| segment["segment_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), segments.len(), "each has a name of its own");
    server.terminate();
}

#[test]
fn meetings_that_were_not_over_have_failed_and_planned_ones_are_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let rest = "\\N\t\\N\t\\N\t{\"title\": \"x\"}\t2025-10-01 09:59:00\t2025-10-01 09:59:30";
    let started = "c\t2025-10-01 10:00:00\t\\N\t{\"webhook_secret\": \"s\"}\t2025-10-01 09:59:00\t2025-10-01 10:30:00";
    let rows = [
        HELD.to_owned(),
        format!("6\t1\tteams\t9876543210123\tactive\t{started}"),
        format!("7\t1\tzoom\t987654321\tneeds_help\t{rest}"),
        format!("8\t1\tgoogle_meet\taaa-bbbb-ccc\tscheduled\t{rest}"),
        format!("9\t1\tgoogle_meet\t\\N\tidle\t{rest}"),
        format!("10\t99\tgoogle_meet\taaa-bbbb-ccc\tcompleted\t{rest}"),
        format!("11\t1\tBrowser_Session\tX-1\tfailed\t{rest}"),
    ];
    let rows = rows.each_ref().map(String::as_str);
    let dump = Dump::new()
        .table("api_tokens", TOKENS, &[&format!("1\t{KEY}\t1\t\\N")])
        .table("meetings", MEETINGS, &rows)
        .users(&["1\tada@example.com\t{}"]);
    let expected = [
        ("meeting_open", 2),
        ("meeting_planned", 2),
        ("meeting_of_nobody", 1),
        ("secrets_left_out", 1),
    ];
    assert_eq!(remarked(path, dump, &["--time-zone", "+02:00"]), counts(&expected));
    let server = serve(path);
    let meetings = server.get("/meetings").user(KEY).send().expect(200);
    let meetings = meetings["meetings"].as_array().expect("meetings");
    let by_id = |id: i64| meetings.iter().find(|meeting| meeting["id"] == id).expect("a meeting");
    assert_eq!(meetings.len(), 4);
    let open = by_id(6);
    assert_eq!(
        (&open["status"], &open["data"]["failure_stage"]),
        (&json!("failed"), &json!("active"))
    );
    assert_eq!(open["data"]["error"], "The former installation left it at active.");
    // Times without an offset are of the zone that was named.
    assert_eq!(open["start_time"], "2025-10-01T08:00:00.000Z");
    assert_eq!(open["end_time"], "2025-10-01T08:30:00.000Z");
    assert_eq!(by_id(7)["status"], "failed");
    assert_eq!(by_id(11)["platform"], "Browser_Session");
    assert_eq!(by_id(5)["status"], "completed");
    server.terminate();
}

#[test]
fn webhooks_and_data_come_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let dump = Dump::new()
        .users(&[
            "1\ta@example.com\t{\"webhook_url\": \"http://app:8000?key=s\", \"calendar_ics_url\": \"https://c.example\"}",
            "2\tb@example.com\t{\"webhook_url\": \"http://10.0.0.5/\", \"webhook_secret\": \"short\"}",
            "3\tc@example.com\t{\"webhook_url\": \"ftp://example.com/\", \"models\": {\"api_key\": \"k\"}}",
            "4\td@example.com\t[]",
            "6\tf@example.com\t{\"webhook_secret\": \"0123456789abcdef\"}",
            "5\te@example.com\t{}",
        ])
        .table(
            "webhooks",
            "id, user_id, url, secret, events, enabled",
            &[
                "1\t5\thttps://example.com/one\t0123456789abcdef\t[\"*\"]\tt",
                "2\t5\thttps://example.com/two\t\\N\t[\"*\"]\tt",
                "3\t5\thttps://example.com/off\t\\N\t[\"*\"]\tf",
            ],
        )
        .table("recordings", "id", &["1", "2"])
        .table("alembic_version", "version_num", &["abc"]);
    let expected = [
        ("webhook_private", 2),
        ("webhook_unsigned", 1),
        ("webhook_left_out", 2),
        ("webhook_more", 1),
        ("secrets_left_out", 3),
        ("data_left_out", 1),
        ("table_left_out", 2),
    ];
    let (ended, report) = import(path, dump, &[]);
    let said = ended.stdout;
    for (word, count) in expected {
        let found =
            report["remarks"].as_array().expect("remarks").iter().find(|r| r["remark"] == word);
        assert_eq!(found.map(|remark| &remark["count"]), Some(&json!(count)), "{word}: {said}");
    }
    assert!(said.contains("http://app:8000") && !said.contains("key=s"), "{said}");
    let server = serve(path);
    let data = |id: i64| {
        server.get(format!("/admin/users/{id}")).admin().send().expect(200)["data"].clone()
    };
    assert_eq!(data(1), json!({ "webhook_url": "http://app:8000?key=s" }));
    assert_eq!((data(3), data(4)), (json!({}), json!({})));
    assert_eq!(data(5), json!({ "webhook_url": "https://example.com/one" }));
    server.terminate();
    let secrets: i64 = one(&path.join("vomeet.db"), "SELECT count(*) FROM webhook_secrets");
    assert_eq!(secrets, 1);
}

#[test]
fn ids_of_what_is_left_out_do_not_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let dump = Dump::new()
        .table("accounts", "id, name, api_key", &[])
        .table(
            "api_tokens",
            TOKENS,
            &[&format!("1\t{KEY}\t1\t\\N"), &format!("70\t{OTHER_KEY}\t99\t\\N")],
        )
        .table("meetings", "id, user_id, status", &["5\t1\tcompleted", "80\t1\tscheduled"])
        .users(&["1\tada@example.com\t{}", "60\tADA@example.com\t{}"]);
    // A table of accounts without one disables nobody's keys.
    let expected = [("email_joined", 1), ("meeting_planned", 1), ("token_of_nobody", 1)];
    assert_eq!(remarked(path, dump, &["--merge-same-email"]), counts(&expected));
    let server = serve(path);
    assert_eq!(status(&server, KEY), 200);
    assert_eq!(server.new_user("new@example.com"), 61);
    server.terminate();
    for (table, highest) in [("tokens", 70), ("meetings", 80)] {
        let last = format!("SELECT seq FROM sqlite_sequence WHERE name = '{table}'");
        let last: i64 = one(&path.join("vomeet.db"), &last);
        assert!(last >= highest, "{table}: {last}");
    }
}
