//! The manual and the completions are written from the definitions that read the arguments; the documents name every code.

use crate::cli::done;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use vomeet::exit::CODES;

const COMMANDS: &[(&str, &[&str])] = &[
    ("serve", &[]),
    ("status", &[]),
    ("config", &["check", "show"]),
    ("user", &["add", "list", "show", "set", "disable", "enable", "remove"]),
    ("token", &["create", "list", "show", "rotate", "revoke", "disable", "enable", "explain", "hash"]),
    ("meetings", &["list", "show", "stop"]),
    ("admin-key", &["create", "list", "rotate", "revoke"]),
    ("audit", &["list", "verify", "export"]),
    ("usage", &[]),
    ("scan", &[]),
    ("completions", &[]),
    ("man", &[]),
];

#[test]
fn the_manual_has_every_command_and_every_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = done(folder.path(), &["man"]);
    let titles: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SS \"vomeet ")?.strip_suffix('"').map(|title| title.replace('\\', "")))
        .collect();
    let subs = |noun: &str, verbs: &[&str]| verbs.iter().map(|verb| format!("{noun} {verb}")).collect::<Vec<_>>();
    let all = COMMANDS.iter().flat_map(|(noun, verbs)| [subs(noun, verbs), vec![(*noun).to_owned()]].concat());
    assert_eq!(titles, all.collect());
    let codes = page.split(".SH \"EXIT STATUS\"").nth(1).expect("the exit codes");
    let help = done(folder.path(), &["--help"]);
    let document = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name);
    let deployment = document("docs/deployment.md");
    for (code, meaning) in CODES {
        assert!(codes.contains(&format!(".TP\n{code}\n")), "{code} is not in the manual");
        let words: Vec<&str> = meaning.split_whitespace().take(4).collect();
        assert!(
            help.contains(&format!("{code:>2}  {}", words[..2].join(" ").replace('`', ""))),
            "{code} is not in --help"
        );
        assert!(deployment.contains(&format!("| {code} | ")), "{code} is not in docs/deployment.md");
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
