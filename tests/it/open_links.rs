//! `vomeet open`: a link by the admin socket, which a browser of this machine redeems once, for a
//! session that is accepted as an admin key is, from this machine alone, until the server ends.

use crate::cli::{done, refused};
use crate::client::{Client, wait_for};
use crate::process::Launch;
use crate::server::Setup;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

const REFUSED: &str = "This link was used already, has ended, or is of another machine. `vomeet \
                       open` makes another.";

/// The secret of a new link to the server whose database is in this folder.
pub fn link(folder: &Path) -> String {
    let printed = done(folder, &["open", "--print"]);
    let (_, secret) = printed.trim_end().split_once("#open=").expect("a link");
    secret.to_owned()
}

pub fn redeem(server: &Client, link: &str) -> String {
    let body = json!({ "link": link });
    let made = server.post("/console/sessions").json(&body).send().expect(201);
    made["session"].as_str().expect("a session").to_owned()
}

/// The status of a request that only administrators may make, with this key and this header more.
fn status(server: &Client, key: &str, header: (&str, &str)) -> u16 {
    let call = server.get("/admin/users").header("X-Admin-API-Key", key);
    call.header(header.0, header.1).send().status
}

const NO_HEADER: (&str, &str) = ("X-Nothing", "x");

#[test]
fn a_link_begins_one_session_that_ends_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let server = Launch::serve(folder).start();
    let printed = done(folder, &["open", "--print"]);
    let address = format!("http://localhost:{}/console/#open=", server.address.port());
    let link = printed.trim_end().strip_prefix(&address).expect("the console's address");
    assert_eq!(link.len(), 40, "{printed}");
    assert_eq!(status(&server, link, NO_HEADER), 403, "the link is a key");
    let session = redeem(&server, link);
    let again = server.post("/console/sessions").json(&json!({ "link": link })).send();
    assert_eq!(again.refusal(), (404, REFUSED.to_owned()));
    assert_eq!(status(&server, &session, NO_HEADER), 200);
    assert_eq!(server.get("/user").header("X-API-Key", &session).send().status, 403);

    // What it does is written down as done by the user of this machine.
    let body = json!({ "email": "ada@example.com" });
    let call = server.post("/admin/users").header("X-Admin-API-Key", &session).json(&body);
    call.send().expect(201);
    let audit = server.get("/admin/audit").admin().send().expect(200);
    let entry = &audit["entries"][0];
    let actor = entry["actor"].as_str().expect("an actor");
    assert!(actor.starts_with("local:"), "{entry}");

    server.terminate();
    let server = Launch::serve(folder).start();
    assert_eq!(status(&server, &session, NO_HEADER), 403, "it outlived the server");
}

#[test]
fn neither_is_of_use_through_a_proxy_or_by_another_name() {
    let setup = Setup::new().set("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com");
    let server = setup.set("ADMIN_API_TOKEN", "2vK9sQx7LmWd4RtYb8ZcFhJn").start();
    let link = link(server.folder());
    let body = json!({ "link": link });
    let forwarded = ("X-Forwarded-For", "192.0.2.1");
    let call = server.post("/console/sessions").header(forwarded.0, forwarded.1);
    assert_eq!(call.json(&body).send().refusal(), (404, REFUSED.to_owned()));
    let head = "POST /console/sessions HTTP/1.1\r\nHost: vomeet.example.com\r\n";
    let text = body.to_string();
    let request = format!(
        "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    assert_eq!(server.raw(request).expect("an answer").status, 404, "by another name");

    // Those who were refused have not used it up.
    let session = redeem(&server, &link);
    assert_eq!(status(&server, &session, NO_HEADER), 200);
    assert_eq!(status(&server, &session, forwarded), 403, "through a proxy");
    let head = format!("X-Admin-API-Key: {session}\r\nHost: vomeet.example.com\r\n\r\n");
    let answer = server.raw(format!("GET /admin/users HTTP/1.1\r\n{head}"));
    assert_eq!(answer.expect("an answer").status, 403, "by another name");
}

#[test]
fn over_the_network_nobody_makes_a_link() {
    let server = Setup::new().start();
    let not_found = (404, "Not Found".to_owned());
    assert_eq!(server.post("/admin/open-links").admin().send().refusal(), not_found);
    let session = redeem(&server, &link(server.folder()));
    let call = server.post("/admin/open-links").header("X-Admin-API-Key", &session);
    assert_eq!(call.send().refusal(), not_found, "a session makes its own successor");
}

#[test]
fn without_a_server_or_a_console_there_is_nothing_to_open() {
    let folder = tempfile::tempdir().expect("a folder");
    done(folder.path(), &["user", "add", "ada@example.com"]);
    let (code, said) = refused(folder.path(), &["open", "--print"]);
    assert!(code == 3 && said.contains("start it with `vomeet`"), "{said}");
    fs::write(folder.path().join("vomeet.toml"), "console = false\n").expect("written");
    let _server = Launch::serve(folder.path()).start();
    let (code, said) = refused(folder.path(), &["open", "--print"]);
    assert!(code == 6 && said.contains("switched off"), "{said}");
}

#[test]
fn the_browser_gets_the_link_in_a_file_and_not_as_an_argument() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let server = Launch::serve(folder).start();
    let browser = folder.join("browser");
    let script = "#!/bin/sh\nprintf '%s' \"$*\" > told.part\nmv told.part told\n";
    fs::write(&browser, script).expect("written");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).expect("a program");
    for _ in 0..2 {
        let launch = Launch::new(folder, &["open"]).env("BROWSER", &browser);
        let ended = launch.env("XDG_RUNTIME_DIR", folder).run();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
        let told = folder.join("told");
        let path = wait_for(|| fs::read_to_string(&told).ok());
        fs::remove_file(&told).expect("removed");
        assert_eq!(fs::metadata(&path).expect("the page").mode() & 0o777, 0o600);
        let page = fs::read_to_string(&path).expect("the page");
        let (_, rest) = page.split_once("#open=").expect("a link");
        let link = &rest[..40];
        assert!(!path.contains(link) && !ended.stderr.contains(link), "{path}: {ended:?}");
        redeem(&server, link);
    }
    // Where there is no screen, it is printed.
    let ended = Launch::new(folder, &["open"]).run();
    assert!(ended.stdout.contains("/console/#open="), "{ended:?}");
    assert!(ended.stderr.contains("there is no browser here"), "{ended:?}");
}
