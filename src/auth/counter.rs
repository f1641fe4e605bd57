//! How many requests a token made on a day, in one number.

use crate::domain::{Day, TokenId, UsageCounts, UsageKey, UserId};
use std::sync::atomic::{AtomicI64, Ordering};

/// The lower bits, which count; the day is in the upper ones. No batch is late enough to fill them.
const COUNT_BITS: u32 = 40;

/// Counts the requests with one token since the last batch. Day and count change in one step, so a
/// request is counted on its own day, whoever else counts at midnight.
#[derive(Debug)]
pub(crate) struct Counter {
    user_id: UserId,
    token_id: TokenId,
    day_and_count: AtomicI64,
}

/// What was counted before a request, which [`crate::auth::pending_usage::PendingUsage`] must keep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: the counter is not in the next batch yet.
    Nothing,
    /// The requests of another day, which the counter holds no more.
    Other(UsageKey, UsageCounts),
}

impl Counter {
    /// Nothing is counted yet.
    pub(crate) fn new(user_id: UserId, token_id: TokenId) -> Self {
        Self { user_id, token_id, day_and_count: AtomicI64::new(0) }
    }

    /// Counts a request; `None` where nothing has to be kept, as nearly always.
    pub(crate) fn count(&self, day: Day) -> Option<Before> {
        let mut held = self.day_and_count.load(Ordering::Relaxed);
        loop {
            let next = if is_of(held, day) { held + 1 } else { (day.number() << COUNT_BITS) + 1 };
            let counter = &self.day_and_count;
            match counter.compare_exchange_weak(held, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(changed) => held = changed,
            }
        }
        match self.read(held) {
            None => Some(Before::Nothing),
            Some(_) if is_of(held, day) => None,
            Some((key, counts)) => Some(Before::Other(key, counts)),
        }
    }

    /// What was counted, and counts from nothing again.
    pub(crate) fn take(&self) -> Option<(UsageKey, UsageCounts)> {
        self.read(self.day_and_count.swap(0, Ordering::Relaxed))
    }

    fn read(&self, held: i64) -> Option<(UsageKey, UsageCounts)> {
        let requests = held & ((1 << COUNT_BITS) - 1);
        if requests == 0 {
            return None;
        }
        let day = Day::from_number(held >> COUNT_BITS);
        let key = UsageKey { user_id: self.user_id, day, token_id: self.token_id };
        Some((key, UsageCounts { requests, ..UsageCounts::default() }))
    }
}

fn is_of(held: i64, day: Day) -> bool {
    held >> COUNT_BITS == day.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_knows_its_day() {
        for first in [20_371, 0, -1, -719_528, 2_932_895] {
            let counter = Counter::new(UserId(1), TokenId(2));
            let (today, tomorrow) = (Day::from_number(first), Day::from_number(first + 1));
            let of = |day, requests| {
                (
                    UsageKey { user_id: UserId(1), day, token_id: TokenId(2) },
                    UsageCounts { requests, ..UsageCounts::default() },
                )
            };
            let other = |day, requests| Before::Other(of(day, requests).0, of(day, requests).1);
            assert_eq!(counter.take(), None, "{first}");
            for (day, expected) in [
                (today, Some(Before::Nothing)),
                (today, None),
                (today, None),
                (tomorrow, Some(other(today, 3))),
                // A request that came before midnight and is counted after it.
                (today, Some(other(tomorrow, 1))),
                (tomorrow, Some(other(today, 1))),
                (tomorrow, None),
            ] {
                assert_eq!(counter.count(day), expected, "{first}");
            }
            assert_eq!(counter.take(), Some(of(tomorrow, 2)), "{first}");
            assert_eq!(counter.take(), None, "{first}");
            assert_eq!(counter.count(tomorrow), Some(Before::Nothing), "{first}");
        }
    }
}
