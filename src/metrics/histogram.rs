//! A histogram of few buckets that many threads count in at once, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of times, in nanoseconds: from 50 µs to 13 s, each four times the one before.
const TIMES: &[u64] = &[
    50_000,
    200_000,
    800_000,
    3_200_000,
    12_800_000,
    51_200_000,
    204_800_000,
    819_200_000,
    3_276_800_000,
    13_107_200_000,
];
/// Bounds of delays that people notice, in nanoseconds: from half a second to ten minutes.
const DELAYS: &[u64] = &[
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    4_000_000_000,
    8_000_000_000,
    15_000_000_000,
    30_000_000_000,
    60_000_000_000,
    300_000_000_000,
    600_000_000_000,
];
/// Bounds of sizes.
const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A histogram of times or of sizes.
#[derive(Debug)]
pub struct Histogram {
    /// The upper bound of each bucket, but of the last, which has none.
    bounds: &'static [u64],
    /// How many of what is summed up make one of the unit that is shown.
    parts_of_unit: f64,
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

/// What a histogram has counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The sum of all.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
    /// The upper bound of each bucket, and how many were in it and in no smaller one.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Of times, shown in seconds.
    pub fn of_times() -> Self {
        Self::new(TIMES, 1e9)
    }

    /// Of delays from half a second to ten minutes, shown in seconds.
    pub fn of_delays() -> Self {
        Self::new(DELAYS, 1e9)
    }

    /// Of sizes up to some hundred.
    pub fn of_sizes() -> Self {
        Self::new(SIZES, 1.0)
    }

    fn new(bounds: &'static [u64], parts_of_unit: f64) -> Self {
        let mut counts = Vec::new();
        counts.resize_with(bounds.len() + 1, AtomicU64::default);
        Self { bounds, parts_of_unit, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a time.
    pub fn time(&self, took: Duration) {
        self.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a size.
    pub fn size(&self, size: usize) {
        self.add(size as u64);
    }

    fn add(&self, value: u64) {
        let at = self.bounds.iter().position(|&bound| value <= bound);
        let bucket = at.unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        let mut buckets = Vec::with_capacity(self.counts.len());
        let mut count = 0;
        for (at, counted) in self.counts.iter().enumerate() {
            let counted = counted.load(Ordering::Relaxed);
            let bound = self.bounds.get(at).map_or(f64::INFINITY, |&bound| self.shown(bound));
            buckets.push((bound, counted));
            count += counted;
        }
        Counted { sum: self.shown(self.sum.load(Ordering::Relaxed)), count, buckets }
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum of times need not be exact")]
    fn shown(&self, parts: u64) -> f64 {
        parts as f64 / self.parts_of_unit
    }
}

impl Counted {
    /// The sum of two histograms with the same bounds.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.sum += other.sum;
        self.count += other.count;
        for (bucket, added) in self.buckets.iter_mut().zip(&other.buckets) {
            bucket.1 += added.1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_in_the_smallest_bucket_that_holds_it() {
        let sizes = Histogram::of_sizes();
        for size in [1, 2, 3, 4, 256, 257] {
            sizes.size(size);
        }
        let counted = sizes.counted();
        let of = |bound: f64| {
            let found = counted.buckets.iter().find(|bucket| bucket.0.total_cmp(&bound).is_eq());
            found.expect("a bucket").1
        };
        assert_eq!(
            (of(1.0), of(2.0), of(4.0), of(8.0), of(256.0), of(f64::INFINITY)),
            (1, 1, 2, 0, 1, 1)
        );
        assert_eq!((counted.count, counted.sum.total_cmp(&523.0).is_eq()), (6, true));
    }

    #[test]
    fn times_are_shown_in_seconds_and_added_up() {
        let (one, other) = (Histogram::of_times(), Histogram::of_times());
        one.time(Duration::from_millis(1500));
        other.time(Duration::from_millis(500));
        let both = one.counted().and(&other.counted());
        assert_eq!((both.count, both.sum.total_cmp(&2.0).is_eq()), (2, true));
    }
}
