//! How fast an engine is, measured by what it has heard.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is left of a measurement after the next one: the last twenty or so count.
const KEPT: f64 = 0.95;

/// A measured speed.
#[derive(Debug, Default)]
pub(super) struct Speed(Mutex<Measured>);

#[derive(Debug, Default, Clone, Copy)]
struct Measured {
    sound: f64,
    took: f64,
}

impl Speed {
    /// So much sound has taken so long.
    pub(super) fn measured(&self, sound: Duration, took: Duration) {
        let mut measured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        measured.sound = measured.sound * KEPT + sound.as_secs_f64();
        measured.took = measured.took * KEPT + took.as_secs_f64();
    }

    /// Seconds that a second of sound takes; `None` while nothing was measured.
    pub(super) fn seconds_a_second(&self) -> Option<f64> {
        let Measured { sound, took } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sound < 1.0 {
            return None;
        }
        Some(took / sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_measurements_count_most() {
        let speed = Speed::default();
        assert_eq!(speed.seconds_a_second(), None);
        let second = Duration::from_secs(1);
        speed.measured(second * 10, second * 20);
        assert_eq!(speed.seconds_a_second(), Some(2.0));
        for _ in 0..200 {
            speed.measured(second * 10, second);
        }
        let now = speed.seconds_a_second().expect("measured");
        assert!((0.0999..0.1002).contains(&now), "{now}");
    }
}
