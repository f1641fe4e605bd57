//! What is dropped of live sound, counted for the metrics.

use crate::metrics::Family;
use std::sync::atomic::{AtomicU64, Ordering};

/// What cannot be used of what comes with live sound, since the start. The sound goes on without it.
#[derive(Default)]
pub(crate) struct Dropped {
    packets: AtomicU64,
    texts: AtomicU64,
}

impl Dropped {
    /// Counts an Opus packet that breaks the rules.
    pub(crate) fn note_packet(&self) {
        self.packets.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a text, such as a speaker event, that cannot be read or not be stored.
    pub(crate) fn note_text(&self) {
        self.texts.fetch_add(1, Ordering::Relaxed);
    }

    /// How many packets were dropped.
    #[cfg(test)]
    pub(crate) fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// The metric.
    pub(crate) fn family(&self) -> Family {
        let about = "What could not be used of live sound since the start and was dropped, by kind";
        let mut family = Family::counters("sound_dropped", about);
        for (kind, count) in [("packet", &self.packets), ("text", &self.texts)] {
            family.add(vec![("kind", kind.into())], count.load(Ordering::Relaxed));
        }
        family
    }
}
