//! `vomeet demo`: what it shows, that it reads and leaves nothing on the machine, and what a kill
//! leaves.

use crate::cli::refused;
use crate::client::{Client, wait_for};
use crate::process::{Launch, Process};
use crate::watcher::Watcher;
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A demo on any free port, whose scratch folder is made in `temporary`.
fn demo(folder: &Path, temporary: &Path) -> Launch {
    demo_with(folder, temporary, &[])
}

/// The same with further arguments.
pub fn demo_with(folder: &Path, temporary: &Path, arguments: &[&str]) -> Launch {
    let arguments = [&["demo", "--no-open", "--port", "0"], arguments].concat();
    Launch::new(folder, &arguments).env("TMPDIR", temporary)
}

/// Waits until it has said everything.
pub fn started(launch: Launch) -> Process {
    let mut process = launch.launch();
    assert!(process.wait_until_listening(), "{:?}", process.end());
    process.stdout.find("vomeet init").expect("the next step");
    process
}

/// The scratch folder.
fn scratch(temporary: &Path) -> PathBuf {
    let mut found = fs::read_dir(temporary).expect("a folder");
    found.next().expect("a scratch folder").expect("an entry").path()
}

pub fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").next().is_none()
}

/// The token, and the paths of the lines that begin with `curl`.
pub fn printed(process: &Process) -> (String, Vec<String>) {
    let text = &process.stdout.text;
    let mut token = String::new();
    let mut paths = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("curl -H 'X-API-Key: ") else { continue };
        let (key, rest) = rest.split_once("' 'http://localhost:").expect("an address");
        let (port, path) = rest.trim_end_matches('\'').split_once('/').expect("a path");
        assert_eq!(port, process.address.port().to_string());
        key.clone_into(&mut token);
        paths.push(format!("/{path}"));
    }
    (token, paths)
}

#[test]
fn its_meeting_grows_and_it_leaves_nothing() {
    let (home, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let installed = [("vomeet.toml", "nonsense = 1\n"), (".env", "no line\n"), ("vomeet.db", "x")];
    for (name, text) in installed {
        fs::write(home.path().join(name), text).expect("written");
    }
    let launch = demo(home.path(), temporary.path()).env("VOMEET_NO_SUCH_SETTING", "1");
    let process = started(launch.env("VOMEET_CONSOLE", "false"));
    let (token, paths) = printed(&process);
    assert_eq!(paths.len(), 3, "{}", process.stdout.text);
    let get = |path: &str| process.get(path).header("X-API-Key", &token).send();
    for path in &paths {
        assert_eq!(get(path).status, 200, "{path}");
    }
    assert_eq!(process.get("/console/").send().status, 200);
    assert_eq!(get("/user").expect(200)["email"], json!("demo@example.com"));
    let mut watcher = Watcher::open(&process, &token);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);
    let mut speakers = BTreeSet::new();
    while speakers.len() < 2 {
        let event = watcher.json();
        for segment in event["payload"]["segments"].as_array().into_iter().flatten() {
            speakers.insert(segment["speaker"].as_str().expect("a speaker").to_owned());
        }
    }
    let transcript = get(&paths[1]).text().to_owned();
    assert!(speakers.iter().all(|speaker| transcript.contains(speaker)), "{transcript}");
    drop(watcher);
    let shown = scratch(temporary.path());
    assert_eq!(fs::metadata(&shown).expect("a folder").mode() & 0o777, 0o700);
    let folder = shown.display().to_string();
    assert!(process.stdout.text.contains(&folder), "{folder}");

    let ended = process.terminate();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    assert!(is_empty(temporary.path()), "the folder stays");
    for (name, text) in installed {
        assert_eq!(fs::read_to_string(home.path().join(name)).expect(name), text);
    }
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), installed.len());
}

#[test]
fn each_way_to_stop_it_removes_the_folder() {
    for signal in [Signal::INT, Signal::HUP] {
        let temporary = tempfile::tempdir().unwrap();
        let process = started(demo(temporary.path(), temporary.path()));
        process.signal(signal);
        assert_eq!(process.end().status.code(), Some(0), "{signal:?}");
        assert!(is_empty(temporary.path()), "{signal:?}: the folder stays");
    }
    // A second Ctrl-C, while a request that was not sent whole holds the stop up.
    let temporary = tempfile::tempdir().unwrap();
    let process = started(demo(temporary.path(), temporary.path()));
    let mut slow = TcpStream::connect(process.address).expect("a connection");
    let head = "POST /tickets HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\nX-API-Key: ";
    let (token, _) = printed(&process);
    write!(slow, "{head}{token}\r\n\r\n{{").expect("sent");
    let mut continued = [0; 12];
    slow.read_exact(&mut continued).expect("100 Continue");
    process.signal(Signal::INT);
    wait_for(|| TcpStream::connect(process.address).err());
    process.signal(Signal::INT);
    assert_eq!(process.end().status.code(), Some(130));
    assert!(is_empty(temporary.path()), "the folder stays");
}

#[test]
fn it_goes_on_where_its_next_meeting_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let mut process = started(demo(temporary.path(), temporary.path()));
    let (_, key) = process.stdout.text.split_once("Admin key  ").expect("an admin key");
    let key = key.lines().next().expect("a key").to_owned();
    let client: Client = *process;
    let admin =
        |method: &str, path: &str| client.call(method, path).header("X-Admin-API-Key", &key);
    let limit = |bots: u32| {
        let limit = json!({ "max_concurrent_bots": bots });
        admin("PATCH", "/admin/users/1").json(&limit).send().expect(200);
    };
    let (token, _) = printed(&process);
    limit(0);
    let stopped = client.delete("/bots/google_meet/abc-defg-hij").header("X-API-Key", &token);
    stopped.send().expect(202);
    // As the administrator: whoever looks often with a token is told to wait.
    let meetings = || {
        let overview = admin("GET", "/admin/meetings/search").send().expect(200);
        overview["meetings"].as_array().map(Vec::len)
    };
    assert!(process.stderr.find("no further meeting begins now").is_some());
    assert_eq!(meetings(), Some(1));
    limit(2);
    wait_for(|| (meetings() == Some(2)).then_some(()));
    process.terminate();
}

#[test]
fn a_kill_leaves_a_folder_that_says_what_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let process = started(demo(temporary.path(), temporary.path()));
    process.kill();
    let left = scratch(temporary.path());
    let about = fs::read_to_string(left.join("README.txt")).expect("a file that says it");
    assert!(about.contains("`vomeet demo`") && about.contains("remove the folder"), "{about}");
}

#[test]
fn the_console_opens_by_a_link_in_a_file() {
    let temporary = tempfile::tempdir().unwrap();
    let tools = tempfile::tempdir().unwrap();
    let browser = tools.path().join("browser");
    let script = "#!/bin/sh\nprintf '%s' \"$*\" > told.part\nmv told.part told\n";
    fs::write(&browser, script).expect("written");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).expect("a program");
    let launch = Launch::new(tools.path(), &["demo", "--port", "0"]);
    let launch = launch.env("TMPDIR", temporary.path()).env("BROWSER", &browser);
    let process = started(launch.env("XDG_RUNTIME_DIR", tools.path()));
    let path = wait_for(|| fs::read_to_string(tools.path().join("told")).ok());
    assert!(Path::new(&path).starts_with(scratch(temporary.path())), "{path}");
    assert_eq!(fs::metadata(&path).expect("the page").mode() & 0o777, 0o600);
    let page = fs::read_to_string(&path).expect("the page");
    let address = format!("http://localhost:{}/console/#open=", process.address.port());
    let (_, rest) = page.split_once(&address).expect("the link");
    let answer = process.post("/console/sessions").json(&json!({ "link": &rest[..40] })).send();
    let session = answer.expect(201)["session"].as_str().expect("a session").to_owned();
    let users = process.get("/admin/users").header("X-Admin-API-Key", &session).send();
    assert_eq!(users.expect(200).as_array().map(Vec::len), Some(1));
    process.terminate();
    assert!(is_empty(temporary.path()), "the folder stays");
}

#[test]
fn a_port_that_is_taken_is_another_one_or_an_error() {
    // Whoever has the usual port, this test or another program: the demo cannot.
    let usual = TcpListener::bind("127.0.0.1:18056");
    let temporary = tempfile::tempdir().unwrap();
    let launch = Launch::new(temporary.path(), &["demo", "--no-open"]);
    let process = started(launch.env("TMPDIR", temporary.path()));
    assert_ne!(process.address.port(), 18056);
    drop(usual);
    let port = process.address.port().to_string();
    let (code, said) = refused(temporary.path(), &["demo", "--no-open", "--port", &port]);
    assert!(code == 12 && said.contains("--port"), "{code}: {said}");
    assert!(said.contains(&port), "{said}");
    process.terminate();
    assert!(is_empty(temporary.path()), "the folder stays");

    let launch = demo(temporary.path(), &temporary.path().join("nowhere"));
    let ended = launch.run();
    assert_eq!(ended.status.code(), Some(15), "{ended:?}");
    assert!(ended.stderr.lines().count() == 1 && ended.stderr.contains("TMPDIR"), "{ended:?}");
}

/// It would serve whoever reaches the machine otherwise.
#[test]
fn it_listens_on_this_machine_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let process = started(demo(temporary.path(), temporary.path()));
    let (_, key) = process.stdout.text.split_once("Admin key  ").expect("an admin key");
    let key = key.lines().next().expect("a key").to_owned();
    let client: &Client = &process;
    let health = client.get("/healthz").header("X-Admin-API-Key", &key).send().expect(200);
    let address = health["server"]["address"].as_str().expect("an address").to_owned();
    assert_eq!(address, format!("127.0.0.1:{}", process.address.port()));
}
