//! Room on the disks of a backup and of the database, before the backup and while it is written.

use crate::error::{Error, Result};
use crate::store::backup::partial::cannot_write;
use crate::store::beside::{beside, folder_of};
use rustix::fs::statvfs;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What must stay free on the disk of a backup, in bytes.
const LEFT_BYTES: u64 = 16 * 1024 * 1024;
/// What must stay free where that is the database's own disk, and a quarter of the database at least:
/// a server without room can store nothing more.
const LEFT_FOR_DATABASE_BYTES: u64 = 256 * 1024 * 1024;

/// Room for a backup that is being made.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    wal: PathBuf,
    /// How long the WAL may grow, in bytes; it cannot be reset while the backup reads.
    wal_bytes_max: u64,
}

impl Room {
    /// Fails where the disk has no room for so many bytes.
    pub(super) fn require(path: &Path, database: &Path, bytes: u64) -> Result<Self> {
        let (folder, home) = (folder_of(path), folder_of(database));
        let failed = |error: io::Error| cannot_write(path, &error);
        let free = free(folder).map_err(failed)?;
        let is_shared = device(folder).map_err(failed)? == device(home).map_err(failed)?;
        let (left, why) = match is_shared {
            true => (LEFT_FOR_DATABASE_BYTES.max(bytes / 4), " with what stays for the database"),
            false => (LEFT_BYTES, ""),
        };
        let wanted = bytes.saturating_add(left);
        if free < wanted {
            return Err(Error::BackupNoRoom(format!(
                "There is no room for the backup in {}: it takes {} MiB{why}, and {} MiB are free.",
                folder.display(),
                mib(wanted),
                mib(free)
            )));
        }
        let free_for_wal = match is_shared {
            true => free - bytes,
            false => self::free(home).map_err(failed)?,
        };
        let wal = beside(database, "-wal");
        let wal_bytes_max = length(&wal).saturating_add(free_for_wal / 2);
        Ok(Self { path: path.to_owned(), wal, wal_bytes_max })
    }

    /// The same of a backup that is copied to a file beside the database, and encrypted from there.
    pub(super) fn require_for_encrypted(
        path: &Path,
        plain: &Path,
        database: &Path,
        bytes: u64,
    ) -> Result<Self> {
        let devices = [path, database].map(|path| device(folder_of(path)));
        let [Ok(of_backup), Ok(of_database)] = devices else {
            return Self::require(path, database, bytes);
        };
        if of_backup == of_database {
            return Self::require(path, database, bytes.saturating_mul(2));
        }
        Self::require(path, database, bytes)?;
        Self::require(plain, database, bytes)
    }

    /// Looks again while the backup is made: it ends before the database has no room.
    pub(super) fn look_again(&self) -> Result<()> {
        let wal_bytes = length(&self.wal);
        if wal_bytes > self.wal_bytes_max {
            return Err(Error::BackupNoRoom(format!(
                "The WAL of the database has grown to {} MiB while the backup was made, and its disk \
                 has no room for more; nothing was kept.",
                mib(wal_bytes)
            )));
        }
        match free(folder_of(&self.path)) {
            Ok(free) if free < LEFT_BYTES => {
                Err(cannot_write(&self.path, &io::ErrorKind::StorageFull.into()))
            }
            _ => Ok(()),
        }
    }
}

fn free(folder: &Path) -> io::Result<u64> {
    let disk = statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn device(folder: &Path) -> io::Result<u64> {
    Ok(fs::metadata(folder)?.dev())
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |found| found.len())
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_ends_before_the_wal_has_filled_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, database) = (folder.path().join("x.db"), folder.path().join("vomeet.db"));
        let mut room = Room::require(&path, &database, 4096).expect("room");
        room.look_again().expect("no WAL");
        room.wal_bytes_max = 5000;
        for (bytes, ends) in [(5000, false), (5001, true)] {
            fs::write(folder.path().join("vomeet.db-wal"), vec![0; bytes]).expect("a WAL");
            let looked = room.look_again();
            assert_eq!(matches!(looked, Err(Error::BackupNoRoom(_))), ends, "{looked:?}");
        }
    }
}
