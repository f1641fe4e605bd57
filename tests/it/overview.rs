//! The server at one glance, its settings and its refusals.

use crate::client::{ADMIN_KEY, Client, fields, wait_for};
use crate::deliveries::insert_event;
use crate::server::{Setup, still_clock};
use crate::tokens::insert_token;
use rusqlite::params;
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;
use vomeet::domain::{PlainToken, Time};

const DAY_MS: i64 = 86_400_000;

fn get(server: &Client, path: &str) -> Value {
    server.get(path).admin().send().expect(200)
}

fn warnings(server: &Client) -> Vec<Value> {
    let overview = get(server, "/admin/overview");
    let warnings = overview["warnings"].as_array().expect("a list").clone();
    assert!(warnings.iter().all(|warning| warning["text"].is_string()), "{warnings:?}");
    warnings.into_iter().map(|warning| warning["code"].clone()).collect()
}

/// A clock that shows noon of some day, so that a day does not end within a test.
fn noon() -> Clock {
    let day = still_clock().now().as_millis() / DAY_MS;
    Clock::manual(Time::from_millis(day * DAY_MS + DAY_MS / 2))
}

#[test]
fn a_server_at_one_glance() {
    let clock = noon();
    let now = clock.now().as_millis();
    let setup = Setup::new().clock(&clock).rows(|db| {
        for (user, expires_at) in [(1, None), (1, Some(now + DAY_MS)), (2, Some(now + 8 * DAY_MS)), (2, Some(now - 1)),
            (3, Some(now + DAY_MS)), (2, Some(now + DAY_MS))] {
            insert_token(db, user, expires_at);
        }
        let meeting = "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
                       VALUES (1, 'teams', ?1, ?1, '{}', ?2, ?2)";
        for status in ["active", "joining", "stopping", "completed"] {
            db.execute(meeting, params![status, now - 1000]).expect("a meeting");
        }
        for sql in [
            "UPDATE users SET disabled_at = 1 WHERE id = 3",
            "UPDATE tokens SET replaced_by = 3 WHERE id = 6",
            "UPDATE tokens SET created_at = 1, disuse_seconds = 3155760000 WHERE id = 1",
            "INSERT INTO admin_keys (name, hash, hint, created_at) VALUES ('endless', randomblob(32), 'abcd', 0)",
        ] {
            db.execute(sql, []).expect("changed");
        }
        let key = "INSERT INTO admin_keys (name, hash, hint, created_at, expires_at) VALUES ('ada', randomblob(32), 'abcd', 0, ?1)";
        db.execute(key, [now + DAY_MS]).expect("an admin key");
        let usage = "INSERT INTO usage (user_id, day, token_id, requests, bots, bot_ms, transcript_ms) VALUES (?1, ?2, 1, 5, 1, 60000, 30000)";
        let today = now / DAY_MS;
        for (user, day) in [(1, today), (2, today), (1, today - 29), (1, today - 30)] {
            db.execute(usage, [user, day]).expect("usage");
        }
        insert_event(db, 3, 9, 1, now - 7_200_000);
        insert_event(db, 3, 9, 2, now);
    });
    let server = setup.start();
    let overview = get(&server, "/admin/overview");
    assert_eq!(overview["at"], clock.now().to_string());
    let bots = json!({"running": 0, "requested": 0, "joining": 1, "awaiting_admission": 0, "active": 1, "stopping": 1});
    assert_eq!(overview["bots"], bots);
    let oldest = Time::from_millis(now - 7_200_000).to_string();
    assert_eq!(overview["webhooks"], json!({"waiting": 2, "oldest_at": oldest}));
    for (part, names) in
        [("disk", ["free_bytes", "total_bytes"]), ("database", ["bytes", "wal_bytes"])]
    {
        assert_eq!(fields(&overview[part]), names, "{part}");
    }
    assert!(overview["disk"]["free_bytes"].as_u64() <= overview["disk"]["total_bytes"].as_u64());
    assert!(overview["database"]["bytes"].as_u64() > Some(0));
    let counted = &overview["counted"];
    let figures = (&counted["users"], &counted["users_disabled"], &counted["tokens"]);
    assert_eq!(figures, (&json!(3), &json!(1), &json!(6)));
    assert_eq!(counted["ending_soon"], json!({"days": 7, "tokens": 1, "admin_keys": 1}));
    let found = get(&server, "/admin/tokens/search?ending_within=604800")["tokens"].clone();
    assert_eq!((found.as_array().map(Vec::len), &found[0]["id"]), (Some(1), &json!(2)));
    let days = counted["days"].as_array().expect("a list");
    assert_eq!(days.len(), 30);
    let requests: Vec<i64> =
        days.iter().map(|day| day["requests"].as_i64().expect("a number")).collect();
    assert_eq!((requests[0], requests[1], requests[28], requests[29]), (5, 0, 0, 10));
    assert_eq!(days[29]["bot_minutes"], 2.0);
    assert_eq!(days[29]["day"], clock.now().to_string()[..10]);
    let codes = warnings(&server);
    for code in ["admin_key_ending", "webhooks_waiting", "no_runner"] {
        assert!(codes.contains(&json!(code)), "{code} is not in {codes:?}");
    }
    assert!(!codes.contains(&json!("admin_key_weak")), "{codes:?}");
}

#[test]
fn meetings_of_today_are_counted_by_their_state() {
    let clock = noon();
    let now = clock.now().as_millis();
    let setup = Setup::new().clock(&clock).rows(|db| {
        insert_token(db, 1, None);
        let meeting = "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
                       VALUES (1, 'teams', ?1, ?1, '{}', ?2, ?2)";
        for (status, created_at) in [
            ("failed", now - DAY_MS),
            ("completed", now - DAY_MS / 2 - 1),
            ("completed", now - DAY_MS / 2),
            ("active", now),
            // A clock that was wrong.
            ("completed", 0),
            ("failed", now),
            ("on_hold", now),
        ] {
            db.execute(meeting, params![status, created_at]).expect("a meeting");
        }
    });
    let today = get(&setup.start(), "/admin/overview")["counted"]["meetings_today"].clone();
    assert_eq!(today, json!({"total": 4, "completed": 1, "failed": 1, "open": 1}));
}

#[test]
fn what_is_dear_to_count_is_counted_now_and_then() {
    let clock = noon();
    let server = Setup::new().clock(&clock).start();
    let users = || get(&server, "/admin/overview")["counted"]["users"].clone();
    server.new_user("one@example.com");
    assert_eq!(users(), 1);
    server.new_user("two@example.com");
    assert_eq!(users(), 1, "counted anew for each request");
    clock.advance(Duration::from_hours(1));
    assert_eq!(users(), 1, "a caller waits for the next count");
    wait_for(|| (users() == 2).then_some(()));
}

#[test]
fn what_needs_looking_after_is_said() {
    let setup = Setup::new().set("ADMIN_API_TOKEN", "token").set("VOMEET_BOTS_RUNNER", "demo");
    let server = setup.start();
    let overview =
        server.get("/admin/overview").header("X-Admin-API-Key", "token").send().expect(200);
    let codes: Vec<&Value> =
        overview["warnings"].as_array().expect("a list").iter().map(|one| &one["code"]).collect();
    assert!(codes.contains(&&json!("admin_key_weak")), "{codes:?}");
    assert!(!codes.contains(&&json!("no_runner")), "{codes:?}");
}

#[test]
fn refused_keys_are_counted_and_listed_without_the_keys() {
    let clock = still_clock();
    let (mut good, mut expired) = (String::new(), String::new());
    let setup = Setup::new().clock(&clock).rows(|db| {
        good = insert_token(db, 1, None);
        expired = insert_token(db, 1, Some(1));
    });
    let server = setup.start();
    let start = clock.now();
    let unknown = PlainToken::generate().expect("randomness");
    for key in [expired.as_str(), &good, unknown.reveal(), "mistyped-secret"] {
        server.whoami(key);
    }
    clock.advance(Duration::from_mins(1));
    server.whoami(&expired);
    server.get("/admin/users/1").header("X-Admin-API-Key", "secret-admin-key").send();
    server.get("/user").send();
    server.get("/bots/internal/segments").bearer("no-bot").send();
    server.delete("/bots/internal/segments").bearer("no-bot").send();
    let answer = server.get("/admin/refusals").admin().send();
    for secret in [expired.as_str(), unknown.reveal(), "mistyped-secret", "secret-admin", "no-bot"]
    {
        assert!(!answer.text().contains(secret), "{secret} is shown");
    }
    let list = answer.expect(200);
    let by_code = json!({"expired": 2, "unknown": 3, "mistyped": 1, "missing": 1});
    assert_eq!((&list["total"], &list["by_code"]), (&json!(7), &by_code));
    assert_eq!(list["since"], start.to_string());
    let rows = list["refusals"].as_array().expect("a list");
    let seen: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row["method"].as_str().expect("a method"),
                row["path"].as_str().expect("a path"),
                row["key"].as_str().expect("a key"),
                row["code"].as_str().expect("a code")
            )
        })
        .collect();
    let expected = [
        "DELETE /bots/internal/segments bot unknown",
        "GET /user token missing",
        "GET /admin/users/{id} admin_key unknown",
        "GET /user token expired",
        "GET /user token mistyped",
        "GET /user token unknown",
    ];
    assert_eq!(seen, expected);
    let of_expired = json!({"at": clock.now().to_string(), "first_at": start.to_string(), "count": 2, "address": "127.0.0.1",
        "key": "token", "code": "expired", "method": "GET", "path": "/user", "hint": expired[..4]});
    assert_eq!(rows[3], of_expired);
    assert_eq!((&rows[4]["hint"], &rows[5]["hint"]), (&Value::Null, &json!(unknown.reveal()[..4])));
    let two = get(&server, "/admin/refusals?limit=2");
    assert_eq!(two["refusals"].as_array().map(Vec::len), Some(2));
    assert_eq!(get(&server, "/admin/overview")["refused_keys"]["by_code"], by_code);
    for limit in ["0", "201", "x"] {
        let answer = server.get(format!("/admin/refusals?limit={limit}")).admin().send();
        assert_eq!(answer.faults()[0].1, "query.limit", "{limit}");
    }
}

#[test]
fn settings_are_shown_with_their_source_and_without_secrets() {
    let setup = Setup::new()
        .set("VOMEET_HTTP_WORKERS", "3")
        .set("VOMEET_BOTS_REDIS_URL", "redis://ada:hush-hush@localhost:6379")
        .set("VOMEET_BOTS_PROCESS_ENVIRONMENT", r#"["SPEECH_KEY=hush-hush=2", "LANG=de"]"#);
    let server = setup.start();
    let answer = server.get("/admin/settings").admin().send();
    for secret in ["hush-hush", ADMIN_KEY] {
        assert!(!answer.text().contains(secret), "{secret} is shown");
    }
    let body = answer.expect(200);
    assert_eq!(body["file"], Value::Null);
    let settings = body["settings"].as_array().expect("a list");
    let named = |name: &str| settings.iter().find(|one| one["name"] == name).expect(name).clone();
    let workers = named("http.workers");
    let help = "Threads that serve requests; 0 is one for each core.";
    let expected = json!({"name": "http.workers", "variable": "VOMEET_HTTP_WORKERS", "value": 3, "default": 0,
        "source": "VOMEET_HTTP_WORKERS in the environment", "is_secret": false, "help": help});
    assert_eq!(workers, expected);
    let key = named("admin_api_token");
    let hidden = (&key["value"], &key["default"], &key["is_secret"]);
    assert_eq!(hidden, (&Value::Null, &Value::Null, &json!(true)));
    assert_eq!(named("bots.redis_url")["value"], "redis://hidden@localhost:6379");
    let variables = json!(["SPEECH_KEY=(hidden)", "LANG=(hidden)"]);
    assert_eq!(named("bots.process_environment")["value"], variables);
    assert_eq!(named("listen")["source"], "VOMEET_LISTEN in the environment");
    assert_eq!(named("database")["source"], "--database");
    assert_eq!(named("retention.audit_days")["source"], "default");
}

#[test]
fn an_admin_key_from_a_file_has_the_source_of_the_file() {
    let setup = Setup::new();
    let path = setup.folder().join("admin-key");
    std::fs::write(&path, ADMIN_KEY).expect("a file");
    let setup = setup.set("ADMIN_API_TOKEN_FILE", &path.display().to_string());
    let body = get(&setup.start(), "/admin/settings");
    let settings = body["settings"].as_array().expect("a list");
    let key = settings.iter().find(|one| one["name"] == "admin_api_token").expect("the key");
    assert_eq!(key["source"], "ADMIN_API_TOKEN_FILE in the environment");
}

#[test]
fn the_settings_file_is_named() {
    let setup = Setup::new();
    std::fs::write(setup.folder().join("vomeet.toml"), "[limits]\nrequests_per_minute_user = 77\n")
        .expect("a file");
    let file = setup.folder().join("vomeet.toml").display().to_string();
    let body = get(&setup.start(), "/admin/settings");
    assert_eq!(body["file"], json!(file));
}
