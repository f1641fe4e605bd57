//! The door to the writer's thread: a bounded queue.

use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::logging::Trouble;
use crate::store::file::Files;
use crate::store::options::Options;
use crate::store::positions::Positions;
use crate::store::reserve::Reserve;
use crate::store::writer::counters::Counters;
use crate::store::writer::job::{Message, Pending};
use crate::store::writer::record::Recorder;
use crate::store::writer::thread::WriterThread;
use crate::store::writer::verb::{Change, Verb};
use rusqlite::Connection;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

/// The door to the writer's thread.
pub(crate) struct Writer {
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What it counts.
    pub(crate) counters: Arc<Counters>,
}

impl Writer {
    /// Starts the thread, which owns the connection until [`Writer::close`].
    pub(crate) fn start(
        connection: Connection,
        options: &Options,
        files: Arc<Files>,
        positions: Arc<Positions>,
        recorder: Option<Recorder>,
        publish: Box<dyn Fn(&Change) + Send>,
        failed: Arc<watch::Sender<Option<String>>>,
    ) -> std::result::Result<Self, StartupError> {
        let (queue, waiting) = sync_channel(options.queue_max);
        let cannot = |error: std::io::Error| {
            StartupError::new(Code::DatabaseUnusable, format!("Cannot start the writer: {error}."))
        };
        let counters = Arc::new(Counters::default());
        let writer_thread = WriterThread {
            path: options.path.clone(),
            files,
            positions,
            reserve: Reserve::take(&options.path),
            counters: Arc::clone(&counters),
            recorder,
            connection,
            publish,
            failed,
            wal_pending: false,
            wal_is_compacted: false,
            checkpoint_trouble: Trouble::default(),
        };
        let thread = std::thread::Builder::new().name("writer".to_owned());
        let thread = thread.spawn(move || writer_thread.work(&waiting)).map_err(cannot)?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), counters })
    }

    /// Queues a verb and waits for its commit; [`Error::Busy`] at once if the queue is full.
    pub(crate) async fn send<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Job(Box::new(Pending { verb, outcome: None, reply })), answer).await
    }

    /// Checkpoints the whole WAL and truncates it, after all writes that wait. False where a reader
    /// still needs it.
    pub(crate) async fn checkpoint(&self) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Checkpoint(reply), answer).await
    }

    /// Waits until the writer has done all that waits, and does nothing.
    pub(crate) async fn ping(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Ping(reply), answer).await
    }

    /// Writes the file anew without its free pages, after all writes that wait; others wait behind it.
    /// False where a reader still needs the WAL, which then has all of it.
    pub(crate) async fn compact(&self, is_now: bool) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Compact { is_now, reply }, answer).await
    }

    async fn ask<T>(&self, message: Message, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let stopped = || Error::StoreFailed("the writer has stopped".to_owned());
        // Before it is queued: the writer may have taken it before this thread goes on.
        self.counters.queued.fetch_add(1, Ordering::AcqRel);
        self.queue.try_send(message).map_err(|error| {
            self.counters.queued.fetch_sub(1, Ordering::AcqRel);
            match error {
                TrySendError::Full(_) => Error::Busy,
                TrySendError::Disconnected(_) => stopped(),
            }
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Writes what waits, checkpoints the WAL, ends the thread.
    pub(crate) fn close(&self) {
        let _ = self.queue.send(Message::Stop);
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the writer ended by a panic");
        }
    }
}
