//! The rules of the house that a compiler does not keep.

mod ladder;

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// A file of ours: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<Source> {
    let (mut folders, mut sources): (Vec<PathBuf>, _) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a text");
                let path = path.strip_prefix(root()).expect("in the root").display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(sources.len() > 5, "{folder} is not where it was");
    sources
}

impl Source {
    /// The lines that are code and no test, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..)
            .zip(self.text.lines())
            .take_while(|(_, line)| !matches!(*line, "#[cfg(test)]" | "#![cfg(test)]"));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn find(&self, words: &[&str]) -> Vec<String> {
        let found = |(number, line): (usize, &str)| {
            let word = words.iter().find(|word| names(line, word))?;
            Some(format!("{}:{number} names {word}", self.path))
        };
        self.code().filter_map(found).collect()
    }
}

/// Whether a line names this word, and not only a longer one.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) =
            (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        let longer_before = word.starts_with(is_part) && before.is_some_and(is_part);
        let longer_after = word.ends_with(is_part) && after.is_some_and(is_part);
        !longer_before && !longer_after
    })
}

#[test]
fn the_search_itself_works() {
    for (line, word, expected) in [
        ("use rusqlite::Connection;", "rusqlite", true),
        ("use r2d2_rusqlite::Connection;", "rusqlite", false),
        ("let tokio_like = 1;", "tokio", false),
        ("tokio::spawn(x)", "tokio", true),
        ("crate::store::Store", "crate::store", true),
        ("crate::storehouse", "crate::store", false),
        ("println!(\"x\")", "println!", true),
        ("eprintln!(\"x\")", "println!", false),
    ] {
        assert_eq!(names(line, word), expected, "{word} in {line}");
    }
}

/// A room, what it may not name, and the files in it that may.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const RULES: &[Rule] = &[
    ("src/", &["rusqlite", "r2d2", "r2d2_sqlite"], &["src/store/"]),
    // Which states belong together, the domain says: store/meetings/states.rs.
    ("src/store/", &["status IN ('", "status NOT IN ('"], &[]),
    ("src/", &["std::env", "env::var", "env::args", "dotenvy"], &["src/cli/", "src/config/"]),
    ("src/", &["std::fs", "fs::read", "File::open", "OpenOptions"], &["src/cli/", "src/config/", "src/store/", "src/http/admin_socket.rs", "src/http/peer_owner/tables.rs", "src/http/tls", "src/bots/output.rs", "src/bots/running.rs", "src/metrics/process.rs", "src/bots/runners/process.rs", "src/backups/folder.rs", "src/backups/uploads.rs", "src/s3/upload.rs", "src/import/run.rs", "src/transcription/files/", "src/transcription/spool/", "src/transcription/received.rs", "src/transcription/hear_file.rs", "src/transcription/uploads.rs"]),
    ("src/", &["std::process"], &["src/cli/", "src/main.rs", "src/bots/runners/process.rs", "src/transcription/engines/process.rs"]),
    ("src/", &["println!", "print!", "eprintln!", "eprint!"], &["src/cli/"]),
    ("src/", &["clap"], &["src/cli/"]),
    // Time is given by a clock that is passed in.
    ("src/", &["SystemTime", "Timestamp::now", "Zoned::now", "Utc::now"], &["src/clock.rs"]),
    ("src/", &["Clock::system"], &["src/clock.rs", "src/logging/line.rs", "src/cli/"]),
    ("src/", &["Clock::manual"], &["src/clock.rs"]),
    ("src/", &["thread::sleep"], &["src/logging.rs", "src/store/file.rs", "src/store/upgrade/plan.rs"]),
    ("src/", &["std::sync::mpsc::channel", "unbounded_channel", "mpsc::unbounded"], &[]),
    ("src/", &["unsafe", "transmute"], &[]),
    ("src/", &["TODO", "FIXME", "XXX", "HACK", "todo!", "unimplemented!", "dbg!"], &[]),
    ("src/", &[".unwrap()", ".expect(", "panic!", "unreachable!"], &[]),
    ("src/", &["reveal"], &["src/domain/token.rs", "src/api/tokens.rs", "src/api/admin_keys.rs", "src/api/bot_spec.rs", "src/api/tickets.rs", "src/api/open_links.rs", "src/cli/token_hash.rs", "src/domain/share.rs", "src/api/shares.rs"]),
    ("src/domain/", &["tokio", "hyper", "std::net", "std::time", "async"], &[]),
    ("src/store/", &["hyper", "std::net", "crate::config", "crate::clock"], &[]),
    ("src/auth/", &["hyper::body", "http_body_util"], &[]),
    // Reads of tokens and of usage go through auth, which applies the usage that is still in memory.
    ("src/", &["store.token(", "store.tokens(", "store.user_with_tokens(", "store.known_token(", "store.search_tokens(", "store.search_users(", "apply_pending"], &["src/auth/", "src/store/"]),
    ("src/", &["store.export_tokens(", "store.export_usage(", "store.usage(", "write_counts"], &["src/auth/", "src/store/"]),
    // The dump of another installation is told from one that is made of statements.
    ("src/", &["SELECT", "INSERT", "UPDATE", "DELETE FROM"], &["src/store/", "src/import/dump.rs"]),
    ("src/api/", &["std::net", "tokio::net", "hyper::body"], &["src/api/general.rs", "src/api/guard.rs", "src/api/sound_socket.rs", "src/api/whisper_live.rs"]),
    // The transport knows no route, no part of the server and no SQL.
    ("src/http/", &["App", "TABLE", "crate::store"], &[]),
    ("src/http/", &["std::fs"], &["src/http/admin_socket.rs", "src/http/peer_owner/tables.rs", "src/http/tls"]),
    // Whom the server calls: what was held against the rules of webhooks, and what the settings name.
    ("src/", &["TcpStream::connect", "to_socket_addrs", "lookup_host"], &["src/webhooks/", "src/s3/connect.rs", "src/cli/", "src/bots/runners/demo.rs", "src/bots/runners/voice.rs", "src/http/peer_owner.rs", "src/import/asked.rs", "src/transcription/engines/http.rs"]),
    ("src/webhooks/", &["hyper::server"], &[]),
    ("src/bots/", &["hyper::server", "TcpListener"], &[]),
    ("src/", &["bollard"], &["src/bots/runners/docker.rs", "src/logging.rs"]),
    ("src/feed", &["hyper", "std::net", "crate::config", "crate::auth", "crate::clock"], &[]),
    ("src/", &["tokio_tungstenite"], &["src/http/", "src/feed", "src/api/live.rs", "src/api/sound_socket.rs", "src/bots/runners/voice.rs", "src/logging.rs"]),
    ("src/http_client.rs", &["crate::", "tokio::net"], &[]),
    ("src/", &["hyper::client"], &["src/http_client.rs"]),
    ("src/main.rs", &["hyper", "tokio", "rusqlite", "crate"], &[]),
    ("src/routes.rs", &["crate::store", "async"], &[]),
    // What an error's status is, HTTP knows; how it is written, too.
    ("src/error.rs", &["rusqlite", "hyper", "StatusCode", "serde", "serde_json"], &[]),
];

#[test]
fn each_room_names_only_what_it_may() {
    let sources = rust_files("src");
    let mut found = Vec::new();
    for (room, words, except) in RULES {
        let rooms: Vec<&Source> =
            sources.iter().filter(|source| source.path.starts_with(room)).collect();
        assert!(!rooms.is_empty(), "{room} is not where it was");
        for file in *except {
            assert!(
                sources.iter().any(|source| source.path.starts_with(file)),
                "{file} is gone, its exception stays"
            );
        }
        let bound = rooms
            .into_iter()
            .filter(|source| !except.iter().any(|file| source.path.starts_with(file)));
        found.extend(bound.flat_map(|source| source.find(words)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn each_file_says_what_it_is_and_stays_short() {
    let mut faults = Vec::new();
    for source in rust_files("src").into_iter().chain(rust_files("tests")) {
        let lines = source.text.lines().count();
        if lines >= FILE_LINES_MAX {
            faults.push(format!("{} has {lines} lines", source.path));
        }
        if !source.text.starts_with("//! ") {
            faults.push(format!("{} does not begin with //!", source.path));
        }
        for (at, name, length) in functions(&source.text) {
            if length >= FUNCTION_LINES_MAX {
                faults.push(format!("{}:{at} {name} has {length} lines", source.path));
            }
        }
        if source.path.ends_with("utils.rs") || source.path.ends_with("helpers.rs") {
            faults.push(format!("{}: no utils", source.path));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Where each function begins, its name, and how many lines it has; of text that rustfmt wrote.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split(' ').collect();
        let Some(place) = words.iter().position(|word| *word == "fn") else { continue };
        if !words[..place]
            .iter()
            .all(|word| matches!(*word, "pub" | "pub(super)" | "pub(crate)" | "const" | "async"))
        {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let length =
            lines[at..].iter().position(|line| *line == end).map_or(1, |length| length + 1);
        let name =
            words.get(place + 1).map_or("?", |name| name.split(['(', '<']).next().unwrap_or("?"));
        found.push((at + 1, name.to_owned(), length));
    }
    found
}

#[test]
fn functions_are_measured() {
    let text = "impl A {\n    pub fn one(\n        a: u8,\n    ) {\n        a();\n    }\n}\nasync fn two<T>() {\n}\nfn three();\n";
    assert_eq!(
        functions(text),
        [(2, "one".to_owned(), 5), (8, "two".to_owned(), 2), (10, "three".to_owned(), 1)]
    );
}

#[test]
fn tests_wait_for_events_and_leave_none_out() {
    let words = [
        concat!("thread::", "sleep"),
        concat!("time::", "sleep"),
        concat!("yield_", "now"),
        concat!("#[", "ignore"),
        concat!("dbg", "!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    let mut found = Vec::new();
    for source in rust_files("tests") {
        for (number, line) in (1..).zip(source.text.lines()) {
            // In one place, between two looks.
            let sleeps_for_all =
                source.path == "tests/it/patience.rs" && line.contains("sleep(PAUSE)");
            let named = words.iter().filter(|word| line.contains(**word) && !sleeps_for_all);
            found.extend(named.map(|word| format!("{}:{number} has {word}", source.path)));
        }
    }
    found.retain(|line| !line.starts_with("tests/it/tidy.rs"));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_test_file_is_in_the_table_of_contents() {
    let contents = fs::read_to_string(root().join("tests/it/main.rs")).expect("main.rs");
    for source in rust_files("tests/it") {
        let name = source.path.trim_start_matches("tests/it/").trim_end_matches(".rs");
        // A part of a test file is declared and explained there.
        if name != "main" && !name.contains('/') {
            assert!(contents.contains(&format!("\nmod {name};")), "{name} is not declared");
            assert!(contents.contains(&format!("[`{name}`]")), "{name} is not explained");
        }
    }
}
