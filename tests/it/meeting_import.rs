//! Transcripts that are imported: what was exported comes back to the letter.

use crate::client::{Answer, Client};
use crate::segments::one_meeting;
use serde_json::{Value, json};

fn import(server: &Client, token: &str, query: &str, text: &str) -> Answer {
    let call = server.post(format!("/meetings/import{query}")).user(token);
    call.body(text).send()
}

fn export(server: &Client, token: &str, id: &Value, format: &str) -> String {
    let path = format!("/transcripts/by-id/{id}{format}");
    let answer = server.get(path).user(token).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().to_owned()
}

#[test]
fn what_was_exported_comes_back_to_the_letter() {
    let (server, token, session) = one_meeting();
    session.say(
        &server,
        &json!([
            {"segment_id": "ada:1", "start": 0.5, "end": 62.003, "text": "Good morning: <all> & more.", "speaker": "Ada", "language": "en"},
            {"start": 1.25, "end": 3.0, "text": "überlappend --> so", "language": "de"},
            {"start": 1.25, "end": 2.999, "text": "Same start.", "speaker": "Dr. No", "language": "en"},
            {"start": 3600.001, "end": 3601.0, "text": "Later.", "speaker": "Ada"},
        ]),
    );
    let over = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&over).send().expect(200);
    let whole: Value = serde_json::from_str(&export(&server, &token, &json!(1), "")).expect("JSON");
    let made = import(&server, &token, "", &whole.to_string()).expect(201);
    assert_eq!(
        (&made["status"], &made["native_meeting_id"]),
        (&json!("completed"), &json!("abc-defg-hij"))
    );
    let again: Value =
        serde_json::from_str(&export(&server, &token, &made["id"], "")).expect("JSON");
    assert_eq!(again["segments"].to_string(), whole["segments"].to_string());
    assert_eq!(
        (&again["start_time"], &again["end_time"]),
        (&whole["start_time"], &whole["end_time"])
    );
    for format in ["srt", "vtt"] {
        let query = format!("?format={format}");
        let first = export(&server, &token, &json!(1), &query);
        let start = format!("?format={format}&start_time=2025-10-10T12:00:00Z&name=Copy");
        let made = import(&server, &token, &start, &first).expect(201);
        assert_eq!(export(&server, &token, &made["id"], &query), first);
        assert_eq!(made["data"]["name"], "Copy");
    }
    let found = server.get("/transcripts/search?q=later").user(&token).send().expect(200);
    assert_eq!(found["results"].as_array().map_or(0, Vec::len), 4, "{found}");
}

#[test]
fn faults_are_told_by_line() {
    let (server, token, _) = one_meeting();
    let sentence = |query: &str, text: &str| {
        let answer = import(&server, &token, query, text);
        assert_eq!(answer.faults()[0].1, "body.body");
        answer.json()["detail"][0]["msg"].as_str().expect("a sentence").to_owned()
    };
    let at = "?start_time=2025-10-10T12:00:00Z";
    assert!(sentence(at, "1\n00:00:01 --> 00:00:02\na").contains("line 2: "));
    assert!(sentence(at, "WEBVTT\n\n00:02.000 --> 00:01.000\na").contains("line 3: "));
    assert!(sentence(at, "{\n\"segments\": 1}").contains("line 2: "));
    assert!(sentence(at, "").contains("line 1: "));
    let twice = json!({"segments": [
        {"segment_id": "a", "start": 1, "end": 2, "text": "x"},
        {"segment_id": "a", "start": 3, "end": 4, "text": "y"},
    ]});
    assert!(sentence(at, &twice.to_string()).contains("\"a\""));
    let no_start = import(&server, &token, "", "1\n00:00:01,000 --> 00:00:02,000\na");
    assert_eq!(no_start.faults(), [("missing".to_owned(), "body.start_time".to_owned())]);
    let body = json!({"platforms": ["zoom"]});
    let narrow = server.post("/admin/users/1/tokens").admin().json(&body).send().expect(201);
    let narrow = narrow["token"].as_str().expect("a token");
    let srt = "1\n00:00:01,000 --> 00:00:02,000\na";
    assert_eq!(import(&server, narrow, at, srt).status, 403);
    import(&server, narrow, &format!("{at}&platform=zoom&native_meeting_id=1234567890"), srt)
        .expect(201);
}
