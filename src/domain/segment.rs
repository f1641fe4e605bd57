//! Segments: what somebody said, and when.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Longest text of a segment, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 8192;
/// Longest time from the start of a session, in milliseconds: thirty days.
pub(crate) const OFFSET_MS_MAX: i64 = 30 * 24 * 3600 * 1000;

/// A time from the start of a session, in milliseconds; written in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl Offset {
    /// The nearest millisecond to a number of seconds; what lies outside the bounds is moved to the
    /// nearer one.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is then held within the bounds"
    )]
    pub fn from_seconds(seconds: f64) -> Self {
        Self(((seconds * 1000.0).round() as i64).clamp(0, OFFSET_MS_MAX))
    }
}

impl Serialize for Offset {
    #[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Ok(Self::from_seconds(seconds))
    }
}

impl Field for Offset {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("Seconds from the start of the session."))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = match raw {
            Raw::Json(json) => json.get(),
            Raw::Text(text) => text,
        };
        // Of all JSON only a number begins so.
        if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(Invalid::new("float_type", "Input should be a valid number"));
        }
        match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => Ok(Self::from_seconds(seconds)),
            _ => Err(Invalid::new("finite_number", "Input should be a finite number")),
        }
    }
}

/// At most `MAX` characters of what a bot says somebody said; control characters in it become
/// spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpokenText<const MAX: usize>(pub String);

impl<const MAX: usize> Field for SpokenText<MAX> {
    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if text.chars().count() > MAX {
            let msg = format!("String should have at most {MAX} characters");
            return Err(Invalid::new("string_too_long", msg).with("max_length", MAX));
        }
        Ok(Self(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()))
    }
}

/// What a bot heard, in good order: `end` is not before `start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInput {
    /// When it began.
    pub start: Offset,
    /// When it ended.
    pub end: Offset,
    /// The words.
    pub text: String,
    /// Who spoke.
    pub speaker: Option<String>,
    /// In which language.
    pub language: Option<String>,
}

impl SegmentInput {
    /// Puts what a bot sent in order: times that are swapped are swapped back, and what has no
    /// words or no length is nothing.
    pub fn tidy(self) -> Option<Self> {
        let (start, end) = (self.start.min(self.end), self.start.max(self.end));
        let text = self.text.trim();
        (!text.is_empty() && start < end).then(|| Self {
            start,
            end,
            text: text.to_owned(),
            ..self
        })
    }
}

/// A segment of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Segment {
    /// When it began, in seconds from the start of the session.
    #[schema(value_type = f64, minimum = 0, example = 12.5)]
    pub start: Offset,
    /// When it ended, in seconds from the start of the session.
    #[schema(value_type = f64, minimum = 0, example = 15.25)]
    pub end: Offset,
    /// What was said.
    #[schema(example = "Good morning.")]
    pub text: String,
    /// In which language.
    #[schema(required, example = "en")]
    pub language: Option<String>,
    /// Who said it.
    #[schema(required, example = "Ada")]
    pub speaker: Option<String>,
    /// When it was first stored.
    pub created_at: Time,
    /// When it began, on the clock.
    pub absolute_start_time: Time,
    /// When it ended, on the clock.
    pub absolute_end_time: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(start: f64, end: f64, text: &str) -> SegmentInput {
        let (start, end) = (Offset::from_seconds(start), Offset::from_seconds(end));
        SegmentInput { start, end, text: text.to_owned(), speaker: None, language: None }
    }

    #[test]
    fn what_bots_send_is_put_in_order() {
        for (start, end, text, expected) in [
            (1.0, 2.0, "a", Some((1000, 2000, "a"))),
            (2.0, 1.0, " a\n", Some((1000, 2000, "a"))),
            (1.0004, 1.0016, "a", Some((1000, 1002, "a"))),
            (1.0, 1.0004, "a", None),
            (1.0, 2.0, "  ", None),
            (-5.0, 1.0, "a", Some((0, 1000, "a"))),
            (1.0, 1e300, "a", Some((1000, OFFSET_MS_MAX, "a"))),
        ] {
            let tidy = heard(start, end, text).tidy();
            let parts =
                tidy.as_ref().map(|heard| (heard.start.0, heard.end.0, heard.text.as_str()));
            assert_eq!(parts, expected, "{start} to {end}: {text:?}");
        }
    }

    #[test]
    fn offsets_are_any_finite_number() {
        for (json, expected) in [
            ("12.5", Ok(12_500)),
            ("0", Ok(0)),
            ("1e-3", Ok(1)),
            ("-3.5", Ok(0)),
            ("1e300", Ok(OFFSET_MS_MAX)),
            ("1e999", Err("finite_number")),
            ("-1e999", Err("finite_number")),
            ("\"1\"", Err("float_type")),
            ("null", Err("float_type")),
            ("[1]", Err("float_type")),
        ] {
            let raw: &serde_json::value::RawValue = serde_json::from_str(json).expect(json);
            let read =
                Offset::read(Raw::Json(raw)).map(|offset| offset.0).map_err(|error| error.kind);
            assert_eq!(read, expected, "{json}");
        }
    }

    #[test]
    fn offsets_are_written_in_seconds() {
        for (millis, text) in
            [(0, "0.0"), (1, "0.001"), (12_500, "12.5"), (36_000_001, "36000.001")]
        {
            assert_eq!(serde_json::to_string(&Offset(millis)).expect("JSON"), text);
            assert_eq!(serde_json::from_str::<Offset>(text).expect("JSON"), Offset(millis));
        }
    }
}
