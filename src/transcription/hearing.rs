//! What the jobs between spool and segments share.

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{MeetingId, Time};
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::store::{Store, Verb};
use crate::transcription::Transcription;
use crate::transcription::engines::Engines;
use crate::transcription::hearing_counters::HearingCounters;
use crate::transcription::spool::SpoolReader;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;

/// How long to wait when the database takes no write.
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// Everything between the spool and the segments.
pub(crate) struct Hearing {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub engines: Arc<Engines>,
    pub transcription: Arc<Transcription>,
    pub feed: Arc<Feed>,
    /// Whether what is not believed is withheld.
    pub has_gate: bool,
    /// How long sound is kept once its words are stored, in days.
    pub keep_days: u32,
    /// Since when the server hears, on the monotonic clock.
    began: Instant,
    /// The meetings whose sound cannot be cut, each since when, on the monotonic clock.
    uncut: Mutex<HashMap<MeetingId, Instant>>,
    /// There is a new window.
    pub window_cut: Notify,
    /// Whether no engine took the last window.
    is_away: AtomicBool,
    /// An engine takes sound again, after none did: what was put off is due.
    pub is_back: AtomicBool,
}

impl Hearing {
    pub(crate) fn new(
        config: &Config,
        engines: Arc<Engines>,
        transcription: Arc<Transcription>,
        feed: Arc<Feed>,
    ) -> Self {
        let began = transcription.clock.instant();
        Self {
            store: Arc::clone(&transcription.store),
            clock: transcription.clock.clone(),
            engines,
            transcription,
            feed,
            has_gate: config.transcription.gate,
            keep_days: config.transcription.keep_days,
            began,
            uncut: Mutex::default(),
            window_cut: Notify::new(),
            is_away: AtomicBool::new(false),
            is_back: AtomicBool::new(false),
        }
    }

    /// Whether anybody may ever hear something.
    pub(crate) fn may_hear(&self) -> bool {
        self.engines.is_any()
    }

    /// Whether some engine takes work now.
    pub(crate) fn takes_now(&self) -> bool {
        self.engines.takes_now()
    }

    /// Notes that no engine took a window.
    pub(crate) fn note_away(&self) {
        self.is_away.store(true, Ordering::Release);
    }

    /// Notes that one has answered.
    pub(crate) fn note_answer(&self) {
        if self.is_away.swap(false, Ordering::AcqRel) {
            self.is_back.store(true, Ordering::Release);
            self.window_cut.notify_one();
        }
    }

    /// How long the server has run.
    pub(crate) fn ran(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.began)
    }

    /// Notes whether the sound of a meeting can be cut.
    pub(crate) fn note_cut(&self, meeting_id: MeetingId, is_cut: bool) {
        let mut uncut = self.uncut.lock().unwrap_or_else(PoisonError::into_inner);
        if is_cut {
            uncut.remove(&meeting_id);
        } else {
            uncut.entry(meeting_id).or_insert_with(|| self.clock.instant());
        }
    }

    /// The meetings whose sound could not be cut for so long, however often that was tried.
    pub(crate) fn uncut_for(&self, time: Duration) -> Vec<MeetingId> {
        let now = self.clock.instant();
        let uncut = self.uncut.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |since: &Instant| now.saturating_duration_since(*since) >= time;
        let old = uncut.iter().filter(|(_, since)| is_old(since));
        old.map(|(meeting_id, _)| *meeting_id).collect()
    }

    /// Writes a verb, again and again while the database takes none; an error once it has failed.
    pub(crate) async fn write<V: Verb>(&self, verb: impl Fn() -> V) -> Result<V::Answer> {
        loop {
            match self.store.write(verb()).await {
                Err(Error::Busy | Error::DiskFull) => sleep(WRITE_PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// What is counted.
    pub(crate) fn counters(&self) -> &HearingCounters {
        &self.transcription.counters
    }

    /// Reads the spool of a meeting from there. Reads a file here and now.
    pub(crate) fn read_spool(&self, meeting_id: MeetingId, from: u64) -> Result<SpoolReader> {
        self.transcription.spool.read(meeting_id, from)
    }

    /// The present time.
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }
}

/// A number of the database that is never below 0.
pub(crate) fn from_whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number as the database has it.
pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
