//! What the commands understand: names, ids, addresses, secrets where none should be, and what is
//! stored to do harm.

use crate::cli::{done, refused, vomeet};
use crate::process::Launch;
use crate::server::open_file;
use std::path::Path;

const CONTROL: &str = "a\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}z";

/// Two people of the same name, one whose name is a number, and one who would steer the terminal.
fn people(folder: &Path) {
    open_file(&folder.join("vomeet.db"), |db| {
        for (email, name) in [
            ("ann@example.com", "Ann"),
            ("ann2@example.com", "aNN"),
            ("n@example.com", "1"),
            ("bad@example.com", CONTROL),
        ] {
            let row = "INSERT INTO users (email, email_key, name, max_concurrent_bots, data, created_at) VALUES (?1, ?1, ?2, 1, '{}', 0)";
            db.execute(row, [email, name]).expect("a user");
        }
    });
}

#[test]
fn people_are_named_as_long_as_that_is_unambiguous() {
    let folder = tempfile::tempdir().expect("a folder");
    people(folder.path());
    for (name, expected) in
        [("1", "ann@example.com"), ("3", "n@example.com"), ("ANN2@Example.com", "ann2@example.com")]
    {
        let shown = done(folder.path(), &["user", "show", name]);
        assert!(shown.contains(expected), "{name}: {shown}");
    }
    let (code, said) = refused(folder.path(), &["user", "show", "ann"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("1 (ann@example.com), 2 (ann2@example.com)"), "{said}");
    for (name, expected) in [
        ("9", "User not found"),
        ("x@example.com", "User not found"),
        ("An", "No user is called An"),
        ("", "No user"),
    ] {
        let (code, said) = refused(folder.path(), &["user", "show", name]);
        assert!(code == 4 && said.contains(expected), "{name}: {code} {said}");
    }
}

#[test]
fn tokens_are_named_by_id_name_or_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    people(folder.path());
    let hints: Vec<String> = ["laptop", "phone", "phone"]
        .map(|name| done(folder.path(), &["token", "create", "1", "--name", name])[..4].to_owned())
        .into();
    let revoke =
        |token: &str| vomeet(folder.path(), &["token", "revoke", token, "--user", "1", "--yes"]);
    assert_eq!(revoke("Phone").status.code(), Some(5));
    assert_eq!(revoke("tablet").status.code(), Some(4));
    assert!(revoke("LAPTOP").status.success());
    // Hints are random, and may be a number or the same.
    if hints[1].parse::<u32>().is_err() && hints[1] != hints[2] {
        assert!(revoke(&hints[1]).status.success());
        assert!(revoke("phone").status.success());
    }
}

#[test]
fn a_removal_that_nobody_confirms_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    people(folder.path());
    done(folder.path(), &["token", "create", "1"]);
    for arguments in [&["user", "remove", "1"][..], &["token", "revoke", "1"]] {
        for input in ["", "y\n"] {
            let ended = Launch::new(folder.path(), arguments).input(input).run();
            assert_eq!(ended.status.code(), Some(9), "{ended:?}");
            assert!(ended.stderr.contains("--yes"), "{ended:?}");
        }
    }
    let shown = done(folder.path(), &["user", "show", "1"]);
    assert!(shown.contains("ann@example.com") && shown.contains("TOKEN"), "{shown}");
}

#[test]
fn a_secret_among_the_arguments_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    people(folder.path());
    let token = done(folder.path(), &["token", "create", "1"]).trim().to_owned();
    for arguments in [
        &["token", "explain"][..],
        &["token", "revoke", "--yes"],
        &["token", "show"],
        &["admin-key", "revoke", "--yes"],
    ] {
        let (code, said) = refused(folder.path(), &[arguments, &[&token]].concat());
        assert_eq!(code, 7, "{arguments:?}: {said}");
        assert!(
            said.contains("standard input") && !said.contains(&token[4..]),
            "{arguments:?}: {said}"
        );
    }
    assert!(done(folder.path(), &["user", "show", "1"]).contains("TOKEN"), "it was revoked");
}

#[test]
fn nothing_that_is_stored_steers_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    people(folder.path());
    let everything = [
        done(folder.path(), &["user", "list"]),
        done(folder.path(), &["user", "show", "4"]),
        done(folder.path(), &["user", "list", "--output", "json"]),
        vomeet(folder.path(), &["user", "show", CONTROL]).stderr,
        vomeet(folder.path(), &["user", "show", "\u{1b}[31mx"]).stderr,
        vomeet(folder.path(), &["user", "remove", "4"]).stderr,
        vomeet(folder.path(), &["user", "list", "--database", "x\u{1b}[31m"]).stderr,
    ];
    for said in everything {
        let steering = said.chars().find(|c| *c != '\n' && c.is_control() || *c == '\u{202e}');
        assert_eq!(steering, None, "{said:?}");
        assert!(!said.is_empty());
    }
    let list = done(folder.path(), &["user", "list", "--output", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list[3]["name"], CONTROL, "scripts get the name itself");
}

#[test]
fn what_does_not_validate_is_told_by_its_field() {
    let folder = tempfile::tempdir().expect("a folder");
    people(folder.path());
    for (arguments, code, wanted) in [
        (&["user", "add", "no-address"][..], 7, "email: "),
        (&["user", "add", "x@example.com", "--max-bots=-1"], 7, "max_concurrent_bots: "),
        (&["user", "set", "1"], 7, "what to change"),
        (&["user", "list", "--limit", "0"], 7, "limit: "),
        (&["token", "create", "1", "--expires-in", "0"], 7, "expires_in: "),
        (&["meetings", "show", "abc-defg-hij"], 7, "google_meet/abc-defg-hij"),
        (&["meetings", "show", "google_meet/abc-defg-hij"], 4, "No meeting"),
        (&["meetings", "show", "1"], 4, "Meeting not found"),
        (&["meetings", "list", "--platform", "skype"], 7, "platform: "),
    ] {
        let (found, said) = refused(folder.path(), arguments);
        assert!(found == code && said.contains(wanted), "{arguments:?}: {found} {said}");
    }
    for arguments in [
        &["user", "add"][..],
        &["user", "add", "x@example.com", "--data", "[]"],
        &["token", "create", "1", "--expires-in", "soon"],
        &["token", "create", "1", "--meeting", "abc"],
        &["user", "list", "--output", "xml"],
        &["completions", "cmd"],
    ] {
        let ended = vomeet(folder.path(), arguments);
        assert!(
            ended.status.code() == Some(2) && !ended.stderr.contains("panicked"),
            "{arguments:?}: {ended:?}"
        );
    }
}
