//! Points in time, in milliseconds, written one way everywhere.

use super::field::{Field, Invalid, Raw};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An instant in UTC: milliseconds since 1970. Written as RFC 3339 with `Z`, and with a fraction only where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// From milliseconds since 1970; what lies outside the years −9999 to 9999 is moved to the nearer end.
    pub fn from_millis(millis: i64) -> Self {
        let (min, max) = (jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond());
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
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
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
            .examples(["2025-10-10T12:00:00Z"])
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

    #[test]
    fn one_instant_is_written_one_way() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_760_097_600_000, "2025-10-10T12:00:00Z"),
            (1_760_097_600_120, "2025-10-10T12:00:00.12Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_millis(millis).to_string(), text);
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
