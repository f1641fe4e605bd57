//! `POST /v1/audio/transcriptions`: forms, forms of answers, who may, and how much.

use crate::client::{Answer, Client, Line, wait_for};
use crate::saying_engine::{Does, SayingEngine, form, wav};
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use serde_json::json;
use std::fs;

const PATH: &str = "/v1/audio/transcriptions";

/// A server with these engines, a user with a token, and the user's meeting.
pub fn start(engines: &[&SayingEngine], settings: &str) -> (Server, String, Session) {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
    });
    let mut toml = format!("[transcription]\ngate = false\n{settings}\n");
    for (number, engine) in engines.iter().enumerate() {
        toml.push_str(&engine.settings(&format!("engine{number}")));
    }
    fs::write(setup.folder().join("vomeet.toml"), toml).expect("written");
    let (token, session) = made.expect("rows");
    (setup.start(), token, session)
}

pub fn sound() -> Vec<u8> {
    wav(1, 3, &[(0, 0.5, 2.5)])
}

fn ask(server: &Client, key: &str, file: &[u8], name: &str, fields: &[(&str, &str)]) -> Answer {
    let call = server.post(PATH).bearer(key);
    let call = call.header("Content-Type", "multipart/form-data; boundary=XX");
    call.body(form(file, name, fields)).send()
}

/// The files that wait in the folder of sound.
fn files(server: &Server) -> usize {
    let entries = fs::read_dir(server.folder().join("vomeet.db.sound")).into_iter().flatten();
    entries.flatten().filter(|entry| entry.file_name() != ".lock").count()
}

#[test]
fn the_words_of_a_sound_are_given_in_each_form() {
    let engine = SayingEngine::start(Does::Says("Good morning."));
    let (server, token, _) = start(&[&engine], "");
    for (format, content_type, expected) in [
        ("json", "application/json", r#"{"text":"Good morning."}"#),
        ("text", "text/plain; charset=utf-8", "Good morning.\n"),
        ("srt", "text/plain; charset=utf-8", "1\n00:00:00,250 --> 00:00:00,750\nGood morning.\n\n"),
        (
            "vtt",
            "text/plain; charset=utf-8",
            "WEBVTT\n\n00:00:00.250 --> 00:00:00.750\nGood morning.\n\n",
        ),
    ] {
        let fields = [("model", "whisper-1"), ("response_format", format)];
        let answer = ask(&server, &token, &sound(), "a.wav", &fields);
        assert_eq!((answer.status, answer.text()), (200, expected), "{format}");
        assert_eq!(answer.header("content-type"), Some(content_type));
    }
    let fields = [
        ("model", "whisper-1"),
        ("response_format", "verbose_json"),
        ("language", "en"),
        ("prompt", "Globex"),
        ("timestamp_granularities[]", "word"),
    ];
    let verbose = ask(&server, &token, &sound(), "a.wav", &fields).expect(200);
    assert_eq!(verbose["duration"], json!(3.0));
    assert_eq!(verbose["segments"][0]["avg_logprob"], json!(-0.2));
    assert_eq!(verbose["words"], json!([]));
    let last = engine.bodies.lock().expect("a lock").last().cloned().expect("a request");
    assert!(last.contains("Globex") && last.contains("name=\"language\""), "{last:.300}");
    // By the other header as well, and without a model.
    let call = server.post(PATH).user(&token);
    let call = call.header("Content-Type", "multipart/form-data; boundary=XX");
    assert_eq!(call.body(form(&sound(), "a.wav", &[])).send().status, 200);
    assert_eq!(files(&server), 0, "a file is left");
}

#[test]
fn another_engine_answers_where_the_first_one_dies() {
    let engines = [SayingEngine::start(Does::Says("one")), SayingEngine::start(Does::Says("two"))];
    let (server, token, _) = start(&[&engines[0], &engines[1]], "");
    let say = || ask(&server, &token, &sound(), "a.wav", &[]).expect(200)["text"].clone();
    assert_eq!(say(), "one");
    engines[0].now(Does::Fails(500));
    assert_eq!(say(), "two");
    engines[1].now(Does::Fails(500));
    let away = ask(&server, &token, &sound(), "a.wav", &[]);
    assert_eq!(away.status, 503);
    assert_eq!(away.json()["error"]["type"], "server_error");
}

#[test]
fn what_is_no_wav_and_no_opus_goes_to_an_engine_as_it_is() {
    let engine = SayingEngine::start(Does::Says("as it is"));
    let (server, token, _) = start(&[&engine], "");
    let answer = ask(&server, &token, b"ID3\x04 and so on", "talk.mp3", &[]).expect(200);
    assert_eq!(answer["text"], "as it is");
    let body = engine.bodies.lock().expect("a lock").last().cloned().expect("a request");
    assert!(body.contains("ID3") && body.contains(".mp3"), "{body:.300}");
    let refused = ask(&server, &token, b"plain words", "talk.txt", &[]);
    assert_eq!(refused.status, 415);
    let error = &refused.json()["error"];
    assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &json!(null)));
    assert!(error["message"].as_str().expect("a sentence").contains("WAV"), "{error}");
    assert_eq!(ask(&server, &token, b"RIFF____WAVEnothing", "a.wav", &[]).status, 422);
}

#[test]
fn errors_have_the_form_of_openai_beside_ours() {
    let engine = SayingEngine::start(Does::Says("x"));
    let (server, token, _) = start(&[&engine], "");
    let error = |answer: &Answer| answer.json()["error"].clone();
    let nobody = ask(&server, "wrong", &sound(), "a.wav", &[]);
    assert_eq!((nobody.status, &error(&nobody)["type"]), (401, &json!("authentication_error")));
    assert_eq!(nobody.json()["detail"], "Invalid API token");
    let none = server.post(PATH).user(&token).send();
    assert_eq!((none.status, &error(&none)["type"]), (400, &json!("invalid_request_error")));
    let call = server.post(PATH).user(&token);
    let call = call.header("Content-Type", "multipart/form-data; boundary=XX");
    let no_file = call.body("--XX--\r\n").send();
    assert_eq!(no_file.faults(), [("missing".to_owned(), "body.file".to_owned())]);
    let expected = json!({"message": "file: Field required", "type": "invalid_request_error", "param": "file", "code": null});
    assert_eq!(error(&no_file), expected);
    let fields = [("response_format", "docx"), ("language", "klingon")];
    let faults = ask(&server, &token, &sound(), "a.wav", &fields).faults();
    let places: Vec<&str> = faults.iter().map(|(_, place)| place.as_str()).collect();
    assert_eq!(places, ["body.response_format", "body.language"]);
    let long = vec![0; 25 * 1024 * 1024 + 70_000];
    assert_eq!(ask(&server, &token, &long, "a.wav", &[]).status, 413);
    assert_eq!(ask(&server, &token, &wav(1, 601, &[]), "a.wav", &[]).status, 413);
    assert_eq!(engine.count(), 0);
    assert_eq!(files(&server), 0, "a file is left");
}

#[test]
fn tokens_need_the_permission_and_a_meetings_secret_does_not() {
    let engine = SayingEngine::start(Does::Says("words"));
    let (server, _, session) = start(&[&engine], "");
    let token = |body| {
        let made = server.post("/admin/users/1/tokens").admin().json(&body).send().expect(201);
        made["token"].as_str().expect("a token").to_owned()
    };
    let reader = token(json!({"read_only": true}));
    let refused = ask(&server, &reader, &sound(), "a.wav", &[]);
    assert_eq!(
        (refused.status, &refused.json()["error"]["type"]),
        (403, &json!("permission_error"))
    );
    assert_eq!(refused.json()["code"], "not_allowed");
    for body in [json!({"transcribe_only": true}), json!({"read_only": true, "transcribe": true})] {
        ask(&server, &token(body), &sound(), "a.wav", &[]).expect(200);
    }
    ask(&server, &session.token, &sound(), "a.wav", &[]).expect(200);
    let over = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&over).send().expect(200);
    // Its last words may come a little after its end.
    ask(&server, &session.token, &sound(), "a.wav", &[]).expect(200);
}

#[test]
fn sound_is_counted_and_bounded_by_day() {
    let engine = SayingEngine::start(Does::Says("words"));
    let (server, token, session) = start(&[&engine], "seconds_per_day_user = 7");
    ask(&server, &token, &sound(), "a.wav", &[]).expect(200);
    ask(&server, &session.token, &sound(), "a.wav", &[]).expect(200);
    let usage = server.get("/admin/usage?by=user").admin().send().expect(200);
    assert!(usage.to_string().contains("\"sound_minutes\":0.1"), "{usage}");
    // What begins within the limit is heard to its end.
    ask(&server, &token, &sound(), "a.wav", &[]).expect(200);
    for key in [&token, &session.token] {
        let refused = ask(&server, key, &sound(), "a.wav", &[]);
        assert_eq!(
            (refused.status, &refused.json()["error"]["type"]),
            (429, &json!("rate_limit_error"))
        );
        assert!(refused.header("retry-after").is_some());
    }
}

#[test]
fn two_of_a_token_and_four_of_a_user_are_heard_at_once() {
    let engine = SayingEngine::start(Does::Waits);
    let (server, token, _) = start(&[&engine], "");
    let others = [server.new_token(1), server.new_token(1)];
    let mut lines: Vec<Line> = Vec::new();
    let mut begin = |key: &str| {
        let mut line = server.line();
        let call = server.post(PATH).bearer(key);
        let call = call.header("Content-Type", "multipart/form-data; boundary=XX");
        line.send(call.body(form(&sound(), "a.wav", &[])).bytes()).expect("sent");
        lines.push(line);
        let count = lines.len();
        wait_for(|| (engine.count() == count).then_some(()));
    };
    begin(&token);
    begin(&token);
    let refused = ask(&server, &token, &sound(), "a.wav", &[]);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    begin(&others[0].text);
    begin(&others[0].text);
    assert_eq!(ask(&server, &others[1].text, &sound(), "a.wav", &[]).status, 429);
    engine.now(Does::Says("at last"));
    for mut line in lines {
        assert_eq!(line.answer(false).expect("an answer").expect(200)["text"], "at last");
    }
    wait_for(|| {
        (ask(&server, &others[1].text, &sound(), "a.wav", &[]).status == 200).then_some(())
    });
}

#[test]
fn a_server_without_an_engine_says_what_to_do() {
    let (server, token, _) = start(&[], "");
    let answer = ask(&server, &token, &sound(), "a.wav", &[]);
    assert_eq!(answer.status, 503);
    assert!(
        answer.json()["error"]["message"].as_str().expect("a sentence").contains("whisper_model")
    );
}

#[test]
fn what_was_being_received_is_gone_after_a_crash() {
    let engine = SayingEngine::start(Does::Says("words"));
    let (server, token, _) = start(&[&engine], "");
    ask(&server, &token, &sound(), "a.wav", &[]).expect(200);
    let setup = server.stop();
    let left = setup.folder().join("vomeet.db.sound/0c9e.receiving");
    fs::write(&left, "sound").expect("written");
    let _server = setup.start();
    wait_for(|| (!left.exists()).then_some(()));
}

#[test]
fn a_file_that_only_an_engine_reads_has_ten_minutes_too() {
    let engine = SayingEngine::start(Does::Lasts(601));
    let (server, token, _) = start(&[&engine], "");
    let refused = ask(&server, &token, b"ID3\x04 and so on", "a.mp3", &[]);
    assert_eq!(refused.status, 413, "{}", refused.json());
}
