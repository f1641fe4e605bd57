//! Times as bots send them: from the start of a stream, or on the clock.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::time::Time;
use jiff::Unit;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// Longest time from the start of a stream, in milliseconds: thirty days.
pub(crate) const OFFSET_MS_MAX: i64 = 30 * 24 * 3600 * 1000;
/// From here on a number of seconds counts from 1970.
const CLOCK_SECONDS_MIN: f64 = 1e9;
/// The last second of the year 9999.
const CLOCK_SECONDS_MAX: f64 = 253_402_300_799.0;
/// From here on a number on the clock is milliseconds: as seconds it is beyond the year 5000.
const CLOCK_MILLIS_MIN: f64 = 1e11;

/// When something was said, as a bot sends it: a number of seconds, or its digits in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SentTime {
    /// Milliseconds from the start of the stream.
    Offset(i64),
    /// A point on the clock.
    Clock(Time),
}

impl SentTime {
    /// The point on the clock, where the stream began at `started_at`.
    pub fn on_clock(self, started_at: Time) -> Time {
        match self {
            Self::Offset(millis) => {
                Time::from_millis(started_at.as_millis().saturating_add(millis))
            }
            Self::Clock(time) => time,
        }
    }

    /// From a number of seconds: from 1e9 on they count from 1970.
    pub(crate) fn from_seconds(seconds: f64) -> Result<Self, Invalid> {
        if (CLOCK_SECONDS_MIN..=CLOCK_SECONDS_MAX).contains(&seconds) {
            return Ok(Self::Clock(Time::from_millis(millis(seconds * 1000.0))));
        }
        Self::from_offset_millis(seconds * 1000.0)
    }

    /// From a number of milliseconds from the start of the stream.
    fn from_offset_millis(number: f64) -> Result<Self, Invalid> {
        let offset = millis(number);
        if (-OFFSET_MS_MAX..=OFFSET_MS_MAX).contains(&offset) {
            return Ok(Self::Offset(offset));
        }
        let msg =
            "Input should be at most 30 days from the start of the stream, or seconds since 1970";
        Err(Invalid::new("number_out_of_range", msg))
    }
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and is then held against bounds")]
fn millis(number: f64) -> i64 {
    number.round() as i64
}

/// A finite number, or the digits of one in a text.
fn number(raw: Raw<'_>) -> Result<f64, Invalid> {
    let owned;
    let text = match raw {
        Raw::Text(text) => text,
        Raw::Json(json) if json.get().starts_with('"') => {
            owned = raw.string()?;
            owned.as_str()
        }
        Raw::Json(json) => json.get(),
    };
    let text = text.trim();
    // Neither `true` nor `inf`.
    if !text.starts_with(|c: char| c == '-' || c == '.' || c.is_ascii_digit()) {
        return Err(Invalid::new("float_type", "Input should be a valid number"));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(Invalid::new("finite_number", "Input should be a finite number")),
        Err(_) => Err(Invalid::new("float_type", "Input should be a valid number")),
    }
}

impl Field for SentTime {
    fn schema() -> Object {
        let about = "Seconds from the start of the stream; from 1e9 on, seconds since 1970.";
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Number, Type::String]))
            .description(Some(about))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        Self::from_seconds(number(raw)?)
    }
}

/// Milliseconds from the start of a stream, or their digits in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentMillis(pub SentTime);

impl Field for SentMillis {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Number, Type::String]))
            .description(Some("Milliseconds from the start of the stream."))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        SentTime::from_offset_millis(number(raw)?).map(Self)
    }
}

/// A point on the clock: RFC 3339, in UTC where no offset is given, or a number of seconds or
/// milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockTime(pub Time);

impl Field for ClockTime {
    fn schema() -> Object {
        let about =
            "RFC 3339, in UTC where no offset is given; or seconds or milliseconds since 1970.";
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
            .description(Some(about))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let invalid = || {
            let msg = "Input should be a time such as 2025-10-10T12:00:00Z or seconds since 1970";
            Invalid::new("datetime_parsing", msg)
        };
        if let Ok(number) = number(raw) {
            let seconds = if number >= CLOCK_MILLIS_MIN { number / 1000.0 } else { number };
            return match SentTime::from_seconds(seconds) {
                Ok(SentTime::Clock(time)) => Ok(Self(time)),
                _ => Err(invalid()),
            };
        }
        let text = raw.string()?;
        let instant = instant(text.trim()).ok_or_else(invalid)?;
        let nearest = instant.round(Unit::Millisecond).unwrap_or(instant);
        Ok(Self(Time::from_millis(nearest.as_millisecond())))
    }
}

fn instant(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant);
    }
    let naive = text.parse::<jiff::civil::DateTime>().ok()?;
    let in_utc = jiff::tz::Offset::UTC.to_timestamp(naive).ok()?;
    // A date alone is no time.
    if text.len() > "2025-10-10".len() { Some(in_utc) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn read<T: Field>(json: &str) -> Result<T, &'static str> {
        let raw: &RawValue = serde_json::from_str(json).expect(json);
        T::read(Raw::Json(raw)).map_err(|invalid| invalid.kind)
    }

    #[test]
    fn seconds_are_numbers_or_their_digits() {
        let clock = |millis| Ok(SentTime::Clock(Time::from_millis(millis)));
        for (json, expected) in [
            ("12.5", Ok(SentTime::Offset(12_500))),
            ("0", Ok(SentTime::Offset(0))),
            ("1e-3", Ok(SentTime::Offset(1))),
            ("1.0004", Ok(SentTime::Offset(1000))),
            ("-3.5", Ok(SentTime::Offset(-3500))),
            ("\"1.5\"", Ok(SentTime::Offset(1500))),
            ("\" 2 \"", Ok(SentTime::Offset(2000))),
            ("1e9", clock(1_000_000_000_000)),
            ("1760097601.5", clock(1_760_097_601_500)),
            ("\"1760097601.5004\"", clock(1_760_097_601_500)),
            ("999999999", Err("number_out_of_range")),
            ("1e300", Err("number_out_of_range")),
            ("-1e300", Err("number_out_of_range")),
            ("1e999", Err("finite_number")),
            ("\"NaN\"", Err("float_type")),
            ("\"inf\"", Err("float_type")),
            ("\"\"", Err("float_type")),
            ("\"1 s\"", Err("float_type")),
            ("true", Err("float_type")),
            ("null", Err("float_type")),
            ("[1]", Err("float_type")),
        ] {
            assert_eq!(read::<SentTime>(json), expected, "{json}");
        }
    }

    #[test]
    fn points_on_the_clock_are_texts_or_numbers() {
        for (json, expected) in [
            ("\"2025-10-10T12:00:01.5Z\"", Ok(1_760_097_601_500)),
            ("\"2025-10-10T14:00:01.500+02:00\"", Ok(1_760_097_601_500)),
            ("\"2025-10-10T12:00:01.500400\"", Ok(1_760_097_601_500)),
            ("\"2025-10-10 12:00:01.5\"", Ok(1_760_097_601_500)),
            ("\"2025-10-10T12:00:01.499999Z\"", Ok(1_760_097_601_500)),
            ("1760097601.5", Ok(1_760_097_601_500)),
            ("1760097601500", Ok(1_760_097_601_500)),
            ("\"1760097601500\"", Ok(1_760_097_601_500)),
            ("\"2025-10-10\"", Err("datetime_parsing")),
            ("12", Err("datetime_parsing")),
            ("1e300", Err("datetime_parsing")),
            ("\"soon\"", Err("datetime_parsing")),
            ("{}", Err("string_type")),
        ] {
            let read = read::<ClockTime>(json).map(|time| time.0.as_millis());
            assert_eq!(read, expected, "{json}");
        }
    }
}
