//! `/healthz`, `/ready` and `/admin/health`: what is found, who is told of it, and what a probe
//! costs.

use crate::client::{Answer, wait_for};
use crate::deliveries::insert_event;
use crate::process::Launch;
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use std::fs;
use std::thread;
use std::time::Duration;

/// More than any disk has, in MiB.
const MORE_THAN_ANY_DISK: &str = "1000000000";

/// The codes of the findings that a response lists.
fn codes(body: &Value) -> Vec<String> {
    let findings = body["findings"].as_array().cloned().unwrap_or_default();
    let code = |finding: &Value| finding["code"].as_str().expect("a code").to_owned();
    findings.iter().map(code).collect()
}

/// How many writes were committed so far.
fn writes(server: &Server) -> u64 {
    server.app.store.written().verbs
}

/// All that is found, which takes as long as it takes.
fn full(server: &Server) -> Value {
    server.get("/admin/health").admin().send().expect(200)
}

fn ready(server: &Server) -> Answer {
    server.get("/ready").send()
}

#[test]
fn a_healthy_server_works_and_is_ready() {
    let server = Server::start();
    assert_eq!(ready(&server).expect(200), json!({"status": "ok", "reasons": []}));
    let health = server.get("/healthz").send().expect(200);
    assert_eq!((&health["status"], health.get("reasons")), (&json!("ok"), None));
    let full = server.get("/admin/health?check_file=true").admin().send().expect(200);
    assert_eq!(full["findings"], json!([]));
    for (field, expected) in [("works", true), ("ready", true), ("file_checked", true)] {
        assert_eq!(full[field], expected, "{field}");
    }
    assert!(full["database"].as_str().is_some_and(|path| path.ends_with("vomeet.db")));
    assert!(
        full["database_bytes"].as_u64() > Some(0) && full["disk_free_bytes"].as_u64() > Some(0)
    );
    let wrong = server.get("/admin/health?check_file=perhaps").admin().send();
    assert_eq!(wrong.status, 422);
}

#[test]
fn who_asks_from_elsewhere_is_told_no_details() {
    let setup = Setup::new().set("VOMEET_HEALTH_DISK_FREE_MIB_MIN", MORE_THAN_ANY_DISK);
    let server = setup.set("VOMEET_HTTP_TRUSTED_PROXIES", "127.0.0.1").start();
    assert_eq!(codes(&full(&server)), ["disk_low"]);
    for path in ["/healthz", "/ready"] {
        let here = server.get(path).send().expect(200);
        assert_eq!(codes(&here), ["disk_low"], "{path}");
        assert_eq!(here["findings"][0]["severity"], "warning", "{path}");
        assert!(here["findings"][0]["message"].as_str().is_some_and(|m| m.contains("vomeet.db")));
        let elsewhere = server.get(path).header("X-Forwarded-For", "203.0.113.7").send();
        let text = elsewhere.text();
        assert_eq!((elsewhere.status, elsewhere.json().get("findings")), (200, None), "{path}");
        assert!(!text.contains("disk") && !text.contains("vomeet.db"), "{path}: {text}");
        for details in ["version", "started_at", "server"] {
            assert_eq!(elsewhere.json().get(details), None, "{path}");
        }
    }
    assert_eq!(server.get("/admin/health").send().status, 403);
}

#[test]
fn a_server_that_drains_serves_and_is_not_ready() {
    let clock = still_clock();
    let setup = Setup::new().clock(&clock).set("VOMEET_HTTP_DRAIN_SECONDS", "60");
    let mut server = setup.start();
    assert_eq!(ready(&server).status, 200);
    server.ask_to_stop();
    let draining = wait_for(|| {
        let answer = ready(&server);
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(draining.json()["reasons"], json!(["draining"]));
    assert_eq!(draining.json()["status"], "unavailable");
    assert_eq!(draining.header("retry-after"), Some("1"));
    assert_eq!(server.get("/healthz").send().status, 200, "it works");
    server.new_user("late@example.com");
    clock.advance(Duration::from_mins(1));
    server.stop();
}

#[test]
fn many_probes_share_one_write_and_other_writes_stand_for_it() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    // The first sweep writes by itself.
    let is_noted = || server.app.store.known_time().expect("a read")?.is_noted.then_some(());
    wait_for(is_noted);
    let before = writes(&server);
    let probes: Vec<_> = (0..8)
        .map(|n| {
            let client = *server;
            thread::spawn(move || {
                for _ in 0..8 {
                    let path = if n % 2 == 0 { "/healthz" } else { "/ready" };
                    client.get(path).send().expect(200);
                }
            })
        })
        .collect();
    for probe in probes {
        probe.join().expect("a probe");
    }
    full(&server);
    assert_eq!(writes(&server) - before, 1, "a write really happens, and no more than one");

    for (seconds, expected) in [(2, 1), (2, 1), (7, 2)] {
        clock.advance(Duration::from_secs(seconds));
        full(&server);
        assert_eq!(writes(&server) - before, expected, "its result is good for ten seconds");
    }

    clock.advance(Duration::from_secs(11));
    server.new_user("one@example.com");
    let with_user = writes(&server);
    full(&server);
    assert_eq!(writes(&server), with_user, "somebody else's write shows the same");
}

#[test]
fn a_lock_file_that_is_gone_is_found() {
    let setup = Setup::new();
    let lock = setup.folder().join("vomeet.db.lock");
    let server = setup.start();
    fs::remove_file(&lock).expect("removed");
    fs::write(&lock, "").expect("another one");
    let health = full(&server);
    assert_eq!(codes(&health), ["lock_lost"]);
    assert!(
        health["findings"][0]["message"].as_str().is_some_and(|m| m.contains("vomeet.db.lock"))
    );
}

#[test]
fn a_clock_that_does_not_fit_the_database_is_found() {
    let hour = 3600;
    for (seen_seconds, expected) in [
        (59, None),
        (hour, Some("clock_behind")),
        (-48 * hour, None),
        (-30 * 24 * hour, Some("clock_ahead")),
    ] {
        let clock = still_clock();
        let seen = clock.now().plus_seconds(seen_seconds).as_millis();
        let setup = Setup::new().clock(&clock).rows(|file| {
            let insert = "INSERT INTO clock (id, latest) VALUES (1, ?1)";
            file.execute(insert, [seen]).expect("a time");
        });
        let server = setup.start();
        let found = codes(&full(&server));
        assert_eq!(found.first().map(String::as_str), expected, "{seen_seconds} s: {found:?}");
    }
}

#[test]
fn a_runner_that_cannot_start_bots_is_found_before_a_bot_is_sent() {
    let there = ["true".to_owned(), "/bin/true".to_owned()].map(|program| json!([program]));
    let folder = tempfile::tempdir().expect("a folder");
    let no_program = folder.path().join("text");
    fs::write(&no_program, "no program").expect("written");
    let no_program = no_program.to_string_lossy();
    let not_there = ["no-such-program", "./no-such-program", &no_program].map(|p| json!([p]));
    let expect = |command: &Value, wanted: &[&str]| {
        let setup = Setup::new().set("VOMEET_BOTS_RUNNER", "process");
        let server = setup.set("VOMEET_BOTS_PROCESS_COMMAND", &command.to_string()).start();
        let health = full(&server);
        assert_eq!(codes(&health), wanted, "{command}: {health}");
    };
    for command in &there {
        expect(command, &[]);
    }
    for command in &not_there {
        expect(command, &["runner_unreachable"]);
    }
    let setup = Setup::new().set("VOMEET_BOTS_RUNNER", "docker");
    let setup =
        setup.set("VOMEET_BOTS_DOCKER_IMAGE", "bot").set("VOMEET_BOTS_DOCKER_NETWORK", "host");
    let server = setup.set("VOMEET_BOTS_DOCKER_SOCKET", "/nowhere/docker.sock").start();
    let health = full(&server);
    assert_eq!(codes(&health), ["runner_unreachable"]);
    assert!(
        health["findings"][0]["message"].as_str().is_some_and(|m| m.contains("/nowhere/docker"))
    );
}

#[test]
fn a_database_that_fails_is_the_reason_for_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let ask = |line: &mut crate::client::Line| {
        line.send("\r\n").expect("sent");
        line.answer(false).expect("an answer")
    };
    // Begun before and not finished: they are answered although the server stops.
    let mut lines = ["/healthz", "/ready"].map(|path| {
        let mut line = server.line();
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n");
        line.send(head).expect("sent");
        line
    });
    server.get("/healthz").send().expect(200);
    let database = folder.path().join("vomeet.db");
    fs::rename(&database, database.with_extension("moved")).expect("moved");
    for line in &mut lines {
        let answer = ask(line);
        let body = answer.json();
        assert_eq!((answer.status, &body["status"]), (503, &json!("unavailable")));
        assert_eq!(body["reasons"][0], "database_failed");
        assert_eq!(body.get("findings"), None);
        assert!(!answer.text().contains("vomeet.db"), "{}", answer.text());
    }
    assert_eq!(server.end().status.code(), Some(20));
}

#[test]
fn keys_that_end_and_events_that_wait_are_found() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    let user = server.new_user("one@example.com");
    let create = |path: String, body: Value| server.post(path).admin().json(&body).send();
    for days in [1, 6, 8] {
        let body = json!({"expires_in": days * 86_400});
        assert_eq!(create(format!("/admin/users/{user}/tokens"), body).status, 201);
    }
    let body = json!({"name": "ada", "expires_in": 86_400});
    assert_eq!(create("/admin/keys".to_owned(), body).status, 201);
    let full = server.get("/admin/health").admin().send().expect(200);
    assert_eq!(codes(&full), ["keys_ending"]);
    let finding = &full["findings"][0];
    assert_eq!((&finding["severity"], &full["ready"]), (&json!("note"), &json!(true)));
    assert_eq!(finding["message"], "2 tokens and 1 admin keys end within 7 days.");
}

#[test]
fn events_that_wait_for_long_are_found_and_counted() {
    let clock = still_clock();
    let now = clock.now().as_millis();
    let setup = Setup::new().clock(&clock).rows(|db| {
        insert_token(db, 1, None);
        insert_event(db, 1, 9, 1, now - 7_200_000);
        insert_event(db, 1, 9, 2, now);
    });
    // The dispatcher leaves the events of a disabled user.
    let setup = setup.rows(|db| {
        db.execute("UPDATE users SET disabled_at = 1", []).expect("disabled");
    });
    let server = setup.start();
    let health = full(&server);
    assert_eq!(codes(&health), ["webhooks_waiting"]);
    let message = health["findings"][0]["message"].as_str().expect("a sentence");
    assert!(message.starts_with("2 events wait, the oldest since "), "{message}");
    let metrics = server.get("/metrics").send().text().to_owned();
    for sample in [
        "vomeet_webhooks_waiting 2",
        "vomeet_webhooks_oldest_seconds 7200",
        r#"vomeet_health_finding{code="webhooks_waiting"} 1"#,
    ] {
        assert!(metrics.lines().any(|line| line == sample), "{sample}: {metrics}");
    }
    assert!(!metrics.contains("file_damaged"), "a scrape does not find it");
    let overview = server.get("/admin/overview").admin().send().expect(200);
    let warnings = overview["warnings"].as_array().expect("a list").clone();
    assert!(warnings.iter().any(|warning| warning["code"] == "webhooks_waiting"), "{warnings:?}");
}

#[test]
fn a_wal_that_grows_is_found() {
    let server = Setup::new().set("VOMEET_HEALTH_WAL_MIB_MAX", "1").start();
    assert_eq!(codes(&full(&server)), [""; 0]);
    let name = "x".repeat(12_000);
    for n in 0..300 {
        let user = json!({"email": format!("{n}@example.com"), "data": {"x": name}});
        server.post("/admin/users").admin().json(&user).send().expect(201);
    }
    wait_for(|| (codes(&full(&server)) == ["wal_large"]).then_some(()));
}

#[test]
fn a_backup_that_fails_or_is_late_is_found() {
    let clock = still_clock();
    let setup = Setup::new().clock(&clock);
    let folder = setup.folder().join("backups");
    let setup = setup.set("VOMEET_BACKUP_FOLDER", &folder.to_string_lossy());
    let server = setup.set("VOMEET_BACKUP_EVERY", "1h").start();
    let good = || {
        let text = server.get("/metrics").send().text().to_owned();
        (!text.contains("\nvomeet_backup_last_success_timestamp_seconds 0\n")).then_some(())
    };
    wait_for(good);
    assert_eq!(codes(&full(&server)), [""; 0]);
    fs::remove_dir_all(&folder).expect("removed");
    fs::write(&folder, "no folder").expect("written");
    let found = |wanted: &[&str]| {
        wait_for(|| {
            clock.advance(Duration::from_mins(5));
            (codes(&full(&server)) == wanted).then_some(())
        });
    };
    found(&["backup_failed"]);
    found(&["backup_failed", "backup_late"]);
    let metrics = server.get("/metrics").send().text().to_owned();
    assert!(metrics.contains(r#"vomeet_health_finding{code="backup_late"} 1"#), "{metrics}");
}
