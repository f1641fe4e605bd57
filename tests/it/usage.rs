//! What was used, by day, user and token: what counts, that it counts once, and how it is shown.

use crate::client::{Client, Token, wait_for};
use crate::process::Launch;
use crate::segments::{BEGAN, insert_session};
use crate::server::{Server, Setup, open_file, still_clock};
use crate::tokens::insert_token;
use crate::usage_lists::counted;
use crate::watcher::Watcher;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;
use vomeet::clock::Clock;

/// 2025-10-10, as the file counts days.
pub const DAY: i64 = BEGAN / 86_400_000;

/// The lines of an answer for the holder of the admin key.
pub fn lines(client: &Client, query: &str) -> Vec<Value> {
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
        let callers: Vec<_> = tokens
            .iter()
            .cycle()
            .take(THREADS)
            .map(|token| scope.spawn(move || call(token)))
            .collect();
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
    let watch_by_query =
        |client: &Client| drop(Watcher::with(client, &format!("/ws?api_key={key}"), &[]));
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
    let (mut server, session, other) =
        (setup.start(), session.expect("rows"), other.expect("rows"));
    for (about, batch, minutes) in [
        ("two segments", json!([[0, 90, "a"], [120, 150, "b"]]), 2.0),
        ("the same again", json!([[0, 90, "a"], [120, 150, "b"]]), 2.0),
        ("other words", json!([[0, 90, "A"]]), 2.0),
        ("a longer one", json!([[0, 180, "a c"]]), 3.5),
        ("a shorter one, and a new one beside it", json!([[120, 135, "b"], [60, 120, "d"]]), 4.25),
        (
            "of two that begin at once the later one counts",
            json!([[300, 900, "e"], [300, 315, "f"]]),
            4.5,
        ),
        ("no words", json!([[1000, 2000, " "]]), 4.5),
    ] {
        let segment = |row: &Value| json!({"start": row[0], "end": row[1], "text": row[2]});
        let batch: Value = batch.as_array().expect("rows").iter().map(segment).collect();
        session.send(&server, &batch).expect(200);
        server = server.restart();
        assert_figure(
            &server,
            1,
            "transcript_minutes",
            minutes,
            &format!("{about}, after a clean stop"),
        );
        session.send(&server, &batch).expect(200);
        assert_figure(
            &server,
            1,
            "transcript_minutes",
            minutes,
            &format!("{about}, and once more"),
        );
    }
    other.say(&server, &json!([{"start": 0, "end": 6, "text": "z"}]));
    assert_figure(&server, 2, "transcript_minutes", 0.1, "somebody else's");
    assert_figure(&server, 1, "transcript_minutes", 4.5, "somebody else's");
}

/// How many commits there were.
fn commits(client: &Client) -> u64 {
    let metrics = client.get("/metrics").send();
    let mut lines = metrics.text().lines();
    let count = lines.find_map(|line| line.strip_prefix("vomeet_store_commits_total "));
    count.expect("a count").parse().expect("a number")
}

#[test]
fn a_kill_costs_at_most_the_last_batch_and_doubles_nothing() {
    const THREADS: usize = 4;
    let folder = tempfile::tempdir().expect("a folder");
    let (sent, mut written, mut token) = (AtomicI64::new(0), 0, None);
    for round in 0..4 {
        let server =
            Launch::serve(folder.path()).env("VOMEET_TOKENS_LAST_USED_SECONDS", "1").start();
        let client: Client = *server;
        let token =
            token.get_or_insert_with(|| client.new_token(client.new_user("one@example.com")));
        let shown = || {
            #[expect(clippy::cast_possible_truncation, reason = "a count")]
            let requests = figure(&client, token.id, "requests") as i64;
            requests
        };
        let after_kill = shown();
        assert!(
            (written..=sent.load(Ordering::SeqCst)).contains(&after_kill),
            "round {round}: {after_kill}"
        );
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
            written = wait_for(|| Some(shown()).filter(|shown| *shown > after_kill));
            // A round has two commits. What was shown is in the one that begins after it.
            let end = commits(&client) + 4;
            wait_for(|| (commits(&client) >= end).then_some(()));
            let ended = server.kill();
            assert_eq!(ended.status.code(), None, "it ended by itself: {ended:?}");
        });
        assert!(written > after_kill, "round {round}: nothing was counted");
    }
    let server = Launch::serve(folder.path()).start();
    let requests = figure(&server, token.expect("a token").id, "requests");
    assert!(
        requests >= f64::from(i32::try_from(written).expect("small")),
        "{requests} of {written}"
    );
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
            let row = db.query_row(
                "SELECT last_used_at, last_address FROM tokens WHERE id = ?1",
                [token.id],
                |row| {
                    Ok((row.get::<_, Option<i64>>(0)?.is_some(), row.get::<_, Option<String>>(1)?))
                },
            );
            row.expect("a token")
        };
        assert_eq!(
            tokens.each_ref().map(noted),
            [(true, Some("127.0.0.1".to_owned())), (false, None)]
        );
    });
}

/// Lets the server go twice through what it writes every minute.
fn two_rounds(client: &Client, clock: &Clock, key: &str) {
    let writes = || {
        let text = client.get("/metrics").send().text().to_owned();
        let line = text
            .lines()
            .find(|line| line.starts_with("vomeet_store_writes_total "))
            .expect("a figure")
            .to_owned();
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
        let setup = setup
            .set("VOMEET_RETENTION_USAGE_DAYS", days)
            .set("VOMEET_TOKENS_LAST_USED_SECONDS", "60");
        let clock = still_clock();
        let server = setup.clock(&clock).start();
        two_rounds(&server, &clock, &tokens[0]);
        assert_eq!(lines(&server, "from=1900-01-01&to=2025-10-12").len(), expected, "{days} days");
    }
}
