//! A writer that hangs, and what each error of a write is called.

#![cfg(test)]

use crate::bots::{Supervisor, WatchRegistry};
use crate::clock::Clock;
use crate::config::{Bots, Health as Limits};
use crate::domain::{Data, Email, Patch, UserId};
use crate::error::Error;
use crate::health::check::{HealthCheck, Phase, of_write};
use crate::health::finding::Code;
use crate::store::{CreateUser, Options, Store, UpdateUser};
use std::path::Path;
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
        let registry = Arc::<WatchRegistry>::default();
        let bots =
            Supervisor::at_rest(Arc::clone(&store), registry, &Bots::default(), clock.clone());
        let limits = Limits { disk_free_mib_min: 0, wal_mib_max: 1024 };
        let shared = Arc::clone(&store);
        (HealthCheck::new(shared, bots, clock.clone(), limits, Phase::Serving), store)
    });
    let codes =
        || async { check.findings().await.iter().map(|found| found.code).collect::<Vec<_>>() };

    let held = gate.lock().expect("a gate");
    run(async {
        let (shared, now) = (Arc::clone(&store), clock.clone());
        let write = tokio::spawn(async move { shared.write(update(&now)).await });
        assert_eq!(codes().await, [Code::WritesHang]);
        let count = store.writer.counters.waiting();
        for _ in 0..5 {
            clock.advance(Duration::from_secs(2));
            assert_eq!(codes().await, [Code::WritesHang]);
        }
        assert_eq!(store.writer.counters.waiting(), count, "one probe waits, and no more");
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
    ] {
        let found = of_write(&error);
        assert_eq!(found.code, code);
        if let Some(cause) = error.cause() {
            assert!(found.message.contains(cause), "{}", found.message);
        }
    }
}
