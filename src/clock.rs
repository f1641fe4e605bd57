//! The wall clock, for stored times and expiry only; time-outs use the monotonic one.

use crate::domain::Time;

/// The present time.
pub fn now() -> Time {
    Time::from_millis(jiff::Timestamp::now().as_millisecond())
}
