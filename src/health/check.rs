//! The check itself: a read each time, a write and the rest once for all probes of a while.

use crate::domain::Time;
use crate::error::{Error, Result};
use crate::health::finding::{Code, Finding};
use crate::health::looks;
use crate::health::parts::Parts;
use crate::health::shared::Shared;
use crate::store::{Ending, ProbeWrite, Stop};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a look is good for; also a write that failed.
const LOOK_TIME: Duration = Duration::from_secs(1);
/// How long a write that was committed is good for.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long it is good for what runs bots.
const RUNNER_TIME: Duration = Duration::from_secs(15);
/// How long the counts of the whole database are good for.
const ENDING_TIME: Duration = Duration::from_mins(1);
/// When they are tried again after they have failed.
const ENDING_RETRY: Duration = Duration::from_secs(5);
/// Longest wait of a probe: a prober that gives up after a second should have its answer.
const PROBE_TIME_MAX: Duration = Duration::from_millis(900);
/// Longest wait of a scrape for the counts of the whole database.
pub(crate) const SCRAPE_TIME_MAX: Duration = Duration::from_millis(250);
/// Longest wait of somebody who wants to know everything.
const FULL_TIME_MAX: Duration = Duration::from_secs(6);
/// Longest wait for a commit.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest wait for one that has taken too long already.
const HANGING_TIME_MAX: Duration = Duration::from_millis(50);
/// Which keys end soon, in seconds.
const SOON_SECONDS: i64 = 7 * 86_400;
/// What SQLite says where it may not write (`SQLITE_READONLY`).
const READ_ONLY: &str = "readonly database";
/// How old a webhook event that waits may be, in seconds.
const WEBHOOK_SECONDS_MAX: i64 = 3600;

/// Where the server is on its way to its stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It was told to stop.
    Draining,
    /// A command or a drill has opened the database: the check writes nothing.
    AtRest,
}

/// The health check.
pub struct HealthCheck {
    parts: Parts,
    phase: AtomicU8,
    looks: Arc<Shared<Look>>,
    runner: Arc<Shared<Look>>,
    ending: Arc<Shared<Counted>>,
    rows: Arc<Shared<Option<(u64, u64)>>>,
    /// Used by the one task that looks.
    write: tokio::sync::Mutex<LatestWrite>,
    /// What the last write has shown.
    write_found: Mutex<Option<Finding>>,
    /// Held while all bytes of the file are checked.
    file_turn: Arc<tokio::sync::Mutex<()>>,
    stop: Stop,
}

/// What was found at some time.
#[derive(Clone)]
struct Look {
    at: Instant,
    findings: Vec<Finding>,
}

/// What was counted in the whole database; nothing where that has never succeeded.
#[derive(Clone)]
struct Counted {
    tried_at: Instant,
    is_of_then: bool,
    ending: Option<Ending>,
}

#[derive(Default)]
struct LatestWrite {
    ended: Option<(Instant, Option<Finding>)>,
    /// How many commits there were then.
    commits: u64,
    /// The one that has not ended: another is not sent before it has.
    running: Option<JoinHandle<Result<()>>>,
}

impl HealthCheck {
    pub(crate) fn new(parts: Parts, phase: Phase) -> Arc<Self> {
        Arc::new(Self {
            parts,
            phase: AtomicU8::new(phase as u8),
            looks: Arc::default(),
            runner: Arc::default(),
            ending: Arc::default(),
            rows: Arc::default(),
            write: tokio::sync::Mutex::default(),
            write_found: Mutex::default(),
            file_turn: Arc::default(),
            stop: Stop::default(),
        })
    }

    /// Says whether an admin key of the settings is easy to guess, once they were read again.
    pub(crate) fn set_has_weak_key(&self, has_weak_key: bool) {
        self.parts.has_weak_key.store(has_weak_key, Ordering::Relaxed);
    }

    /// The server was told to stop.
    pub(crate) fn drain(&self) {
        self.phase.store(Phase::Draining as u8, Ordering::Release);
    }

    /// Ends a check of the whole file that is under way.
    pub(crate) fn stop(&self) {
        self.stop.set();
    }

    /// Everything that probes are told, the worst first. Nobody waits for long: where a look takes
    /// its time, it is what the one before has found.
    pub(crate) async fn findings(self: &Arc<Self>) -> Vec<Finding> {
        self.found(true, PROBE_TIME_MAX, Duration::ZERO).await
    }

    /// The same without a write of the check's own: what the last one has shown still counts.
    pub(crate) async fn findings_without_write(self: &Arc<Self>) -> Vec<Finding> {
        self.found(false, PROBE_TIME_MAX, Duration::ZERO).await
    }

    /// The same as [`Self::findings`], with what runs bots as it is now, and with what is found in
    /// the whole database.
    pub(crate) async fn full_findings(self: &Arc<Self>) -> Vec<Finding> {
        let mut findings = self.found(true, FULL_TIME_MAX, FULL_TIME_MAX).await;
        if !findings.iter().any(|found| found.code == Code::DatabaseFailed) {
            findings.extend(self.findings_of_rows(FULL_TIME_MAX).await);
        }
        findings
    }

    async fn found(
        self: &Arc<Self>,
        may_write: bool,
        wait_max: Duration,
        runner_wait_max: Duration,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.read());
        findings.extend(self.draining());
        if self.parts.store.is_disk_full() {
            let message = "The disk is full: only what frees space is written.";
            findings.push(Finding::new(Code::DiskFull, message));
        }
        if findings.iter().any(|finding| finding.code == Code::DatabaseFailed) {
            return findings;
        }
        let mut looked = match may_write && !self.is_at_rest() {
            true => self.looked(wait_max).await,
            false => self.around(self.write_found()),
        };
        looked.extend(self.runner(runner_wait_max).await);
        let is_new = |found: &Finding| !findings.iter().any(|known| known.code == found.code);
        let others: Vec<Finding> = looked.into_iter().filter(is_new).collect();
        findings.extend(others);
        findings
    }

    /// What ends soon and what waits in the whole database, counted once in a while; `None` while
    /// it was never counted.
    pub(crate) async fn ending(self: &Arc<Self>, wait_max: Duration) -> Option<Ending> {
        let is_good = |counted: &Counted| {
            let good_for = if counted.is_of_then { ENDING_TIME } else { ENDING_RETRY };
            self.is_fresh(counted.tried_at, good_for)
        };
        let check = Arc::clone(self);
        let count = || async move { check.count_ending().await };
        self.ending.get(is_good, wait_max, count).await?.ending
    }

    async fn count_ending(&self) -> Counted {
        let now = self.now();
        let counted = self.parts.store.ending(now, now.plus_seconds(SOON_SECONDS)).await;
        let (is_of_then, tried_at) = (counted.is_ok(), self.parts.clock.instant());
        let before = || self.ending.latest().and_then(|latest| latest.ending);
        Counted { tried_at, is_of_then, ending: counted.ok().or_else(before) }
    }

    /// How many users and tokens there are; `None` where that takes too long.
    pub(crate) async fn count_rows(self: &Arc<Self>) -> Option<(u64, u64)> {
        let store = Arc::clone(&self.parts.store);
        let count = || async move { store.count().await.ok() };
        self.rows.get(|_| false, PROBE_TIME_MAX, count).await?
    }

    /// What is found in the whole database: what waits for long, and what ends soon.
    pub(crate) async fn findings_of_rows(self: &Arc<Self>, wait_max: Duration) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Some(ending) = self.ending(wait_max).await else { return findings };
        if let Some(since) = ending.oldest_webhook
            && since.plus_seconds(WEBHOOK_SECONDS_MAX) < self.now()
        {
            let message = format!("{} events wait, the oldest since {since}.", ending.webhooks);
            findings.push(Finding::new(Code::WebhooksWaiting, message));
        }
        let Ending { tokens, admin_keys, .. } = ending;
        if tokens + admin_keys > 0 {
            let message = format!("{tokens} tokens and {admin_keys} admin keys end within 7 days.");
            findings.push(Finding::new(Code::KeysEnding, message));
        }
        findings
    }

    /// Checks all bytes of the file, and the audit log; one such check at a time.
    pub(crate) async fn findings_of_file(&self) -> Result<Vec<Finding>> {
        let _turn = self.take_file_turn()?;
        let mut findings = Vec::new();
        let faults = self.parts.store.faults(self.stop.clone()).await?;
        if !faults.is_empty() {
            let message = format!("The file is damaged: {}.", faults.join("; "));
            findings.push(Finding::new(Code::FileDamaged, message));
        }
        let verified = self.parts.store.verify_audit().await?;
        if !verified.intact {
            let faults = verified.faults.len();
            let message = format!("The audit log does not fit together: {faults} faults.");
            findings.push(Finding::new(Code::AuditLogChanged, message));
        }
        Ok(findings)
    }

    pub(super) fn take_file_turn(&self) -> Result<OwnedMutexGuard<()>> {
        Arc::clone(&self.file_turn).try_lock_owned().map_err(|_| Error::FileIsChecked)
    }

    fn read(&self) -> Option<Finding> {
        match self.parts.store.check() {
            Ok(()) => None,
            Err(Error::StoreFailed(cause)) => {
                Some(Finding::new(Code::DatabaseFailed, format!("The database failed: {cause}.")))
            }
            Err(error) => {
                let cause = error.store_cause();
                Some(Finding::new(Code::ReadsFail, format!("A read failed: {cause}.")))
            }
        }
    }

    fn draining(&self) -> Option<Finding> {
        let is_draining = self.phase.load(Ordering::Acquire) == Phase::Draining as u8;
        is_draining.then(|| Finding::new(Code::Draining, "The server is stopping."))
    }

    fn is_at_rest(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::AtRest as u8
    }

    /// What a look finds that one task makes for all.
    async fn looked(self: &Arc<Self>, wait_max: Duration) -> Vec<Finding> {
        let is_good = |look: &Look| self.is_fresh(look.at, LOOK_TIME);
        let check = Arc::clone(self);
        let look = || async move {
            let found = check.write(&mut *check.write.lock().await).await;
            let mut noted = check.write_found.lock().unwrap_or_else(PoisonError::into_inner);
            noted.clone_from(&found);
            drop(noted);
            Look { findings: check.around(found), at: check.parts.clock.instant() }
        };
        let looked = self.looks.get(is_good, wait_max, look).await;
        looked.map(|look| look.findings).unwrap_or_default()
    }

    fn write_found(&self) -> Option<Finding> {
        self.write_found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is cheap to look at, besides what a write has shown.
    fn around(&self, write_found: Option<Finding>) -> Vec<Finding> {
        let Parts { store, backups, transcription, limits, has_weak_key, .. } = &self.parts;
        let now = self.now();
        let mut findings: Vec<Finding> = write_found.into_iter().collect();
        if self.is_at_rest() {
            findings.extend(looks::writable(store));
        }
        findings.extend(looks::space(store, limits));
        findings.extend(looks::wal(store, limits));
        findings.extend(looks::lock(store));
        findings.extend(looks::free_pages(store));
        findings.extend(looks::clock(store, now));
        findings.extend(looks::backups(backups, now));
        findings.extend(looks::spool(transcription));
        findings.extend(looks::words(transcription, now));
        if has_weak_key.load(Ordering::Relaxed) {
            let message = "An admin key of the settings is easy to guess.";
            findings.push(Finding::new(Code::AdminKeyWeak, message));
        }
        findings
    }

    /// Whether writes are committed: somebody else's since the last look, or one of the check's own.
    async fn write(&self, latest: &mut LatestWrite) -> Option<Finding> {
        if let Some(found) = looks::compacting(&self.parts.store) {
            return Some(found);
        }
        if latest.running.is_none() {
            let commits = self.parts.store.written().commits;
            if let Some((at, found)) = &latest.ended {
                let good_for = if found.is_some() { LOOK_TIME } else { WRITE_TIME };
                if self.is_fresh(*at, good_for) {
                    return found.clone();
                }
                if commits > latest.commits && self.is_fresh(*at, 2 * WRITE_TIME) {
                    latest.commits = commits;
                    latest.ended = Some((self.parts.clock.instant(), None));
                    return None;
                }
            }
            let store = Arc::clone(&self.parts.store);
            latest.running = Some(tokio::spawn(async move { store.write(ProbeWrite {}).await }));
            return self.wait_for_commit(latest, COMMIT_TIME_MAX).await;
        }
        self.wait_for_commit(latest, HANGING_TIME_MAX).await
    }

    async fn wait_for_commit(&self, latest: &mut LatestWrite, most: Duration) -> Option<Finding> {
        let running = latest.running.as_mut()?;
        let Ok(ended) = timeout(most, running).await else {
            return Some(looks::hanging(&self.parts.store));
        };
        latest.running = None;
        let outcome = ended.unwrap_or_else(|error| Err(Error::Internal(error.to_string())));
        let found = outcome.err().map(|error| of_write(&error));
        latest.commits = self.parts.store.written().commits;
        latest.ended = Some((self.parts.clock.instant(), found.clone()));
        found
    }

    /// Whether bots could be started. Probes do not wait for a container engine.
    async fn runner(self: &Arc<Self>, wait_max: Duration) -> Vec<Finding> {
        let is_good = |look: &Look| self.is_fresh(look.at, RUNNER_TIME);
        let check = Arc::clone(self);
        let look = || async move {
            let found = looks::runner(&check.parts.bots).await;
            Look { findings: found.into_iter().collect(), at: check.parts.clock.instant() }
        };
        let looked = self.runner.get(is_good, wait_max, look).await;
        looked.map(|look| look.findings).unwrap_or_default()
    }

    fn is_fresh(&self, at: Instant, good_for: Duration) -> bool {
        self.parts.clock.instant().saturating_duration_since(at) < good_for
    }

    fn now(&self) -> Time {
        self.parts.clock.now()
    }
}

/// The finding of a write that failed.
pub(super) fn of_write(error: &Error) -> Finding {
    match error {
        Error::DiskFull => Finding::new(Code::DiskFull, "The disk is full: a write was refused."),
        Error::Busy => Finding::new(Code::Busy, "Too many writes wait; another one was refused."),
        Error::StoreFailed(cause) => {
            Finding::new(Code::DatabaseFailed, format!("The database failed: {cause}."))
        }
        error => {
            let cause = error.cause().unwrap_or("no cause is known");
            let is_read_only = cause.contains(READ_ONLY);
            let code = if is_read_only { Code::ReadOnly } else { Code::WritesFail };
            Finding::new(code, format!("A write failed: {cause}."))
        }
    }
}
