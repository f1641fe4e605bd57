//! `GET /admin/usage` and `GET /user/usage`: filtered, summed, as JSON and as CSV.

use crate::server::Setup;
use crate::tokens::insert_token;
use crate::usage::{DAY, lines};
use rusqlite::params;
use serde_json::{Value, json};

/// Lines of use of two users over three days, and their tokens 1 and 2; user 1 has a token that is
/// gone besides.
pub fn counted() -> (Setup, [String; 2]) {
    let mut tokens = [String::new(), String::new()];
    let setup = Setup::new().rows(|db| {
        tokens = [insert_token(db, 1, None), insert_token(db, 2, None)];
        for (user, day, token, requests, bots, bot_ms, transcript_ms, sound_ms) in [
            (1, DAY, 1, 12, 1, 90_000, 24_000, 30_000),
            (1, DAY, 7, 1, 0, 0, 0, 0),
            (1, DAY + 1, 1, 5, 2, 20_000, -20_000, 0),
            (2, DAY + 1, 2, 3, 0, 20_000, 0, 60_000),
            (2, DAY + 2, 2, 4, 0, 0, 0, 0),
        ] {
            let insert = "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let counts = params![user, day, token, requests, bots, bot_ms, transcript_ms, sound_ms];
            db.execute(insert, counts).expect("a row");
        }
    });
    (setup, tokens)
}

/// A line as a short text.
fn short(line: &Value) -> String {
    let value =
        |name: &str| line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned);
    let keys = ["day", "user_id", "token_id", "requests", "bots"];
    let minutes = ["bot_minutes", "transcript_minutes", "sound_minutes"];
    let names: Vec<&str> = keys.into_iter().chain(minutes).collect();
    names.into_iter().map(value).collect::<Vec<_>>().join(" ").replace("2025-10-", "")
}

#[test]
#[rustfmt::skip]
fn use_is_filtered_and_summed() {
    let (setup, _) = counted();
    let server = setup.start();
    for (query, expected) in [
        ("",                    vec!["10 1 1 12 1 1.5 0.4 0.5", "10 1 7 1 0 0.0 0.0 0.0", "11 1 1 5 2 0.333 -0.333 0.0", "11 2 2 3 0 0.333 0.0 1.0", "12 2 2 4 0 0.0 0.0 0.0"]),
        ("by=day",              vec!["10 null null 13 1 1.5 0.4 0.5", "11 null null 8 2 0.667 -0.333 1.0", "12 null null 4 0 0.0 0.0 0.0"]),
        ("by=user",             vec!["null 1 null 18 3 1.833 0.067 0.5", "null 2 null 7 0 0.333 0.0 1.0"]),
        ("by=token",            vec!["null 1 1 17 3 1.833 0.067 0.5", "null 1 7 1 0 0.0 0.0 0.0", "null 2 2 7 0 0.333 0.0 1.0"]),
        ("user_id=2",           vec!["11 2 2 3 0 0.333 0.0 1.0", "12 2 2 4 0 0.0 0.0 0.0"]),
        ("token_id=7",          vec!["10 1 7 1 0 0.0 0.0 0.0"]),
        ("user_id=2&token_id=1", vec![]),
        ("user_id=1&by=day",    vec!["10 null null 13 1 1.5 0.4 0.5", "11 null null 5 2 0.333 -0.333 0.0"]),
        ("user_id=1&by=token",  vec!["null 1 1 17 3 1.833 0.067 0.5", "null 1 7 1 0 0.0 0.0 0.0"]),
        ("token_id=2&by=user",  vec!["null 2 null 7 0 0.333 0.0 1.0"]),
        ("user_id=9",           vec![]),
    ] {
        let query = format!("from=2025-10-10&to=2025-10-12&{query}");
        let all: Vec<String> = lines(&server, &query).iter().map(short).collect();
        assert_eq!(all, expected, "{query}");
        for limit in 1..=all.len() {
            let (mut paged, mut after) = (Vec::new(), String::new());
            loop {
                let page = server.get(format!("/admin/usage?{query}&limit={limit}{after}")).admin().send().expect(200);
                paged.extend(page["usage"].as_array().expect("lines").iter().map(short));
                let Some(next) = page["next"].as_str() else { break };
                assert_eq!(paged.len() % limit, 0, "{query}: a page that is not full has a next one");
                after = format!("&after={next}");
            }
            assert_eq!(paged, expected, "{query}, {limit} at a time");
        }
    }
    for (range, expected) in [("from=2025-10-11&to=2025-10-11", 2), ("from=2025-10-12", 1), ("to=2025-10-10", 2), ("to=2025-11-08", 5), ("to=2025-11-09", 3), ("from=2025-10-12&to=2025-10-10", 0), ("", 0)] {
        assert_eq!(lines(&server, range).len(), expected, "{range}");
    }
}

#[test]
fn use_is_a_table_too() {
    let (setup, _) = counted();
    let server = setup.start();
    for (query, expected) in [
        (
            "by=day",
            "2025-10-10,,,13,1,1.5,0.4,0.5\r\n2025-10-11,,,8,2,0.667,-0.333,1\r\n2025-10-12,,,4,0,0,0,0\r\n",
        ),
        ("by=token&limit=1", ",1,1,17,3,1.833,0.067,0.5\r\n"),
        ("token_id=7", "2025-10-10,1,7,1,0,0,0,0\r\n"),
        ("token_id=9", ""),
    ] {
        let path = format!("/admin/usage?from=2025-10-10&to=2025-10-12&format=csv&{query}");
        let answer = server.get(path).admin().send();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("text/csv; charset=utf-8")),
            "{query}"
        );
        let header =
            "day,user_id,token_id,requests,bots,bot_minutes,transcript_minutes,sound_minutes\r\n";
        assert_eq!(answer.text(), format!("{header}{expected}"), "{query}");
    }
}

#[test]
fn a_long_list_is_whole_in_both_formats() {
    const DAYS: i64 = 5000;
    let setup = Setup::new().rows(|db| {
        insert_token(db, 1, None);
        let insert = "INSERT INTO usage (user_id, day, token_id, requests) WITH RECURSIVE n (n) AS
           (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?1) SELECT 1, n, 1, n FROM n";
        db.execute(insert, [DAYS]).expect("rows");
    });
    let server = setup.start();
    let range = "from=1970-01-01&to=2000-01-01";
    let requests: Vec<i64> = lines(&server, range)
        .iter()
        .map(|line| line["requests"].as_i64().expect("a count"))
        .collect();
    let expected: Vec<i64> = (0..DAYS).collect();
    assert_eq!(requests, expected);
    let table = server.get(format!("/admin/usage?{range}&format=csv")).admin().send();
    let rows: Vec<&str> = table.text().lines().skip(1).collect();
    let days: Vec<i64> = rows
        .iter()
        .map(|row| row.split(',').nth(3).expect("a field").parse().expect("one"))
        .collect();
    assert_eq!(days, expected);
}

#[test]
fn each_user_sees_their_own() {
    let (setup, tokens) = counted();
    let server = setup.start();
    for (token, expected) in tokens.iter().zip([3, 2]) {
        let user = if expected == 3 { 1 } else { 2 };
        for more in ["", "&user_id=1", "&user_id=2", "&by=token", "&by=user", "&after=.0.0"] {
            let path = format!("/user/usage?from=2025-10-10&to=2025-10-12{more}");
            let body = server.get(path).user(token).send().expect(200);
            let lines = body["usage"].as_array().expect("lines");
            assert!(
                !lines.is_empty() || more == "&after=.0.0",
                "user {user} with {more:?} sees nothing"
            );
            assert!(
                lines.iter().all(|line| line["user_id"] == user),
                "user {user} with {more:?}: {body}"
            );
            if !more.contains("by") && !more.contains("after") {
                assert_eq!(lines.len(), expected, "user {user} with {more:?}");
            }
        }
    }
    let foreign =
        server.get("/user/usage?from=2025-10-10&to=2025-10-12&token_id=2").user(&tokens[0]).send();
    assert_eq!(foreign.expect(200)["usage"], json!([]));
}

#[test]
fn bad_queries_are_told() {
    let (setup, _) = counted();
    let server = setup.start();
    for (query, kind) in [
        ("from=2025-02-30", "date_parsing"),
        ("from=20251010", "date_parsing"),
        ("to=2025-10-10T00:00:00Z", "date_parsing"),
        ("by=month", "enum"),
        ("format=xml", "enum"),
        ("after=1", "value_error"),
        ("limit=0", "greater_than_equal"),
        ("limit=10001", "less_than_equal"),
        ("user_id=x", "int_parsing"),
        ("token_id=0", "greater_than_equal"),
    ] {
        let faults = server.get(format!("/admin/usage?{query}")).admin().send().faults();
        let name = query.split('=').next().expect("a name");
        assert_eq!(faults, [(kind.to_owned(), format!("query.{name}"))], "{query}");
    }
}
