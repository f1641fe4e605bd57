//! What is counted of windows, and how far words are behind their sound.

use crate::domain::Time;
use crate::domain::sound::{WindowOutcome, WithheldReason};
use crate::metrics::{Family, Histogram};
use crate::store::{Waiting, WindowDone};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counters of the jobs between spool and segments.
pub(crate) struct HearingCounters {
    words: AtomicU64,
    silent: AtomicU64,
    withheld: AtomicU64,
    given_up: AtomicU64,
    /// Segments of windows that are withheld, by the number of the reason.
    withheld_segments: [AtomicU64; WithheldReason::WORDS.len()],
    drafts: AtomicU64,
    put_off: AtomicU64,
    /// From the end of a window's sound until its words were durable, of live sound.
    lag: Histogram,
    waiting: Mutex<Waiting>,
}

impl Default for HearingCounters {
    fn default() -> Self {
        Self {
            words: AtomicU64::default(),
            silent: AtomicU64::default(),
            withheld: AtomicU64::default(),
            given_up: AtomicU64::default(),
            withheld_segments: Default::default(),
            drafts: AtomicU64::default(),
            put_off: AtomicU64::default(),
            lag: Histogram::of_delays(),
            waiting: Mutex::default(),
        }
    }
}

impl HearingCounters {
    /// Counts a window that is done; of live sound its lag too.
    pub(crate) fn note_done(&self, done: &WindowDone, is_live: bool) {
        self.of(done.outcome).fetch_add(1, Ordering::Relaxed);
        if is_live {
            let millis = u64::try_from(done.lag_ms).unwrap_or(0);
            self.lag.time(Duration::from_millis(millis));
        }
    }

    pub(crate) fn note_given_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts segments that are withheld for these reasons.
    pub(crate) fn note_withheld(&self, reasons: Vec<WithheldReason>) {
        for reason in reasons {
            self.withheld_segments[reason as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn note_draft(&self) {
        self.drafts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_put_off(&self) {
        self.put_off.fetch_add(1, Ordering::Relaxed);
    }

    /// Windows that are done since the start, by what became of them.
    pub(crate) fn windows(&self) -> BTreeMap<&'static str, u64> {
        let mut windows = BTreeMap::new();
        for word in WindowOutcome::WORDS {
            let Some(outcome) = WindowOutcome::from_word(word) else { continue };
            windows.insert(*word, self.of(outcome).load(Ordering::Relaxed));
        }
        windows
    }

    /// Segments of windows that are withheld since the start, by the reason.
    pub(crate) fn withheld(&self) -> BTreeMap<&'static str, u64> {
        let mut withheld = BTreeMap::new();
        for (word, count) in WithheldReason::WORDS.iter().zip(&self.withheld_segments) {
            withheld.insert(*word, count.load(Ordering::Relaxed));
        }
        withheld
    }

    fn of(&self, outcome: WindowOutcome) -> &AtomicU64 {
        match outcome {
            WindowOutcome::Words => &self.words,
            WindowOutcome::Silent => &self.silent,
            WindowOutcome::Withheld => &self.withheld,
            WindowOutcome::GivenUp => &self.given_up,
        }
    }

    /// Keeps what waits, for whoever asks.
    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    /// What waited when it was looked at last.
    pub(crate) fn waiting(&self) -> Waiting {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the oldest window of live sound waits, in whole seconds.
    pub(crate) fn oldest_seconds(&self, now: Time) -> u64 {
        oldest_seconds(&self.waiting(), now)
    }

    /// The metrics.
    pub(crate) fn families(&self, now: Time) -> Vec<Family> {
        let mut windows = Family::counters(
            "transcription_windows",
            "Windows of sound that are done, by what became of them",
        );
        for (word, count) in self.windows() {
            windows.add(vec![("outcome", word.into())], count);
        }
        let mut withheld = Family::counters(
            "transcription_withheld",
            "Segments that engines heard in windows and that are withheld, by the reason",
        );
        for (word, count) in self.withheld() {
            withheld.add(vec![("reason", word.into())], count);
        }
        let lag = Family::histogram(
            "transcription_lag_seconds",
            "Time from the end of a window of live sound until its words were durable",
            self.lag.counted(),
        );
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let waiting = self.waiting();
        let mut waits = Family::gauges(
            "transcription_windows_waiting",
            "Windows of sound that wait for their words, by whether the sound is live",
        );
        waits.add(vec![("kind", "live".into())], waiting.live_windows);
        waits.add(vec![("kind", "recording".into())], waiting.recorded_windows);
        vec![
            windows,
            withheld,
            lag,
            waits,
            Family::gauge(
                "transcription_oldest_waiting_seconds",
                "How long the oldest window of live sound waits for its words",
                oldest_seconds(&waiting, now),
            ),
            Family::counter(
                "transcription_drafts",
                "Drafts that engines made of windows that grow",
                load(&self.drafts),
            ),
            Family::counter(
                "transcription_attempts_failed",
                "Attempts to make words of a window that failed and are repeated",
                load(&self.put_off),
            ),
        ]
    }
}

/// How long the oldest window of live sound waits, in whole seconds.
fn oldest_seconds(waiting: &Waiting, now: Time) -> u64 {
    let Some(oldest) = waiting.oldest_live else { return 0 };
    let millis = now.as_millis().saturating_sub(oldest.as_millis());
    u64::try_from(millis / 1000).unwrap_or(0)
}
