//! Rate limiting by the generic cell rate algorithm (GCRA, ITU-T I.371), for many keys in a table
//! of fixed size.
//!
//! By hand, for its memory is bounded whoever calls: the limiters of crates keep a growing map of
//! keys.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE_NANOS: u64 = 60_000_000_000;
/// Slots in which a key can be. When all of them are taken, a new key gets the one that is
/// forgotten first.
const WAYS: usize = 4;

/// So many in a minute, and as many at once where none came before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    /// How long one takes to be forgotten, in nanoseconds.
    interval: u64,
    /// How long a full minute's worth takes, in nanoseconds.
    full: u64,
}

/// What a limiter says of one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// Whether it is within the quota.
    pub allowed: bool,
    /// How many more may come at once.
    pub remaining: u64,
    /// How long until one more may come; zero if one may at once.
    pub wait: Duration,
    /// How long until the whole quota is free again.
    pub recovery: Duration,
}

impl Quota {
    /// `None` is no limit: what 0 stands for.
    pub(super) fn per_minute(count: u32) -> Option<Self> {
        let interval = MINUTE_NANOS.checked_div(count.into())?;
        Some(Self { interval, full: interval * u64::from(count) })
    }

    /// Decides on `cost` more at `now`; more than the whole quota counts as the quota. `until` is
    /// when all that came before is forgotten; it moves on where they are allowed.
    fn check(self, until: &mut u64, cost: u32, now: u64) -> Decision {
        let needed = (self.interval * u64::from(cost)).min(self.full);
        let after = (*until).max(now) + needed;
        let allowed = after <= now + self.full;
        if allowed {
            *until = after;
        }
        let used = until.saturating_sub(now);
        let left = self.full.saturating_sub(used);
        let wait = (used + needed).saturating_sub(self.full);
        Decision {
            allowed,
            remaining: left / self.interval,
            wait: Duration::from_nanos(wait),
            recovery: Duration::from_nanos(used),
        }
    }
}

/// What is remembered of the keys of a few slots: the hash of each, which nobody outside can
/// foresee, and when all of it is forgotten, in nanoseconds since the table was made; 0 in a free
/// slot. Bare numbers, because the system gives zeros without taking memory for them.
type Set = [[u64; WAYS]; 2];

/// A quota for each of any number of keys, in memory that does not grow: the key that is forgotten
/// first makes room.
pub(super) struct RateLimiter<H = RandomState> {
    rate: Quota,
    sets: usize,
    began: Instant,
    /// Of keys that callers choose it must be one that they cannot foresee.
    hasher: H,
    /// Empty until the first key comes.
    slots: Mutex<Vec<Set>>,
}

impl<H: BuildHasher + Default> RateLimiter<H> {
    /// A table of `slots` keys, each 16 bytes; `None` where there is no limit.
    pub(super) fn new(per_minute: u32, slots: usize) -> Option<Self> {
        let rate = Quota::per_minute(per_minute)?;
        let slots = slots.max(WAYS);
        Some(Self {
            rate,
            sets: slots / WAYS,
            began: Instant::now(),
            hasher: H::default(),
            slots: Mutex::default(),
        })
    }

    /// Decides on `cost` more of a key.
    pub(super) fn check(&self, key: impl Hash, cost: u32, now: Instant) -> Decision {
        let key = self.hasher.hash_one(key);
        let elapsed = now.saturating_duration_since(self.began).as_nanos();
        let now = u64::try_from(elapsed).unwrap_or(u64::MAX / 2);
        // A panic while the lock was held leaves slots that are whole.
        let mut sets = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if sets.is_empty() {
            *sets = vec![[[0; WAYS]; 2]; self.sets];
        }
        let place = usize::try_from(key % self.sets as u64).unwrap_or_default();
        self.rate.check(until_of(&mut sets[place], key), cost, now)
    }
}

/// When a key is forgotten, in its slot: its own, or that of the key which is forgotten first.
fn until_of([keys, until]: &mut Set, key: u64) -> &mut u64 {
    let mut first = 0;
    for at in 0..WAYS {
        if keys[at] == key && until[at] > 0 {
            return &mut until[at];
        }
        if until[at] < until[first] {
            first = at;
        }
    }
    keys[first] = key;
    until[first] = 0;
    &mut until[first]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::collections::VecDeque;

    impl RateLimiter {
        /// The memory of its slots.
        pub(crate) fn bytes(&self) -> usize {
            self.slots.lock().expect("the slots").capacity() * size_of::<Set>()
        }
    }

    fn rate(count: u32) -> Quota {
        Quota::per_minute(count).expect("a limit")
    }

    /// A bucket of drops that leak one by one, each an interval after the one before: the rate as a
    /// person would tell it.
    struct Bucket {
        rate: Quota,
        size: usize,
        leaks: VecDeque<u64>,
    }

    impl Bucket {
        fn check(&mut self, now: u64) -> Decision {
            let Self { rate: Quota { interval, .. }, size, leaks } = self;
            leaks.retain(|&leak| leak > now);
            let allowed = leaks.len() < *size;
            if allowed {
                leaks.push_back(leaks.back().copied().unwrap_or(now) + *interval);
            }
            let full = leaks.len() == *size;
            Decision {
                allowed,
                remaining: (*size - leaks.len()) as u64,
                wait: Duration::from_nanos(if full { leaks[0] - now } else { 0 }),
                recovery: Duration::from_nanos(leaks.back().map_or(0, |last| last - now)),
            }
        }
    }

    proptest! {
        #[test]
        fn the_rate_is_a_leaking_bucket(count in 1u32..200, steps in vec((any::<bool>(), 0u64..3), 1..400)) {
            let rate = rate(count);
            let mut bucket = Bucket { rate, size: count as usize, leaks: VecDeque::new() };
            let (mut until, mut now) = (0, 1_000_000);
            for (burst, intervals) in steps {
                now += if burst { 0 } else { rate.interval * intervals / 2 };
                prop_assert_eq!(rate.check(&mut until, 1, now), bucket.check(now), "at {}", now);
            }
        }

        #[test]
        fn no_minute_sees_more_than_twice_the_rate(count in 1u32..100, steps in vec(0u64..5_000_000_000, 1..500)) {
            let rate = rate(count);
            let (mut until, mut now, mut allowed) = (0, 0, Vec::new());
            for step in steps {
                now += step;
                if rate.check(&mut until, 1, now).allowed {
                    allowed.push(now);
                }
            }
            for (at, &start) in allowed.iter().enumerate() {
                let in_minute = allowed[at..].iter().take_while(|&&time| time < start + MINUTE_NANOS).count();
                prop_assert!(in_minute <= 2 * count as usize, "{} from {}", in_minute, start);
            }
        }
    }

    #[test]
    fn a_whole_minute_may_come_at_once_and_not_one_more() {
        for count in [1, 2, 3, 7, 60, 100, 999_983, 1_000_000] {
            let (rate, mut until) = (rate(count), 0);
            for left in (0..count).rev() {
                let decision = rate.check(&mut until, 1, 5);
                assert!(
                    decision.allowed && decision.remaining == u64::from(left),
                    "{count}: {decision:?}"
                );
            }
            let refused = rate.check(&mut until, 1, 5);
            assert!(
                !refused.allowed && refused.wait == Duration::from_nanos(rate.interval),
                "{count}: {refused:?}"
            );
            let wait = u64::try_from(refused.wait.as_nanos()).expect("nanoseconds");
            assert!(!rate.check(&mut until, 1, 5 + wait - 1).allowed, "{count}");
            assert!(rate.check(&mut until, 1, 5 + wait).allowed, "{count}");
        }
        assert!(Quota::per_minute(0).is_none());
    }

    #[test]
    fn memory_is_taken_at_the_first_key_and_never_grows() {
        let table = <RateLimiter>::new(2, 4096).expect("a limit");
        assert_eq!(table.bytes(), 0);
        for key in 0..200_000 {
            assert!(table.check(key, 1, table.began).allowed, "{key}");
            assert_eq!(table.bytes(), 4096 * 16, "{key}");
        }
    }

    #[test]
    fn who_is_at_the_limit_stays_there_whoever_else_comes() {
        let table = <RateLimiter>::new(10, 64).expect("a limit");
        let now = table.began + Duration::from_secs(1);
        let allowed = (0..20).filter(|_| table.check("many", 1, now).allowed).count();
        assert_eq!(allowed, 10);
        for key in 0..10_000 {
            table.check(key, 1, now);
        }
        assert!(!table.check("many", 1, now).allowed);
        assert!(table.check("many", 1, now + Duration::from_secs(6)).allowed);
    }
}
