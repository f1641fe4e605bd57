//! A word as the file has it: of a closed list, or one that this version does not know.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A closed list of words; `string_enum!` makes them.
pub trait WordList: Copy + PartialEq {
    /// The name of the list, in the API document.
    const NAME: &'static str;
    /// Every word.
    const LIST: &'static [&'static str];

    /// The word itself.
    fn text(self) -> &'static str;

    /// The entry of that word.
    fn find(word: &str) -> Option<Self>;
}

/// A word of the list, or another one, which is shown as it is: what was written once can be read
/// for ever. Only what is written anew is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<L> {
    /// A word of the list.
    Known(L),
    /// Another word.
    Other(String),
}

impl<L: WordList> Word<L> {
    /// The word that is spelled so.
    pub fn of(text: &str) -> Self {
        L::find(text).map_or_else(|| Self::Other(text.to_owned()), Self::Known)
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(word) => word.text(),
            Self::Other(text) => text,
        }
    }

    /// The entry of the list, if it is of the list.
    pub fn known(&self) -> Option<L> {
        match self {
            Self::Known(word) => Some(*word),
            Self::Other(_) => None,
        }
    }
}

impl<L: WordList> From<L> for Word<L> {
    fn from(word: L) -> Self {
        Self::Known(word)
    }
}

impl<L: WordList> PartialEq<L> for Word<L> {
    fn eq(&self, other: &L) -> bool {
        self.known() == Some(*other)
    }
}

impl<L: WordList> Serialize for Word<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, L: WordList> Deserialize<'de> for Word<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&String::deserialize(deserializer)?))
    }
}

impl<L: WordList> PartialSchema for Word<L> {
    fn schema() -> RefOr<Schema> {
        let about = format!(
            "One of {}; another word where an older or newer version has written it.",
            L::LIST.join(", ")
        );
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(about))
            .examples(L::LIST.first().copied())
            .into()
    }
}

impl<L: WordList> ToSchema for Word<L> {
    fn name() -> Cow<'static, str> {
        format!("Stored{}", L::NAME).into()
    }
}
