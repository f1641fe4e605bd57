//! How much sound each user has brought today (UTC).

use crate::domain::{Day, Time, UserId};
use crate::error::{Error, Result};
use crate::store::Store;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Counts the sound of users by day, and refuses what is too much. What the database has counted is
/// read once for each user and day; the rest is counted here, at once and not only when it is noted.
#[derive(Default)]
pub(super) struct DaySound {
    users: Mutex<HashMap<UserId, Counted>>,
}

#[derive(Clone, Copy)]
struct Counted {
    day: Day,
    millis: i64,
}

impl DaySound {
    /// Counts so much more sound of a user; [`Error::SoundLimit`] where they have brought as much as
    /// they may on this day.
    pub(super) fn count(
        &self,
        store: &Store,
        user: UserId,
        more_ms: u64,
        seconds_max: u32,
        now: Time,
    ) -> Result<()> {
        let day = Day::of(now);
        let mut users = self.users();
        let counted = if let Some(counted) = users.get_mut(&user) {
            counted
        } else {
            // Whoever has brought nothing today is read again when they do.
            users.retain(|_, counted| counted.day == day);
            let millis = store.sound_ms_of(user, day)?;
            users.entry(user).or_insert(Counted { day, millis })
        };
        if counted.day != day {
            *counted = Counted { day, millis: 0 };
        }
        let more_ms = i64::try_from(more_ms).unwrap_or(i64::MAX);
        // Where nothing comes yet, something is about to.
        if counted.millis.saturating_add(more_ms.max(1)) > i64::from(seconds_max) * 1000 {
            return Err(too_much(seconds_max, now));
        }
        counted.millis += more_ms;
        Ok(())
    }

    /// Counts sound that the database has counted: who is not known here is read from it.
    pub(super) fn note(&self, user: UserId, more_ms: u64, now: Time) {
        let day = Day::of(now);
        let more_ms = i64::try_from(more_ms).unwrap_or(i64::MAX);
        if let Some(counted) = self.users().get_mut(&user)
            && counted.day == day
        {
            counted.millis = counted.millis.saturating_add(more_ms);
        }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Counted>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_much(seconds_max: u32, now: Time) -> Error {
    let left_ms = DAY_MS - now.as_millis().rem_euclid(DAY_MS);
    let retry_after = left_ms.unsigned_abs().div_ceil(1000);
    let reason =
        format!("A user may bring {seconds_max} s of sound in a day (UTC); this would be more.");
    Error::SoundLimit { reason, retry_after }
}
