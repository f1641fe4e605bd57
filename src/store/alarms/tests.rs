//! What a meeting misses, by the rows of its sound, windows, events and segments.

#![cfg(test)]

use crate::domain::{AlarmKind, MeetingId, Time};
use crate::store::alarms::watched::watched;
use rusqlite::{Connection, params};

const BEGAN: i64 = 1_760_097_600_000;

/// A file with a meeting that began then and a stream of it.
fn meeting() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch(include_str!("../../../schema.sql")).expect("tables");
    db.execute_batch(&format!(
        "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES ('a', 'a', 1, '{{}}', 0);
         INSERT INTO meetings (user_id, platform, native_meeting_id, status, start_time, data, created_at, updated_at)
           VALUES (1, 'teams', '1', 'active', {BEGAN}, '{{}}', 0, 0);
         INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, 'a', {BEGAN});"
    ))
    .expect("rows");
    db
}

fn sound(db: &Connection, source: &str) {
    let sql = "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels)
               VALUES (1, 1, ?1, 's16le', 16000, 1)";
    db.execute(sql, [source]).expect("a sound");
}

fn window(db: &Connection, second: i64, outcome: Option<&str>) {
    let sql = "INSERT INTO windows (sound_id, start_ms, end_ms, spool_offset, created_at, next_at, outcome)
               VALUES (1, ?1, ?1 + 5000, 0, ?2, iif(?3 IS NULL, ?2, NULL), ?3)";
    db.execute(sql, params![second * 1000, BEGAN + second * 1000, outcome]).expect("a window");
}

fn segment(db: &Connection, second: i64, speaker: Option<&str>) {
    let sql = "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker,
                 speaker_source, completed, created_at, updated_at)
               VALUES (1, 1, ?1, ?2, ?2 + 1000, 'a', ?3, 'stream', 1, ?2, ?2)";
    db.execute(sql, params![second, BEGAN + second * 1000, speaker]).expect("a segment");
}

fn event(db: &Connection, second: i64, is_start: bool) {
    let sql = "INSERT INTO speaker_events (stream_id, at, is_start, participant, name)
               VALUES (1, ?1, ?2, 'Ada', 'Ada')";
    db.execute(sql, params![BEGAN + second * 1000, is_start]).expect("an event");
}

/// Sound of the meeting came up to this second, and was listened to up to another.
fn heard(db: &Connection, second: i64, cut: i64) {
    let sql = "UPDATE sounds SET heard_ms = ?1, cut_ms = ?2";
    db.execute(sql, [second * 1000, cut * 1000]).expect("more of it");
}

/// What is missing so many seconds after the beginning, where sound came last at that second.
fn missing(db: &Connection, second: i64, sound_at: Option<i64>) -> Vec<AlarmKind> {
    let at = |second: i64| Time::from_millis(BEGAN + second * 1000);
    let now = at(second);
    let watched = watched(db, MeetingId(1), at(0), now).expect("a meeting");
    watched.missing(sound_at.map(at), now)
}

#[test]
fn ten_quiet_hours_have_no_alarm() {
    // Sound comes all the time, noise is taken for voice now and then, nobody speaks.
    for source in ["whisper_live", "bot", "jitsi"] {
        let db = meeting();
        sound(&db, source);
        for second in (0..36_000).step_by(20) {
            heard(&db, second, (second - 20).max(0));
            match second % 300 {
                0 => window(&db, second, Some("silent")),
                100 => window(&db, second, Some("withheld")),
                // Voice that is just being judged.
                200 => window(&db, second, None),
                220 => {
                    let sql = "UPDATE windows SET outcome = 'withheld', next_at = NULL WHERE outcome IS NULL";
                    db.execute(sql, []).expect("judged");
                }
                _ => {}
            }
            if second % 7200 == 40 {
                // Somebody coughs.
                event(&db, second, true);
                event(&db, second + 2, false);
            }
            assert_eq!(missing(&db, second, Some(second)), [], "{source} at {second} s");
        }
    }
    // All are muted, so that a source which keeps speakers apart sends nothing at all.
    for source in ["bot", "jitsi"] {
        let db = meeting();
        sound(&db, source);
        for second in (0..36_000).step_by(60) {
            assert_eq!(missing(&db, second, None), [], "{source} at {second} s");
        }
    }
}

#[test]
fn a_bot_that_is_to_send_sound_and_does_not_is_found_in_a_minute() {
    let db = meeting();
    assert_eq!(
        (missing(&db, 44, None), missing(&db, 45, None)),
        (vec![], vec![AlarmKind::NoSound])
    );
    sound(&db, "whisper_live");
    assert_eq!(missing(&db, 50, None), [AlarmKind::NoSound], "it has connected and sends none");
    heard(&db, 30, 30);
    assert_eq!(
        (missing(&db, 74, Some(30)), missing(&db, 75, Some(30))),
        (vec![], vec![AlarmKind::NoSound])
    );
    // Words that come say that all is well.
    segment(&db, 70, Some("Ada"));
    assert_eq!(missing(&db, 75, Some(30)), []);
    // Of a bot that makes its words itself no sound is expected.
    let db = meeting();
    segment(&db, 1, Some("Ada"));
    assert_eq!(missing(&db, 600, None), []);
}

#[test]
fn bots_that_bring_no_sound_are_known_by_their_earlier_meetings() {
    let db = meeting();
    let earlier = "INSERT INTO meetings (id, user_id, platform, status, bot_container_id, data, created_at, updated_at)
                     VALUES (2, 1, 'teams', 'active', 'c', '{}', 0, 0)";
    db.execute(earlier, []).expect("a meeting");
    let now = Time::from_millis(BEGAN + 60_000);
    let brings =
        || watched(&db, MeetingId(2), Time::from_millis(BEGAN), now).expect("it").brings_sound;
    assert!(brings(), "nothing is known");
    segment(&db, 1, None);
    assert!(brings(), "it had no bot");
    db.execute("UPDATE meetings SET bot_container_id = 'c'", []).expect("a bot");
    assert!(!brings(), "its words came without sound");
    sound(&db, "whisper_live");
    assert!(brings());
}

#[test]
fn voice_without_words_is_found_in_a_minute() {
    // A window waits: no engine takes it, or not in time.
    let db = meeting();
    sound(&db, "whisper_live");
    heard(&db, 60, 60);
    window(&db, 10, None);
    assert_eq!(missing(&db, 54, Some(54)), []);
    assert_eq!(missing(&db, 55, Some(55)), [AlarmKind::NoWords]);
    segment(&db, 50, Some("Ada"));
    assert_eq!(missing(&db, 60, Some(60)), [], "words come");
    assert_eq!(missing(&db, 200, Some(200)), [], "it is quiet since; that window is old");
    window(&db, 60, Some("given_up"));
    assert_eq!(missing(&db, 110, Some(110)), [AlarmKind::NoWords]);
    assert_eq!(missing(&db, 660, Some(660)), [], "that is ten minutes ago");
    // No engine is there, so nobody even listens.
    let db = meeting();
    sound(&db, "bot");
    heard(&db, 50, 6);
    assert_eq!(missing(&db, 50, Some(50)), []);
    heard(&db, 51, 6);
    assert_eq!(missing(&db, 51, Some(51)), [AlarmKind::NoWords]);
    // The platform says that somebody speaks; a bot of any kind is to bring words.
    let db = meeting();
    segment(&db, 0, Some("Ada"));
    event(&db, 10, true);
    assert_eq!(missing(&db, 64, None), []);
    assert_eq!(missing(&db, 65, None), [AlarmKind::NoWords], "still speaking");
    event(&db, 15, false);
    assert_eq!(missing(&db, 300, None), [], "five seconds are none");
    event(&db, 30, true);
    event(&db, 35, false);
    assert_eq!(missing(&db, 300, None), [AlarmKind::NoWords]);
    segment(&db, 36, Some("Ada"));
    assert_eq!(missing(&db, 300, None), [], "its words came late");
}

#[test]
fn words_without_names_are_found_in_a_minute() {
    let db = meeting();
    for second in 1..=3 {
        segment(&db, second, None);
    }
    assert_eq!(missing(&db, 47, None), [], "events may still name them");
    assert_eq!(missing(&db, 48, None), [AlarmKind::NoNames]);
    segment(&db, 50, Some("Ada"));
    assert_eq!(missing(&db, 60, None), []);
    // Names cease: those of ten minutes ago do not count.
    for second in 700..=702 {
        segment(&db, second, None);
    }
    assert_eq!(missing(&db, 750, None), [AlarmKind::NoNames]);
    let given = "INSERT INTO renamed_speakers (meeting_id, speaker, name) VALUES (1, '', 'Ada')";
    db.execute(given, []).expect("a name");
    assert_eq!(missing(&db, 750, None), []);
}
