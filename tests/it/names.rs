//! By which names and addresses the server is reached: probes, bots, old clients, and paths with a
//! slash too many.

use crate::client::{Answer, Client};
use crate::server::{Server, Setup};

const STRONG: (&str, &str) = ("ADMIN_API_TOKEN", "2vK9sQx7LmWd4RtYb8ZcFhJn");

/// The answer to a GET with these headers, in this version of HTTP.
fn get(server: &Client, target: &str, version: &str, headers: &str) -> Answer {
    let request = format!("GET {target} HTTP/{version}\r\nConnection: close\r\n{headers}\r\n");
    server.raw(request).expect("an answer")
}

fn host(server: &Client, target: &str, host: &str) -> u16 {
    get(server, target, "1.1", &format!("Host: {host}\r\n")).status
}

#[test]
fn a_request_of_http_1_0_needs_no_host() {
    for allowed in ["", "vomeet.example.com"] {
        let server = Setup::new().set("VOMEET_HTTP_ALLOWED_HOSTS", allowed).start();
        assert_eq!(get(&server, "/healthz", "1.0", "").status, 200);
        assert_eq!(get(&server, "/healthz", "1.0", "Host: localhost\r\n").status, 200);
        assert_eq!(get(&server, "/", "1.0", "Host: evil.example\r\n").status, 421);
        assert_eq!(get(&server, "/healthz", "1.0", "Host: a\r\nHost: a\r\n").status, 400);
        assert_eq!(get(&server, "/healthz", "1.1", "").status, 400);
    }
}

#[test]
fn probes_reach_the_server_by_any_name_unless_the_key_is_weak() {
    for (key, status) in [(STRONG.1, 200), ("token", 421)] {
        let setup = Setup::new().set(STRONG.0, key);
        let server = setup.set("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com").start();
        for path in ["/healthz", "/metrics"] {
            assert_eq!(host(&server, path, "10.244.1.7:18056"), status, "{path}, {key}");
        }
        for path in ["/", "/user", "/docs", "/nowhere"] {
            assert_eq!(host(&server, path, "10.244.1.7:18056"), 421, "{path}, {key}");
        }
    }
}

#[test]
fn bots_reach_the_server_by_the_address_that_they_are_given() {
    for (url, name) in [
        ("http://vomeet.internal:18056", "vomeet.internal:18056"),
        ("https://Bots.Example.com/vomeet", "bots.example.com"),
        ("http://10.0.0.5:18056", "10.0.0.5:18056"),
        ("http://[2001:db8::5]:18056", "[2001:db8::5]:18056"),
    ] {
        let server = Setup::new().set("VOMEET_BOTS_CALLBACK_URL", url).start();
        assert_eq!(host(&server, "/", name), 200, "{name}");
        assert_eq!(host(&server, "/", "other.internal:18056"), 421);
    }
}

#[test]
fn the_address_of_the_connection_is_a_name_of_the_server() {
    let setup = Setup::new().set(STRONG.0, STRONG.1).set("VOMEET_LISTEN", "0.0.0.0:0");
    let server = setup.set("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com").start();
    let port = server.address.port();
    let there = Client { address: ([127, 0, 0, 7], port).into(), ..*server };
    assert_eq!(host(&there, "/", &format!("127.0.0.7:{port}")), 200);
    assert_eq!(host(&there, "/", "127.0.0.8"), 421, "it was made to another address");
}

#[test]
fn a_slash_too_many_leads_to_the_path_without_it() {
    let server = Server::start();
    for (path, location) in [
        ("/meetings/", "/meetings"),
        ("/meetings/?limit=2&skip=%2F", "/meetings?limit=2&skip=%2F"),
        ("/admin/users/7/", "/admin/users/7"),
        ("/admin/users/email/a%2Fb@example.com/", "/admin/users/email/a%2Fb@example.com"),
        ("/bots/", "/bots"),
        ("/docs/", "/docs"),
    ] {
        let answer = get(&server, path, "1.1", "Host: localhost\r\n");
        assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{path}");
    }
    for path in
        ["//", "//meetings/", "/meetings//", "/nowhere/", "//evil.example/", "/.//", "/ws//"]
    {
        let answer = get(&server, path, "1.1", "Host: localhost\r\n");
        assert_eq!((answer.status, answer.header("location")), (404, None), "{path}");
    }
    let post = server.raw("POST /bots/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(post.expect("an answer").status, 308);
}

#[test]
fn what_is_no_address_belongs_to_no_user() {
    let server = Server::start();
    for email in ["zz", "a@b", "%20", "@example.com", "a%00@example.com"] {
        let answer = server.get(format!("/admin/users/email/{email}")).admin().send();
        assert_eq!(answer.refusal(), (404, "User not found".to_owned()), "{email}");
    }
}
