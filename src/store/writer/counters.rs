//! What the writer counts, for the metrics and the health check.

use crate::metrics::{Family, Histogram};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Verbs that were committed.
    pub verbs: u64,
    /// Commits they shared.
    pub commits: u64,
}

/// How checkpoints of the WAL ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpointed {
    /// The database has all of the WAL.
    All,
    /// A reader needed some of it.
    Some,
    /// The disk was full or busy.
    Refused,
}

/// The counters of the writer.
pub(crate) struct Counters {
    pub(crate) verbs: AtomicU64,
    pub(crate) commits: AtomicU64,
    /// Messages that were queued, and those that the writer has taken.
    pub(crate) queued: AtomicU64,
    pub(crate) taken: AtomicU64,
    pub(crate) commit_times: Histogram,
    pub(crate) batch_sizes: Histogram,
    pub(crate) checkpoint_times: Histogram,
    checkpoints: [AtomicU64; 3],
    /// Whether the reserve of the disk is gone.
    pub(crate) is_disk_full: AtomicBool,
    /// Whether the file is compacted, and writes wait.
    pub(crate) is_compacting: AtomicBool,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            verbs: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            commit_times: Histogram::of_times(),
            batch_sizes: Histogram::of_sizes(),
            checkpoint_times: Histogram::of_times(),
            checkpoints: Default::default(),
            is_disk_full: AtomicBool::new(false),
            is_compacting: AtomicBool::new(false),
        }
    }
}

impl Counters {
    /// Counts a checkpoint.
    pub(crate) fn checkpointed(&self, outcome: Checkpointed) {
        self.checkpoints[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts of verbs and commits.
    pub(crate) fn written(&self) -> Written {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Written { verbs: count(&self.verbs), commits: count(&self.commits) }
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> u64 {
        let taken = self.taken.load(Ordering::Acquire);
        self.queued.load(Ordering::Acquire).saturating_sub(taken)
    }

    /// All of it as metrics.
    pub(crate) fn families(&self) -> Vec<Family> {
        let written = self.written();
        let mut checkpoints =
            Family::counters("store_checkpoints", "Checkpoints of the WAL, by how they ended");
        for (outcome, count) in ["complete", "partial", "refused"].iter().zip(&self.checkpoints) {
            checkpoints.add(vec![("outcome", (*outcome).into())], count.load(Ordering::Relaxed));
        }
        vec![
            Family::counter("store_writes", "Writes committed since the start", written.verbs),
            Family::counter("store_commits", "Commits that they shared", written.commits),
            Family::histogram(
                "store_commit_seconds",
                "Time of a commit, with the writes that share it",
                self.commit_times.counted(),
            ),
            Family::histogram(
                "store_batch_writes",
                "Writes that share a commit",
                self.batch_sizes.counted(),
            ),
            Family::gauge("store_queue_writes", "Writes that wait for the writer", self.waiting()),
            checkpoints,
            Family::histogram(
                "store_checkpoint_seconds",
                "Time of a checkpoint of the WAL",
                self.checkpoint_times.counted(),
            ),
        ]
    }
}
