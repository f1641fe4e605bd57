//! `vomeet scan` in files and folders: all that is there is found, whatever else is there.

use crate::cli::{done, vomeet};
use crate::process::{BINARY, Ended, Launch};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use vomeet::domain::PlainToken;

fn token() -> String {
    PlainToken::generate().expect("randomness").reveal().to_owned()
}

/// The hints in what was printed.
fn hints(ended: &Ended) -> Vec<String> {
    ended
        .stdout
        .lines()
        .filter_map(|line| Some(line.split_once(": ")?.1.get(..4)?.to_owned()))
        .collect()
}

#[test]
fn a_folder_is_looked_through_once_and_nothing_in_it_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    fs::create_dir_all(inside.join(".git/objects/ab")).expect("folders");
    fs::create_dir_all(inside.join("deep/er")).expect("folders");
    fs::create_dir(&outside).expect("a folder");
    let tokens = [token(), token(), token(), token(), token()];
    for (path, token) in
        ["inside/.git/config", "inside/deep/er/\u{1b}[2J", "inside/.git/objects/ab/cd", "outside/x"]
            .iter()
            .zip(&tokens)
    {
        fs::write(folder.path().join(path), format!("\n\n{token}")).expect("written");
    }
    symlink(&inside, inside.join("deep/loop")).expect("a link");
    symlink(&outside, inside.join("away")).expect("a link");
    symlink(outside.join("x"), inside.join("x")).expect("a link");
    symlink("nowhere", inside.join("dangling")).expect("a link");
    let _socket = UnixListener::bind(inside.join("socket")).expect("a socket");
    let made = Command::new("mkfifo").arg(inside.join("pipe")).status().expect("mkfifo");
    assert!(made.success());
    let ended = vomeet(folder.path(), &["scan", "inside"]);
    let [config, deep] = [0, 1].map(|number| tokens[number][..4].to_owned());
    let expected = format!("inside/.git/config:3: {config}\ninside/deep/er/\\u001b[2J:3: {deep}\n");
    assert_eq!((ended.status.code(), ended.stdout), (Some(32), expected));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    // What is named is meant, whatever it is.
    let ended = vomeet(folder.path(), &["scan", "inside/away", "inside/x", "outside/x"]);
    assert_eq!(hints(&ended), [&tokens[3][..4]; 3], "{ended:?}");
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_looked_through() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("clean"), "nothing").expect("written");
    let token = token();
    // A file that opens, and fails when it is read.
    let broken = "/proc/self/mem";
    for (last, code) in [("clean", 33), ("-", 32)] {
        let ended =
            Launch::new(folder.path(), &["scan", "nowhere", broken, last]).input(&token).run();
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        assert!(
            ended.stderr.contains("Cannot read nowhere (") && ended.stderr.contains(broken),
            "{ended:?}"
        );
        assert_eq!(ended.stderr.lines().count(), 3, "{ended:?}");
        let expected = if code == 32 { format!("-:1: {}\n", &token[..4]) } else { String::new() };
        assert_eq!(ended.stdout, expected);
    }
    let ended = Launch::new(folder.path(), &["scan", "nowhere", "--output", "json"]).run();
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(33), "[]\n"));
}

#[test]
fn a_line_of_any_length_needs_no_memory_and_parts_hide_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large");
    let tokens = [token(), token(), token()];
    let mut file = File::create(&path).expect("a file");
    // Over the border of what is read at once; then a line of 128 MiB that takes no room on the
    // disk.
    write!(file, "{}{}.{}", " ".repeat(65_536 - 20), tokens[0], "a".repeat(65_536))
        .expect("written");
    file.set_len(128 << 20).expect("a length");
    let mut file = File::options().append(true).open(&path).expect("the file");
    write!(file, "{}\n{}", tokens[1], tokens[2]).expect("written");
    let limited = ["--as=100000000", BINARY, "scan", "large"];
    let limited =
        Command::new("prlimit").args(limited).current_dir(folder.path()).output().expect("prlimit");
    let printed = String::from_utf8(limited.stdout).expect("a text");
    let expected = format!(
        "large:1: {}\nlarge:1: {}\nlarge:2: {}\n",
        &tokens[0][..4],
        &tokens[1][..4],
        &tokens[2][..4]
    );
    assert_eq!((limited.status.code(), printed), (Some(32), expected));
}

#[test]
fn this_repository_has_no_token() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rooms =
        ["README.md", "vomeet.toml", "benches", "clients", "deploy", "docs", "nbs", "src", "tests"];
    assert_eq!(done(root, &[&["scan"], &rooms[..]].concat()), "");
}
