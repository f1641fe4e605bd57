//! The one writer: verbs wait in a bounded queue, share a commit, and are answered after it.

use super::Options;
use super::connection;
use super::file::Files;
use super::index;
use super::space::Reserve;
use crate::domain::{Meeting, MeetingId, MeetingStatus, Platform, Segment, Time, TokenHash, UserId};
use crate::error::{Error, Result};
use crate::exit::{Code, Exit};
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Most verbs in one commit.
const BATCH_MAX: usize = 256;
/// How long a fold of the whole log waits for readers, and every write behind it.
const FOLD_WAIT: Duration = Duration::from_millis(50);

/// A change as a value: time and randomness come in with it, so the same verbs on a copy give the same rows.
pub trait Verb: Serialize + Send + 'static {
    /// What the caller gets after the commit.
    type Answer: Send + 'static;

    /// Whether it may use the reserve of a full disk: it frees space or shuts somebody out.
    const ESSENTIAL: bool = false;

    /// Does it, inside a transaction; an error undoes this verb and no other.
    fn apply(&self, db: &Connection) -> Result<Self::Answer>;

    /// What others must hear of it once it is committed.
    fn change(&self, _answer: &Self::Answer) -> Option<Change> {
        None
    }
}

/// What was committed, for those who keep some of it in memory.
#[derive(Debug, Clone)]
pub enum Change {
    /// A token is refused from now on.
    TokenRevoked(TokenHash),
    /// A token is no longer as it was.
    TokenChanged(TokenHash),
    /// A user is no longer as they were.
    UserChanged(UserId),
    /// All tokens of a user are refused from now on.
    UserDisabled(UserId),
    /// A bot takes a seat of a user's.
    SeatsChanged(UserId),
    /// A user is gone with all their tokens.
    UserRemoved(UserId),
    /// A meeting moved on.
    MeetingMoved(Arc<Moved>),
    /// Words of a meeting were stored.
    SegmentsStored(Arc<Stored>),
    /// A meeting's words and personal data are gone.
    MeetingRedacted(MeetingId),
}

/// A meeting that moved on.
#[derive(Debug)]
pub struct Moved {
    /// The meeting as it is now.
    pub meeting: Meeting,
    /// Where it stood before.
    pub from: MeetingStatus,
    /// When.
    pub at: Time,
}

/// Words of a meeting that were stored, or stored anew.
#[derive(Debug)]
pub struct Stored {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// Where it is held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// The session that heard them.
    pub session_uid: String,
    /// What was said.
    pub segments: Vec<Segment>,
    /// When they were stored.
    pub at: Time,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Verbs that were committed.
    pub verbs: u64,
    /// Commits they shared.
    pub commits: u64,
}

/// A verb on its way, with whoever waits for it.
trait Job: Send {
    fn is_essential(&self) -> bool;
    /// Applies the verb and keeps the outcome; fails only by what concerns every verb: the disk.
    fn apply(&mut self, db: &Connection) -> Result<()>;
    /// Whether its verb was done.
    fn is_done(&self) -> bool;
    fn change(&self) -> Option<Change>;
    /// Tells whoever waits: the outcome, or why the commit failed.
    fn answer(self: Box<Self>, commit: Result<()>);
}

struct Pending<V: Verb> {
    verb: V,
    outcome: Option<Result<V::Answer>>,
    reply: oneshot::Sender<Result<V::Answer>>,
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

    fn change(&self) -> Option<Change> {
        self.outcome.as_ref()?.as_ref().ok().and_then(|answer| self.verb.change(answer))
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let never_applied = || Err(Error::Internal("a verb was answered before it was applied".to_owned()));
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
        undone.and_then(|()| end("RELEASE verb")).map_err(|error| Error::StoreFailed(error.to_string()))?;
    }
    outcome
}

enum Message {
    Job(Box<dyn Job>),
    /// Fold the log whole; the answer says whether nothing is left in it.
    Fold(oneshot::Sender<Result<bool>>),
    Stop,
}

/// The door to the writer's thread.
pub struct Writer {
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    verbs: AtomicU64,
    commits: AtomicU64,
}

impl Writer {
    /// Starts the thread, which owns the connection until [`Writer::close`].
    pub fn start(
        connection: Connection,
        options: &Options,
        files: Arc<Files>,
        announce: Box<dyn Fn(&Change) + Send>,
        failed: Arc<watch::Sender<Option<String>>>,
    ) -> std::result::Result<Self, Exit> {
        let (queue, waiting) = sync_channel(options.queue_max);
        let cannot =
            |error: std::io::Error| Exit::new(Code::DatabaseUnusable, format!("Cannot start the writer: {error}."));
        let counters = Arc::new(Counters::default());
        let desk = Desk {
            files,
            reserve: Reserve::take(&options.path),
            counters: Arc::clone(&counters),
            connection,
            announce,
            failed,
        };
        let thread = std::thread::Builder::new().name("writer".to_owned());
        let thread = thread.spawn(move || desk.work(&waiting)).map_err(cannot)?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), counters })
    }

    /// Queues a verb and waits for its commit; [`Error::Busy`] at once if the queue is full.
    pub async fn send<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Job(Box::new(Pending { verb, outcome: None, reply })), answer).await
    }

    /// Folds the whole log into the file and empties it, behind all writes that wait. False where a reader still needs it.
    pub async fn fold(&self) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Fold(reply), answer).await
    }

    async fn ask<T>(&self, message: Message, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let stopped = || Error::StoreFailed("the writer has stopped".to_owned());
        self.queue.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Counts since the start.
    pub fn written(&self) -> Written {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Written { verbs: count(&self.counters.verbs), commits: count(&self.counters.commits) }
    }

    /// Writes what waits, folds the log into the file, ends the thread.
    pub fn close(&self) {
        let _ = self.queue.send(Message::Stop);
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the writer ended by a panic");
        }
    }
}

/// Where the writer's thread sits.
struct Desk {
    connection: Connection,
    files: Arc<Files>,
    reserve: Reserve,
    announce: Box<dyn Fn(&Change) + Send>,
    failed: Arc<watch::Sender<Option<String>>>,
    counters: Arc<Counters>,
}

/// A writer that panicked writes no more, and nobody must believe that it does.
impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::fail_on(&Error::StoreFailed("the writer panicked".to_owned()), &self.failed);
        }
    }
}

impl Desk {
    fn work(mut self, waiting: &Receiver<Message>) {
        let mut held = None;
        while let Some(message) = held.take().or_else(|| waiting.recv().ok()) {
            match message {
                Message::Job(first) => {
                    let (batch, next) = gather(first, waiting);
                    held = next;
                    self.finish(batch);
                }
                Message::Fold(reply) => {
                    // Whoever asked may have gone; what was folded is folded.
                    let _ = reply.send(self.empty_log());
                }
                Message::Stop => break,
            }
        }
        let fit = self.failed.borrow().is_none();
        if fit && let Err(error) = self.files.still_there().and_then(|()| self.fold("TRUNCATE")) {
            super::fail_on(&error, &self.failed);
        }
    }

    /// Brings a batch to its end: committed and announced, or refused, and in each case answered.
    fn finish(&mut self, batch: Vec<Box<dyn Job>>) {
        let mut batch = if self.reserve.is_short() { only_essential(batch) } else { batch };
        let mut commit = self.commit(&mut batch);
        if matches!(commit, Err(Error::DiskFull)) {
            self.reserve.release();
            batch = only_essential(batch);
            commit = self.commit(&mut batch);
        }
        if commit.is_ok() {
            self.announce(&batch);
            commit = self.fold_if_long();
        }
        if let Err(error) = &commit {
            super::fail_on(error, &self.failed);
        }
        for job in batch {
            job.answer(commit.clone());
        }
    }

    /// Folds a long log into the file, and any log while the disk is short of space. What fails there may have failed
    /// before, so nobody is told of a success.
    fn fold_if_long(&mut self) -> Result<()> {
        if connection::log_is_long() || self.reserve.is_short() {
            return self.fold("PASSIVE").map(drop);
        }
        Ok(())
    }

    /// Folds the whole log and empties it. A reader that needs it is waited for, but not as long as that others notice.
    fn empty_log(&self) -> Result<bool> {
        if let Some(cause) = &*self.failed.borrow() {
            return Err(Error::StoreFailed(cause.clone()));
        }
        let fold = || {
            self.files.still_there()?;
            self.connection.busy_timeout(FOLD_WAIT)?;
            let folded = self.fold("TRUNCATE");
            self.connection.busy_timeout(connection::WAIT)?;
            folded
        };
        fold().inspect_err(|error| super::fail_on(error, &self.failed))
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
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in batch {
            job.apply(&tx)?;
        }
        index::index_changed(&tx)?;
        Ok(tx.commit()?)
    }

    fn announce(&self, batch: &[Box<dyn Job>]) {
        let done = batch.iter().filter(|job| job.is_done()).count();
        self.counters.verbs.fetch_add(done as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(u64::from(!batch.is_empty()), Ordering::Relaxed);
        batch.iter().filter_map(|job| job.change()).for_each(|change| (self.announce)(&change));
    }

    /// Folds the log into the file, in one of SQLite's checkpoint modes; false if a reader was in the way. A full disk may
    /// refuse; the log then keeps it all.
    fn fold(&self, mode: &str) -> Result<bool> {
        let checkpoint = format!("PRAGMA wal_checkpoint({mode})");
        let blocked = self.connection.query_row(&checkpoint, [], |row| row.get::<_, bool>(0)).map_err(Error::from);
        match blocked {
            Ok(blocked) => Ok(!blocked),
            Err(Error::DiskFull | Error::Busy) => {
                log::warn!("the log cannot be folded into the database yet");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// A batch that begins with this verb, of those that wait, and the message that ended it.
fn gather(first: Box<dyn Job>, waiting: &Receiver<Message>) -> (Vec<Box<dyn Job>>, Option<Message>) {
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
