//! One line of text with a bound.

use super::field::{Field, Invalid, Raw};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// What a [`Line`] matches, as the API document says it (ECMA-262).
const PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// At most `MAX` characters of text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line<const MAX: usize>(pub String);

impl<const MAX: usize> Field for Line<MAX> {
    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX)).pattern(Some(PATTERN)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if text.chars().count() > MAX {
            let msg = format!("String should have at most {MAX} characters");
            return Err(Invalid::new("string_too_long", msg).with("max_length", MAX));
        }
        if text.chars().any(char::is_control) {
            let msg = format!("String should match pattern '{PATTERN}': control characters are not allowed");
            return Err(Invalid::new("string_pattern_mismatch", msg).with("pattern", PATTERN));
        }
        Ok(Self(text))
    }
}

/// Text as it is compared without case: Unicode full case folding over NFC (Unicode 3.13, definition D145).
pub fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let composed: String = text.nfc().collect();
    unicase::UniCase::unicode(composed).to_folded_case().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn folding_forgets_case_and_composition() {
        for (one, other) in [
            ("User@Example.COM", "user@example.com"),
            ("STRASSE", "straße"),
            ("ΑΣ", "ας"),
            ("e\u{301}", "\u{e9}"),
            ("\u{212a}", "k"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} against {other}");
        }
    }
}
