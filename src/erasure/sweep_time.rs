//! The time by which old data is deleted. A clock that is wrong by a year would delete everything
//! that a retention period covers, so a clock that leaps is not believed at once.

use crate::clock::{Clock, later};
use crate::domain::Time;
use crate::error::Result;
use crate::store::{NoteTime, Store};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far the clock may be beyond the latest time that the database knows: a server may rest for a
/// weekend.
const LEAP_MAX: Duration = Duration::from_hours(72);
/// How long the server must run before a clock that has leapt is believed.
const BELIEVED_AFTER: Duration = Duration::from_hours(24);
/// How often the time is noted in the database.
const NOTE_EVERY: Duration = Duration::from_hours(1);

/// Tells the time by which old data may be deleted.
#[derive(Default)]
pub(crate) struct SweepTime {
    /// Since when the clock is known to have leapt, by the clock that cannot be set.
    leapt_at: Mutex<Option<Instant>>,
}

impl SweepTime {
    /// The time, which the database knows from now on; `None` while the clock is not believed.
    pub(crate) async fn get(&self, store: &Store, clock: &Clock) -> Result<Option<Time>> {
        let now = clock.now();
        let noted = store.noted_time()?;
        let latest = match noted {
            Some(noted) => Some(noted),
            None => store.last_change()?,
        };
        match latest {
            Some(latest) if now > later(latest, LEAP_MAX) => {
                if !self.is_believed(clock, now, latest) {
                    return Ok(None);
                }
            }
            _ => *self.leapt_at.lock().unwrap_or_else(PoisonError::into_inner) = None,
        }
        if noted.is_none_or(|noted| now >= later(noted, NOTE_EVERY)) {
            store.write(NoteTime { now }).await?;
        }
        Ok(Some(now))
    }

    /// Whether a clock that has leapt has done so long enough ago; the first time it is told.
    fn is_believed(&self, clock: &Clock, now: Time, latest: Time) -> bool {
        let mut leapt_at = self.leapt_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leapt_at) = *leapt_at {
            return clock.instant().saturating_duration_since(leapt_at) >= BELIEVED_AFTER;
        }
        *leapt_at = Some(clock.instant());
        log::warn!(
            "the clock shows {now}, and the latest time that the database knows is {latest}: \
             nothing is deleted by its age in the next {} hours; correct the clock if it is wrong",
            BELIEVED_AFTER.as_secs() / 3600
        );
        false
    }
}
