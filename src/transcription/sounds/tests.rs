//! Sounds begin, are counted, are refused, go on, end, and are deleted.

#![cfg(test)]

mod live;

use crate::clock::Clock;
use crate::config::TranscriptionSettings;
use crate::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use crate::domain::{Data, Day, Email, MeetingId, Platform, Time, TokenHash, TokenId, UserId};
use crate::error::{Error, Result};
use crate::store::{CreateUser, EraseSound, Options, SendBot, Store};
use crate::transcription::{NewSound, Sound, SoundNews, Transcription};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const FORMAT: SoundFormat = SoundFormat { codec: SoundCodec::S16le, rate: 16_000, channels: 1 };
/// Samples of a second, and its bytes.
const SECOND: u64 = 16_000;
const SECOND_BYTES: usize = 32_000;
static A_SECOND: [u8; SECOND_BYTES] = [1; SECOND_BYTES];

/// Some milliseconds before the end of a day.
fn evening() -> Time {
    Time::from_millis(20_372 * 86_400_000 - 60_000)
}

fn settings() -> TranscriptionSettings {
    TranscriptionSettings {
        spool_bytes_max: 1 << 40,
        seconds_per_day_user: 36_000,
        ..TranscriptionSettings::default()
    }
}

fn open(folder: &Path) -> Arc<Store> {
    let path = folder.join("vomeet.db");
    let options = Options { path, small_readers: 2, long_readers: 1, queue_max: 64 };
    Arc::new(Store::open(&options, |_| {}).expect("a store"))
}

fn on(store: &Arc<Store>, settings: &TranscriptionSettings, clock: &Clock) -> Arc<Transcription> {
    let folder = store.path().with_extension("sound");
    Arc::new(Transcription::new(settings, folder, Arc::clone(store), clock.clone()))
}

/// User 1 with meetings 1 and 2, whose bots were sent by token 9.
async fn meetings(store: &Store) {
    let user = CreateUser {
        email: Email::stored("one@example.com".to_owned()),
        name: None,
        image_url: None,
        max_concurrent_bots: 9,
        data: Data::default(),
        now: evening(),
    };
    store.write(user).await.expect("a user");
    for number in 1..=2 {
        let bot = SendBot {
            user_id: UserId(1),
            token_id: TokenId(9),
            platform: Platform::Teams,
            native_meeting_id: format!("meeting-{number}"),
            url: "https://example.com".to_owned(),
            uid: format!("bot-{number}"),
            token_hash: TokenHash([number; 32]),
            bot_name: "Bot".to_owned(),
            language: None,
            task: None,
            has_voice: false,
            vocabulary: Vec::new(),
            now: evening(),
        };
        store.write(bot).await.expect("a meeting");
    }
}

fn new(uid: &str, source: SoundSource, speaker: Option<&str>) -> NewSound {
    NewSound {
        meeting_id: MeetingId(1),
        user_id: UserId(1),
        token_id: None,
        uid: uid.to_owned(),
        source,
        format: FORMAT,
        speaker: speaker.map(str::to_owned),
        language: None,
        started_at: evening(),
    }
}

fn of_bot(uid: &str) -> NewSound {
    new(uid, SoundSource::Bot, None)
}

/// Writes seconds of sound, as fast as they can be spoken.
async fn speak(sound: &mut Sound, seconds: u64, clock: &Clock) -> Result<()> {
    for _ in 0..seconds {
        clock.advance(Duration::from_secs(1));
        sound.write(sound.next_at(), &A_SECOND).await?;
    }
    Ok(())
}

/// How much of each sound is noted, and whether it has ended.
async fn rows(store: &Store) -> Vec<(i64, bool)> {
    let list = "SELECT heard_ms, ended_at IS NOT NULL FROM sounds ORDER BY id";
    let read = store.read_long(move |db| {
        let mut list = db.prepare(list)?;
        list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    });
    read.await.expect("rows")
}

fn used(store: &Store, day: i64) -> i64 {
    store.sound_ms_of(UserId(1), Day::of(evening()).plus(day)).expect("usage")
}

fn assert_refused<T>(tried: Result<T>, word: &str) {
    match tried.err() {
        Some(Error::NoRoomForSound { reason } | Error::SoundLimit { reason, .. }) => {
            assert!(reason.contains(word), "{reason:?} is not about {word:?}");
        }
        other => panic!("{other:?} is not about {word:?}"),
    }
}

#[tokio::test]
async fn sound_is_noted_and_counted_while_it_comes_and_at_its_end() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let mut sound = all.listen(of_bot("a")).await.expect("a sound");
    assert_eq!((sound.next_at(), sound.started_at()), (0, Some(evening())));
    speak(&mut sound, 9, &clock).await.expect("written");
    assert_eq!(rows(&store).await, [(0, false)], "not noted yet");
    speak(&mut sound, 3, &clock).await.expect("written");
    assert_eq!((rows(&store).await, used(&store, 0)), (vec![(10_000, false)], 10_000));
    // A gap is no sound, but the clock goes on.
    sound.write(sound.next_at() + 5 * SECOND, &A_SECOND).await.expect("written");
    assert_eq!(all.open_sounds(), 1);
    sound.end().await.expect("its end");
    assert_eq!((rows(&store).await, used(&store, 0)), (vec![(18_000, true)], 13_000));
    assert_eq!(all.open_sounds(), 0);
    // The same stream goes on where it was, and ends when it is dropped.
    let mut sound = all.listen(of_bot("a")).await.expect("it goes on");
    assert_eq!((sound.next_at(), rows(&store).await), (18 * SECOND, vec![(18_000, false)]));
    sound.write(0, &A_SECOND).await.expect("put behind the rest");
    drop(sound);
    all.stopped().await;
    assert_eq!((rows(&store).await, used(&store, 0)), (vec![(19_000, true)], 14_000));
    let mut reader = all.spool.read(MeetingId(1), 0).expect("a reader");
    let records: Vec<u64> =
        std::iter::from_fn(|| reader.next().expect("a record")).map(|record| record.at).collect();
    let expected: Vec<u64> = (0..12).chain([17, 18]).map(|second| second * SECOND).collect();
    assert_eq!(records, expected);
}

#[tokio::test]
async fn who_brings_the_same_stream_takes_it_over() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let mut first = all.listen(of_bot("a")).await.expect("a sound");
    speak(&mut first, 3, &clock).await.expect("written");
    let mut second = all.listen(of_bot("a")).await.expect("the same");
    assert_eq!((second.id(), second.next_at()), (first.id(), 3 * SECOND), "nothing is overwritten");
    assert_refused(first.write(0, &A_SECOND).await, "Another connection");
    assert_eq!(first.next_news().await, None);
    drop(first);
    let news = SoundNews {
        start_ms: 0,
        end_ms: 900,
        text: "hello".to_owned(),
        language: None,
        completed: true,
    };
    all.publish(second.id(), news.clone());
    assert_eq!(second.next_news().await, Some(news));
    speak(&mut second, 1, &clock).await.expect("written");
    second.end().await.expect("its end");
    all.stopped().await;
    assert_eq!((rows(&store).await, used(&store, 0)), (vec![(4000, true)], 4000));
    let other = NewSound { format: SoundFormat { rate: 8000, ..FORMAT }, ..of_bot("a") };
    let refused = all.listen(other).await.map(drop);
    assert!(matches!(refused, Err(Error::Malformed(_))), "{refused:?}");
}

#[tokio::test]
async fn a_meeting_has_so_many_sounds_and_one_of_each_speaker_and_source() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let mut sounds = Vec::new();
    for number in 0..64 {
        sounds.push(all.listen(of_bot(&format!("bot {number}"))).await.expect("a sound"));
    }
    assert_refused(all.listen(of_bot("one more")).await, "64 sounds");
    sounds.push(all.listen(of_bot("bot 3")).await.expect("a stream that is there"));
    let elsewhere = NewSound { meeting_id: MeetingId(2), ..of_bot("one more") };
    sounds.push(all.listen(elsewhere).await.expect("of another meeting"));
    for number in 64..300 {
        let new = new(&format!("jitsi {number}"), SoundSource::Jitsi, None);
        sounds.push(all.listen(new).await.expect("a sound of Jitsi"));
    }
    drop(sounds);
    all.stopped().await;
    let ada = |uid, source| new(uid, source, Some("Ada"));
    let _ada = all.listen(ada("bot 1", SoundSource::Bot)).await.expect("Ada");
    let _other = all.listen(ada("bot 2", SoundSource::WhisperLive)).await.expect("elsewhere");
    assert_refused(all.listen(ada("bot 3", SoundSource::Bot)).await, "speaker");
    let _again = all.listen(ada("bot 1", SoundSource::Bot)).await.expect("the same stream");
    // A meeting that is not there, and one without a session.
    let gone = NewSound { meeting_id: MeetingId(9), ..of_bot("a") };
    let refused = all.listen(gone).await.map(drop);
    assert!(matches!(refused, Err(Error::NoSuchMeeting)), "{refused:?}");
}

#[tokio::test]
async fn sound_beyond_the_ceilings_is_refused_and_what_runs_goes_on() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let max = TranscriptionSettings { spool_bytes_max: 200_000, ..settings() };
    let all = on(&store, &max, &clock);
    let mut sound = all.listen(of_bot("a")).await.expect("a sound");
    speak(&mut sound, 7, &clock).await.expect("written");
    sound.durable().await.expect("durable");
    assert_refused(all.listen(of_bot("b")).await, "MiB of sound wait");
    speak(&mut sound, 1, &clock).await.expect("it goes on");
    sound.end().await.expect("its end");
    all.spool.forget(MeetingId(1)).expect("the words are there");
    drop(all.listen(of_bot("b")).await.expect("room again"));
    let min = TranscriptionSettings { spool_free_bytes_min: u64::MAX, ..settings() };
    assert_refused(on(&store, &min, &clock).listen(of_bot("c")).await, "are free on the disk");
}

#[tokio::test]
async fn sound_that_comes_faster_than_it_is_spoken_is_refused_but_for_uploads() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let mut live = all.listen(of_bot("a")).await.expect("a sound");
    let mut taken = 0;
    while live.write(live.next_at(), &A_SECOND).await.is_ok() {
        taken += 1;
        assert!(taken < 100, "it is never refused");
    }
    assert_eq!(taken, 30);
    assert_refused(live.write(0, &A_SECOND).await, "1.5 times");
    clock.advance(Duration::from_secs(10));
    for _ in 0..15 {
        live.write(live.next_at(), &A_SECOND).await.expect("15 s in 10 s");
    }
    assert_refused(live.write(0, &A_SECOND).await, "1.5 times");
    let mut upload = all.listen(new("b", SoundSource::Upload, None)).await.expect("an upload");
    for _ in 0..100 {
        upload.write(upload.next_at(), &A_SECOND).await.expect("as fast as it comes");
    }
    let odd = upload.write(upload.next_at(), &[1; 3]).await;
    assert!(matches!(odd, Err(Error::Malformed(_))), "{odd:?}");
    assert_refused(upload.write(u64::MAX, &[1; 2]).await, "7 days");
}

#[tokio::test]
async fn a_user_brings_so_much_sound_in_a_day_and_more_in_the_next() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let max = TranscriptionSettings { seconds_per_day_user: 20, ..settings() };
    let all = on(&store, &max, &clock);
    let mut sound = all.listen(of_bot("a")).await.expect("a sound");
    speak(&mut sound, 12, &clock).await.expect("written");
    drop(sound);
    all.stopped().await;
    // Another run of the server knows it too.
    let all = on(&store, &max, &clock);
    let mut sound = all.listen(of_bot("b")).await.expect("another");
    speak(&mut sound, 8, &clock).await.expect("written");
    let refused = sound.write(sound.next_at(), &A_SECOND).await;
    let left = 60 - 20;
    assert!(
        matches!(refused, Err(Error::SoundLimit { retry_after, .. }) if retry_after == left),
        "{refused:?}"
    );
    assert_refused(all.listen(of_bot("c")).await, "20 s of sound in a day");
    clock.advance(Duration::from_secs(left));
    speak(&mut sound, 15, &clock).await.expect("another day");
    sound.end().await.expect("its end");
    assert_eq!((used(&store, 0), used(&store, 1)), (12_000, 23_000), "counted when it is noted");
}

#[tokio::test]
async fn a_start_ends_what_was_open_and_deletes_what_nobody_owns() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let mut sound = all.listen(of_bot("a")).await.expect("a sound");
    speak(&mut sound, 14, &clock).await.expect("written");
    sound.durable().await.expect("durable");
    // As a kill leaves it: nothing is ended, and not all is noted.
    std::mem::forget(sound);
    assert_eq!(rows(&store).await, [(10_000, false)]);
    let spool = folder.path().join("vomeet.sound");
    for name in ["2.sound", "33.sound", "33.upload", "x.part", "notes.txt"] {
        std::fs::write(spool.join(name), "somebody's").expect("a file");
    }
    let next = on(&store, &settings(), &clock);
    next.recovered().await.expect("recovered");
    assert_eq!((rows(&store).await, used(&store, 0)), (vec![(14_000, true)], 14_000));
    let mut names: Vec<_> = std::fs::read_dir(&spool)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["1.sound", "notes.txt"]);
    let mut sound = next.listen(of_bot("a")).await.expect("it goes on");
    assert_eq!(sound.next_at(), 14 * SECOND);
    speak(&mut sound, 1, &clock).await.expect("written");
    sound.end().await.expect("its end");
    assert_eq!((rows(&store).await, used(&store, 0)), (vec![(15_000, true)], 15_000));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_stops_no_other_sound() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    for meeting in 1..=2 {
        let new = NewSound { meeting_id: MeetingId(meeting), ..of_bot("a") };
        let mut sound = all.listen(new).await.expect("a sound");
        speak(&mut sound, 2, &clock).await.expect("written");
        sound.durable().await.expect("durable");
        std::mem::forget(sound);
    }
    let file = folder.path().join("vomeet.sound/1.sound");
    let whole = std::fs::read(&file).expect("a file");
    std::fs::write(&file, [b'x'; 100]).expect("another owner's");
    let next = on(&store, &settings(), &clock);
    next.recovered().await.expect("recovered");
    assert_eq!(rows(&store).await, [(0, false), (2000, true)]);
    let other = NewSound { meeting_id: MeetingId(2), ..of_bot("b") };
    next.listen(other).await.expect("another sound").end().await.expect("its end");
    std::fs::write(&file, whole).expect("it is put right");
    next.end_open_sounds().await.expect("ended");
    assert_eq!(rows(&store).await[0], (2000, true));
    assert_eq!(used(&store, 0), 4000);
}

#[tokio::test]
async fn a_sound_that_is_cancelled_while_it_begins_leaves_its_place() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    all.recovered().await.expect("recovered");
    let cancelled = tokio::time::timeout(Duration::ZERO, all.listen(of_bot("a"))).await;
    assert!(cancelled.is_err(), "it begins on another thread");
    assert_eq!(all.open_sounds(), 0);
    // Its beginning may be in the database all the same, and nobody ends it.
    std::mem::forget(all.listen(of_bot("a")).await.expect("a sound"));
    all.open.end_meeting(MeetingId(1));
    let mut other = all.listen(of_bot("b")).await.expect("another");
    all.end_open_sounds().await.expect("ended");
    assert_eq!(rows(&store).await, [(0, true), (0, false)], "only that which nobody brings");
    speak(&mut other, 1, &clock).await.expect("it goes on");
}

#[tokio::test]
async fn deleted_sound_is_gone_and_nobody_writes_it_again() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let mut sound = all.listen(of_bot("a")).await.expect("a sound");
    speak(&mut sound, 2, &clock).await.expect("written");
    sound.durable().await.expect("durable");
    for meeting in 1..=2 {
        let erase = EraseSound { meeting_id: MeetingId(meeting), given_up_since: Some(evening()) };
        assert!(!store.write(erase).await.expect("a write"), "it goes on, or has none");
    }
    all.erase(MeetingId(1)).await.expect("erased");
    assert_eq!(store.erased_sounds().expect("rows"), []);
    assert!(!all.spool.has_sound(MeetingId(1)));
    assert_refused(sound.write(0, &[1; 2]).await, "deleted");
    assert_eq!(sound.next_news().await, None);
    drop(sound);
    let mut again = all.listen(of_bot("a")).await.expect("more of it");
    again.write(again.next_at(), &[1; 2]).await.expect("written");
    again.end().await.expect("its end");
    assert!(all.spool.has_sound(MeetingId(1)), "a file of its own");
}
