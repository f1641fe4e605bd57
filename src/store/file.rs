//! The database as a file: whose it is, who may read it, whether it is still there.

use crate::error::Error;
use crate::exit::{Code, StartupError};
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock that another holds is tried again.
const LOCK_TIME_MAX: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The path of a file beside the database: the WAL, the lock, the reserve.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Held as long as the server runs: two processes on one file would each believe their own memory.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock goes with the open file")] File);

impl Lock {
    /// Takes `flock` on `<database>.lock`, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self, StartupError> {
        let path = beside(database, ".lock");
        let file = open_private(&path).map_err(|error| cannot_create(&path, &error))?;
        match try_for_a_while(&file) {
            Ok(()) => Ok(Self(file)),
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

/// Makes the database file where it is missing, readable by its owner alone; SQLite gives its log
/// the same mode.
pub(super) fn create_private(database: &Path) -> Result<(), StartupError> {
    open_private(database).map(drop).map_err(|error| cannot_create(database, &error))
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let file = match options.clone().create_new(true).open(path) {
        Ok(new) => {
            belong_to_folder(&new, path)?;
            new
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            options.create(true).truncate(false).open(path)?
        }
        Err(error) => return Err(error),
    };
    // A device is nobody's to close to others, whoever names it as a database.
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// What root makes in the folder of a server's own user must be that user's, or the server could
/// not open it.
fn belong_to_folder(new: &File, path: &Path) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, file) = (std::fs::metadata(folder)?, new.metadata()?);
    match file.uid() == 0 && folder.uid() != 0 {
        true => fchown(new, Some(folder.uid()), Some(folder.gid())),
        false => Ok(()),
    }
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
