//! What an administrator searches for across all users: users, tokens, meetings; and the log of a
//! bot.

use crate::bots;
use crate::client::{Client, fields, token_of, wait_for};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

fn get(server: &Client, path: &str) -> Value {
    server.get(path).admin().send().expect(200)
}

/// The ids of a page of `what`, and where the next begins.
fn page(server: &Client, what: &str, query: &str) -> (Vec<i64>, Value) {
    let page = get(server, &format!("/admin/{what}/search?{query}"));
    assert_eq!(fields(&page).len(), 2, "{page}");
    let list = page[what].as_array().expect("a list");
    (list.iter().map(|row| row["id"].as_i64().expect("an id")).collect(), page["next"].clone())
}

fn ids(server: &Client, what: &str, query: &str) -> Vec<i64> {
    page(server, what, query).0
}

fn insert_meeting(db: &Connection, user: i64, status: &str, created_at: i64) {
    let sql = "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
               VALUES (?1, ?2, 'm-' || (SELECT count(*) FROM meetings), ?3, '{}', ?4, ?4)";
    let platform = if user == 1 { "google_meet" } else { "teams" };
    db.execute(sql, params![user, platform, status, created_at]).expect("a meeting");
}

fn begin_erasure(db: &Connection, user: i64) {
    db.execute("UPDATE users SET erasing_at = 1 WHERE id = ?1", [user]).expect("an erasure");
}

#[test]
fn users_are_found_by_text_and_state_with_what_they_use() {
    let setup = Setup::new().rows(|db| {
        for user in 1..=4 {
            insert_token(db, user, None);
        }
        insert_token(db, 1, None);
        insert_meeting(db, 1, "active", 5);
        insert_meeting(db, 1, "stopping", 5);
        insert_meeting(db, 1, "completed", 5);
        for sql in [
            "UPDATE users SET name = 'Ångström' WHERE id = 2",
            "UPDATE users SET disabled_at = 77 WHERE id = 3",
            "UPDATE tokens SET last_used_at = 1000 * id WHERE user_id = 1",
        ] {
            db.execute(sql, []).expect("changed");
        }
        begin_erasure(db, 4);
    });
    let server = setup.start();
    for (query, expected) in [
        ("", vec![1, 2, 3]),
        ("q=U2@EXAMPLE", vec![2]),
        ("q=%C3%A5NGSTR", vec![2]),
        ("q=u", vec![1, 2, 3]),
        ("q=nobody", vec![]),
        ("q=", vec![1, 2, 3]),
        ("state=active", vec![1, 2]),
        ("state=disabled", vec![3]),
        ("state=disabled&q=u2", vec![]),
        ("after=1", vec![2, 3]),
    ] {
        assert_eq!(page(&server, "users", query), (expected, Value::Null), "{query}");
    }
    assert_eq!(page(&server, "users", "limit=2"), (vec![1, 2], json!(2)));
    assert_eq!(page(&server, "users", "limit=2&after=2"), (vec![3], Value::Null));
    let first = get(&server, "/admin/users/search?limit=1")["users"][0].clone();
    let expected = json!({"id": 1, "email": "u1@example.com", "name": null, "image_url": null,
        "max_concurrent_bots": 1, "created_at": "1970-01-01T00:00:00.000Z", "disabled_at": null,
        "seats_in_use": 1, "tokens": 2, "last_used_at": "1970-01-01T00:00:05.000Z"});
    assert_eq!(first, expected);
}

#[test]
fn a_use_that_is_not_written_yet_is_in_the_searches() {
    let clock = still_clock();
    let mut key = String::new();
    let setup = Setup::new().clock(&clock).rows(|db| {
        key = insert_token(db, 1, None);
        db.execute(
            "UPDATE tokens SET disuse_seconds = 86400, created_at = ?1",
            [clock.now().as_millis()],
        )
        .expect("terms");
    });
    let server = setup.start();
    clock.advance(Duration::from_hours(20));
    assert_eq!(ids(&server, "tokens", "unused_for=7200"), [1]);
    assert_eq!(ids(&server, "tokens", "ending_within=18000"), [1]);
    server.whoami(&key).expect(200);
    assert_eq!(ids(&server, "tokens", "unused_for=7200"), Vec::<i64>::new());
    assert_eq!(ids(&server, "tokens", "ending_within=18000"), Vec::<i64>::new());
    let token = get(&server, "/admin/tokens/search")["tokens"][0].clone();
    let second = clock.now().as_millis() / 1000 * 1000;
    let last_use = vomeet::domain::Time::from_millis(second);
    assert_eq!(token["last_used_at"], last_use.to_string());
    assert_eq!(token["ends_at"], last_use.plus_seconds(DAY).to_string());
    let user = get(&server, "/admin/users/search")["users"][0].clone();
    assert_eq!(user["last_used_at"], last_use.to_string());
}

#[test]
fn tokens_are_found_that_end_or_are_not_used() {
    let clock = still_clock();
    let now = clock.now().as_millis();
    let at = |days: i64| now + days * 1000 * DAY;
    let setup = Setup::new().clock(&clock).rows(|db| {
        for (user, expires_at, columns) in [
            (1, Some(at(3)), "name = 'soon'"),
            (1, Some(at(30)), "name = 'later'"),
            (1, Some(at(-1)), "name = 'over'"),
            (2, None, "disuse_seconds = 864000, last_used_at = ?2"),
            (2, Some(at(3)), "disabled_at = 1"),
            (3, Some(at(3)), "name = 'of a disabled user'"),
            (4, Some(at(3)), "name = 'of one who is erased'"),
            (2, None, "hint = 'Hint'"),
        ] {
            insert_token(db, user, expires_at);
            let id = db.last_insert_rowid();
            let sql = format!("UPDATE tokens SET {columns}, created_at = ?2 WHERE id = ?1");
            db.execute(&sql, params![id, at(-9)]).expect("columns");
        }
        db.execute("UPDATE users SET disabled_at = 1 WHERE id = 3", []).expect("disabled");
        begin_erasure(db, 4);
    });
    let server = setup.start();
    for (query, expected) in [
        (String::new(), vec![1, 2, 3, 4, 5, 6, 8]),
        (format!("ending_within={}", 7 * DAY), vec![1, 4]),
        (format!("ending_within={}", 40 * DAY), vec![1, 2, 4]),
        (format!("ending_within={}", DAY / 2), vec![]),
        (format!("unused_for={}", 9 * DAY), vec![1, 2, 3, 4, 5, 6, 8]),
        (format!("unused_for={}", 10 * DAY), vec![]),
        ("user_id=2".to_owned(), vec![4, 5, 8]),
        ("hint=Hint".to_owned(), vec![8]),
        ("hint=hint".to_owned(), vec![]),
        (format!("user_id=1&ending_within={}", 7 * DAY), vec![1]),
    ] {
        assert_eq!(page(&server, "tokens", &query), (expected, Value::Null), "{query}");
    }
    assert_eq!(page(&server, "tokens", "limit=3&after=1"), (vec![2, 3, 4], json!(4)));
    let shown = get(&server, "/admin/tokens/search?user_id=1&limit=1")["tokens"][0].clone();
    assert_eq!((&shown["email"], &shown["name"]), (&json!("u1@example.com"), &json!("soon")));
    assert_eq!(shown["ends_at"], shown["expires_at"]);
}

#[test]
fn meetings_are_found_by_state_platform_user_and_time() {
    let noon: i64 = 1_760_097_600_000;
    let states =
        ["requested", "joining", "awaiting_admission", "active", "stopping", "completed", "failed"];
    let setup = Setup::new().rows(|db| {
        for user in 1..=3 {
            insert_token(db, user, None);
        }
        for (number, status) in states.iter().enumerate() {
            let number = i64::try_from(number).expect("a number");
            insert_meeting(db, 1 + number % 2, status, noon + 3_600_000 * number);
        }
        insert_meeting(db, 3, "failed", noon);
        begin_erasure(db, 3);
    });
    // Their bots are not looked for: the server keeps open meetings as they are for some minutes.
    let server = setup.start();
    for (query, expected) in [
        ("", vec![7, 6, 5, 4, 3, 2, 1]),
        ("status=open", vec![5, 4, 3, 2, 1]),
        ("status=stopping", vec![5]),
        ("status=failed", vec![7]),
        ("status=open&user_id=1", vec![5, 3, 1]),
        ("platform=teams", vec![6, 4, 2]),
        ("platform=zoom", vec![]),
        ("user_id=1", vec![7, 5, 3, 1]),
        ("user_id=99", vec![]),
        ("native_meeting_id=m-3", vec![4]),
        ("from=2025-10-10T14:00:00Z", vec![7, 6, 5, 4, 3]),
        ("to=2025-10-10T14:00:00Z", vec![2, 1]),
        ("from=2025-10-10T13:00:00Z&to=2025-10-10T15:00:00Z", vec![3, 2]),
        ("before=3", vec![2, 1]),
    ] {
        assert_eq!(page(&server, "meetings", query), (expected, Value::Null), "{query}");
    }
    assert_eq!(page(&server, "meetings", "limit=2&before=7"), (vec![6, 5], json!(5)));
    let shown = get(&server, "/admin/meetings/search?status=failed")["meetings"][0].clone();
    let (email, data) = (&shown["email"], shown.get("data"));
    assert_eq!((email, data), (&json!("u1@example.com"), None), "{shown}");
}

#[test]
fn a_search_that_looks_at_much_goes_on_in_the_next_request() {
    let setup = Setup::new().rows(|db| {
        insert_token(db, 1, None);
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20010)";
        let users = "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
                     SELECT 'x' || i, 'x' || i, 1, '{}', 0 FROM n";
        let tokens = "INSERT INTO tokens (user_id, hash, hint, created_at) SELECT 1, randomblob(32), 'many', 0 FROM n";
        let meetings = "INSERT INTO meetings (user_id, platform, status, data, created_at, updated_at)
                        SELECT 1, 'teams', 'completed', '{}', 0, 0 FROM n";
        for insert in [users, tokens, meetings] {
            db.execute(&format!("{many} {insert}"), []).expect("rows");
        }
        db.execute("UPDATE users SET disabled_at = 1 WHERE id = 20011", []).expect("the last user");
    });
    let server = setup.start();
    for (what, query, next, last) in [
        ("users", "state=disabled", "after=20000", vec![20_011]),
        ("tokens", "hint=none", "after=20000", vec![]),
        ("meetings", "status=failed", "before=11", vec![]),
    ] {
        let place: i64 = next.split('=').nth(1).expect("a place").parse().expect("a number");
        assert_eq!(page(&server, what, query), (vec![], json!(place)), "{what}");
        assert_eq!(page(&server, what, &format!("{query}&{next}")), (last, Value::Null), "{what}");
    }
}

#[test]
fn searches_refuse_what_they_do_not_understand() {
    let server = Server::start();
    for (path, fault) in [
        ("users/search?limit=0", "query.limit"),
        ("users/search?limit=1001", "query.limit"),
        ("users/search?state=asleep", "query.state"),
        ("users/search?after=x", "query.after"),
        ("tokens/search?ending_within=0", "query.ending_within"),
        ("tokens/search?unused_for=soon", "query.unused_for"),
        ("tokens/search?hint=AbCdE", "query.hint"),
        ("meetings/search?status=over", "query.status"),
        ("meetings/search?platform=phone", "query.platform"),
        ("meetings/search?from=yesterday", "query.from"),
        ("meetings/search?before=-1", "query.before"),
        ("meetings/1/log?bytes=0", "query.bytes"),
        ("meetings/1/log?bytes=65537", "query.bytes"),
        ("meetings/0/log", "path.id"),
    ] {
        let answer = server.get(format!("/admin/{path}")).admin().send();
        assert_eq!(answer.faults()[0].1, fault, "{path}");
    }
}

#[test]
fn an_administrator_reads_the_end_of_what_a_bot_has_printed() {
    let setup = bots::setup()
        .set("VOMEET_BOTS_RUNNER", "process")
        .set("VOMEET_BOTS_PROCESS_COMMAND", r#"["sh", "-c", "echo one; echo two; echo three"]"#);
    let logs = setup.folder().join("logs").to_string_lossy().into_owned();
    let server = setup.set("VOMEET_BOTS_LOG_FOLDER", &logs).start();
    let token = bots::user(&server, "one@example.com", 1);
    bots::send(&server, &token, &bots::meet_code(1)).expect(201);
    let log = |query: &str| get(&server, &format!("/admin/meetings/1/log{query}"));
    let whole = wait_for(|| {
        let log = log("");
        (log["log_bytes"] == 14).then_some(log)
    });
    let expected =
        json!({"meeting_id": 1, "log": "one\ntwo\nthree\n", "log_bytes": 14, "is_whole": true});
    assert_eq!(whole, expected);
    let end = json!({"meeting_id": 1, "log": "three\n", "log_bytes": 14, "is_whole": false});
    assert_eq!(log("?bytes=9"), end);
    let refused = server.get("/admin/meetings/1/log").user(&token.text).send();
    assert_eq!(refused.status, 403);
    let missing = server.get("/admin/meetings/2/log").admin().send();
    assert_eq!(missing.refusal(), (404, "Meeting not found".to_owned()));
    std::fs::remove_dir_all(&logs).expect("removed");
    let gone = json!({"meeting_id": 1, "log": null, "log_bytes": 0, "is_whole": true});
    assert_eq!(log(""), gone);
}

#[test]
fn only_administrators_search() {
    let server = Server::start();
    server.new_user("one@example.com");
    let token = token_of(&server.post("/admin/users/1/tokens").admin().send().expect(201));
    for path in
        ["users/search", "tokens/search", "meetings/search", "overview", "settings", "refusals"]
    {
        let refused = server.get(format!("/admin/{path}")).user(&token.text).send();
        assert_eq!(refused.status, 403, "{path}");
    }
}
