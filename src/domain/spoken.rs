//! What a bot says somebody said: text with a bound, and whether it is speech at all.

use crate::domain::field::{Field, Invalid, Raw};
use std::borrow::Cow;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// At most `MAX` characters of what a bot says somebody said; control characters in it become
/// spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpokenText<const MAX: usize>(pub String);

impl<const MAX: usize> SpokenText<MAX> {
    /// The text without blanks around it; none where nothing is left.
    pub(crate) fn trimmed(self) -> Option<String> {
        let text = self.0.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl<const MAX: usize> Field for SpokenText<MAX> {
    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        if text.chars().count() > MAX {
            let msg = format!("String should have at most {MAX} characters");
            return Err(Invalid::new("string_too_long", msg).with("max_length", MAX));
        }
        Ok(Self(without_controls(&text).into_owned()))
    }
}

/// The text with a space for each control character.
pub(crate) fn without_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// What recognisers write in brackets where they hear no words.
const NOT_WORDS: &[&str] = &[
    "applause",
    "audio out",
    "background music",
    "background noise",
    "beep",
    "blank audio",
    "blank",
    "coughing",
    "empty",
    "inaudible",
    "indistinct",
    "laughter",
    "music playing",
    "music",
    "no audio",
    "no speech",
    "no voice",
    "noise",
    "non speech",
    "nospeech",
    "pause",
    "silence",
    "silent",
    "sound",
    "static",
    "unintelligible",
    "unk",
];

/// The brackets in which they write it.
const BRACKETS: &[(char, char)] = &[('[', ']'), ('<', '>'), ('(', ')'), ('{', '}'), ('*', '*')];

/// Whether a text is words: not empty, and not only remarks of a recogniser such as
/// `[BLANK_AUDIO]`.
pub(crate) fn is_speech(text: &str) -> bool {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some(after) = after_remark(rest) else { return true };
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || ".,;".contains(c));
    }
    false
}

/// What follows the remark with which a text begins.
fn after_remark(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let (_, close) = *BRACKETS.iter().find(|(open, _)| *open == first)?;
    let inner = &text[first.len_utf8()..];
    let end = inner.find(close)?;
    let remark: String =
        inner[..end].chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let words: Vec<&str> = remark.split_whitespace().collect();
    let remark = words.join(" ").to_lowercase();
    let is_known = remark.is_empty() || NOT_WORDS.contains(&remark.as_str());
    is_known.then(|| &inner[end + close.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::is_speech;

    #[test]
    fn remarks_of_a_recogniser_are_no_words() {
        for (text, expected) in [
            ("", false),
            (" \n ", false),
            ("[BLANK_AUDIO]", false),
            (" [ Silence ] ", false),
            ("<no audio>", false),
            ("<inaudible>", false),
            ("<|nospeech|>", false),
            ("(music playing)", false),
            ("*applause*", false),
            ("[BLANK_AUDIO] [BLANK_AUDIO].", false),
            ("[]", false),
            ("music", true),
            ("[BLANK_AUDIO] Good morning", true),
            ("Good morning [inaudible]", true),
            ("[Ada] yes", true),
            ("(no)", true),
            ("<script>alert(1)</script>", true),
            ("[", true),
            ("...", true),
            ("👍", true),
        ] {
            assert_eq!(is_speech(text), expected, "{text:?}");
        }
    }
}
