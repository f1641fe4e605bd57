//! Exponential backoff with jitter between the attempts of an event.

use std::time::Duration;

/// Each wait is this many times as long as the one before.
const GROWTH: u32 = 3;
/// A wait is up to this much shorter or longer, in percent, so that events that failed together are
/// not retried together.
const JITTER_PERCENT: u64 = 20;
/// How finely the jitter is graded.
const STEPS: u64 = 1 << 20;

/// The wait after so many attempts, from the wait after the first. `random` is a uniformly
/// distributed number.
pub(super) fn wait(first: Duration, attempts: u32, random: u64) -> Duration {
    debug_assert!(attempts > 0, "a wait follows an attempt");
    let factor = GROWTH.saturating_pow(attempts.saturating_sub(1));
    let grown = first.saturating_mul(factor);
    // From 80 to 120 percent, in parts of a million or so.
    let parts = 100 * STEPS - JITTER_PERCENT * STEPS + random % (2 * JITTER_PERCENT * STEPS + 1);
    let millis = grown.as_millis().saturating_mul(u128::from(parts)) / u128::from(100 * STEPS);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIRST: Duration = Duration::from_secs(5);

    #[test]
    fn waits_grow_threefold_within_a_fifth() {
        let middle = JITTER_PERCENT * STEPS;
        for (attempts, seconds) in [(1, 5), (2, 15), (3, 45), (4, 135), (9, 32_805)] {
            assert_eq!(
                wait(FIRST, attempts, middle),
                Duration::from_secs(seconds),
                "after {attempts}"
            );
            assert_eq!(
                wait(FIRST, attempts, 0),
                Duration::from_secs(seconds) * 4 / 5,
                "after {attempts}"
            );
            assert_eq!(
                wait(FIRST, attempts, 2 * middle),
                Duration::from_secs(seconds) * 6 / 5,
                "after {attempts}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_wait_leaves_its_bounds(first in 1u64..3600, attempts in 1u32..60, random: u64) {
            let grown = Duration::from_secs(first).saturating_mul(3u32.saturating_pow(attempts - 1));
            let wait = wait(Duration::from_secs(first), attempts, random);
            let low = grown.as_millis() * 4 / 5;
            prop_assert!((low..=grown.as_millis() * 6 / 5).contains(&wait.as_millis()), "{wait:?} of {grown:?}");
        }
    }
}
