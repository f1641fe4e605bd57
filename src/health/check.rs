//! The check itself: a read each time, a write and the rest once for all probes of a while.

use crate::bots::Supervisor;
use crate::clock::Clock;
use crate::config::Health as Limits;
use crate::domain::Time;
use crate::error::{Error, Result};
use crate::health::finding::{Code, Finding};
use crate::health::looks;
use crate::store::{Ending, ProbeWrite, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
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
/// Longest wait for a commit.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest wait for one that has taken too long already.
const HANGING_TIME_MAX: Duration = Duration::from_millis(50);
/// Which keys end soon, in seconds.
const SOON_SECONDS: i64 = 7 * 86_400;
/// How old a webhook event that waits may be, in seconds.
const WEBHOOK_SECONDS_MAX: i64 = 3600;

/// Where the server is on its way from start to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// It does not serve yet.
    Starting,
    /// It serves, or is a command that opened the database itself.
    Serving,
    /// It was told to stop.
    Draining,
}

/// The health check.
pub struct HealthCheck {
    store: Arc<Store>,
    bots: Arc<Supervisor>,
    clock: Clock,
    limits: Limits,
    phase: AtomicU8,
    /// Locked while somebody looks: all others wait for that look, and take what it has found.
    latest: Mutex<Latest>,
    ending: Mutex<Option<(Instant, Ending)>>,
}

/// What was found last.
#[derive(Default)]
struct Latest {
    looked: Option<(Instant, Vec<Finding>)>,
    runner: Option<(Instant, Option<Finding>)>,
    write: LatestWrite,
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
    pub(crate) fn new(
        store: Arc<Store>,
        bots: Arc<Supervisor>,
        clock: Clock,
        limits: Limits,
        phase: Phase,
    ) -> Self {
        let phase = AtomicU8::new(phase as u8);
        Self {
            store,
            bots,
            clock,
            limits,
            phase,
            latest: Mutex::default(),
            ending: Mutex::default(),
        }
    }

    /// The server has come further on its way.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Everything that is found now, the worst first.
    pub async fn findings(&self) -> Vec<Finding> {
        self.found(true).await
    }

    /// The same without a write of the check's own: what the last one has shown still counts.
    pub(crate) async fn findings_without_write(&self) -> Vec<Finding> {
        self.found(false).await
    }

    async fn found(&self, may_write: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.read());
        findings.extend(self.phase());
        if self.store.is_disk_full() {
            let message = "The disk is full: only what frees space is written.";
            findings.push(Finding::new(Code::DiskFull, message));
        }
        if !findings.iter().any(|finding| finding.code == Code::DatabaseFailed) {
            let looked = self.looked(may_write).await;
            let is_new = |found: &Finding| !findings.iter().any(|known| known.code == found.code);
            let others: Vec<Finding> = looked.into_iter().filter(is_new).collect();
            findings.extend(others);
        }
        findings
    }

    /// What ends soon and what waits in the whole database, counted once in a while.
    pub(crate) async fn ending(&self) -> Result<Ending> {
        let mut latest = self.ending.lock().await;
        if let Some((at, ending)) = *latest
            && self.is_fresh(at, ENDING_TIME)
        {
            return Ok(ending);
        }
        let now = self.clock.now();
        let ending = self.store.ending(now, now.plus_seconds(SOON_SECONDS)).await?;
        *latest = Some((self.clock.instant(), ending));
        Ok(ending)
    }

    /// What is found in the whole database: what waits for long, and what ends soon.
    pub(crate) async fn findings_of_rows(&self) -> Result<Vec<Finding>> {
        let ending = self.ending().await?;
        let mut findings = Vec::new();
        if let Some(since) = ending.oldest_webhook
            && since.plus_seconds(WEBHOOK_SECONDS_MAX) < self.clock.now()
        {
            let message = format!("{} events wait, the oldest since {since}.", ending.webhooks);
            findings.push(Finding::new(Code::WebhooksWaiting, message));
        }
        let Ending { tokens, admin_keys, .. } = ending;
        if tokens + admin_keys > 0 {
            let message = format!("{tokens} tokens and {admin_keys} admin keys end within 7 days.");
            findings.push(Finding::new(Code::KeysEnding, message));
        }
        Ok(findings)
    }

    fn read(&self) -> Option<Finding> {
        match self.store.check() {
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

    fn phase(&self) -> Option<Finding> {
        let phase = self.phase.load(Ordering::Acquire);
        if phase == Phase::Starting as u8 {
            return Some(Finding::new(Code::Starting, "The server is starting."));
        }
        if phase == Phase::Draining as u8 {
            return Some(Finding::new(Code::Draining, "The server is stopping."));
        }
        None
    }

    async fn looked(&self, may_write: bool) -> Vec<Finding> {
        let mut latest = self.latest.lock().await;
        if let Some((at, findings)) = &latest.looked
            && self.is_fresh(*at, LOOK_TIME)
        {
            return findings.clone();
        }
        let mut findings = Vec::new();
        match may_write {
            true => findings.extend(self.write(&mut latest.write).await),
            false => findings.extend(latest.write.ended.clone().and_then(|(_, found)| found)),
        }
        findings.extend(looks::space(&self.store, &self.limits));
        findings.extend(looks::wal(&self.store, &self.limits));
        findings.extend(looks::lock(&self.store));
        findings.extend(looks::clock(&self.store, self.now()));
        findings.extend(self.runner(&mut latest.runner).await);
        // A look without a write must not stand for one with it.
        if may_write {
            latest.looked = Some((self.clock.instant(), findings.clone()));
        }
        findings
    }

    /// Whether writes are committed: somebody else's since the last look, or one of the check's own.
    async fn write(&self, latest: &mut LatestWrite) -> Option<Finding> {
        if latest.running.is_none() {
            let commits = self.store.written().commits;
            if let Some((at, found)) = &latest.ended {
                let good_for = if found.is_some() { LOOK_TIME } else { WRITE_TIME };
                if self.is_fresh(*at, good_for) {
                    return found.clone();
                }
                if commits > latest.commits && self.is_fresh(*at, 2 * WRITE_TIME) {
                    latest.commits = commits;
                    latest.ended = Some((self.clock.instant(), None));
                    return None;
                }
            }
            let store = Arc::clone(&self.store);
            latest.running = Some(tokio::spawn(async move { store.write(ProbeWrite {}).await }));
            return self.wait_for_commit(latest, COMMIT_TIME_MAX).await;
        }
        self.wait_for_commit(latest, HANGING_TIME_MAX).await
    }

    async fn wait_for_commit(&self, latest: &mut LatestWrite, most: Duration) -> Option<Finding> {
        let running = latest.running.as_mut()?;
        let Ok(ended) = timeout(most, running).await else {
            let message = "A write has waited for its commit for more than 5 s.";
            return Some(Finding::new(Code::WritesHang, message));
        };
        latest.running = None;
        let outcome = ended.unwrap_or_else(|error| Err(Error::Internal(error.to_string())));
        let found = outcome.err().map(|error| of_write(&error));
        latest.commits = self.store.written().commits;
        latest.ended = Some((self.clock.instant(), found.clone()));
        found
    }

    async fn runner(&self, latest: &mut Option<(Instant, Option<Finding>)>) -> Option<Finding> {
        if let Some((at, found)) = latest
            && self.is_fresh(*at, RUNNER_TIME)
        {
            return found.clone();
        }
        let found = looks::runner(&self.bots).await;
        *latest = Some((self.clock.instant(), found.clone()));
        found
    }

    fn is_fresh(&self, at: Instant, good_for: Duration) -> bool {
        self.clock.instant().saturating_duration_since(at) < good_for
    }

    fn now(&self) -> Time {
        self.clock.now()
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
            Finding::new(Code::ReadOnly, format!("A write failed: {cause}."))
        }
    }
}
