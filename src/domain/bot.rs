//! What a bot is told: which meeting, how it opens, what to do there.

use super::field::{Field, Invalid, Raw};
use super::meeting::Platform;
use super::words::words;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

words!(
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
        match (8..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true => Ok(Self(text)),
            false => Err(Invalid::new("value_error", "Value error, Passcode must be 8 to 20 letters and digits")),
        }
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
            (Self::Teams, Some(passcode)) => format!("https://teams.live.com/meet/{id}?p={}", passcode.0),
        }
    }
}

fn is_meet_code(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [3, 4, 3] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase()))
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
    fn addresses_are_the_platforms() {
        let passcode = Passcode("abcd1234".to_owned());
        for (platform, id, passcode, url) in [
            (Platform::GoogleMeet, "abc-defg-hij", None, "https://meet.google.com/abc-defg-hij"),
            (Platform::Teams, "1234567890", None, "https://teams.live.com/meet/1234567890"),
            (Platform::Teams, "1234567890", Some(&passcode), "https://teams.live.com/meet/1234567890?p=abcd1234"),
        ] {
            assert_eq!(platform.meeting_url(id, passcode), url);
        }
    }
}
