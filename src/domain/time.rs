//! Points in time, in milliseconds, written one way everywhere.

use crate::domain::field::{Field, Invalid, Raw};
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A time of the years 0 to 9999, before its digits are filled in.
const SHAPE: [u8; 24] = *b"0000-00-00T00:00:00.000Z";

/// An instant in UTC: milliseconds since 1970. Written as RFC 3339 with `Z` and exactly three
/// digits of a second, so that one instant has one spelling, and text order is time order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// From milliseconds since 1970; what lies outside the years −9999 to 9999 is moved to the
    /// nearer end.
    pub fn from_millis(millis: i64) -> Self {
        // Of its last second, jiff takes the beginning alone in milliseconds.
        let (min, max) =
            (jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_second() * 1000);
        Self(millis.clamp(min, max))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// This many whole seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Fills in the text; none beyond those years. By hand, for most answers hold times: less than
    /// half the work of formatting them.
    fn fill(self, shape: &mut [u8; SHAPE.len()]) -> Option<&str> {
        let at = Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(self.0).ok()?);
        put(&mut shape[..4], u16::try_from(at.year()).ok()?);
        for (place, number) in
            [(5, at.month()), (8, at.day()), (11, at.hour()), (14, at.minute()), (17, at.second())]
        {
            put(&mut shape[place..place + 2], number.cast_unsigned().into());
        }
        put(&mut shape[20..23], at.millisecond().cast_unsigned());
        std::str::from_utf8(shape).ok()
    }
}

/// Writes a number in as many digits as there is room for.
fn put(digits: &mut [u8], mut number: u16) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shape = SHAPE;
        match self.fill(&mut shape) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self::from_millis(instant.as_millisecond()))
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        <Self as Field>::schema().into()
    }
}

impl Field for Time {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples(["2025-10-10T12:00:00.000Z"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let instant = raw.string()?.parse::<jiff::Timestamp>();
        let msg = "Input should be a valid datetime with its offset, such as 2025-10-10T12:00:00Z";
        let instant = instant.map_err(|_| Invalid::new("datetime_parsing", msg))?;
        Ok(Self::from_millis(instant.as_millisecond()))
    }
}

impl ToSchema for Time {}

#[cfg(test)]
mod tests {
    use super::{Field, Raw, Time};
    use proptest::prelude::*;

    #[test]
    fn one_instant_is_written_one_way() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_760_097_600_000, "2025-10-10T12:00:00.000Z"),
            (1_760_097_600_120, "2025-10-10T12:00:00.120Z"),
            (1_760_097_600_003, "2025-10-10T12:00:00.003Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_198_755_200_000, "-000001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(Time::from_millis(millis).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn json_and_text_are_the_same(millis in i64::MIN..i64::MAX, near in -99_999_999_999_999..=999_999_999_999_999i64) {
            for time in [millis, near, near / 1000 * 1000].map(Time::from_millis) {
                let json = serde_json::to_value(time).unwrap_or_default();
                prop_assert_eq!(&json, &time.to_string());
                prop_assert_eq!(serde_json::from_value::<Time>(json).ok(), Some(time));
            }
        }
    }

    proptest! {
        #[test]
        fn text_order_is_time_order(one in 0..=253_402_300_799_999i64, other in 0..=253_402_300_799_999i64, near in -2000..2000i64) {
            let written = |millis| serde_json::to_string(&Time::from_millis(millis)).unwrap_or_default();
            for other in [other, (one + near).max(0)] {
                prop_assert_eq!(written(one).cmp(&written(other)), one.cmp(&other));
            }
        }
    }

    #[test]
    fn times_are_read_with_their_offset() {
        for (text, expected) in [
            ("2025-10-10T12:00:00Z", Some(1_760_097_600_000)),
            ("2025-10-10T14:00:00.12+02:00", Some(1_760_097_600_120)),
            ("2025-10-10T12:00:00", None),
            ("2025-10-10", None),
            ("now", None),
            ("", None),
        ] {
            assert_eq!(Time::read(Raw::Text(text)).ok().map(Time::as_millis), expected, "{text}");
        }
    }
}
