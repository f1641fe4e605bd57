//! The platforms' own ids of meetings, and what opens them.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::meeting::Platform;
use crate::domain::text::SingleLine;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Longest passcode in a body, for all platforms but Zoom.
const PASSCODE_CHARS_MAX: usize = 64;
/// Longest passcode of Zoom, and of a link.
const LINK_PASSCODE_CHARS_MAX: usize = 128;

/// What opens a meeting of Teams or Zoom.
#[derive(Clone, PartialEq, Eq)]
pub struct Passcode(pub String);

/// Never logged.
impl std::fmt::Debug for Passcode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passcode")
    }
}

impl Field for Passcode {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9A-Za-z._~=+/-]{1,128}$"))
            .description(Some(
                "Of Teams and Zoom alone; that of Teams is 1 to 64 letters and digits.",
            ))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if is_link_passcode(&text) { Ok(Self(text)) } else { Err(no_passcode()) }
    }
}

fn no_passcode() -> Invalid {
    let msg = format!(
        "Value error, Passcode must be 1 to {PASSCODE_CHARS_MAX} letters and digits; that of Zoom 1 \
         to {LINK_PASSCODE_CHARS_MAX} characters of A-Z a-z 0-9 . _ ~ = + / -"
    );
    Invalid::new("value_error", msg)
}

/// Whether a link may have this passcode.
pub(crate) fn is_link_passcode(text: &str) -> bool {
    (1..=LINK_PASSCODE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~=+/-".contains(&byte))
}

/// A meeting's id of any platform's form; which of them it must be, [`Platform::native_id`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NativeId(pub String);

impl Field for NativeId {
    fn schema() -> Object {
        let about = "Google Meet: a code such as abc-defg-hij. Teams: 10 to 15 digits, or the thread of \
                     a classic link. Zoom: 9 to 11 digits. Jitsi: room@host.";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(255))
            .description(Some(about))
            .examples(["abc-defg-hij"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let id = SingleLine::<255>::read(raw)?.0.trim().to_owned();
        if id.is_empty() {
            let msg = "Value error, a Google Meet ID has the form abc-defg-hij, a Teams ID 10 to 15 digits";
            return Err(Invalid::new("value_error", msg));
        }
        Ok(Self(id))
    }
}

impl Platform {
    /// An id as this platform writes it, or what is wrong with one that is none of its.
    pub fn native_id(self, id: &str) -> Result<String, Invalid> {
        let (is_right, msg) = match self {
            Self::GoogleMeet => {
                (meet_code(id).is_some(), "a Google Meet ID has the form abc-defg-hij")
            }
            Self::Teams => (
                is_teams_number(id) || is_teams_thread(id),
                "a Teams ID has 10 to 15 digits, or the form 19:…@thread.v2",
            ),
            Self::Zoom => (is_zoom_number(id), "a Zoom ID has 9 to 11 digits"),
            Self::Jitsi => (
                id.split_once('@').is_some_and(|(room, host)| !room.is_empty() && !host.is_empty()),
                "a Jitsi ID has the form room@host",
            ),
            Self::Generic => (is_page_id(id), "a page is named by its meeting_url alone"),
        };
        if is_right {
            return Ok(self.folded(id));
        }
        Err(Invalid::new("value_error", format!("Value error, {msg}")))
    }

    /// An id as it is stored: Google Meet's codes in lower case, whatever is none as it is.
    pub fn folded(self, id: &str) -> String {
        match (self, meet_code(id)) {
            (Self::GoogleMeet, Some(code)) => code,
            _ => id.to_owned(),
        }
    }

    /// Says what is wrong with a passcode that none of this platform's meetings has.
    pub fn check_passcode(self, passcode: &Passcode) -> Result<(), Invalid> {
        let text = &passcode.0;
        match self {
            Self::Zoom => Ok(()),
            Self::Teams => {
                let is_right = text.len() <= PASSCODE_CHARS_MAX
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if is_right { Ok(()) } else { Err(no_passcode()) }
            }
            Self::GoogleMeet | Self::Jitsi | Self::Generic => {
                let msg = "Value error, only Teams and Zoom meetings have passcodes";
                Err(Invalid::new("value_error", msg))
            }
        }
    }
}

/// A code of Google Meet in lower case.
pub(crate) fn meet_code(id: &str) -> Option<String> {
    let parts: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let is_code = lengths == [3, 4, 3]
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    is_code.then(|| id.to_ascii_lowercase())
}

pub(crate) fn is_teams_number(id: &str) -> bool {
    (10..=15).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The thread of a classic Teams link, such as `19:meeting_NzE5@thread.v2`.
pub(crate) fn is_teams_thread(id: &str) -> bool {
    let Some((name, domain)) = id.strip_prefix("19:").and_then(|rest| rest.split_once('@')) else {
        return false;
    };
    let is_name = !name.is_empty()
        && id.len() <= 255
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    is_name && matches!(domain, "thread.v2" | "thread.tacv2" | "thread.skype")
}

pub(crate) fn is_zoom_number(id: &str) -> bool {
    (9..=11).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_page_id(id: &str) -> bool {
    let hex = id.strip_prefix("u-").unwrap_or_default();
    hex.len() == 16
        && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_platforms_form() {
        for (platform, id, stored) in [
            (Platform::GoogleMeet, "abc-defg-hij", Some("abc-defg-hij")),
            (Platform::GoogleMeet, "Abc-DEFG-hij", Some("abc-defg-hij")),
            (Platform::GoogleMeet, "abc-defg-hi", None),
            (Platform::GoogleMeet, "abcdefghij", None),
            (Platform::GoogleMeet, "abc-defg-hij-", None),
            (Platform::GoogleMeet, "ab1-defg-hij", None),
            (Platform::GoogleMeet, "", None),
            (Platform::Teams, "1234567890", Some("1234567890")),
            (Platform::Teams, "123456789012345", Some("123456789012345")),
            (Platform::Teams, "123456789", None),
            (Platform::Teams, "1234567890123456", None),
            (Platform::Teams, "12345678٣0", None),
            (Platform::Teams, "abc-defg-hij", None),
            (Platform::Teams, "19:meeting_Nz-E5@thread.v2", Some("19:meeting_Nz-E5@thread.v2")),
            (Platform::Teams, "19:meeting_Nz-E5@evil.v2", None),
            (Platform::Zoom, "123456789", Some("123456789")),
            (Platform::Zoom, "12345678901", Some("12345678901")),
            (Platform::Zoom, "12345678", None),
            (Platform::Zoom, "123456789012", None),
            (Platform::Jitsi, "Room@meet.example.org", Some("Room@meet.example.org")),
            (Platform::Jitsi, "Room", None),
            (Platform::Generic, "u-0123456789abcdef", Some("u-0123456789abcdef")),
            (Platform::Generic, "u-0123456789ABCDEF", None),
        ] {
            assert_eq!(platform.native_id(id).ok().as_deref(), stored, "{platform:?} {id:?}");
        }
    }

    #[test]
    fn passcodes_are_the_platforms() {
        let long = "a".repeat(64);
        let longer = "a".repeat(128);
        let longest = "a".repeat(129);
        for (platform, text, right) in [
            (Platform::Teams, "a", true),
            (Platform::Teams, "Ab1", true),
            (Platform::Teams, &long, true),
            (Platform::Teams, "a".repeat(65).as_str(), false),
            (Platform::Teams, "a.b", false),
            (Platform::Zoom, "a.b~c=d+e/f-g_h", true),
            (Platform::Zoom, &longer, true),
            (Platform::Zoom, &longest, false),
            (Platform::Zoom, "a b", false),
            (Platform::Zoom, "a&b", false),
            (Platform::Zoom, "", false),
            (Platform::GoogleMeet, "abc", false),
            (Platform::Jitsi, "abc", false),
            (Platform::Generic, "abc", false),
        ] {
            let read = Passcode::read(Raw::Text(text));
            let is_right = read.is_ok_and(|passcode| platform.check_passcode(&passcode).is_ok());
            assert_eq!(is_right, right, "{platform:?} {text:?}");
        }
    }
}
