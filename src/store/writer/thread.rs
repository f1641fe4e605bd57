//! The one writer: verbs wait in a bounded queue, share a commit, and their callers get the result
//! after it.

use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::store::connection;
use crate::store::failure::fail_on;
use crate::store::file::Files;
use crate::store::positions::Positions;
use crate::store::reserve::Reserve;
use crate::store::vacuum::{require_fit, vacuum};
use crate::store::writer::counters::{Checkpointed, Counters};
use crate::store::writer::job::{Job, Message, commit_batch};
use crate::store::writer::record::Recorder;
use crate::store::writer::verb::Change;
use crate::store::writer::waiting::Waiting;
use rusqlite::{Connection, Row};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Most verbs in one commit.
const BATCH_MAX: usize = 256;

/// How long a checkpoint of the whole WAL waits for readers, and every write behind it.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(50);

/// How long nobody has written when the writer checkpoints the WAL: whoever copies the database
/// file alone, which is no backup, has all but the last moment.
const IDLE_TIME: Duration = Duration::from_millis(500);

/// What the writer's thread owns.
pub(crate) struct WriterThread {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) files: Arc<Files>,
    pub(crate) positions: Arc<Positions>,
    pub(crate) reserve: Reserve,
    pub(crate) publish: Box<dyn Fn(&Change) + Send>,
    pub(crate) failed: Arc<watch::Sender<Option<String>>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) recorder: Option<Recorder>,
    /// Whether the WAL has something that the database file has not.
    pub(crate) wal_pending: bool,
    /// Whether the WAL has the whole of a compacted file: its checkpoint belongs to the compaction.
    pub(crate) wal_is_compacted: bool,
    pub(crate) checkpoint_trouble: Trouble,
}

/// A writer that panicked writes no more, and nobody must believe that it does.
impl Drop for WriterThread {
    fn drop(&mut self) {
        if std::thread::panicking() {
            fail_on(&Error::StoreFailed("the writer panicked".to_owned()), &self.failed);
        }
    }
}

impl WriterThread {
    pub(crate) fn work(mut self, waiting: &Waiting) {
        let mut pending_message = None;
        while let Some(message) = pending_message.take().or_else(|| self.next(waiting)) {
            match message {
                Message::Job(first) => {
                    let (batch, next) = gather(first, waiting);
                    pending_message = next;
                    self.counters.taken.fetch_add(batch.len() as u64, Ordering::AcqRel);
                    self.finish(batch);
                }
                Message::Checkpoint(reply) => {
                    self.counters.taken.fetch_add(1, Ordering::AcqRel);
                    // The caller may have gone; the checkpoint is done all the same.
                    let _ = reply.send(self.truncate_wal());
                }
                // Whoever asked may have gone.
                Message::Ping(reply) => drop(reply.send(Ok(()))),
                Message::Compact { is_now, reply } => {
                    self.counters.taken.fetch_add(1, Ordering::AcqRel);
                    let _ = reply.send(self.compact(is_now));
                }
                Message::Stop => break,
            }
        }
        let fit = self.failed.borrow().is_none();
        if fit
            && let Err(error) = self.files.still_there().and_then(|()| self.checkpoint("TRUNCATE"))
        {
            fail_on(&error, &self.failed);
        }
    }

    /// The next message; `None` when there will be none. A WAL that nobody adds to is checkpointed
    /// meanwhile.
    fn next(&mut self, waiting: &Waiting) -> Option<Message> {
        while self.wal_pending && self.failed.borrow().is_none() {
            match waiting.recv_timeout(IDLE_TIME) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.checkpoint_idle(),
            }
        }
        waiting.recv().ok()
    }

    /// Checkpoints the WAL and keeps its length, as recycling it is faster than making it anew.
    fn checkpoint_idle(&mut self) {
        let checkpointed = self.files.still_there().and_then(|()| self.checkpoint("PASSIVE"));
        match checkpointed {
            Ok(is_complete) => self.wal_pending = !is_complete,
            Err(error) => fail_on(&error, &self.failed),
        }
    }

    /// Brings a batch to its end: committed and published, or refused. Every caller gets a result.
    fn finish(&mut self, batch: Vec<Box<dyn Job>>) {
        let is_short = self.reserve.is_short();
        self.counters.is_disk_full.store(is_short, Ordering::Release);
        let mut batch = if is_short { only_essential(batch) } else { batch };
        let mut commit = self.commit(&mut batch);
        if matches!(commit, Err(Error::DiskFull)) {
            self.reserve.release();
            self.counters.is_disk_full.store(true, Ordering::Release);
            batch = only_essential(batch);
            commit = self.commit(&mut batch);
        }
        if commit.is_ok() {
            self.wal_pending = true;
            self.record(&batch);
            self.publish(&batch);
            commit = self.checkpoint_if_long();
        }
        if let Err(error) = &commit {
            fail_on(error, &self.failed);
        }
        for job in batch {
            job.answer(commit.clone());
        }
    }

    /// Checkpoints a long WAL, and any WAL while the disk is short of space. What fails there may
    /// have failed before, so nobody is told of a success.
    fn checkpoint_if_long(&mut self) -> Result<()> {
        if connection::log_is_long() || self.reserve.is_short() {
            return self.checkpoint("PASSIVE").map(drop);
        }
        Ok(())
    }

    /// Writes the file anew without its free pages. All of it is in the WAL then, also where that
    /// has failed on the way, so the WAL is checkpointed; false if a reader still needs it.
    fn compact(&mut self, is_now: bool) -> Result<bool> {
        if let Some(cause) = &*self.failed.borrow() {
            return Err(Error::StoreFailed(cause.clone()));
        }
        self.files.still_there()?;
        require_fit(&self.connection, &self.path, is_now)?;
        self.counters.is_compacting.store(true, Ordering::Release);
        let compacted = vacuum(&self.path).inspect_err(|error| fail_on(error, &self.failed));
        self.wal_pending = true;
        self.wal_is_compacted = true;
        let checkpointed = self.truncate_wal();
        self.counters.is_compacting.store(false, Ordering::Release);
        compacted?;
        checkpointed
    }

    /// Checkpoints the whole WAL and truncates it. It waits for a reader that needs the WAL, at
    /// most [`CHECKPOINT_WAIT`].
    fn truncate_wal(&mut self) -> Result<bool> {
        if let Some(cause) = &*self.failed.borrow() {
            return Err(Error::StoreFailed(cause.clone()));
        }
        self.checkpoint_soon().inspect_err(|error| fail_on(error, &self.failed))
    }

    fn checkpoint_soon(&mut self) -> Result<bool> {
        self.files.still_there()?;
        self.connection.busy_timeout(CHECKPOINT_WAIT)?;
        let is_empty = self.checkpoint("TRUNCATE");
        self.connection.busy_timeout(connection::WAIT)?;
        is_empty
    }

    /// One transaction for the batch; what the disk does to one verb, it does to all.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(cause) = &*self.failed.borrow() {
            return Err(Error::StoreFailed(cause.clone()));
        }
        self.files.still_there()?;
        let began = Instant::now();
        commit_batch(&mut self.connection, batch)?;
        self.counters.commit_times.time(began.elapsed());
        self.counters.batch_sizes.size(batch.len());
        Ok(())
    }

    /// Records every verb that was applied, failed ones as well: a failure must be the same when it
    /// is replayed.
    fn record(&self, batch: &[Box<dyn Job>]) {
        let Some(recorder) = &self.recorder else { return };
        for job in batch {
            recorder.record(job.record());
        }
    }

    fn publish(&self, batch: &[Box<dyn Job>]) {
        let done = batch.iter().filter(|job| job.is_done()).count();
        self.counters.verbs.fetch_add(done as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(u64::from(!batch.is_empty()), Ordering::Relaxed);
        self.positions.publish();
        for job in batch {
            for change in job.changes() {
                (self.publish)(&change);
            }
        }
    }

    /// Checkpoints the WAL in one of SQLite's modes; false if a reader was in the way of some of it.
    /// A full disk may refuse; the WAL then keeps everything.
    fn checkpoint(&mut self, mode: &str) -> Result<bool> {
        let checkpoint = format!("PRAGMA wal_checkpoint({mode})");
        let is_complete = |row: &Row<'_>| {
            let (is_blocked, pages, written): (bool, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(!is_blocked && pages == written)
        };
        let began = Instant::now();
        if self.wal_is_compacted {
            self.counters.is_compacting.store(true, Ordering::Release);
        }
        let checkpointed =
            self.connection.query_row(&checkpoint, [], is_complete).map_err(Error::from);
        self.counters.checkpoint_times.time(began.elapsed());
        if self.wal_is_compacted {
            self.wal_is_compacted = !matches!(checkpointed, Ok(true));
            self.counters.is_compacting.store(false, Ordering::Release);
        }
        match checkpointed {
            Ok(is_complete) => {
                let outcome = if is_complete { Checkpointed::All } else { Checkpointed::Some };
                self.counters.checkpointed(outcome);
                self.checkpoint_trouble.end("the WAL is checkpointed into the database again");
                Ok(is_complete)
            }
            Err(Error::DiskFull | Error::Busy) => {
                self.checkpoint_trouble
                    .warn("the WAL cannot be checkpointed into the database yet");
                self.counters.checkpointed(Checkpointed::Refused);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// A batch that begins with this verb, of those that wait, and the message that ended it.
fn gather(first: Box<dyn Job>, waiting: &Waiting) -> (Vec<Box<dyn Job>>, Option<Message>) {
    let mut batch = vec![first];
    while batch.len() < BATCH_MAX {
        match waiting.try_recv() {
            Ok(Message::Job(job)) => batch.push(job),
            Ok(other) => return (batch, Some(other)),
            Err(_) => break,
        }
    }
    (batch, None)
}

/// Refuses what a full disk cannot take, and returns the rest.
fn only_essential(batch: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let (essential, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|job| job.is_essential());
    for job in rest {
        job.answer(Err(Error::DiskFull));
    }
    essential
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, DeliveryId, Time};
    use crate::store::audit::verbs::PruneAudit;
    use crate::store::probe::ProbeWrite;
    use crate::store::webhooks::verbs::ForgetDeliveries;
    use crate::store::writer::job::Pending;
    use crate::store::writer::verb::Verb;
    use tokio::sync::oneshot;

    /// Whether a full disk takes this verb.
    fn is_taken<V: Verb>(verb: V) -> bool {
        let (reply, mut answer) = oneshot::channel();
        let taken = only_essential(vec![Box::new(Pending { verb, outcome: None, reply })]);
        let is_refused = matches!(answer.try_recv(), Ok(Err(Error::DiskFull)));
        assert_ne!(taken.len() == 1, is_refused, "it is taken or refused");
        !is_refused
    }

    #[test]
    fn a_full_disk_takes_what_frees_space() {
        let (now, salt) = (Time::from_millis(0), [0; 16]);
        let actor = Actor { name: "server".to_owned(), address: None, at: now, salt };
        assert!(is_taken(PruneAudit { actor, before: now }), "old entries of the audit log");
        assert!(is_taken(ForgetDeliveries { ids: vec![DeliveryId(1)] }), "old events");
        assert!(!is_taken(ProbeWrite {}), "a write that frees nothing");
    }
}
