//! What is looked at besides reads and writes: each look is cheap, and finds one thing or none.

use crate::backups::Backups;
use crate::bots::Supervisor;
use crate::config::Health as Limits;
use crate::domain::Time;
use crate::health::finding::{Code, Finding};
use crate::store::Store;
use crate::transcription::Transcription;
use rustix::fs::{Access, access};
use std::time::Duration;
use tokio::time::timeout;

const MIB: u64 = 1024 * 1024;
/// What share of the file is worth giving back, in percent, and how many bytes at least.
const FREE_PERCENT_MIN: u64 = 25;
const FREE_BYTES_MIN: u64 = 64 * MIB;
/// How far the clock may be behind what the database has seen, in seconds.
const BEHIND_SECONDS_MAX: i64 = 60;
/// How late words of live sound may be, in seconds.
const LATE_SECONDS_MAX: u64 = 60;
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

/// Whether sound can be written, and whether there is room for more.
pub(super) fn spool(transcription: &Transcription) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folder = transcription.spool.folder();
    if let Some(cause) = folder.failure() {
        let message = format!("Sound could not be written: {cause}.");
        findings.push(Finding::new(Code::SpoolFailed, message));
    }
    let is_used = transcription.is_on() || folder.bytes() > 0;
    if is_used && let Some(why) = folder.why_full() {
        let message = format!("No more sound is taken: {why}");
        findings.push(Finding::new(Code::SpoolFull, message));
    }
    findings
}

/// Whether engines take sound, and whether they keep up.
pub(super) fn words(transcription: &Transcription, now: Time) -> Vec<Finding> {
    let mut findings = Vec::new();
    if transcription.is_on() && !transcription.takes_now() {
        let message = "No engine makes words of sound now; the log says why.";
        findings.push(Finding::new(Code::EnginesAway, message));
    }
    let seconds = transcription.counters.oldest_seconds(now);
    if seconds > LATE_SECONDS_MAX {
        let waiting = transcription.counters.waiting().live_windows;
        let message = format!(
            "{waiting} windows of live sound wait for their words, the oldest one for {seconds} s."
        );
        findings.push(Finding::new(Code::WordsLate, message));
    }
    findings
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
    if let Some(uploads) = backups.uploads()
        && let Some(failure) = uploads.known().last_failure
    {
        let message = format!("The upload of {} failed: {}", failure.at, failure.why);
        findings.push(Finding::new(Code::UploadFailed, message));
    }
    let Some(every) = backups.schedule() else { return findings };
    let good_at = backups.last_good().map(|good| good.at);
    let stored_at = backups.uploads().and_then(|uploads| uploads.known().last_good_at);
    if findings.is_empty()
        && let (Some(good_at), Some(stored_at)) = (good_at, stored_at)
        && is_behind(stored_at, good_at, every, now)
    {
        let message = format!(
            "The newest backup in the store is of {stored_at}, and the one in the folder of \
             {good_at}."
        );
        findings.push(Finding::new(Code::UploadFailed, message));
    }
    if let Some(failure) = backups.last_failure() {
        let message = format!("The backup of {} failed: {}", failure.at, failure.why);
        findings.push(Finding::new(Code::BackupFailed, message));
    }
    if let Some(good_at) = good_at
        && is_late(good_at, every, now)
    {
        let message = format!("The last good backup is of {good_at}.");
        findings.push(Finding::new(Code::BackupLate, message));
    }
    findings
}

/// Whether a backup of this time should have been followed by another.
fn is_late(at: Time, every: Duration, now: Time) -> bool {
    let seconds_max = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).saturating_mul(2);
    at.plus_seconds(seconds_max) < now
}

/// Whether what is in the store is late, and what is in the folder is newer.
fn is_behind(stored_at: Time, good_at: Time, every: Duration, now: Time) -> bool {
    stored_at < good_at && is_late(stored_at, every, now)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_behind_where_the_folder_has_newer_ones_and_it_has_none_in_time() {
        let at = |seconds: i64| Time::from_millis(seconds * 1000);
        let every = Duration::from_secs(100);
        for (stored, good, now, expected) in [
            (1000, 1100, 1201, true),
            (1000, 1100, 1200, false),
            // It is uploaded yet, or both are late: that is another finding.
            (1000, 1150, 1160, false),
            (1000, 1000, 9000, false),
            (1100, 1000, 9000, false),
        ] {
            let found = is_behind(at(stored), at(good), every, at(now));
            assert_eq!(found, expected, "{stored} {good} {now}");
        }
    }
}
