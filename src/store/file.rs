//! The database as a file: whose it is, who may read it, whether it is still there.

use crate::error::Error;
use crate::exit::{Code, StartupError};
use crate::store::beside::{beside, check, check_mount, open_or_create, open_to_look};
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock that another holds is tried again.
const LOCK_TIME_MAX: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// The name of the file in a folder that is locked in its stead.
const FOLDER_LOCK: &str = ".lock";
/// Bytes of a page, which is all that a database has while its tables are in the WAL.
const PAGE_BYTES: u64 = 4096;

/// Held as long as the server runs: two processes on one file would each believe their own memory.
pub(super) struct Lock {
    path: PathBuf,
    /// The lock goes with the open file.
    file: File,
}

impl Lock {
    /// Takes `flock` on `<database>.lock`, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self, StartupError> {
        let path = beside(database, ".lock");
        let file = open_or_create(&path).map_err(|error| cannot_create(&path, &error))?;
        match try_for_a_while(&file) {
            Ok(()) => Ok(Self { path, file }),
            Err(TryLockError::WouldBlock) => Err(StartupError::new(
                Code::DatabaseHeld,
                format!(
                    "Another vomeet serves {}; stop it first (`make ps` shows it), or choose another file with --database.",
                    database.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(cannot_create(&path, &error)),
        }
    }
}

impl Lock {
    /// Whether the lock file is still the one that is locked; else another server could take a
    /// lock, and open the same database.
    pub(super) fn is_ours(&self) -> bool {
        let Ok(held) = self.file.metadata() else { return false };
        let held = Identity { device: held.dev(), inode: held.ino() };
        Identity::of(&self.path).is_ok_and(|found| found == held)
    }
}

/// Locks a folder as long as the file that comes back is open, by a file in it, which is made where
/// it is missing: NFS locks none that is open for reading alone. [`io::ErrorKind::WouldBlock`] where
/// another has locked it.
pub(crate) fn lock_folder(path: &Path) -> io::Result<File> {
    let file = open_or_create(&path.join(FOLDER_LOCK))?;
    match try_for_a_while(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another server uses it"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A process that a server starts holds all its open files, the lock among them, until its own
/// program begins: so a lock that was let go may be held for a moment more.
fn try_for_a_while(file: &File) -> Result<(), TryLockError> {
    let end = Instant::now() + LOCK_TIME_MAX;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(LOCK_PAUSE),
            tried => return tried,
        }
    }
}

/// The WAL of a database that is ours. It is deleted once it is empty, after a checkpoint of all of
/// it: one file is easier to copy than two.
pub(super) struct OwnLog(PathBuf);

impl OwnLog {
    /// The WAL of this database.
    pub(super) fn of(database: &Path) -> Self {
        Self(beside(database, "-wal"))
    }
}

impl Drop for OwnLog {
    fn drop(&mut self) {
        if std::fs::metadata(&self.0).is_ok_and(|meta| meta.len() == 0) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// The first bytes of a database (SQLite file format, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long the header is, in bytes.
const HEADER_BYTES: usize = 100;
/// Where the mark of the program stands that a database belongs to.
const APPLICATION_ID: Range<usize> = 68..72;

/// What a file is, before it is opened as a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It is missing or empty.
    Nothing,
    /// It has the mark of our databases.
    Ours,
    /// It has no mark; before version 5 that could be in the WAL alone, as everything else was.
    Unmarked,
}

/// Looks at the file before anything is made beside it; another program's is refused. `ours` is the
/// mark of our databases.
pub(super) fn recognise(database: &Path, ours: i64) -> Result<Found, StartupError> {
    for suffix in ["-wal", "-journal", "-shm"] {
        check(&beside(database, suffix))?;
    }
    // A link is removed when the reserve is made; what cannot be removed would keep it from being
    // made, as if the disk were full.
    let reserve = beside(database, ".ballast");
    if std::fs::symlink_metadata(&reserve).is_ok_and(|found| !found.is_symlink()) {
        check(&reserve)?;
    }
    let Some(file) = open_to_look(database)? else {
        refuse_orphaned_log(database)?;
        return Ok(Found::Nothing);
    };
    check_mount(database)?;
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64)
        .read_to_end(&mut header)
        .map_err(|error| cannot_create(database, &error))?;
    if header.is_empty() {
        refuse_orphaned_log(database)?;
        return Ok(Found::Nothing);
    }
    if header.len() < HEADER_BYTES || !header.starts_with(MAGIC) {
        return Err(foreign(database, "is not a readable database"));
    }
    let id = header[APPLICATION_ID].iter().fold(0, |id, &byte| id << 8 | i64::from(byte));
    if id == ours {
        return Ok(Found::Ours);
    }
    let has_wal = beside(database, "-wal").exists();
    let is_short = std::fs::metadata(database).is_ok_and(|meta| meta.len() <= PAGE_BYTES);
    match id == 0 && (has_wal || is_short) {
        true => Ok(Found::Unmarked),
        false => Err(foreign(database, "is a database of another program")),
    }
}

/// Refuses a log without its database: SQLite would delete it, and with it what was written last.
fn refuse_orphaned_log(database: &Path) -> Result<(), StartupError> {
    for suffix in ["-wal", "-journal"] {
        let log = beside(database, suffix);
        if std::fs::metadata(&log).is_ok_and(|meta| meta.len() > 0) {
            let message = format!(
                "{} is missing or empty, and {} has what was written to it last; bring the database \
                 back, or move the log away to begin anew.",
                database.display(),
                log.display()
            );
            return Err(StartupError::new(Code::DatabaseForeign, message));
        }
    }
    Ok(())
}

fn foreign(database: &Path, why: &str) -> StartupError {
    let message = format!("{} {why}; choose another file with --database.", database.display());
    StartupError::new(Code::DatabaseForeign, message)
}

/// Makes the database file where it is missing, readable by its owner alone; SQLite gives its log
/// the same mode. The mode of another program's file is its own.
pub(super) fn create_private(database: &Path, found: Found) -> Result<(), StartupError> {
    let create = || {
        let file = open_or_create(database)?;
        if found != Found::Unmarked && file.metadata()?.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(())
    };
    create().map_err(|error| cannot_create(database, &error))
}

fn cannot_create(path: &Path, error: &io::Error) -> StartupError {
    let message = format!(
        "Cannot write {} ({error}); create its folder, make it writable, or choose another file with --database.",
        path.display()
    );
    StartupError::new(Code::DatabaseUnusable, message)
}

/// Which file a path led to when it was opened.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self { device: meta.dev(), inode: meta.ino() })
    }
}

/// The database and its log, as they were when they were opened. A file that is moved, deleted or
/// replaced under a running server would take every write into nowhere.
#[derive(Debug)]
pub(crate) struct Files([(PathBuf, Identity); 2]);

impl Files {
    /// Remembers the files of an open database.
    pub(crate) fn remember(database: &Path) -> io::Result<Self> {
        let identify = |path: PathBuf| Identity::of(&path).map(|identity| (path, identity));
        Ok(Self([identify(database.to_owned())?, identify(beside(database, "-wal"))?]))
    }

    /// Fails with [`Error::StoreFailed`] if one of them is not what its path leads to any more.
    pub(crate) fn still_there(&self) -> Result<(), Error> {
        for (path, identity) in &self.0 {
            if Identity::of(path).ok().as_ref() != Some(identity) {
                return Err(Error::StoreFailed(format!(
                    "{} was moved, deleted or replaced",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}
