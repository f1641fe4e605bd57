//! `vomeet scan`, and the rule files of gitleaks and trufflehog: their expressions are read from
//! the files and run over true and false examples. Both tools are written in Go, whose RE2 has the
//! syntax of `regex`; what differs, the letters beyond ASCII that `\b` knows, is turned off.

use crate::cli::{done, vomeet};
use crate::client::find;
use crate::process::Launch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use vomeet::domain::PlainToken;
use vomeet::domain::scan::{Recogniser, sightings};

/// Where `@` is a token, both rules and `vomeet scan` find it.
const TRUE: &[&str] = &[
    "@",
    "@\n",
    "API_TOKEN=@\n",
    "{\"id\": 1, \"token\": \"@\"}",
    "curl http://localhost:18056/meetings -H 'X-API-Key: @'",
    "Authorization: Bearer @\r\n",
    "wss://example.com/ws?api_key=@&since=0",
    "old_@_key",
    "clé é@é",
    "[@]",
    "user:@@host",
    "-@",
];

/// No token could be here: neither rule takes anything.
const FALSE: &[&str] = &[
    "",
    // SHA-1, of which one in three has a digit from 0 to 4 where the checksum begins.
    "1b6453892473a467d07372d45eb05abc2031647a",
    "1B6453892473A467D07372D45EB05ABC2031647A",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "AbCd:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "0192c3f4-5a6b-7c8d-9e0f-a1b2c3d4e5f6",
    // The example that the documents show: its checksum would begin with C.
    "AbCdEf1234567890AbCdEf1234567890AbCdEf12",
    "AbCdEf1234567890AbCdEf1234567890AbCd0f1",
    "AbCdEf1234567890AbCdEf1234567890Ab0dEf12x",
    "xAbCdEf1234567890AbCdEf1234567890Ab0dEf12",
    "AbCdEf1234567890-AbCdEf1234567890Ab0dEf12",
    "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdA==",
];

fn token() -> String {
    PlainToken::generate().expect("randomness").reveal().to_owned()
}

fn with_token(example: &str) -> String {
    example.replacen('@', &token(), 1)
}

/// What has the shape of a token, and is none: mistyped in one place, or two neighbours exchanged.
fn mistyped() -> Vec<String> {
    let token = token();
    let other = |byte: u8| if byte == b'2' { b'3' } else { b'2' };
    let mut wrong: Vec<Vec<u8>> = (0..token.len())
        .map(|place| {
            let mut typed = token.clone().into_bytes();
            typed[place] = other(typed[place]);
            typed
        })
        .collect();
    let swapped = (0..33)
        .filter(|&place| token.as_bytes()[place] != token.as_bytes()[place + 1])
        .map(|place| {
            let mut typed = token.clone().into_bytes();
            typed.swap(place, place + 1);
            typed
        });
    wrong.extend(swapped);
    wrong.push(b"AbCdEf1234567890AbCdEf1234567890Ab0dEf12".to_vec());
    wrong.into_iter().map(|typed| String::from_utf8(typed).expect("ASCII")).collect()
}

/// A rule, as its tool applies it: one of the keywords if there are any, the expression, and no
/// excluded secret.
struct Rule {
    file: &'static str,
    keywords: Vec<String>,
    expression: Regex,
    excluded: Regex,
}

impl Rule {
    fn takes(&self, text: &[u8]) -> Vec<String> {
        let lower = text.to_ascii_lowercase();
        let has = |word: &String| find(&lower, word.as_bytes()).is_some();
        if !self.keywords.is_empty() && !self.keywords.iter().any(has) {
            return Vec::new();
        }
        let secrets = self.expression.captures_iter(text).map(|captures| captures[1].to_vec());
        let kept = secrets.filter(|secret| !self.excluded.is_match(secret));
        kept.map(|secret| String::from_utf8(secret).expect("ASCII")).collect()
    }
}

fn ascii(expression: &str) -> Regex {
    RegexBuilder::new(expression)
        .unicode(false)
        .build()
        .unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

fn gitleaks() -> Rule {
    let file = "deploy/scanners/gitleaks.toml";
    let config: toml::Table = toml::from_str(&read(file)).expect("TOML");
    assert_eq!(config["extend"]["useDefault"].as_bool(), Some(true));
    let rule = &config["rules"][0];
    assert_eq!(
        (rule["id"].as_str(), rule["secretGroup"].as_integer()),
        (Some("vomeet-token"), Some(1))
    );
    Rule {
        file,
        keywords: Vec::new(),
        expression: ascii(rule["regex"].as_str().expect("a regex")),
        excluded: ascii(rule["allowlists"][0]["regexes"][0].as_str().expect("a regex")),
    }
}

/// Reads as much YAML as our own file has.
fn trufflehog() -> Rule {
    let file = "deploy/scanners/trufflehog.yaml";
    let text = read(file);
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    assert!(lines.starts_with(&["detectors:", "- name: vomeet-token"]), "{lines:?}");
    let after = |key: &str| lines.iter().position(|line| *line == key).expect(key) + 1;
    let items = |key: &str, quote: char| {
        let items = lines[after(key)..].iter().map_while(|line| line.strip_prefix("- "));
        items.map(|item| item.trim_matches(quote).to_owned()).collect::<Vec<_>>()
    };
    let expression =
        lines[after("regex:")].strip_prefix("token: '").and_then(|rest| rest.strip_suffix('\''));
    let excluded = items("exclude_regexes_capture:", '\'');
    let keywords = items("keywords:", '"');
    assert_eq!((keywords.len(), excluded.len()), (5, 1));
    Rule {
        file,
        keywords,
        expression: ascii(expression.expect("a regex")),
        excluded: ascii(&excluded[0]),
    }
}

#[test]
fn both_rules_take_what_is_true_and_leave_what_is_false() {
    for rule in [gitleaks(), trufflehog()] {
        for example in TRUE {
            let text = with_token(example);
            let taken = rule.takes(text.as_bytes());
            assert!(
                taken.len() == 1 && PlainToken::is_wellformed(taken[0].as_bytes()),
                "{}: {text:?}",
                rule.file
            );
        }
        for example in FALSE {
            assert_eq!(rule.takes(example.as_bytes()), [""; 0], "{}: {example}", rule.file);
        }
        // Random tokens: whatever the rule knows of the shape holds for all.
        for _ in 0..2000 {
            let token = token();
            assert_eq!(rule.takes(token.as_bytes()), [token.as_str()], "{}", rule.file);
        }
    }
}

#[test]
fn what_the_rules_cannot_see_the_scan_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut taken = 0;
    for (number, typed) in mistyped().iter().enumerate() {
        assert_eq!(sightings(typed.as_bytes()), [], "{typed}");
        let rules = [gitleaks(), trufflehog()]
            .iter()
            .filter(|rule| rule.takes(typed.as_bytes()) == [typed.as_str()])
            .count();
        assert!(rules == 0 || rules == 2, "the rules differ about {typed}");
        taken += rules / 2;
        fs::write(folder.path().join(format!("{number}.txt")), format!("token = {typed}\n"))
            .expect("written");
    }
    assert!(taken > 40, "the rules took {taken} only: this shows nothing");
    for (number, example) in FALSE.iter().enumerate() {
        fs::write(folder.path().join(format!("false-{number}.txt")), example).expect("written");
    }
    assert_eq!(done(folder.path(), &["scan"]), "");
    for (number, example) in TRUE.iter().enumerate() {
        fs::write(folder.path().join(format!("true-{number:02}.txt")), with_token(example))
            .expect("written");
    }
    let ended = vomeet(folder.path(), &["scan", "."]);
    assert_eq!(ended.status.code(), Some(32), "{ended:?}");
    let files: Vec<&str> = ended.stdout.lines().filter_map(|line| line.split(':').next()).collect();
    let expected: Vec<String> =
        (0..TRUE.len()).map(|number| format!("./true-{number:02}.txt")).collect();
    assert_eq!(files, expected);
}

/// A report of each tool, with all that its rule takes of a text; and that text.
fn reports(rules: &[Rule; 2], tokens: &[String]) -> (Value, String) {
    let text = [tokens, &mistyped()].concat().join("\n");
    let [gitleaks, trufflehog] = rules.each_ref().map(|rule| rule.takes(text.as_bytes()));
    let line = |secret: &String| text.lines().position(|line| line == secret).expect("a line") + 1;
    let gitleaks = gitleaks.iter().map(|secret| {
        json!({
            "RuleID": "vomeet-token", "Description": "…", "StartLine": line(secret), "EndLine": line(secret),
            "StartColumn": 1, "EndColumn": 40, "Match": secret, "Secret": secret, "File": "deploy/.env",
            "SymlinkFile": "", "Commit": "", "Entropy": 4.78, "Author": "", "Email": "", "Date": "", "Message": "",
            "Tags": ["vomeet"], "Fingerprint": "deploy/.env:vomeet-token:1",
        })
    });
    let trufflehog = trufflehog.iter().map(|secret| {
        json!({
            "SourceMetadata": {"Data": {"Git": {
                "commit": "1a2b3c4", "file": "deploy/.env", "email": "ada@example.com",
                "repository": "file://.", "timestamp": "2025-10-10 12:00:00 +0000", "line": line(secret),
            }}},
            "SourceID": 1, "SourceType": 16, "SourceName": "trufflehog - git", "DetectorType": 887,
            "DetectorName": "CustomRegex", "DecoderName": "PLAIN", "Verified": false, "Raw": secret, "RawV2": "",
            "Redacted": "", "ExtraData": {"name": "vomeet-token"}, "StructuredData": null,
        })
        .to_string()
    });
    (gitleaks.collect(), trufflehog.collect::<Vec<_>>().join("\n"))
}

#[test]
fn of_a_report_only_what_has_a_right_checksum_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = [token(), token(), token()];
    let (list, lines) = reports(&[gitleaks(), trufflehog()], &tokens);
    assert!(list.as_array().expect("a list").len() > 40);
    fs::write(
        folder.path().join("gitleaks.json"),
        serde_json::to_string_pretty(&list).expect("JSON"),
    )
    .expect("written");
    fs::write(folder.path().join("trufflehog.json"), lines).expect("written");
    for (file, commit) in [("gitleaks.json", None), ("trufflehog.json", Some("1a2b3c4"))] {
        let ended = vomeet(folder.path(), &["scan", "--report", file, "--output", "json"]);
        assert_eq!(ended.status.code(), Some(32), "{ended:?}");
        let found: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let expected = (1..)
            .zip(&tokens)
            .map(|(line, token)| json!({ "file": "deploy/.env", "line": line, "commit": commit, "hint": token[..4] }));
        assert_eq!(found, expected.collect::<Value>());
        assert!(
            tokens
                .iter()
                .all(|token| !ended.stdout.contains(token) && !ended.stderr.contains(token))
        );
    }
    let ended = vomeet(folder.path(), &["scan", "--report", "trufflehog.json"]);
    let first = format!("deploy/.env:1: {} in commit 1a2b3c4", &tokens[0][..4]);
    assert_eq!(ended.stdout.lines().next(), Some(first.as_str()));
}

#[test]
fn a_report_that_cannot_be_judged_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = token();
    for (report, wanted) in [
        (
            json!([{ "RuleID": "vomeet-token", "Secret": "REDACTED" }]).to_string(),
            "hides 1 of its secrets",
        ),
        (
            json!([{ "RuleID": "vomeet-token", "Secret": format!("{}...", &secret[..20]) }])
                .to_string(),
            "hides 1 of",
        ),
        (json!(secret).to_string(), "not of a JSON report"),
        (json!([{ "Token": secret }]).to_string(), "not of a JSON report"),
        (json!({ "runs": [{ "secret": secret }] }).to_string(), "not of a JSON report"),
        (
            format!("[{{\"RuleID\": \"vomeet-token\", \"Secret\": \"{secret}"),
            "not of a JSON report",
        ),
        (secret.clone(), "not of a JSON report"),
    ] {
        let ended = Launch::new(folder.path(), &["scan", "--report", "-"]).input(&report).run();
        assert_eq!(ended.status.code(), Some(33), "{report}: {ended:?}");
        assert!(ended.stderr.contains(wanted), "{report}: {ended:?}");
        assert!(!ended.stderr.contains(&secret[..20]), "{ended:?}");
    }
    for nothing in ["", "[]", "[]\n", "\n"] {
        let ended = Launch::new(folder.path(), &["scan", "--report", "-"]).input(nothing).run();
        assert_eq!(
            (ended.status.code(), ended.stdout.as_str()),
            (Some(0), ""),
            "{nothing:?}: {ended:?}"
        );
    }
    let ended = vomeet(folder.path(), &["scan", "--report", "nowhere.json"]);
    assert!(ended.status.code() == Some(33) && ended.stderr.contains("nowhere.json"), "{ended:?}");
}

/// Pieces of a text: tokens, runs about as long as one, and what stands between.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let token = Just(()).prop_map(|()| token().into_bytes());
    let run = "[0-9A-Za-z]{38,42}".prop_map(String::into_bytes);
    let between = proptest::collection::vec(any::<u8>(), 0..4);
    let joint = proptest::sample::select(vec![&b" "[..], b"\n", b"_", b"=", b"\xc3\xa9", b"\0"])
        .prop_map(<[u8]>::to_vec);
    proptest::collection::vec(prop_oneof![token, run, between, joint], 0..30)
}

/// The tokens of a text by the plainest rule.
fn plainly(text: &[u8]) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let runs = line.split(|byte| !byte.is_ascii_alphanumeric());
        let tokens = runs.filter(|run| PlainToken::is_wellformed(run));
        found.extend(
            tokens.map(|token| (number, String::from_utf8_lossy(&token[..4]).into_owned())),
        );
    }
    found
}

#[test]
fn any_text_in_any_parts_has_the_tokens_that_it_has() {
    let rules = [gitleaks(), trufflehog()];
    let mut runner =
        TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    let inputs = (pieces(), 1usize..100);
    let result = runner.run(&inputs, |(pieces, size)| {
        let text = pieces.concat();
        let (mut found, mut recogniser) = (Vec::new(), Recogniser::default());
        for part in text.chunks(size) {
            recogniser.take(part, |sighting| found.push((sighting.line, sighting.hint.0)));
        }
        recogniser.end(|sighting| found.push((sighting.line, sighting.hint.0)));
        let expected = plainly(&text);
        prop_assert_eq!(&found, &expected);
        // Of two that only an underscore parts, a rule takes one: that underscore belongs to the
        // first.
        let taken = rules.each_ref().map(|rule| {
            rule.takes(&text)
                .into_iter()
                .filter(|secret| PlainToken::is_wellformed(secret.as_bytes()))
                .count()
        });
        prop_assert_eq!(taken[0], taken[1]);
        prop_assert!(taken[0] <= expected.len());
        if !text.contains(&b'_') {
            prop_assert_eq!(taken[0], expected.len());
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
