//! Words out of closed lists: as a caller sends them, as the store keeps them, as the API document
//! lists them.

use crate::domain::field::Invalid;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// How the API document describes a word out of a list.
pub(crate) fn words_schema(words: &[&str]) -> Object {
    let words = words.iter().copied();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// The fault of a word that is not in its list.
pub(crate) fn no_word(words: &[&str]) -> Invalid {
    let expected = format!("'{}'", words.join("', '"));
    Invalid::new("enum", format!("Input should be {expected}")).with("expected", expected)
}

/// A word out of a closed list, as a caller sends it and the store keeps it.
macro_rules! string_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(unreachable_pub, reason = "an enum is as public as the file that it is in")]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $word)] $variant),+
        }

        #[allow(dead_code, unreachable_pub, reason = "not every enum needs all of it")]
        impl $name {
            /// Every word, in the order of the list.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word itself.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The variant of that word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl crate::domain::word::WordList for $name {
            const NAME: &'static str = stringify!($name);
            const LIST: &'static [&'static str] = Self::WORDS;

            fn text(self) -> &'static str {
                self.as_str()
            }

            fn find(word: &str) -> Option<Self> {
                Self::from_word(word)
            }
        }

        // The derived one does not see the words.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                <Self as crate::domain::field::Field>::schema().into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl crate::domain::field::Field for $name {
            fn schema() -> utoipa::openapi::schema::Object {
                crate::domain::string_enum::words_schema(Self::WORDS)
            }

            fn read(raw: crate::domain::field::Raw<'_>) -> Result<Self, crate::domain::field::Invalid> {
                let found = Self::from_word(&raw.string()?);
                found.ok_or_else(|| crate::domain::string_enum::no_word(Self::WORDS))
            }
        }
    };
}
pub(crate) use string_enum;
