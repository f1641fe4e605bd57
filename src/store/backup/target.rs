//! The file that a backup becomes: written under another name beside it, flushed, and renamed once
//! it is known to be good. What is not finished is removed.

use crate::domain::Time;
use crate::error::{Error, Result};
use crate::store::backup::checksum::{self, Checksum};
use crate::store::backup::name::name_of_kind;
use crate::store::backup::partial::{Partial, cannot_write};
use crate::store::backup::still::{find_log, hold_still};
use crate::store::beside::{beside, folder_of};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A backup that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    /// Whether a file that is there is replaced.
    replace: bool,
    partial: Partial,
}

/// The file that is meant: in a folder, a new one with the time in its name.
pub(crate) fn file_in(named: &Path, at: Time, is_encrypted: bool) -> PathBuf {
    if named.is_dir() {
        return named.join(name_of_kind(at, is_encrypted));
    }
    named.to_owned()
}

impl Target {
    /// Makes the file under another name beside it. A file that is there already is replaced only
    /// where that is asked for, and a file of the database never.
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
        let partial = Partial::create(folder_of(path));
        let partial = partial.map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), replace, partial })
    }

    /// The file while it is written.
    pub(super) fn partial(&self) -> &Partial {
        &self.partial
    }

    /// Gives the file its name, so that a crash leaves either all of it or nothing. What has come
    /// there meanwhile is looked at again. An encrypted backup gets its checksum beside it.
    pub(super) fn finish(self, checksum: Option<&Checksum>) -> Result<()> {
        let failed = |error: io::Error| cannot_write(&self.path, &error);
        self.partial.file().sync_all().map_err(failed)?;
        self.partial.require_own().map_err(failed)?;
        refuse_what_is_there(&self.path, self.replace)?;
        let checksum = match checksum {
            Some(checksum) => Some(self.write_checksum(checksum).map_err(failed)?),
            None => None,
        };
        let beside = checksum::path_of(&self.path);
        // Without one, nothing says that the file is another than it was.
        if self.replace && beside.exists() {
            fs::remove_file(&beside).map_err(failed)?;
        }
        self.rename(self.partial.path(), &self.path)?;
        self.partial.require_own_at(&self.path).map_err(failed)?;
        if let Some(checksum) = checksum
            && let Err(error) = self.rename(checksum.path(), &beside)
        {
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        let folder = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        folder.map_err(failed)
    }

    fn write_checksum(&self, checksum: &Checksum) -> io::Result<Partial> {
        let partial = Partial::create(folder_of(&self.path))?;
        partial.file().write_all(checksum.text(&self.path).as_bytes())?;
        partial.flush()?;
        Ok(partial)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let renamed = match self.replace {
            true => fs::rename(from, to),
            false => rename_new(from, to),
        };
        match renamed {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(to)),
            done => done.map_err(|error| cannot_write(&self.path, &error)),
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
