//! What a program says that was built without a cargo feature.

use crate::cli::{refused, vomeet};
use std::fs;

const PUBLIC: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

#[test]
fn the_version_lists_the_features() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_on = if cfg!(feature = "encryption") { "on" } else { "off" };
    let said = vomeet(folder.path(), &["--version"]).stdout;
    assert!(said.starts_with("vomeet ") && said.contains("\nencryption: "), "{said}");
    assert!(said.contains(&format!("\nencryption: {is_on}\n")), "{said}");
    let is_on = if cfg!(feature = "whisper") { "on" } else { "off" };
    assert!(said.contains(&format!("\nwhisper: {is_on}\n")), "{said}");
}

#[test]
fn a_setting_of_a_missing_feature_is_refused_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let settings = format!("[backup]\nencrypt_to = '{PUBLIC}'\n");
    fs::write(path.join("vomeet.toml"), settings).expect("settings");
    if cfg!(feature = "encryption") {
        let shown = vomeet(path, &["config", "show"]);
        assert!(shown.status.success() && shown.stdout.contains(PUBLIC), "{shown:?}");
        return;
    }
    for command in [&["serve"][..], &["backup"]] {
        let (code, said) = refused(path, command);
        assert!(code == 10 && said.contains("backup.encrypt_to"), "{code} {said}");
        assert!(said.contains("--features encryption"), "{said}");
    }
    fs::remove_file(path.join("vomeet.toml")).expect("removed");
    for command in [
        &["backup", "key"][..],
        &["restore", "x", "--identity", "k"],
        &["backup", "drill", "x", "--identity", "k"],
    ] {
        let (code, said) = refused(path, command);
        assert!(code == 7 && said.contains("--features encryption"), "{command:?} {code} {said}");
    }
}

#[test]
fn a_model_of_whisper_needs_the_feature_and_a_file_that_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::write(path.join("no-model"), "a text that is no model").expect("written");
    for (file, wanted) in
        [("no-model", "no-model is no model in the format ggml"), ("gone", "gone (")]
    {
        let settings = format!("[transcription]\nwhisper_model = '{file}'\n");
        fs::write(path.join("vomeet.toml"), settings).expect("settings");
        for command in [&["serve"][..], &["config", "check"]] {
            let (code, said) = refused(path, command);
            let wanted = if cfg!(feature = "whisper") {
                wanted
            } else {
                "build --release --features whisper"
            };
            assert!(code == 10 && said.contains(wanted), "{code} {said}");
            assert!(said.contains("transcription.whisper_model"), "{said}");
        }
    }
    if !cfg!(feature = "whisper") {
        let (code, said) = refused(path, &["whisper-child", "model"]);
        assert!(code == 7 && said.contains("--features whisper"), "{code} {said}");
    }
}
