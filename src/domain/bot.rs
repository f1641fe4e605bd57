//! What a bot is told: which meeting, how it opens, what to do there.

use crate::domain::data::{DATA_LEVELS_MAX, levels};
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::MeetingId;
use crate::domain::link::with_passcode;
use crate::domain::meeting::Platform;
use crate::domain::native_id::Passcode;
use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType};

string_enum!(
    /// What a bot makes of what it hears.
    Task {
        /// It writes down what is said.
        Transcribe = "transcribe",
        /// It writes it down in English.
        Translate = "translate",
    }
);

/// What runs the bot of a meeting is called so.
pub fn container_name(id: MeetingId) -> String {
    format!("vomeet-bot-{id}")
}

/// The name of a session or a stream as it is shown. Their own names are not: that of a session is
/// the bot's credential on the callbacks, and nobody can tell it from this one.
pub fn session_alias(uid: &str) -> String {
    let hash = blake3::derive_key("vomeet 2025 alias of a session", uid.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Most bytes of [`Details`] that are kept.
const DETAILS_BYTES_MAX: usize = 4096;

/// What a bot says of an error, in whatever form; what is too long is cut, what not every reader of
/// JSON takes is kept as text, and nothing is refused.
#[derive(Debug, Clone)]
pub struct Details(pub Box<RawValue>);

impl Field for Details {
    fn schema() -> Object {
        let about = format!("Text, an object, or anything else; cut at {DETAILS_BYTES_MAX} bytes.");
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let Raw::Json(json) = raw else {
            return Err(Invalid::new("string_type", "Input should be a valid string"));
        };
        let value = serde_json::from_str::<serde_json::Value>(json.get()).ok();
        let is_flat = value.as_ref().is_some_and(|value| levels(value) <= DATA_LEVELS_MAX);
        if is_flat && json.get().len() <= DETAILS_BYTES_MAX {
            return Ok(Self(json.to_owned()));
        }
        let end = json.get().floor_char_boundary(DETAILS_BYTES_MAX);
        let cut = to_raw_value(&json.get()[..end]);
        cut.map(Self).map_err(|error| Invalid::new("json_invalid", error.to_string()))
    }
}

/// What a bot tells of itself besides a report, in whatever form: lines that it has printed, or
/// figures. It belongs into the bot's log.
#[derive(Debug, Clone)]
pub(crate) struct Printed(Box<RawValue>);

impl Field for Printed {
    fn schema() -> Object {
        let about = "Anything; it goes to the bot's log.";
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        match raw {
            Raw::Json(json) => Ok(Self(json.to_owned())),
            Raw::Text(_) => Err(Invalid::new("string_type", "Input should be JSON")),
        }
    }
}

impl Printed {
    /// Adds it to the lines of a log: each item of a list is a line that begins with `name`.
    pub(crate) fn add_to(&self, lines: &mut String, name: &str) {
        let items: Vec<&RawValue> = match serde_json::from_str(self.0.get()) {
            Ok(items) => items,
            Err(_) => vec![&self.0],
        };
        for item in items {
            let text = serde_json::from_str(item.get());
            let text: String = text.unwrap_or_else(|_| item.get().to_owned());
            for line in text.lines() {
                lines.push_str(name);
                lines.push_str(": ");
                lines.push_str(line);
                lines.push('\n');
            }
        }
    }
}

impl Platform {
    /// The address that people open, by an id of this platform's; none where the id alone does not
    /// say it.
    pub fn meeting_url(self, id: &str, passcode: Option<&Passcode>) -> String {
        let passcode = passcode.map(|passcode| passcode.0.as_str());
        match self {
            Self::GoogleMeet => format!("https://meet.google.com/{id}"),
            Self::Teams => {
                with_passcode(&format!("https://teams.live.com/meet/{id}"), "p", passcode)
            }
            Self::Zoom => with_passcode(&format!("https://zoom.us/j/{id}"), "pwd", passcode),
            Self::Jitsi | Self::Generic => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_cut_and_not_refused() {
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(DETAILS_BYTES_MAX));
        for (json, kept) in [
            (r#""boom""#, Ok(r#""boom""#.len())),
            (r#"{"a":[1,2]}"#, Ok(r#"{"a":[1,2]}"#.len())),
            (&long, Ok(DETAILS_BYTES_MAX + 5)),
            ("7", Ok(1)),
            ("[]", Ok(2)),
            (r#""\ud800""#, Ok(r#""\"\\ud800\"""#.len())),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            let read: Result<usize, &str> = Details::read(Raw::Json(raw))
                .map(|details| details.0.get().len())
                .map_err(|error| error.kind);
            assert_eq!(read, kept, "{json:.40}");
        }
    }

    #[test]
    fn what_a_bot_tells_besides_is_lines() {
        for (json, expected) in [
            (r#"["one", "two\nthree"]"#, "log: one\nlog: two\nlog: three\n"),
            (r#"[{"level": "info"}, 7]"#, "log: {\"level\": \"info\"}\nlog: 7\n"),
            (r#"{"rss": 1}"#, "log: {\"rss\": 1}\n"),
            (r#""text""#, "log: text\n"),
            (r#""\ud800""#, "log: \"\\ud800\"\n"),
            ("[]", ""),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            let printed = Printed::read(Raw::Json(raw)).expect(json);
            let mut lines = String::new();
            printed.add_to(&mut lines, "log");
            assert_eq!(lines, expected, "{json}");
        }
    }

    #[test]
    fn addresses_are_the_platforms() {
        let passcode = Passcode("abcd1234".to_owned());
        for (platform, id, passcode, url) in [
            (Platform::GoogleMeet, "abc-defg-hij", None, "https://meet.google.com/abc-defg-hij"),
            (Platform::Teams, "1234567890", None, "https://teams.live.com/meet/1234567890"),
            (
                Platform::Teams,
                "1234567890",
                Some(&passcode),
                "https://teams.live.com/meet/1234567890?p=abcd1234",
            ),
        ] {
            assert_eq!(platform.meeting_url(id, passcode), url);
        }
    }
}
