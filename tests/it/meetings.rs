//! the HTTP contract: `GET /meetings`. The rows are put into the file before the server starts, as
//! long as no bot makes them.

use crate::client::{assert_time, fields};
use crate::server::Setup;
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vomeet::domain::{MeetingStatus, Platform};

const MEETING: [&str; 12] = [
    "bot_container_id",
    "constructed_meeting_url",
    "created_at",
    "data",
    "end_time",
    "id",
    "native_meeting_id",
    "platform",
    "start_time",
    "status",
    "updated_at",
    "user_id",
];
/// Meetings of the caller; above the 20 that are read where the request runs.
const OURS: usize = 70;

/// Every status on every platform, again and again, in turn with somebody else's.
fn insert(db: &Connection) {
    for n in 0..2 * OURS {
        let at = n / 2;
        let status = MeetingStatus::WORDS[at % MeetingStatus::WORDS.len()];
        let platform = Platform::WORDS[at % Platform::WORDS.len()];
        let sql = "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
                   VALUES (?1, ?2, ?3, ?4, '{}', ?5, ?5)";
        // Created in one and the same millisecond, now and then: the order is that of the ids.
        let made = 1_760_097_600_000 + i64::try_from(n / 10).expect("small");
        db.execute(
            sql,
            params![1 + i64::from(n % 2 == 1), platform, format!("m-{n}"), status, made],
        )
        .expect("a meeting");
    }
}

#[test]
fn only_the_callers_newest_first_filtered_and_paged() {
    let mut keys = [String::new(), String::new(), String::new()];
    let setup = Setup::new().rows(|db| {
        keys = [1, 2, 3].map(|user| insert_token(db, user, None));
        insert(db);
    });
    let server = setup.start();
    let list = |key: &str, query: &str| -> Vec<Value> {
        let body = server.get(format!("/meetings{query}")).user(key).send().expect(200);
        assert_eq!(fields(&body), ["has_more", "meetings"], "{query}");
        body["meetings"].as_array().expect("an array").clone()
    };
    let has_more = |key: &str, query: &str| -> bool {
        let body = server.get(format!("/meetings{query}")).user(key).send().expect(200);
        body["has_more"].as_bool().expect("true or false")
    };
    assert_eq!(list(&keys[2], ""), Vec::<Value>::new(), "somebody without meetings");
    for (user, key) in [(1, &keys[0]), (2, &keys[1])] {
        let all = list(key, "");
        assert_eq!(all.len(), OURS);
        assert!(all.iter().all(|meeting| meeting["user_id"] == user), "somebody else's meeting");
        assert!(
            all.windows(2).all(|pair| pair[0]["id"].as_u64() > pair[1]["id"].as_u64()),
            "order"
        );
        assert!(all.iter().all(|meeting| fields(meeting) == MEETING), "fields");
        let wanted = |words: &[&str]| -> Vec<Option<String>> {
            words.iter().map(|word| Some((*word).to_owned())).chain([None]).collect()
        };
        for status in wanted(MeetingStatus::WORDS) {
            for platform in wanted(Platform::WORDS) {
                for skip in [None, Some(0), Some(1), Some(21), Some(65), Some(1000)] {
                    for limit in [None, Some(1), Some(20), Some(21), Some(1000)] {
                        let parts = [
                            status.as_ref().map(|word| format!("status={word}")),
                            platform.as_ref().map(|word| format!("platform={word}")),
                            skip.map(|count| format!("skip={count}")),
                            limit.map(|count| format!("limit={count}")),
                        ];
                        let parts: Vec<String> = parts.into_iter().flatten().collect();
                        let query = format!("?{}", parts.join("&"));
                        let fits = |meeting: &&Value| {
                            status.as_ref().is_none_or(|word| meeting["status"] == *word)
                                && platform.as_ref().is_none_or(|word| meeting["platform"] == *word)
                        };
                        let fitting = all.iter().filter(fits).skip(skip.unwrap_or(0));
                        let expected: Vec<Value> =
                            fitting.take(limit.unwrap_or(usize::MAX)).cloned().collect();
                        assert_eq!(list(key, &query), expected, "{query}");
                        let rest = all.iter().filter(fits).skip(skip.unwrap_or(0)).count();
                        let more = limit.is_some_and(|limit| rest > limit);
                        assert_eq!(has_more(key, &query), more, "{query}");
                        let offset = query.replace("skip=", "skip=3&offset=");
                        assert_eq!(list(key, &offset), expected, "{offset}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_meeting_has_every_field() {
    let mut key = String::new();
    let setup = Setup::new().rows(|db| {
        key = insert_token(db, 1, None);
        let sql = "INSERT INTO meetings (user_id, platform, native_meeting_id, constructed_meeting_url, status, bot_container_id,
                     start_time, end_time, data, created_at, updated_at) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let none: Option<i64> = None;
        db.execute(sql, params!["google_meet", none, none, "requested", none, none, none, "{}", 1_760_097_600_000_i64, 1_760_097_600_000_i64])
            .expect("an empty one");
        db.execute(
            sql,
            params![
                "google_meet", "abc-defg-hij", "https://meet.google.com/abc-defg-hij", "completed", "bot-1",
                1_760_097_600_500_i64, 1_760_097_601_000_i64, r#"{"name":"Weekly"}"#, 1_760_097_600_000_i64, 1_760_097_601_010_i64
            ],
        )
        .expect("a full one");
    });
    let server = setup.start();
    let body = server.get("/meetings").user(&key).send().expect(200);
    insta::assert_json_snapshot!("meetings", body);
    assert_time(&body["meetings"][0]["updated_at"]);
}

#[test]
fn what_is_not_a_filter_is_said() {
    let mut key = String::new();
    let server = Setup::new().rows(|db| key = insert_token(db, 1, None)).start();
    for (query, kind, loc) in [
        ("status=done", "enum", "query.status"),
        ("status=Active", "enum", "query.status"),
        ("platform=webex", "enum", "query.platform"),
        ("limit=0", "greater_than_equal", "query.limit"),
        ("limit=1001", "less_than_equal", "query.limit"),
        ("limit=all", "int_parsing", "query.limit"),
        ("skip=-1", "greater_than_equal", "query.skip"),
        ("offset=-1", "greater_than_equal", "query.offset"),
        ("skip=1.0", "int_parsing", "query.skip"),
        ("skip=9007199254740992", "less_than_equal", "query.skip"),
    ] {
        let answer = server.get(format!("/meetings?{query}")).user(&key).send();
        assert_eq!(answer.faults(), [(kind.to_owned(), loc.to_owned())], "{query}");
    }
    let all = server.get("/meetings?limit=x&skip=x&status=x&platform=x").user(&key).send();
    assert_eq!(all.faults().len(), 4, "every fault at once");
    assert_eq!(json!(all.json()["detail"][2]["input"]), "x");
}

#[test]
fn a_list_of_many_pages_is_one_list() {
    let mut key = String::new();
    let setup = Setup::new().rows(|db| {
        key = insert_token(db, 1, None);
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2600)
            INSERT INTO meetings (id, user_id, platform, status, data, created_at, updated_at)
            SELECT i, iif(i % 2, 1, 2), iif(i % 3, 'teams', 'google_meet'), 'completed',
              iif(i % 400 = 1, json_object('notes', hex(zeroblob(8000))), '{}'), 0, 0 FROM n";
        insert_token(db, 2, None);
        db.execute(sql, []).expect("meetings");
    });
    let server = setup.start();
    let ours: Vec<u64> = (1..=2600).rev().filter(|id| id % 2 == 1).collect();
    for (query, chunked, skip, limit) in [
        ("", true, 0, usize::MAX),
        ("?limit=1000", true, 0, 1000),
        ("?skip=1290", false, 1290, usize::MAX),
        ("?skip=7&limit=600", true, 7, 600),
        ("?skip=700&limit=501", true, 700, 501),
        ("?limit=300", false, 0, 300),
        ("?skip=1300", false, 1300, usize::MAX),
    ] {
        let answer = server.get(format!("/meetings{query}")).user(&key).send();
        assert_eq!(answer.header("transfer-encoding"), chunked.then_some("chunked"), "{query}");
        let body = answer.expect(200);
        let ids = body["meetings"]
            .as_array()
            .expect("meetings")
            .iter()
            .map(|meeting| meeting["id"].as_u64());
        let expected: Vec<u64> = ours.iter().copied().skip(skip).take(limit).collect();
        assert_eq!(ids.collect::<Option<Vec<_>>>(), Some(expected), "{query}");
        let rest = ours.len().saturating_sub(skip);
        assert_eq!(body["has_more"], rest > limit, "{query}");
    }
    let body =
        server.get("/meetings?platform=google_meet&limit=1000").user(&key).send().expect(200);
    let expected: Vec<u64> = ours.iter().copied().filter(|id| id % 3 == 0).collect();
    let ids =
        body["meetings"].as_array().expect("meetings").iter().map(|meeting| meeting["id"].as_u64());
    assert_eq!(ids.collect::<Option<Vec<_>>>(), Some(expected));
}
