//! Sound that is kept: it comes back as it came, whole and in parts, and is deleted alone or with its
//! meeting.

use crate::client::{Answer, Client, find, wait_for};
use crate::segments::{insert_session, insert_stream};
use crate::server::{Server, Setup};
use crate::spool::{folder_of_sound, spool_file};
use crate::tokens::insert_token;
use ogg::PacketReader;
use ropus::{Channels, DecodeMode, Decoder};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

const PATH: &str = "/meetings/1/audio";
/// What stands in the samples of the first sound, in no other file.
const MARK: &[u8] = b"Zqkept!!";

fn insert_sound(db: &Connection, meeting: i64, uid: &str, form: (&str, u32, u8)) {
    let first = insert_stream(db, meeting);
    let stream = "INSERT INTO streams (meeting_id, uid, started_at)
                  SELECT meeting_id, ?2, started_at + 1 FROM streams WHERE id = ?1";
    db.execute(stream, params![first, uid]).expect("a stream");
    let (stream, (codec, rate, channels)) = (db.last_insert_rowid(), form);
    let sound = "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels)
                 VALUES (?1, ?2, 'bot', ?3, ?4, ?5)";
    db.execute(sound, params![meeting, stream, codec, rate, channels]).expect("a sound");
}

/// The packets of eleven seconds of speech.
fn packets() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bots/runners/speech/jfk.ogg");
    packets_of(&fs::read(path).expect("the speech"))
}

fn packets_of(file: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = PacketReader::new(Cursor::new(file));
    let mut found = Vec::new();
    while let Some(packet) = packets.read_packet().expect("an Ogg file") {
        if !packet.data.starts_with(b"Opus") {
            found.push(packet.data);
        }
    }
    found
}

fn decoded(packets: &[Vec<u8>]) -> Vec<i16> {
    let mut decoder = Decoder::new(48_000, Channels::Mono).expect("a decoder");
    let (mut samples, mut room) = (Vec::new(), vec![0_i16; 5760]);
    for packet in packets {
        let count = decoder.decode(packet, &mut room, DecodeMode::Normal).expect("Opus");
        samples.extend_from_slice(&room[..count]);
    }
    samples
}

/// Users 1 and 2, each with a meeting. Of meeting 1 three sounds are kept: stereo samples with a gap
/// of a second in them, speech as Opus, and one of which nothing came; of meeting 2 nothing is.
fn kept() -> (Setup, [String; 2]) {
    let mut tokens = [String::new(), String::new()];
    let setup = Setup::new().set("VOMEET_TRANSCRIPTION_KEEP_DAYS", "30");
    let folder = setup.folder().to_owned();
    let setup = setup.rows(|db| {
        tokens = [insert_token(db, 1, None), insert_token(db, 2, None)];
        insert_session(db, 1, "abc-defg-hij");
        insert_session(db, 2, "abc-defg-hij");
        insert_sound(db, 1, "room", ("s16le", 16_000, 2));
        insert_sound(db, 1, "ada", ("opus", 48_000, 1));
        insert_sound(db, 1, "bob", ("s16le", 16_000, 1));
        db.execute("UPDATE sounds SET speaker = 'Ada' WHERE id = 2", []).expect("a name");
        let speech = packets();
        let room = MARK.repeat(8000);
        let mut records: Vec<(i64, u64, &[u8])> = vec![(1, 0, &room), (1, 32_000, &room)];
        for (number, packet) in (0..).zip(&speech) {
            records.push((2, 960 * number, packet));
        }
        records.push((1, 48_000, &room));
        let folder = folder_of_sound(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("1.sound"), spool_file(&records)).expect("a file");
    });
    (setup, tokens)
}

fn start() -> (Server, [String; 2]) {
    let (setup, tokens) = kept();
    (setup.start(), tokens)
}

fn get(server: &Client, token: &str, query: &str) -> Answer {
    server.get(format!("{PATH}{query}")).user(token).send()
}

fn part(server: &Client, token: &str, range: &str) -> Answer {
    server.get(PATH).user(token).header("Range", range).send()
}

/// The files in which the mark of the first sound is.
fn marked(folder: &Path) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<u8>> = crate::erasure::files(folder);
    places.retain(|_, bytes| find(bytes, MARK).is_some());
    places.into_keys().collect()
}

#[test]
fn samples_come_back_as_wav() {
    let (server, [token, _]) = start();
    let answer = get(&server, &token, "");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("audio/wav")));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let length = answer.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    let mut wav = hound::WavReader::new(Cursor::new(&answer.body)).expect("a WAV file");
    let spec = wav.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 16_000, 16));
    let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
    let room: Vec<i16> =
        MARK.repeat(8000).chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let expected = [room.clone(), vec![0; 32_000], room.clone(), room].concat();
    assert_eq!(samples.len(), expected.len());
    assert!(samples == expected, "other samples");
    assert!(get(&server, &token, "?sound=1").body == answer.body, "the first is the only one");
}

#[test]
fn opus_comes_back_as_ogg() {
    let (server, [token, _]) = start();
    let answer = get(&server, &token, "?sound=2");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("audio/ogg")));
    let (sent, came) = (packets(), packets_of(&answer.body));
    assert_eq!(came.len(), sent.len());
    assert!(decoded(&came) == decoded(&sent), "other samples");
}

#[test]
fn a_player_may_ask_for_parts() {
    let (server, [token, _]) = start();
    let whole = get(&server, &token, "");
    let length = whole.body.len();
    let tag = whole.header("etag").expect("a tag").to_owned();
    let (last, half) = (length - 1, length / 2);
    for (range, first, behind) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=0-43".to_owned(), 0, 44),
        (format!("bytes=65530-{half}"), 65_530, half + 1),
        (format!("bytes={half}-"), half, length),
        (format!("bytes={last}-{}", length + 9), last, length),
        ("bytes=-1000".to_owned(), length - 1000, length),
    ] {
        let answer = part(&server, &token, &range);
        assert_eq!(answer.status, 206, "{range}");
        let expected = format!("bytes {first}-{}/{length}", behind - 1);
        assert_eq!(answer.header("content-range"), Some(expected.as_str()), "{range}");
        let count = (behind - first).to_string();
        assert_eq!(answer.header("content-length"), Some(count.as_str()), "{range}");
        assert!(answer.body == whole.body[first..behind], "{range}: other bytes");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    for range in ["bytes=0-1,5-6", "seconds=0-1", "bytes=9-0"] {
        let answer = part(&server, &token, range);
        assert_eq!((answer.status, answer.header("content-range")), (200, None), "{range}");
        assert_eq!(answer.body.len(), length, "{range}");
    }
    for range in [format!("bytes={length}-"), "bytes=-0".to_owned()] {
        let answer = part(&server, &token, &range);
        let expected = format!("bytes */{length}");
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (416, Some(expected.as_str())),
            "{range}"
        );
    }
    for (known, status) in [(tag.as_str(), 206), ("\"other\"", 200)] {
        let call = server.get(PATH).user(&token).header("Range", "bytes=0-9");
        assert_eq!(call.header("If-Range", known).send().status, status, "{known}");
    }
}

#[test]
fn a_sound_is_for_those_who_may_read_its_meeting() {
    let (server, [token, other]) = start();
    assert_eq!(get(&server, &other, "").refusal(), (404, "Meeting not found".to_owned()));
    let refused = server.delete(PATH).user(&other).send();
    assert_eq!(refused.refusal(), (404, "Meeting not found".to_owned()));
    assert_eq!(server.get(PATH).send().status, 403);
    let narrow = |terms: Value| {
        let made = server.post("/user/tokens").user(&token).json(&terms).send().expect(201);
        made["token"].as_str().expect("a token").to_owned()
    };
    let elsewhere = narrow(json!({ "platforms": ["teams"] }));
    assert_eq!(get(&server, &elsewhere, "").status, 404);
    assert_eq!(server.delete(PATH).user(&elsewhere).send().status, 404);
    let reader = narrow(json!({ "read_only": true }));
    assert_eq!(get(&server, &reader, "").status, 200);
    assert_eq!(server.delete(PATH).user(&reader).send().status, 403);
    assert_eq!(get(&server, &token, "").status, 200);
}

#[test]
fn a_ticket_plays_one_meeting() {
    let (server, [token, other]) = start();
    let ticket = |token: &str, path: &str| {
        let call = server.post("/tickets").user(token).json(&json!({ "path": path }));
        let made = call.send().expect(201);
        assert_eq!(made["path"], path);
        made["ticket"].as_str().expect("a ticket").to_owned()
    };
    let play = |ticket: &str| server.get(format!("{PATH}?ticket={ticket}")).send();
    let mine = ticket(&token, PATH);
    for _ in 0..3 {
        assert_eq!(play(&mine).status, 200);
    }
    let call = server.get(format!("{PATH}?sound=2&ticket={mine}"));
    assert_eq!(call.header("Range", "bytes=0-3").send().body, b"OggS");
    // A key in the header comes first.
    assert_eq!(server.get(format!("{PATH}?ticket={mine}")).user(&other).send().status, 404);
    assert_eq!(play(&ticket(&other, PATH)).status, 404, "of another user");
    for wrong in [ticket(&token, "/meetings/2/audio"), ticket(&token, "/ws"), "x".to_owned()] {
        let refused = play(&wrong).expect(403);
        assert_eq!(refused["code"], "ticket", "{refused}");
    }
    let deleted = server.delete(format!("{PATH}?ticket={mine}")).send();
    assert_eq!(deleted.status, 403, "a ticket deletes nothing");
}

#[test]
fn guessed_tickets_are_counted_as_refused_keys() {
    let (setup, [token, _]) = kept();
    let server = setup.set("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "3").start();
    let guess = || server.get(format!("{PATH}?ticket=guess")).send().status;
    let statuses: Vec<u16> = (0..5).map(|_| guess()).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(get(&server, &token, "").status, 200);
}

#[test]
fn sound_is_deleted_alone() {
    let (setup, [token, _]) = kept();
    let open = setup.start();
    let why = "Meeting not finalized; cannot delete its sound. Current status: active".to_owned();
    assert_eq!(open.delete(PATH).user(&token).send().refusal(), (409, why));
    let end = "UPDATE meetings SET status = 'completed', end_time = created_at";
    let server = open.stop().rows(|db| assert_eq!(db.execute(end, []), Ok(2))).start();
    let folder = server.folder().to_owned();
    assert_eq!(marked(&folder).len(), 1, "the search is blind");
    assert_eq!(server.delete(PATH).user(&token).send().status, 204);
    assert_eq!(marked(&folder), Vec::<String>::new());
    let gone = get(&server, &token, "").refusal();
    assert_eq!(gone.0, 404);
    assert!(gone.1.contains("keep_days"), "{}", gone.1);
    let waiting = || server.get("/metrics").send().text().contains("vomeet_erasures_waiting 0\n");
    assert!(waiting(), "something is owed");
    let meeting = server.get("/meetings/1").user(&token).send().expect(200);
    assert_eq!(meeting["native_meeting_id"], "abc-defg-hij", "{meeting}");
    // Once more deletes nothing more.
    assert_eq!(server.delete(PATH).user(&token).send().status, 204);
}

#[test]
fn sound_is_deleted_with_its_meeting() {
    let (setup, [token, _]) = kept();
    let end = "UPDATE meetings SET status = 'completed', end_time = created_at";
    let server = setup.rows(|db| assert_eq!(db.execute(end, []), Ok(2))).start();
    assert_eq!(get(&server, &token, "").status, 200);
    server.delete("/meetings/1").user(&token).send().expect(200);
    wait_for(|| marked(server.folder()).is_empty().then_some(()));
    assert_eq!(get(&server, &token, "").status, 404);
}

#[test]
fn a_meeting_names_its_sounds_while_they_are_kept() {
    let (server, [token, other]) = start();
    // What the last run of the server left is looked at first.
    assert_eq!(get(&server, &token, "").status, 200);
    let meeting = server.get("/meetings/1").user(&token).send().expect(200);
    let began = server.get("/meetings/1/explain").user(&token).send().expect(200);
    let expected: Vec<Value> = [(0, 1, 4, Value::Null), (1, 2, 11, json!("Ada"))]
        .map(|(place, id, seconds, speaker)| {
            let started_at = &began["sounds"][place]["started_at"];
            json!({ "id": id, "source": "bot", "speaker": speaker, "started_at": started_at,
                    "seconds": seconds })
        })
        .to_vec();
    assert_eq!(meeting["sounds"], json!(expected), "a sound of which nothing came is none");
    let of_other = server.get("/meetings/2").user(&other).send().expect(200);
    assert_eq!(of_other["sounds"], json!([]));
    let end = "UPDATE meetings SET status = 'completed', end_time = created_at";
    let server = server.stop().rows(|db| assert_eq!(db.execute(end, []), Ok(2))).start();
    assert_eq!(server.delete(PATH).user(&token).send().status, 204);
    let meeting = server.get("/meetings/1").user(&token).send().expect(200);
    assert_eq!(meeting["sounds"], json!([]));
}

#[test]
fn where_nothing_is_kept_it_is_said() {
    let (server, [token, other]) = start();
    let of_other = server.get("/meetings/2/audio").user(&other).send().refusal();
    let of_silent = get(&server, &token, "?sound=3").refusal();
    for (status, detail) in [of_other, of_silent] {
        assert_eq!(status, 404);
        assert!(detail.starts_with("No sound of this meeting is kept"), "{detail}");
    }
    let unknown = get(&server, &token, "?sound=99").refusal();
    assert_eq!(unknown, (404, "Sound not found".to_owned()));
    assert_eq!(get(&server, &token, "?sound=0").faults()[0].1, "query.sound");
    let explained = server.get("/meetings/1/explain").user(&token).send().expect(200);
    let ids: Vec<&Value> = explained["sounds"].as_array().expect("sounds").iter().collect();
    let ids: Vec<&Value> = ids.into_iter().map(|sound| &sound["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2), &json!(3)]);
}
