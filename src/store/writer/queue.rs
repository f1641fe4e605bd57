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
use crate::store::writer::waiting::{Queued, Waiting};
use rusqlite::Connection;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;

/// The door to the writer's thread.
pub(crate) struct Writer {
    queue: Sender<Queued>,
    /// Places in the queue. Whoever waits for one gets it in turn, before any who come later.
    places: Arc<Semaphore>,
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
        let (queue, waiting) = channel();
        let waiting = Waiting(waiting);
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
        let places = Arc::new(Semaphore::new(options.queue_max));
        Ok(Self { queue, places, thread: Mutex::new(Some(thread)), counters })
    }

    /// Queues a verb and waits for its commit; [`Error::Busy`] at once if the queue is full.
    pub(crate) async fn send<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        self.send_within(verb, Duration::ZERO).await
    }

    /// The same, where a full queue is waited for; [`Error::Busy`] if it is full for so long.
    pub(crate) async fn send_within<V: Verb>(
        &self,
        verb: V,
        time_max: Duration,
    ) -> Result<V::Answer> {
        let (reply, answer) = oneshot::channel();
        let job = Message::Job(Box::new(Pending { verb, outcome: None, reply }));
        self.ask(job, answer, time_max).await
    }

    /// Checkpoints the whole WAL and truncates it, after all writes that wait. False where a reader
    /// still needs it.
    pub(crate) async fn checkpoint(&self) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Checkpoint(reply), answer, Duration::ZERO).await
    }

    /// Waits until the writer has done all that waits, and does nothing.
    pub(crate) async fn ping(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Ping(reply), answer, Duration::ZERO).await
    }

    /// Writes the file anew without its free pages, after all writes that wait; others wait behind it.
    /// False where a reader still needs the WAL, which then has all of it.
    pub(crate) async fn compact(&self, is_now: bool) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Compact { is_now, reply }, answer, Duration::ZERO).await
    }

    async fn ask<T>(
        &self,
        message: Message,
        answer: oneshot::Receiver<Result<T>>,
        time_max: Duration,
    ) -> Result<T> {
        let stopped = || Error::StoreFailed("the writer has stopped".to_owned());
        let place = self.place(time_max).await?;
        // Before it is queued: the writer may have taken it before this thread goes on.
        self.counters.queued.fetch_add(1, Ordering::AcqRel);
        if self.queue.send((message, Some(place))).is_err() {
            self.counters.queued.fetch_sub(1, Ordering::AcqRel);
            return Err(stopped());
        }
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// A place in the queue, which is waited for in turn; [`Error::Busy`] if there is none for so
    /// long.
    async fn place(&self, time_max: Duration) -> Result<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.places);
        if time_max.is_zero() {
            return places.try_acquire_owned().map_err(|_| Error::Busy);
        }
        // On the heap: it seldom runs, and would make the future of every write larger.
        match Box::pin(timeout(time_max, places.acquire_owned())).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Error::Busy),
        }
    }

    /// Writes what waits, checkpoints the WAL, ends the thread.
    pub(crate) fn close(&self) {
        let _ = self.queue.send((Message::Stop, None));
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the writer ended by a panic");
        }
    }
}
