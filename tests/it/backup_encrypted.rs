//! Encrypted backups: nothing that is not encrypted is left, also by a kill; what can be told without
//! the private key, and what is read with it.

use crate::backup::{filled, rows};
use crate::cli::{done, refused, vomeet};
use crate::durability::names;
use crate::process::{BINARY, Launch};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// How every database begins.
const PLAIN: &[u8] = b"SQLite format 3\0";

/// A folder with a database, a pair of keys, and settings by which backups are encrypted.
fn prepared(path: &Path) {
    filled(&path.join("vomeet.db"));
    let public = done(path, &["backup", "key", "key.txt"]);
    fs::create_dir(path.join("backups")).expect("a folder");
    let settings =
        format!("[backup]\nfolder = 'backups'\nevery = ''\nencrypt_to = '{}'\n", public.trim());
    fs::write(path.join("vomeet.toml"), settings).expect("settings");
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let text = done(folder, &[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// The files in a folder that hold a database.
fn plain_files(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| fs::read(folder.join(name)).is_ok_and(|bytes| bytes.starts_with(PLAIN)));
    names
}

#[test]
fn a_backup_is_encrypted_and_what_is_in_it_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    let key = fs::metadata(path.join("key.txt")).expect("a key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let server = Launch::serve(path).start();
    server.new_user("one@example.com");
    let made = json(path, &["backup"]);
    server.terminate();
    let before = rows(&path.join("vomeet.db"));
    let backups = path.join("backups");
    let file = made["file"].as_str().expect("a file");
    let found = names(&backups);
    assert!(found[0].ends_with("Z.db.age") && file.ends_with(&found[0]), "{found:?}");
    assert_eq!(found[1..], [format!("{}.sha256", found[0])], "nothing else is left");
    assert_eq!(plain_files(path), ["vomeet.db"]);
    let bytes = fs::read(file).expect("a backup");
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    for name in &found {
        let meta = fs::metadata(backups.join(name)).expect("a file");
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!((&made["encrypted"], &made["bytes"]), (&true.into(), &bytes.len().into()));
    let listed = json(path, &["backup", "list"]);
    let listed = &listed["backups"][0];
    assert_eq!((&listed["verified"], &listed["encrypted"]), (&true.into(), &true.into()));
    let checked = Launch::other("sha256sum", &["--check", &found[1]], &backups).run();
    assert!(checked.status.success(), "{checked:?}");

    let without = json(path, &["backup", "verify", file]);
    assert_eq!((&without["sha256"], &without["tables"]), (&made["sha256"], &Value::Null));
    let said = vomeet(path, &["backup", "verify", file]).stderr;
    assert!(said.contains("what is in it was not looked at"), "{said}");
    fs::create_dir(path.join("scratch")).expect("a folder");
    let with = ["backup", "verify", file, "--identity", "key.txt", "--scratch", "scratch"];
    assert_eq!(json(path, &with)["tables"], made["tables"]);
    let (code, said) = refused(path, &["backup", "drill", "--scratch", "scratch"]);
    assert!(code == 34 && said.contains("--identity"), "{code} {said}");
    let drill = json(path, &["backup", "drill", "--scratch", "scratch", "--identity", "key.txt"]);
    assert_eq!(drill["passed"], true, "{drill}");
    assert_eq!(names(&path.join("scratch")), [""; 0], "nothing is left");

    fs::remove_file(path.join("vomeet.db")).expect("removed");
    let restore = ["restore", file, "--without-old-file", "--yes"];
    let (code, said) = refused(path, &restore);
    assert!(code == 7 && said.contains("--identity"), "{code} {said}");
    done(path, &[&restore[..], &["--identity", "key.txt"]].concat());
    let after = rows(&path.join("vomeet.db"));
    for table in ["users", "meetings", "segments"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    assert_eq!(plain_files(path), ["vomeet.db"]);
}

#[test]
fn what_cannot_be_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    prepared(path);
    for (arguments, wanted_code, wanted) in [
        (&["backup", "x.db"][..], 6, "choose a name that ends in .age"),
        (&["backup", "key", "key.txt"], 6, "name a new file"),
    ] {
        let (code, said) = refused(path, arguments);
        assert!(code == wanted_code && said.contains(wanted), "{arguments:?}: {code} {said}");
    }
    done(path, &["backup", "x.db.age"]);
    done(path, &["backup", "key", "other.txt"]);
    fs::copy(path.join("key.txt"), path.join("open.txt")).expect("a copy");
    fs::set_permissions(path.join("open.txt"), Permissions::from_mode(0o640)).expect("a mode");
    fs::write(path.join("none.txt"), "# nothing\n").expect("a file");
    fs::set_permissions(path.join("none.txt"), Permissions::from_mode(0o600)).expect("a mode");
    let before = fs::read(path.join("vomeet.db")).expect("a database");
    for (key, wanted) in [
        ("open.txt", "chmod 600"),
        ("none.txt", "has no private key"),
        ("gone.txt", "cannot read"),
        ("other.txt", "another key"),
    ] {
        for command in [&["backup", "verify", "x.db.age"][..], &["restore", "x.db.age", "--yes"]] {
            let (code, said) = refused(path, &[command, &["--identity", key]].concat());
            assert!(code == 7 && said.contains(wanted), "{command:?} {key}: {code} {said}");
        }
    }
    // A byte that is another, an end that is missing; without a key, and with it.
    let whole = fs::read(path.join("x.db.age")).expect("a backup");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for (bytes, why) in [
        (&changed[..], "its SHA-256 is another"),
        (&whole[..whole.len() - 1], "bytes"),
        (&whole[..whole.len() / 65_552 * 65_552], "bytes"),
    ] {
        fs::write(path.join("x.db.age"), bytes).expect("written");
        let (code, said) = refused(path, &["backup", "verify", "x.db.age"]);
        assert!(code == 14 && said.contains(why), "{code} {said}");
        for command in [&["backup", "verify", "x.db.age"][..], &["restore", "x.db.age", "--yes"]] {
            let (code, said) = refused(path, &[command, &["--identity", "key.txt"]].concat());
            assert!(code == 14 && said.contains("cannot be decrypted"), "{code} {said}");
        }
    }
    fs::remove_file(path.join("x.db.age.sha256")).expect("removed");
    let (code, said) = refused(path, &["backup", "verify", "x.db.age"]);
    assert!(code == 7 && said.contains("nothing of it can be checked"), "{code} {said}");
    assert_eq!(fs::read(path.join("vomeet.db")).expect("a database"), before);
    assert_eq!(plain_files(path), ["vomeet.db"]);
    // A private key is not put into the settings by mistake.
    let secret = fs::read_to_string(path.join("key.txt")).expect("a key");
    let secret = secret.lines().last().expect("a key").to_owned();
    for (value, wanted) in
        [(secret.as_str(), "this is a private one"), ("age1x", "a public key of age")]
    {
        fs::write(path.join("vomeet.toml"), format!("[backup]\nencrypt_to = '{value}'\n"))
            .expect("settings");
        let (code, said) = refused(path, &["serve"]);
        assert!(code == 10 && said.contains(wanted) && !said.contains(&secret), "{code} {said}");
    }
}

#[test]
fn a_kill_leaves_no_plain_copy_behind_the_next_backup_or_start() {
    let origin = tempfile::tempdir().expect("a folder");
    prepared(origin.path());
    let (mut killed, mut had_plain) = (0, 0);
    for (calls, every) in [("/^rename", 1), ("/sync$", 2), ("/^unlink", 2), ("/^pwrite", 40)] {
        for number in (1..).step_by(every) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path();
            for name in ["vomeet.db", "vomeet.toml", "key.txt"] {
                fs::copy(origin.path().join(name), path.join(name)).expect("a copy");
            }
            let trace = format!("trace={calls}");
            let inject = format!("inject={calls}:signal=KILL:when={number}");
            let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, BINARY];
            let arguments = [&arguments[..], &["backup"]].concat();
            let ended = Launch::other("strace", &arguments, path).run();
            let backups = path.join("backups");
            if ended.status.success() {
                break;
            }
            killed += 1;
            had_plain += usize::from(plain_files(path).len() > 1);
            if backups.exists() {
                assert_eq!(plain_files(&backups), [""; 0], "{calls} {number}");
            }
            // A start sweeps it, and so does the next backup.
            match killed % 2 {
                0 => Launch::serve(path).start().terminate(),
                _ => vomeet(path, &["backup"]),
            };
            assert_eq!(plain_files(path), ["vomeet.db"], "{calls} {number}");
            let made = json(path, &["backup"]);
            done(path, &["backup", "verify", made["file"].as_str().expect("a file")]);
            assert!(!names(&backups).iter().any(|name| name.ends_with(".partial")));
        }
    }
    println!("{killed} kills, {had_plain} of them left a plain copy");
    assert!(killed >= 6 && had_plain >= 2, "{killed} kills, {had_plain} with a plain copy");
}

/// The commands that decrypt a backup, with what they are told.
const DECRYPTING: [&[&str]; 3] = [
    &["backup", "verify", "x.db.age", "--scratch", "scratch"],
    &["backup", "drill", "x.db.age", "--scratch", "scratch"],
    &["restore", "x.db.age", "--yes"],
];

/// A folder with a database, its encrypted backup, and the private key.
fn with_backup() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    done(folder.path(), &["backup", "x.db.age"]);
    folder
}

/// Sends a command a signal at its calls of `write` from this one on, and says whether it has ended
/// well.
fn signalled(path: &Path, command: &[&str], signal: &str, number: usize) -> bool {
    let inject = format!("inject=write:signal={signal}:when={number}");
    let strace = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", &inject, BINARY];
    let arguments = [&strace[..], command, &["--identity", "key.txt"]].concat();
    Launch::other("strace", &arguments, path).run().status.success()
}

/// A copy of that folder, with an empty one for decrypted copies.
fn copy_of(origin: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["vomeet.db", "key.txt", "x.db.age", "x.db.age.sha256"] {
        fs::copy(origin.join(name), folder.path().join(name)).expect("a copy");
    }
    fs::create_dir(folder.path().join("scratch")).expect("a folder");
    folder
}

/// The decrypted copies, wherever they are.
fn decrypted(path: &Path) -> Vec<String> {
    let mut found = plain_files(path);
    found.retain(|name| name != "vomeet.db" && !name.contains(".before-restore-"));
    let scratch = path.join("scratch");
    found.extend(plain_files(&scratch));
    for name in names(&scratch) {
        if scratch.join(&name).is_dir() {
            found.extend(plain_files(&scratch.join(name)));
        }
    }
    found
}

#[test]
fn an_interrupt_leaves_no_decrypted_copy() {
    let origin = with_backup();
    for command in DECRYPTING {
        for number in 1..=8 {
            let folder = copy_of(origin.path());
            signalled(folder.path(), command, "INT", number);
            assert_eq!(decrypted(folder.path()), [""; 0], "{command:?} {number}");
            assert_eq!(names(&folder.path().join("scratch")), [""; 0], "{command:?} {number}");
        }
    }
}

#[test]
fn what_a_kill_leaves_is_removed_by_the_next_such_command() {
    let origin = with_backup();
    for command in DECRYPTING {
        let mut left = 0;
        for number in 1..=8 {
            let folder = copy_of(origin.path());
            let path = folder.path();
            if signalled(path, command, "KILL", number) {
                break;
            }
            left += decrypted(path).len();
            let again = [command, &["--identity", "key.txt"]].concat();
            done(path, &again);
            assert_eq!(decrypted(path), [""; 0], "{command:?} {number}");
            assert_eq!(names(&path.join("scratch")), [""; 0], "{command:?} {number}");
        }
        assert!(left > 0, "{command:?}: no kill has left a decrypted copy");
    }
}
