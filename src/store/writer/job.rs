//! A verb on its way through the writer, with the caller that waits for its result.

use crate::error::{Error, Result};
use crate::store::writer::record::{Recorded, encode};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::Connection;
use std::sync::atomic::AtomicU64;
use tokio::sync::oneshot;

/// A verb on its way, with whoever waits for it.
pub(crate) trait Job: Send {
    fn is_essential(&self) -> bool;
    /// Applies the verb and keeps the outcome; fails only by what concerns every verb: the disk.
    fn apply(&mut self, db: &Connection) -> Result<()>;
    /// Whether its verb was done.
    fn is_done(&self) -> bool;
    /// How its verb failed, if it was applied and did.
    fn failure(&self) -> Option<String>;
    fn record(&self) -> Recorded;
    fn change(&self) -> Option<Change>;
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
        let outcome = in_savepoint(db, || self.verb.apply(db));
        if let Err(error @ (Error::DiskFull | Error::StoreFailed(_))) = outcome {
            return Err(error);
        }
        self.outcome = Some(outcome);
        Ok(())
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

    fn change(&self) -> Option<Change> {
        self.outcome.as_ref()?.as_ref().ok().and_then(|answer| self.verb.change(answer))
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let never_applied =
            || Err(Error::Internal("a verb was answered before it was applied".to_owned()));
        let Self { outcome, reply, .. } = *self;
        // Whoever asked may have gone; what was committed stays.
        let _ = reply.send(commit.and_then(|()| outcome.unwrap_or_else(never_applied)));
    }
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

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Verbs that were committed.
    pub verbs: u64,
    /// Commits they shared.
    pub commits: u64,
}

pub(crate) enum Message {
    Job(Box<dyn Job>),
    /// Checkpoint the whole WAL; the reply says whether it is empty.
    Checkpoint(oneshot::Sender<Result<bool>>),
    Stop,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) verbs: AtomicU64,
    pub(crate) commits: AtomicU64,
}
