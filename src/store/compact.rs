//! Compaction: free pages of the file are given back to the disk.

use crate::error::Result;
use crate::store::doors::Store;
use crate::store::vacuum::{Room, room};
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use utoipa::ToSchema;

/// How long a read may keep the WAL from being checkpointed before the rest is left to the writer.
const CHECKPOINT_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause between two checkpoints; writes go on meanwhile.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(100);

/// A compaction that is done.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Compacted {
    /// Size of the database and its WAL before, in bytes.
    pub bytes_before: u64,
    /// The same after it.
    pub bytes_after: u64,
    /// How many bytes of it were free pages.
    pub free_bytes_before: u64,
    /// How long it took until the file was shorter, in seconds; writes had to wait for as long.
    #[schema(example = 1.5)]
    pub seconds: f64,
}

impl Store {
    /// How much of the file is in use; a small read.
    pub(crate) fn room(&self) -> Result<Room> {
        self.read(room)
    }

    /// Whether the writer compacts the file now, and every write waits.
    pub(crate) fn is_compacting(&self) -> bool {
        self.writer.counters.is_compacting.load(Ordering::Acquire)
    }

    /// Gives the free pages of the file back to the disk. Every write waits meanwhile, so it is
    /// refused while meetings are open (`Error::MeetingsOpen`), unless it is to be done now; and
    /// with `Error::CompactNoRoom` where the disk has no room for it.
    pub(crate) async fn compact(&self, is_now: bool) -> Result<Compacted> {
        let free_bytes_before = self.room()?.free_bytes;
        let bytes_before = self.size_bytes();
        let began = Instant::now();
        let mut is_short = self.writer.compact(is_now).await?;
        // A read may still need what the WAL has; writes go on between two attempts.
        while !is_short && began.elapsed() < CHECKPOINT_TIME_MAX {
            sleep(CHECKPOINT_PAUSE).await;
            is_short = self.checkpoint().await?;
        }
        let seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let bytes_after = self.size_bytes();
        Ok(Compacted { bytes_before, bytes_after, free_bytes_before, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Options, connection};
    use std::path::Path;

    fn store(path: &Path) -> Store {
        let options =
            Options { path: path.to_owned(), small_readers: 1, long_readers: 1, queue_max: 16 };
        Store::open(&options, |_| {}).expect("a store")
    }

    fn run<T>(task: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime").block_on(task)
    }

    #[test]
    fn the_writer_has_shortened_the_file_itself_before_it_answers() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder.path().join("vomeet.db"));
        let is_short = run(store.writer.compact(false)).expect("a compaction");
        assert!(is_short, "nobody reads");
        assert_eq!(store.wal_bytes(), 0, "what is left would be copied with no flag up");
        assert!(!store.is_compacting());
        store.close();
    }

    #[test]
    fn what_a_reader_keeps_in_the_wal_is_checkpointed_later_as_a_part_of_the_compaction() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vomeet.db");
        let store = store(&path);
        let reader = connection::open_reader(&path).expect("a reader");
        reader.execute_batch("BEGIN; SELECT count(*) FROM users;").expect("a read");
        let is_short = run(store.writer.compact(false)).expect("a compaction");
        assert!(!is_short && store.wal_bytes() > 0, "the reader is in the way");
        drop(reader);
        assert!(run(store.checkpoint()).expect("a checkpoint"));
        assert_eq!(store.wal_bytes(), 0);
        assert!(!store.is_compacting());
        store.close();
    }
}
