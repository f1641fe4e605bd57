//! Ids of entries, as Redis gives them to those of streams.

use crate::domain::Time;
use std::sync::{Mutex, PoisonError};

/// Gives ids that rise.
#[derive(Debug, Default)]
pub(crate) struct EntryIds(Mutex<(i64, u64)>);

impl EntryIds {
    /// The id of an entry that is stored now: the milliseconds since 1970, and a number that tells
    /// entries of one millisecond apart. It is higher than all before, also where the clock was set
    /// back.
    pub(crate) fn next(&self, now: Time) -> String {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (millis, number) = *last;
        *last = match now.as_millis() {
            now if now > millis => (now, 0),
            _ => (millis, number + 1),
        };
        let (millis, number) = *last;
        format!("{millis}-{number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_whatever_the_clock_shows() {
        let ids = EntryIds::default();
        for (now, expected) in [(5, "5-0"), (5, "5-1"), (4, "5-2"), (6, "6-0"), (6, "6-1")] {
            assert_eq!(ids.next(Time::from_millis(now)), expected);
        }
    }
}
