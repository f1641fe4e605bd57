//! The database: writes go to the one writer, small reads run where the request runs, long reads on
//! the blocking pool.

use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::store::backup::partial::sweep;
use crate::store::connection::Readers;
use crate::store::failure::{fail_on, unusable};
use crate::store::options::Options;
use crate::store::positions::Positions;
use crate::store::restore::leftovers;
use crate::store::stop::Stop;
use crate::store::upgrade::replace::upgrade_locked;
use crate::store::writer::counters::Written;
use crate::store::writer::queue::Writer;
use crate::store::writer::record::Recorder;
use crate::store::writer::verb::{Change, Verb};
use crate::store::{beside, connection, file, upgrade};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::sleep;

/// Pages that a connection for small reads keeps: they come back to the same ones. Filled only as
/// far as it is used.
const SMALL_READ_CACHE_KIB: u32 = 48 * 1024;

/// Pages that a connection for long reads keeps: they pass by once.
const LONG_READ_CACHE_KIB: u32 = 256;

/// How long to wait until the writer is asked again whose queue was full.
const PING_PAUSE: Duration = Duration::from_millis(100);

/// The open database.
pub struct Store {
    path: PathBuf,
    pub(super) small_reads: Readers,
    pub(super) long_reads: Readers,
    /// Places for searches: fewer than long reads, so that lists never wait for them alone.
    pub(crate) searches: Semaphore,
    pub(crate) writer: Writer,
    pub(crate) positions: Arc<Positions>,
    pub(crate) failed: Arc<watch::Sender<Option<String>>>,
    pub(crate) files: Arc<file::Files>,
    // Dropped in this order, after the connections.
    _log: file::OwnLog,
    pub(super) lock: file::Lock,
}

impl Store {
    /// Opens the file, alone: takes the lock, creates or upgrades the tables, starts the writer.
    ///
    /// `on_change` is called with every change after its commit and before the caller gets the
    /// result, on the writer's thread.
    pub fn open(
        options: &Options,
        on_change: impl Fn(&Change) + Send + 'static,
    ) -> std::result::Result<Self, StartupError> {
        Self::open_recorded(options, None, on_change)
    }

    /// The same; every verb is sent to the recorder once it is committed.
    pub fn open_recorded(
        options: &Options,
        recorder: Option<Recorder>,
        on_change: impl Fn(&Change) + Send + 'static,
    ) -> std::result::Result<Self, StartupError> {
        let options = &Options { path: beside::resolve(&options.path)?, ..options.clone() };
        let found = file::recognise(&options.path, upgrade::APPLICATION_ID)?;
        let lock = file::Lock::take(&options.path)?;
        leftovers::remove(&options.path);
        // The copies of backups that were to be encrypted. Without them it opens all the same.
        let _ = sweep(beside::folder_of(&options.path));
        file::create_private(&options.path, found)?;
        upgrade_locked(&options.path, &Stop::default())?;
        let connection = upgrade::open(&options.path)?;
        let failed = Arc::new(watch::Sender::new(None));
        let opener = connection::opener();
        let small_reads =
            Readers::open(&options.path, options.small_readers, SMALL_READ_CACHE_KIB, &opener)?;
        let long_reads =
            Readers::open(&options.path, options.long_readers, LONG_READ_CACHE_KIB, &opener)?;
        let searches_max = (options.long_readers as usize / 2).max(1);
        let cannot = |error: std::io::Error| {
            StartupError::new(
                Code::DatabaseUnusable,
                format!("Cannot watch the database: {error}."),
            )
        };
        let files = Arc::new(file::Files::remember(&options.path).map_err(cannot)?);
        let positions = Arc::new(Positions::default());
        positions.watch(&connection).map_err(|error| unusable(&options.path, &error))?;
        let writer = Writer::start(
            connection,
            options,
            Arc::clone(&files),
            Arc::clone(&positions),
            recorder,
            Box::new(on_change),
            Arc::clone(&failed),
        )?;
        Ok(Self {
            path: options.path.clone(),
            small_reads,
            long_reads,
            searches: Semaphore::new(searches_max),
            writer,
            positions,
            failed,
            files,
            _log: file::OwnLog::of(&options.path),
            lock,
        })
    }

    /// Sends a verb to the writer and waits for its commit.
    pub async fn write<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        self.refuse_if_failed()?;
        self.writer.send(verb).await
    }

    /// The same for a caller who does not come again: a full queue is waited for;
    /// [`Error::Busy`] if it is full for so long.
    pub(crate) async fn write_within<V: Verb>(
        &self,
        verb: V,
        time_max: Duration,
    ) -> Result<V::Answer> {
        self.refuse_if_failed()?;
        self.writer.send_within(verb, time_max).await
    }

    /// Writes all that waits, checkpoints the WAL and closes the file.
    pub fn close(&self) {
        self.writer.close();
    }

    /// Checkpoints the whole WAL, after all writes that wait; false where a reader still needs it.
    pub async fn checkpoint(&self) -> Result<bool> {
        self.writer.checkpoint().await
    }

    /// Waits until the writer gives a sign that it works: it answers or, where its queue is full, it
    /// commits. Whether it can write is another matter. Fails once it has stopped.
    pub(crate) async fn writer_works(&self) -> Result<()> {
        let before = self.written().commits;
        loop {
            match self.writer.ping().await {
                Err(Error::Busy) if self.written().commits == before => sleep(PING_PAUSE).await,
                Err(Error::Busy) => return Ok(()),
                answer => return answer,
            }
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file and of its log, in bytes.
    pub fn size_bytes(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        size(&self.path) + size(&beside::beside(&self.path, "-wal"))
    }

    /// How much was written since the start.
    pub fn written(&self) -> Written {
        self.writer.counters.written()
    }

    /// Becomes `Some(cause)` once, when the file can no longer be trusted.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    /// Reads one row by key, as the health check does: an answer means that the file answers.
    pub fn check(&self) -> Result<()> {
        self.refuse_if_failed()?;
        self.files.still_there().inspect_err(|error| fail_on(error, &self.failed))?;
        self.read(|db| db.prepare_cached("SELECT max(id) FROM users")?.query_row([], |_| Ok(())))
    }

    /// How many users and tokens there are; a long read.
    pub async fn count(&self) -> Result<(u64, u64)> {
        let count = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        self.read_long(move |db| {
            let mut both = db.prepare_cached(
                "SELECT (SELECT count(*) FROM users) - (SELECT count(*) FROM users WHERE erasing_at IS NOT NULL),
                   (SELECT count(*) FROM tokens)",
            )?;
            both.query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))
        })
        .await
    }

    pub(crate) fn refuse_if_failed(&self) -> Result<()> {
        match &*self.failed.borrow() {
            Some(cause) => Err(Error::StoreFailed(cause.clone())),
            None => Ok(()),
        }
    }

    /// A small read, here and now: a row or a short page by key.
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.small_reads.run(query).inspect_err(|error| fail_on(error, &self.failed))
    }

    /// A long read, on a thread where nobody waits behind it.
    pub(crate) async fn read_long<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (readers, failed) = (self.long_reads.clone(), Arc::clone(&self.failed));
        let (done, result) = oneshot::channel();
        // Boxed: every kind of task is some KiB of code, and there would be one for each query.
        let run: Box<dyn FnOnce() + Send> = Box::new(move || {
            let found = readers.run(query).inspect_err(|error| fail_on(error, &failed));
            let _ = done.send(found);
        });
        let task = tokio::task::spawn_blocking(run).await;
        task.map_err(|panic| Error::Internal(panic.to_string()))?;
        result.await.map_err(|_| Error::Internal("a long read gave no result".to_owned()))?
    }
}
