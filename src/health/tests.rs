//! A writer that hangs, and what each error of a write is called.

#![cfg(test)]

use crate::backups::Backups;
use crate::bots::{Supervisor, WatchRegistry};
use crate::clock::Clock;
use crate::config::{Backup, Bots, Health as Limits, TranscriptionSettings};
use crate::domain::{Data, Email, Patch, UserId};
use crate::error::Error;
use crate::health::check::{HealthCheck, Phase, of_write};
use crate::health::finding::Code;
use crate::health::parts::Parts;
use crate::metrics::{Format, text};
use crate::store::{CreateUser, Options, Store, UpdateUser};
use crate::transcription::Transcription;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A store whose writer stands still after each commit while the gate is held.
fn store(folder: &Path, gate: &Arc<Mutex<()>>) -> Arc<Store> {
    let path = folder.join("vomeet.db");
    let options = Options { path, small_readers: 1, long_readers: 1, queue_max: 16 };
    let gate = Arc::clone(gate);
    let wait = move |_: &_| drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
    Arc::new(Store::open(&options, wait).expect("a store"))
}

fn check_of(store: &Arc<Store>, clock: &Clock) -> Arc<HealthCheck> {
    let registry = Arc::<WatchRegistry>::default();
    let bots = Supervisor::at_rest(
        Arc::clone(store),
        registry,
        Arc::default(),
        &Bots::default(),
        clock.clone(),
    );
    let backups = Arc::new(Backups::new(Arc::clone(store), &Backup::default(), clock.clone()));
    let limits = Limits { disk_free_mib_min: 0, wal_mib_max: 1024 };
    let (store, clock) = (Arc::clone(store), clock.clone());
    let settings = TranscriptionSettings::default();
    let folder = store.path().with_extension("sound");
    let transcription = Transcription::new(&settings, folder, Arc::clone(&store), clock.clone());
    let transcription = Arc::new(transcription);
    let has_weak_key = false.into();
    let parts = Parts { store, bots, backups, transcription, clock, limits, has_weak_key };
    HealthCheck::new(parts, Phase::Serving)
}

fn update(clock: &Clock) -> UpdateUser {
    UpdateUser {
        id: UserId(1),
        email: None,
        name: Patch::Set("Ada".to_owned()),
        image_url: Patch::Keep,
        max_concurrent_bots: None,
        data: None,
        disabled: None,
        now: clock.now(),
    }
}

/// Runs tasks on a clock of tokio's that leaps over every wait: nothing here takes five seconds.
fn run<T>(task: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime").block_on(task)
}

/// Asks until this is all that is found.
async fn wait_for_code(check: &Arc<HealthCheck>, code: Code) {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        let found: Vec<Code> = check.findings().await.iter().map(|found| found.code).collect();
        if found == [code] {
            return;
        }
        assert!(Instant::now() < end, "{found:?} instead of {code}");
        std::thread::yield_now();
    }
}

#[test]
fn a_write_that_is_not_committed_is_found_and_no_other_is_sent_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Mutex::new(()));
    let clock = Clock::manual(Clock::system().now());
    let (check, store) = run(async {
        let store = store(folder.path(), &gate);
        let email = Email::stored("ada@example.com".to_owned());
        let data = Data::stored("{}".to_owned());
        let (name, image_url, max_concurrent_bots) = (None, None, 0);
        let now = clock.now();
        let user = CreateUser { email, name, image_url, max_concurrent_bots, data, now };
        store.write(user).await.expect("a user");
        (check_of(&store, &clock), store)
    });
    let codes =
        || async { check.findings().await.iter().map(|found| found.code).collect::<Vec<_>>() };

    let held = gate.lock().expect("a gate");
    run(async {
        let (shared, now) = (Arc::clone(&store), clock.clone());
        let write = tokio::spawn(async move { shared.write(update(&now)).await });
        let began = tokio::time::Instant::now();
        assert_eq!(codes().await, [], "nobody waits until it is known");
        assert!(began.elapsed() < Duration::from_secs(1), "a prober waits for a second at most");
        while codes().await != [Code::WritesHang] {
            assert!(began.elapsed() < Duration::from_secs(30), "a write that hangs is not found");
        }
        let count = store.writer.counters.waiting();
        for _ in 0..5 {
            clock.advance(Duration::from_secs(2));
            assert_eq!(codes().await, [Code::WritesHang]);
        }
        // The writer may have taken them out of its queue meanwhile.
        let waiting = store.writer.counters.waiting();
        assert!(waiting <= count, "one probe waits, and no more: {waiting} after {count}");
        let is_compacting = &store.writer.counters.is_compacting;
        for (compacts, code) in [(true, Code::Compacting), (false, Code::WritesHang)] {
            is_compacting.store(compacts, Ordering::Release);
            clock.advance(Duration::from_secs(2));
            wait_for_code(&check, code).await;
        }
        drop(held);
        write.await.expect("a task").expect("a commit");
        let end = Instant::now() + Duration::from_mins(2);
        while !codes().await.is_empty() {
            assert!(Instant::now() < end, "the writer works, and is not believed");
            clock.advance(Duration::from_secs(2));
            std::thread::yield_now();
        }
    });
    store.close();
}

#[test]
fn each_error_of_a_write_has_its_code() {
    for (error, code) in [
        (Error::DiskFull, Code::DiskFull),
        (Error::Busy, Code::Busy),
        (Error::StoreFailed("disk I/O error".to_owned()), Code::DatabaseFailed),
        (Error::Internal("attempt to write a readonly database".to_owned()), Code::ReadOnly),
        (Error::Internal("a task panicked".to_owned()), Code::WritesFail),
    ] {
        let found = of_write(&error);
        assert_eq!(found.code, code);
        if let Some(cause) = error.cause() {
            assert!(found.message.contains(cause), "{}", found.message);
        }
    }
}

#[test]
fn nobody_waits_for_counts_while_all_long_readers_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let gate = Arc::new(Mutex::new(()));
        let clock = Clock::manual(Clock::system().now());
        let store = store(folder.path(), &gate);
        let check = check_of(&store, &clock);
        let (held, is_released) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let shared = Arc::clone(&store);
        let reading = tokio::spawn(async move {
            let read = move |_: &rusqlite::Connection| {
                begun.send(()).expect("a test that waits");
                // The sender is dropped, not used.
                let _ = is_released.recv();
                Ok(())
            };
            shared.read_long(read).await
        });
        has_begun.recv().expect("a read");
        assert_eq!(check.count_rows().await, None);
        assert_eq!(check.ending(Duration::from_millis(250)).await, None);
        assert!(check.findings_of_rows(Duration::from_millis(250)).await.is_empty());
        let metrics = text(Format::Classic, store.families(), Vec::new()).expect("metrics");
        let none_was_refused = r#"vomeet_store_reads_refused_total{kind="long"} 0"#;
        assert!(metrics.contains(none_was_refused), "they waited for as long as a read may wait");
        drop(held);
        reading.await.expect("a task").expect("a read");
        let end = Instant::now() + Duration::from_mins(2);
        while check.count_rows().await != Some((0, 0)) {
            assert!(Instant::now() < end, "counts do not come back");
        }
        store.close();
    });
}

#[test]
fn the_file_is_checked_by_one_at_a_time_and_the_check_can_be_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let gate = Arc::new(Mutex::new(()));
        let clock = Clock::manual(Clock::system().now());
        let store = store(folder.path(), &gate);
        let check = check_of(&store, &clock);
        let turn = check.take_file_turn().expect("the first");
        assert!(matches!(check.findings_of_file().await, Err(Error::FileIsChecked)));
        drop(turn);
        assert_eq!(check.findings_of_file().await.expect("a check"), []);
        store.close();
    });
}
