//! How fast sound may come: sound of a meeting that goes on cannot come faster than it is spoken.

use std::time::Instant;

/// How much faster than real time sound may come for ever, in percent.
const PERCENT_MAX: u64 = 150;
/// How much of it may come faster than that, in microseconds: after a network that stood still, for
/// example.
const AHEAD_MICROS_MAX: u64 = 30_000_000;
/// How many bytes of sound may come in a second for ever: more than one channel of 96,000 samples.
const BYTES_PER_SECOND: u64 = 256 * 1024;
/// How many bytes may come faster than that.
const AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Measures how fast a sound comes. In microseconds, for what is rounded off adds up: a packet of
/// Opus may last 2.5 ms.
#[derive(Debug)]
pub(super) struct Pace {
    at: Instant,
    /// How much sound is ahead of what may come, in microseconds.
    ahead_micros: u64,
    /// How many bytes are.
    ahead_bytes: u64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { at: now, ahead_micros: 0, ahead_bytes: 0 }
    }

    /// Whether so many more milliseconds of sound, in so many bytes, may come now.
    pub(super) fn takes(&mut self, sound_ms: u64, bytes: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_micros();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let due = passed.saturating_mul(PERCENT_MAX) / 100;
        let more = sound_ms.saturating_mul(1000);
        let ahead = self.ahead_micros.saturating_sub(due).saturating_add(more);
        let bytes_due = passed.saturating_mul(BYTES_PER_SECOND) / 1_000_000;
        let bytes_ahead = self.ahead_bytes.saturating_sub(bytes_due).saturating_add(bytes);
        if ahead > AHEAD_MICROS_MAX || bytes_ahead > AHEAD_BYTES_MAX {
            return false;
        }
        self.at = now;
        self.ahead_micros = ahead;
        self.ahead_bytes = bytes_ahead;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// How many milliseconds of sound are taken that comes this much faster than real time, in
    /// pieces of 20 ms; at most an hour.
    fn taken_at(percent: u64) -> u64 {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        let mut taken = 0;
        while taken < 3_600_000 {
            let now = began + Duration::from_micros(taken * 100_000 / percent);
            if !pace.takes(20, 100, now) {
                break;
            }
            taken += 20;
        }
        taken
    }

    #[test]
    fn sound_that_comes_much_faster_is_refused_after_thirty_seconds_of_it() {
        assert_eq!(taken_at(100), 3_600_000);
        assert_eq!(taken_at(145), 3_600_000);
        // So much more than may come is there after 31 s, 60 s and 4 min of sound.
        assert!((30_000..31_000).contains(&taken_at(100_000)), "{}", taken_at(100_000));
        assert!((58_000..62_000).contains(&taken_at(300)), "{}", taken_at(300));
        assert!((110_000..130_000).contains(&taken_at(200)), "{}", taken_at(200));
    }

    #[test]
    fn bytes_that_come_too_fast_are_refused_however_little_sound_they_are() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        for _ in 0..4 {
            assert!(pace.takes(0, 1024 * 1024, began));
        }
        assert!(!pace.takes(0, 1, began));
        let later = began + Duration::from_secs(4);
        assert!(pace.takes(0, 1024 * 1024, later), "as many as are due");
        assert!(!pace.takes(0, 1, later));
    }

    #[test]
    fn a_network_that_stood_still_may_catch_up() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        assert!(pace.takes(1000, 1, began));
        let later = began + Duration::from_mins(1);
        assert!(pace.takes(29_000, 1, later), "what has waited");
        assert!(pace.takes(1000, 1, later), "all of it at once");
        assert!(!pace.takes(1000, 1, later), "and no more");
    }
}
