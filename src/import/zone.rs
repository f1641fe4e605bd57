//! Times as dumps have them, and the zone of those that have no offset.

use crate::domain::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// The zone of times without an offset.
#[derive(Debug, Clone)]
pub(crate) struct Zone(Option<TimeZone>);

impl Zone {
    /// UTC.
    pub(crate) fn utc() -> Self {
        Self(None)
    }

    /// The zone of this name, such as `Europe/Berlin`, or of an offset such as `+02:00`.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::utc());
        }
        if let Some(offset) = offset(name) {
            return Ok(Self(Some(offset.to_time_zone())));
        }
        TimeZone::get(name).map(|zone| Self(Some(zone))).map_err(|error| {
            format!(
                "{name:?} is no time zone that this machine knows ({error}); name one such as \
                 Europe/Berlin, or an offset such as +02:00."
            )
        })
    }

    /// A time such as `2025-10-10 12:00:00.123456` or `2025-10-10 12:00:00+00`.
    pub(crate) fn read(&self, text: &str) -> Option<Time> {
        let has_offset = text.get(10..).is_some_and(|rest| rest.contains(['+', '-', 'Z']));
        if has_offset {
            let instant: Timestamp = text.parse().ok()?;
            return Some(Time::from_millis(instant.as_millisecond()));
        }
        let naive: DateTime = text.parse().ok()?;
        let instant = match &self.0 {
            None => Offset::UTC.to_timestamp(naive).ok()?,
            Some(zone) => zone.to_timestamp(naive).ok()?,
        };
        Some(Time::from_millis(instant.as_millisecond()))
    }
}

/// `+02:00`, `-0330` or `+2`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(both) => both,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let hours: i32 = hours.parse().ok().filter(|hours| (0..=25).contains(hours))?;
    let minutes: i32 = minutes.parse().ok().filter(|minutes| (0..60).contains(minutes))?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        let berlin = Zone::named("+02:00").expect("an offset");
        for (text, utc, shifted) in [
            ("1970-01-01 00:00:01", Some(1000), Some(1000 - 7_200_000)),
            ("1970-01-02 00:00:01.123456", Some(86_401_123), Some(79_201_123)),
            ("1970-01-01 00:00:01+00", Some(1000), Some(1000)),
            ("1970-01-01 02:00:01.5+02", Some(1500), Some(1500)),
            ("1970-01-01 05:30:01+05:30", Some(1000), Some(1000)),
            ("1969-12-31 20:30:01-03:30", Some(1000), Some(1000)),
            ("1970-01-01", Some(0), Some(-7_200_000)),
            ("now", None, None),
            ("", None, None),
            ("é1970-01-01 00", None, None),
        ] {
            assert_eq!(Zone::utc().read(text).map(Time::as_millis), utc, "{text}");
            assert_eq!(berlin.read(text).map(Time::as_millis), shifted, "{text}");
        }
    }

    #[test]
    fn zones_have_names_or_offsets() {
        for (name, seconds) in [("+2", 7200), ("-0330", -12_600), ("+05:45", 20_700), ("utc", 0)] {
            let zone = Zone::named(name).expect(name);
            let read = zone.read("1970-01-01 00:00:00").map(Time::as_millis);
            assert_eq!(read, Some(-seconds * 1000), "{name}");
        }
        for name in ["+", "+99", "+1:99", "+-1", "Nowhere/Land", ""] {
            let why = Zone::named(name).expect_err(name);
            assert!(why.contains("Europe/Berlin"), "{why}");
        }
    }
}
