//! All the SQL: one writer, many readers, one file. Nobody outside this folder names `rusqlite`.
//!
//! Writes are [`Verb`]s sent to the one writer thread, which answers after the commit. Small reads run
//! where the request runs; long reads go to the blocking pool.

mod admin_keys;
mod advance;
mod analytics;
mod audit;
mod audit_log;
mod bots;
mod connection;
mod declared;
mod deliveries;
mod erasure;
mod export;
mod file;
mod index;
mod meetings;
mod outbox;
mod pages;
mod retention;
mod search;
mod segments;
mod space;
mod token_life;
mod tokens;
mod upgrade;
mod usage;
mod users;
mod webhooks;
mod writer;

pub use admin_keys::{CreateAdminKey, KnownAdminKey, RevokeAdminKey, RotateAdminKey};
pub use advance::{Advance, Advanced, Whose};
pub use analytics::{ListPage, MeetingsWanted, TelematicsWanted};
pub use audit::Recorded;
pub use audit_log::{AuditFault, AuditPage, PruneAudit, Verification};
pub use bots::{BotAtWork, NoteCleared, NoteContainer, Reconfigure, SendBot};
pub use declared::{DeclareUsers, Declared, TokenTaken};
pub use deliveries::{AttemptEnd, Busy, DeliveryPage, Due, EndAttempt, ForgetDeliveries, Underway, WaitingEvent};
pub use export::NoteExport;
pub use meetings::{MeetingFilter, MeetingName, NoteMeeting, RedactMeeting, WordsOf};
pub use pages::Page;
pub use retention::{DeleteMeeting, Outlived};
pub use search::{Found, Search, SearchPage};
pub use segments::{Accepted, StoreSegments};
pub use token_life::{CreateToken, RevokeToken, RotateToken, Rotated, UpdateToken};
pub use tokens::{KnownToken, TokenPage, TouchTokens};
pub use usage::{ForgetUsage, UsageFilter, UsagePage, WriteUsage};
pub use users::{CreateUser, DeleteUser, Patch, UpdateUser, UserPage};
pub use webhooks::{SetWebhook, Webhook};
pub use writer::{Change, Moved, Stored, Verb, Written};

use crate::error::{Error, Result};
use crate::exit::{Code, Exit};
use connection::Readers;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use writer::Writer;

/// Pages that a connection for small reads keeps: they come back to the same ones. Filled only as far as it is used.
const SMALL_READ_CACHE_KIB: u32 = 32 * 1024;
/// Pages that a connection for long reads keeps: they pass by once.
const LONG_READ_CACHE_KIB: u32 = 768;

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; it is created where it is missing, its folder is not.
    pub path: PathBuf,
    /// Connections for small reads: one for each thread that serves requests, so that none waits.
    pub small_readers: u32,
    /// Connections for long reads: one for each that may run at once.
    pub long_readers: u32,
    /// Most writes that wait; one more is refused with [`Error::Busy`].
    pub queue_max: usize,
}

/// The doors to the database.
pub struct Store {
    path: PathBuf,
    small_reads: Readers,
    long_reads: Readers,
    /// Places for searches: fewer than long reads, so that lists never wait for them alone.
    searches: Semaphore,
    writer: Writer,
    failed: Arc<watch::Sender<Option<String>>>,
    files: Arc<file::Files>,
    // Dropped in this order, after the connections.
    _log: file::OwnLog,
    _lock: file::Lock,
}

impl Store {
    /// Opens the file, alone: takes the lock, creates or upgrades the tables, starts the writer.
    ///
    /// `announce` hears of every change after its commit and before its answer, on the writer's thread.
    pub fn open(options: &Options, announce: impl Fn(&Change) + Send + 'static) -> std::result::Result<Self, Exit> {
        let lock = file::Lock::take(&options.path)?;
        file::create_private(&options.path)?;
        let connection = upgrade::open(&options.path)?;
        let failed = Arc::new(watch::Sender::new(None));
        let small_reads = Readers::open(&options.path, options.small_readers, SMALL_READ_CACHE_KIB)?;
        let long_reads = Readers::open(&options.path, options.long_readers, LONG_READ_CACHE_KIB)?;
        let searches_max = (options.long_readers as usize / 2).max(1);
        let cannot =
            |error: std::io::Error| Exit::new(Code::DatabaseUnusable, format!("Cannot watch the database: {error}."));
        let files = Arc::new(file::Files::remember(&options.path).map_err(cannot)?);
        let writer = Writer::start(connection, options, Arc::clone(&files), Box::new(announce), Arc::clone(&failed))?;
        Ok(Self {
            path: options.path.clone(),
            small_reads,
            long_reads,
            searches: Semaphore::new(searches_max),
            writer,
            failed,
            files,
            _log: file::OwnLog::of(&options.path),
            _lock: lock,
        })
    }

    /// Sends a verb to the writer and waits for its commit.
    pub async fn write<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        self.refuse_if_failed()?;
        self.writer.send(verb).await
    }

    /// Writes all that waits, folds the log into the file and lets go of it.
    pub fn close(&self) {
        self.writer.close();
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file and of its log, in bytes.
    pub fn size_bytes(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        size(&self.path) + size(&file::beside(&self.path, "-wal"))
    }

    /// How much was written since the start.
    pub fn written(&self) -> Written {
        self.writer.written()
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
            let mut both = db.prepare_cached("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM tokens)")?;
            both.query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))
        })
        .await
    }

    fn refuse_if_failed(&self) -> Result<()> {
        match &*self.failed.borrow() {
            Some(cause) => Err(Error::StoreFailed(cause.clone())),
            None => Ok(()),
        }
    }

    /// A small read, here and now: a row or a short page by key.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.small_reads.run(query).inspect_err(|error| fail_on(error, &self.failed))
    }

    /// A long read, on a thread where nobody waits behind it.
    async fn read_long<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (readers, failed) = (self.long_reads.clone(), Arc::clone(&self.failed));
        let run = move || readers.run(query).inspect_err(|error| fail_on(error, &failed));
        tokio::task::spawn_blocking(run).await.map_err(|panic| Error::Internal(panic.to_string()))?
    }
}

/// After a fault of the disk the outcome of a write is unknown, and asking again is answered with a lie: stop.
fn fail_on(error: &Error, failed: &watch::Sender<Option<String>>) {
    let Error::StoreFailed(cause) = error else { return };
    failed.send_if_modified(|state| state.is_none() && state.replace(cause.clone()).is_none());
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::StoreFailed(error.to_string())
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// The sentence for a file that cannot be opened.
fn unusable(path: &Path, error: &rusqlite::Error) -> Exit {
    let file = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Exit::new(
            Code::DatabaseForeign,
            format!(
                "{file} is not a readable database ({error}); restore a backup or choose another file with --database."
            ),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Exit::new(
            Code::DatabaseHeld,
            format!("Another program has {file} open; close it (a database shell, say) and start again."),
        ),
        _ => Exit::new(
            Code::DatabaseUnusable,
            format!(
                "Cannot use the database {file} ({error}); check permissions and free space, or choose another file with --database."
            ),
        ),
    }
}
