//! `[[transcription.engines]]`: what is wrong is refused at the start, and nothing shows a key.

use crate::cli::{done, refused};
use crate::durability::assert_one_line;
use crate::process::Launch;
use crate::reload::{reload, serve};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const KEY: &str = "hush-4f1c2a9be07d3358";
const ONE: &str = "[[transcription.engines]]\nname = \"one\"\nurl = \"http://10.0.0.7:8000/v1\"\n\
                   model = \"large\"\nkey_file = \"key\"\n";

/// A file with the key, of this mode.
fn key(folder: &Path, text: &str, mode: u32) {
    let path = folder.join("key");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn what_is_wrong_with_an_engine_is_said_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let without_model = ONE.replace("model = \"large\"\n", "");
    for (toml, text, mode, wanted) in [
        (ONE.to_owned(), KEY, 0o644, "one, key_file: others than its owner may open key"),
        (ONE.to_owned(), "\n", 0o600, "one, key_file: the first line of key is empty"),
        (ONE.to_owned(), "h\u{fc}sh", 0o600, "characters that no header can carry"),
        (ONE.replace("\"key\"", "\"gone\""), KEY, 0o600, "one, key_file: cannot read gone"),
        (format!("{ONE}tier = 1\n"), KEY, 0o600, "number 1: there is no setting tier"),
        (format!("{ONE}{ONE}"), KEY, 0o600, "number 2: one is the name of another one"),
        (without_model, KEY, 0o600, "number 1: model is missing"),
        ("[transcription]\nengines = 1\n".to_owned(), KEY, 0o600, "should be tables"),
    ] {
        key(folder, text, mode);
        fs::write(folder.join("vomeet.toml"), &toml).expect("written");
        let commands: [&[&str]; 2] = [&["serve", "--listen", "127.0.0.1:0"], &["config", "check"]];
        for command in commands {
            let ended = Launch::new(folder, command).run();
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(wanted), "{toml}: {said}");
            assert!(!said.contains(KEY), "{said}");
        }
    }
    key(folder, KEY, 0o600);
    fs::write(folder.join("vomeet.toml"), ONE).expect("written");
    done(folder, &["config", "check"]);
    let (code, _) = refused(folder, &["config", "check", "--config", "gone.toml"]);
    assert_eq!(code, 10);
}

#[test]
fn engines_are_shown_without_their_keys_and_change_with_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    key(folder, KEY, 0o600);
    let mut server = serve(folder, ONE);
    let settings = server.get("/admin/settings").admin().send().expect(200);
    let expected = json!([{ "name": "one", "url": "http://10.0.0.7:8000/v1", "key_file": "key",
        "model": "large", "seconds_max": null, "concurrent_max": 2 }]);
    assert_eq!(settings["transcription_engines"], expected);
    assert!(!settings.to_string().contains(KEY));
    let shown = done(folder, &["config", "show"]);
    assert!(shown.contains("[[transcription.engines]]\nname = \"one\"\nurl = "), "{shown}");
    assert!(shown.contains("key_file = \"key\"") && !shown.contains(KEY), "{shown}");
    reload(&mut server, &ONE.replace("large", "small"), folder);
    assert!(server.stderr.find("after a restart: transcription.engines").is_some());
    let settings = server.get("/admin/settings").admin().send().expect(200);
    assert_eq!(settings["transcription_engines"], expected, "as at the start");
}
