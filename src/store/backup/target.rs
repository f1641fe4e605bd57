//! The file that a backup becomes: written under another name beside it, flushed, and renamed once
//! it is known to be good. What is not finished is removed.

use crate::domain::Time;
use crate::error::{Error, Result};
use crate::store::backup::name::name_of;
use crate::store::beside::{beside, create_new, folder_of};
use rustix::fs::statvfs;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How the file is called while it is written.
pub(crate) const PARTIAL: &str = ".partial";
/// What must stay free on the disk of a backup, in bytes: it may be the database's own.
const ROOM_LEFT_BYTES: u64 = 16 * 1024 * 1024;

/// A backup that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    partial: PathBuf,
    /// Locked as long as it is written, so that nobody takes it for what was left behind.
    file: File,
}

/// The file that is meant: in a folder, a new one with the time in its name.
pub(crate) fn file_in(named: &Path, at: Time) -> PathBuf {
    if named.is_dir() {
        return named.join(name_of(at));
    }
    named.to_owned()
}

impl Target {
    /// Makes the file under its other name. A file that is there already is replaced only where
    /// that is asked for, and a file of the database never.
    pub(super) fn create(path: &Path, replace: bool, database: &Path) -> Result<Self> {
        let shown = path.display();
        if is_of_database(path, database) {
            let why = format!("{shown} is a file of the database itself; choose another name.");
            return Err(Error::BackupConflict(why));
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => {
                let why = format!("{shown} is no regular file; choose another name.");
                return Err(Error::BackupConflict(why));
            }
            Ok(_) if !replace => {
                let why = format!("{shown} exists; choose another name, or replace it (--force).");
                return Err(Error::BackupConflict(why));
            }
            _ => {}
        }
        let partial = beside(path, PARTIAL);
        remove_abandoned(&partial);
        let file = create_new(&partial).map_err(|error| cannot_write(path, &error))?;
        let target = Self { path: path.to_owned(), partial, file };
        target.file.try_lock().map_err(|error| cannot_write(path, &error.into()))?;
        Ok(target)
    }

    /// Its name while it is written.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Fails where its disk has no room for so many bytes.
    pub(super) fn require_room(&self, bytes: u64) -> Result<()> {
        let folder = folder_of(&self.path);
        let disk = statvfs(folder).map_err(|error| cannot_write(&self.path, &error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= bytes.saturating_add(ROOM_LEFT_BYTES) {
            return Ok(());
        }
        let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
        Err(Error::BackupNoRoom(format!(
            "There is no room for the backup in {}: it takes {} MiB, and {} MiB are free.",
            folder.display(),
            mib(bytes.saturating_add(ROOM_LEFT_BYTES)),
            mib(free)
        )))
    }

    /// Fails where the path does not lead to the file that was made: somebody who can write to the
    /// folder has put another in its place.
    pub(super) fn require_own(&self) -> Result<()> {
        let same = || {
            let (found, own) = (fs::symlink_metadata(&self.partial)?, self.file.metadata()?);
            Ok((found.dev(), found.ino()) == (own.dev(), own.ino()))
        };
        match same() {
            Ok(true) => Ok(()),
            Ok(false) => Err(cannot_write(&self.path, &io::Error::other("it was replaced"))),
            Err(error) => Err(cannot_write(&self.path, &error)),
        }
    }

    /// Writes to the disk what the file has so far.
    pub(super) fn flush(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| cannot_write(&self.path, &error))
    }

    /// Gives the file its name, so that a crash leaves either all of it or nothing.
    pub(super) fn finish(self) -> Result<()> {
        let rename = || {
            self.file.sync_all()?;
            fs::rename(&self.partial, &self.path)?;
            File::open(folder_of(&self.path))?.sync_all()
        };
        rename().map_err(|error| cannot_write(&self.path, &error))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It has its name by now, or somebody else has put theirs in its place.
        if self.require_own().is_err() {
            return;
        }
        // SQLite may have made a journal beside it.
        for suffix in ["", "-wal", "-journal", "-shm"] {
            let _ = fs::remove_file(beside(&self.partial, suffix));
        }
    }
}

/// Whether the path is that of the database, or of a file that lies beside it while it is open.
fn is_of_database(path: &Path, database: &Path) -> bool {
    let folders = [path, database].map(|path| fs::canonicalize(folder_of(path)).ok());
    if folders[0].is_none() || folders[0] != folders[1] {
        return false;
    }
    let suffixes = ["", "-wal", "-journal", "-shm", ".lock", ".sock", ".ballast"];
    suffixes.iter().any(|suffix| beside(database, suffix).file_name() == path.file_name())
}

/// Removes a file that a process which has ended was writing.
pub(crate) fn remove_abandoned(partial: &Path) {
    if !fs::symlink_metadata(partial).is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(file) = File::open(partial) else { return };
    if file.try_lock().is_err() {
        return;
    }
    for suffix in ["", "-wal", "-journal", "-shm"] {
        let _ = fs::remove_file(beside(partial, suffix));
    }
}

/// The sentence for a file that cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let (path, folder) = (path.display(), folder_of(path).display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::BackupNoRoom(format!(
            "There is no room for the backup {path} ({error}); nothing was kept."
        )),
        ErrorKind::NotFound => Error::BackupFailed(format!(
            "Cannot write the backup {path}: there is no folder {folder}; create it."
        )),
        ErrorKind::AlreadyExists => {
            Error::BackupConflict(format!("A backup to {path} is being written already."))
        }
        _ => Error::BackupFailed(format!(
            "Cannot write the backup {path} ({error}); choose a folder that its writer, who has \
             the database open, may write to."
        )),
    }
}
