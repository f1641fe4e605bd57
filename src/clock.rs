//! The clock of stored times, expiry and limits; time-outs of connections use tokio's.

use crate::domain::Time;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Tells the time. It is passed in wherever time is read, so that a test can pass a clock that it
/// sets itself.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<Manual>),
}

const HOUR: Duration = Duration::from_hours(1);

/// A clock that a test sets.
#[derive(Debug)]
struct Manual {
    start: Time,
    /// Later than all that was measured by the system's clock until then.
    started: Instant,
    now: watch::Sender<Time>,
}

impl Clock {
    /// The wall clock of this machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is set, and its copies with it; for tests.
    pub fn manual(start: Time) -> Self {
        let manual =
            Manual { start, started: Instant::now() + HOUR, now: watch::Sender::new(start) };
        Self(Source::Manual(Arc::new(manual)))
    }

    /// The present time.
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::System => Time::from_millis(jiff::Timestamp::now().as_millisecond()),
            Source::Manual(manual) => *manual.now.borrow(),
        }
    }

    /// The present by the monotonic clock, which cannot be set; that of a manual clock moves on
    /// with its time.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Source::System => Instant::now(),
            Source::Manual(manual) => manual.started + until(*manual.now.borrow(), manual.start),
        }
    }

    /// The same, where the system's monotonic clock was read already.
    pub fn instant_at(&self, read: Instant) -> Instant {
        match &self.0 {
            Source::System => read,
            Source::Manual(_) => self.instant(),
        }
    }

    /// Waits until this clock shows `end`. The wait of a system clock is measured once: setting the
    /// clock meanwhile does not change it.
    pub async fn sleep_until(&self, end: Time) {
        match &self.0 {
            Source::System => tokio::time::sleep(until(end, self.now())).await,
            Source::Manual(manual) => {
                let mut time = manual.now.subscribe();
                // The sender is held by this very clock.
                let _ = time.wait_for(|now| *now >= end).await;
            }
        }
    }

    /// Waits until the monotonic clock shows `end`.
    pub(crate) async fn sleep_until_instant(&self, end: Instant) {
        match &self.0 {
            Source::System => tokio::time::sleep_until(end.into()).await,
            Source::Manual(manual) => {
                let mut time = manual.now.subscribe();
                let shows = |now: &Time| manual.started + until(*now, manual.start) >= end;
                // The sender is held by this very clock.
                let _ = time.wait_for(shows).await;
            }
        }
    }

    /// Sets a manual clock, and wakes those who sleep until then; a system clock stays as it is.
    pub fn set(&self, time: Time) {
        if let Source::Manual(manual) = &self.0 {
            manual.now.send_replace(time);
        }
    }

    /// Advances a manual clock; a system clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            manual.now.send_modify(|time| *time = later(*time, by));
        }
    }
}

/// `time` plus `by`; the latest possible time where that is too late.
pub fn later(time: Time, by: Duration) -> Time {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(time.as_millis().saturating_add(millis))
}

/// The time from `now` to `end`; zero where that has passed.
fn until(end: Time, now: Time) -> Duration {
    let millis = end.as_millis().saturating_sub(now.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Time {
        Time::from_millis(1_760_097_600_000)
    }

    #[test]
    fn a_manual_clock_stands_still_and_its_copies_are_one() {
        let clock = Clock::manual(start());
        let copy = clock.clone();
        assert_eq!(copy.now(), start());
        let began = copy.instant();
        clock.advance(HOUR);
        assert_eq!(copy.now(), later(start(), HOUR));
        assert_eq!(copy.instant(), began + HOUR);
        copy.set(start());
        assert_eq!(clock.now(), start());
    }

    #[tokio::test]
    async fn who_sleeps_wakes_when_the_clock_is_there() {
        let clock = Clock::manual(start());
        clock.sleep_until(start()).await;
        let sleeper = clock.clone();
        let asleep = tokio::spawn(async move { sleeper.sleep_until(later(start(), HOUR)).await });
        clock.advance(HOUR / 2);
        tokio::task::yield_now().await;
        assert!(!asleep.is_finished(), "half the time has passed");
        clock.advance(HOUR / 2);
        asleep.await.expect("it wakes");
        let sleeper = clock.clone();
        let end = clock.instant() + HOUR;
        let asleep = tokio::spawn(async move { sleeper.sleep_until_instant(end).await });
        clock.advance(HOUR / 2);
        tokio::task::yield_now().await;
        assert!(!asleep.is_finished(), "half the time has passed by the monotonic clock");
        clock.advance(HOUR / 2);
        asleep.await.expect("it wakes by the monotonic clock");
    }

    #[tokio::test(start_paused = true)]
    async fn the_system_clock_sleeps_by_the_monotonic_one() {
        let clock = Clock::system();
        clock.set(start());
        clock.advance(HOUR);
        assert!(clock.now() > later(start(), HOUR), "nobody sets it");
        let began = tokio::time::Instant::now();
        clock.sleep_until(later(clock.now(), HOUR)).await;
        let slept = began.elapsed().as_secs_f64();
        assert!((3000.0..3602.0).contains(&slept), "{slept} s");
    }
}
