//! Webhooks: which events there are, the secret that signs them, and where an event stands on its
//! way.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::{DeliveryId, MeetingId, WebhookId};
use crate::domain::string_enum::string_enum;
use crate::domain::text::{PRINTABLE, printable};
use crate::domain::time::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Shortest secret, in characters.
pub(crate) const SECRET_CHARS_MIN: usize = 16;
/// Longest secret, in characters.
pub(crate) const SECRET_CHARS_MAX: usize = 256;

/// How a secret begins whose key is in base64 (Standard Webhooks).
const BASE64_PREFIX: &str = "whsec_";
/// Shortest key behind the prefix, in bytes (Standard Webhooks: 24 to 64).
const KEY_BYTES_MIN: usize = 24;
/// A key that the server makes, in bytes.
const KEY_BYTES: usize = 32;

string_enum!(
    /// What can happen that is posted to webhooks.
    WebhookEvent {
        /// The status of a meeting changed.
        StatusChange = "meeting.status_change",
        /// A meeting is over, and no more words can come.
        TranscriptReady = "transcript.ready",
        /// A meeting goes on, and sound, words or names are missing.
        Silent = "meeting.silent",
    }
);

impl WebhookEvent {
    /// Those that a webhook gets for which none were chosen.
    pub const USUAL: [Self; 1] = [Self::StatusChange];
}

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

    /// The secret, for the store and for the signature of our own.
    pub fn key(&self) -> &str {
        &self.0
    }

    /// A new secret of this server: `whsec_` and 32 random bytes in base64.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Self(format!("{BASE64_PREFIX}{}", BASE64.encode(key))))
    }

    /// The key of the signature of Standard Webhooks: what stands in base64 behind `whsec_`. Of a
    /// secret that has no such form it is the secret itself.
    pub fn standard_key(&self) -> Vec<u8> {
        match self.0.strip_prefix(BASE64_PREFIX).map(|text| BASE64.decode(text)) {
            Some(Ok(key)) => key,
            Some(Err(_)) | None => self.0.as_bytes().to_vec(),
        }
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
            .pattern(Some(PRINTABLE))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = printable(raw)?;
        if let Some(encoded) = text.strip_prefix(BASE64_PREFIX)
            && !is_key(encoded)
        {
            let msg = format!(
                "Value error, behind {BASE64_PREFIX} there should be base64 of at least \
                 {KEY_BYTES_MIN} bytes, with padding"
            );
            return Err(Invalid::new("value_error", msg));
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

/// Whether this is what stands behind `whsec_`.
fn is_key(encoded: &str) -> bool {
    BASE64.decode(encoded).is_ok_and(|key| key.len() >= KEY_BYTES_MIN)
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
    /// To which webhook it goes; 0 is the one that `PUT /user/webhook` sets.
    pub webhook_id: WebhookId,
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
            (format!("whsec_{}", "QUJD".repeat(8)), Ok(38)),
            (format!("whsec_{}==", "QUJD".repeat(8) + "QQ"), Ok(42)),
            (format!("whsec_{}", "QUJD".repeat(7)), Err("value_error")),
            (format!("whsec_{}", "QUJD".repeat(8) + "QQ"), Err("value_error")),
            (format!("whsec_{}", "Q_J-".repeat(8)), Err("value_error")),
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

    #[test]
    fn the_key_is_behind_the_prefix_or_the_secret_itself() {
        let key = |text: &str| WebhookSecret::stored(text.to_owned()).standard_key();
        assert_eq!(key("whsec_QUJDRA=="), b"ABCD");
        assert_eq!(key("whsec_what was stored once"), b"whsec_what was stored once");
        assert_eq!(key("plain"), b"plain");
        let [one, other] = [(); 2].map(|()| WebhookSecret::generate().expect("random bytes"));
        assert_eq!((one.standard_key().len(), one.key().len()), (32, 50));
        assert!(one != other && WebhookSecret::read(Raw::Text(one.key())).is_ok());
    }
}
