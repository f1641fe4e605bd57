//! the HTTP contract, sections Conventions and General: what holds on every route, and the routes
//! that are open to all.

use crate::client::{Answer, assert_time, fields, segment};
use crate::matrix::is_socket;
use crate::process::Launch;
use crate::segments::one_meeting;
use crate::server::Server;
use serde_json::json;
use vomeet::api::guard::Access;
use vomeet::api::route::Route;
use vomeet::routes::TABLE;

/// The status of a response to `GET` of a real path: the address of a folder leads into it, no share
/// link can be known beforehand, and no sound is kept.
pub fn got(route: &Route) -> u16 {
    match route.path {
        "/console" | "/clients" => 308,
        "/public/transcripts/{file}" | "/meetings/{id}/audio" => 404,
        _ => 200,
    }
}

/// A path of a route with something that exists in each of its places, for user 1 with token 1.
pub fn real_path(route: &Route) -> String {
    let fill = |part: &str| match part {
        "{email}" => segment("one@example.com"),
        "{file}" if route.path.starts_with("/clients/") => crate::clients_page::wheel(),
        "{file}" => "start.js".to_owned(),
        "{platform}" => "google_meet".to_owned(),
        "{native_meeting_id}" => "abc-defg-hij".to_owned(),
        part if part.starts_with('{') => "1".to_owned(),
        part => part.to_owned(),
    };
    route.path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

#[test]
fn unknown_paths_are_404() {
    let server = Server::start();
    for path in [
        "/nowhere",
        "//",
        "/users",
        "/admin",
        "/admin/",
        "/admin//users",
        "/admin/users/1/tokens/1",
        "/USER",
        "/docs/../user",
        "/%75ser",
        "/user;a=b",
        "/docs/nothing.js",
        "/docs/..%2f..%2fCargo.toml",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            if method != "GET" && path.starts_with("/docs/") && path.matches('/').count() == 2 {
                continue;
            }
            let answer = server.call(method, path).admin().send();
            assert_eq!(answer.refusal(), (404, "Not Found".to_owned()), "{method} {path}");
        }
    }
}

#[test]
fn wrong_methods_are_405_with_the_right_ones() {
    let server = Server::start();
    let methods =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"];
    for route in TABLE.iter() {
        let path = real_path(route);
        let rows = TABLE.iter().filter(|row| row.path == route.path);
        let mut known: Vec<_> = rows.map(|row| row.method.as_str()).collect();
        if known.contains(&"GET") {
            known.push("HEAD");
        }
        known.sort_unstable();
        for method in methods.iter().filter(|method| !known.contains(method)) {
            let answer = server.call(method, &path).admin().send();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(known.join(", ").as_str()), "{method} {path}");
            if *method != "HEAD" {
                assert_eq!(
                    answer.json(),
                    json!({"detail": "Method Not Allowed"}),
                    "{method} {path}"
                );
            }
        }
    }
    let connect = server.raw("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
    assert_eq!(connect.expect("an answer").status, 405, "CONNECT");
}

#[test]
fn head_is_get_without_a_body() {
    let (server, token, _) = one_meeting();
    // An entry for the record to show.
    server.new_user("recorded@example.com");
    for route in TABLE.iter().filter(|route| route.method == "GET" && !is_socket(route)) {
        // A redirect has no body.
        if got(route) != 200 {
            continue;
        }
        let path = real_path(route);
        let call = |method: &str| match route.access {
            Access::User => server.call(method, &path).user(&token),
            _ => server.call(method, &path).admin(),
        };
        let (get, head) = (call("GET").send(), call("HEAD").send());
        assert_eq!(get.status, 200, "{path}: {}", get.text());
        assert_eq!(head.status, 200, "{path}");
        let content = |answer: &Answer| answer.header("content-type").map(str::to_owned);
        assert_eq!(content(&head), content(&get), "{path}");
        // Those count the very request, or it stands in the record that they show.
        if !["/metrics", "/healthz", "/user/usage", "/admin/users/1/export", "/admin/overview"]
            .contains(&path.as_str())
        {
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        }
        // A body would be taken for the next answer.
        let mut line = server.line();
        line.send(call("HEAD").bytes()).expect("sent");
        line.send(call("GET").bytes()).expect("sent");
        assert_eq!(line.answer(true).expect("HEAD").status, 200, "{path}");
        assert_eq!(line.answer(false).expect("GET").status, 200, "{path}");
    }
    let refused = server.call("HEAD", "/user").send();
    assert_eq!(refused.status, 403);
    assert_eq!(server.call("HEAD", "/nowhere").send().status, 404);
}

#[test]
fn what_is_unknown_in_query_and_body_is_ignored() {
    let server = Server::start();
    let body = json!({"email": "one@example.com", "unknown": [1, {"a": null}], "id": 77});
    let user = server.post("/admin/users?what=ever&=&&x").admin().json(&body).send().expect(201);
    assert_eq!(user["id"], 1);
    server.get("/admin/users?unknown=1&limit=5&%ff=%fe").admin().send().expect(200);
    let token = server.new_token(1).text;
    server.get("/meetings?limitt=0&Skip=-1").user(&token).send().expect(200);
    server.get("/user?x").user(&token).send().expect(200);
}

#[test]
fn the_front_door_greets_programs_and_sends_browsers_to_the_console() {
    let server = Server::start();
    for accept in ["", "*/*", "application/json", "text/plain"] {
        let answer = server.get("/").header("Accept", accept).send();
        let body = answer.expect(200);
        assert_eq!(fields(&body), ["docs", "message", "version"], "{accept:?}");
        assert_eq!(body["message"], "Welcome to Vomeet");
        assert_eq!(body["docs"], "/docs");
        assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    }
    for accept in ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"] {
        let answer = server.get("/").header("Accept", accept).send();
        assert_eq!((answer.status, answer.header("location")), (307, Some("console/")), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept"));
    }
}

#[test]
fn health_counts_and_names() {
    let server = Server::start();
    let user = server.new_user("one@example.com");
    server.new_token(user);
    let health = server.get("/healthz").send().expect(200);
    assert_eq!(fields(&health), ["server", "started_at", "status", "version"]);
    assert_eq!(health["status"], "ok");
    assert_time(&health["started_at"]);
    let inside = &health["server"];
    assert_eq!(fields(inside), ["address", "database", "database_bytes", "tokens", "users"]);
    assert_eq!((&inside["users"], &inside["tokens"]), (&json!(1), &json!(1)));
    assert_eq!(inside["address"], server.address.to_string());
    assert!(inside["database_bytes"].as_u64() > Some(0));
}

#[test]
fn the_documentation_is_whole_and_loads_nothing_from_elsewhere() {
    let server = Server::start();
    let page = server.get("/docs").send();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'; base-uri 'none'"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let parts: Vec<&str> =
        page.text().split('"').filter(|part| part.starts_with("docs/")).collect();
    assert!(parts.len() >= 4, "{parts:?}");
    for part in parts {
        let answer = server.get(format!("/{part}")).send();
        assert_eq!(answer.status, 200, "{part}");
        let wanted = if part.contains(".js") { "javascript" } else { "css" };
        assert!(answer.header("content-type").is_some_and(|kind| kind.contains(wanted)), "{part}");
        assert!(!answer.body.is_empty(), "{part}");
    }
    assert!(
        !page.text().contains("http://") && !page.text().contains("https://"),
        "{}",
        page.text()
    );
}

#[test]
fn metrics_count_requests_by_route() {
    let server = Server::start();
    let user = server.new_user("secret-name@example.com");
    server.get(format!("/admin/users/{user}")).admin().send().expect(200);
    server.get("/admin/users/email/secret-name@example.com").admin().send().expect(200);
    server.get("/nowhere/secret-name").send();
    server.call("BREW", "/user").send();
    let metrics = server.get("/metrics").send();
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    for wanted in [
        r#"vomeet_http_requests_total{method="GET",path="/admin/users/{id}",status="200"} 1"#,
        r#"vomeet_http_requests_total{method="POST",path="/admin/users",status="201"} 1"#,
        r#"path="-",status="404"} 1"#,
        r#"path="-",status="405"} 1"#,
        "# TYPE vomeet_store_writes_total counter",
        "vomeet_http_connections ",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!text.contains("# EOF"), "{text}");
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1";
    let open = server.get("/metrics").header("Accept", accept).send();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((open.header("content-type"), open.header("vary")), (Some(kind), Some("Accept")));
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    assert!(open.text().contains("# TYPE vomeet_store_writes counter\n"), "{}", open.text());
    assert!(
        !text.contains("secret-name") && !text.contains("BREW"),
        "a caller makes up labels:\n{text}"
    );
}

#[test]
fn status_tells_of_a_server_and_exits_3_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    let user = server.new_user("one@example.com");
    server.new_token(user);
    let address = server.address.to_string();
    let status = || Launch::new(folder.path(), &["status", "--listen", &address]).run();
    let up = status();
    assert_eq!(up.status.code(), Some(0), "{up:?}");
    for wanted in
        ["runs at http://localhost:", "vomeet.db", "Users      1", "Tokens     1", "since 20"]
    {
        assert!(up.stdout.contains(wanted), "{wanted}: {up:?}");
    }
    server.terminate();
    let down = status();
    assert_eq!(down.status.code(), Some(3), "{down:?}");
    assert_eq!(down.stderr.lines().count(), 1, "{down:?}");
    assert_eq!(down.stdout, "", "{down:?}");
}
