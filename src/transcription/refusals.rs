//! Why sound is refused, counted for the metrics.

use crate::metrics::Family;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes the enum of reasons and their words.
macro_rules! refusals {
    ($($(#[doc = $about:literal])+ $name:ident = $word:literal,)*) => {
        /// Why sound is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Refusal {
            $($(#[doc = $about])+ $name,)*
        }

        const WORDS: &[&str] = &[$($word),*];
    };
}

refusals! {
    /// The spool has as many bytes as it may, or its disk has too few left.
    SpoolFull = "spool_full",
    /// The disk of the spool does not take it.
    SpoolFailed = "spool_failed",
    /// The meeting has as many sounds as it may.
    SoundsMax = "sounds_max",
    /// The speaker is heard already.
    SpeakerTaken = "speaker_taken",
    /// It comes faster than it can be spoken.
    TooFast = "too_fast",
    /// The user has brought as much as they may today.
    DayLimit = "day_limit",
    /// The engines have as much to do as they can.
    Capacity = "capacity",
}

/// How often sound was refused since the start, by reason.
#[derive(Default)]
pub(crate) struct Refusals {
    counts: [AtomicU64; WORDS.len()],
}

impl Refusals {
    pub(crate) fn count(&self, refusal: Refusal) {
        self.counts[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The metric.
    pub(crate) fn family(&self) -> Family {
        let about = "How often sound was refused since the start, by reason";
        let mut family = Family::counters("sounds_refused", about);
        for (word, count) in WORDS.iter().zip(&self.counts) {
            family.add(vec![("reason", (*word).into())], count.load(Ordering::Relaxed));
        }
        family
    }
}
