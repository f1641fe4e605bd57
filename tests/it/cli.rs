//! The commands, with a running server and without one: the same words, the same answers, the same
//! file afterwards.

use crate::client::Client;
use crate::process::{Ended, Launch, Process};
use crate::server::open_file;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs a command to its end, in a folder whose database is `vomeet.db`.
pub fn vomeet(folder: &Path, arguments: &[&str]) -> Ended {
    Launch::new(folder, arguments).run()
}

/// What a command prints, which must succeed.
pub fn done(folder: &Path, arguments: &[&str]) -> String {
    let ended = vomeet(folder, arguments);
    assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {ended:?}");
    ended.stdout
}

/// The exit code and the sentence of a command that must fail.
pub fn refused(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let ended = vomeet(folder, arguments);
    assert!(!ended.status.success(), "{arguments:?}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
    (
        ended.status.code().expect("an exit code"),
        ended.stderr.trim_start_matches("vomeet: ").trim_end().to_owned(),
    )
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let text = done(folder, &[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// Times, secrets and the beginnings of secrets differ each time, times in length too: they are put
/// out of sight, and columns are two spaces apart.
fn redacted(text: &str, secrets: &[String]) -> String {
    let redact = |word: &str| match word {
        _ if secrets.iter().any(|secret| secret == word) => "(a secret)".to_owned(),
        _ if secrets.iter().any(|secret| &secret[..4] == word.trim_start_matches('(')) => {
            word.replace(|c| c != '(', "?")
        }
        _ if word.starts_with("20") && word.contains('T') && word.ends_with('Z') => {
            "(a time)".to_owned()
        }
        word => word.to_owned(),
    };
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end();
        redact(bare) + &word[bare.len()..]
    });
    let mut text: String = words.collect();
    while text.contains("   ") {
        text = text.replace("   ", "  ");
    }
    text
}

/// Everything that is done with users and tokens, and what is printed.
fn a_day(folder: &Path) -> String {
    let (mut said, mut secrets) = (String::new(), Vec::new());
    for arguments in [
        &["user", "add", "ada@example.com", "--name", "Ada", "--max-bots", "2"][..],
        &["user", "add", "grace@example.com", "--data", r#"{"team":"compilers"}"#],
        &["user", "add", "会議@example.com", "--name", "会議室"],
        &["user", "list"],
        &["user", "list", "ADA"],
        &["user", "list", "--limit", "1", "--after", "1"],
        &[
            "user",
            "set",
            "grace@example.com",
            "--name",
            "Grace",
            "--max-bots",
            "3",
            "--image-url",
            "https://example.com/g.png",
        ],
        &["user", "set", "grace", "--image-url", ""],
        &["token", "create", "ada", "--name", "laptop", "--expires-in", "90d"],
        &["token", "create", "1"],
        &["user", "show", "ADA@example.com"],
        &["token", "revoke", "laptop", "--user", "ada", "--yes"],
        &["user", "remove", "grace", "-y"],
        &["user", "list"],
        &["meetings", "list"],
    ] {
        let ended = vomeet(folder, arguments);
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {ended:?}");
        let notes = ended.stderr.lines().filter(|line| !line.contains("; creating /"));
        let notes: Vec<String> = notes.map(|line| format!("! {line}\n")).collect();
        if arguments[..2] == ["token", "create"] {
            secrets.push(ended.stdout.trim().to_owned());
        }
        said.extend([
            "$ vomeet ",
            &arguments.join(" "),
            "\n",
            &ended.stdout,
            &notes.concat(),
            "\n",
        ]);
    }
    redacted(&said, &secrets)
}

/// A folder with its server, or without one.
fn with_and_without(test: impl Fn(&Path, Option<&Process>)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(folder.path(), None);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).start();
    test(folder.path(), Some(&server));
    server.terminate();
}

#[test]
fn a_day_of_an_administrator() {
    with_and_without(|folder, server| {
        insta::assert_snapshot!("a_day", a_day(folder));
        assert_eq!(
            fs::exists(folder.join("vomeet.db-wal")).expect("a folder"),
            server.is_some(),
            "the log"
        );
    });
}

#[test]
fn for_scripts_there_is_what_the_api_answers() {
    with_and_without(|folder, server| {
        let made = json(folder, &["user", "add", "ada@example.com", "--name", "Ada"]);
        assert_eq!(
            (&made["id"], &made["name"], &made["max_concurrent_bots"]),
            (&1.into(), &"Ada".into(), &0.into())
        );
        assert_eq!(json(folder, &["user", "add", "ADA@example.com"]), made, "the same address");
        let token = json(folder, &["token", "create", "ada", "--name", "x"]);
        assert_eq!(token["token"].as_str().map(str::len), Some(40), "{token}");
        assert_eq!(json(folder, &["meetings", "list"]), serde_json::json!([]));
        assert_eq!(done(folder, &["token", "revoke", "1", "--yes", "--output", "json"]), "");
        let Some(server) = server else { return };
        for (arguments, path) in [
            (&["user", "show", "1"][..], "/admin/users/1"),
            (&["user", "list"], "/admin/users?limit=100"),
        ] {
            let body = server.get(path).admin().send();
            assert_eq!(
                done(folder, &[arguments, &["--output", "json"]].concat()),
                format!("{}\n", body.text())
            );
        }
    });
}

#[test]
fn a_script_can_take_a_new_token_and_use_it() {
    let folder = tempfile::tempdir().expect("a folder");
    done(folder.path(), &["user", "add", "ada@example.com"]);
    let before = done(folder.path(), &["token", "create", "1"]);
    let server = Launch::serve(folder.path()).start();
    let ended = vomeet(folder.path(), &["token", "create", "ada@example.com", "--name", "script"]);
    assert!(
        ended.stderr.contains("shown this once") && ended.stderr.contains("ada@example.com"),
        "{ended:?}"
    );
    for token in [before, ended.stdout] {
        let token = token.strip_suffix('\n').expect("a line").to_owned();
        assert!(token.len() == 40 && !ended.stderr.contains(&token), "{token}");
        server.whoami(&token).expect(200);
    }
}

#[test]
fn what_is_not_there_yet_is_created_or_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.db").display().to_string();
    for arguments in [
        &["user", "list"][..],
        &["user", "remove", "1", "--yes"],
        &["token", "show", "1"],
        &["audit", "verify"],
    ] {
        let (code, said) = refused(folder.path(), &[arguments, &["--database", &file]].concat());
        assert!(code == 3 && said.contains(&file), "{code} {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "looking made a file");
    let ended = vomeet(folder.path(), &["user", "add", "ada@example.com", "--database", &file]);
    assert!(
        ended.status.success() && ended.stderr.contains(&format!("creating {file}")),
        "{ended:?}"
    );
    assert_eq!(vomeet(folder.path(), &["user", "list", "--database", &file]).stderr, "");
    let nowhere = folder.path().join("nowhere/vomeet.db").display().to_string();
    assert_eq!(
        vomeet(folder.path(), &["user", "add", "a@b.example", "--database", &nowhere])
            .status
            .code(),
        Some(15)
    );
}

/// Asks with a token until it is refused; every request that begins after `revoked` must be.
fn hammer(client: &Client, token: &str, revoked: &AtomicBool) -> (u64, u64) {
    let (mut accepted, mut late) = (0, 0);
    loop {
        let is_late = revoked.load(Ordering::SeqCst);
        match client.whoami(token).status {
            200 if is_late => late += 1,
            200 => accepted += 1,
            403 if is_late => return (accepted, late),
            403 => {}
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_token_that_a_command_revokes_is_refused_from_the_next_request_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).any_wrong_keys().start();
    done(folder.path(), &["user", "add", "ada@example.com"]);
    for id in 1..=5 {
        let token = done(folder.path(), &["token", "create", "1"]).trim().to_owned();
        let (client, revoked) = (*server, AtomicBool::new(false));
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..3).map(|_| scope.spawn(|| hammer(&client, &token, &revoked))).collect();
            done(folder.path(), &["token", "revoke", &id.to_string(), "--yes"]);
            revoked.store(true, Ordering::SeqCst);
            for thread in threads {
                assert_eq!(
                    thread.join().expect("no panic").1,
                    0,
                    "accepted after the command had ended"
                );
            }
        });
    }
}

#[test]
fn commands_on_the_file_wait_for_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    done(folder.path(), &["user", "add", "first@example.com"]);
    let running: Vec<_> = (0..6)
        .map(|n| {
            Launch::new(folder.path(), &["user", "add", &format!("u{n}@example.com")]).launch()
        })
        .collect();
    for process in running {
        let ended = process.end();
        assert!(ended.status.success(), "{ended:?}");
    }
    assert_eq!(json(folder.path(), &["user", "list"]).as_array().map(Vec::len), Some(7));
}

/// A server would end this meeting: its bot is nowhere. A command takes up nothing.
#[test]
fn a_command_on_the_file_leaves_meetings_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vomeet.db");
    open_file(&file, |db| {
        db.execute_batch(
            "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES ('a@b.c', 'a@b.c', 1, '{}', 0);
             INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
               VALUES (1, 'google_meet', 'abc-defg-hij', 'requested', '{}', 0, 0);
             INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (1, 'x', 'Vomeet', 0);",
        )
        .expect("a meeting");
    });
    assert!(done(folder.path(), &["meetings", "list", "--user", "a@b.c"]).contains("requested"));
    assert!(
        done(folder.path(), &["meetings", "show", "google_meet/abc-defg-hij"])
            .contains("requested")
    );
    let (code, said) = refused(folder.path(), &["user", "remove", "1", "--yes"]);
    assert!(code == 6 && said.contains("bot in a meeting"), "{code} {said}");
    assert!(done(folder.path(), &["meetings", "list"]).contains("requested"), "it was taken up");
}
