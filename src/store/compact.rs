//! Compaction: free pages of the file are given back to the disk.

use crate::error::{Error, Result};
use crate::store::doors::Store;
use crate::store::meetings::states::OPEN;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use utoipa::ToSchema;

const MIB: u64 = 1024 * 1024;
/// What must stay free on the disk, in bytes.
const LEFT_BYTES: u64 = 64 * MIB;
/// How long a read may keep the WAL from being checkpointed before the rest is left to the writer.
const CHECKPOINT_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause between two checkpoints; writes go on meanwhile.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(100);

/// The room in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// All pages, in bytes.
    pub bytes: u64,
    /// Those of them that are free, in bytes: they are used again before the file grows.
    pub free_bytes: u64,
}

/// A compaction that is done.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Compacted {
    /// Size of the database and its WAL before, in bytes.
    pub bytes_before: u64,
    /// The same after it.
    pub bytes_after: u64,
    /// How many bytes of it were free pages.
    pub free_bytes_before: u64,
    /// How long it took, in seconds; writes had to wait for as long.
    #[schema(example = 1.5)]
    pub seconds: f64,
}

impl Store {
    /// How much of the file is in use; a small read.
    pub(crate) fn room(&self) -> Result<Room> {
        self.read(|db| {
            let mut room = db.prepare_cached(
                "SELECT page_count * page_size, freelist_count * page_size
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
            )?;
            room.query_row([], |row| {
                let (bytes, free): (i64, i64) = (row.get(0)?, row.get(1)?);
                Ok(Room { bytes: bytes.cast_unsigned(), free_bytes: free.cast_unsigned() })
            })
        })
    }

    /// Whether the writer compacts the file now, and every write waits.
    pub(crate) fn is_compacting(&self) -> bool {
        self.writer.counters.is_compacting.load(Ordering::Acquire)
    }

    /// Gives the free pages of the file back to the disk. Every write waits meanwhile, so it is
    /// refused while meetings are open ([`Error::MeetingsOpen`]), unless it is to be done now; and
    /// with [`Error::CompactNoRoom`] where the disk has no room for it.
    pub(crate) async fn compact(&self, is_now: bool) -> Result<Compacted> {
        let open = self.read(|db| {
            let count = format!("SELECT count(*) FROM meetings WHERE status IN {}", *OPEN);
            db.prepare_cached(&count)?.query_row([], |row| row.get::<_, i64>(0))
        })?;
        if open > 0 && !is_now {
            return Err(Error::MeetingsOpen(open.cast_unsigned()));
        }
        let Room { bytes, free_bytes } = self.room()?;
        require_room(self.path(), bytes - free_bytes, self.disk_free_bytes())?;
        let bytes_before = self.size_bytes();
        let began = Instant::now();
        self.writer.compact().await?;
        let seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        // The file becomes shorter by the checkpoint.
        while !self.checkpoint().await? && began.elapsed() < CHECKPOINT_TIME_MAX {
            sleep(CHECKPOINT_PAUSE).await;
        }
        let bytes_after = self.size_bytes();
        Ok(Compacted { bytes_before, bytes_after, free_bytes_before: free_bytes, seconds })
    }
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
