//! What a bot is told: which meeting, how it opens, what to do there.

use crate::domain::data::{DATA_LEVELS_MAX, levels};
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::MeetingId;
use crate::domain::language::Language;
use crate::domain::meeting::Platform;
use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

string_enum!(
    /// What a bot makes of what it hears.
    Task {
        /// It writes down what is said.
        Transcribe = "transcribe",
        /// It writes it down in English.
        Translate = "translate",
    }
);

/// What opens a Teams meeting: 8 to 20 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passcode(pub String);

impl Field for Passcode {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9A-Za-z]{8,20}$"))
            .description(Some("Teams only."))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        match (8..=20).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            true => Ok(Self(text)),
            false => Err(Invalid::new(
                "value_error",
                "Value error, Passcode must be 8 to 20 letters and digits",
            )),
        }
    }
}

/// What runs the bot of a meeting is called so.
pub fn container_name(id: MeetingId) -> String {
    format!("vomeet-bot-{id}")
}

/// Most bytes of [`Details`] that are kept.
const DETAILS_BYTES_MAX: usize = 4096;

/// What a bot says of an error, as text or as an object; what is too long is cut, what not every
/// reader of JSON takes is kept as text, and nothing is refused.
#[derive(Debug, Clone)]
pub struct Details(pub Box<RawValue>);

impl Field for Details {
    fn schema() -> Object {
        let about = format!("Text or an object; cut at {DETAILS_BYTES_MAX} bytes.");
        let kinds = SchemaType::from_iter([Type::String, Type::Object]);
        ObjectBuilder::new().schema_type(kinds).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let Raw::Json(json) = raw else {
            return Err(Invalid::new("string_type", "Input should be a valid string"));
        };
        let value = serde_json::from_str::<serde_json::Value>(json.get()).ok();
        let is_flat = value.as_ref().is_some_and(|value| levels(value) <= DATA_LEVELS_MAX);
        match () {
            () if !json.get().starts_with(['"', '{']) => {
                Err(Invalid::new("string_type", "Input should be a valid string or object"))
            }
            () if is_flat && json.get().len() <= DETAILS_BYTES_MAX => Ok(Self(json.to_owned())),
            () => {
                let end = json.get().floor_char_boundary(DETAILS_BYTES_MAX);
                let cut = to_raw_value(&json.get()[..end]);
                cut.map(Self).map_err(|error| Invalid::new("json_invalid", error.to_string()))
            }
        }
    }
}

/// What a bot finds in `BOT_CONFIG`, as one JSON object; what is null is absent.
#[derive(Debug, Serialize)]
pub struct BotConfig<'a> {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// Where it is held.
    pub platform: Platform,
    /// The address to open.
    #[serde(rename = "meetingUrl")]
    pub meeting_url: &'a str,
    /// What to call itself.
    #[serde(rename = "botName")]
    pub bot_name: &'a str,
    /// The secret of this one meeting.
    pub token: &'a str,
    /// The platform's id of the meeting.
    #[serde(rename = "nativeMeetingId")]
    pub native_meeting_id: &'a str,
    /// The name of the session, and the bot's credential on the callbacks.
    #[serde(rename = "connectionId")]
    pub connection_id: &'a str,
    /// What is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What to make of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// A Redis, for bots that want one.
    #[serde(rename = "redisUrl", skip_serializing_if = "Option::is_none")]
    pub redis_url: Option<&'a str>,
    /// What runs it is called so.
    pub container_name: &'a str,
    /// When to leave by itself.
    #[serde(rename = "automaticLeave")]
    pub automatic_leave: AutomaticLeave,
    /// Where to report the end; the other callbacks are beside it.
    #[serde(rename = "botManagerCallbackUrl")]
    pub callback_url: &'a str,
}

/// When a bot leaves by itself; in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomaticLeave {
    /// Nobody lets it in.
    pub waiting_room_timeout: u64,
    /// Nobody comes.
    pub no_one_joined_timeout: u64,
    /// Everybody has left.
    pub everyone_left_timeout: u64,
}

/// A meeting's id of either platform's form; which of them it must be,
/// [`Platform::check_native_id`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeId(pub String);

impl Field for NativeId {
    fn schema() -> Object {
        let pattern = "^([a-z]{3}-[a-z]{4}-[a-z]{3}|[0-9]{10,15})$";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(pattern))
            .examples(["abc-defg-hij"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if is_meet_code(&text) || is_teams_number(&text) {
            return Ok(Self(text));
        }
        let msg =
            "Value error, a Google Meet ID has the form abc-defg-hij, a Teams ID 10 to 15 digits";
        Err(Invalid::new("value_error", msg))
    }
}

impl Platform {
    /// Says what is wrong with an id that is none of this platform's.
    pub fn check_native_id(self, id: &str) -> Result<(), Invalid> {
        let (is_right, msg) = match self {
            Self::GoogleMeet => (is_meet_code(id), "a Google Meet ID has the form abc-defg-hij"),
            Self::Teams => (is_teams_number(id), "a Teams ID has 10 to 15 digits"),
        };
        match is_right {
            true => Ok(()),
            false => Err(Invalid::new("value_error", format!("Value error, {msg}"))),
        }
    }

    /// The address that people open; only Teams has passcodes.
    pub fn meeting_url(self, id: &str, passcode: Option<&Passcode>) -> String {
        match (self, passcode) {
            (Self::GoogleMeet, _) => format!("https://meet.google.com/{id}"),
            (Self::Teams, None) => format!("https://teams.live.com/meet/{id}"),
            (Self::Teams, Some(passcode)) => {
                format!("https://teams.live.com/meet/{id}?p={}", passcode.0)
            }
        }
    }
}

fn is_meet_code(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [3, 4, 3]
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn is_teams_number(id: &str) -> bool {
    (10..=15).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_platforms_form() {
        for (platform, id, right) in [
            (Platform::GoogleMeet, "abc-defg-hij", true),
            (Platform::GoogleMeet, "abc-defg-hi", false),
            (Platform::GoogleMeet, "Abc-defg-hij", false),
            (Platform::GoogleMeet, "abcdefghij", false),
            (Platform::GoogleMeet, "abc-defg-hij-", false),
            (Platform::GoogleMeet, "ab1-defg-hij", false),
            (Platform::GoogleMeet, "", false),
            (Platform::Teams, "1234567890", true),
            (Platform::Teams, "123456789012345", true),
            (Platform::Teams, "123456789", false),
            (Platform::Teams, "1234567890123456", false),
            (Platform::Teams, "12345678٣0", false),
            (Platform::Teams, "abc-defg-hij", false),
        ] {
            assert_eq!(platform.check_native_id(id).is_ok(), right, "{platform:?} {id:?}");
        }
    }

    #[test]
    fn details_are_cut_and_not_refused() {
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(DETAILS_BYTES_MAX));
        for (json, kept) in [
            (r#""boom""#, Ok(r#""boom""#.len())),
            (r#"{"a":[1,2]}"#, Ok(r#"{"a":[1,2]}"#.len())),
            (&long, Ok(DETAILS_BYTES_MAX + 5)),
            ("7", Err("string_type")),
            ("[]", Err("string_type")),
            (r#""\ud800""#, Ok(r#""\"\\ud800\"""#.len())),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            let read = Details::read(Raw::Json(raw))
                .map(|details| details.0.get().len())
                .map_err(|error| error.kind);
            assert_eq!(read, kept, "{json:.40}");
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
