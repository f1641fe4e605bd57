//! The file that a backup becomes: written under another name beside it, flushed, and renamed once
//! it is known to be good. What is not finished is removed.

use crate::domain::Time;
use crate::error::{Error, Result};
use crate::store::backup::name::{name_of, new_partial_name};
use crate::store::backup::still::{find_log, hold_still};
use crate::store::beside::{beside, create_new, folder_of};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A backup that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    /// Whether a file that is there is replaced.
    replace: bool,
    /// A name that nobody can guess, so that nothing can lie there that is somebody's.
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
        if path.as_os_str().as_bytes().ends_with(b"/") {
            let why = format!("Cannot write the backup: there is no folder {shown}; create it.");
            return Err(Error::BackupFailed(why));
        }
        refuse_what_is_there(path, replace)?;
        let partial = new_partial_name().map_err(|error| cannot_write(path, &error))?;
        let partial = folder_of(path).join(partial);
        let file = create_new(&partial).map_err(|error| cannot_write(path, &error))?;
        let target = Self { path: path.to_owned(), replace, partial, file };
        target.file.try_lock().map_err(|error| cannot_write(path, &error.into()))?;
        Ok(target)
    }

    /// Its name while it is written.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Fails where its name does not lead to the file that was made: somebody who can write to the
    /// folder has put another in its place.
    pub(super) fn require_own(&self) -> Result<()> {
        self.require_own_at(&self.partial)
    }

    fn require_own_at(&self, path: &Path) -> Result<()> {
        let same = || {
            let (found, own) = (fs::symlink_metadata(path)?, self.file.metadata()?);
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

    /// Gives the file its name, so that a crash leaves either all of it or nothing. What has come
    /// there meanwhile is looked at again.
    pub(super) fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(|error| cannot_write(&self.path, &error))?;
        self.require_own()?;
        refuse_what_is_there(&self.path, self.replace)?;
        let renamed = match self.replace {
            true => fs::rename(&self.partial, &self.path),
            false => rename_new(&self.partial, &self.path),
        };
        match renamed {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(exists(&self.path));
            }
            done => done.map_err(|error| cannot_write(&self.path, &error))?,
        }
        self.require_own_at(&self.path)?;
        let folder = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        folder.map_err(|error| cannot_write(&self.path, &error))
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

/// Refuses a path at which something lies that is no backup to replace: with a log beside it, SQLite
/// would take that for the backup's own and change what is in it.
fn refuse_what_is_there(path: &Path, replace: bool) -> Result<()> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            let why = format!("{shown} is no regular file; choose another name.");
            return Err(Error::BackupConflict(why));
        }
        Ok(_) if !replace => return Err(exists(path)),
        _ => {}
    }
    if let Some(log) = find_log(path) {
        let why = format!(
            "{} lies there and would be taken for a part of the backup; remove it, or choose \
             another name.",
            log.display()
        );
        return Err(Error::BackupConflict(why));
    }
    if hold_still(path).is_err() {
        let why = format!("{shown} is in use by a server; choose another name.");
        return Err(Error::BackupConflict(why));
    }
    Ok(())
}

fn exists(path: &Path) -> Error {
    let shown = path.display();
    Error::BackupConflict(format!("{shown} exists; choose another name, or replace it (--force)."))
}

/// Renames a file, unless the name is taken.
pub(in crate::store) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can; then a second name is made, which never replaces one either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        done => Ok(done?),
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

/// Removes a file that a process which has ended was writing. The name must be one that was made
/// here.
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
        _ => Error::BackupFailed(format!(
            "Cannot write the backup {path} ({error}); choose a folder that its writer, who has \
             the database open, may write to."
        )),
    }
}
