//! What is looked at besides reads and writes: each look is cheap, and finds one thing or none.

use crate::bots::Supervisor;
use crate::config::Health as Limits;
use crate::domain::Time;
use crate::health::finding::{Code, Finding};
use crate::store::Store;
use std::time::Duration;
use tokio::time::timeout;

const MIB: u64 = 1024 * 1024;
/// How far the clock may be behind what the database has seen, in seconds.
const BEHIND_SECONDS_MAX: i64 = 60;
/// Longest wait for what runs bots.
const RUNNER_TIME_MAX: Duration = Duration::from_secs(2);

/// Whether the disk has enough space left.
pub(super) fn space(store: &Store, limits: &Limits) -> Option<Finding> {
    let free = store.disk_free_bytes()? / MIB;
    let min = limits.disk_free_mib_min;
    if free >= min {
        return None;
    }
    let path = store.path().display();
    let message = format!("{free} MiB are free on the disk of {path}, fewer than {min}.");
    Some(Finding::new(Code::DiskLow, message))
}

/// Whether the WAL is not too long.
pub(super) fn wal(store: &Store, limits: &Limits) -> Option<Finding> {
    let size = store.wal_bytes() / MIB;
    let max = limits.wal_mib_max;
    if size <= max {
        return None;
    }
    let message = format!("The WAL has {size} MiB, more than {max}.");
    Some(Finding::new(Code::WalLarge, message))
}

/// Whether the lock file is still ours.
pub(super) fn lock(store: &Store) -> Option<Finding> {
    if store.holds_lock() {
        return None;
    }
    let path = store.path().display();
    let message = format!("{path}.lock was removed or replaced while the server has it locked.");
    Some(Finding::new(Code::LockLost, message))
}

/// Whether the clock agrees with what the database has seen.
pub(super) fn clock(store: &Store, now: Time) -> Option<Finding> {
    let known = store.known_time().ok()??;
    let latest = known.latest;
    if now < latest.plus_seconds(-BEHIND_SECONDS_MAX) {
        let message = format!("The clock shows {now}, and the database has seen {latest}.");
        return Some(Finding::new(Code::ClockBehind, message));
    }
    if known.is_leap(now) {
        let message =
            format!("The clock shows {now}, long after {latest}, when a server ran last.");
        return Some(Finding::new(Code::ClockAhead, message));
    }
    None
}

/// Whether bots could be started.
pub(super) async fn runner(bots: &Supervisor) -> Option<Finding> {
    let why = match timeout(RUNNER_TIME_MAX, bots.check_runner()).await {
        Ok(Ok(())) => return None,
        Ok(Err(why)) => why,
        Err(_) => "the container engine takes too long to respond.".to_owned(),
    };
    Some(Finding::new(Code::RunnerUnreachable, format!("No bot can be started: {why}")))
}
