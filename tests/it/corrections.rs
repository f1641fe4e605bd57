//! A transcript that somebody corrects: a line, a speaker's name. Everything that shows words
//! follows at once, a bot that repeats itself undoes nothing, and all of it can be taken back.

use crate::client::{Answer, Client, segment as in_path};
use crate::indexing::index_now;
use crate::segments::{Session, insert_session, one_meeting};
use crate::server::{Setup, open_file};
use crate::steady::cursor_of;
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use serde_json::{Value, json};

const MEETING: &str = "/transcripts/google_meet/abc-defg-hij";
const BY_ID: &str = "/transcripts/by-id/1";

fn transcript(client: &Client, key: &str) -> Value {
    client.get(MEETING).user(key).send().expect(200)
}

/// Text, speaker and source of its name of each segment.
fn spoken(client: &Client, key: &str) -> Vec<Value> {
    let body = transcript(client, key);
    let segments = body["segments"].as_array().expect("segments");
    let of = |s: &Value| json!([s["text"], s["speaker"], s["speaker_source"]]);
    segments.iter().map(of).collect()
}

fn found(client: &Client, key: &str, query: &str) -> Vec<Value> {
    let page = client.get(format!("/transcripts/search?{query}")).user(key).send().expect(200);
    page["results"].as_array().expect("results").clone()
}

fn correct(client: &Client, key: &str, id: &str, text: &Value) -> Answer {
    let path = format!("{BY_ID}/segments/{}", in_path(id));
    client.patch(path).user(key).json(&json!({ "text": text })).send()
}

fn withdraw(client: &Client, key: &str, id: &str) -> Answer {
    client.delete(format!("{BY_ID}/segments/{}/correction", in_path(id))).user(key).send()
}

fn rename(client: &Client, key: &str, from: &Value, to: &Value) -> Answer {
    let body = json!({ "from": from, "to": to });
    client.patch(format!("{BY_ID}/speakers")).user(key).json(&body).send()
}

/// A segment with a name of its own.
fn said(id: &str, start: f64, speaker: &Value, text: &str) -> Value {
    json!({"segment_id": id, "start": start, "end": start + 1.0, "speaker": speaker, "text": text})
}

#[test]
fn all_that_shows_words_follows_a_correction() {
    let (server, key, session) = one_meeting();
    let lines = json!([
        said("a", 1.0, &json!("Ada"), "Good mourning everybody."),
        said("b", 3.0, &json!("Ben"), "Hello."),
    ]);
    session.say(&server, &lines);
    let share = server.post(format!("{MEETING}/share")).user(&key).json(&json!({})).send();
    let share = share.expect(201)["url"].as_str().expect("a link").to_owned();
    let share = share[share.find("/public").expect("a path")..].replace(".txt", "");
    let before = server.get(MEETING).user(&key).send();
    let tag = before.header("etag").expect("a tag").to_owned();
    let cursor = cursor_of(&before.json());
    let mut watcher = Watcher::open(&server, &key);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);

    let shown = correct(&server, &key, "a", &json!(" Good morning everybody. ")).expect(200);
    assert_eq!(shown["text"], "Good morning everybody.");
    assert_eq!((&shown["corrected"], &shown["completed"]), (&json!(true), &json!(true)));
    assert_eq!(shown["original_text"], "Good mourning everybody.");
    assert!(shown["corrected_at"].is_string() && shown["segment_id"] == "a", "{shown}");
    let whole = transcript(&server, &key);
    assert_eq!(whole["segments"][0], shown);
    assert_eq!(whole["segments"][1].get("corrected"), None, "nobody corrected it");
    for (format, line) in
        [("txt", "Ada: Good morning"), ("srt", "Good morning"), ("vtt", "Good mor")]
    {
        let text = server.get(format!("{MEETING}?format={format}")).user(&key).send();
        assert!(text.text().contains(line) && !text.text().contains("mourning"), "{format}");
    }
    for ending in ["txt", "md", "json"] {
        let text = server.get(format!("{share}.{ending}")).send();
        assert!(text.text().contains("Good morning"), "{ending}");
        assert!(!text.text().contains("mourning"), "{ending} shows what was corrected");
    }
    let again = server.get(MEETING).user(&key).header("If-None-Match", &tag).send();
    assert_eq!(again.status, 200, "its tag is another");
    let changed = server.get(format!("{MEETING}?after={cursor}")).user(&key).send().expect(200);
    assert_eq!((&changed["is_whole"], &changed["segments"]), (&json!(false), &json!([shown])));
    let pushed = watcher.json();
    assert_eq!(pushed["payload"]["segments"][0]["text"], shown["text"]);
    assert_eq!(pushed["payload"]["segments"][0]["original_text"], shown["original_text"]);
    assert_eq!(pushed["payload"]["segments"].as_array().map(Vec::len), Some(1));

    assert_eq!(found(&server, &key, "q=mourning"), Vec::<Value>::new());
    let hit = &found(&server, &key, "q=morning")[0];
    assert_eq!(hit["original_text"], "Good mourning everybody.");
    let export = server.get("/admin/users/1/export").admin().send().expect(200);
    assert_eq!(export["meetings"][0]["segments"][0], shown);
}

#[test]
fn the_index_has_the_words_that_are_shown() {
    let (server, key, session) = one_meeting();
    session.say(&server, &json!([said("a", 1.0, &json!("Ada"), "mourning")]));
    index_now(&server);
    correct(&server, &key, "a", &json!("morning")).expect(200);
    rename(&server, &key, &json!("Ada"), &json!("Grace")).expect(200);
    for round in ["read", "indexed"] {
        for (query, count) in [
            ("q=mourning", 0),
            ("q=morning", 1),
            ("q=morning&speaker=grace", 1),
            ("q=morning&speaker=ada", 0),
        ] {
            assert_eq!(found(&server, &key, query).len(), count, "{round}: {query}");
        }
        index_now(&server);
    }
    withdraw(&server, &key, "a").expect(200);
    for round in ["read", "indexed"] {
        for (query, count) in [("q=mourning", 1), ("q=morning", 0)] {
            assert_eq!(found(&server, &key, query).len(), count, "{round}: {query}");
        }
        index_now(&server);
    }
}

#[test]
fn a_bot_that_repeats_itself_undoes_no_correction() {
    let (server, key, session) = one_meeting();
    let line = |text: &str| json!([said("a", 1.0, &json!("Ada"), text)]);
    session.say(&server, &line("teh first"));
    correct(&server, &key, "a", &json!("The first")).expect(200);
    session.say(&server, &line("teh first"));
    assert_eq!(spoken(&server, &key), [json!(["The first", "Ada", "stream"])]);
    session.say(&server, &line("teh very first"));
    let segment = transcript(&server, &key)["segments"][0].clone();
    assert_eq!(
        (&segment["text"], &segment["original_text"]),
        (&json!("The first"), &json!("teh very first"))
    );
    // Corrected to what came is no correction, nor is one that is taken back.
    let same = correct(&server, &key, "a", &json!("teh very first")).expect(200);
    assert_eq!((&same["text"], same.get("corrected")), (&json!("teh very first"), None));
    correct(&server, &key, "a", &json!("The first")).expect(200);
    for back in [withdraw(&server, &key, "a"), correct(&server, &key, "a", &Value::Null)] {
        let shown = back.expect(200);
        assert_eq!((&shown["text"], shown.get("original_text")), (&json!("teh very first"), None));
        correct(&server, &key, "a", &json!("The first")).expect(200);
    }
    // What a bot takes back is gone with its correction, and comes again as it comes.
    let gone = json!({ "segment_ids": ["a"] });
    server.delete("/bots/internal/segments").bearer(&session.token).json(&gone).send().expect(200);
    session.say(&server, &line("new"));
    assert_eq!(spoken(&server, &key), [json!(["new", "Ada", "stream"])]);
}

#[test]
fn a_speaker_is_renamed_everywhere_and_later() {
    let (server, key, session) = one_meeting();
    session.say(
        &server,
        &json!([
            said("a", 1.0, &json!("Speaker 1"), "one"),
            said("b", 2.0, &json!("Speaker 2"), "two"),
            said("c", 3.0, &json!("Speaker 1"), "three"),
            said("d", 4.0, &Value::Null, "four")
        ]),
    );
    let cursor = cursor_of(&transcript(&server, &key));
    let mut watcher = Watcher::open(&server, &key);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);
    let renamed = rename(&server, &key, &json!("Speaker 1"), &json!(" Ada ")).expect(200);
    assert_eq!(renamed, json!({"from": "Speaker 1", "to": "Ada", "segments": 2}));
    assert_eq!(watcher.json()["payload"]["segments"].as_array().map(Vec::len), Some(2));
    let changed = server.get(format!("{MEETING}?after={cursor}")).user(&key).send().expect(200);
    assert_eq!(changed["segments"].as_array().map(Vec::len), Some(2));
    // One that comes later, a draft, and the same batch again.
    let later = json!([said("c", 3.0, &json!("Speaker 1"), "three"), said("e", 5.0, &json!("Speaker 1"), "five"),
        {"segment_id": "f", "start": 6, "end": 7, "speaker": "Speaker 1", "text": "six", "completed": false}]);
    session.say(&server, &later);
    let expected = [
        json!(["one", "Ada", "corrected"]),
        json!(["two", "Speaker 2", "stream"]),
        json!(["three", "Ada", "corrected"]),
        json!(["four", null, "unknown"]),
        json!(["five", "Ada", "corrected"]),
        json!(["six", "Ada", "corrected"]),
    ];
    assert_eq!(spoken(&server, &key), expected);
    let txt = server.get(format!("{MEETING}?format=txt")).user(&key).send();
    assert!(txt.text().contains("Ada: five") && !txt.text().contains("Speaker 1"));
    // The draft is withdrawn by the next one of the same sent speaker.
    session.say(&server, &json!([said("g", 6.0, &json!("Speaker 1"), "six and more")]));
    assert_eq!(spoken(&server, &key)[5], json!(["six and more", "Ada", "corrected"]));
    // By the name that is shown; two can become one, and come apart again.
    rename(&server, &key, &json!("Speaker 2"), &json!("Ada")).expect(200);
    assert_eq!(rename(&server, &key, &json!("Ada"), &json!("Grace")).expect(200)["segments"], 5);
    assert_eq!(rename(&server, &key, &json!("Grace"), &json!("Grace")).expect(200)["segments"], 0);
    rename(&server, &key, &Value::Null, &json!("Guest")).expect(200);
    assert_eq!(spoken(&server, &key)[3], json!(["four", "Guest", "corrected"]));
    for name in ["Speaker 1", "Ada"] {
        let missing = rename(&server, &key, &json!(name), &json!("X")).refusal();
        assert_eq!(missing.0, 404, "{name} is shown nowhere: {missing:?}");
    }
    assert_eq!(rename(&server, &key, &json!("Grace"), &Value::Null).expect(200)["segments"], 5);
    rename(&server, &key, &json!("Guest"), &Value::Null).expect(200);
    let names: Vec<Value> = spoken(&server, &key).iter().map(|row| row[1].clone()).collect();
    let own = ["Speaker 1", "Speaker 2", "Speaker 1", "", "Speaker 1", "Speaker 1"];
    assert_eq!(names, own.map(|name| if name.is_empty() { Value::Null } else { json!(name) }));
}

#[test]
fn events_name_those_who_were_renamed_too() {
    let (server, key, session) = one_meeting();
    let send = |body: &Value| {
        server.post("/bots/internal/segments").bearer(&session.token).json(body).send().expect(200)
    };
    let event = |kind: &str, at: i64, name: &str| json!({"event_type": kind, "participant_name": name, "relative_ms": at});
    send(&json!({"uid": session.uid, "segments": [{"start": 1, "end": 2, "text": "one"}]}));
    rename(&server, &key, &Value::Null, &json!("Somebody else")).expect(200);
    let events = [event("SPEAKER_START", 900, "ada"), event("SPEAKER_END", 2100, "ada")];
    send(&json!({"uid": session.uid, "speaker_events": events}));
    assert_eq!(spoken(&server, &key), [json!(["one", "ada", "events"])]);
    rename(&server, &key, &json!("ada"), &json!("Ada")).expect(200);
    send(&json!({"uid": session.uid, "segments": [{"start": 1.2, "end": 1.9, "text": "two"}]}));
    let named = json!(["two", "Ada", "corrected"]);
    assert_eq!(spoken(&server, &key), [json!(["one", "Ada", "corrected"]), named]);
}

#[test]
fn what_is_gathered_of_a_meeting_that_is_over_follows() {
    let (server, key, session) = one_meeting();
    session.say(&server, &json!([said("a", 1.0, &json!("Speaker 1"), "one")]));
    let over = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&over).send().expect(200);
    let participants = || transcript(&server, &key)["data"]["participants"].clone();
    assert_eq!(participants(), json!(["Speaker 1"]));
    rename(&server, &key, &json!("Speaker 1"), &json!("Ada")).expect(200);
    assert_eq!(participants(), json!(["Ada"]));
    let figures = "/admin/analytics/meetings/1/telematics?include_transcriptions=true";
    let figures = server.get(figures).admin().send().expect(200);
    assert_eq!(figures["transcription_stats"]["unique_speakers"], 1);
    rename(&server, &key, &json!("Ada"), &Value::Null).expect(200);
    assert_eq!(participants(), json!(["Speaker 1"]));
}

#[test]
fn what_cannot_be_corrected_is_told() {
    let mut keys = (String::new(), String::new(), String::new());
    let mut session = None;
    let setup = Setup::new().rows(|db| {
        keys.0 = insert_token(db, 1, None);
        keys.1 = insert_token(db, 2, None);
        keys.2 = insert_token(db, 1, None);
        let scope = r#"{"read_only": true, "platforms": null, "meeting": null}"#;
        db.execute("UPDATE tokens SET scope = ?1 WHERE id = 3", [scope]).expect("a scope");
        session = Some(insert_session(db, 1, "abc-defg-hij"));
    });
    let server = setup.start();
    let session: Session = session.expect("a session");
    let (key, other, reading) = keys;
    let lines = json!([said("a", 1.0, &json!("Ada"), "one"),
        {"segment_id": "d", "start": 6, "end": 7, "text": "six", "completed": false}]);
    session.say(&server, &lines);
    for (answer, status, sentence) in [
        (correct(&server, &key, "x", &json!("y")), 404, "Segment not found"),
        (withdraw(&server, &key, "x"), 404, "Segment not found"),
        (correct(&server, &other, "a", &json!("y")), 404, "Meeting not found"),
        (rename(&server, &other, &json!("Ada"), &json!("y")), 404, "Meeting not found"),
        (correct(&server, &key, "d", &json!("y")), 409, "The words of this segment are a draft"),
        (
            rename(&server, &key, &json!("Eve"), &json!("y")),
            404,
            "No segment of this meeting shows",
        ),
        (correct(&server, &reading, "a", &json!("y")), 403, "This token may not do that."),
        (rename(&server, &reading, &json!("Ada"), &json!("y")), 403, "This token may not do that."),
    ] {
        let (found, text) = answer.refusal();
        assert!(found == status && text.starts_with(sentence), "{found} {text}");
    }
    for body in [json!({}), json!({"from": "Ada"}), json!({"to": "Ada"})] {
        let answer = server.patch(format!("{BY_ID}/speakers")).user(&key).json(&body).send();
        assert_eq!(answer.refusal(), (400, "No data provided for update.".to_owned()), "{body}");
    }
    let nothing = server.patch(format!("{BY_ID}/segments/a")).user(&key).json(&json!({})).send();
    assert_eq!(nothing.refusal(), (400, "No data provided for update.".to_owned()));
    for (text, kind) in [
        (json!("x".repeat(8193)), "string_too_long"),
        (json!(7), "string_type"),
        (json!(["x"]), "string_type"),
    ] {
        let faults = correct(&server, &key, "a", &text).faults();
        assert_eq!(faults, [(kind.to_owned(), "body.text".to_owned())]);
    }
    let long = rename(&server, &key, &json!("Ada"), &json!("x".repeat(256))).faults();
    assert_eq!(long, [("string_too_long".to_owned(), "body.to".to_owned())]);
    assert_eq!(spoken(&server, &key)[0], json!(["one", "Ada", "stream"]), "nothing was changed");
    // The longest text, signs of all kinds, a line break that becomes a blank.
    for text in ["x".repeat(8192), "ß 漢字 😀 e\u{301} \"quoted\" <b> & 'x'".to_owned()] {
        assert_eq!(correct(&server, &key, "a", &json!(text)).expect(200)["text"], json!(text));
    }
    assert_eq!(correct(&server, &key, "a", &json!("a\nb")).expect(200)["text"], "a b");
}

#[test]
fn a_meeting_is_corrected_by_its_name_too_and_the_record_has_no_words() {
    let (server, key, session) = one_meeting();
    let id = "weird / id?#%2F ü";
    session.say(&server, &json!([said(id, 1.0, &json!("Zqspeaker"), "Zqheard")]));
    let path = format!("{MEETING}/segments/{}", in_path(id));
    let text = json!({"text": "Zqwritten"});
    let shown = server.patch(format!("{path}?meeting_id=1")).user(&key).json(&text).send();
    assert_eq!(shown.expect(200)["text"], "Zqwritten");
    let names = json!({"from": "Zqspeaker", "to": "Zqname"});
    server.patch(format!("{MEETING}/speakers")).user(&key).json(&names).send().expect(200);
    // What changes nothing is not in the record.
    server.patch(&path).user(&key).json(&text).send().expect(200);
    server.delete(format!("{path}/correction")).user(&key).send().expect(200);
    let back = json!({"from": "Zqname", "to": null});
    server.patch(format!("{MEETING}/speakers")).user(&key).json(&back).send().expect(200);
    let entries =
        server.get("/admin/audit?user_id=1").admin().send().expect(200)["entries"].clone();
    let mut told = Vec::new();
    for entry in entries.as_array().expect("entries").iter().rev() {
        assert_eq!(
            (&entry["actor"], &entry["subject"], &entry["subject_id"]),
            (&json!("token:1"), &json!("meeting"), &json!(1)),
            "{entry}"
        );
        let after = &entry["after"];
        told.push(json!([
            entry["action"],
            after["corrected"],
            after["renamed"],
            after["segments"]
        ]));
    }
    assert_eq!(
        told,
        [
            json!(["transcript.correct", true, null, null]),
            json!(["speaker.rename", null, true, 1]),
            json!(["transcript.correct", false, null, null]),
            json!(["speaker.rename", null, false, 1]),
        ]
    );
    assert!(!entries.to_string().contains("Zq"), "words or names are in the record: {entries}");
}

#[test]
fn what_was_corrected_goes_with_the_transcript() {
    let (server, key, session) = one_meeting();
    session.say(&server, &json!([said("a", 1.0, &json!("Ada"), "one")]));
    correct(&server, &key, "a", &json!("Zqone")).expect(200);
    rename(&server, &key, &json!("Ada"), &json!("Zqada")).expect(200);
    let export = server.get("/admin/users/1/export").admin().send().expect(200);
    let names = &export["meetings"][0]["renamed_speakers"];
    assert_eq!(names, &json!([{"speaker": "Ada", "name": "Zqada"}]));
    let over = json!({"connection_id": session.uid, "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&over).send().expect(200);
    server.delete("/meetings/google_meet/abc-defg-hij").user(&key).send().expect(200);
    let database = server.stop();
    open_file(&database.database(), |db| {
        for table in ["segments", "corrections", "renamed_speakers"] {
            let count = format!("SELECT count(*) FROM {table}");
            let count: i64 = db.query_row(&count, [], |row| row.get(0)).expect("a count");
            assert_eq!(count, 0, "{table}");
        }
    });
}
