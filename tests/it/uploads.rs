//! Recordings that are uploaded: meetings, words, progress; restarts, erasure, bounds.

use crate::audio_transcriptions::{sound, start};
use crate::client::{Answer, Client, wait_for};
use crate::process::Launch;
use crate::saying_engine::{Does, SayingEngine, form, wav};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn upload(server: &Client, token: &str, query: &str, file: &[u8]) -> Answer {
    let call = server.post(format!("/meetings/upload{query}")).user(token);
    call.header("Content-Type", "application/octet-stream").body(file).send()
}

fn meeting(server: &Client, token: &str, id: &Value) -> Value {
    server.get(format!("/meetings/{id}")).user(token).send().expect(200)
}

/// Waits until all words of a recording are there, and gives its segments.
fn words(server: &Client, token: &str, id: &Value) -> Vec<Value> {
    wait_for(|| (meeting(server, token, id)["transcription"]["state"] == "done").then_some(()));
    let transcript = server.get(format!("/transcripts/by-id/{id}")).user(token).send().expect(200);
    transcript["segments"].as_array().expect("segments").clone()
}

fn uploaded(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join("vomeet.db.sound")).expect("a folder").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".upload")).count()
}

#[test]
fn a_recording_becomes_a_finished_meeting_with_its_words() {
    let engine = SayingEngine::start(Does::Says("Good morning."));
    let (server, token, _) = start(&[&engine], "");
    let query = "?name=Weekly&start_time=2025-10-10T12:00:00Z&language=en";
    let made = upload(&server, &token, query, &sound()).expect(201);
    assert_eq!((&made["status"], &made["platform"]), (&json!("completed"), &json!("generic")));
    assert_eq!(
        (&made["start_time"], &made["end_time"]),
        (&json!("2025-10-10T12:00:00.000Z"), &json!("2025-10-10T12:00:03.000Z"))
    );
    assert_eq!(made["data"]["name"], "Weekly");
    let segments = words(&server, &token, &made["id"]);
    assert!(!segments.is_empty());
    assert_eq!(
        (&segments[0]["text"], &segments[0]["language"]),
        (&json!("Good morning."), &json!("en"))
    );
    assert_eq!(segments[0]["absolute_start_time"], "2025-10-10T12:00:00.250Z");
    assert_eq!(
        meeting(&server, &token, &made["id"])["transcription"],
        json!({"state": "done", "percent": 100})
    );
    wait_for(|| (uploaded(server.folder()) == 0).then_some(()));
    let list = server.get("/meetings?platform=generic").user(&token).send().expect(200);
    assert_eq!(list["meetings"][0]["id"], made["id"]);
}

#[test]
fn speakers_are_named_by_their_channels() {
    let engine = SayingEngine::start(Does::Says("Good morning."));
    let (server, token, _) = start(&[&engine], "");
    let stereo = wav(2, 3, &[(0, 0.2, 1.4), (1, 1.6, 2.8)]);
    let body = form(&stereo, "talk.wav", &[("speakers", "Ada, Grace"), ("name", "Talk")]);
    let call = server.post("/meetings/upload").user(&token);
    let call = call.header("Content-Type", "multipart/form-data; boundary=XX").body(body);
    let made = call.send().expect(201);
    let segments = words(&server, &token, &made["id"]);
    let mut speakers: Vec<&str> =
        segments.iter().filter_map(|one| one["speaker"].as_str()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    assert_eq!(speakers, ["Ada", "Grace"]);
    let wrong = upload(&server, &token, "?speakers=Ada", &stereo);
    assert_eq!(wrong.faults(), [("value_error".to_owned(), "body.speakers".to_owned())]);
}

#[test]
fn other_forms_go_to_an_engine_as_they_are() {
    let engine = SayingEngine::start(Does::Fails(503));
    let (server, token, _) = start(&[&engine], "");
    let made = upload(&server, &token, "?language=de", b"ID3\x04 and so on").expect(201);
    let state = wait_for(|| {
        let progress = meeting(&server, &token, &made["id"])["transcription"].clone();
        progress["error"].is_string().then_some(progress)
    });
    assert_eq!(state["state"], "waiting");
    let explain = format!("/meetings/{}/explain", made["id"]);
    let explained = server.get(explain).user(&token).send().expect(200);
    assert_eq!(explained["fault"], "recording_waits", "{explained}");
    let refused = upload(&server, &token, "", b"plain words");
    assert_eq!(refused.status, 415);
    assert_eq!(upload(&server, &token, "?speakers=Ada,Grace", b"ID3\x04").status, 422);
}

#[test]
fn an_engine_that_takes_a_file_as_it_is_gives_its_words() {
    let engine = SayingEngine::start(Does::Says("as it is"));
    let (server, token, _) = start(&[&engine], "");
    let made = upload(&server, &token, "", b"ID3\x04 and so on").expect(201);
    let segments = words(&server, &token, &made["id"]);
    assert_eq!(segments[0]["text"], "as it is");
    let usage = server.get("/user/usage").user(&token).send().expect(200);
    assert!(usage.to_string().contains("\"sound_minutes\":0.017"), "{usage}");
    let found = server.get("/transcripts/search?q=as").user(&token).send().expect(200);
    assert_eq!(found["results"].as_array().map_or(0, Vec::len), 1, "{found}");
}

#[test]
fn a_recording_that_no_engine_takes_is_given_up_and_kept() {
    let engine = SayingEngine::start(Does::Fails(415));
    let (server, token, _) = start(&[&engine], "");
    let made = upload(&server, &token, "", b"ID3\x04 and so on").expect(201);
    wait_for(|| {
        let progress = meeting(&server, &token, &made["id"])["transcription"].clone();
        (progress["state"] == "failed").then_some(())
    });
    let explain = format!("/meetings/{}/explain", made["id"]);
    let explained = server.get(explain).user(&token).send().expect(200);
    assert_eq!(explained["fault"], "recording_given_up", "{explained}");
    // Files are looked through before another recording is worked on.
    let other = upload(&server, &token, "", b"ID3\x04 and more").expect(201);
    wait_for(|| {
        let progress = meeting(&server, &token, &other["id"])["transcription"].clone();
        (progress["state"] == "failed").then_some(())
    });
    assert_eq!(uploaded(server.folder()), 2);
    server.delete(format!("/meetings/{}", made["id"])).user(&token).send().expect(200);
    wait_for(|| (uploaded(server.folder()) == 1).then_some(()));
}

#[test]
fn a_recording_is_erased_with_its_meeting() {
    let engine = SayingEngine::start(Does::Fails(503));
    let (server, token, _) = start(&[&engine], "");
    let made = upload(&server, &token, "", b"ID3\x04 and so on").expect(201);
    assert_eq!(uploaded(server.folder()), 1);
    server.delete(format!("/meetings/{}", made["id"])).user(&token).send().expect(200);
    wait_for(|| (uploaded(server.folder()) == 0).then_some(()));
}

#[test]
fn what_may_be_uploaded_is_bounded() {
    let engine = SayingEngine::start(Does::Says("words"));
    let (server, token, _) = start(&[&engine], "upload_bytes_max = 1_048_576");
    let long = wav(1, 40, &[]);
    assert_eq!(upload(&server, &token, "", &long).status, 413);
    assert_eq!(upload(&server, &token, "", b"").faults()[0].1, "body.file");
    assert_eq!(
        upload(&server, &token, "?platform=zoom", &sound()).faults()[0].1,
        "body.native_meeting_id"
    );
    assert_eq!(upload(&server, &token, "?platform=zoom&native_meeting_id=x", &sound()).status, 422);
    assert_eq!(
        upload(&server, &token, "?start_time=soon", &sound()).faults()[0].1,
        "query.start_time"
    );
    for body in [
        json!({"read_only": true, "transcribe": true}),
        json!({"platforms": ["zoom"], "transcribe": true}),
        json!({"platforms": ["generic"]}),
    ] {
        let made = server.post("/admin/users/1/tokens").admin().json(&body).send().expect(201);
        let refused = upload(&server, made["token"].as_str().expect("a token"), "", &sound());
        assert_eq!(refused.status, 403, "{body}");
    }
    assert_eq!(uploaded(server.folder()), 0);
}

#[test]
fn a_recording_goes_on_after_kill_9() {
    let engine = SayingEngine::start(Does::Waits);
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!("[transcription]\ngate = false\n{}", engine.settings("one"));
    fs::write(folder.path().join("vomeet.toml"), toml).expect("written");
    let server = Launch::serve(folder.path()).any_requests().start();
    let user = server.new_user("ada@example.com");
    let token = server.new_token(user).text;
    // Long enough for several windows.
    let recording = wav(1, 70, &[(0, 0.0, 70.0)]);
    let made = upload(&server, &token, "", &recording).expect(201);
    wait_for(|| (engine.count() > 0).then_some(()));
    server.kill();
    engine.now(Does::Says("words"));
    let server = Launch::serve(folder.path()).any_requests().start();
    let segments = words(&server, &token, &made["id"]);
    let mut starts: Vec<f64> = segments.iter().filter_map(|one| one["start"].as_f64()).collect();
    starts.dedup();
    assert_eq!(starts.len(), segments.len(), "a window is there twice: {starts:?}");
    assert!(starts.last().is_some_and(|last| *last > 45.0), "the end is missing: {starts:?}");
}
