//! The time by which old data is deleted. A clock that is wrong by a year would delete everything
//! that a retention period covers, so a clock that leaps is not believed at once. A time is believed
//! when servers have run for a day with clocks that showed this time or a later one; until then the
//! latest time that was believed counts. How long they have run is noted in the database, so that a
//! restart neither begins the day anew nor ends it, also where the server seldom runs.

use crate::clock::{Clock, later};
use crate::domain::Time;
use crate::error::Result;
use crate::store::{DoubtedClock, KnownTime, NoteTime, Store};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a server must run before a clock that has leapt is believed.
const BELIEVED_AFTER: Duration = Duration::from_hours(24);
/// How often the time is noted in the database.
const NOTE_EVERY: Duration = Duration::from_hours(1);
/// How often it is noted how long the server has run with a clock that is not believed.
const NOTE_DOUBT_EVERY: Duration = Duration::from_mins(10);
/// How far a doubted clock may go ahead without another doubt: a server may rest for a weekend.
const SAME_AHEAD_MAX: Duration = Duration::from_hours(72);
/// How far a doubted clock may be set back: small corrections do that.
const SAME_BEHIND_MAX: Duration = Duration::from_hours(1);

/// Tells the time by which old data may be deleted.
#[derive(Default)]
pub(crate) struct SweepTime {
    /// The clock that this server does not believe; locked while the time is looked at.
    doubt: Mutex<Option<Doubt>>,
}

/// A clock that is not believed.
#[derive(Clone, Copy)]
struct Doubt {
    clock: DoubtedClock,
    /// When its time was looked at, by the clock that cannot be set.
    at: Instant,
    /// How long servers had run with it when that was noted last; `None` where it never was.
    noted_ms: Option<i64>,
}

impl SweepTime {
    /// The latest time that is believed, which the database knows from now on: the present, but for
    /// a clock that is doubted.
    pub(crate) async fn get(&self, store: &Store, clock: &Clock) -> Result<Time> {
        let mut doubt = self.doubt.lock().await;
        // First: a clock that is set between the two has not been run with until then.
        let at = clock.instant();
        let now = clock.now();
        let Some(mut known) = store.known_time()? else {
            store.write(NoteTime { now, doubted: None }).await?;
            return Ok(now);
        };
        if known.is_leap(now) {
            let mut present = go_on(*doubt, known, now, at);
            if present.clock.ran_ms >= millis(BELIEVED_AFTER) {
                let believed = present.clock.shown;
                store.write(NoteTime { now: believed, doubted: None }).await?;
                known = KnownTime { latest: believed, is_noted: true, doubted: None };
                present = Doubt::begin(now, at);
            }
            if known.is_leap(now) {
                if doubt.is_none() || present.noted_ms.is_none() {
                    tell(known.latest, now, present.clock);
                }
                *doubt = Some(present);
                if present.is_to_be_noted() {
                    let doubted = Some(present.clock);
                    store.write(NoteTime { now: known.latest, doubted }).await?;
                    present.noted_ms = Some(present.clock.ran_ms);
                    *doubt = Some(present);
                }
                return Ok(known.latest);
            }
        }
        *doubt = None;
        let is_due = now >= later(known.latest, NOTE_EVERY);
        if is_due || known.doubted.is_some() || !known.is_noted {
            store.write(NoteTime { now, doubted: None }).await?;
        }
        Ok(now)
    }
}

impl Doubt {
    fn begin(now: Time, at: Instant) -> Self {
        Self { clock: DoubtedClock { shown: now, ran_ms: 0 }, at, noted_ms: None }
    }

    fn is_to_be_noted(&self) -> bool {
        let ran_ms = self.clock.ran_ms;
        self.noted_ms.is_none_or(|noted_ms| ran_ms >= noted_ms + millis(NOTE_DOUBT_EVERY))
    }
}

/// The doubt of a clock that has leapt: the one before with the time that the server has run since,
/// unless the clock was set back behind it; then another one.
fn go_on(before: Option<Doubt>, known: KnownTime, now: Time, at: Instant) -> Doubt {
    let noted = known.doubted.map(|clock| Doubt { clock, at, noted_ms: Some(clock.ran_ms) });
    let Some(before) = before.or(noted) else { return Doubt::begin(now, at) };
    let shown = before.clock.shown;
    if shown > later(now, SAME_BEHIND_MAX) {
        return Doubt::begin(now, at);
    }
    // After another leap it is still the time before it that the servers have run with.
    let is_leap = now > later(shown, SAME_AHEAD_MAX);
    let shown = if is_leap { shown } else { now };
    let ran_ms = millis(at.saturating_duration_since(before.at));
    let ran_ms = before.clock.ran_ms.saturating_add(ran_ms);
    Doubt { clock: DoubtedClock { shown, ran_ms }, at, noted_ms: before.noted_ms }
}

fn tell(latest: Time, now: Time, clock: DoubtedClock) {
    let left_ms = millis(BELIEVED_AFTER) - clock.ran_ms;
    log::warn!(
        "the clock shows {now}, and the latest time that the database knows is {latest}: nothing \
         more is deleted or given up by its age in the next {} minutes that the server runs; \
         correct the clock if it is wrong",
        left_ms / 60_000
    );
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
