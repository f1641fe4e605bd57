//! `vomeet init`: the files that it writes are those that a server starts with, and it leaves alone
//! what is there.

use crate::cli::{done, refused, vomeet};
use crate::process::Launch;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect(name)
}

#[test]
fn a_server_starts_with_what_it_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let said = done(folder, &["init", "--yes"]);
    let key = read(folder, "vomeet.key").trim().to_owned();
    assert!(key.len() == 48 && !said.contains(&key), "{said}");
    for step in ["vomeet user add", "http://localhost:18056/", "vomeet.key"] {
        assert!(said.contains(step), "{said}");
    }
    for name in ["vomeet.toml", "vomeet.key"] {
        let mode = fs::metadata(folder.join(name)).expect(name).mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let shown = done(folder, &["config", "show"]);
    for (setting, value) in [
        ("listen", "\"127.0.0.1:18056\""),
        ("admin_api_token_file", "\"vomeet.key\""),
        ("folder", "\"backups\""),
    ] {
        let line = format!("{setting} = {value}");
        let found = shown.lines().find(|shown| shown.starts_with(&line));
        assert!(found.is_some_and(|shown| shown.ends_with("# vomeet.toml")), "{line}: {shown}");
    }
    let server = Launch::serve_with_guide_key(folder).start();
    for (key, status) in [(key.as_str(), 200), ("token", 403)] {
        let answer = server.get("/admin/users").header("X-Admin-API-Key", key).send();
        assert_eq!(answer.status, status, "{key}");
    }
}

#[test]
fn every_question_has_its_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let flags = ["--listen", "0.0.0.0:0", "--host", "vomeet.example.com", "--backups", ""];
    let said = done(folder, &[&["init"][..], &flags].concat());
    assert!(said.contains("the address that it prints"), "{said}");
    let file = read(folder, "vomeet.toml");
    assert!(file.contains("\nlisten = \"0.0.0.0:0\"\n"), "{file}");
    assert!(file.contains("[http]") && file.contains("[\"vomeet.example.com\"]"), "{file}");
    assert!(!file.contains("[backup]"), "{file}");
    // Others can reach it, so a weak key would be refused here.
    done(folder, &["config", "check"]);

    let other = tempfile::tempdir().expect("a folder");
    done(other.path(), &["init", "--yes"]);
    let keys = [read(folder, "vomeet.key"), read(other.path(), "vomeet.key")];
    assert_ne!(keys[0], keys[1], "two servers have one key");
}

#[test]
fn what_is_there_is_left_alone() {
    for name in ["vomeet.toml", "vomeet.key"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        fs::write(folder.join(name), "# mine\n").expect("written");
        let (code, said) = refused(folder, &["init", "--yes"]);
        assert_eq!(code, 6, "{said}");
        assert!(said.contains(name) && said.contains("is there already"), "{said}");
        assert_eq!(read(folder, name), "# mine\n");
        assert_eq!(fs::read_dir(folder).expect("a folder").count(), 1, "{name}: more was written");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    symlink("elsewhere", folder.join("vomeet.key")).expect("a link");
    assert_eq!(refused(folder, &["init", "--yes"]).0, 6);
    assert!(!folder.join("elsewhere").exists(), "it wrote through a link");
}

#[test]
fn without_a_terminal_it_names_the_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (code, said) = refused(folder, &["init"]);
    assert_eq!(code, 9, "{said}");
    assert!(said.contains("--listen, --host, --backups, or --yes"), "{said}");
    let (code, said) = refused(folder, &["init", "--listen", "127.0.0.1:0", "--host", ""]);
    assert!(code == 9 && said.contains("give --backups, or --yes"), "{said}");
    for (flag, value, wanted) in
        [("--listen", "nowhere", "ADDRESS:PORT"), ("--host", "*.example.com", "wildcards")]
    {
        let (code, said) = refused(folder, &["init", "--yes", flag, value]);
        assert!(code == 10 && said.contains(wanted), "{flag}: {said}");
    }
    assert_eq!(fs::read_dir(folder).expect("a folder").count(), 0, "something was written");
}

#[test]
fn it_says_which_settings_do_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(".env"), "VOMEET_LISTEN=127.0.0.1:7\n").expect("written");
    let launch = Launch::new(folder.path(), &["init", "--yes"]);
    let ended = launch.env("ADMIN_API_TOKEN", "4f1c2a9be07d3358").run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let notes = "vomeet: listen is taken from VOMEET_LISTEN in .env, which is stronger than \
                 vomeet.toml\nvomeet: the admin key is taken from ADMIN_API_TOKEN in the \
                 environment, not from vomeet.key\n";
    assert_eq!(ended.stderr, notes);

    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(".env"), "VOMEET_LISTEN=nowhere\n").expect("written");
    assert_eq!(vomeet(folder.path(), &["init", "--yes"]).status.code(), Some(10));
    assert!(!folder.path().join("vomeet.key").exists(), "it wrote before it looked");
}
