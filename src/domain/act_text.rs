//! What a bot is to say or to write in its meeting.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::MultiLine;
use utoipa::openapi::schema::Object;

/// Most characters of it: what people send in one message, and a bot says in about two minutes.
const CHARS_MAX: usize = 2000;

/// Text with something in it, of at most 2000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActText(pub String);

impl Field for ActText {
    fn schema() -> Object {
        let mut schema = MultiLine::<CHARS_MAX>::schema();
        schema.min_length = Some(1);
        schema
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let MultiLine(text) = MultiLine::<CHARS_MAX>::read(raw)?;
        if text.trim().is_empty() {
            let msg = "String should have at least 1 character";
            return Err(Invalid::new("string_too_short", msg).with("min_length", 1));
        }
        Ok(Self(text))
    }
}
