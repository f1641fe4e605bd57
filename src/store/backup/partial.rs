//! A file while it is written: under a name that nobody can guess, for its owner alone. What is not
//! finished is removed.

use crate::error::Error;
use crate::store::backup::name::{is_partial, new_partial_name};
use crate::store::beside::{beside, create_new, folder_of};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What SQLite may make beside a database, and the database itself.
const PARTS: [&str; 4] = ["", "-wal", "-journal", "-shm"];

/// A file that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(super) struct Partial {
    /// A name that nobody can guess, so that nothing can lie there that is somebody's.
    path: PathBuf,
    /// Locked as long as it is written, so that nobody takes it for what was left behind.
    file: File,
}

impl Partial {
    /// Makes one in this folder.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(new_partial_name()?);
        let file = create_new(&path)?;
        let partial = Self { path, file };
        partial.file.try_lock()?;
        Ok(partial)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Fails where its name does not lead to the file that was made: somebody who can write to the
    /// folder has put another in its place.
    pub(super) fn require_own(&self) -> io::Result<()> {
        self.require_own_at(&self.path)
    }

    /// The same of another name that it was given.
    pub(super) fn require_own_at(&self, path: &Path) -> io::Result<()> {
        let (found, own) = (fs::symlink_metadata(path)?, self.file.metadata()?);
        match (found.dev(), found.ino()) == (own.dev(), own.ino()) {
            true => Ok(()),
            false => Err(io::Error::other("it was replaced")),
        }
    }

    /// Writes to the disk what the file has so far.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It has its name by now, or somebody else has put theirs in its place.
        if self.require_own().is_err() {
            return;
        }
        for part in PARTS {
            let _ = fs::remove_file(beside(&self.path, part));
        }
    }
}

/// Removes from a folder what processes that have ended were writing.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(is_partial) {
            remove_abandoned(&folder.join(name));
        }
    }
    Ok(())
}

/// Removes such a file. The name must be one that was made here.
fn remove_abandoned(partial: &Path) {
    if !fs::symlink_metadata(partial).is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(file) = File::open(partial) else { return };
    if file.try_lock().is_err() {
        return;
    }
    for part in PARTS {
        let _ = fs::remove_file(beside(partial, part));
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
