//! Webhooks: the secret that signs what is posted, and where an event stands on its way.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::{DeliveryId, MeetingId};
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Shortest secret, in characters.
pub(crate) const SECRET_CHARS_MIN: usize = 16;
/// Longest secret, in characters.
pub(crate) const SECRET_CHARS_MAX: usize = 256;
/// What a secret matches, as the API document says it (ECMA-262).
const PATTERN: &str = "^[!-~]*$";

/// What signs a user's events. It must be read back to sign, so it is kept in the clear; `Debug`
/// hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// Wraps a secret that was valid when it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The secret, for the store and for the signature.
    pub fn key(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(hidden)")
    }
}

impl Field for WebhookSecret {
    const IS_SECRET: bool = true;

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(SECRET_CHARS_MIN))
            .max_length(Some(SECRET_CHARS_MAX))
            .pattern(Some(PATTERN))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let msg =
                format!("String should match pattern '{PATTERN}': printable ASCII without spaces");
            return Err(Invalid::new("string_pattern_mismatch", msg).with("pattern", PATTERN));
        }
        match text.len() {
            SECRET_CHARS_MIN..=SECRET_CHARS_MAX => Ok(Self(text)),
            ..SECRET_CHARS_MIN => {
                let msg = format!("String should have at least {SECRET_CHARS_MIN} characters");
                Err(Invalid::new("string_too_short", msg).with("min_length", SECRET_CHARS_MIN))
            }
            _ => {
                let msg = format!("String should have at most {SECRET_CHARS_MAX} characters");
                Err(Invalid::new("string_too_long", msg).with("max_length", SECRET_CHARS_MAX))
            }
        }
    }
}

string_enum!(
    /// Where an event stands on its way.
    DeliveryState {
        /// It will be tried, or tried again.
        Waiting = "waiting",
        /// The receiver took it.
        Delivered = "delivered",
        /// It is not tried any more.
        GivenUp = "given_up",
    }
);

/// An event on its way, as its user sees it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Delivery {
    /// The delivery's id.
    pub id: DeliveryId,
    /// What the receiver finds in `X-Vomeet-Delivery`: unique for the event, the same on retries.
    pub delivery: String,
    /// What happened.
    #[schema(example = "meeting.status_change")]
    pub event_type: String,
    /// To which meeting.
    pub meeting_id: MeetingId,
    /// When it happened.
    pub created_at: Time,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    #[schema(minimum = 0)]
    pub attempts: i64,
    /// When it is tried next; null once it is over. An event waits for the earlier ones of its
    /// meeting.
    #[schema(required)]
    pub next_at: Option<Time>,
    /// When the receiver took it; it may wait to be sent once more.
    #[schema(required)]
    pub delivered_at: Option<Time>,
    /// The status of the last answer; null where none came.
    #[schema(required)]
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    #[schema(required)]
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_enough_printable_and_hidden() {
        for (text, expected) in [
            ("x".repeat(15), Err("string_too_short")),
            ("x".repeat(16), Ok(16)),
            ("~!".repeat(128), Ok(256)),
            ("x".repeat(257), Err("string_too_long")),
            ("a secret with spaces".to_owned(), Err("string_pattern_mismatch")),
            ("geheimnisgeheimniß".to_owned(), Err("string_pattern_mismatch")),
            ("line\nline\nline\nline".to_owned(), Err("string_pattern_mismatch")),
            (String::new(), Err("string_too_short")),
        ] {
            let read = WebhookSecret::read(Raw::Text(&text));
            assert_eq!(
                read.map(|secret| secret.key().len()).map_err(|e| e.kind),
                expected,
                "{text:?}"
            );
        }
        assert!(
            !format!("{:?}", WebhookSecret::stored("0123456789abcdef".to_owned())).contains("0123")
        );
    }
}
