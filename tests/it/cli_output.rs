//! Answers of commands that cannot be written: an exit code, and no secret that nobody has.

use crate::cli::done;
use crate::process::{Ended, Launch};
use serde_json::Value;
use std::path::Path;

/// Standard output cannot be written.
const OUTPUT_LOST: i32 = 16;

/// Runs a command whose answer goes to a disk that is full.
fn into_full(folder: &Path, arguments: &[&str]) -> Ended {
    Launch::new(folder, arguments).output_to("/dev/full").run()
}

fn list(folder: &Path, arguments: &[&str]) -> Value {
    let text = done(folder, &[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    done(folder, &["user", "add", "ada@example.com"]);
    done(folder, &["token", "create", "1"]);
    let server = Launch::serve(folder).start();
    for arguments in [
        &["user", "list"][..],
        &["user", "list", "--output", "json"],
        &["user", "show", "1"],
        &["user", "add", "bob@example.com"],
        &["token", "list"],
        &["meetings", "list"],
        &["usage"],
        &["usage", "--csv"],
        &["audit", "list"],
        &["audit", "verify"],
        &["audit", "export"],
        &["admin-key", "list"],
        &["config", "show"],
        &["config", "check"],
        &["status"],
        &["man"],
        &["completions", "bash"],
        &["token", "hash", "--new"],
        &["scan", "--output", "json", "vomeet.db.lock"],
    ] {
        let ended = into_full(folder, arguments);
        assert_eq!(ended.status.code(), Some(OUTPUT_LOST), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("cannot be written"), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{arguments:?}: {ended:?}");
    }
    server.terminate();
}

#[test]
fn a_secret_that_cannot_be_shown_is_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    done(folder, &["user", "add", "ada@example.com"]);
    done(folder, &["admin-key", "create", "old"]);
    for with_server in [false, true] {
        let server = with_server.then(|| Launch::serve(folder).start());
        for arguments in [
            &["token", "create", "ada@example.com"][..],
            &["token", "create", "1", "--output", "json"],
            &["admin-key", "create", "ops"],
        ] {
            let ended = into_full(folder, arguments);
            assert_eq!(ended.status.code(), Some(OUTPUT_LOST), "{arguments:?}: {ended:?}");
            assert!(
                ended.stderr.contains("could not be shown and is revoked"),
                "{arguments:?}: {ended:?}"
            );
        }
        done(folder, &["token", "create", "1", "--name", "kept"]);
        let ended = into_full(folder, &["token", "rotate", "kept", "--grace", "1h"]);
        assert_eq!(ended.status.code(), Some(OUTPUT_LOST), "{ended:?}");
        let tokens = list(folder, &["token", "list"]);
        let tokens = tokens.as_array().expect("a list");
        assert_eq!(tokens.len(), 1, "{tokens:?}");
        done(folder, &["token", "revoke", &tokens[0]["id"].to_string(), "--yes"]);
        let keys = list(folder, &["admin-key", "list"]);
        assert_eq!(keys.as_array().map(Vec::len), Some(1), "{keys}");
        if let Some(server) = server {
            server.terminate();
        }
    }
}

/// Whoever loses the answer of a rotation rotates again: the name stays, and no key is needed.
#[test]
fn a_rotated_admin_key_that_cannot_be_shown_is_rotated_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let old = done(folder, &["admin-key", "create", "ada"]);
    let server = Launch::serve(folder).start();
    let is_accepted = |secret: &str| {
        let call = server.get("/admin/keys").header("X-Admin-API-Key", secret.trim());
        call.send().status == 200
    };
    let lose = |arguments: &[&str], what_of_the_old: &str| {
        let ended = into_full(folder, arguments);
        assert_eq!(ended.status.code(), Some(OUTPUT_LOST), "{arguments:?}: {ended:?}");
        for said in [what_of_the_old, "rotate the key again, which needs no key"] {
            assert!(ended.stderr.contains(said), "{arguments:?}: {ended:?}");
        }
        assert_eq!(list(folder, &["admin-key", "list"])[0]["name"], "ada", "{arguments:?}");
    };
    // The key may be known to somebody, so it is refused at once.
    lose(&["admin-key", "rotate", "ada"], "the old one is refused from now on");
    assert!(!is_accepted(&old), "the old key is accepted");
    let refused = "the old one is refused from now on";
    lose(&["admin-key", "rotate", "ada", "--output", "json"], refused);
    let new = done(folder, &["admin-key", "rotate", "ada"]);
    assert!(is_accepted(&new), "{new}");
    // A grace is for the last key alone.
    lose(&["admin-key", "rotate", "ada", "--grace", "1h"], "the last one works until");
    assert!(is_accepted(&new), "the key is refused in its grace");
    let ended = Launch::new(folder, &["admin-key", "rotate", "ada", "--grace", "1h"]).run();
    let newest = &ended.stdout;
    assert!(ended.stderr.contains("older ones are refused from now on"), "{ended:?}");
    assert!(is_accepted(newest) && !is_accepted(&new), "{ended:?}");
    server.terminate();
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    done(folder.path(), &["user", "add", "ada@example.com"]);
    let line = format!("{} audit export | true; {0} man | head -n 1", crate::process::BINARY);
    let output = std::process::Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {line}")])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn notes_that_cannot_be_written_stop_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Launch::new(folder.path(), &["user", "add", "ada@example.com"])
        .errors_to("/dev/full")
        .run();
    assert!(ended.status.success() && ended.stdout.contains("ada@example.com"), "{ended:?}");
}
