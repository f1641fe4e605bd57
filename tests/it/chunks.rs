//! What a recogniser posts itself, a chunk of sound at a time.

use crate::client::Answer;
use crate::segments::{Session, one_meeting, said};
use crate::server::Server;
use serde_json::{Value, json};

/// Ten seconds after the session of the tests began, in milliseconds since 1970.
const ENDED: i64 = crate::segments::BEGAN + 10_000;

fn post(server: &Server, session: &Session, body: &Value) -> Answer {
    server.post("/transcripts/webhook").bearer(&session.token).json(body).send()
}

/// As the recogniser posts it: times from the start of the chunk, which ended at `timestamp`.
fn chunk(session: &Session, index: i64, text: &str) -> Value {
    json!({
        "session_id": session.uid, "meeting_id": 1, "audio_key": "x", "chunk_index": index,
        "timestamp": ENDED + 10_000 * index, "text": text, "language": "en",
        "language_probability": 0.99, "duration": 8.0, "speaker": "Ada",
        "segments": [{"start": 0.5, "end": 2.5, "text": text, "temperature": 0.0}]
    })
}

#[test]
fn a_chunk_lies_where_its_sound_was_and_comes_twice_without_harm() {
    let (server, key, session) = one_meeting();
    for _ in 0..2 {
        for index in [0, 1] {
            let body = chunk(&session, index, &format!("words {index}"));
            let stored = post(&server, &session, &body).expect(200);
            assert_eq!((&stored["status"], &stored["accepted"]), (&json!("success"), &json!(1)));
        }
    }
    let ada = json!("Ada");
    let expected =
        [(2.5, 4.5, ada.clone(), "words 0".to_owned()), (12.5, 14.5, ada, "words 1".to_owned())];
    assert_eq!(said(&server, &key), expected);
    let transcript = server.get("/transcripts/by-id/1").user(&key).send().expect(200);
    assert_eq!(transcript["segments"][0]["language"], "en");
    assert_eq!(transcript["segments"][0]["speaker_source"], "stream");
}

#[test]
fn a_chunk_without_segments_is_one_and_a_batch_of_a_bot_is_taken_too() {
    let (server, key, session) = one_meeting();
    let whole = json!({"session_id": "r-1", "chunk_index": 0, "timestamp": ENDED, "duration": 4,
        "text": " all of it ", "segments": null});
    assert_eq!(post(&server, &session, &whole).expect(200)["accepted"], 1);
    let silent = json!({"session_id": "r-1", "chunk_index": 1, "timestamp": ENDED, "text": ""});
    assert_eq!(post(&server, &session, &silent).expect(200)["accepted"], 0);
    let batch = json!({"uid": session.uid, "segments": [{"start": 20, "end": 21, "text": "a batch"},
        {"start": "x", "end": 1, "text": "refused"}]});
    let stored = post(&server, &session, &batch).expect(200);
    assert_eq!((&stored["accepted"], &stored["refused"][0]["index"]), (&json!(1), &json!(1)));
    let expected = [
        (6.0, 10.0, Value::Null, "all of it".to_owned()),
        (20.0, 21.0, Value::Null, "a batch".to_owned()),
    ];
    assert_eq!(said(&server, &key), expected);
}

#[test]
fn what_cannot_be_a_chunk_is_said() {
    let (server, _, session) = one_meeting();
    for (body, field) in [
        (json!({"text": "x", "timestamp": ENDED}), "body.session_id"),
        (json!({"session_id": "s"}), "body.text"),
        (json!({"session_id": "s", "text": "x"}), "body.timestamp"),
        (json!({"session_id": "s", "text": "x", "timestamp": "soon"}), "body.timestamp"),
        (
            json!({"session_id": "s", "text": "x", "timestamp": ENDED, "duration": "long"}),
            "body.duration",
        ),
    ] {
        let faults = post(&server, &session, &body).faults();
        assert_eq!(faults.len(), 1, "{body}: {faults:?}");
        assert_eq!(faults[0].1, field, "{body}");
    }
    let no_key = server.post("/transcripts/webhook").json(&chunk(&session, 0, "x")).send();
    assert_eq!(no_key.refusal(), (401, "Invalid bot token".to_owned()));
}
