//! What the store tells of itself: to the metrics, to the health check, and to `vomeet doctor`.

use crate::domain::Time;
use crate::error::{Error, Result};
use crate::metrics::Family;
use crate::store::Stop;
use crate::store::beside::beside;
use crate::store::doors::Store;
use rusqlite::{Connection, params};
use std::sync::atomic::Ordering;

/// Most faults of the file that are listed.
const FAULTS_MAX: i64 = 10;
/// How often a check of the file looks whether it is to stop, in operations of SQLite.
const OPERATIONS_BETWEEN_LOOKS: i32 = 10_000;

/// What ends or waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Tokens that are accepted now and expire before a time.
    pub tokens: u64,
    /// Admin keys that are accepted now and expire before it.
    pub admin_keys: u64,
    /// Webhook events that wait.
    pub webhooks: u64,
    /// When the oldest of them happened.
    pub oldest_webhook: Option<Time>,
}

impl Store {
    /// Whether the disk is full: writes are refused but for those that free space.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.writer.counters.is_disk_full.load(Ordering::Acquire)
    }

    /// Bytes of the disk that are free for this user; `None` where the system does not say.
    pub(crate) fn disk_free_bytes(&self) -> Option<u64> {
        let system = rustix::fs::statvfs(self.path()).ok()?;
        Some(system.f_bavail.saturating_mul(system.f_frsize))
    }

    /// Size of the WAL in bytes.
    pub(crate) fn wal_bytes(&self) -> u64 {
        std::fs::metadata(beside(self.path(), "-wal")).map_or(0, |meta| meta.len())
    }

    /// Whether the lock file is still the one that this server has locked.
    pub(crate) fn holds_lock(&self) -> bool {
        self.lock.is_ours()
    }

    /// What expires from `now` to `end`, and which events wait. A long read.
    pub(crate) async fn ending(&self, now: Time, end: Time) -> Result<Ending> {
        self.read_long(move |db| count_ending(db, now, end)).await
    }

    /// Checks that each page of the file can be read and makes sense; lists what is wrong. A long
    /// read that takes as long as reading the file.
    pub(crate) async fn faults(&self, stop: Stop) -> Result<Vec<String>> {
        let checked = self.read_long(move |db| {
            db.progress_handler(OPERATIONS_BETWEEN_LOOKS, Some(move || stop.is_set()))?;
            let lines = check_pages(db);
            db.progress_handler(0, None::<fn() -> bool>)?;
            lines
        });
        match checked.await {
            Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
            Err(Error::StoreFailed(cause)) => Ok(vec![cause]),
            Err(error) => Err(error),
        }
    }

    /// The metrics of the store.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut families = self.writer.counters.families();
        families.push(Family::gauge(
            "store_bytes",
            "Size of the database and its WAL",
            self.size_bytes(),
        ));
        families.push(Family::gauge("store_wal_bytes", "Size of the WAL", self.wal_bytes()));
        if let Ok(room) = self.room() {
            let about = "Free pages of the database, which `vomeet compact` gives back";
            families.push(Family::gauge("store_free_bytes", about, room.free_bytes));
        }
        if let Some(free) = self.disk_free_bytes() {
            let about = "Bytes of the database's disk that are free";
            families.push(Family::gauge("disk_free_bytes", about, free));
        }
        let mut waits = Family::histograms(
            "store_reader_wait_seconds",
            "Time of reads that had to wait for a connection, by the kind of reads",
        );
        let mut refused = Family::counters(
            "store_reads_refused",
            "Reads that got no connection in time, by the kind of reads",
        );
        for (kind, readers) in [("small", &self.small_reads), ("long", &self.long_reads)] {
            let (times, without) = readers.waits();
            waits.add_histogram(vec![("kind", kind.into())], times);
            refused.add(vec![("kind", kind.into())], without);
        }
        families.push(waits);
        families.push(refused);
        families
    }
}

fn check_pages(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = db.prepare(&format!("PRAGMA quick_check({FAULTS_MAX})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    lines.collect()
}

fn count_ending(db: &Connection, now: Time, end: Time) -> rusqlite::Result<Ending> {
    let count = |sql: &str| {
        let mut count = db.prepare_cached(sql)?;
        count.query_row(params![now, end], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    };
    let tokens = count(
        "SELECT count(*) FROM tokens
         WHERE expires_at > ?1 AND expires_at <= ?2 AND disabled_at IS NULL
           AND replaced_by IS NULL",
    )?;
    let admin_keys =
        count("SELECT count(*) FROM admin_keys WHERE expires_at > ?1 AND expires_at <= ?2")?;
    let waiting = "SELECT count(*), min(id) FROM deliveries WHERE next_at IS NOT NULL";
    let (webhooks, oldest): (i64, Option<i64>) =
        db.prepare_cached(waiting)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut oldest_webhook = None;
    if let Some(id) = oldest {
        let created = "SELECT created_at FROM deliveries WHERE id = ?1";
        oldest_webhook = Some(db.prepare_cached(created)?.query_row([id], |row| row.get(0))?);
    }
    Ok(Ending { tokens, admin_keys, webhooks: webhooks.cast_unsigned(), oldest_webhook })
}
