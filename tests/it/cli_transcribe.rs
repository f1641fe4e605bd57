//! `vomeet transcribe`: the words of a recording at a shell.

use crate::audio_transcriptions::sound;
use crate::cli::{done, refused};
use crate::process::Launch;
use crate::saying_engine::{Does, SayingEngine};
use std::fs;

#[test]
fn a_recording_is_transcribed_at_a_shell() {
    let engine = SayingEngine::start(Does::Says("Good morning."));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let toml = format!("[transcription]\ngate = false\n{}", engine.settings("one"));
    fs::write(path.join("vomeet.toml"), toml).expect("written");
    fs::write(path.join("talk.wav"), sound()).expect("written");
    let transcribe = ["transcribe", "talk.wav"];
    let (code, why) = refused(path, &transcribe);
    assert!(code != 0 && why.contains("vomeet serve"), "{why}");
    let server = Launch::serve(path).any_requests().start();
    let (_, why) = refused(path, &transcribe);
    assert!(why.contains("vomeet user add"), "{why}");
    let user = server.new_user("ada@example.com");
    let text = done(path, &transcribe);
    assert!(text.contains("Good morning."), "{text}");
    let srt = done(
        path,
        &["transcribe", "talk.wav", "--format", "srt", "--language", "en", "--name", "Weekly"],
    );
    assert!(srt.starts_with("1\n00:00:00,250 --> 00:00:00,750\nGood morning.\n"), "{srt}");
    // The token that it has made for itself is gone.
    let tokens = server.get(format!("/admin/users/{user}/tokens")).admin().send().expect(200);
    assert_eq!(tokens.as_array().map_or(9, Vec::len), 0, "{tokens}");
    let token = server.new_token(user);
    let list = server.get("/meetings").user(&token.text).send().expect(200);
    assert_eq!(list["meetings"][0]["data"]["name"], "Weekly");

    fs::write(path.join("token"), &token.text).expect("written");
    let url = format!("http://{}", server.address);
    let json = done(
        path,
        &["transcribe", "talk.wav", "--url", &url, "--token-file", "token", "--format", "json"],
    );
    assert!(json.contains("\"segments\""), "{json}");
    server.new_user("grace@example.com");
    let (_, why) = refused(path, &transcribe);
    assert!(why.contains("--user"), "{why}");
    done(path, &["transcribe", "talk.wav", "--user", "grace@example.com"]);
    let (_, why) = refused(path, &["transcribe", "nothing.wav"]);
    assert!(why.contains("nothing.wav"), "{why}");
}

#[test]
fn without_an_engine_it_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::write(path.join("talk.wav"), sound()).expect("written");
    let server = Launch::serve(path).start();
    server.new_user("ada@example.com");
    let (_, why) = refused(path, &["transcribe", "talk.wav"]);
    assert!(why.contains("[[transcription.engines]]"), "{why}");
}
