//! The key of an engine that makes words of sound.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::{PRINTABLE, printable};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 512;

/// A key that an engine is sent as a bearer token. It must be read back to ask, so it is kept in the
/// clear; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EngineKey(String);

impl EngineKey {
    /// Wraps a key that a header can carry: of the settings, or one that was valid when it was stored.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The key, for the store and for the engine.
    pub fn key(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EngineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineKey(hidden)")
    }
}

impl Field for EngineKey {
    const IS_SECRET: bool = true;

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(KEY_CHARS_MAX))
            .pattern(Some(PRINTABLE))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = printable(raw)?;
        if text.len() > KEY_CHARS_MAX {
            let msg = format!("String should have at most {KEY_CHARS_MAX} characters");
            return Err(Invalid::new("string_too_long", msg).with("max_length", KEY_CHARS_MAX));
        }
        Ok(Self(text))
    }
}
