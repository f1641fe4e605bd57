//! the HTTP contract, section Analytics. The rows are put into the file before the server starts.

use crate::client::{Client, fields};
use crate::segments::insert_stream;
use crate::server::{Server, Setup};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

/// 2025-10-10T12:00:00Z in milliseconds.
const NOON: i64 = 1_760_097_600_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn insert_user(db: &Connection, id: i64) {
    let sql = r#"INSERT INTO users (id, email, email_key, name, max_concurrent_bots, data, created_at)
                 VALUES (?1, ?2, ?2, 'Ada', 2, '{"team":"engines"}', ?3)"#;
    db.execute(sql, params![id, format!("u{id}@example.com"), NOON]).expect("a user");
}

/// A meeting as its row tells it; times in milliseconds.
struct Row<'a> {
    user: i64,
    platform: &'a str,
    status: &'a str,
    created: i64,
    lasted: Option<(i64, i64)>,
    data: Value,
}

impl Default for Row<'_> {
    fn default() -> Self {
        Self {
            user: 1,
            platform: "google_meet",
            status: "completed",
            created: NOON,
            lasted: None,
            data: json!({}),
        }
    }
}

impl Row<'_> {
    fn insert(&self, db: &Connection) -> i64 {
        let sql = "INSERT INTO meetings (user_id, platform, native_meeting_id, constructed_meeting_url, status, bot_container_id,
                     start_time, end_time, data, created_at, updated_at)
                   VALUES (?1, ?2, 'abc-defg-' || (SELECT count(*) FROM meetings), 'https://meet.google.com/abc-defg-hij', ?3, 'bot-1', ?4, ?5, ?6, ?7, ?8)";
        let (start, end) = self.lasted.unzip();
        let (data, updated) = (self.data.to_string(), end.unwrap_or(self.created));
        db.execute(
            sql,
            params![self.user, self.platform, self.status, start, end, data, self.created, updated],
        )
        .expect("a meeting");
        db.last_insert_rowid()
    }
}

fn insert_session(db: &Connection, meeting: i64, started: i64) {
    let sql = "INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (?1, ?2, 'Vomeet', ?3)";
    let uid = format!("9b2f6a0e-0000-4000-8000-{meeting:012}");
    db.execute(sql, params![meeting, uid, started]).expect("a session");
}

fn insert_segment(db: &Connection, meeting: i64, start: i64, end: i64, who: Option<(&str, &str)>) {
    let stream = insert_stream(db, meeting);
    let sql = "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker,
                 speaker_source, language, completed, created_at, updated_at)
               VALUES (?1, ?2, ?3, ?4, ?5, 'words', ?6, 'stream', ?7, 1, ?4, ?4)";
    let (speaker, language) = who.unzip();
    db.execute(sql, params![meeting, stream, start, NOON + start, NOON + end, speaker, language])
        .expect("a segment");
}

/// A meeting that went all the way, and its neighbour in whose figures it must not count.
fn whole_story(db: &Connection) {
    insert_user(db, 1);
    let at = |seconds: i64| vomeet::domain::Time::from_millis(NOON + 1000 * seconds).to_string();
    let step = |from: &str, to: &str, seconds| json!({"from": from, "to": to, "timestamp": at(seconds), "source": "bot_callback"});
    let steps = [
        step("requested", "joining", 2),
        step("joining", "awaiting_admission", 5),
        step("awaiting_admission", "active", 20),
        step("active", "completed", 1820),
    ];
    let data = json!({"completion_reason": "stopped", "status_transition": steps});
    let lasted = Some((NOON + 20_000, NOON + 1_820_000));
    for (status, data) in [("completed", data), ("requested", json!({}))] {
        let lasted = lasted.filter(|_| status == "completed");
        let meeting = Row { status, lasted, data, ..Row::default() }.insert(db);
        insert_session(db, meeting, NOON + 20_000);
        insert_segment(db, meeting, 0, 1500, Some(("Ada", "en")));
        insert_segment(db, meeting, 2000, 4000, Some(("Ada", "de")));
        insert_segment(db, meeting, 4000, 4250, Some(("Grace", "en")));
        insert_segment(db, meeting, 5000, 6000, None);
    }
}

fn get(server: &Client, path: &str) -> Value {
    server.get(path).admin().send().expect(200)
}

#[test]
fn a_meeting_tells_how_it_went() {
    let server = Setup::new().rows(whole_story).start();
    let path = "/admin/analytics/meetings/1/telematics";
    let all = get(&server, &format!("{path}?include_transcriptions=true&include_sessions=1"));
    insta::assert_json_snapshot!("telematics", all);
    let plain = get(&server, path);
    assert_eq!((&plain["sessions"], &plain["transcription_stats"]), (&json!([]), &Value::Null));
    assert_eq!(plain["meeting"], all["meeting"]);
    assert_eq!(plain["performance_metrics"], all["performance_metrics"]);
    for no in ["false", "0", "False"] {
        let none =
            get(&server, &format!("{path}?include_transcriptions={no}&include_sessions={no}"));
        assert_eq!(none, plain, "{no}");
    }
    let unseen = get(&server, "/admin/analytics/meetings/2/telematics?include_transcriptions=True");
    assert_eq!(unseen["performance_metrics"], Value::Null);
    assert_eq!(unseen["transcription_stats"]["total_transcriptions"], 4);
}

#[test]
fn a_meeting_in_which_nobody_spoke_has_figures_too() {
    let setup = Setup::new().rows(|db| {
        insert_user(db, 1);
        Row::default().insert(db);
    });
    let body = get(
        &setup.start(),
        "/admin/analytics/meetings/1/telematics?include_transcriptions=1&include_sessions=1",
    );
    assert_eq!(body["sessions"], json!([]));
    let stats = json!({"total_transcriptions": 0, "total_duration": 0.0, "unique_speakers": 0, "languages_detected": []});
    assert_eq!(body["transcription_stats"], stats);
}

#[test]
fn a_user_in_figures() {
    let setup = Setup::new().rows(|db| {
        (1..=3).for_each(|id| insert_user(db, id));
        let lasted = |begun: i64, seconds: i64| Some((begun, begun + 1000 * seconds));
        let rows = [
            Row { created: NOON, lasted: lasted(NOON, 100), ..Row::default() },
            Row { created: NOON + 1, lasted: lasted(NOON, 51), ..Row::default() },
            Row {
                created: NOON + DAY + HOUR,
                platform: "teams",
                status: "failed",
                ..Row::default()
            },
            Row {
                created: NOON + DAY + HOUR,
                platform: "teams",
                status: "active",
                lasted: None,
                ..Row::default()
            },
            Row { created: NOON + 2 * DAY - 2 * HOUR, status: "stopping", ..Row::default() },
            Row {
                created: NOON + 3 * DAY + 11 * HOUR,
                status: "failed",
                lasted: lasted(NOON, -5),
                ..Row::default()
            },
            Row {
                created: NOON + 3 * DAY + 11 * HOUR,
                platform: "teams",
                status: "requested",
                ..Row::default()
            },
            Row {
                user: 2,
                created: NOON,
                platform: "teams",
                lasted: lasted(NOON, 7),
                ..Row::default()
            },
        ];
        for row in rows {
            row.insert(db);
        }
    });
    let server = setup.start();
    let token = server.new_token(1);
    server.whoami(&token.text).expect(200);
    let body = get(&server, "/admin/analytics/users/1/details?include_tokens=true");
    insta::assert_json_snapshot!("user_details", body, {
        ".api_tokens[].created_at" => "[time]",
        ".api_tokens[].last_used_at" => "[time]",
        ".api_tokens[].hint" => "[hint]",
    });
    assert!(!body.to_string().contains(&token.text), "the token itself");
    assert!(body["api_tokens"][0]["last_used_at"].is_string(), "what is only noted in memory");
    let plain = get(&server, "/admin/analytics/users/1/details");
    assert_eq!(
        (&plain["api_tokens"], &plain["meeting_stats"]),
        (&Value::Null, &body["meeting_stats"])
    );
    let none = get(&server, "/admin/analytics/users/3/details?include_tokens=1");
    insta::assert_json_snapshot!("user_without_meetings", none);
}

#[test]
fn of_two_platforms_the_last_one_counts() {
    for (first, last) in [("teams", "google_meet"), ("google_meet", "teams")] {
        let setup = Setup::new().rows(|db| {
            insert_user(db, 1);
            for platform in [first, last] {
                Row { platform, ..Row::default() }.insert(db);
            }
        });
        let body = get(&setup.start(), "/admin/analytics/users/1/details");
        assert_eq!(body["usage_patterns"]["most_used_platform"], last);
    }
}

const USER: [&str; 6] = ["created_at", "email", "id", "image_url", "max_concurrent_bots", "name"];
const MEETING: [&str; 11] = [
    "bot_container_id",
    "constructed_meeting_url",
    "created_at",
    "end_time",
    "id",
    "native_meeting_id",
    "platform",
    "start_time",
    "status",
    "updated_at",
    "user_id",
];

/// Two users with seven meetings in turn.
fn crowd() -> Server {
    let setup = Setup::new().rows(|db| {
        (1..=2).for_each(|id| insert_user(db, id));
        for n in 0..7 {
            Row { user: 1 + n % 2, data: json!({"name": format!("m{n}")}), ..Row::default() }
                .insert(db);
        }
    });
    setup.start()
}

#[test]
fn lists_are_whole_ordered_and_paged() {
    let server = crowd();
    let users = get(&server, "/admin/analytics/users");
    let meetings = get(&server, "/admin/analytics/meetings");
    let stats = get(&server, "/admin/stats/meetings-users");
    assert_eq!(fields(&stats), ["items", "total"]);
    assert_eq!(stats["total"], 7);
    insta::assert_json_snapshot!("meeting_with_user", stats["items"][0]);
    for (path, all, order) in [
        ("/admin/analytics/users", &users, vec![1, 2]),
        ("/admin/analytics/meetings", &meetings, vec![7, 6, 5, 4, 3, 2, 1]),
        ("/admin/stats/meetings-users", &stats["items"], vec![7, 6, 5, 4, 3, 2, 1]),
    ] {
        let all = all.as_array().expect("an array");
        let ids: Vec<_> = all.iter().map(|item| item["id"].as_i64().expect("an id")).collect();
        assert_eq!(ids, order, "{path}");
        for (skip, limit) in [(0, 1), (1, 3), (2, 1000), (6, 2), (7, 1), (1000, 1)] {
            let page = get(&server, &format!("{path}?skip={skip}&limit={limit}"));
            let items = if page.is_object() { &page["items"] } else { &page };
            let expected: Vec<_> = all.iter().skip(skip).take(limit).cloned().collect();
            assert_eq!(*items, json!(expected), "{path} {skip} {limit}");
            assert!(
                page.is_array() || page["total"] == 7,
                "{path} {skip} {limit}: the total is of all"
            );
        }
    }
    assert!(users.as_array().expect("an array").iter().all(|user| fields(user) == USER), "{users}");
    assert!(
        meetings.as_array().expect("an array").iter().all(|meeting| fields(meeting) == MEETING),
        "{meetings}"
    );
    let owns = |item: &Value| {
        item["user"]["id"] == item["user_id"] && item["user"]["data"]["team"] == "engines"
    };
    assert!(stats["items"].as_array().expect("an array").iter().all(owns), "{stats}");
}

#[test]
fn meetings_are_found_by_owner_and_name() {
    let setup = Setup::new().rows(|db| {
        insert_user(db, 1);
        insert_user(db, 2);
        for (id, user, platform, native) in [
            (1, 1, "google_meet", "a"),
            (2, 2, "google_meet", "a"),
            (3, 1, "teams", "a"),
            (4, 1, "google_meet", "b"),
        ] {
            Row { user, ..Row::default() }.insert(db);
            let name = "UPDATE meetings SET platform = ?2, native_meeting_id = ?3 WHERE id = ?1";
            db.execute(name, params![id, platform, native]).expect("a name");
        }
    });
    let server = setup.start();
    for (query, expected) in [
        ("", vec![4, 3, 2, 1]),
        ("user_id=1", vec![4, 3, 1]),
        ("platform=google_meet", vec![4, 2, 1]),
        ("native_meeting_id=a", vec![3, 2, 1]),
        ("platform=google_meet&native_meeting_id=a&limit=1", vec![2]),
        ("user_id=1&platform=google_meet&native_meeting_id=a", vec![1]),
        ("user_id=1&limit=1&skip=1", vec![3]),
        ("user_id=9", vec![]),
    ] {
        let found = get(&server, &format!("/admin/analytics/meetings?{query}"));
        let ids: Vec<_> = found
            .as_array()
            .expect("an array")
            .iter()
            .map(|row| row["id"].as_i64().expect("an id"))
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[test]
fn nothing_is_there_in_an_empty_house() {
    let server = Server::start();
    assert_eq!(get(&server, "/admin/stats/meetings-users"), json!({"total": 0, "items": []}));
    assert_eq!(get(&server, "/admin/analytics/users"), json!([]));
    assert_eq!(get(&server, "/admin/analytics/meetings"), json!([]));
    for (path, detail) in [
        ("/admin/analytics/meetings/1/telematics", "Meeting not found"),
        ("/admin/analytics/users/1/details", "User not found"),
        ("/admin/analytics/users/1/details?include_tokens=1", "User not found"),
    ] {
        let answer = server.get(path).admin().send();
        assert_eq!(answer.refusal(), (404, detail.to_owned()), "{path}");
    }
}

#[test]
fn what_does_not_validate_is_said() {
    let server = crowd();
    for list in
        ["/admin/stats/meetings-users", "/admin/analytics/users", "/admin/analytics/meetings"]
    {
        for (query, kind, loc) in [
            ("skip=-1", "greater_than_equal", "query.skip"),
            ("limit=0", "greater_than_equal", "query.limit"),
            ("limit=1001", "less_than_equal", "query.limit"),
            ("limit=x", "int_parsing", "query.limit"),
        ] {
            let answer = server.get(format!("{list}?{query}")).admin().send();
            assert_eq!(answer.faults(), [(kind.to_owned(), loc.to_owned())], "{list} {query}");
        }
    }
    let flags =
        ["include_transcriptions", "include_sessions"].map(|name| ("meetings/1/telematics", name));
    for (path, name) in flags.into_iter().chain([("users/1/details", "include_tokens")]) {
        for value in ["", "yes", "2", "null", "TRUE"] {
            let answer =
                server.get(format!("/admin/analytics/{path}?{name}={value}")).admin().send();
            assert_eq!(
                answer.faults(),
                [("bool_parsing".to_owned(), format!("query.{name}"))],
                "{name}={value}"
            );
        }
    }
    let all = server
        .get("/admin/analytics/meetings/x/telematics?include_sessions=x&include_transcriptions=x");
    assert_eq!(all.admin().send().faults().len(), 3, "every fault at once");
}
