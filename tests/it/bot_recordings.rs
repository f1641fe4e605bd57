//! What bots record of their meetings: kept where sound is kept, given back as it was sent, and
//! deleted with all other sound.

use crate::bots::{bot_environment, setup, user};
use crate::client::{Answer, Client, find, wait_for};
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup};
use crate::spool::{folder_of_sound, spool_file};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use std::fs;
use std::io::Cursor;
use std::path::Path;

const UPLOAD: &str = "/bots/internal/recordings/upload";
const PATH: &str = "/meetings/1/audio";
/// What stands in a recording, in no other file.
const MARK: &[u8] = b"Zqrecorded!!";

/// A server that keeps sound for two days, with meeting 1 of user 1, the user's token and the meeting's
/// session.
fn keeping() -> (Setup, String, Session) {
    let mut made = None;
    let setup = Setup::new().set("VOMEET_TRANSCRIPTION_KEEP_DAYS", "2").rows(|db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
    });
    let (token, session) = made.expect("rows");
    (setup, token, session)
}

fn start() -> (Server, String, Session) {
    let (setup, token, session) = keeping();
    (setup.start(), token, session)
}

/// A form as bots send it: the fields first, then the file.
fn form(fields: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend(part.into_bytes());
    }
    if let Some(file) = file {
        form.extend(
            b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r\"\r\n\r\n",
        );
        form.extend(file);
        form.extend(b"\r\n");
    }
    form.extend(b"--b--\r\n");
    form
}

fn send(server: &Client, secret: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
    let call = server.post(UPLOAD).bearer(secret);
    let call = call.header("Content-Type", "multipart/form-data; boundary=b");
    call.body(form(fields, Some(file))).send()
}

fn get(server: &Client, token: &str) -> Answer {
    server.get(PATH).user(token).send()
}

/// What a browser records, by its first bytes.
fn webm(bytes: usize) -> Vec<u8> {
    let mut file = b"\x1a\x45\xdf\xa3".to_vec();
    file.extend(MARK.iter().cycle().take(bytes));
    file
}

fn marked(folder: &Path) -> Vec<String> {
    let mut places = crate::erasure::files(folder);
    places.retain(|_, bytes| find(bytes, MARK).is_some());
    places.into_keys().collect()
}

#[test]
fn a_recording_is_the_sound_of_its_meeting() {
    let (server, token, session) = start();
    // Longer than one piece of the spool, and no multiple of it.
    let file = webm(300_001);
    let metadata = json!({"session_uid": session.uid, "format": "webm", "duration_seconds": 12.5});
    let fields = [("metadata", &*metadata.to_string())];
    let answer = send(&server, &session.token, &fields, &file).expect(200);
    assert_eq!(answer["message"], "The recording is kept.");
    let answer = get(&server, &token);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("audio/webm")));
    assert!(answer.body == file, "other bytes");
    let part = server.get(PATH).user(&token).header("Range", "bytes=70000-70011").send();
    assert_eq!((part.status, &part.body[..]), (206, &file[70_000..70_012]));
    let explained = server.get("/meetings/1/explain").user(&token).send().expect(200);
    assert_eq!(explained["sounds"][0]["source"], "recording", "{explained}");
    // The same once more takes its place, also after a restart.
    let server = server.restart();
    let again = webm(100_000);
    send(&server, &session.token, &fields, &again).expect(200);
    assert!(get(&server, &token).body == again, "other bytes");
}

#[test]
fn parts_of_a_recording_become_one_file() {
    let (server, token, session) = start();
    let parts = [webm(100_000), vec![1; 70_000], vec![2; 5]];
    let part = |server: &Client, number: &str, file: &[u8]| {
        let final_part = if number == "3" { "true" } else { "false" };
        let fields = [("chunk_seq", number), ("is_final", final_part)];
        send(server, &session.token, &fields, file).expect(200);
    };
    part(&server, "0", &parts[0]);
    // One whose response was lost comes again, and may be late.
    part(&server, "1", &vec![9; 90_000]);
    part(&server, "2", &parts[2]);
    let server = server.restart();
    part(&server, "1", &parts[1]);
    part(&server, "3", &[]);
    let answer = get(&server, &token);
    assert_eq!(answer.header("content-type"), Some("audio/webm"));
    assert!(answer.body == parts.concat(), "other bytes");
    let explained = server.get("/meetings/1/explain").user(&token).send().expect(200);
    assert_eq!(explained["sounds"].as_array().map(Vec::len), Some(1), "{explained}");
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a file");
    for sample in samples {
        writer.write_sample(*sample).expect("a sample");
    }
    writer.finalize().expect("a file");
    file.into_inner()
}

#[test]
fn parts_that_are_files_of_samples_become_one_file_of_samples() {
    let (server, token, session) = start();
    let samples: Vec<i16> = (0..100_000).map(|n| i16::try_from(n % 30_000).expect("16")).collect();
    let (first, second) = samples.split_at(40_001);
    for (number, part) in [first, second].into_iter().enumerate() {
        // In the metadata alone, as some bots have it.
        let metadata = json!({"chunk_seq": number, "is_final": false}).to_string();
        send(&server, &session.token, &[("metadata", &metadata)], &wav(part)).expect(200);
    }
    let answer = get(&server, &token);
    assert_eq!(answer.header("content-type"), Some("audio/wav"));
    let mut file = hound::WavReader::new(Cursor::new(&answer.body)).expect("a WAV file");
    let came: Vec<i16> = file.samples().map(|sample| sample.expect("a sample")).collect();
    assert!(came == samples, "{} samples came, of {}", came.len(), samples.len());
}

#[test]
fn what_is_no_recording_of_sound_is_said() {
    let (server, token, session) = start();
    let secret = &*session.token;
    let video = [("media_type", "video")];
    let dropped = send(&server, secret, &video, &webm(1000)).expect(200);
    assert_eq!(dropped["message"], "Only sound is kept: the recording was dropped.");
    assert_eq!(get(&server, &token).status, 404);
    for (fields, field) in [
        (&[("chunk_seq", "-1")][..], "body.chunk_seq"),
        (&[("chunk_seq", "first")], "body.chunk_seq"),
        (&[("metadata", r#"{"chunk_seq": -1}"#)], "body.metadata"),
    ] {
        assert_eq!(send(&server, secret, fields, b"x").faults()[0].1, field, "{fields:?}");
    }
    let call = server.post(UPLOAD).bearer(secret);
    let call = call.header("Content-Type", "multipart/form-data; boundary=b");
    let missing = call.body(form(&[("chunk_seq", "0")], None)).send();
    assert_eq!(missing.faults()[0].1, "body.file");
    assert_eq!(send(&server, "no secret", &[], b"x").status, 401);
    assert_eq!(get(&server, &token).status, 404, "nothing of it is kept");
    // The file alone is as good, and metadata that are no JSON say nothing.
    server.post(UPLOAD).bearer(secret).body(webm(1000)).send().expect(200);
    assert_eq!(get(&server, &token).body.len(), 1004);
    send(&server, secret, &[("metadata", "{")], &webm(2000)).expect(200);
    assert_eq!(get(&server, &token).body.len(), 2004);
}

/// Ends the meeting, so many days ago.
fn ended(setup: Setup, days: i64) -> Setup {
    setup.rows(|db| {
        let end = "UPDATE meetings SET status = 'completed',
                     end_time = unixepoch('subsec') * 1000 - ?1 * 86400000";
        assert_eq!(db.execute(end, [days]), Ok(1));
        let end = "UPDATE sounds SET ended_at = ended_at - ?1 * 86400000";
        assert_eq!(db.execute(end, [days]), Ok(1));
    })
}

#[test]
fn a_recording_is_deleted_as_sound_is() {
    for way in ["/meetings/1/audio", "/meetings/1", "/admin/users/1"] {
        let (server, token, session) = start();
        send(&server, &session.token, &[("chunk_seq", "0")], &webm(100_000)).expect(200);
        send(&server, &session.token, &[("chunk_seq", "1")], &webm(100_000)).expect(200);
        let server = ended(server.stop(), 0).start();
        assert_eq!(marked(server.folder()).len(), 1, "the search is blind");
        let call = server.delete(way);
        let call = if way.contains("users") { call.admin() } else { call.user(&token) };
        let status = call.send().status;
        assert!((200..300).contains(&status), "{way}: {status}");
        wait_for(|| marked(server.folder()).is_empty().then_some(()));
        if way.contains("audio") {
            assert_eq!(get(&server, &token).status, 404, "{way}");
        }
        let mut stopped = server.stop();
        stopped = stopped.rows(|_| {});
        assert_eq!(marked(stopped.folder()), Vec::<String>::new(), "{way}");
    }
}

#[test]
fn a_recording_goes_with_its_age() {
    let (server, token, session) = start();
    send(&server, &session.token, &[], &webm(100_000)).expect(200);
    let server = ended(server.stop(), 1).start();
    assert_eq!(get(&server, &token).status, 200);
    let server = ended(server.stop(), 3).start();
    wait_for(|| marked(server.folder()).is_empty().then_some(()));
    assert_eq!(get(&server, &token).status, 404);
}

#[test]
fn a_recording_that_comes_while_its_meeting_is_deleted_is_kept_nowhere() {
    for way in ["/meetings/1", "/admin/users/1"] {
        let (server, token, session) = start();
        send(&server, &session.token, &[], &webm(1000)).expect(200);
        let server = ended(server.stop(), 0).start();
        let bytes = server.post(UPLOAD).bearer(&session.token).body(webm(2_000_000)).bytes();
        let (first, rest) = bytes.split_at(1_500_000);
        let mut line = server.line();
        line.send(first).expect("sent");
        // What is kept already, and what comes.
        wait_for(|| (marked(server.folder()).len() == 2).then_some(()));
        let call = server.delete(way);
        let call = if way.contains("users") { call.admin() } else { call.user(&token) };
        let status = call.send().status;
        assert!((200..300).contains(&status), "{way}: {status}");
        line.send(rest).expect("sent");
        let refused = line.answer(false).expect("an answer").refusal();
        assert_eq!(refused, (404, "Meeting not found".to_owned()), "{way}");
        wait_for(|| marked(server.folder()).is_empty().then_some(()));
        let stopped = server.stop();
        assert_eq!(marked(stopped.folder()), Vec::<String>::new(), "{way}");
    }
}

#[test]
fn a_part_that_broke_off_counts_for_nothing() {
    let (server, token, session) = start();
    let parts = [webm(100_000), vec![1; 70_000]];
    for (number, part) in ["0", "1"].into_iter().zip(&parts) {
        send(&server, &session.token, &[("chunk_seq", number)], part).expect(200);
    }
    let explained = server.get("/meetings/1/explain").user(&token).send().expect(200);
    let sound = explained["sounds"][0]["id"].as_i64().expect("an id");
    let setup = server.stop();
    // A copy of part 1 and a part 2, as far as they came until the server was killed.
    let nines = vec![9; 65_536];
    let begun = [(sound, 1 << 40, &nines[..]), (sound, 2 << 40, &nines[..1000])];
    let begun = spool_file(&begun);
    let path = folder_of_sound(setup.folder()).join("1.sound");
    let whole = fs::read(&path).expect("a file");
    fs::write(&path, [&whole[..], &begun[16..]].concat()).expect("written");
    let server = setup.start();
    assert!(get(&server, &token).body == parts.concat(), "other bytes");
    // They come once more, whole.
    let parts = [webm(100_000), vec![3; 80_000], vec![4; 5]];
    for (number, part) in ["1", "2"].into_iter().zip(&parts[1..]) {
        send(&server, &session.token, &[("chunk_seq", number)], part).expect(200);
    }
    assert!(get(&server, &token).body == parts.concat(), "other bytes");
}

#[test]
fn a_part_for_which_there_is_no_room_is_refused() {
    let (setup, token, session) = keeping();
    let server = setup.set("VOMEET_TRANSCRIPTION_SPOOL_BYTES_MAX", "4194304").start();
    // It has room once, and not twice: as it comes, and where it is kept.
    let refused = send(&server, &session.token, &[], &webm(3_000_000));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("30")));
    wait_for(|| marked(server.folder()).is_empty().then_some(()));
    assert_eq!(get(&server, &token).status, 404);
    send(&server, &session.token, &[], &webm(1_000_000)).expect(200);
}

#[test]
fn a_bot_sends_two_parts_at_once_at_most() {
    let (server, _, session) = start();
    let call = || server.post(UPLOAD).bearer(&session.token).body(webm(1000));
    let bytes = call().bytes();
    let (first, rest) = bytes.split_at(bytes.len() - 1);
    let mut begun = [server.line(), server.line()];
    for line in &mut begun {
        line.send(first).expect("sent");
    }
    let coming = || {
        let names = crate::erasure::files(server.folder()).into_keys();
        names.filter(|name| name.ends_with(".receiving")).count()
    };
    wait_for(|| (coming() == 2).then_some(()));
    let refused = call().send();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("10")));
    for line in &mut begun {
        line.send(rest).expect("sent");
        assert_eq!(line.answer(false).expect("an answer").status, 200);
    }
    call().send().expect(200);
}

#[test]
fn a_recording_that_comes_anew_has_another_tag() {
    let (server, token, session) = start();
    send(&server, &session.token, &[], &webm(1000)).expect(200);
    let server = ended(server.stop(), 0).start();
    let tag = |server: &Client| get(server, &token).header("etag").expect("a tag").to_owned();
    let before = tag(&server);
    assert_eq!(tag(&server), before);
    assert_eq!(server.delete(PATH).user(&token).send().status, 204);
    // As long as the first one, and it lies where that was.
    send(&server, &session.token, &[], &[b"other", &webm(995)[..]].concat()).expect(200);
    assert_ne!(tag(&server), before);
}

#[test]
fn bots_are_told_of_it_where_sound_is_kept() {
    let server = setup().set("VOMEET_TRANSCRIPTION_KEEP_DAYS", "1").start();
    let token = user(&server, "one@example.com", 2);
    let wish = json!({ "platform": "google_meet", "native_meeting_id": "abc-defg-hij" });
    server.post("/bots").user(&token.text).json(&wish).send().expect(201);
    let environment = bot_environment(&server, 1);
    let url = format!("http://{}{UPLOAD}", server.address);
    for name in ["BOT_CONFIG", "VEXA_BOT_CONFIG"] {
        let config: Value = serde_json::from_str(&environment[name]).expect("JSON");
        assert_eq!(config["recordingEnabled"], true, "{name}");
        assert_eq!(config["recordingUploadUrl"], url.as_str(), "{name}");
        let secret = if name == "BOT_CONFIG" { &Value::Null } else { &config["token"] };
        assert_eq!(config["internalSecret"], *secret, "{name}");
    }
}
