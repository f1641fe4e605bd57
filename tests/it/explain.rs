//! Why a meeting has no words, or words without names: whose fault it is and what to do, to its
//! owner, to administrators and at a shell.

use crate::cli::done;
use crate::segments::{BEGAN, insert_session, insert_stream};
use crate::server::Setup;
use crate::tokens::insert_token;
use rusqlite::Connection;
use serde_json::{Value, json};

/// A meeting of user 1 that is over, heard for ten minutes, with windows of each outcome.
fn heard(db: &Connection) {
    insert_session(db, 1, "abc-defg-hij");
    let stream = insert_stream(db, 1);
    let steps = json!({
        "status_transition": [
            {"from": "requested", "to": "active", "timestamp": "2025-10-10T12:00:00.000Z", "source": "bot_callback"},
            {"from": "active", "to": "completed", "timestamp": "2025-10-10T12:20:00.000Z", "source": "bot_callback", "reason": "left_alone"},
        ],
        "completion_reason": "left_alone",
    });
    let over = "UPDATE meetings SET status = 'completed', end_time = ?1, data = ?2 WHERE id = 1";
    db.execute(over, (BEGAN + 1_200_000, steps.to_string())).expect("over");
    db.execute_batch(&format!(
        "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, ended_at, heard_ms, cut_ms)
           VALUES (1, {stream}, 'whisper_live', 's16le', 16000, 1, {BEGAN} + 600000, 600000, 600000);
         INSERT INTO windows (sound_id, start_ms, end_ms, spool_offset, created_at, attempts, next_at, outcome, last_error)
           VALUES (1, 0, 9000, 0, {BEGAN}, 1, NULL, 'withheld', NULL),
                  (1, 9000, 18000, 0, {BEGAN}, 0, NULL, 'silent', NULL);
         INSERT INTO withheld (window_id, start_ms, end_ms, text, reason) VALUES (1, 0, 1000, 'you', 'known_of_silence');
         INSERT INTO alarms VALUES (1, 'no_words', {BEGAN} + 60000, NULL);
         INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, last_error)
           VALUES (1, 1, 'd', '{{}}', 0, 9, 'no answer came');",
    ))
    .expect("rows");
}

#[test]
fn what_happened_is_told_in_order_with_whose_fault_it_is() {
    let mut keys = Vec::new();
    let setup = Setup::new().rows(|db| {
        keys = vec![insert_token(db, 1, None), insert_token(db, 2, None)];
        heard(db);
    });
    let server = setup.start();
    let explained = server.get("/meetings/1/explain").user(&keys[0]).send().expect(200);
    assert_eq!(explained["fault"], "all_withheld");
    assert_eq!(
        explained["sentence"],
        "All that was heard is withheld: it is no speech, or not sure."
    );
    let events = explained["events"].as_array().expect("events").iter();
    let told: Vec<Value> = events.map(|event| json!([event["what"], event["source"]])).collect();
    assert_eq!(
        told,
        [
            json!(["created", null]),
            json!(["active", "bot_callback"]),
            json!(["sound begins: 600 s of it came", "whisper_live"]),
            json!(["alarm no_words", "server"]),
            json!(["sound ends", "whisper_live"]),
            json!(["completed: left_alone", "bot_callback"]),
        ]
    );
    assert_eq!(explained["windows"], json!({"silent": 1, "withheld": 1}));
    assert_eq!(explained["withheld"], json!({"known_of_silence": 1}));
    assert_eq!(explained["webhooks"], json!({"given_up": 1}));
    assert_eq!(explained["webhook_error"], "no answer came");
    assert_eq!(explained["alarms"][0]["kind"], "no_words");
    assert_eq!(explained["sounds"][0]["heard_seconds"], 600);
    assert_eq!(server.get("/admin/meetings/1/explain").admin().send().expect(200), explained);
    for answer in [
        server.get("/meetings/1/explain").user(&keys[1]).send(),
        server.get("/meetings/9/explain").user(&keys[0]).send(),
        server.get("/admin/meetings/9/explain").admin().send(),
    ] {
        assert_eq!(answer.refusal(), (404, "Meeting not found".to_owned()));
    }
    // An engine does not take what waits, and says why.
    let setup = server.stop().rows(|db| {
        let sql = "UPDATE windows SET outcome = NULL, next_at = 1, last_error = 'The engine desk answers with status 401.' WHERE id = 1";
        db.execute(sql, []).expect("it waits");
    });
    let server = setup.set("VOMEET_TRANSCRIPTION_USER_ENGINES", "true").start();
    let explained = server.get("/meetings/1/explain").user(&keys[0]).send().expect(200);
    assert_eq!(explained["fault"], "engine_away");
    let sentence = "No engine has taken its sound since 2025-10-10T12:00:00.000Z: The engine desk answers with status 401.";
    assert_eq!(explained["sentence"], sentence);
    assert_eq!(explained["engine_errors"][0]["attempts"], 1);
}

#[test]
fn meetings_without_sound_are_explained_too() {
    let mut key = String::new();
    let mut session = None;
    let setup = Setup::new().rows(|db| {
        key = insert_token(db, 1, None);
        session = Some(insert_session(db, 1, "abc-defg-hij"));
        db.execute(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
             VALUES (1, 'teams', '7', 'failed', '{\"failure_stage\": \"joining\", \"error\": \"no such meeting\"}', 0, 0),
                    (1, 'teams', '8', 'completed', '{\"completion_reason\": \"awaiting_admission_timeout\"}', 0, 0),
                    (1, 'teams', NULL, 'completed', '{\"redacted\": true}', 0, 0)",
            [],
        )
        .expect("meetings");
    });
    let server = setup.start();
    let session = session.expect("a session");
    let fault = |id: i64| {
        let explained = server.get(format!("/meetings/{id}/explain")).user(&key).send().expect(200);
        explained["fault"].as_str().expect("a word").to_owned()
    };
    let found = [fault(1), fault(2), fault(3), fault(4)];
    assert_eq!(found, ["no_words_sent", "not_joined", "not_admitted", "deleted"]);
    session.say(&server, &json!([{"start": 1, "end": 2, "text": "one"}]));
    assert_eq!(fault(1), "no_names");
    session.say(&server, &json!([{"start": 3, "end": 4, "text": "two", "speaker": "Ada"}]));
    assert_eq!(fault(1), "none");
    let named = json!({"from": "Ada", "to": "Grace"});
    server.patch("/transcripts/by-id/1/speakers").user(&key).json(&named).send().expect(200);
    let explained = server.get("/meetings/1/explain").user(&key).send().expect(200);
    assert_eq!(explained["names"], json!({"corrected": 1, "unknown": 1}));
    assert_eq!(explained["words"]["segments"], 2);
}

#[test]
fn a_meeting_is_explained_at_a_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    done(folder.path(), &["user", "add", "ada@example.com"]);
    crate::server::open_file(&folder.path().join("vomeet.db"), heard);
    let text = done(folder.path(), &["meetings", "explain", "1"]);
    for line in [
        "What is wrong   ",
        "All that was heard is withheld: it is no speech, or not sure.",
        "AT                    WHAT                            BY",
        "2025-10-10T12:20:00Z  completed: left_alone           bot_callback",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let json = done(folder.path(), &["meetings", "explain", "1", "--output", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["fault"], "all_withheld");
}
