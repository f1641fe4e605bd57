//! However the batches and the speaker events of several streams are mixed, and however often each
//! is sent, the rows are the same.

use crate::segments::{BEGAN, Session, insert_session};
use crate::server::open_file;
use crate::tokens::insert_token;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use std::cell::Cell;
use std::path::Path;
use vomeet::domain::{SegmentInput, SentTime, SpeakerChange, SpeakerEvent, Time, TokenHash};
use vomeet::store::{Options, Store, StoreSegmentBatch};

/// How many mixtures are tried.
const CASES: u32 = 60;
const STREAMS: [&str; 3] = ["session-1", "stream-b", "stream-c"];
const SPEAKERS: [Option<&str>; 3] = [None, Some("Ada"), Some("Bob")];
const TEXTS: [&str; 4] = ["one", "two", "", "[BLANK_AUDIO]"];

/// A segment as the strategy makes it: start and length in tenths of a second, its id, speaker and
/// text, and whether it is final.
type Said = (u8, u8, Option<u8>, usize, usize, bool);
/// An event: in tenths of a second, whether it is a start, and whose.
type Event = (u8, bool, usize);

/// What is sent to one stream: batches in their order, and events in any.
#[derive(Debug, Clone)]
struct Story {
    batches: Vec<Vec<Said>>,
    events: Vec<Event>,
    /// Whether the batches are sent twice one by one, or all of them once more.
    one_by_one: bool,
}

fn story() -> impl Strategy<Value = Story> {
    let said = (
        0u8..40,
        0u8..30,
        prop::option::weighted(0.2, 0u8..4),
        0usize..3,
        0usize..4,
        any::<bool>(),
    );
    let batches = prop::collection::vec(prop::collection::vec(said, 0..4), 0..5);
    let events = prop::collection::vec((0u8..70, any::<bool>(), 0usize..2), 0..6);
    (batches, events, any::<bool>()).prop_map(|(batches, events, one_by_one)| Story {
        batches,
        events,
        one_by_one,
    })
}

fn tenths(number: u8) -> SentTime {
    SentTime::Offset(i64::from(number) * 100 - 500)
}

fn batch(
    session: &Session,
    uid: &str,
    stream: usize,
    said: &[Said],
    events: &[Event],
) -> StoreSegmentBatch {
    let segments = said.iter().map(|&(start, length, id, speaker, text, completed)| SegmentInput {
        segment_id: id.map(|id| format!("{stream}-{id}")),
        start: tenths(start),
        end: tenths(start + length),
        absolute: None,
        text: TEXTS[text].to_owned(),
        speaker: SPEAKERS[speaker].map(str::to_owned),
        by_platform: false,
        language: None,
        completed,
    });
    let events = events.iter().map(|&(at, is_start, who)| SpeakerEvent {
        change: if is_start { SpeakerChange::Start } else { SpeakerChange::End },
        name: ["Cleo", "Dan"][who].to_owned(),
        participant_id: Some(format!("p{who}")),
        at: tenths(at),
    });
    StoreSegmentBatch {
        token_hash: TokenHash::of(session.token.as_bytes()),
        uid: if stream == 0 { session.uid.clone() } else { uid.to_owned() },
        started_at: Some(Time::from_millis(
            BEGAN + 700 * i64::from(u8::try_from(stream).expect("small")),
        )),
        segments: segments.collect(),
        events: events.collect(),
        now: Time::from_millis(BEGAN + 60_000),
    }
}

/// The plain way: one stream after the other, each batch once, the events at the end.
fn in_order(session: &Session, stories: &[Story]) -> Vec<StoreSegmentBatch> {
    let mut sent = Vec::new();
    for (stream, story) in stories.iter().enumerate() {
        for said in &story.batches {
            sent.push(batch(session, STREAMS[stream], stream, said, &[]));
        }
        sent.push(batch(session, STREAMS[stream], stream, &[], &story.events));
    }
    sent
}

/// Everything twice, the streams mixed, and the events anywhere between.
fn mixed(
    session: &Session,
    stories: &[Story],
    mut order: impl FnMut(usize) -> usize,
) -> Vec<StoreSegmentBatch> {
    let mut waiting: Vec<Vec<StoreSegmentBatch>> = Vec::new();
    for (stream, story) in stories.iter().enumerate() {
        let of = |said: &Vec<Said>| batch(session, STREAMS[stream], stream, said, &[]);
        let twice: Vec<_> = match story.one_by_one {
            true => story.batches.iter().flat_map(|said| [of(said), of(said)]).collect(),
            false => story.batches.iter().chain(&story.batches).map(of).collect(),
        };
        waiting.push(twice);
        for event in story.events.iter().chain(&story.events) {
            let events = batch(session, STREAMS[stream], stream, &[], std::slice::from_ref(event));
            waiting.push(vec![events]);
        }
    }
    let mut sent = Vec::new();
    for queue in &mut waiting {
        queue.reverse();
    }
    waiting.retain(|queue| !queue.is_empty());
    while !waiting.is_empty() {
        let at = order(waiting.len());
        sent.extend(waiting[at].pop());
        waiting.retain(|queue| !queue.is_empty());
    }
    sent
}

/// All that is stored of a meeting, but for numbers and times of storing.
fn rows(db: &Connection, meeting: i64) -> Vec<String> {
    let sql = "SELECT json_array(t.uid = (SELECT uid FROM sessions WHERE meeting_id = ?1), t.started_at, s.absolute_start,
                 s.absolute_end, s.text, s.speaker, s.speaker_source, s.completed)
               FROM segments s JOIN streams t ON t.id = s.stream_id WHERE s.meeting_id = ?1 ORDER BY 1";
    let mut rows = db.prepare(sql).expect(sql);
    let rows = rows.query_map([meeting], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("a row")
}

fn open(database: &Path) -> Store {
    let options =
        Options { path: database.to_owned(), small_readers: 1, long_readers: 1, queue_max: 64 };
    Store::open(&options, |_| {}).expect("a store")
}

#[test]
fn any_order_and_any_number_of_repeats_give_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("vomeet.db");
    let mut sessions = Vec::new();
    open_file(&database, |db| {
        insert_token(db, 1, None);
        for n in 0..2 * CASES {
            sessions.push(insert_session(db, 1, &format!("meeting-{n}")));
        }
    });
    let store = open(&database);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let reader = Connection::open(&database).expect("a reader");
    let pairs = Cell::new(0);
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let compared = Cell::new(0);
    runner
        .run(&(prop::collection::vec(story(), 3), any::<u64>()), |(stories, seed)| {
            let pair = pairs.get();
            pairs.set(pair + 1);
            let [plain, other] = [&sessions[2 * pair], &sessions[2 * pair + 1]];
            let mut random = seed;
            let order = |count: usize| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                usize::try_from(random >> 33).expect("a number") % count
            };
            for sent in in_order(plain, &stories).into_iter().chain(mixed(other, &stories, order)) {
                prop_assert!(runtime.block_on(store.write(sent)).is_ok());
            }
            let meeting = i64::try_from(2 * pair + 1).expect("a number");
            let (plain, other) = (rows(&reader, meeting), rows(&reader, meeting + 1));
            compared.set(compared.get() + plain.len());
            prop_assert_eq!(plain, other);
            Ok(())
        })
        .expect("the same rows");
    assert!(compared.get() > 100, "only {} rows were compared", compared.get());
    drop(reader);
    store.close();
}
