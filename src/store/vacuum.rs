//! The file written anew without its free pages.

use crate::error::{Error, Result};
use crate::store::beside::folder_of;
use crate::store::connection;
use crate::store::meetings::states::OPEN;
use rusqlite::Connection;
use rustix::fs::statvfs;
use std::path::Path;

const MIB: u64 = 1024 * 1024;
/// What must stay free on the disk, in bytes.
const LEFT_BYTES: u64 = 64 * MIB;

/// The room in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// All pages, in bytes.
    pub bytes: u64,
    /// Those of them that are free, in bytes: they are used again before the file grows.
    pub free_bytes: u64,
}

/// How much of an open file is in use.
pub(super) fn room(db: &Connection) -> rusqlite::Result<Room> {
    let mut room = db.prepare_cached(
        "SELECT page_count * page_size, freelist_count * page_size
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )?;
    room.query_row([], |row| {
        let (bytes, free): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Room { bytes: bytes.cast_unsigned(), free_bytes: free.cast_unsigned() })
    })
}

/// Fails with [`Error::MeetingsOpen`] while meetings are open, unless it is to be done now, and with
/// [`Error::CompactNoRoom`] where the disk has no room.
pub(super) fn require_fit(db: &Connection, database: &Path, is_now: bool) -> Result<()> {
    let count = format!("SELECT count(*) FROM meetings WHERE status IN {}", *OPEN);
    let open: i64 = db.query_row(&count, [], |row| row.get(0))?;
    if open > 0 && !is_now {
        return Err(Error::MeetingsOpen(open.cast_unsigned()));
    }
    let Room { bytes, free_bytes } = room(db)?;
    let disk = statvfs(folder_of(database)).ok();
    let disk_free = disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    require_room(database, bytes - free_bytes, disk_free)
}

/// Fails where the disk has no room for what is in use twice: once beside the file, and once in the
/// WAL.
fn require_room(database: &Path, used: u64, free: Option<u64>) -> Result<()> {
    let needed = 2 * used + LEFT_BYTES;
    let Some(free) = free.filter(|free| *free < needed) else { return Ok(()) };
    let path = database.display();
    Err(Error::CompactNoRoom(format!(
        "There is no room to compact {path}: it takes {} MiB for a while, and {} MiB are free.",
        needed.div_ceil(MIB),
        free / MIB
    )))
}

/// Writes the file anew, in one transaction: a crash leaves it as it was. Nobody else may write
/// meanwhile. The copy that is made on the way lies in the folder of the database, has no name, and
/// goes with this process; what is written back comes into the WAL first.
pub(super) fn vacuum(database: &Path) -> Result<()> {
    let connection = connection::open(database)?;
    // The copy is as large as what is in use.
    connection::put_aside_in_files(&connection, database)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    connection.execute_batch("VACUUM")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_must_fit_twice() {
        let look = |free| require_room(Path::new("x.db"), 100 * MIB, free);
        assert!(look(Some(264 * MIB)).is_ok());
        assert!(look(None).is_ok(), "a system that does not say");
        let refused = look(Some(264 * MIB - 1)).expect_err("no room").to_string();
        assert_eq!(
            refused,
            "There is no room to compact x.db: it takes 264 MiB for a while, and 263 MiB are free."
        );
    }
}
