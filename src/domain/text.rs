//! One line of text with a bound.

use crate::domain::field::{Field, Invalid, Raw};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// What a [`SingleLine`] matches, as the API document says it (ECMA-262).
const PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// At most `MAX` characters of text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SingleLine<const MAX: usize>(pub String);

impl<const MAX: usize> Field for SingleLine<MAX> {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(MAX))
            .pattern(Some(PATTERN))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if text.chars().count() > MAX {
            let msg = format!("String should have at most {MAX} characters");
            return Err(Invalid::new("string_too_long", msg).with("max_length", MAX));
        }
        if text.chars().any(char::is_control) {
            let msg = format!(
                "String should match pattern '{PATTERN}': control characters are not allowed"
            );
            return Err(Invalid::new("string_pattern_mismatch", msg).with("pattern", PATTERN));
        }
        Ok(Self(text))
    }
}

/// What [`printable`] takes, as the API document says it (ECMA-262).
pub(crate) const PRINTABLE: &str = "^[!-~]*$";

/// A text that a header can carry: printable ASCII without spaces.
pub(crate) fn printable(raw: Raw<'_>) -> Result<String, Invalid> {
    let text = raw.string()?;
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    let msg = format!("String should match pattern '{PRINTABLE}': printable ASCII without spaces");
    Err(Invalid::new("string_pattern_mismatch", msg).with("pattern", PRINTABLE))
}

/// What a machine says for people to read: cut at `MAX` characters, control characters become
/// spaces, and what is no text is kept as JSON. A report is never refused for its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Truncated<const MAX: usize>(pub String);

impl<const MAX: usize> Field for Truncated<MAX> {
    fn schema() -> Object {
        let about = format!("Text, or anything else; cut at {MAX} characters.");
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = match raw {
            Raw::Text(text) => text.to_owned(),
            // Half a character, as a cut in the middle of one leaves it, is no text either.
            Raw::Json(json) => raw.string().unwrap_or_else(|_| json.get().to_owned()),
        };
        Ok(Self(text.chars().take(MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()))
    }
}

/// At most `MAX` characters of text in any number of lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct MultiLine<const MAX: usize>(pub String);

impl<const MAX: usize> Field for MultiLine<MAX> {
    fn schema() -> Object {
        let pattern = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(MAX))
            .pattern(Some(pattern))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if text.chars().count() > MAX {
            let msg = format!("String should have at most {MAX} characters");
            return Err(Invalid::new("string_too_long", msg).with("max_length", MAX));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            let msg = "String should have no control characters but line breaks and tabs";
            return Err(Invalid::new("string_pattern_mismatch", msg));
        }
        Ok(Self(text))
    }
}

/// Text as it is compared without case: Unicode full case folding over NFC (Unicode 3.13,
/// definition D145).
pub(crate) fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let composed: String = text.nfc().collect();
    unicase::UniCase::unicode(composed).to_folded_case().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::{Field, MultiLine, Raw, Truncated, fold};

    #[test]
    fn notes_are_cut_and_lines_are_kept() {
        for (text, note, lines) in [
            ("a\nb", "a b", Ok("a\nb")),
            ("a\u{0}b", "a b", Err("string_pattern_mismatch")),
            ("abcdef", "abcd", Err("string_too_long")),
            ("äöüß", "äöüß", Ok("äöüß")),
        ] {
            assert_eq!(Truncated::<4>::read(Raw::Text(text)).expect(text).0, note);
            let read = MultiLine::<4>::read(Raw::Text(text)).map_err(|error| error.kind);
            assert_eq!(
                read.as_ref().map(|lines| lines.0.as_str()).map_err(|kind| *kind),
                lines,
                "{text:?}"
            );
        }
    }

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
