//! Days in UTC, written as `YYYY-MM-DD`.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::time::Time;
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

const MILLIS: i64 = 86_400_000;
const EPOCH: Date = date(1970, 1, 1);
/// The first day of the year 0, and the last of the year 9999.
const BOUNDS: (i64, i64) = (-719_528, 2_932_896);

/// A day in UTC: days since 1970, of the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day of an instant.
    pub fn of(time: Time) -> Self {
        Self::from_number(time.as_millis().div_euclid(MILLIS))
    }

    /// From days since 1970; what lies outside the bounds is moved to the nearer one.
    pub fn from_number(number: i64) -> Self {
        Self(number.clamp(BOUNDS.0, BOUNDS.1))
    }

    /// Days since 1970.
    pub fn number(self) -> i64 {
        self.0
    }

    /// This many days later.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self::from_number(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date =
            EPOCH.checked_add(SignedDuration::from_hours(24 * self.0)).map_err(|_| fmt::Error)?;
        date.fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom("a day is written as YYYY-MM-DD"))
    }
}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        <Self as Field>::schema().into()
    }
}

impl ToSchema for Day {}

impl Field for Day {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
            .examples(["2025-10-10"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let msg = "Input should be a valid date in the format YYYY-MM-DD";
        parse(&raw.string()?).ok_or_else(|| Invalid::new("date_parsing", msg))
    }
}

/// Only the one way to write a day: jiff would read more.
fn parse(text: &str) -> Option<Day> {
    let is_plain = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: Date = text.parse().ok().filter(|_| is_plain)?;
    Some(Day(date.duration_since(EPOCH).as_hours() / 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written_one_way() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2025-10-10", Some(20_371)),
            ("2024-02-29", Some(19_782)),
            ("0000-01-01", Some(BOUNDS.0)),
            ("9999-12-31", Some(BOUNDS.1)),
            ("2025-02-29", None),
            ("2025-13-01", None),
            ("2025-10-1", None),
            ("20251010", None),
            ("2025-10-10T00:00:00Z", None),
            ("-000001-01-01", None),
            ("2025-10-1x", None),
            ("٢٠٢٥-10-10", None),
            ("today", None),
            ("", None),
        ] {
            let day = Day::read(Raw::Text(text)).ok();
            assert_eq!(day.map(Day::number), expected, "{text:?}");
            assert_eq!(day.map_or(text.to_owned(), |day| day.to_string()), text);
        }
    }

    #[test]
    fn a_day_ends_at_midnight() {
        for (millis, expected) in
            [(0, 0), (MILLIS - 1, 0), (MILLIS, 1), (-1, -1), (-MILLIS, -1), (-MILLIS - 1, -2)]
        {
            assert_eq!(Day::of(Time::from_millis(millis)).number(), expected, "{millis}");
        }
        assert_eq!(Day::from_number(i64::MAX).to_string(), "9999-12-31");
        assert_eq!(Day::from_number(0).plus(i64::MIN).to_string(), "0000-01-01");
    }
}
