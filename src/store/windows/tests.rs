//! Windows at the level of the store: what is done twice, drafts, and whose words they are.

#![cfg(test)]

use crate::domain::sound::{SoundSource, WindowOutcome, WithheldReason};
use crate::domain::{MeetingId, SegmentInput, SentTime, SoundId, SpeakerChange, SpeakerEvent};
use crate::domain::{Time, TokenHash, WindowId};
use crate::store::segments::drafts::SettleDrafts;
use crate::store::segments::verbs::StoreSegmentBatch;
use crate::store::sounds::verbs::EraseSound;
use crate::store::windows::draft::StoreDraft;
use crate::store::windows::split::{WindowSegment, WindowWithheld, WindowWord};
use crate::store::windows::store_window::StoreWindow;
use crate::store::windows::verbs::{
    CutWindows, GiveUpSound, GiveUpWindow, NewWindow, PutOffWindow,
};
use crate::store::writer::verb::Verb;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::{Connection, params};

const CLOCK: i64 = 1_760_097_600_000;
const SECRET: TokenHash = TokenHash([7; 32]);
/// The stream without a speaker.
const MIXED: SoundId = SoundId(1);
const SPEAKERS: [&str; 3] = ["Ada", "Bob", "Cleo"];

fn at(seconds: i64) -> Time {
    Time::from_millis(CLOCK + seconds * 1000)
}

/// A meeting with a mixed sound, and a sound of each speaker: sounds 1 to 4.
fn meeting() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch(include_str!("../../../schema.sql")).expect("tables");
    db.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    db.execute_batch(&format!(
        "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES ('a', 'a', 1, '{{}}', 0);
         INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
           VALUES (1, 'teams', '1', 'active', '{{}}', 0, 0);
         INSERT INTO streams (meeting_id, uid, started_at)
           VALUES (1, 'mixed', {CLOCK}), (1, 'a', {CLOCK}), (1, 'b', {CLOCK}), (1, 'c', {CLOCK});",
    ))
    .expect("rows");
    let session = "INSERT INTO sessions (meeting_id, uid, token_hash, bot_name, started_at) VALUES (1, 'bot', ?1, '', ?2)";
    db.execute(session, params![SECRET, CLOCK]).expect("a session");
    for (stream, speaker) in [None, Some("Ada"), Some("Bob"), Some("Cleo")].iter().enumerate() {
        let sound =
            "INSERT INTO sounds (meeting_id, stream_id, source, codec, rate, channels, speaker)
             VALUES (1, ?1, ?2, 's16le', 16000, 1, ?3)";
        let stream = i64::try_from(stream).expect("small") + 1;
        db.execute(sound, params![stream, SoundSource::Bot, speaker]).expect("a sound");
    }
    db
}

fn cut(db: &Connection, sound_id: SoundId, start_ms: i64, end_ms: i64) -> WindowId {
    let window = NewWindow { start_ms, end_ms, spool_offset: 0 };
    let verb = CutWindows {
        sound_id,
        windows: vec![window],
        unsaid_ms: Vec::new(),
        cut_ms: end_ms,
        cut_offset: 0,
        is_whole: false,
        now: at(0),
    };
    verb.apply(db).expect("cut");
    let find = "SELECT id FROM windows WHERE sound_id = ?1 AND start_ms = ?2";
    db.query_row(find, params![sound_id, start_ms], |row| row.get(0)).expect("a window")
}

fn said(start_ms: i64, end_ms: i64, text: &str) -> WindowSegment {
    WindowSegment { start_ms, end_ms, text: text.to_owned(), words: Vec::new() }
}

fn store(window_id: WindowId, segments: Vec<WindowSegment>) -> StoreWindow {
    StoreWindow {
        window_id,
        segments,
        withheld: Vec::new(),
        language: Some("en".to_owned()),
        engine: Some("one".to_owned()),
        now: at(1),
    }
}

fn draft(window_start_ms: i64, text: &str) -> StoreDraft {
    StoreDraft {
        sound_id: MIXED,
        window_start_ms,
        start_ms: window_start_ms + 100,
        end_ms: window_start_ms + 2000,
        text: text.to_owned(),
        language: None,
        must_grow: true,
        now: at(1),
    }
}

/// Each segment: its text, its speaker, whether it is final.
fn transcript(db: &Connection) -> Vec<(String, Option<String>, bool)> {
    let sql = "SELECT text, speaker, completed FROM segments ORDER BY absolute_start, id";
    let mut list = db.prepare(sql).expect("a query");
    let rows = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn texts(db: &Connection) -> Vec<String> {
    transcript(db).into_iter().map(|(text, ..)| text).collect()
}

#[test]
fn a_window_that_is_done_changes_nothing() {
    let db = meeting();
    let window = cut(&db, MIXED, 0, 5000);
    assert_eq!(cut(&db, MIXED, 0, 9000), window, "it is there already");
    let done = store(window, vec![said(100, 900, "One."), said(1000, 1900, "Two.")]);
    let answer = done.apply(&db).expect("stored").expect("it waited");
    assert_eq!((answer.outcome, answer.lag_ms), (WindowOutcome::Words, -4000));
    let again = store(window, vec![said(150, 900, "Other words.")]);
    assert!(again.apply(&db).expect("no fault").is_none());
    let put_off = PutOffWindow {
        window_id: window,
        attempts: 1,
        error: "Away.".to_owned(),
        next_at: at(9),
        now: at(8),
    };
    put_off.apply(&db).expect("no fault");
    let give_up = GiveUpWindow { window_id: window, error: None };
    assert!(!give_up.apply(&db).expect("no fault"));
    assert_eq!(texts(&db), ["One.", "Two."]);
    let state: (Option<i64>, String) = db
        .query_row("SELECT next_at, outcome FROM windows", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the window");
    assert_eq!(state, (None, "words".to_owned()));
}

#[test]
fn final_words_replace_the_draft_and_nothing_else_does() {
    let db = meeting();
    for text in ["One", "One two", "One two th"] {
        draft(0, text).apply(&db).expect("a draft").expect("it is new");
        assert_eq!(transcript(&db), [(text.to_owned(), None, false)]);
    }
    // The next window has begun to grow.
    let window = cut(&db, MIXED, 0, 5000);
    draft(5000, "Four").apply(&db).expect("a draft").expect("it is new");
    assert_eq!(texts(&db), ["Four"], "one draft for each speaker");
    let words = vec![said(120, 900, "One two."), said(1000, 1900, "Three.")];
    store(window, words).apply(&db).expect("stored").expect("it waited");
    assert_eq!(texts(&db), ["One two.", "Three.", "Four"]);
    assert!(draft(0, "Late").apply(&db).expect("no fault").is_none());
    // At rest it becomes final, and the words of its window still replace it.
    let settle = SettleDrafts { stream_id: 1, rested_since: at(90), now: at(91) };
    settle.apply(&db).expect("settled");
    let id = || db.query_row("SELECT max(id) FROM segments", [], |row| row.get::<_, i64>(0));
    let before = id().expect("an id");
    let window = cut(&db, MIXED, 5000, 9000);
    store(window, vec![said(5600, 6000, "Four five.")]).apply(&db).expect("stored");
    assert_eq!(id().expect("an id"), before, "it is the same segment");
    assert_eq!(texts(&db), ["One two.", "Three.", "Four five."]);
}

#[test]
fn a_draft_goes_where_nothing_is_believed() {
    let db = meeting();
    for (start_ms, withheld) in [(0, false), (5000, true)] {
        draft(start_ms, "Thank you").apply(&db).expect("a draft").expect("it is new");
        let window = cut(&db, MIXED, start_ms, start_ms + 5000);
        let mut verb = store(window, Vec::new());
        if withheld {
            verb.withheld.push(WindowWithheld {
                start_ms,
                end_ms: start_ms + 900,
                text: "Thank you".to_owned(),
                reason: WithheldReason::KnownOfSilence,
            });
        }
        let done = verb.apply(&db).expect("stored").expect("it waited");
        let expected = if withheld { WindowOutcome::Withheld } else { WindowOutcome::Silent };
        assert_eq!(done.outcome, expected);
        assert!(texts(&db).is_empty());
    }
    let kept: i64 =
        db.query_row("SELECT count(*) FROM withheld", [], |row| row.get(0)).expect("a count");
    assert_eq!(kept, 1);
}

#[test]
fn sound_is_deleted_only_once_nothing_waits_and_nothing_grows() {
    let db = meeting();
    let erase = || {
        let verb = EraseSound { meeting_id: MeetingId(1), given_up_since: Some(at(0)) };
        verb.apply(&db).expect("no fault")
    };
    let window = cut(&db, MIXED, 0, 5000);
    assert!(!erase(), "the meeting goes on");
    db.execute("UPDATE meetings SET status = 'completed'", []).expect("its end");
    assert!(!erase(), "its sounds go on");
    db.execute("UPDATE sounds SET ended_at = 1, heard_ms = 5000", []).expect("their end");
    assert!(!erase(), "they are not cut");
    db.execute("UPDATE sounds SET cut_ms = heard_ms", []).expect("cut");
    assert!(!erase(), "a window waits");
    for attempts in 1..=2 {
        let (error, now) = ("Away.".to_owned(), at(i64::from(attempts)));
        let put_off = PutOffWindow { window_id: window, attempts, error, next_at: at(9), now };
        put_off.apply(&db).expect("put off");
    }
    let failed = db.query_row("SELECT first_failed_at FROM windows", [], |row| row.get(0));
    assert_eq!(failed.ok(), Some(at(1)), "the first time");
    store(window, vec![said(100, 900, "One.")]).apply(&db).expect("stored");
    let marked = || db.prepare("SELECT 1 FROM erased_sounds").expect("a query").exists([]);
    assert!(!marked().expect("rows"));
    assert!(erase() && marked().expect("rows"));
}

#[test]
fn what_was_never_cut_is_given_up_as_one_window() {
    let db = meeting();
    db.execute("UPDATE sounds SET heard_ms = 9000, cut_ms = 4000, ended_at = 1 WHERE id = 1", [])
        .expect("a sound");
    let give_up = GiveUpSound { sound_id: MIXED, error: "Nobody.".to_owned(), now: at(1) };
    for _ in 0..2 {
        give_up.apply(&db).expect("given up");
    }
    let window: (i64, i64, String, Option<i64>) = db
        .query_row("SELECT start_ms, end_ms, outcome, next_at FROM windows", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .expect("one window");
    assert_eq!(window, (4000, 9000, "given_up".to_owned(), None));
}

/// Something that reaches the server.
#[derive(Debug, Clone)]
enum Arrives {
    /// A speaker event of the mixed stream.
    Event(usize, SpeakerChange, i64),
    /// The words of a window: of which sound, from when to when, and each word with its speaker.
    Window(SoundId, i64, i64, Vec<(usize, i64, i64)>),
}

/// A talk of three people, and all that arrives of it: mixed windows of one to three turns, windows
/// of the speakers' own streams, and events.
fn talk(turns: &[(usize, i64)], windows: &[usize]) -> Vec<Arrives> {
    let mut all = Vec::new();
    let (mut now, mut mixed) = (1000, Vec::new());
    let (mut window_start, mut left) = (0, 0);
    let mut sizes = windows.iter().cycle();
    for &(speaker, words) in turns {
        let begins = now;
        let mut own = Vec::new();
        for _ in 0..words {
            own.push((speaker, now, now + 400));
            now += 450;
        }
        let ends = now;
        all.push(Arrives::Event(speaker, SpeakerChange::Start, begins));
        all.push(Arrives::Event(speaker, SpeakerChange::End, ends));
        let own_sound = SoundId(2 + i64::try_from(speaker).expect("small"));
        all.push(Arrives::Window(own_sound, begins, ends, own.clone()));
        mixed.extend(own);
        if left == 0 {
            left = *sizes.next().expect("a size");
        }
        left -= 1;
        now += 300;
        if left == 0 {
            let words = std::mem::take(&mut mixed);
            all.push(Arrives::Window(MIXED, window_start, now, words));
            window_start = now;
        }
    }
    if !mixed.is_empty() {
        all.push(Arrives::Window(MIXED, window_start, now, mixed));
    }
    all
}

fn arrive(db: &Connection, what: &Arrives) {
    match what {
        Arrives::Event(speaker, change, millis) => {
            let event = SpeakerEvent {
                change: *change,
                name: SPEAKERS[*speaker].to_owned(),
                participant_id: None,
                at: SentTime::Offset(*millis),
            };
            let verb = StoreSegmentBatch {
                token_hash: SECRET,
                uid: "mixed".to_owned(),
                started_at: None,
                segments: Vec::<SegmentInput>::new(),
                events: vec![event],
                now: at(2),
            };
            verb.apply(db).expect("an event");
        }
        Arrives::Window(sound, start_ms, end_ms, words) => {
            let word = |&(speaker, start_ms, end_ms): &(usize, i64, i64)| WindowWord {
                start_ms,
                end_ms,
                word: format!(" {}", SPEAKERS[speaker]),
            };
            let words: Vec<WindowWord> = words.iter().map(word).collect();
            let text = words.iter().map(|word| word.word.as_str()).collect();
            let segment = WindowSegment { start_ms: *start_ms, end_ms: *end_ms, text, words };
            let window = cut(db, *sound, *start_ms, *end_ms);
            store(window, vec![segment]).apply(db).expect("stored").expect("it waited");
        }
    }
}

/// Every segment says its own speaker's name: whose words it has, by the talk itself.
fn check(db: &Connection) -> Result<(), TestCaseError> {
    let mut named = 0;
    for (text, speaker, _) in transcript(db) {
        let mut said: Vec<&str> = text.split_whitespace().collect();
        said.dedup();
        if let Some(speaker) = speaker {
            prop_assert_eq!(&said, &[speaker.as_str()], "{}", text);
            named += 1;
        }
    }
    prop_assert!(named > 0);
    Ok(())
}

#[test]
fn nobody_gets_words_of_another_however_they_arrive() {
    let is_long = std::env::var_os("VOMEET_TEST_LONG").is_some();
    let cases = if is_long { 10_000 } else { 400 };
    let turns = prop::collection::vec((0..3_usize, 3..7_i64), 2..7);
    let windows = prop::collection::vec(1..4_usize, 4);
    let talks = (turns, windows).prop_map(|(turns, windows)| talk(&turns, &windows));
    let interleaved = talks.prop_flat_map(|all| Just(all).prop_shuffle());
    let db = meeting();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&interleaved, |all| {
        db.execute_batch("SAVEPOINT talk").expect("a savepoint");
        for what in &all {
            arrive(&db, what);
        }
        let checked = check(&db);
        db.execute_batch("ROLLBACK TO talk; RELEASE talk").expect("the talk is over");
        checked
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn a_draft_of_what_was_no_speech_is_withdrawn_also_where_it_is_final() {
    for is_final in [false, true] {
        let db = meeting();
        draft(1000, "You.").apply(&db).expect("stored").expect("news");
        if is_final {
            db.execute("UPDATE segments SET completed = 1", []).expect("settled");
        }
        store(cut(&db, MIXED, 20_000, 25_000), vec![said(20_100, 20_900, "Said.")])
            .apply(&db)
            .expect("stored");
        assert_eq!(texts(&db), ["You.", "Said."]);
        let verb = CutWindows {
            sound_id: MIXED,
            windows: Vec::new(),
            unsaid_ms: vec![1000, 9000],
            cut_ms: 12_000,
            cut_offset: 0,
            is_whole: false,
            now: at(9),
        };
        let news = verb.apply(&db).expect("cut").expect("it is told");
        assert_eq!((texts(&db), news.removed.len()), (vec!["Said.".to_owned()], 1), "{is_final}");
        // One that is still on its way comes too late, one of what follows does not.
        assert!(draft(1000, "You.").apply(&db).expect("no fault").is_none());
        draft(30_000, "More.").apply(&db).expect("stored").expect("news");
        assert_eq!(texts(&db), ["Said.", "More."]);
    }
}
