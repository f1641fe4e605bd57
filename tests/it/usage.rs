//! What was used, by day, user and token: what counts, that it counts once, and how it is shown.

use crate::client::{Client, Token, wait_for};
use crate::process::Launch;
use crate::segments::{BEGAN, insert_session};
use crate::server::{Server, Setup, open_file, still_clock};
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use rusqlite::params;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;
use vomeet::clock::Clock;

/// 2025-10-10, as the file counts days.
const DAY: i64 = BEGAN / 86_400_000;

/// The lines of an answer for the holder of the admin key.
fn lines(client: &Client, query: &str) -> Vec<Value> {
    let body = client.get(format!("/admin/usage?{query}")).admin().send().expect(200);
    body["usage"].as_array().expect("lines").clone()
}

/// One figure of a token over the last days; 0 where it has no line.
fn figure(client: &Client, token: i64, name: &str) -> f64 {
    let lines = lines(client, &format!("by=token&token_id={token}"));
    assert!(lines.len() <= 1, "{lines:?}");
    lines.first().map_or(0.0, |line| line[name].as_f64().expect("a number"))
}

fn assert_figure(client: &Client, token: i64, name: &str, expected: impl Into<f64>, about: &str) {
    let (found, expected) = (figure(client, token, name), expected.into());
    assert!((found - expected).abs() < 1e-9, "{about}: {name} is {found}, not {expected}");
}

#[test]
fn eight_threads_are_counted_to_the_last_request_while_their_user_changes() {
    const THREADS: usize = 8;
    const REQUESTS: usize = 200;
    let server = Server::start();
    let user = server.new_user("one@example.com");
    let tokens = [server.new_token(user), server.new_token(user)];
    let client: Client = *server;
    let call = &|token: &Token| {
        let mut line = client.line();
        for n in 0..REQUESTS {
            // Whoever looks at what was used writes a batch, and others may at the same time.
            let path = if n % 10 == 0 { "/user/usage" } else { "/user" };
            client.get(path).user(&token.text).over(&mut line).expect("an answer").expect(200);
        }
    };
    thread::scope(|scope| {
        let callers: Vec<_> =
            tokens.iter().cycle().take(THREADS).map(|token| scope.spawn(move || call(token))).collect();
        for n in 0.. {
            if callers.iter().all(thread::ScopedJoinHandle::is_finished) {
                break;
            }
            // Its tokens have to be looked up anew.
            let name = json!({ "name": format!("name {n}") });
            client.patch(format!("/admin/users/{user}")).admin().json(&name).send().expect(200);
        }
    });
    let expected = i32::try_from(THREADS / 2 * REQUESTS).expect("small");
    for token in &tokens {
        assert_figure(&server, token.id, "requests", expected, "while it runs");
    }
    for token in &tokens {
        assert_eq!(server.whoami(&token.text).status, 200);
    }
    let server = server.restart();
    for token in &tokens {
        assert_figure(&server, token.id, "requests", expected + 1, "after a clean stop");
    }
}

type Row<'a> = (&'a str, &'a dyn Fn(&Client), i32);

#[test]
fn what_is_let_in_counts_and_what_is_refused_does_not() {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    let (token, other) = (server.new_token(user), server.new_token(user));
    let key = token.text.as_str();
    let watch = |client: &Client| drop(Watcher::open(client, key));
    let watch_by_query = |client: &Client| drop(Watcher::with(client, &format!("/ws?api_key={key}"), &[]));
    let ask = |method: &'static str, path: &'static str| {
        move |client: &Client| _ = client.call(method, path).user(key).send().status
    };
    let rows: [Row; 11] = [
        ("an answer", &ask("GET", "/user"), 1),
        ("no body", &ask("HEAD", "/user"), 1),
        ("bad input", &ask("GET", "/meetings?limit=0"), 1),
        ("nothing there", &ask("DELETE", "/bots/google_meet/abc-defg-hij"), 1),
        ("its own use", &ask("GET", "/user/usage"), 1),
        ("a socket", &watch, 1),
        ("a socket with the key in the query", &watch_by_query, 1),
        ("no route", &ask("GET", "/nowhere"), 0),
        ("another method", &ask("POST", "/user"), 0),
        ("an open door", &ask("GET", "/healthz"), 0),
        ("two keys", &|client| _ = client.get("/user").user(key).user(key).send().status, 0),
    ];
    let mut expected = 0;
    for (about, call, counts) in rows {
        call(&server);
        expected += counts;
        assert_figure(&server, token.id, "requests", expected, about);
    }
    assert_figure(&server, other.id, "requests", 0, "another token");
    assert_eq!(server.revoke(&token).status, 204);
    assert_eq!(server.whoami(key).status, 403);
    assert_figure(&server, token.id, "requests", expected, "revoked");
    assert_eq!(server.delete(format!("/admin/users/{user}")).admin().send().status, 204);
    assert_eq!(lines(&server, ""), Vec::<Value>::new(), "of a user that is gone");
}

#[test]
fn transcripts_count_by_their_length_however_often_they_are_sent() {
    let (mut session, mut other) = (None, None);
    let setup = Setup::new().rows(|db| {
        (1..=2).for_each(|user| _ = insert_token(db, user, None));
        session = Some(insert_session(db, 1, "abc-defg-hij"));
        other = Some(insert_session(db, 2, "abc-defg-hij"));
        db.execute("UPDATE sessions SET token_id = meeting_id", []).expect("tokens");
    });
    let (mut server, session, other) = (setup.start(), session.expect("rows"), other.expect("rows"));
    for (about, batch, minutes) in [
        ("two segments", json!([[0, 90, "a"], [120, 150, "b"]]), 2.0),
        ("the same again", json!([[0, 90, "a"], [120, 150, "b"]]), 2.0),
        ("other words", json!([[0, 90, "A"]]), 2.0),
        ("a longer one", json!([[0, 180, "a c"]]), 3.5),
        ("a shorter one, and a new one beside it", json!([[120, 135, "b"], [60, 120, "d"]]), 4.25),
        ("of two that begin at once the later one counts", json!([[300, 900, "e"], [300, 315, "f"]]), 4.5),
        ("no words", json!([[1000, 2000, " "]]), 4.5),
    ] {
        let segment = |row: &Value| json!({"start": row[0], "end": row[1], "text": row[2]});
        let batch: Value = batch.as_array().expect("rows").iter().map(segment).collect();
        session.send(&server, &batch).expect(200);
        server = server.restart();
        assert_figure(&server, 1, "transcript_minutes", minutes, &format!("{about}, after a clean stop"));
        session.send(&server, &batch).expect(200);
        assert_figure(&server, 1, "transcript_minutes", minutes, &format!("{about}, and once more"));
    }
    other.say(&server, &json!([{"start": 0, "end": 6, "text": "z"}]));
    assert_figure(&server, 2, "transcript_minutes", 0.1, "somebody else's");
    assert_figure(&server, 1, "transcript_minutes", 4.5, "somebody else's");
}

#[test]
fn a_kill_costs_at_most_the_last_batch_and_doubles_nothing() {
    const THREADS: usize = 4;
    let folder = tempfile::tempdir().expect("a folder");
    let (sent, mut written, mut token) = (AtomicI64::new(0), 0, None);
    for round in 0..4 {
        let server = Launch::serve(folder.path()).env("VOMEET_TOKENS_LAST_USED_SECONDS", "1").start();
        let client: Client = *server;
        let token = token.get_or_insert_with(|| client.new_token(client.new_user("one@example.com")));
        let shown = || {
            #[expect(clippy::cast_possible_truncation, reason = "a count")]
            let requests = figure(&client, token.id, "requests") as i64;
            requests
        };
        let after_kill = shown();
        assert!((written..=sent.load(Ordering::SeqCst)).contains(&after_kill), "round {round}: {after_kill}");
        thread::scope(|scope| {
            let call = || {
                let mut line = client.line();
                loop {
                    sent.fetch_add(1, Ordering::SeqCst);
                    if client.get("/user").user(&token.text).over(&mut line).is_err() {
                        break;
                    }
                }
            };
            (0..THREADS).for_each(|_| _ = scope.spawn(call));
            // What was shown is in the file; more requests follow it.
            for _ in 0..20 + round {
                written = shown();
            }
            let ended = server.kill();
            assert_eq!(ended.status.code(), None, "it ended by itself: {ended:?}");
        });
        assert!(written > after_kill, "round {round}: nothing was counted");
    }
    let server = Launch::serve(folder.path()).start();
    let requests = figure(&server, token.expect("a token").id, "requests");
    assert!(requests >= f64::from(i32::try_from(written).expect("small")), "{requests} of {written}");
    assert!(server.terminate().status.success());
}

#[test]
fn the_address_of_the_last_use_is_noted() {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    let tokens = [server.new_token(user), server.new_token(user)];
    server.whoami(&tokens[0].text).expect(200);
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let noted = |token: &Token| {
            let row = db.query_row("SELECT last_used_at, last_address FROM tokens WHERE id = ?1", [token.id], |row| {
                Ok((row.get::<_, Option<i64>>(0)?.is_some(), row.get::<_, Option<String>>(1)?))
            });
            row.expect("a token")
        };
        assert_eq!(tokens.each_ref().map(noted), [(true, Some("127.0.0.1".to_owned())), (false, None)]);
    });
}

/// Lines of use of two users over three days, and their tokens 1 and 2; user 1 has a token that is gone besides.
fn counted() -> (Setup, [String; 2]) {
    let mut tokens = [String::new(), String::new()];
    let setup = Setup::new().rows(|db| {
        tokens = [insert_token(db, 1, None), insert_token(db, 2, None)];
        for (user, day, token, requests, bots, bot_ms, transcript_ms) in [
            (1, DAY, 1, 12, 1, 90_000, 24_000),
            (1, DAY, 7, 1, 0, 0, 0),
            (1, DAY + 1, 1, 5, 2, 20_000, -20_000),
            (2, DAY + 1, 2, 3, 0, 20_000, 0),
            (2, DAY + 2, 2, 4, 0, 0, 0),
        ] {
            let insert = "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            db.execute(insert, params![user, day, token, requests, bots, bot_ms, transcript_ms]).expect("a row");
        }
    });
    (setup, tokens)
}

/// A line as a short text.
fn short(line: &Value) -> String {
    let value = |name: &str| line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned);
    let names = ["day", "user_id", "token_id", "requests", "bots", "bot_minutes", "transcript_minutes"];
    names.map(value).join(" ").replace("2025-10-", "")
}

#[test]
#[rustfmt::skip]
fn use_is_filtered_and_summed() {
    let (setup, _) = counted();
    let server = setup.start();
    for (query, expected) in [
        ("",                    vec!["10 1 1 12 1 1.5 0.4", "10 1 7 1 0 0.0 0.0", "11 1 1 5 2 0.333 -0.333", "11 2 2 3 0 0.333 0.0", "12 2 2 4 0 0.0 0.0"]),
        ("by=day",              vec!["10 null null 13 1 1.5 0.4", "11 null null 8 2 0.667 -0.333", "12 null null 4 0 0.0 0.0"]),
        ("by=user",             vec!["null 1 null 18 3 1.833 0.067", "null 2 null 7 0 0.333 0.0"]),
        ("by=token",            vec!["null 1 1 17 3 1.833 0.067", "null 1 7 1 0 0.0 0.0", "null 2 2 7 0 0.333 0.0"]),
        ("user_id=2",           vec!["11 2 2 3 0 0.333 0.0", "12 2 2 4 0 0.0 0.0"]),
        ("token_id=7",          vec!["10 1 7 1 0 0.0 0.0"]),
        ("user_id=2&token_id=1", vec![]),
        ("user_id=1&by=day",    vec!["10 null null 13 1 1.5 0.4", "11 null null 5 2 0.333 -0.333"]),
        ("user_id=1&by=token",  vec!["null 1 1 17 3 1.833 0.067", "null 1 7 1 0 0.0 0.0"]),
        ("token_id=2&by=user",  vec!["null 2 null 7 0 0.333 0.0"]),
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
        ("by=day", "2025-10-10,,,13,1,1.5,0.4\r\n2025-10-11,,,8,2,0.667,-0.333\r\n2025-10-12,,,4,0,0,0\r\n"),
        ("by=token&limit=1", ",1,1,17,3,1.833,0.067\r\n"),
        ("token_id=7", "2025-10-10,1,7,1,0,0,0\r\n"),
        ("token_id=9", ""),
    ] {
        let path = format!("/admin/usage?from=2025-10-10&to=2025-10-12&format=csv&{query}");
        let answer = server.get(path).admin().send();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/csv; charset=utf-8")), "{query}");
        let header = "day,user_id,token_id,requests,bots,bot_minutes,transcript_minutes\r\n";
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
    let requests: Vec<i64> =
        lines(&server, range).iter().map(|line| line["requests"].as_i64().expect("a count")).collect();
    let expected: Vec<i64> = (0..DAYS).collect();
    assert_eq!(requests, expected);
    let table = server.get(format!("/admin/usage?{range}&format=csv")).admin().send();
    let rows: Vec<&str> = table.text().lines().skip(1).collect();
    let days: Vec<i64> = rows.iter().map(|row| row.split(',').nth(3).expect("a field").parse().expect("one")).collect();
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
            assert!(!lines.is_empty() || more == "&after=.0.0", "user {user} with {more:?} sees nothing");
            assert!(lines.iter().all(|line| line["user_id"] == user), "user {user} with {more:?}: {body}");
            if !more.contains("by") && !more.contains("after") {
                assert_eq!(lines.len(), expected, "user {user} with {more:?}");
            }
        }
    }
    let foreign = server.get("/user/usage?from=2025-10-10&to=2025-10-12&token_id=2").user(&tokens[0]).send();
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
        ("to=", "date_parsing"),
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

/// Lets the server go twice through what it writes every minute.
fn two_rounds(client: &Client, clock: &Clock, key: &str) {
    let writes = || {
        let text = client.get("/metrics").send().text().to_owned();
        let line = text.lines().find(|line| line.starts_with("vomeet_store_writes ")).expect("a figure").to_owned();
        line.rsplit(' ').next().expect("a number").parse::<u64>().expect("a number")
    };
    for _ in 0..2 {
        client.whoami(key).expect(200);
        let before = writes();
        clock.advance(Duration::from_mins(1));
        // The last use, and how much it was; the rest of a round is over when the next one writes.
        wait_for(|| (writes() >= before + 2).then_some(()));
    }
}

#[test]
fn old_days_are_forgotten_where_the_settings_say_so() {
    // The day that is older than all that can be set is in 1915.
    for (days, expected) in [("0", 6), ("36500", 5), ("1", 0)] {
        let (setup, tokens) = counted();
        let old = "INSERT INTO usage (user_id, day, token_id) VALUES (1, -20000, 1)";
        let setup = setup.rows(|db| _ = db.execute(old, []).expect("a row"));
        let setup = setup.set("VOMEET_RETENTION_USAGE_DAYS", days).set("VOMEET_TOKENS_LAST_USED_SECONDS", "60");
        let clock = still_clock();
        let server = setup.clock(&clock).start();
        two_rounds(&server, &clock, &tokens[0]);
        assert_eq!(lines(&server, "from=1900-01-01&to=2025-10-12").len(), expected, "{days} days");
    }
}
