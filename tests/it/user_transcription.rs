//! `/user/transcription`: an engine of a user's own, whose key is shown nowhere, and a vocabulary;
//! the vocabulary of a meeting.

use crate::client::{Answer, Client, fields, find};
use crate::secrets::everything;
use crate::segments::one_meeting;
use crate::server::{Server, Setup, open_file};
use serde_json::{Value, json};
use vomeet::domain::{Patch, UserId};
use vomeet::error::Result;
use vomeet::store::{DeleteUserTranscription, SentEngine, SetUserTranscription, Store};

const PATH: &str = "/user/transcription";
const KEY: &str = "sk-Zqkeyofanengine";
const URL: &str = "https://asr.example.com/v1/audio/transcriptions";

/// What a user sets and deletes, for the story of all verbs.
pub async fn write_settings(store: &Store) -> Result<()> {
    let engine = |url: &str, key| {
        Patch::Set(SentEngine { url: url.to_owned(), model: "whisper-1".to_owned(), key })
    };
    let key = || Patch::Set(serde_json::from_value(json!(KEY)).expect("a key"));
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    for (user, engine, vocabulary) in [
        (1, engine(URL, key()), words(&["Ada"])),
        (1, engine(URL, Patch::Keep), None),
        (2, engine(URL, key()), None),
        (2, engine("https://example.com/", Patch::Keep), words(&[])),
        (2, Patch::Keep, words(&["Grace", "Zoë"])),
        (3, Patch::Clear, words(&["gone"])),
    ] {
        let user_id = UserId(user);
        store.write(SetUserTranscription { user_id, engine, vocabulary }).await?;
    }
    store.write(DeleteUserTranscription { user_id: UserId(3) }).await
}

fn allowing() -> Setup {
    Setup::new().set("VOMEET_TRANSCRIPTION_USER_ENGINES", "true")
}

fn user(server: &Client) -> String {
    server.new_token(server.new_user("one@example.com")).text
}

fn put(server: &Client, key: &str, body: &Value) -> Answer {
    server.call("PUT", PATH).user(key).json(body).send()
}

fn get(server: &Client, key: &str) -> Value {
    server.get(PATH).user(key).send().expect(200)
}

fn nothing() -> Value {
    json!({ "engine": null, "vocabulary": [] })
}

#[test]
fn an_engine_and_a_vocabulary_are_set_changed_and_deleted() {
    let server = allowing().start();
    let key = user(&server);
    assert_eq!(get(&server, &key), nothing());
    let engine = json!({ "url": URL, "model": "whisper-1", "key": KEY });
    let body = json!({ "engine": engine, "vocabulary": ["Ada", " Ada ", "", "Grace Hopper"] });
    let shown = json!({ "url": URL, "model": "whisper-1", "has_key": true });
    let whole = json!({ "engine": shown, "vocabulary": ["Ada", "Grace Hopper"] });
    assert_eq!(put(&server, &key, &body).expect(200), whole);
    assert_eq!(get(&server, &key), whole);
    let change = |body: &Value| put(&server, &key, body).expect(200);
    // What is left out stays; the key stays while the address does, and is sent nowhere else.
    let answer = change(&json!({ "vocabulary": ["Zoë"] }));
    assert_eq!((&answer["engine"], &answer["vocabulary"]), (&shown, &json!(["Zoë"])));
    let answer = change(&json!({ "engine": { "url": URL, "model": "other" } }));
    assert_eq!(answer["engine"], json!({ "url": URL, "model": "other", "has_key": true }));
    assert_eq!(answer["vocabulary"], json!(["Zoë"]));
    let elsewhere = "https://other.example.com/v1/audio/transcriptions";
    let answer = change(&json!({ "engine": { "url": elsewhere, "model": "other" } }));
    assert_eq!(answer["engine"]["has_key"], false);
    change(&json!({ "engine": engine }));
    let answer = change(&json!({ "engine": { "url": URL, "model": "other", "key": null } }));
    assert_eq!(answer["engine"]["has_key"], false, "null is no key");
    let answer = change(&json!({ "engine": null }));
    assert_eq!(answer, json!({ "engine": null, "vocabulary": ["Zoë"] }));
    change(&json!({ "engine": engine, "vocabulary": [] }));
    let server = server.restart();
    assert_eq!(get(&server, &key), json!({ "engine": shown, "vocabulary": [] }));
    for _ in 0..2 {
        assert_eq!(server.delete(PATH).user(&key).send().status, 204);
        assert_eq!(get(&server, &key), nothing());
    }
    let other = server.new_token(server.new_user("two@example.com")).text;
    put(&server, &other, &body).expect(200);
    assert_eq!(get(&server, &key), nothing(), "it is the other user's");
}

#[test]
fn engines_of_users_are_off_unless_they_are_allowed() {
    let server = Server::start();
    let key = user(&server);
    let engine = json!({ "engine": { "url": URL, "model": "x" }, "vocabulary": ["Ada"] });
    let (status, why) = put(&server, &key, &engine).refusal();
    assert_eq!(status, 403);
    assert!(why.contains("transcription.user_engines"), "{why}");
    assert_eq!(get(&server, &key), nothing(), "nothing of it is kept");
    put(&server, &key, &json!({ "engine": null, "vocabulary": ["Ada"] })).expect(200);
    assert_eq!(get(&server, &key)["vocabulary"], json!(["Ada"]));
}

#[test]
fn what_is_no_engine_and_no_term_is_refused() {
    let server = allowing().start();
    let key = user(&server);
    let engine = |url: &str| json!({ "engine": { "url": url, "model": "x", "key": KEY } });
    let long = "x".repeat(65);
    let many: Vec<String> = (0..201).map(|number| number.to_string()).collect();
    for (body, kind, place) in [
        (json!({}), "missing", "body.engine"),
        (json!({ "vocabulary": null }), "missing", "body.engine"),
        (json!({ "engine": {} }), "missing", "body.engine.url"),
        (json!({ "engine": [] }), "model_attributes_type", "body.engine"),
        (json!({ "engine": { "url": URL } }), "missing", "body.engine.model"),
        (engine(""), "missing", "body.engine.url"),
        (engine("ftp://example.com/"), "url_parsing", "body.engine.url"),
        (engine("https://me:secret@example.com/"), "url_parsing", "body.engine.url"),
        (engine("https://asr.example.com/v1?key=x"), "url_parsing", "body.engine.url"),
        (engine("http://127.0.0.1:9000/asr"), "url_private", "body.engine.url"),
        (engine("http://0x7f.1/asr"), "url_private", "body.engine.url"),
        (engine("http://[::ffff:10.0.0.1]/"), "url_private", "body.engine.url"),
        (engine("http://169.254.169.254/"), "url_private", "body.engine.url"),
        (
            json!({ "engine": { "url": URL, "model": "x", "key": "a b" } }),
            "string_pattern_mismatch",
            "body.engine.key",
        ),
        (
            json!({ "engine": { "url": URL, "model": "x", "key": "k".repeat(513) } }),
            "string_too_long",
            "body.engine.key",
        ),
        (
            json!({ "engine": { "url": URL, "model": "x".repeat(256) } }),
            "string_too_long",
            "body.engine.model",
        ),
        (json!({ "vocabulary": "Ada" }), "list_type", "body.vocabulary"),
        (json!({ "vocabulary": many }), "too_long", "body.vocabulary"),
        (json!({ "vocabulary": ["Ada", long] }), "string_too_long", "body.vocabulary.1"),
        (json!({ "vocabulary": ["a\nb"] }), "string_pattern_mismatch", "body.vocabulary.0"),
        (json!({ "vocabulary": [7] }), "string_type", "body.vocabulary.0"),
    ] {
        let answer = put(&server, &key, &body);
        let faults = answer.faults();
        let found = faults.iter().any(|(found, at)| found == kind && at == place);
        assert!(found, "{body}: {faults:?}");
        assert!(!answer.text().contains(KEY), "a key is in no fault: {}", answer.text());
    }
    assert_eq!(get(&server, &key), nothing());
    let most: Vec<String> = (0..200).map(|number| format!("{number:064}")).collect();
    let answer = put(&server, &key, &json!({ "vocabulary": most })).expect(200);
    assert_eq!(answer["vocabulary"], json!(most));
}

#[test]
fn a_key_is_in_no_answer_export_or_audit_entry_and_goes_with_its_user() {
    let server = allowing().start();
    let id = server.new_user("one@example.com");
    let key = server.new_token(id).text;
    let engine = json!({ "url": URL, "model": "Zqmodel", "key": KEY });
    let body = json!({ "engine": engine, "vocabulary": ["Zqterm"] });
    let put = put(&server, &key, &body);
    let get = |path: &str| server.get(path).admin().user(&key).send();
    let export = get(&format!("/admin/users/{id}/export"));
    let answers = [put, get(PATH), get("/user"), get("/admin/audit"), get("/admin/users/1")];
    for answer in answers.iter().chain([&export]) {
        assert!(answer.status == 200 && !answer.text().contains(KEY), "{}", answer.text());
    }
    let exported = &export.json()["transcription"];
    assert_eq!(fields(exported), ["engine_url", "has_key", "model", "vocabulary"]);
    let expected = json!({
        "engine_url": URL, "has_key": true, "model": "Zqmodel", "vocabulary": ["Zqterm"],
    });
    assert_eq!(*exported, expected);
    let holds = |server: &Server, mark: &str| {
        let files = everything(server.folder());
        files.into_iter().any(|(_, bytes)| find(&bytes, mark.as_bytes()).is_some())
    };
    assert!(holds(&server, KEY), "nothing is tested");
    assert_eq!(server.delete(format!("/admin/users/{id}")).admin().send().status, 204);
    crate::client::wait_for(|| {
        let marks = [KEY, "Zqmodel", "Zqterm"];
        (!marks.iter().any(|mark| holds(&server, mark))).then_some(())
    });
}

#[test]
fn a_meeting_has_a_vocabulary_of_its_own() {
    let (server, key, _) = one_meeting();
    let path = "/meetings/google_meet/abc-defg-hij";
    let note = |terms: &Value| {
        let body = json!({ "data": { "vocabulary": terms } });
        server.patch(path).user(&key).json(&body).send()
    };
    let noted = note(&json!(["Kubernetes", " Kubernetes", "Ada"])).expect(200);
    assert_eq!(noted["data"]["vocabulary"], json!(["Kubernetes", "Ada"]));
    let by_id = json!({ "data": { "vocabulary": ["Zoë"] } });
    let noted = server.patch("/meetings/1").user(&key).json(&by_id).send().expect(200);
    assert_eq!(noted["data"]["vocabulary"], json!(["Zoë"]));
    let many: Vec<String> = (0..201).map(|number| number.to_string()).collect();
    for (terms, kind, place) in [
        (json!(many), "too_long", "body.data.vocabulary"),
        (json!(["x".repeat(65)]), "string_too_long", "body.data.vocabulary.0"),
        (json!("Ada"), "list_type", "body.data.vocabulary"),
    ] {
        assert_eq!(note(&terms).faults(), [(kind.to_owned(), place.to_owned())]);
    }
    let meeting = server.get("/meetings/1").user(&key).send().expect(200);
    assert_eq!(meeting["data"]["vocabulary"], json!(["Zoë"]));
}

#[test]
fn a_bot_is_sent_with_the_vocabulary_of_its_meeting() {
    let server = Setup::new().set("VOMEET_BOTS_RUNNER", "demo").start();
    let limited = json!({ "email": "one@example.com", "max_concurrent_bots": 3 });
    server.post("/admin/users").admin().json(&limited).send().expect(201);
    let key = server.new_token(1).text;
    let bot = |native: &str, join_at: Option<&str>, vocabulary: &Value| {
        let body = json!({
            "platform": "google_meet", "native_meeting_id": native, "join_at": join_at,
            "vocabulary": vocabulary,
        });
        server.post("/bots").user(&key).json(&body).send()
    };
    let sent = bot("abc-defg-hij", None, &json!(["Ada", "Ada "])).expect(201);
    assert_eq!(sent["data"]["vocabulary"], json!(["Ada"]), "{sent}");
    let hour = std::time::Duration::from_hours(1);
    let later = jiff::Timestamp::now() + hour;
    let planned = bot("abc-defg-hik", Some(&later.to_string()), &json!(["Grace"])).expect(201);
    assert_eq!(planned["data"]["vocabulary"], json!(["Grace"]), "{planned}");
    let moved = bot("abc-defg-hik", Some(&later.to_string()), &Value::Null).expect(200);
    assert_eq!(moved["data"]["vocabulary"], json!(["Grace"]), "the notes stay: {moved}");
    let answer = bot("abc-defg-hil", None, &json!(["x".repeat(65)]));
    let expected = [("string_too_long".to_owned(), "body.vocabulary.0".to_owned())];
    assert_eq!(answer.faults(), expected);
}

#[test]
fn stored_settings_that_nobody_wrote_do_no_harm() {
    let setup = allowing();
    let mut key = String::new();
    let setup = setup.rows(|db| key = crate::tokens::insert_token(db, 1, None));
    let server = setup.start();
    let setup = server.stop();
    open_file(&setup.database(), |db| {
        let sql = "INSERT INTO user_transcription (user_id, url, vocabulary) VALUES (1, 'x', '{')";
        db.execute(sql, []).expect("a row");
    });
    let server = setup.start();
    let shown = json!({ "url": "x", "model": "", "has_key": false });
    assert_eq!(get(&server, &key), json!({ "engine": shown, "vocabulary": [] }));
}
