//! Live sound that breaks the rules, that changes its stream, and that meets a busy database or a
//! disk that fails.

#![cfg(test)]

use super::{
    A_SECOND, SECOND, SECOND_BYTES, assert_refused, evening, meetings, new, of_bot, on, open, rows,
    settings, speak,
};
use crate::clock::Clock;
use crate::domain::MeetingId;
use crate::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use crate::store::{Options, Store};
use crate::transcription::NewSound;
use futures_util::future::join_all;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn opus_packets_that_break_the_rules_are_dropped_and_counted() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let opus = SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 1 };
    let mut sound = all.listen(NewSound { format: opus, ..of_bot("a") }).await.expect("a sound");
    // None that says how long it is, and one of 20 ms with far too many bytes.
    let mut long = vec![31 << 3];
    long.resize(100_000, 1);
    for packet in [&[3][..], &[3, 0], &[(31 << 3) | 3, 63, 1], &long, &[31 << 3, 1]] {
        sound.write(sound.next_at(), packet).await.expect("written or dropped");
    }
    assert_eq!((sound.next_at(), all.dropped.packets()), (960, 4));
    sound.end().await.expect("its end");
    let mut reader = all.spool.read(MeetingId(1), 0).expect("a reader");
    let kept: Vec<usize> = std::iter::from_fn(|| reader.next().expect("a record"))
        .map(|record| record.payload.len())
        .collect();
    assert_eq!(kept, [2]);
}

#[tokio::test]
async fn a_speaker_who_is_silent_may_be_heard_in_another_stream() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let ada = |uid| new(uid, SoundSource::Jitsi, Some("Ada"));
    let mut first = all.listen(ada("a-1")).await.expect("a sound");
    speak(&mut first, 3, &clock).await.expect("written");
    clock.advance(Duration::from_millis(4999));
    assert_refused(all.listen(ada("a-2")).await, "speaker");
    clock.advance(Duration::from_millis(1));
    let mut second = all.listen(ada("a-2")).await.expect("another stream");
    speak(&mut second, 1, &clock).await.expect("written");
    assert_refused(first.write(0, &A_SECOND).await, "Another connection");
    assert_refused(all.listen(ada("a-1")).await, "speaker");
    first.end().await.expect("its end");
    second.end().await.expect("its end");
    assert_eq!(rows(&store).await, [(3000, true), (1000, true)]);
    assert_eq!(all.open_sounds(), 0);
}

#[tokio::test]
async fn sounds_that_begin_together_wait_for_a_busy_database() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let path = folder.path().join("vomeet.db");
    let options = Options { path, small_readers: 2, long_readers: 1, queue_max: 1 };
    let store = Arc::new(Store::open(&options, |_| {}).expect("a store"));
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let begun = (0..40).map(|number| all.listen(of_bot(&format!("bot {number}"))));
    for sound in join_all(begun).await {
        sound.expect("a sound");
    }
}

#[tokio::test]
async fn an_end_fails_where_the_spool_does_not_hold_all_and_notes_what_it_holds() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::manual(evening()));
    let store = open(folder.path());
    meetings(&store).await;
    let all = on(&store, &settings(), &clock);
    let upload = || new("a", SoundSource::Upload, None);
    let mut sound = all.listen(upload()).await.expect("a sound");
    sound.write(0, &vec![1; 5 * SECOND_BYTES]).await.expect("written");
    sound.durable().await.expect("durable");
    let path = folder.path().join("vomeet.sound/1.sound");
    let by_hand = std::fs::OpenOptions::new().append(true).open(path);
    by_hand.expect("the file").write_all(b"garbage").expect("written");
    sound.write(5 * SECOND, &A_SECOND).await.expect("it waits");
    assert_refused(sound.end().await, "disk of the spool");
    assert_eq!(rows(&store).await, [(5000, true)]);
    let mut again = all.listen(upload()).await.expect("another try");
    assert_eq!(again.next_at(), 5 * SECOND, "from where it is missing");
    again.write(5 * SECOND, &A_SECOND).await.expect("written");
    // Whose place is taken does not believe that it has ended it.
    let _other = all.listen(upload()).await.expect("somebody else");
    assert_refused(again.end().await, "Another connection");
}
