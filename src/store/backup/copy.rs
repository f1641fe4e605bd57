//! The copy of a database as of one moment, while others write to it.
//!
//! SQLite's online backup copies the pages inside one read transaction. `VACUUM INTO` would leave
//! out free pages, but takes more than twice as long, and as long as a reader needs the WAL, it
//! cannot be begun anew and grows.

use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::store::backup::room::Room;
use crate::store::backup::target::{Target, cannot_write};
use crate::store::backup::verify::{BackupReport, compare, count_rows, stop_at, verify_unlocked};
use crate::store::doors::Store;
use crate::store::failure::fail_on;
use crate::store::file::{Found, Lock, OwnLog};
use crate::store::stop::Stop;
use crate::store::{beside, connection, file, upgrade};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Pages that are copied between two looks at whether the server stops.
const STEP_PAGES: c_int = 256;
/// Steps after which the copy is flushed: what piles up in the system's memory would be written
/// together with somebody's commit, which waits for all of it.
const STEPS_PER_FLUSH: usize = 8;

/// A backup that was written and verified.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// What is in it.
    pub report: BackupReport,
    /// How long it took.
    pub took: Duration,
}

impl Store {
    /// Writes a backup to this path: everything of which the commit has been reported so far. It
    /// takes its time, on the thread that calls it.
    pub(crate) fn back_up(&self, path: &Path, replace: bool, stop: &Stop) -> Result<Written> {
        self.refuse_if_failed()?;
        let source = connection::open_reader(self.path()).map_err(|error| cannot_read(&error))?;
        let order = Order { database: self.path(), path, replace, stop };
        write(&source, &order, || self.checkpoint_from(&source))
    }

    /// Checkpoints what the WAL has gathered while it was needed. The writer would do it all at its
    /// next commit, and let everybody wait.
    fn checkpoint_from(&self, source: &Connection) -> Result<()> {
        let checkpoint = || {
            self.files.still_there()?;
            source.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            Ok(())
        };
        match checkpoint() {
            // The writer tries again, and says so.
            Err(Error::Busy | Error::DiskFull) => Ok(()),
            // As for the writer: what failed once on the disk may not be trusted again.
            done => done.inspect_err(|error| fail_on(error, &self.failed)),
        }
    }
}

/// Writes a backup of a database that no server has open, to this path. The database is locked
/// meanwhile, and neither changed nor upgraded; what its WAL has is in the backup.
pub(crate) fn back_up_resting(
    database: &Path,
    path: &Path,
    replace: bool,
    stop: &Stop,
) -> std::result::Result<Written, StartupError> {
    let database = beside::resolve(database)?;
    if file::recognise(&database, upgrade::APPLICATION_ID)? == Found::Nothing {
        let message =
            format!("There is no database {}; name one with --database.", database.display());
        return Err(StartupError::new(Code::NotRunning, message));
    }
    let _lock = Lock::take(&database)?;
    let _log = OwnLog::of(&database);
    let source = upgrade::open_as_it_is(&database)?;
    let order = Order { database: &database, path, replace, stop };
    write(&source, &order, || Ok(())).map_err(|error| {
        let code = match error {
            Error::BackupConflict(_) => Code::Conflict,
            _ => Code::Unavailable,
        };
        StartupError::new(code, error.to_string())
    })
}

/// What is to be written.
struct Order<'a> {
    database: &'a Path,
    path: &'a Path,
    replace: bool,
    stop: &'a Stop,
}

/// Copies, verifies, and gives the copy its name. `copied` is called once the database is not
/// needed any more.
fn write(
    source: &Connection,
    order: &Order<'_>,
    copied: impl FnOnce() -> Result<()>,
) -> Result<Written> {
    let began = Instant::now();
    let Order { database, path, replace, stop } = *order;
    let target = Target::create(path, replace, database)?;
    let counted = copy(source, order, &target, copied)?;
    target.flush()?;
    let report = match verify_unlocked(target.partial(), stop) {
        Ok(report) => report,
        Err(_) if stop.is_set() => return Err(stopped()),
        Err(error) => {
            let why = error.message;
            let message = format!("The backup was verified, and nothing of it was kept: {why}");
            return Err(Error::BackupFailed(message));
        }
    };
    compare(&report, &counted)?;
    if stop.is_set() {
        return Err(stopped());
    }
    target.finish()?;
    Ok(Written { report, took: began.elapsed() })
}

/// Copies the database as it is now. The rows of each table are counted as of the same moment.
fn copy(
    source: &Connection,
    order: &Order<'_>,
    target: &Target,
    copied: impl FnOnce() -> Result<()>,
) -> Result<BTreeMap<String, i64>> {
    let path = order.path;
    // One moment: it ends with this transaction.
    let moment = source.unchecked_transaction().map_err(|error| cannot_read(&error))?;
    let bytes = moment.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        [],
        |row| row.get(0).map(i64::cast_unsigned),
    );
    let bytes = bytes.map_err(|error| cannot_read(&error))?;
    let room = Room::require(path, order.database, bytes)?;
    let counted = count(&moment, order.stop)?;
    let mut copy = connection::open_copy(target.partial()).map_err(|error| fault(path, &error))?;
    target.require_own()?;
    let done = copy_pages(&moment, &mut copy, order, target, &room);
    drop(moment);
    // At once: the writer would do it at its next commit, which may come within a millisecond.
    copied()?;
    done?;
    // It is read without a WAL, so that it can be read where nothing can be written.
    connection::end_wal(&copy).map_err(|error| fault(path, &error))?;
    copy.close().map_err(|(_, error)| fault(path, &error))?;
    Ok(counted)
}

/// Counts the rows of a large file too, until it is to stop.
fn count(moment: &Connection, stop: &Stop) -> Result<BTreeMap<String, i64>> {
    let counted = stop_at(moment, stop).and_then(|()| count_rows(moment));
    let ended = moment.progress_handler(0, None::<fn() -> bool>);
    match counted {
        Err(_) if stop.is_set() => Err(stopped()),
        counted => {
            counted.and_then(|counted| ended.map(|()| counted)).map_err(|error| cannot_read(&error))
        }
    }
}

fn copy_pages(
    source: &Connection,
    copy: &mut Connection,
    order: &Order<'_>,
    target: &Target,
    room: &Room,
) -> Result<()> {
    let path = order.path;
    let backup = Backup::new(source, copy).map_err(|error| fault(path, &error))?;
    let mut steps = 0;
    loop {
        match backup.step(STEP_PAGES) {
            Ok(StepResult::Done) => return Ok(()),
            Ok(StepResult::More) => {}
            // Nobody else has the copy open, and a reader waits for nobody.
            Ok(_) => return Err(Error::BackupFailed(format!("{} is in use.", path.display()))),
            Err(error) => return Err(fault(path, &error)),
        }
        if order.stop.is_set() {
            return Err(stopped());
        }
        steps += 1;
        if steps % STEPS_PER_FLUSH == 0 {
            target.flush()?;
            room.look_again()?;
        }
    }
}

fn stopped() -> Error {
    Error::BackupFailed("The backup was stopped; nothing was kept.".to_owned())
}

/// What went wrong with the database itself.
fn cannot_read(error: &rusqlite::Error) -> Error {
    Error::BackupFailed(format!("The database cannot be read ({error}); nothing was kept."))
}

/// What went wrong while the copy was written.
fn fault(path: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => cannot_write(path, &io::ErrorKind::StorageFull.into()),
        _ => cannot_write(path, &io::Error::other(error.to_string())),
    }
}
