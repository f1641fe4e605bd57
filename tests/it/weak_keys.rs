//! A weak admin key counts from this machine alone: not through a proxy, and not from other users.

use crate::client::{ADMIN_KEY, GUIDE_KEY};
use crate::process::{Launch, Process};
use crate::server::Setup;
use hyper::Request;
use std::process::Command;

/// Somebody without any rights.
const NOBODY: u32 = 65_534;
const STRONG: &str = "4f1c2a9be07d3358";

/// The status of a request of an administrator with this first line, these headers and this key.
fn status(server: &Process, line: &str, headers: &str, key: &str) -> u16 {
    let request = format!("{line}\r\n{headers}X-Admin-API-Key: {key}\r\nConnection: close\r\n\r\n");
    server.raw(request).expect("an answer").status
}

/// Whether `/healthz` gives the details that are for callers on this machine.
fn has_details(server: &Process, headers: &str) -> bool {
    let request = format!("GET /healthz HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    let health = server.raw(request).expect("an answer").expect(200);
    health.get("server").is_some()
}

const LINE: &str = "GET /admin/users HTTP/1.1";
const HOST: &str = "Host: localhost\r\n";

#[test]
fn no_proxy_brings_a_weak_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let weak = Launch::serve_with_guide_key(folder.path()).any_wrong_keys().start();
    let other = tempfile::tempdir().expect("a folder");
    let strong =
        Launch::serve(other.path()).any_wrong_keys().env("ADMIN_API_TOKEN", STRONG).start();
    assert_eq!(status(&weak, LINE, HOST, GUIDE_KEY), 200);
    assert_eq!(status(&strong, LINE, HOST, STRONG), 200);
    assert!(has_details(&weak, HOST));
    for header in [
        "Forwarded: for=127.0.0.1",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Host: localhost",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 127.0.0.1",
        "Via: 1.1 proxy",
    ] {
        let headers = format!("{HOST}{header}\r\n");
        assert_eq!(status(&weak, LINE, &headers, GUIDE_KEY), 403, "{header}");
        assert_eq!(status(&strong, LINE, &headers, STRONG), 200, "{header}");
        assert!(!has_details(&weak, &headers), "{header}");
    }
    // As a proxy without any settings asks: nginx in its default.
    let old = "GET /admin/users HTTP/1.0";
    assert_eq!(status(&weak, old, HOST, GUIDE_KEY), 403, "HTTP/1.0");
    assert_eq!(status(&strong, old, HOST, STRONG), 200, "HTTP/1.0");
    let refused =
        weak.get("/admin/users").header("Via", "1.1 x").header("X-Admin-API-Key", GUIDE_KEY);
    let wrong = weak.get("/admin/users").header("X-Admin-API-Key", "wrong").send();
    assert_eq!(refused.send().text(), wrong.text(), "nobody learns that the key was right");
    let said = weak.terminate().stderr;
    assert!(said.contains("weak and was refused"), "{said}");
}

#[test]
fn a_weak_old_key_counts_from_this_machine_alone_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path())
        .env("ADMIN_API_TOKEN", STRONG)
        .env("ADMIN_API_TOKEN_OLD", GUIDE_KEY)
        .env("ADMIN_API_TOKEN_OLD_UNTIL", "2999-12-31T00:00:00Z")
        .start();
    let forwarded = format!("{HOST}X-Forwarded-For: 127.0.0.1\r\n");
    assert_eq!(status(&server, LINE, HOST, GUIDE_KEY), 200);
    assert_eq!(status(&server, LINE, &forwarded, GUIDE_KEY), 403);
    assert_eq!(status(&server, LINE, &forwarded, STRONG), 200);
}

#[test]
fn the_system_is_asked_whose_a_connection_is_for_a_right_and_weak_key_alone() {
    let server = Setup::new()
        .set("ADMIN_API_TOKEN_OLD", GUIDE_KEY)
        .set("ADMIN_API_TOKEN_OLD_UNTIL", "2999-12-31T00:00:00Z")
        .start();
    let app = &server.app;
    for (key, is_accepted, times_asked) in [
        ("wrong", false, 0),
        ("", false, 0),
        ("tokens", false, 0),
        (ADMIN_KEY, true, 0),
        (GUIDE_KEY, true, 1),
    ] {
        let request = Request::get("/admin/users").header("X-Admin-API-Key", key);
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let mut asked = 0;
        let is_local = || {
            asked += 1;
            true
        };
        let admin = app.auth.admin(&head, is_local, &app.store, None, app.clock.now());
        assert_eq!((admin.is_ok(), asked), (is_accepted, times_asked), "{key:?}");
    }
}

/// What curl says as this user: the body and the status.
fn curl_as(uid: u32, server: &Process, path: &str) -> String {
    let url = format!("http://{}{path}", server.address);
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()]);
    command.args(["curl", "--silent", "--noproxy", "*", "--write-out", " %{http_code}"]);
    command.args(["--header", &format!("X-Admin-API-Key: {GUIDE_KEY}"), &url]);
    let output = command.output().expect("setpriv and curl");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn another_user_of_the_machine_does_not_bring_a_weak_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve_with_guide_key(folder.path()).any_wrong_keys().start();
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested: needs root, setpriv and curl");
        return;
    }
    assert!(curl_as(0, &server, "/admin/users").ends_with(" 200"));
    assert!(curl_as(0, &server, "/healthz").contains("\"server\""));
    let refused = curl_as(NOBODY, &server, "/admin/users");
    assert!(refused.ends_with(" 403"), "{refused}");
    let health = curl_as(NOBODY, &server, "/healthz");
    assert!(health.ends_with(" 200") && !health.contains("\"server\""), "{health}");
}

#[test]
fn a_weak_key_is_refused_where_the_settings_say_that_others_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |(name, value): (&str, &str), key: &str| {
        let launch = Launch::new(folder.path(), &["config", "check"]);
        launch.env(name, value).env("ADMIN_API_TOKEN", key).run()
    };
    for (name, value, setting) in [
        ("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com", "allowed_hosts"),
        ("VOMEET_HTTP_TRUSTED_PROXIES", "10.0.0.0/8", "trusted_proxies"),
        ("VOMEET_HTTP_CORS_ORIGINS", "https://app.example.com", "cors_origins"),
        ("VOMEET_BOTS_CALLBACK_URL", "http://10.0.0.5:18056", "callback_url"),
        ("VOMEET_BOTS_CALLBACK_URL", "http://host.docker.internal:18056", "callback_url"),
    ] {
        for key in [GUIDE_KEY, "aaaaaaaaaaaaaaaa", "passwordpassword1", "vomeetvomeetvomeet"] {
            let refused = check((name, value), key);
            assert_eq!(refused.status.code(), Some(11), "{value} with {key}: {refused:?}");
            let message = &refused.stderr;
            assert!(message.contains(setting) && message.contains("openssl"), "{message}");
        }
        let fine = check((name, value), STRONG);
        assert_eq!(fine.status.code(), Some(0), "{value}: {fine:?}");
        let started = Launch::serve_with_guide_key(folder.path()).env(name, value).run();
        assert_eq!(started.status.code(), Some(11), "{value}: {started:?}");
    }
    for url in ["", "http://127.0.0.1:18056", "http://localhost:18056", "http://[::1]:18056"] {
        let fine = check(("VOMEET_BOTS_CALLBACK_URL", url), GUIDE_KEY);
        assert_eq!(fine.status.code(), Some(0), "{url}: {fine:?}");
    }
}
