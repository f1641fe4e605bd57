//! The schedule, while somebody else makes a backup.

#![cfg(test)]

use crate::auth::actor;
use crate::backups::{Asked, Backups};
use crate::clock::Clock;
use crate::config::Backup as Settings;
use crate::domain::Time;
use crate::store::{NewBackup, Options, Stop, Store, name_of};
use std::fs;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often others are let go on while the schedule waits.
const ROUNDS: u32 = 200;

/// A store with a schedule of an hour, by a clock that stands still.
fn with_schedule(folder: &Path, clock: &Clock) -> (Arc<Store>, Arc<Backups>) {
    let path = folder.join("vomeet.db");
    let options = Options { path, small_readers: 1, long_readers: 1, queue_max: 8 };
    let store = Arc::new(Store::open(&options, |_| {}).expect("a store"));
    let every = Some(Duration::from_hours(1));
    let folder = Some(folder.join("backups"));
    let settings = Settings { folder, every, keep: 2, ..Settings::default() };
    let backups = Backups::new(Arc::clone(&store), &settings, clock.clone());
    (store, Arc::new(backups))
}

fn still_clock() -> Clock {
    Clock::manual(Time::from_millis(1_760_097_600_000))
}

#[tokio::test]
async fn a_schedule_that_is_due_waits_for_its_turn_and_does_not_spin() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_store, backups) = with_schedule(folder.path(), &still_clock());
    let turn = backups.take_turn().await.expect("nobody has it");
    let polls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&polls);
    let mut schedule = Box::pin(Arc::clone(&backups).keep_making());
    // A task is polled only when it was woken.
    let schedule = tokio::spawn(poll_fn(move |context| {
        counter.fetch_add(1, Ordering::Relaxed);
        schedule.as_mut().poll(context)
    }));
    for _ in 0..ROUNDS {
        backups.listed().await.expect("a list");
    }
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls < ROUNDS / 10, "{polls} polls while it should wait");
    assert_eq!(backups.failures(), 0);
    drop(turn);
    while backups.last_good().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(backups.listed().await.expect("a list").len(), 1);
    schedule.abort();
}

#[tokio::test]
async fn a_good_backup_from_elsewhere_ends_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = still_clock();
    let (store, backups) = with_schedule(folder.path(), &clock);
    let into = folder.path().join("backups");
    fs::write(&into, b"a file where the folder should be").expect("a file");
    let actor = actor("server".to_owned(), None, clock.now()).expect("an actor");
    let asked = Asked { actor, owns_database: true };
    assert!(backups.back_up(asked).await.is_err());
    assert!(backups.last_failure().is_some());
    fs::remove_file(&into).expect("a file");
    fs::create_dir(&into).expect("a folder");
    clock.advance(Duration::from_mins(1));
    let path = into.join(name_of(clock.now()));
    let work = move || {
        let wanted = NewBackup { path: &path, replace: false, recipient: None };
        store.back_up(&wanted, &Stop::default()).map(drop)
    };
    tokio::task::spawn_blocking(work).await.expect("no panic").expect("a backup");
    backups.look().await.expect("a folder");
    assert_eq!(backups.last_failure(), None);
}

/// The schedule of a fresh server begins with a backup, and whoever types the command then gets one.
#[tokio::test]
async fn a_backup_that_is_soon_done_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_store, backups) = with_schedule(folder.path(), &still_clock());
    let turn = backups.take_turn().await.expect("nobody has it");
    let (next, ()) = tokio::join!(backups.take_turn(), async {
        tokio::task::yield_now().await;
        drop(turn);
    });
    next.expect("its turn");
}
