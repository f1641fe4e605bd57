//! A verb on its way through the writer, with the caller that waits for its result.

use crate::error::{Error, Result};
use crate::store::writer::record::{Recorded, encode};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

/// A verb on its way, with whoever waits for it.
pub(crate) trait Job: Send {
    fn is_essential(&self) -> bool;
    /// Applies the verb and keeps the outcome; fails only by what concerns every verb: the disk.
    fn apply(&mut self, db: &Connection) -> Result<()>;
    /// The same in a savepoint: a verb that fails leaves nothing behind.
    fn apply_alone(&mut self, db: &Connection) -> Result<()>;
    /// Whether its verb was done.
    fn is_done(&self) -> bool;
    /// How its verb failed, if it was applied and did.
    fn failure(&self) -> Option<String>;
    fn record(&self) -> Recorded;
    fn changes(&self) -> Vec<Change>;
    /// Tells whoever waits: the outcome, or why the commit failed.
    fn answer(self: Box<Self>, commit: Result<()>);
}

pub(crate) struct Pending<V: Verb> {
    pub(crate) verb: V,
    pub(crate) outcome: Option<Result<V::Answer>>,
    pub(crate) reply: oneshot::Sender<Result<V::Answer>>,
}

impl<V: Verb> Job for Pending<V> {
    fn is_essential(&self) -> bool {
        V::ESSENTIAL
    }

    fn apply(&mut self, db: &Connection) -> Result<()> {
        let outcome = self.verb.apply(db);
        self.keep(outcome)
    }

    fn apply_alone(&mut self, db: &Connection) -> Result<()> {
        let outcome = in_savepoint(db, || self.verb.apply(db));
        self.keep(outcome)
    }

    fn is_done(&self) -> bool {
        matches!(self.outcome, Some(Ok(_)))
    }

    fn failure(&self) -> Option<String> {
        match &self.outcome {
            Some(Err(error)) => Some(format!("{error:?}")),
            _ => None,
        }
    }

    fn record(&self) -> Recorded {
        Recorded { name: V::NAME, json: encode(&self.verb), failure: self.failure() }
    }

    fn changes(&self) -> Vec<Change> {
        match &self.outcome {
            Some(Ok(answer)) => self.verb.changes(answer),
            Some(Err(_)) | None => Vec::new(),
        }
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let never_applied =
            || Err(Error::Internal("a verb was answered before it was applied".to_owned()));
        let Self { outcome, reply, .. } = *self;
        // Whoever asked may have gone; what was committed stays.
        let _ = reply.send(commit.and_then(|()| outcome.unwrap_or_else(never_applied)));
    }
}

impl<V: Verb> Pending<V> {
    fn keep(&mut self, outcome: Result<V::Answer>) -> Result<()> {
        if let Err(error @ (Error::DiskFull | Error::StoreFailed(_))) = outcome {
            return Err(error);
        }
        self.outcome = Some(outcome);
        Ok(())
    }
}

/// Applies a batch in one transaction and commits it. A verb that fails leaves nothing behind.
///
/// Savepoints cost much: FTS5 writes what it has in memory at each. So the batch is applied without
/// them, and again with them in the rare case that a verb failed after it had changed something.
pub(crate) fn commit_batch(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if apply_together(&tx, batch)? {
        return Ok(tx.commit()?);
    }
    tx.rollback()?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        job.apply_alone(&tx)?;
        still_together(&tx)?;
    }
    Ok(tx.commit()?)
}

/// Applies a batch without savepoints; false if a verb failed that has left something behind.
fn apply_together(db: &Connection, batch: &mut [Box<dyn Job>]) -> Result<bool> {
    for job in batch {
        let changes = db.total_changes();
        job.apply(db)?;
        still_together(db)?;
        if !job.is_done() && db.total_changes() != changes {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fails where SQLite has rolled back the transaction by itself, as it does without memory: each
/// verb that follows would be durable alone, and then be answered as failed.
fn still_together(db: &Connection) -> Result<()> {
    if db.is_autocommit() {
        return Err(Error::StoreFailed("the transaction was rolled back".to_owned()));
    }
    Ok(())
}

fn in_savepoint<T>(db: &Connection, verb: impl FnOnce() -> Result<T>) -> Result<T> {
    db.prepare_cached("SAVEPOINT verb")?.execute([])?;
    let outcome = verb();
    // A full disk may already have rolled everything back, and the savepoint with it.
    if !db.is_autocommit() {
        let end = |sql| db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        let undone = if outcome.is_err() { end("ROLLBACK TO verb").map(drop) } else { Ok(()) };
        // What cannot be undone must not be committed with the rest of the batch.
        undone
            .and_then(|()| end("RELEASE verb"))
            .map_err(|error| Error::StoreFailed(error.to_string()))?;
    }
    outcome
}

pub(crate) enum Message {
    Job(Box<dyn Job>),
    /// Checkpoint the whole WAL; the reply says whether it is empty.
    Checkpoint(oneshot::Sender<Result<bool>>),
    /// Answer, and do nothing.
    Ping(oneshot::Sender<Result<()>>),
    /// Write the file anew without its free pages.
    Compact {
        is_now: bool,
        reply: oneshot::Sender<Result<bool>>,
    },
    Stop,
}
