//! From sound to words: drafts, engines that are away, windows that are given up, meetings that end
//! or are erased while windows wait.

use crate::client::{Answer, Client, wait_for};
use crate::fake_engine::{FakeEngine, long_phrase, phrase, text, texts};
use crate::lifecycle::report;
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup, still_clock};
use crate::sound_client::{SoundSocket, f32le};
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use vomeet::clock::Clock;

const MINUTE: Duration = Duration::from_mins(1);
const TRANSCRIPT: &str = "/transcripts/google_meet/abc-defg-hij";

/// A server with an engine, a meeting, and the key of its user.
struct Heard {
    server: Server,
    engine: FakeEngine,
    session: Session,
    /// The bot of [`OTHER`].
    other: Session,
    key: String,
    clock: Clock,
}

/// Another meeting of the same user, in the file of every test.
const OTHER: &str = "xyz-defg-hij";

fn start() -> Heard {
    start_with(still_clock())
}

fn start_with(clock: Clock) -> Heard {
    let engine = FakeEngine::start();
    let mut made = None;
    let setup = Setup::new().clock(&clock).rows(|db| {
        let key = insert_token(db, 1, None);
        let session = insert_session(db, 1, "abc-defg-hij");
        made = Some((session, insert_session(db, 1, OTHER), key));
    });
    let (session, other, key) = made.expect("rows");
    std::fs::write(setup.folder().join("vomeet.toml"), engine.settings()).expect("written");
    Heard { server: setup.start(), engine, session, other, key, clock }
}

/// Opens the socket of a bot, and what it is told first.
fn open(server: &Client, uid: &str, meeting: &str, token: &str) -> (SoundSocket, Value) {
    let mut socket = SoundSocket::open(server, "/whisper-live", &[]);
    let hello = json!({ "uid": uid, "language": null, "task": "transcribe", "model": null,
        "use_vad": true, "platform": "google_meet", "token": token, "meeting_id": meeting,
        "meeting_url": format!("https://meet.google.com/{meeting}") });
    socket.say(hello.to_string());
    let told = socket.json();
    (socket, told)
}

/// Opens the socket of a bot whose sound is taken.
pub fn socket(server: &Client, uid: &str, token: &str) -> SoundSocket {
    let (socket, told) = open(server, uid, "abc-defg-hij", token);
    assert_eq!(told["status"], "SERVER_READY", "{told}");
    socket
}

/// Says words, as a bot sends them: piece by piece.
pub fn say(socket: &mut SoundSocket, samples: &[f32]) {
    for piece in samples.chunks(4096) {
        socket.send(f32le(piece));
    }
}

/// Each segment of the meeting: its text, its times, whether it is final.
fn segments(server: &Client, key: &str) -> Vec<(String, Value, Value, bool)> {
    let transcript = server.get(TRANSCRIPT).user(key).send().expect(200);
    let segments = transcript["segments"].as_array().expect("a list").iter();
    let shown = segments.map(|segment| {
        let text = segment["text"].as_str().expect("text").to_owned();
        let is_final = segment["completed"] == true;
        (text, segment["start"].clone(), segment["end"].clone(), is_final)
    });
    shown.collect()
}

/// The texts of the final segments.
pub fn said(server: &Client, key: &str) -> Vec<String> {
    let segments = segments(server, key).into_iter();
    segments.filter(|segment| segment.3).map(|segment| segment.0).collect()
}

impl Heard {
    fn speak(&self, uid: &str, words: std::ops::Range<usize>) -> SoundSocket {
        let mut socket = socket(&self.server, uid, &self.session.token);
        for word in words {
            say(&mut socket, &phrase(word));
        }
        socket
    }

    /// Waits until all words are final.
    fn wait_for_words(&self, words: usize) {
        wait_for(|| (said(&self.server, &self.key).len() >= words).then_some(()));
        assert_eq!(said(&self.server, &self.key), texts(words));
    }

    /// The clock goes on until the engine is asked again.
    fn wait_until_asked_again(&self) {
        let before = self.engine.asked();
        wait_for(|| {
            self.clock.advance(Duration::from_secs(1));
            (self.engine.asked() > before).then_some(())
        });
    }

    fn metrics(&self) -> String {
        self.server.get("/metrics").send().text().to_owned()
    }
}

fn spool_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder.join("vomeet.db.sound")).into_iter().flatten();
    entries.flatten().filter(|entry| entry.file_name() != ".lock").count()
}

fn windows(db: &Connection) -> Vec<(Option<String>, Option<i64>, Option<String>)> {
    let sql = "SELECT outcome, next_at, last_error FROM windows ORDER BY id";
    let mut list = db.prepare(sql).expect("a query");
    let rows = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

#[test]
fn words_are_drafted_while_they_are_said_and_then_final() {
    let heard = start();
    let mut socket = socket(&heard.server, "first", &heard.session.token);
    let mut had_draft = false;
    // On a busy machine a draft may come too late; then the next words have one.
    for word in 0..5 {
        say(&mut socket, &long_phrase(word));
        loop {
            let told = socket.json();
            let last = told["segments"].as_array().and_then(|list| list.last()).cloned();
            let last = last.unwrap_or_default();
            if last["text"] != text(word) {
                continue;
            }
            had_draft |= last["completed"] == false;
            if last["completed"] == true {
                break;
            }
        }
        if had_draft {
            assert_eq!(said(&heard.server, &heard.key), texts(word + 1));
            return;
        }
    }
    panic!("five windows had no draft");
}

#[test]
fn an_engine_that_is_away_for_ten_minutes_loses_nothing() {
    let undisturbed = start();
    let socket = undisturbed.speak("first", 0..7);
    undisturbed.wait_for_words(7);
    let expected = segments(&undisturbed.server, &undisturbed.key);
    drop(socket);

    let heard = start_with(Clock::manual(undisturbed.clock.now()));
    heard.engine.set_away(true);
    let socket = heard.speak("first", 0..7);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    let began = heard.clock.now();
    while heard.clock.now() < vomeet::clock::later(began, 10 * MINUTE) {
        heard.wait_until_asked_again();
    }
    assert!(said(&heard.server, &heard.key).is_empty());
    heard.engine.set_away(false);
    heard.wait_until_asked_again();
    wait_for(|| {
        heard.clock.advance(Duration::from_secs(1));
        (said(&heard.server, &heard.key).len() >= 7).then_some(())
    });
    assert_eq!(segments(&heard.server, &heard.key), expected);
    drop(socket);
}

#[test]
fn late_words_are_told_to_watchers_and_to_the_health_check() {
    let heard = start();
    heard.engine.set_away(true);
    let mut watcher = Watcher::open(&heard.server, &heard.key);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);
    let socket = heard.speak("first", 0..1);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    heard.clock.advance(2 * MINUTE);
    let told = watcher.json();
    assert_eq!(told["type"], "transcription.lag", "{told}");
    assert!(told["payload"]["seconds"].as_f64().is_some_and(|seconds| seconds > 60.0), "{told}");
    assert_eq!(told["payload"]["windows"], 1, "{told}");
    let health = || heard.server.get("/admin/health").admin().send().expect(200).to_string();
    wait_for(|| health().contains("words_late").then_some(()));
    heard.engine.set_away(false);
    heard.wait_until_asked_again();
    heard.wait_for_words(1);
    let is_over =
        |told: &Value| told["type"] == "transcription.lag" && told["payload"]["windows"] == 0;
    while !is_over(&watcher.json()) {}
    let metrics = heard.metrics();
    assert!(metrics.contains("vomeet_transcription_windows_total{outcome=\"words\"} 1\n"));
    drop(socket);
}

#[test]
fn a_window_that_nobody_hears_for_a_day_is_given_up_and_its_sound_goes_after_a_week() {
    let heard = start();
    heard.engine.set_away(true);
    let socket = heard.speak("first", 0..1);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    drop(socket);
    let given_up = "vomeet_transcription_windows_total{outcome=\"given_up\"} 1\n";
    heard.clock.advance(25 * 60 * MINUTE);
    wait_for(|| {
        heard.clock.advance(Duration::from_secs(1));
        heard.metrics().contains(given_up).then_some(())
    });
    heard.engine.set_away(false);
    report(&heard.server, &heard.session.uid, "completed").expect(200);
    let folder = heard.server.folder().to_owned();
    for _ in 0..5 {
        heard.clock.advance(24 * 60 * MINUTE);
        // Once the time is noted, the clock is believed.
        wait_for(|| {
            heard.clock.advance(Duration::from_secs(1));
            let known = heard.server.app.store.known_time().expect("a read").expect("a time");
            (known.latest.plus_seconds(2 * 3600) >= heard.clock.now()).then_some(())
        });
        assert_eq!(spool_files(&folder), 1, "it is kept for a week");
    }
    // What of the sound was never cut is given up a day after its end.
    wait_for(|| {
        heard.clock.advance(MINUTE);
        (spool_files(&folder) == 0).then_some(())
    });
    heard.server.stop().rows(|db| {
        let windows = windows(db);
        let (outcome, next_at, error) = &windows[0];
        assert_eq!((outcome.as_deref(), *next_at), (Some("given_up"), None));
        assert!(error.as_deref().is_some_and(|error| error.ends_with('.')), "{error:?}");
    });
}

#[test]
fn a_server_that_was_off_for_two_days_gives_up_nothing() {
    let heard = start();
    heard.engine.set_away(true);
    let socket = heard.speak("first", 0..3);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    drop(socket);
    report(&heard.server, &heard.session.uid, "completed").expect(200);
    let Heard { server, engine, clock, key, .. } = heard;
    let stopped = server.stop();
    clock.advance(48 * 60 * MINUTE);
    engine.set_away(false);
    let server = stopped.start();
    wait_for(|| {
        clock.advance(Duration::from_secs(1));
        (said(&server, &key).len() >= 3).then_some(())
    });
    assert_eq!(said(&server, &key), texts(3));
    server.stop().rows(|db| {
        for (outcome, _, error) in windows(db) {
            assert_ne!(outcome.as_deref(), Some("given_up"), "{error:?}");
        }
    });
}

#[test]
fn a_meeting_that_ends_gets_the_words_that_wait_and_its_sound_is_deleted() {
    let heard = start();
    heard.engine.set_away(true);
    let socket = heard.speak("first", 0..3);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    drop(socket);
    report(&heard.server, &heard.session.uid, "completed").expect(200);
    heard.engine.set_away(false);
    wait_for(|| {
        heard.clock.advance(Duration::from_secs(1));
        (said(&heard.server, &heard.key).len() >= 3).then_some(())
    });
    assert_eq!(said(&heard.server, &heard.key), texts(3));
    let folder = heard.server.folder().to_owned();
    wait_for(|| {
        heard.clock.advance(Duration::from_secs(10));
        (spool_files(&folder) == 0).then_some(())
    });
}

#[test]
fn what_is_erased_while_it_waits_is_never_heard() {
    let heard = start();
    heard.engine.set_away(true);
    let socket = heard.speak("first", 0..3);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    drop(socket);
    report(&heard.server, &heard.session.uid, "completed").expect(200);
    let deleted: Answer = heard.server.delete("/meetings/1").user(&heard.key).send();
    assert!(deleted.status < 300, "{deleted:?}");
    let folder = heard.server.folder().to_owned();
    wait_for(|| (spool_files(&folder) == 0).then_some(()));
    heard.engine.set_away(false);
    for _ in 0..3 {
        heard.clock.advance(10 * MINUTE);
        heard.server.get("/healthz").send().expect(200);
    }
    heard.server.stop().rows(|db| {
        assert!(windows(db).is_empty());
        let words: i64 =
            db.query_row("SELECT count(*) FROM segments", [], |row| row.get(0)).expect("a count");
        assert_eq!(words, 0);
    });
}

#[test]
fn a_meeting_beyond_what_engines_keep_up_with_is_told_to_wait() {
    let heard = start();
    heard.engine.hold(true);
    let first = heard.speak("first", 0..1);
    wait_for(|| (heard.engine.asked() > 0).then_some(()));
    // Two minutes for three seconds of sound: hardly one meeting.
    heard.clock.advance(2 * MINUTE);
    heard.engine.hold(false);
    heard.wait_for_words(1);
    let (_, told) = open(&heard.server, "other", OTHER, &heard.other.token);
    assert_eq!(told["status"], "WAIT", "{told}");
    assert!(heard.metrics().contains("sounds_refused_total{reason=\"capacity\"} 1\n"));
    // More of the meeting that is heard is no more work.
    let (_second, told) = open(&heard.server, "second", "abc-defg-hij", &heard.session.token);
    assert_eq!(told["status"], "SERVER_READY", "{told}");
    drop(first);
}
