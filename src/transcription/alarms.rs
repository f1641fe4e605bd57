//! Judges what meetings that go on miss: sound, words or names. The rule is
//! [`crate::domain::alarm`]'s; here it is applied again and again, by the given clock.

use crate::clock::Clock;
use crate::domain::alarm::Watched;
use crate::domain::{AlarmKind, MeetingId, Time};
use crate::error::Result;
use crate::logging::Trouble;
use crate::metrics::Family;
use crate::store::{ClearAlarm, RaiseAlarm, Store};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// How often the meetings are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// How much sound of a meeting had come, in milliseconds, and when that became more last.
type SoundSeen = (i64, Time);

/// What is judged, and what is known of it besides the database.
pub(crate) struct Alarms {
    /// Whether an engine is configured; without one no bot is expected to bring sound.
    has_engine: bool,
    /// Of each meeting that goes on.
    sounds: Mutex<HashMap<MeetingId, SoundSeen>>,
    /// Alarms since the start, in the order of [`AlarmKind::ALL`].
    raised: [AtomicU64; 3],
    /// Meetings with such an alarm at the last look.
    open: [AtomicU64; 3],
}

impl Alarms {
    /// Where an engine is configured, or none is.
    pub(crate) fn new(has_engine: bool) -> Self {
        let (sounds, raised, open) = (Mutex::default(), Default::default(), Default::default());
        Self { has_engine, sounds, raised, open }
    }

    /// Judges again and again; it never ends by itself.
    pub(crate) async fn keep_judging(self: Arc<Self>, store: Arc<Store>, clock: Clock) {
        let mut trouble = Trouble::default();
        loop {
            match self.look(&store, clock.now()).await {
                Ok(()) => trouble.end("what meetings miss is judged again"),
                Err(error) => {
                    let cause = error.store_cause();
                    trouble.warn(&format!("what meetings miss cannot be judged yet: {cause}"));
                }
            }
            sleep(PERIOD).await;
        }
    }

    /// Judges all meetings that go on once.
    pub(crate) async fn look(&self, store: &Store, now: Time) -> Result<()> {
        let watched = store.watched(now).await?;
        self.forget_others(&watched);
        let mut open = [0; 3];
        for meeting in &watched {
            let missing = self.judge(store, meeting, now).await?;
            for (at, kind) in AlarmKind::ALL.iter().enumerate() {
                open[at] += u64::from(missing.contains(kind));
            }
        }
        for (gauge, count) in self.open.iter().zip(open) {
            gauge.store(count, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Raises and clears the alarms of a meeting; those that are raised then.
    async fn judge(&self, store: &Store, meeting: &Watched, now: Time) -> Result<Vec<AlarmKind>> {
        let mut meeting = meeting.clone();
        meeting.brings_sound &= self.has_engine;
        let meeting_id = meeting.meeting_id;
        let sound_at = self.sound_at(&meeting, now);
        let mut missing = meeting.missing(sound_at, now);
        for kind in meeting.over(&missing) {
            store.write(ClearAlarm { meeting_id, kind, now }).await?;
            meeting.raised.retain(|raised| *raised != kind);
        }
        missing.retain(|kind| !meeting.raised.contains(kind));
        for kind in missing {
            let raised = store.write(RaiseAlarm { meeting_id, kind, now }).await?;
            if !raised.is_new {
                continue;
            }
            meeting.raised.push(kind);
            for (at, other) in AlarmKind::ALL.iter().enumerate() {
                if *other == kind {
                    self.raised[at].fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(meeting.raised)
    }

    /// When sound of a meeting came last, as far as was seen; `None` where none ever came.
    fn sound_at(&self, meeting: &Watched, now: Time) -> Option<Time> {
        let heard_ms = meeting.sound.heard_ms;
        let mut sounds = self.sounds.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = sounds.entry(meeting.meeting_id).or_insert((0, now));
        if seen.0 != heard_ms {
            *seen = (heard_ms, now);
        }
        (seen.0 > 0).then_some(seen.1)
    }

    /// Forgets the meetings that do not go on.
    fn forget_others(&self, watched: &[Watched]) {
        let ids: HashSet<MeetingId> = watched.iter().map(|meeting| meeting.meeting_id).collect();
        let mut sounds = self.sounds.lock().unwrap_or_else(PoisonError::into_inner);
        sounds.retain(|id, _| ids.contains(id));
    }

    /// What is counted.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut open = Family::gauges(
            "meeting_alarms",
            "Meetings that go on and miss sound, words or names, by what is missing",
        );
        let mut raised = Family::counters(
            "meeting_alarms_raised",
            "Alarms of meetings since the start, by what was missing",
        );
        for (at, kind) in AlarmKind::ALL.iter().enumerate() {
            let label = || vec![("kind", kind.as_str().into())];
            open.add(label(), self.open[at].load(Ordering::Relaxed));
            raised.add(label(), self.raised[at].load(Ordering::Relaxed));
        }
        vec![open, raised]
    }
}
