//! Verbs that only tests have: what they do wrong is found, or harms no other verb of their batch.

use crate::recording::REPLAYED;
use crate::replay::{create_user, record, write_keys, write_meeting};
use rusqlite::{Connection, params};
use std::sync::atomic::Ordering;
use vomeet::clock::Clock;
use vomeet::error::{Error, Result};
use vomeet::store::{
    DecodedVerb, Numbered, Recorded, RecordedVerb, ReplayMode, Verb, decode, replay_with,
};

/// A verb as none may be: it reads the clock.
#[derive(serde::Serialize, serde::Deserialize)]
struct ReadsTheClock;

impl Numbered for ReadsTheClock {
    const NUMBER: u16 = u16::MAX;
    const NAME: &'static str = "ReadsTheClock";
}

impl Verb for ReadsTheClock {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        // A clock of the machine stands still for a millisecond at times: what differs is what was
        // read.
        let read = Clock::system().now().as_millis();
        db.execute("UPDATE users SET created_at = max(created_at + 1, ?1)", params![read])?;
        Ok(())
    }
}

/// A verb that fails after it has changed something.
#[derive(serde::Serialize, serde::Deserialize)]
struct FailsHalfway;

impl Numbered for FailsHalfway {
    const NUMBER: u16 = u16::MAX - 1;
    const NAME: &'static str = "FailsHalfway";
}

impl Verb for FailsHalfway {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        db.execute("UPDATE users SET name = 'half'", [])?;
        Err(Error::AdminKeyTaken)
    }
}

/// A verb that fails after it has changed what the word index has in memory.
#[derive(serde::Serialize, serde::Deserialize)]
struct FailsInTheIndex;

impl Numbered for FailsInTheIndex {
    const NUMBER: u16 = u16::MAX - 2;
    const NAME: &'static str = "FailsInTheIndex";
}

impl Verb for FailsInTheIndex {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let sql =
            "INSERT INTO words (rowid, owner, speaker, text) VALUES (900, 'u1', 'Eve', 'half')";
        db.execute(sql, [])?;
        Err(Error::AdminKeyTaken)
    }
}

/// A verb in which the whole transaction is rolled back, as SQLite does when it has no memory.
#[derive(serde::Serialize, serde::Deserialize)]
struct RollsBack;

impl Numbered for RollsBack {
    const NUMBER: u16 = u16::MAX - 3;
    const NAME: &'static str = "RollsBack";
}

impl Verb for RollsBack {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        db.execute_batch("ROLLBACK")?;
        Err(Error::AdminKeyTaken)
    }
}

/// A planted verb as it is recorded.
fn recorded<V: Verb>() -> Recorded {
    let json = format!("{{\"number\":{},\"is_audited\":false,\"verb\":null}}", V::NUMBER);
    Recorded { name: V::NAME, json, failure: Some("AdminKeyTaken".to_owned()) }
}

fn decode_planted(recorded: &RecordedVerb<'_>) -> Result<DecodedVerb> {
    match recorded.number {
        ReadsTheClock::NUMBER => DecodedVerb::of::<ReadsTheClock>(recorded),
        FailsHalfway::NUMBER => DecodedVerb::of::<FailsHalfway>(recorded),
        FailsInTheIndex::NUMBER => DecodedVerb::of::<FailsInTheIndex>(recorded),
        RollsBack::NUMBER => DecodedVerb::of::<RollsBack>(recorded),
        _ => decode(recorded),
    }
}

#[test]
fn a_verb_that_fails_leaves_nothing_and_those_beside_it_are_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = record(&folder, |store| async move {
        store.write(create_user("ada@example.com")).await?;
        // They share a commit, or each has its own: both must hold.
        let (half, grace) =
            tokio::join!(store.write(FailsHalfway), store.write(create_user("grace@example.com")));
        assert!(matches!(half, Err(Error::AdminKeyTaken)), "{half:?}");
        grace?;
        store.close();
        Ok(())
    });
    let database = folder.path().join("vomeet.db");
    let verbs = recording.recorder.take();
    assert_eq!(verbs.len(), 3);
    for mode in [ReplayMode::OneBatch, ReplayMode::OneByOne] {
        let other = recording.begun_again("other.db");
        replay_with(&other, &verbs, mode, decode_planted).expect("a replay");
        assert_eq!(recording.differences(&database, &other), [""; 0], "{mode:?}");
        let half = "SELECT count(*), sum(name = 'half') FROM users";
        let db = Connection::open(&other).expect("the replayed file");
        let found: (i64, i64) =
            db.query_row(half, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("the users");
        assert_eq!(found, (2, 0), "{mode:?}");
    }
}

/// Words that are indexed in a batch are in the index once, though it is applied twice.
#[test]
fn a_verb_that_fails_in_the_word_index_leaves_nothing_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = record(&folder, |store| async move {
        write_keys(&store).await?;
        write_meeting(&store, "one", 1).await?;
        store.close();
        Ok(())
    });
    let mut verbs = recording.recorder.take();
    let indexed = verbs.iter().position(|verb| verb.name == "IndexSegments").expect("words");
    verbs.insert(indexed + 1, recorded::<FailsInTheIndex>());
    verbs.insert(indexed, recorded::<FailsInTheIndex>());
    for mode in [ReplayMode::OneBatch, ReplayMode::OneByOne] {
        let other = recording.begun_again("other.db");
        replay_with(&other, &verbs, mode, decode_planted).expect("a replay");
        let differences = recording.differences(&folder.path().join("vomeet.db"), &other);
        assert_eq!(differences, [""; 0], "{mode:?}");
        let db = Connection::open(&other).expect("the replayed file");
        let matches = |word: &str| {
            let sql = "SELECT count(*) FROM words WHERE words MATCH ?1";
            db.query_row(sql, [word], |row| row.get::<_, i64>(0)).expect("a count")
        };
        assert_eq!((matches("half"), matches("morgen")), (0, 1), "{mode:?}");
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')", []).expect("an index");
    }
}

/// What comes after it must not be durable alone, and then be answered as failed.
#[test]
fn a_batch_whose_transaction_is_gone_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = record(&folder, |store| async move {
        store.write(create_user("ada@example.com")).await?;
        store.write(create_user("grace@example.com")).await?;
        store.close();
        Ok(())
    });
    let users = recording.recorder.take();
    // The second batch is applied again in savepoints before its transaction is gone.
    let rolls_back = vec![users[0].clone(), recorded::<RollsBack>(), users[1].clone()];
    let in_savepoints =
        [&[users[0].clone(), recorded::<FailsHalfway>()], &rolls_back[1..]].concat();
    for (n, verbs) in [rolls_back, in_savepoints].iter().enumerate() {
        let other = recording.begun_again(&format!("other{n}.db"));
        let failed = replay_with(&other, verbs, ReplayMode::OneBatch, decode_planted);
        assert!(matches!(failed, Err(Error::StoreFailed(_))), "{failed:?}");
        let db = Connection::open(&other).expect("the replayed file");
        let count = "SELECT count(*) FROM users";
        let found: i64 = db.query_row(count, [], |row| row.get(0)).expect("a count");
        assert_eq!(found, 0, "{n}");
    }
}

#[test]
fn a_planted_verb_that_reads_the_clock_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = record(&folder, |store| async move {
        store.write(create_user("ada@example.com")).await?;
        store.write(ReadsTheClock).await?;
        store.close();
        Ok(())
    });
    let verbs = recording.recorder.take();
    let written = Clock::system().now();
    crate::patience::wait_for(|| (Clock::system().now() > written).then_some(()));
    let other = recording.begun_again("other.db");
    replay_with(&other, &verbs, ReplayMode::OneBatch, decode_planted).expect("a replay");
    let differences = recording.differences(&folder.path().join("vomeet.db"), &other);
    println!("{differences:#?}");
    assert_eq!(differences.len(), 2, "{differences:#?}");
    assert!(differences.iter().all(|row| row.contains("users")), "{differences:#?}");
}

#[test]
fn the_verbs_of_a_server_are_replayed_when_it_stops() {
    let before = REPLAYED.load(Ordering::Relaxed);
    let server = crate::server::Server::start();
    server.new_user("a@example.com");
    server.stop();
    assert!(REPLAYED.load(Ordering::Relaxed) > before, "nothing was replayed");
}
