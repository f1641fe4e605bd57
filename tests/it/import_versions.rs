//! What later and other versions have besides: scopes and names of keys, names of segments, accounts.

use crate::import::{Dump, KEY, OTHER_KEY, SEGMENTS, TOKENS, sound};
use crate::import_rows::{counts, remarked, status};
use crate::restore::serve;
use serde_json::{Value, json};

#[test]
fn scopes_names_and_segment_ids_of_later_versions_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let dump = sound()
        .text()
        .replace(
            &format!("({TOKENS})"),
            "(id, token, user_id, created_at, scopes, name, last_used_at, expires_at)",
        )
        .replace("10:00:00.25\n", "10:00:00.25\t{bot,tx}\tlaptop\t2025-10-02 08:00:00\t\\N\n")
        .replace(
            "\t4\t2025-09-01 10:00:00\n",
            "\t4\t2025-09-01 10:00:00\t{tx}\t\\N\t\\N\t2999-01-01 00:00:00\n",
        )
        .replace(&format!("({SEGMENTS})"), &format!("({SEGMENTS}, segment_id)"))
        .replace("\ts-1\n3\t", "\ts-1\tseg-2\n3\t")
        .replace("04\ts-1\n", "04\ts-1\tseg-1\n")
        .replace("\ts-2\n\\.\n\nCOPY public.users", "\ts-2\t\\N\n\\.\n\nCOPY public.users");
    std::fs::write(path.join("dump.sql"), dump).expect("written");
    let ended = crate::cli::vomeet(path, &["import", "dump.sql"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let server = serve(path);
    let tokens = server.get("/admin/users/1").admin().send().expect(200);
    let token = &tokens["api_tokens"][0];
    assert_eq!((&token["name"], &token["scope"]["read_only"]), (&json!("laptop"), &json!(false)));
    assert_eq!(token["last_used_at"], "2025-10-02T08:00:00.000Z");
    let tokens = server.get("/admin/users/4").admin().send().expect(200);
    let token = &tokens["api_tokens"][0];
    assert_eq!(
        (&token["scope"]["read_only"], &token["expires_at"]),
        (&json!(true), &json!("2999-01-01T00:00:00.000Z"))
    );
    let body = json!({ "platform": "google_meet", "native_meeting_id": "xyz-abcd-efg" });
    assert_eq!(server.post("/bots").user(OTHER_KEY).json(&body).send().status, 403);
    let body = server.get("/transcripts/google_meet/abc-defg-hij").user(KEY).send().expect(200);
    let ids: Vec<_> = [0, 1].map(|at| body["segments"][at]["segment_id"].clone()).into();
    assert_eq!(ids, [json!("seg-1"), json!("seg-2")]);
    server.terminate();
}

const ACCOUNT_KEY: &str = "acc_0123456789abcdef0123456789";
const DISABLED_KEY: &str = "acc_off_0123456789abcdef01234567";

/// A dump with accounts, one of them disabled.
fn with_accounts() -> Dump {
    Dump::new()
        .table("account_users", "id, account_id", &["1\t1"])
        .table(
            "accounts",
            "id, name, api_key, enabled, max_concurrent_bots, webhook_url, webhook_secret",
            &[
                &format!("1\tAcme\t{ACCOUNT_KEY}\tt\t5\thttps://example.com/acme\t\\N"),
                &format!("2\tGone\t{DISABLED_KEY}\tf\t5\t\\N\t\\N"),
            ],
        )
        .table("api_tokens", TOKENS, &[&format!("3\t{KEY}\t1\t\\N")])
        .table(
            "audio_chunks",
            "id, meeting_id, session_uid, audio_key, chunk_index, chunk_timestamp, duration, full_text, segments, language, speaker",
            &[
                "1\t5\ts-1\ta\t0\t1759312800000\t10\tHello there\t[{\"start\": 0.5, \"end\": 2, \"text\": \" Hello\"}, {\"start\": 2, \"end\": 3.5, \"text\": \"there\"}]\ten\tAda",
                "2\t5\ts-1\tb\t1\t1759312810000\t\\N\tWhole chunk\t\\N\ten\t\\N",
                "3\t5\ts-1\tc\t2\t-1\t10\tlost\t[]\ten\t\\N",
            ],
        )
        .table(
            "meetings",
            "id, scheduled_meeting_id, account_id, user_id, platform, platform_specific_id, status, start_time, data",
            &[
                "5\t7\t\\N\t\\N\t\\N\t\\N\tcompleted\t2025-10-01 10:00:00\t{}",
                "6\t\\N\t1\t1\tteams\t9876543210123\tcompleted\t\\N\t{}",
                "8\t\\N\t\\N\t1\tteams\t9876543210124\tcompleted\t\\N\t{}",
            ],
        )
        .table(
            "scheduled_meetings",
            "id, account_id, platform, native_meeting_id, meeting_url, status",
            &[
                "7\t1\tgoogle_meet\tABC-defg-hij\thttps://meet.google.com/abc-defg-hij?authuser=1\tcompleted",
                "8\t1\tgoogle_meet\tzzz-defg-hij\t\\N\tscheduled",
            ],
        )
        .users(&["1\tada@example.com\t{}"])
}

#[test]
fn accounts_are_users_and_their_keys_open_what_is_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let expected = [
        ("key_of_user_disabled", 1),
        ("scheduled_left_out", 1),
        ("segment_times", 1),
        ("table_left_out", 1),
    ];
    assert_eq!(remarked(path, with_accounts(), &[]), counts(&expected));
    let server = serve(path);
    let opened = |key: &str| {
        let meetings = server.get("/meetings").user(key).send().expect(200);
        let mut ids: Vec<_> = meetings["meetings"]
            .as_array()
            .expect("meetings")
            .iter()
            .map(|m| m["id"].clone())
            .collect();
        ids.sort_by_key(Value::as_i64);
        ids
    };
    assert_eq!(opened(ACCOUNT_KEY), [json!(5), json!(6)]);
    assert_eq!((status(&server, KEY), status(&server, DISABLED_KEY)), (403, 403));
    let user = server.get("/admin/users/2").admin().send().expect(200);
    assert_eq!(
        (&user["name"], &user["email"]),
        (&json!("Acme"), &json!("account-1@import.invalid"))
    );
    assert!(server.get("/admin/users/3").admin().send().expect(200)["disabled_at"].is_string());
    let body =
        server.get("/transcripts/google_meet/abc-defg-hij").user(ACCOUNT_KEY).send().expect(200);
    assert_eq!(body["constructed_meeting_url"], "https://meet.google.com/abc-defg-hij?authuser=1");
    let said: Vec<_> = body["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .map(|s| json!([s["absolute_start_time"], s["absolute_end_time"], s["text"], s["speaker"]]))
        .collect();
    let expected = [
        json!(["2025-10-01T10:00:00.500Z", "2025-10-01T10:00:02.000Z", "Hello", "Ada"]),
        json!(["2025-10-01T10:00:02.000Z", "2025-10-01T10:00:03.500Z", "there", "Ada"]),
        json!(["2025-10-01T10:00:10.000Z", "2025-10-01T10:00:20.000Z", "Whole chunk", null]),
    ];
    assert_eq!(said, expected);
    server.terminate();
}

#[test]
fn segments_of_chunks_are_read_or_said_to_be_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let chunk = |id: i64, segments: &str| {
        format!("{id}\t5\t{}\t10\tWhole text {id}\t{segments}", 1_759_312_800_000 + id * 60_000)
    };
    let rows = [
        chunk(1, r#"[{"start": "0.5", "end": " 2 ", "text": "digits"}, {"text": "no times"}]"#),
        chunk(2, r#"[{"start": 1759313000, "end": 1759313001.5, "text": "absolute"}]"#),
        chunk(3, r#"[{"start": "1759313010", "text": "without an end"}]"#),
        chunk(4, r#"[{"start": "soon", "end": 2, "text": "lost"}, {"start": 1, "text": "kept"}]"#),
        chunk(5, r#"["lost", {"start": [0], "text": "lost"}, {"start": 0, "text": 7}]"#),
        chunk(6, r#"{"start": 0}"#),
        chunk(7, "not JSON"),
        chunk(8, "null"),
    ];
    let rows = rows.each_ref().map(String::as_str);
    let dump = Dump::new()
        .table("api_tokens", TOKENS, &[&format!("3\t{KEY}\t1\t\\N")])
        .table(
            "audio_chunks",
            "id, meeting_id, chunk_timestamp, duration, full_text, segments",
            &rows,
        )
        .table(
            "meetings",
            "id, user_id, platform, platform_specific_id, status, start_time",
            &["5\t1\tgoogle_meet\tabc-defg-hij\tcompleted\t2025-10-01 10:00:00"],
        )
        .users(&["1\tada@example.com\t{}"]);
    let expected = [("segment_times", 2), ("segment_unread", 2), ("chunk_unread", 2)];
    assert_eq!(remarked(path, dump, &[]), counts(&expected));
    let server = serve(path);
    let body = server.get("/transcripts/google_meet/abc-defg-hij").user(KEY).send().expect(200);
    let said: Vec<_> = body["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .map(|s| json!([s["text"], s["start"], s["end"]]))
        .collect();
    let expected = [
        json!(["no times", 60.0, 70.0]),
        json!(["digits", 60.5, 62.0]),
        json!(["absolute", 200.0, 201.5]),
        json!(["without an end", 210.0, 210.001]),
        json!(["kept", 241.0, 250.0]),
        json!(["Whole text 6", 360.0, 370.0]),
        json!(["Whole text 7", 420.0, 430.0]),
        json!(["Whole text 8", 480.0, 490.0]),
    ];
    assert_eq!(said, expected);
    server.terminate();
}

#[test]
fn keys_that_only_sent_bots_open_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let scopes =
        ["{bot}", "{browser}", "{bot,browser}", "{bot,tx}", "{tx,browser}", "{tx}", "{}", "\\N"];
    let key = |at: usize| format!("vxa_key_{at}_0123456789abcdef0123456789");
    let rows: Vec<String> = scopes
        .iter()
        .enumerate()
        .map(|(at, s)| format!("{}\t{}\t1\t{s}", at + 1, key(at)))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let dump = Dump::new()
        .table("api_tokens", "id, token, user_id, scopes", &rows)
        .users(&["1\tada@example.com\t{}"]);
    assert_eq!(remarked(path, dump, &[]), counts(&[("key_that_reads_nothing", 3)]));
    let server = serve(path);
    let read = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| status(&server, key(at)));
    assert_eq!(read, [403, 403, 403, 200, 200, 200, 200, 200]);
    let body = json!({ "platform": "google_meet", "native_meeting_id": "no" });
    let send = |at: usize| server.post("/bots").user(&key(at)).json(&body).send().status;
    assert_eq!([3, 4, 5, 6].map(send), [422, 403, 403, 422]);
    server.terminate();
}

#[test]
fn keys_end_when_they_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let ends = [
        "-infinity",
        "0044-03-15 00:00:00 BC",
        "12000-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "infinity",
        "\\N",
    ];
    let key = |at: usize| format!("vxa_key_{at}_0123456789abcdef0123456789");
    let rows: Vec<String> =
        ends.iter().enumerate().map(|(at, e)| format!("{}\t{}\t1\t{e}", at + 1, key(at))).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let dump = Dump::new()
        .table("api_tokens", "id, token, user_id, expires_at", &rows)
        .users(&["1\tada@example.com\t{}"]);
    assert_eq!(remarked(path, dump, &[]), counts(&[("time_beyond", 2)]));
    let server = serve(path);
    let opened = [0, 1, 2, 3, 4, 5].map(|at| status(&server, key(at)));
    assert_eq!(opened, [403, 403, 200, 200, 200, 200]);
    let tokens = server.get("/admin/users/1").admin().send().expect(200);
    assert_eq!(tokens["api_tokens"][2]["expires_at"], Value::Null);
    server.terminate();
}
