//! The manual and the completions are written from the definitions that read the arguments; the
//! documents name every code.

use crate::cli::{done, refused};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use vomeet::exit::{CODES, Code};

const COMMANDS: &[(&str, &[&str])] = &[
    ("serve", &[]),
    ("init", &[]),
    ("demo", &[]),
    ("status", &[]),
    ("config", &["check", "show"]),
    ("user", &["add", "list", "show", "set", "disable", "enable", "remove"]),
    (
        "token",
        &["create", "list", "show", "rotate", "revoke", "disable", "enable", "explain", "hash"],
    ),
    ("meetings", &["list", "show", "explain", "stop"]),
    ("admin-key", &["create", "list", "rotate", "revoke"]),
    ("audit", &["list", "verify", "export"]),
    ("backup", &["verify", "key", "fetch", "list", "drill"]),
    ("open", &[]),
    ("restore", &[]),
    ("import", &["verify"]),
    ("usage", &[]),
    ("doctor", &[]),
    ("health", &[]),
    ("mcp", &[]),
    ("scan", &[]),
    ("reload", &[]),
    ("service", &["install", "uninstall"]),
    ("transcribe", &[]),
    ("upgrade", &[]),
    ("compact", &[]),
    ("completions", &[]),
    ("man", &[]),
];

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("man1");
    fs::create_dir(&target).expect("a folder");
    done(folder.path(), &["man", "--folder", "man1"]);
    let mut wanted = BTreeSet::from(["vomeet.1".to_owned()]);
    for (noun, verbs) in COMMANDS {
        wanted.insert(format!("vomeet-{noun}.1"));
        wanted.extend(verbs.iter().map(|verb| format!("vomeet-{noun}-{verb}.1")));
    }
    let entries = fs::read_dir(&target).expect("the folder");
    let names: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert_eq!(names, wanted);
    let page = fs::read_to_string(target.join("vomeet-token-create.1")).expect("a page");
    assert!(page.contains(r"\fB\-\-expires\-in\fR"), "{page}");

    let (code, _) = refused(folder.path(), &["man", "--folder", "nowhere"]);
    assert_eq!(code, i32::from(Code::Invalid as u8));
}

#[test]
fn the_manual_and_the_documents_have_every_command_and_every_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = done(folder.path(), &["man"]);
    for (noun, _) in COMMANDS {
        let title = format!("vomeet-{noun}(1)").replace('-', "\\-");
        assert!(page.contains(&title), "{noun} is not in the manual");
    }
    let codes = page.split("Exit codes:").nth(1).expect("the exit codes");
    let help = done(folder.path(), &["--help"]);
    let document = |name: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
    };
    let deployment = document("docs/deployment.md");
    for (code, meaning) in CODES {
        assert!(codes.contains(&format!("\n  {code:>2}  ")), "{code} is not in the manual");
        let words: Vec<&str> = meaning.split_whitespace().take(4).collect();
        assert!(
            help.contains(&format!("{code:>2}  {}", words[..2].join(" ").replace('`', ""))),
            "{code} is not in --help"
        );
        assert!(
            deployment.contains(&format!("| {code} | ")),
            "{code} is not in docs/deployment.md"
        );
    }
    for wanted in ["ada", "exit", "--output"] {
        assert!(document("docs/command-line.md").contains(wanted), "{wanted}");
    }
}

#[test]
fn every_shell_learns_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = done(folder.path(), &["completions", shell]);
        for (noun, verbs) in COMMANDS {
            assert!(script.contains(noun), "{shell}: {noun}");
            verbs.iter().for_each(|verb| assert!(script.contains(verb), "{shell}: {noun} {verb}"));
        }
        assert!(script.contains("expires-in") && script.contains("database"), "{shell}: the flags");
    }
}
