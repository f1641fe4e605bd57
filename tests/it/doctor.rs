//! `vomeet health` and `vomeet doctor`: with a server and without, healthy and with many faults.

use crate::process::{Ended, Launch};
use crate::server::open_file;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

fn doctor(folder: &Path, arguments: &[&str]) -> Launch {
    let key = "3f9d0b52c1a84e6f9a7b8c2d";
    Launch::new(folder, &["doctor"]).args(arguments).env("ADMIN_API_TOKEN", key)
}

/// The codes that it prints as JSON.
fn codes(ended: &Ended) -> Vec<String> {
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let mut codes = Vec::new();
    for finding in report["findings"].as_array().expect("findings") {
        for member in ["message", "advice"] {
            assert!(finding[member].as_str().is_some_and(|text| text.ends_with('.')), "{finding}");
        }
        codes.push(finding["code"].as_str().expect("a code").to_owned());
    }
    codes
}

#[test]
fn a_healthy_server_and_its_resting_file_have_no_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let server = Launch::serve(folder).start();
    let ended = doctor(folder, &["--deep"]).run();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stdout.contains("(a server runs on it)\nEverything is well.\n"), "{ended:?}");
    server.terminate();
    let database = folder.join("vomeet.db");
    let before = fs::read(&database).expect("a file");
    for arguments in [&["--deep", "--json"][..], &["--output", "json"]] {
        let ended = doctor(folder, arguments).run();
        assert!(ended.status.success() && codes(&ended).is_empty(), "{ended:?}");
        let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(report["is_served"], false);
        assert!(report["database"].as_str().is_some_and(|path| path.ends_with("vomeet.db")));
    }
    assert!(fs::read(&database).expect("a file") == before, "the file was written to");
}

#[test]
fn each_of_seven_faults_is_found_and_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let database = folder.join("vomeet.db");
    open_file(&database, |file| {
        file.execute("INSERT INTO clock (id, latest) VALUES (1, 4102444800000)", [])
            .expect("a time");
        let insert = "INSERT INTO audit (at, actor, action, subject, details_hash, hash)
             VALUES (0, 'x', 'user.create', 'user', zeroblob(32), zeroblob(32))";
        file.execute(insert, []).expect("an entry");
    });
    let server = Launch::serve(folder)
        .env("VOMEET_HEALTH_DISK_FREE_MIB_MIN", "1000000000")
        .env("VOMEET_BOTS_RUNNER", "process")
        .env("VOMEET_BOTS_PROCESS_COMMAND", "no-such-program")
        .start();
    fs::remove_file(folder.join("vomeet.db.lock")).expect("removed");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).expect("a mode");
    let weak = doctor(folder, &["--json"])
        .env("ADMIN_API_TOKEN", "token")
        .env("VOMEET_LISTEN", "0.0.0.0:18056")
        .env("VOMEET_HTTP_WORKERS", "many");
    let ended = weak.run();
    assert_eq!(ended.status.code(), Some(35), "{ended:?}");
    let found = codes(&ended);
    for code in ["settings_wrong", "disk_low", "lock_lost"] {
        assert!(found.contains(&code.to_owned()), "{code}: {found:?}");
    }
    assert!(!found.contains(&"admin_key_weak".to_owned()), "the server's key is not that one");
    let wrong = doctor(folder, &["--json"]).env("VOMEET_DATABASE", "").run();
    assert_eq!(codes(&wrong), ["settings_wrong"], "which database is meant, nobody knows");

    let weak = doctor(folder, &["--json", "--deep"])
        .env("ADMIN_API_TOKEN", "token")
        .env("VOMEET_LISTEN", "0.0.0.0:18056")
        .env("VOMEET_BOTS_RUNNER", "docker");
    let ended = weak.run();
    assert_eq!(ended.status.code(), Some(35), "{ended:?}");
    for code in [
        "settings_wrong",
        "file_open_to_others",
        "disk_low",
        "lock_lost",
        "clock_behind",
        "runner_unreachable",
        "audit_log_changed",
    ] {
        assert!(codes(&ended).contains(&code.to_owned()), "{code}: {}", ended.stdout);
    }
    let text = doctor(folder, &[]).run();
    assert_eq!(text.status.code(), Some(35));
    for wanted in ["WARNING    disk_low\n", "  Free some space", "WARNING    clock_behind\n"] {
        assert!(text.stdout.contains(wanted), "{wanted}: {}", text.stdout);
    }
    assert!(text.stderr.contains("things should be seen to."), "{}", text.stderr);
    server.terminate();
}

#[test]
fn a_file_that_cannot_be_opened_is_a_finding_and_stays_as_it_was() {
    for (bytes, code) in [
        (Some(&b"no database at all, but a text of more than a hundred bytes: ........................................."[..]), "database_foreign"),
        (None, "no_database"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("vomeet.db");
        if let Some(bytes) = bytes {
            fs::write(&database, bytes).expect("written");
            fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        let ended = doctor(folder.path(), &["--json"]).run();
        assert_eq!((ended.status.code(), codes(&ended)), (Some(35), vec![code.to_owned()]));
        assert_eq!(fs::read(&database).ok().as_deref(), bytes);
    }
}

#[test]
fn a_weak_key_is_found_where_no_server_has_another() {
    let folder = tempfile::tempdir().expect("a folder");
    open_file(&folder.path().join("vomeet.db"), |_| {});
    let weak = |listen: &str| {
        let launch = doctor(folder.path(), &["--json"]).env("ADMIN_API_TOKEN", "token");
        let ended = launch.env("VOMEET_LISTEN", listen).run();
        (ended.status.code(), codes(&ended))
    };
    let found = vec!["admin_key_weak".to_owned()];
    assert_eq!(weak("0.0.0.0:18056"), (Some(35), found.clone()));
    assert_eq!(weak("127.0.0.1:18056"), (Some(0), found), "a note");
}

#[test]
fn an_older_file_is_not_upgraded_by_looking_at_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("vomeet.db");
    open_file(&database, |file| file.pragma_update(None, "user_version", 5).expect("a version"));
    let before = fs::read(&database).expect("a file");
    let ended = doctor(folder.path(), &["--json"]).run();
    assert!(ended.status.success(), "a note is no fault: {ended:?}");
    assert_eq!(codes(&ended), ["file_older"]);
    assert!(fs::read(&database).expect("a file") == before, "the file was changed");
}

#[test]
fn a_damaged_file_is_found_by_a_deep_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("vomeet.db");
    open_file(&database, |file| {
        for n in 0..2000 {
            let insert =
                "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at)
                 VALUES (?1, ?1, 1, '{}', 0)";
            file.execute(insert, [format!("{n}@example.com")]).expect("a user");
        }
    });
    let mut bytes = fs::read(&database).expect("a file");
    let name = b"1500@example.com";
    let at = bytes.windows(name.len()).position(|part| part == name).expect("a user");
    // The cell pointers of its page: they lead nowhere now.
    let page = at / 4096 * 4096;
    bytes[page + 8..page + 64].fill(0xff);
    fs::write(&database, bytes).expect("written");
    let ended = doctor(folder.path(), &["--deep", "--json"]).run();
    assert_eq!(ended.status.code(), Some(35), "{ended:?}");
    assert_eq!(codes(&ended), ["file_damaged"], "{ended:?}");
}

#[test]
fn health_is_one_line_and_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let health = |arguments: &[&str]| Launch::new(folder, &["health"]).args(arguments).run();
    let ended = health(&[]);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    let server = Launch::serve(folder).env("VOMEET_HTTP_DRAIN_SECONDS", "600").start();
    for arguments in [&[][..], &["--ready"]] {
        let ended = health(arguments);
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "ok\n"), "{ended:?}");
    }
    server.signal(Signal::TERM);
    crate::client::wait_for(|| (server.get("/ready").send().status == 503).then_some(()));
    let ended = health(&["--ready"]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stderr, "vomeet: unavailable: draining\n");
    assert_eq!(health(&[]).status.code(), Some(0), "it works until it ends");
    server.kill();
}

/// Something at the socket of the database that answers as a server would: the head of a request
/// leads to a status line and a body.
fn answer_at_socket(
    folder: &Path,
    answer: impl Fn(&str) -> (&'static str, String) + Send + 'static,
) {
    let listener = UnixListener::bind(folder.join("vomeet.db.sock")).expect("a socket");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            while let Ok(count) = stream.read(&mut bytes) {
                let head = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if head.is_empty() {
                    break;
                }
                let (status, body) = answer(&head);
                let length = body.len();
                let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
                if stream.write_all(text.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
}

#[test]
fn a_check_of_all_bytes_that_cannot_be_made_hides_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    answer_at_socket(folder.path(), |head| {
        if head.contains("check_file=true") {
            return ("409 Conflict", json!({"detail": "It is being checked."}).to_string());
        }
        let finding =
            json!({"code": "disk_low", "severity": "warning", "message": "A.", "advice": "B."});
        let health = json!({"version": env!("CARGO_PKG_VERSION"), "findings": [finding]});
        ("200 OK", health.to_string())
    });
    let ended = doctor(folder.path(), &["--deep", "--json"]).run();
    assert_eq!(codes(&ended), ["disk_low", "check_not_done"], "{ended:?}");
}

#[test]
fn a_server_that_is_not_well_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    answer_at_socket(folder.path(), |_| {
        let health = json!({"status": "unavailable", "reasons": ["writes_hang"]});
        ("503 Service Unavailable", health.to_string())
    });
    let ended = Launch::new(folder.path(), &["status"]).run();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(ended.stderr.contains("runs, and is not well: writes_hang."), "{ended:?}");
}
