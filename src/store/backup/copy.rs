//! The copy of a database as of one moment, while others write to it.
//!
//! SQLite's online backup copies the pages inside one read transaction. `VACUUM INTO` would leave
//! out free pages, but takes more than twice as long, and as long as a reader needs the WAL, it
//! cannot be begun anew and grows.

use crate::encryption::Recipient;
use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::store::backup::encrypted::encrypt_file;
use crate::store::backup::name::is_encrypted_name;
use crate::store::backup::partial::{Partial, cannot_write, sweep};
use crate::store::backup::room::Room;
use crate::store::backup::target::Target;
use crate::store::backup::verify::{BackupReport, compare, count_rows, stop_at, verify_unlocked};
use crate::store::beside::folder_of;
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
    /// What is in it; its size is that of the file.
    pub report: BackupReport,
    /// The SHA-256 of the file in hexadecimal, where it is encrypted.
    pub sha256: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Store {
    /// Writes a backup to this path: everything of which the commit has been reported so far. It
    /// takes its time, on the thread that calls it.
    pub(crate) fn back_up(&self, wanted: &NewBackup<'_>, stop: &Stop) -> Result<Written> {
        self.refuse_if_failed()?;
        let source = connection::open_reader(self.path()).map_err(|error| cannot_read(&error))?;
        let order = Order { database: self.path(), wanted, stop };
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
    wanted: &NewBackup<'_>,
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
    let order = Order { database: &database, wanted, stop };
    write(&source, &order, || Ok(())).map_err(|error| {
        let code = match error {
            Error::BackupConflict(_) => Code::Conflict,
            _ => Code::Unavailable,
        };
        StartupError::new(code, error.to_string())
    })
}

/// A backup that is to be written.
pub(crate) struct NewBackup<'a> {
    /// The file.
    pub path: &'a Path,
    /// Whether a file that is there is replaced.
    pub replace: bool,
    /// To whom it is encrypted, if it is.
    pub recipient: Option<&'a Recipient>,
}

/// What is to be written, and of which database.
struct Order<'a> {
    database: &'a Path,
    wanted: &'a NewBackup<'a>,
    stop: &'a Stop,
}

/// Copies, verifies, encrypts where that is wanted, and gives the copy its name. `copied` is called
/// once the database is not needed any more.
fn write(
    source: &Connection,
    order: &Order<'_>,
    copied: impl FnOnce() -> Result<()>,
) -> Result<Written> {
    let began = Instant::now();
    let Order { database, wanted: NewBackup { path, replace, recipient }, stop } = *order;
    refuse_other_name(path, recipient.is_some())?;
    let target = Target::create(path, *replace, database)?;
    let failed = |error: io::Error| cannot_write(path, &error);
    // It lies beside the database, which is not encrypted either, and is removed with the next
    // backup or the next start if this process is killed.
    let plain = match recipient {
        Some(_) => {
            let _ = sweep(folder_of(database));
            Some(Partial::create(folder_of(database)).map_err(failed)?)
        }
        None => None,
    };
    let copy_file = plain.as_ref().unwrap_or(target.partial());
    let counted = copy(source, order, copy_file, copied)?;
    copy_file.flush().map_err(failed)?;
    let mut report = match verify_unlocked(copy_file.path(), stop) {
        Ok(report) => report,
        Err(_) if stop.is_set() => return Err(stopped()),
        Err(error) => {
            let why = error.message;
            let message = format!("The backup was verified, and nothing of it was kept: {why}");
            return Err(Error::BackupFailed(message));
        }
    };
    compare(&report, &counted)?;
    let mut checksum = None;
    if let (Some(plain), Some(recipient)) = (plain, recipient) {
        let written = encrypt_file(&plain, target.partial(), recipient, stop);
        let written = written.map_err(|error| match stop.is_set() {
            true => stopped(),
            false => failed(error),
        })?;
        report.bytes = written.bytes;
        checksum = Some(written);
    }
    if stop.is_set() {
        return Err(stopped());
    }
    target.finish(checksum.as_ref())?;
    let sha256 = checksum.map(|checksum| checksum.sha256);
    Ok(Written { report, sha256, took: began.elapsed() })
}

/// Refuses a name that says of the file what it will not be.
fn refuse_other_name(path: &Path, is_encrypted: bool) -> Result<()> {
    let path_shown = path.display();
    match (is_encrypted, is_encrypted_name(path)) {
        (true, false) => Err(Error::BackupConflict(format!(
            "Backups are encrypted here (backup.encrypt_to); choose a name that ends in .age, such \
             as {path_shown}.age."
        ))),
        (false, true) => Err(Error::BackupConflict(format!(
            "{path_shown} would not be encrypted; set backup.encrypt_to, or choose a name that does \
             not end in .age."
        ))),
        _ => Ok(()),
    }
}

/// Copies the database as it is now. The rows of each table are counted as of the same moment.
fn copy(
    source: &Connection,
    order: &Order<'_>,
    partial: &Partial,
    copied: impl FnOnce() -> Result<()>,
) -> Result<BTreeMap<String, i64>> {
    let path = order.wanted.path;
    // One moment: it ends with this transaction.
    let moment = source.unchecked_transaction().map_err(|error| cannot_read(&error))?;
    let bytes = moment.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        [],
        |row| row.get(0).map(i64::cast_unsigned),
    );
    let bytes = bytes.map_err(|error| cannot_read(&error))?;
    let room = match order.wanted.recipient {
        None => Room::require(path, order.database, bytes)?,
        Some(_) => Room::require_for_encrypted(path, partial.path(), order.database, bytes)?,
    };
    let counted = count(&moment, order.stop)?;
    let mut copy = connection::open_copy(partial.path()).map_err(|error| fault(path, &error))?;
    partial.require_own().map_err(|error| cannot_write(path, &error))?;
    let done = copy_pages(&moment, &mut copy, order, partial, &room);
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
    partial: &Partial,
    room: &Room,
) -> Result<()> {
    let path = order.wanted.path;
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
            partial.flush().map_err(|error| cannot_write(path, &error))?;
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
