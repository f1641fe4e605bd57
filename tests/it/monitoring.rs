//! `/metrics`: what is counted, what no label carries, and the address of its own.

use crate::client::{Client, wait_for};
use crate::process::Launch;
use crate::server::{Server, Setup, still_clock};
use crate::watcher::Watcher;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use vomeet::routes::TABLE;

const TOKEN: &str = "5f0c0a4c6f1f8e3a9b7d2c1e8a6b4d2f";

fn text_of(client: &Client) -> String {
    client.get("/metrics").send().text().to_owned()
}

/// The value of a sample, by its name and labels as they are written.
fn value(client: &Client, sample: &str) -> Option<f64> {
    let text = text_of(client);
    let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.map(|value| value.parse().expect("a number"))
}

fn number(client: &Client, sample: &str) -> f64 {
    value(client, sample).unwrap_or_else(|| panic!("no {sample}:\n{}", text_of(client)))
}

/// Without a fraction, so that it can be compared.
fn whole(client: &Client, sample: &str) -> i64 {
    format!("{}", number(client, sample)).parse().expect("a whole number")
}

#[test]
fn what_happens_is_counted() {
    let clock = still_clock();
    let server = Setup::new().clock(&clock).start();
    let user = server.new_user("ada@example.com");
    let token = server.new_token(user);
    let soon = json!({"expires_in": 3600});
    server.post(format!("/admin/users/{user}/tokens")).admin().json(&soon).send().expect(201);
    server.whoami(&token.text).expect(200);
    server.get("/user").user("wrong").send();
    server.get("/user").send();
    server.get("/admin/users").header("X-Admin-API-Key", "wrong").send();
    server.post("/bots/internal/segments").bearer("wrong").json(&json!({})).send();
    wait_for(|| value(&server, "vomeet_webhooks_waiting"));
    for (sample, expected) in [
        (r#"vomeet_keys_refused_total{code="mistyped"}"#, 1),
        (r#"vomeet_keys_refused_total{code="missing"}"#, 1),
        (r#"vomeet_keys_refused_total{code="unknown"}"#, 1),
        (r#"vomeet_keys_refused_total{code="bot"}"#, 1),
        (r#"vomeet_keys_ending{kind="token"}"#, 1),
        (r#"vomeet_keys_ending{kind="admin_key"}"#, 0),
        (r#"vomeet_http_class_seconds_count{class="user_read"}"#, 3),
        (r#"vomeet_http_class_seconds_count{class="admin_write"}"#, 3),
        (r#"vomeet_http_class_seconds_count{class="bot"}"#, 1),
        ("vomeet_ready", 1),
        (r#"vomeet_health_finding{code="disk_full"}"#, 0),
        ("vomeet_store_queue_writes", 0),
        ("vomeet_webhooks_waiting", 0),
        ("vomeet_live_messages_sent_total", 0),
        (r#"vomeet_bots{status="active"}"#, 0),
        (concat!("vomeet_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1),
    ] {
        assert_eq!(whole(&server, sample), expected, "{sample}");
    }
    let commits = number(&server, "vomeet_store_commits_total");
    assert!(commits >= 3.0, "{commits} commits");
    for sample in ["vomeet_store_commit_seconds_count", "vomeet_store_batch_writes_count"] {
        assert!(number(&server, sample) >= commits, "{sample}");
    }
    wait_for(|| {
        let complete = value(&server, r#"vomeet_store_checkpoints_total{outcome="complete"}"#);
        (complete? > 0.0).then_some(())
    });
    for sample in [
        "vomeet_store_wal_bytes",
        "vomeet_disk_free_bytes",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
        "process_start_time_seconds",
        "vomeet_start_time_seconds",
    ] {
        assert!(number(&server, sample) > 0.0, "{sample}");
    }
}

#[test]
fn requests_beyond_a_limit_are_counted_by_the_limit() {
    let setup = Setup::new().set("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "1");
    let server = setup.set("VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN", "1").start();
    let user = server.new_user("ada@example.com");
    let token = server.new_token(user);
    for status in [200, 429, 429] {
        assert_eq!(server.whoami(&token.text).status, status);
    }
    for status in [403, 429] {
        assert_eq!(server.get("/user").user("wrong").send().status, status);
    }
    assert_eq!(whole(&server, r#"vomeet_requests_limited_total{limit="requests"}"#), 2);
    assert_eq!(whole(&server, r#"vomeet_requests_limited_total{limit="failed_keys"}"#), 1);
}

/// The labels of all samples: pairs of a name and a value.
fn labels(text: &str) -> BTreeSet<(String, String)> {
    let mut labels = BTreeSet::new();
    let pair = regex::Regex::new(r#"([a-z_]+)="([^"]*)""#).expect("a pattern");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for found in pair.captures_iter(line) {
            labels.insert((found[1].to_owned(), found[2].to_owned()));
        }
    }
    labels
}

#[test]
fn no_label_carries_what_callers_send() {
    let server = Server::start();
    let user = server.new_user("secret.person@example.com");
    let token = server.new_token(user);
    let before = labels(&text_of(&server));
    for path in [
        format!("/admin/users/{user}"),
        "/admin/users/email/secret.person@example.com".to_owned(),
        format!("/admin/tokens/{}", token.id),
        "/meetings/google_meet/abc-defg-hij".to_owned(),
        "/nowhere/203.0.113.7".to_owned(),
    ] {
        server.get(&path).admin().user(&token.text).header("X-Forwarded-For", "203.0.113.7").send();
    }
    server.call("SECRETMETHOD", "/user").send();
    let after = labels(&text_of(&server));
    for (name, value) in after.difference(&before) {
        let is_of_the_table = match name.as_str() {
            "path" => value == "-" || TABLE.iter().any(|route| route.path == value),
            "method" => ["GET", "-"].contains(&value.as_str()),
            "status" => value.parse::<u16>().is_ok(),
            _ => false,
        };
        assert!(is_of_the_table, "{name}={value:?}");
    }
    let known = [
        "class", "code", "command", "kind", "le", "limit", "method", "outcome", "path", "reason",
        "status", "version",
    ];
    let names: BTreeSet<&str> = after.iter().map(|(name, _)| name.as_str()).collect();
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "labels that nobody has looked at: {unknown:?}");
    let text = text_of(&server);
    for secret in ["secret", "SECRET", "@", "203.0.113", "abc-defg", &token.text] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}

#[test]
fn a_meeting_is_counted_with_its_messages_and_its_end() {
    let server = Setup::new().set("VOMEET_BOTS_RUNNER", "demo").start();
    let ada = json!({"email": "ada@example.com", "max_concurrent_bots": 1});
    let user = server.post("/admin/users").admin().json(&ada).send().expect(201);
    let token = server.new_token(user["id"].as_i64().expect("an id"));
    let meeting = json!({"platform": "google_meet", "native_meeting_id": "abc-defg-hij"});
    server.post("/bots").user(&token.text).json(&meeting).send().expect(201);
    let mut watcher = Watcher::open(&server, &token.text);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);
    let in_meetings = ["requested", "joining", "awaiting_admission", "active", "stopping"];
    // Of one reading: the meeting goes on between two.
    let bots = || {
        let metrics = text_of(&server);
        let of =
            |status: &&str| metrics.contains(&format!("vomeet_bots{{status=\"{status}\"}} 1\n"));
        in_meetings.iter().filter(|status| of(status)).count()
    };
    assert_eq!((bots(), whole(&server, "vomeet_live_sockets")), (1, 1));
    watcher.json();
    wait_for(|| (whole(&server, "vomeet_live_messages_sent_total") > 0).then_some(()));
    let path = "/bots/google_meet/abc-defg-hij";
    let stopped = server.delete(path).user(&token.text).send().status;
    assert!((200..300).contains(&stopped), "{stopped}");
    let end = r#"vomeet_meetings_ended_total{status="completed",reason="stopped"}"#;
    wait_for(|| (whole(&server, end) == 1).then_some(()));
    wait_for(|| (bots() == 0).then_some(()));
    assert_eq!(whole(&server, "vomeet_live_messages_dropped_total"), 0);
}

fn with_token_file(folder: &Path, token: &str, mode: u32) -> String {
    let file = folder.join("metrics-token");
    fs::write(&file, format!("{token}\nsecond line\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
    file.to_string_lossy().into_owned()
}

#[test]
fn the_address_for_monitoring_serves_probes_alone_and_without_details() {
    let setup = Setup::new().set("VOMEET_METRICS_LISTEN", "127.0.0.1:0");
    let server = setup.set("VOMEET_HEALTH_DISK_FREE_MIB_MIN", "1000000000").start();
    let monitoring = server.monitoring.expect("an address");
    assert!(text_of(&monitoring).contains("vomeet_build_info{"));
    for path in ["/healthz", "/ready"] {
        let body = monitoring.get(path).send().expect(200);
        assert_eq!(body["status"], "ok", "{path}");
        for details in ["server", "findings"] {
            assert_eq!(body.get(details), None, "{path}");
        }
        assert!(server.get(path).send().expect(200)["findings"].is_array(), "{path}");
    }
    for (line, status) in [
        ("GET /", 404),
        ("GET /user", 404),
        ("GET /admin/users", 404),
        ("GET /docs", 404),
        ("GET /metrics/", 308),
        ("POST /metrics", 405),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(monitoring.raw(head).expect("an answer").status, status, "{line}");
    }
    assert_eq!(server.get("/metrics").send().status, 404, "they have an address of their own");
    assert_eq!(server.get("/healthz").send().status, 200);
}

#[test]
fn metrics_with_a_token_are_for_those_who_send_it() {
    let setup = Setup::new();
    let file = with_token_file(setup.folder(), TOKEN, 0o600);
    let setup = setup.set("VOMEET_METRICS_LISTEN", "127.0.0.1:0");
    let server = setup.set("VOMEET_METRICS_TOKEN_FILE", &file).start();
    let monitoring = server.monitoring.expect("an address");
    let refused = monitoring.get("/metrics").send();
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    assert!(
        refused.json()["detail"].as_str().is_some_and(|why| why.contains("metrics_token_file"))
    );
    for wrong in ["", "wrong", &TOKEN[..31], "second line"] {
        assert_eq!(monitoring.get("/metrics").bearer(wrong).send().status, 401, "{wrong:?}");
    }
    assert_eq!(monitoring.get("/metrics").bearer(TOKEN).send().status, 200);
    let lower = format!("bearer {TOKEN}");
    let call = monitoring.get("/metrics").header("Authorization", &lower);
    assert_eq!(call.send().status, 200, "the scheme has no case");
    assert_eq!(call.header("Authorization", &lower).send().status, 401, "two of them");
    assert_eq!(monitoring.get("/healthz").send().status, 200, "probes have no token");
}

#[test]
fn metrics_that_others_reach_need_a_token_in_a_private_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let start = |address: &str, file: Option<&str>| {
        let launch = Launch::serve(folder).env("VOMEET_METRICS_LISTEN", address);
        match file {
            Some(file) => launch.env("VOMEET_METRICS_TOKEN_FILE", file),
            None => launch,
        }
    };
    let refused = |launch: Launch, why: &str| {
        let ended = launch.run();
        assert_eq!(ended.status.code(), Some(10), "{ended:?}");
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    };
    refused(start("0.0.0.0:0", None), "metrics_token_file is not set");
    refused(start("[::]:0", None), "metrics_token_file is not set");
    let open = with_token_file(folder, TOKEN, 0o644);
    refused(start("0.0.0.0:0", Some(&open)), "chmod 600");
    let weak = with_token_file(folder, "token", 0o600);
    refused(start("0.0.0.0:0", Some(&weak)), "random characters");
    refused(start("127.0.0.1:0", Some("/nowhere/token")), "cannot read /nowhere/token");
    let sound = with_token_file(folder, TOKEN, 0o600);
    let alone = Launch::serve(folder).env("VOMEET_METRICS_TOKEN_FILE", &sound);
    refused(alone, "metrics_listen is not");
    let server = start("0.0.0.0:0", Some(&sound)).start();
    assert!(server.terminate().status.success());
}

#[test]
fn commands_do_without_the_token_of_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let open = with_token_file(folder.path(), TOKEN, 0o644);
    let command = Launch::new(folder.path(), &["token", "list"]);
    let ended = command.env("VOMEET_METRICS_TOKEN_FILE", &open).run();
    assert!(ended.status.success(), "{ended:?}");
    server.terminate();
}

#[test]
fn who_holds_connections_for_monitoring_keeps_nobody_else_out() {
    let setup = Setup::new().set("VOMEET_METRICS_LISTEN", "[::]:0");
    let server = setup.start();
    let port = server.monitoring.expect("an address").address.port();
    let (other, own) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let silent: Vec<TcpStream> =
        (0..64).map(|_| TcpStream::connect((other, port)).expect("a connection")).collect();
    let monitoring = Client { address: (own, port).into(), ..*server };
    assert!(text_of(&monitoring).contains("vomeet_build_info{"));
    wait_for(|| silent.iter().all(has_ended).then_some(()));
}

#[test]
fn who_sends_nothing_to_the_address_for_monitoring_goes_before_who_asks() {
    let server = Setup::new().set("VOMEET_METRICS_LISTEN", "127.0.0.1:0").start();
    let monitoring = server.monitoring.expect("an address");
    let mut busy = monitoring.line();
    let mut ask = || {
        busy.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        assert_eq!(busy.answer(false).expect("an answer").status, 200);
    };
    ask();
    let silent = TcpStream::connect(monitoring.address).expect("a connection");
    wait_for(|| {
        ask();
        has_ended(&silent).then_some(())
    });
    ask();
}

/// Whether the server has closed a connection on which nothing was sent.
fn has_ended(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("set");
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
        Ok(_) => panic!("an answer to nothing"),
    }
}
