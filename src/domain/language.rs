//! Languages that bots can be told: the codes of the Whisper tokenizer.

use crate::domain::field::{Field, Invalid, Raw};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The 100 codes (openai/whisper, `tokenizer.py`).
#[rustfmt::skip]
pub(crate) const LANGUAGES: [&str; 100] = [
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es",
    "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht", "hu", "hy", "id", "is", "it", "ja",
    "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn", "mr", "ms", "mt",
    "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk", "sl", "sn", "so", "sq",
    "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz", "vi", "yi", "yo", "yue", "zh",
];

/// One of [`LANGUAGES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Language(&'static str);

impl Language {
    /// The code.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The language with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        LANGUAGES.iter().find(|known| **known == code).map(|known| Self(known))
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code).ok_or_else(|| serde::de::Error::custom("no such language code"))
    }
}

impl Field for Language {
    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(LANGUAGES)).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        Self::from_code(&raw.string()?).ok_or_else(|| {
            let expected = "one of the 100 language codes of Whisper, such as 'en'";
            Invalid::new("enum", format!("Input should be {expected}")).with("expected", expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_hundred_codes_and_no_others() {
        assert_eq!(LANGUAGES.iter().collect::<HashSet<_>>().len(), 100);
        for code in LANGUAGES {
            assert_eq!(Language::read(Raw::Text(code)).map(Language::as_str), Ok(code));
        }
        for wrong in ["", "EN", "eng", "xx", "en-US", "auto"] {
            assert_eq!(
                Language::read(Raw::Text(wrong)).map_err(|error| error.kind),
                Err("enum"),
                "{wrong:?}"
            );
        }
    }
}
