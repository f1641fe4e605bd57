//! Connections: the writer's one, the readers' pool, and what each is told at the start.

use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::metrics::{Counted, Histogram};
use crate::store::beside::{beside, folder_of};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use scheduled_thread_pool::ScheduledThreadPool;
use std::cell::Cell;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Pages of 4 KiB in the WAL before the writer checkpoints it. What they add to the file must fit
/// into the reserve of a full disk: `reserve.rs`.
const CHECKPOINT_PAGES: c_int = 1000;
/// What the WAL may keep of its size after a checkpoint, in bytes.
const LOG_BYTES_KEPT: u32 = 8 * 1024 * 1024;
/// How long a read waits for a connection, and a connection for a lock.
pub(super) const WAIT: Duration = Duration::from_secs(5);
const STATEMENTS_CACHED: usize = 64;
/// Most pages that the writer keeps, in KiB: what a commit of many bots changes must fit, or it is
/// written twice.
const WRITER_CACHE_KIB: u32 = 8 * 1024;

/// The same for a copy that is upgraded.
const SCRATCH_CACHE_KIB: u32 = 64 * 1024;

const IN_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

/// The file's address with SQLite's `unix-excl` locking (sqlite.org/vfs.html): one process owns the
/// file, so its threads share the index of the WAL in memory and need no system call to begin a
/// read.
fn address(path: &Path) -> PathBuf {
    uri(path, "vfs=unix-excl")
}

/// The file's address with parameters (sqlite.org/uri.html).
fn uri(path: &Path, parameters: &str) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let encoded = utf8_percent_encode(&absolute.to_string_lossy(), IN_PATH).to_string();
    format!("file:{encoded}?{parameters}").into()
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// A connection that has changed nothing yet, and changes nothing when it is closed.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(address(path), flags())?;
    prepare(&connection)?;
    Ok(connection)
}

/// A connection of its own that only reads, beside those of the pools.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path)?;
    connection.execute_batch("PRAGMA query_only = ON;")?;
    Ok(connection)
}

/// A file that nobody writes to: it is read without locks, and nothing is made beside it.
pub(super) fn open_still(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, "mode=ro&immutable=1"), flags)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Attaches another database to a connection, to read from it in the same statements.
pub(super) fn attach(connection: &Connection, path: &Path, name: &str) -> rusqlite::Result<()> {
    let address = address(path).to_string_lossy().into_owned();
    connection.execute("ATTACH ?1 AS ?2", [address.as_str(), name]).map(drop)
}

/// The empty file that a copy is written to. Nobody reads it before it is whole, so it has no
/// journal, and is flushed by whoever copies.
pub(super) fn open_copy(path: &Path) -> rusqlite::Result<Connection> {
    let flags = flags() | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(address(path), flags)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    Ok(connection)
}

/// Marks a copy as one without a WAL.
pub(super) fn end_wal(copy: &Connection) -> rusqlite::Result<()> {
    let mode: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    match mode.as_str() {
        "delete" => Ok(()),
        _ => Err(rusqlite::Error::InvalidParameterName(format!("journal_mode is {mode}"))),
    }
}

/// Makes it the one connection that writes.
pub(super) fn make_writer(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "journal_mode is {mode}, not wal"
        )));
    }
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = {LOG_BYTES_KEPT};
         PRAGMA cache_size = -{WRITER_CACHE_KIB};"
    ))?;
    connection.wal_hook(Some(note_log_pages));
    Ok(())
}

/// Makes it the one connection to a copy that is thrown away where something fails: it has no
/// journal, and is flushed by whoever has made it. What is freed is overwritten as by the writer.
pub(super) fn make_scratch(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = OFF", [], |row| row.get(0))?;
    if mode != "off" {
        let name = format!("journal_mode is {mode}, not off");
        return Err(rusqlite::Error::InvalidParameterName(name));
    }
    connection.execute_batch(&format!(
        "PRAGMA synchronous = OFF;
         PRAGMA secure_delete = ON;
         PRAGMA cache_size = -{SCRATCH_CACHE_KIB};"
    ))
}

/// Writes the whole WAL into the file, at the start and before anybody reads: whoever copies the
/// file alone has everything until then. On a full disk the WAL keeps it.
pub(super) fn checkpoint_all(connection: &Connection) -> rusqlite::Result<()> {
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    match done.as_ref().err().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy) => {
            log::warn!("the WAL cannot be checkpointed into the database yet");
            Ok(())
        }
        _ => done,
    }
}

/// Writes all that the WAL has into the file, of which somebody has the lock. Fails where that is
/// not possible.
pub(super) fn empty_wal(database: &Path) -> std::result::Result<(), StartupError> {
    let done = open(database).and_then(|connection| checkpoint_all(&connection));
    let is_empty =
        std::fs::metadata(beside(database, "-wal")).map_or(true, |found| found.len() == 0);
    let why = match done {
        Ok(()) if is_empty => return Ok(()),
        Ok(()) => "its WAL is needed".to_owned(),
        Err(error) => error.to_string(),
    };
    let message = format!("{} cannot be kept ({why}); nothing was changed.", database.display());
    Err(StartupError::new(Code::DatabaseUnusable, message))
}

/// Lets what a statement must put aside lie in files, in the folder of the database, and not in
/// memory. The files have no names, and go with this process. Where they lie counts for the process.
pub(super) fn put_aside_in_files(connection: &Connection, database: &Path) -> rusqlite::Result<()> {
    let folder = std::path::absolute(folder_of(database)).unwrap_or_default();
    connection.pragma_update(None, "temp_store_directory", folder.to_string_lossy())?;
    connection.execute_batch("PRAGMA temp_store = FILE")
}

thread_local! {
    static LOG_PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// Notes how long the WAL is after a commit, in place of SQLite's own checkpoint, which forgets
/// whether it failed.
#[expect(clippy::unnecessary_wraps, reason = "the type is the hook's")]
fn note_log_pages(_: &Wal, pages: c_int) -> rusqlite::Result<()> {
    LOG_PAGES.set(pages);
    Ok(())
}

/// Whether the WAL is long enough for a checkpoint, after the last commit on this thread.
pub(super) fn log_is_long() -> bool {
    LOG_PAGES.get() >= CHECKPOINT_PAGES
}

/// What every connection is told; the time-out first, because the rest may have to wait.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // Plans do not depend on the values bound; else some statements are compiled anew at every run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Only the writer checkpoints, and only while the disk can be trusted: closing must not.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;",
    )
}

/// The thread that opens connections for all pools: each pool by itself would start three, and each
/// of them keep some memory.
pub(super) fn opener() -> Arc<ScheduledThreadPool> {
    let builder = ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("opener");
    Arc::new(builder.build())
}

/// Connections that only read; as many as there are threads that may ask at once.
#[derive(Clone)]
pub(super) struct Readers {
    pool: r2d2::Pool<SqliteConnectionManager>,
    waits: Arc<Waits>,
}

/// The reads that found no connection free.
struct Waits {
    times: Histogram,
    refused: AtomicU64,
}

impl Readers {
    /// Opens the first one; the others follow on demand, up to `max`. Each keeps at most
    /// `cache_kib` KiB of pages. `opener` is the thread that opens them.
    pub(super) fn open(
        path: &Path,
        max: u32,
        cache_kib: u32,
        opener: &Arc<ScheduledThreadPool>,
    ) -> std::result::Result<Self, StartupError> {
        let manager = SqliteConnectionManager::file(address(path)).with_flags(flags()).with_init(
            move |connection| {
                prepare(connection)?;
                connection.execute_batch(&format!(
                    "PRAGMA query_only = ON; PRAGMA cache_size = -{cache_kib};"
                ))?;
                add_fold(connection)
            },
        );
        // A connection in this process does not go stale: no test at check-out (it would be a
        // query), no ageing.
        let pool = r2d2::Pool::builder()
            .max_size(max)
            // None in advance: each has the tables' names and a cache of its own in memory.
            .min_idle(Some(0))
            .test_on_check_out(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .thread_pool(Arc::clone(opener))
            .connection_timeout(WAIT)
            .build(manager);
        let tried = pool.and_then(|pool| pool.get().map(|_| pool));
        let waits = Waits { times: Histogram::of_times(), refused: AtomicU64::new(0) };
        let waits = Arc::new(waits);
        tried.map(|pool| Self { pool, waits }).map_err(|error| {
            let message = format!(
                "Cannot read the database {} ({error}); check its permissions.",
                path.display()
            );
            StartupError::new(Code::DatabaseUnusable, message)
        })
    }

    /// Runs a query on a connection of the pool; [`Error::Busy`] if none came free.
    pub(super) fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        // Asked with a time-out, the pool reads the clock twice; most often one is free.
        let connection = match self.pool.try_get() {
            Some(connection) => connection,
            None => self.wait()?,
        };
        Ok(query(&connection)?)
    }

    fn wait(&self) -> Result<r2d2::PooledConnection<SqliteConnectionManager>> {
        let began = Instant::now();
        let waited = self.pool.get();
        self.waits.times.time(began.elapsed());
        waited.map_err(|error| {
            self.waits.refused.fetch_add(1, Ordering::Relaxed);
            log::warn!("no connection to read with: {error}");
            Error::Busy
        })
    }

    /// How long reads have waited for a connection, and how many got none.
    pub(super) fn waits(&self) -> (Counted, u64) {
        (self.waits.times.counted(), self.waits.refused.load(Ordering::Relaxed))
    }
}

/// `fold(text)` in SQL: the text as it is compared without case; NULL stays NULL.
pub(in crate::store) fn add_fold(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("fold", 1, flags, |call| {
        Ok(call.get::<Option<String>>(0)?.map(|text| crate::domain::text::fold(&text)))
    })
}
