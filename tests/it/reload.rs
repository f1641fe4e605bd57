//! SIGHUP: what changes in a running server, all of it or nothing, and what is not disturbed.

use crate::client::{Client, Line, wait_for};
use crate::declared::token;
use crate::process::{Launch, Process};
use crate::watcher::{Received, Watcher};
use crate::wire::{Pair, secure};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub const FIRST: &str = "first-4f1c2a9be07d3358-key";
pub const SECOND: &str = "second-4f1c2a9be07d3358-key";

/// A server whose settings are all in its file.
pub fn serve(folder: &Path, toml: &str) -> Process {
    write(folder, toml);
    Launch::new(folder, &["serve", "--listen", "127.0.0.1:0"]).start()
}

fn write(folder: &Path, toml: &str) {
    fs::write(folder.join("vomeet.toml"), toml).expect("written");
}

/// Waits until the settings were read again, and returns what the log says of it.
pub fn reload(server: &mut Process, toml: &str, folder: &Path) -> String {
    write(folder, toml);
    reload_as_it_is(server)
}

pub fn reload_as_it_is(server: &mut Process) -> String {
    let before = server.stderr.text.len();
    server.signal(Signal::HUP);
    loop {
        let line = server.stderr.next_line().expect("a line");
        let is_new = server.stderr.text.len() > before;
        if is_new && line.contains("the settings were") {
            return line.trim_end().to_owned();
        }
    }
}

pub fn status(server: &Client, key: &str) -> u16 {
    server.get("/admin/users").header("X-Admin-API-Key", key).send().status
}

fn audit(server: &Client, key: &str) -> Vec<Value> {
    let call = server.get("/admin/audit?action=settings.reload");
    let body = call.header("X-Admin-API-Key", key).send().expect(200);
    body["entries"].as_array().expect("entries").clone()
}

#[test]
fn a_meeting_and_a_socket_go_on_while_everything_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (text, hash) = token();
    let users = format!(
        "[[users]]\nemail = \"a@example.com\"\nmax_concurrent_bots = 1\ntokens = [\"{hash}\"]\n"
    );
    let toml = format!("admin_api_token = \"{FIRST}\"\n[bots]\nrunner = \"demo\"\n{users}");
    let mut server = serve(folder.path(), &toml);
    let meeting = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
    server.post("/bots").user(&text).json(&meeting).send().expect(201);
    let mut watcher = Watcher::open(&server, &text);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);
    wait_for(|| (at(&server, &text) == "active").then_some(()));
    let mut kept = server.line();
    assert_eq!(server.get("/user").user(&text).over(&mut kept).expect("an answer").status, 200);

    assert_ne!(by_name(&server), 200, "the name is not known yet");
    let toml = format!(
        "log = \"warn,vomeet=info,access=off\"\nadmin_api_token = \"{SECOND}\"\n\
         [http]\nallowed_hosts = [\"vomeet.example.com\"]\n\
         cors_origins = [\"https://app.example.com\"]\ntrusted_proxies = [\"127.0.0.1\"]\n\
         body_bytes_max = 2000\n\
         [limits]\nrequests_per_minute_token = 77\n[store]\nqueue_max = 99\n\
         [bots]\nrunner = \"demo\"\n{users}\
         [[users]]\nemail = \"b@example.com\"\n"
    );
    let line = reload(&mut server, &toml, folder.path());
    assert!(
        line.ends_with(
            "changed: log, admin_api_token, http.body_bytes_max, http.allowed_hosts, \
             http.cors_origins, http.trusted_proxies, limits.requests_per_minute_token, users"
        ),
        "{line}"
    );
    let line = server.stderr.next_line().expect("a line");
    assert!(line.trim_end().ends_with("take effect after a restart: store.queue_max"), "{line}");

    // What was there goes on.
    let mut later = 0;
    while later < 3 {
        let told = watcher.json();
        later += usize::from(told["type"] == "transcript.mutable");
    }
    assert_eq!(at(&server, &text), "active");
    let call = server.get("/user").user(&text).header("Origin", "https://app.example.com");
    let answer = call.over(&mut kept).expect("an answer on the same connection");
    // What is new is in force.
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    let policy = answer.header("ratelimit-policy").expect("a policy");
    assert!(policy.contains("\"token\";q=77"), "{policy}");
    assert_eq!((status(&server, FIRST), status(&server, SECOND)), (403, 200));
    assert_eq!(by_name(&server), 200);
    let long = json!({ "email": "c@example.com", "name": "n".repeat(3000) });
    let call = server.post("/admin/users").header("X-Admin-API-Key", SECOND).json(&long);
    assert_eq!(call.send().status, 413);
    let users = server.get("/admin/users").header("X-Admin-API-Key", SECOND).send().expect(200);
    assert!(users.to_string().contains("b@example.com"), "{users}");
    let entries = audit(&server, SECOND);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["actor"], "file");
    let names = entries[0]["after"]["changed"].as_array().expect("names");
    assert!(names.contains(&json!("admin_api_token")), "{names:?}");
    assert!(!entries[0].to_string().contains("4f1c2a9be07d3358"), "{entries:?}");
    let said = server.terminate().stderr;
    let after = said.split("the settings were read again").nth(1).expect("what came after it");
    assert!(!after.contains("GET /user"), "the access log is off: {after}");
}

/// What is answered to a request that calls the server by a name of others.
fn by_name(server: &Client) -> u16 {
    let named = "GET /openapi.json HTTP/1.1\r\nHost: vomeet.example.com\r\n\r\n";
    server.raw(named).expect("an answer").status
}

/// The status of the one meeting of a user.
fn at(server: &Client, token: &str) -> String {
    let listed = server.get("/meetings").user(token).send().expect(200);
    listed["meetings"][0]["status"].as_str().expect("a status").to_owned()
}

#[test]
fn a_fault_changes_nothing_and_is_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, hash) = token();
    let first = format!(
        "admin_api_token = \"{FIRST}\"\n[[users]]\nemail = \"a@example.com\"\ntokens = [\"{hash}\"]\n"
    );
    let mut server = serve(folder.path(), &first);
    let new = format!("admin_api_token = \"{SECOND}\"\nlog = \"error\"\n");
    let weak = "admin_api_token = \"token\"\n[http]\nallowed_hosts = [\"a.example\"]\n".to_owned();
    let taken = format!("{new}[[users]]\nemail = \"b@example.com\"\ntokens = [\"{hash}\"]\n");
    for (toml, why) in [
        (format!("{new}nonsense\n"), "line 3"),
        (format!("{new}[http]\nbody_bytes_max = 1\n[limits]\nrequest = 1\n"), "should be a whole"),
        (format!("{new}[bots]\nrunner = \"docker\"\n"), "bots.docker_image is empty"),
        (format!("{new}log = \"loud\"\n"), "duplicate key"),
        (new.replace("error", "loud"), "no level loud"),
        (format!("{new}admin_api_token_file = \"missing\"\n"), "Cannot read the admin key"),
        (weak, "http.allowed_hosts names the server for others"),
        (taken, "is another user's"),
    ] {
        let line = reload(&mut server, &toml, folder.path());
        assert!(line.contains(" ERROR ") && line.contains("nothing has changed"), "{line}");
        assert!(line.contains(why), "{why}: {line}");
        assert_eq!((status(&server, FIRST), status(&server, SECOND)), (200, 403), "{why}");
    }
    assert_eq!(audit(&server, FIRST).len(), 0);
    let users = server.get("/admin/users").header("X-Admin-API-Key", FIRST).send().expect(200);
    assert!(!users.to_string().contains("b@example.com"), "{users}");
    // The same again is no change, and has no entry.
    let line = reload(&mut server, &first, folder.path());
    assert!(line.ends_with("none has changed"), "{line}");
    assert_eq!(audit(&server, FIRST).len(), 0);
    server.terminate();
}

#[test]
fn who_is_taken_out_of_the_file_is_out_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let ((one, one_hash), (two, two_hash)) = (token(), token());
    let user = |email: &str, hash: &str, more: &str| {
        format!("[[users]]\nemail = \"{email}\"\ntokens = [\"{hash}\"]\n{more}")
    };
    let both = user("a@example.com", &one_hash, "") + &user("b@example.com", &two_hash, "");
    let mut server = serve(folder.path(), &both);
    let mut watchers = [&one, &two].map(|token| Watcher::open(&server, token));
    for watcher in &mut watchers {
        // The server knows the socket when it answers.
        watcher.expect_nothing();
    }
    let left = user("b@example.com", &two_hash, "disabled = true\n");
    reload(&mut server, &left, folder.path());
    assert_eq!([&one, &two].map(|token| server.whoami(token).status), [403, 403]);
    for watcher in &mut watchers {
        assert_eq!(watcher.json()["error"], "invalid_api_key");
        assert_eq!(watcher.receive(), Received::Closed(4401));
    }
    reload(&mut server, &both.replace("tokens", "disabled = false\ntokens"), folder.path());
    assert_eq!(server.whoami(&two).status, 200);
    server.terminate();
}

#[test]
fn a_key_file_that_has_another_key_is_a_change_too() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key"), FIRST).expect("written");
    let toml = "admin_api_token_file = \"key\"\n";
    let mut server = serve(folder.path(), toml);
    assert_eq!(status(&server, FIRST), 200);
    fs::write(folder.path().join("key"), SECOND).expect("written");
    let line = reload(&mut server, toml, folder.path());
    assert!(line.ends_with("changed: admin_api_token_file"), "{line}");
    assert_eq!((status(&server, FIRST), status(&server, SECOND)), (403, 200));
    server.terminate();
}

#[test]
fn a_rotated_key_file_is_named_beside_the_old_key() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key"), FIRST).expect("written");
    let toml = "admin_api_token_file = \"key\"\n";
    let mut server = serve(folder.path(), toml);
    fs::write(folder.path().join("key"), SECOND).expect("written");
    let toml = format!(
        "{toml}admin_api_token_old = \"{FIRST}\"\n\
         admin_api_token_old_until = \"2199-01-01T00:00:00Z\"\n"
    );
    reload(&mut server, &toml, folder.path());
    let entries = audit(&server, SECOND);
    let names = entries[0]["after"]["changed"].as_array().expect("names");
    assert!(names.contains(&json!("admin_api_token_file")), "{names:?}");
    assert_eq!((status(&server, FIRST), status(&server, SECOND)), (200, 200));
    server.terminate();
}

/// It is being replaced, or was lost: the tokens of its users would be revoked for good, and the
/// admin key would be the one that everybody knows.
#[test]
fn a_file_that_is_not_there_or_empty_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (text, hash) = token();
    let toml = format!("[[users]]\nemail = \"a@example.com\"\ntokens = [\"{hash}\"]\n");
    fs::write(folder.path().join(".env"), format!("ADMIN_API_TOKEN={FIRST}\n")).expect("written");
    let mut server = serve(folder.path(), &toml);
    for name in ["vomeet.toml", ".env"] {
        let path = folder.path().join(name);
        let whole = fs::read_to_string(&path).expect("a file");
        for is_empty in [false, true] {
            match is_empty {
                false => fs::remove_file(&path).expect("gone"),
                true => fs::write(&path, "# \n").expect("written"),
            }
            let line = reload_as_it_is(&mut server);
            assert!(line.contains("nothing has changed"), "{name}: {line}");
            assert!(line.contains("it is missing or empty"), "{name}: {line}");
            assert_eq!((status(&server, FIRST), status(&server, "token")), (200, 403), "{name}");
            assert_eq!(server.whoami(&text).status, 200, "{name}");
        }
        fs::write(&path, whole).expect("written");
    }
    let line = reload_as_it_is(&mut server);
    assert!(line.ends_with("none has changed"), "{line}");
    assert_eq!(server.whoami(&text).status, 200);
    server.terminate();
}

/// How many live sockets there may be does not change in a running server.
#[test]
fn connections_are_fitted_to_the_live_sockets_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "[http]\nconnections_max = 20\n[live]\nsockets_max = 100\n");
    let mut server = Launch::under("prlimit", &["--nofile=200:200"], folder.path()).start();
    let toml = "[http]\nconnections_max = 1000\n[live]\nsockets_max = 1\n";
    reload(&mut server, toml, folder.path());
    assert!(server.stderr.text.contains("at most 36 connections"), "{}", server.stderr.text);
    server.terminate();
}

#[test]
fn the_settings_in_force_are_shown_as_they_are_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), &format!("admin_api_token = \"{FIRST}\"\n"));
    let toml = "[http]\nbody_bytes_max = 2000\n[store]\nqueue_max = 99\n";
    reload(&mut server, &format!("admin_api_token = \"{SECOND}\"\n{toml}"), folder.path());
    let shown = server.get("/admin/settings").header("X-Admin-API-Key", SECOND).send().expect(200);
    let value = |name: &str| {
        let settings = shown["settings"].as_array().expect("settings");
        let found = settings.iter().find(|setting| setting["name"] == name);
        (found.expect("a setting")["value"].clone(), found.expect("a setting")["source"].clone())
    };
    assert_eq!(value("http.body_bytes_max"), (json!(2000), json!("vomeet.toml")));
    assert_ne!(value("store.queue_max").0, 99, "it needs a restart");
    server.terminate();
}

#[test]
fn the_certificate_may_be_in_other_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = ["one", "two"].map(|name| {
        fs::create_dir(folder.path().join(name)).expect("a folder");
        Pair::new(&folder.path().join(name))
    });
    let toml =
        |name: &str| format!("[tls]\ncert = \"{name}/cert.pem\"\nkey = \"{name}/key.pem\"\n");
    let mut server = serve(folder.path(), &toml("one"));
    let line = reload(&mut server, &toml("missing"), folder.path());
    assert!(line.contains("nothing has changed") && line.contains("check tls.cert"), "{line}");
    let trusts = |server: &Client, pair: &Pair| {
        let stream = std::net::TcpStream::connect(server.address).expect("a connection");
        secure(stream, &Arc::new(pair.trusted())).is_ok()
    };
    assert!(trusts(&server, &one) && !trusts(&server, &two));
    let line = reload(&mut server, &toml("two"), folder.path());
    assert!(line.ends_with("changed: tls.cert, tls.key"), "{line}");
    assert!(trusts(&server, &two) && !trusts(&server, &one));
    // Without TLS at all it would be another server.
    reload(&mut server, "log = \"info\"\n", folder.path());
    let line = server.stderr.next_line().expect("a line");
    assert!(line.trim_end().ends_with("after a restart: tls.cert, tls.key"), "{line}");
    let mut line = Line::secure(server.address, &Arc::new(two.trusted())).expect("a handshake");
    assert_eq!(server.get("/healthz").over(&mut line).expect("an answer").status, 200);
    server.terminate();
}

#[test]
fn the_command_reaches_the_server_of_its_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), &format!("admin_api_token = \"{FIRST}\"\n"));
    write(folder.path(), &format!("admin_api_token = \"{SECOND}\"\n"));
    let ended = Launch::new(folder.path(), &["reload"]).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let line = server.stderr.find("the settings were read again").expect("a line");
    assert!(line.trim_end().ends_with("changed: admin_api_token"), "{line}");
    server.terminate();
    let ended = Launch::new(folder.path(), &["reload"]).run();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
}
