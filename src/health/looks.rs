//! What is looked at besides reads and writes: each look is cheap, and finds one thing or none.

use crate::backups::Backups;
use crate::bots::Supervisor;
use crate::config::Health as Limits;
use crate::domain::Time;
use crate::health::finding::{Code, Finding};
use crate::store::Store;
use rustix::fs::{Access, access};
use std::time::Duration;
use tokio::time::timeout;

const MIB: u64 = 1024 * 1024;
/// What share of the file is worth giving back, in percent, and how many bytes at least.
const FREE_PERCENT_MIN: u64 = 25;
const FREE_BYTES_MIN: u64 = 64 * MIB;
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

/// Whether writes wait for a compaction.
pub(super) fn compacting(store: &Store) -> Option<Finding> {
    let message = "The file is being compacted, and writes wait until that is done.";
    store.is_compacting().then(|| Finding::new(Code::Compacting, message))
}

/// Why a write is not committed in time.
pub(super) fn hanging(store: &Store) -> Finding {
    let message = "A write has waited for its commit for more than 5 s.";
    compacting(store).unwrap_or_else(|| Finding::new(Code::WritesHang, message))
}

/// Whether so much of the file is free that it is worth giving back.
pub(super) fn free_pages(store: &Store) -> Option<Finding> {
    let room = store.room().ok()?;
    let percent = room.free_bytes.saturating_mul(100) / room.bytes.max(1);
    if percent < FREE_PERCENT_MIN || room.free_bytes < FREE_BYTES_MIN {
        return None;
    }
    let path = store.path().display();
    let (free, all) = (room.free_bytes / MIB, room.bytes / MIB);
    let message = format!("{free} of {all} MiB of {path} are free pages ({percent} %).");
    Some(Finding::new(Code::FreeSpace, message))
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

/// Whether the file may be written by this user.
pub(super) fn writable(store: &Store) -> Option<Finding> {
    let path = store.path();
    let error = access(path, Access::WRITE_OK).err()?;
    let message = format!("{} may not be written: {error}.", path.display());
    Some(Finding::new(Code::ReadOnly, message))
}

/// Whether backups are made as the schedule says.
pub(super) fn backups(backups: &Backups, now: Time) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(every) = backups.schedule() else { return findings };
    if let Some(failure) = backups.last_failure() {
        let message = format!("The backup of {} failed: {}", failure.at, failure.why);
        findings.push(Finding::new(Code::BackupFailed, message));
    }
    let seconds_max = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).saturating_mul(2);
    if let Some(good) = backups.last_good()
        && good.at.plus_seconds(seconds_max) < now
    {
        let message = format!("The last good backup is of {}.", good.at);
        findings.push(Finding::new(Code::BackupLate, message));
    }
    findings
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
