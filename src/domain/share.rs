//! Share links: whoever has one reads the words of one meeting, and nothing else.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::{MeetingId, ShareId, TokenId, UserId};
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The random bytes of a link: 160 bits.
const SHARE_BYTES: usize = 20;
/// Shortest time for which a link is made, in seconds.
pub(crate) const SHARE_SECONDS_MIN: i64 = 60;
/// Longest time for which a link is made, in seconds: 90 days.
pub(crate) const SHARE_SECONDS_MAX: i64 = 90 * 86_400;
/// How long a link opens something where nothing else is said, in seconds: 7 days.
pub(crate) const SHARE_SECONDS: i64 = 7 * 86_400;

/// A share in the clear. It cannot be stored, logged or printed by `Debug`; only
/// [`PlainShare::reveal`] shows it.
pub struct PlainShare([u8; SHARE_BYTES]);

impl PlainShare {
    /// A new one from the operating system's randomness; fails only where that does.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; SHARE_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// As it is written in a link: 40 digits `0-9a-f`.
    pub fn reveal(&self) -> String {
        let mut text = String::with_capacity(2 * SHARE_BYTES);
        for byte in self.0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// What is stored and compared.
    pub fn hash(&self) -> ShareHash {
        ShareHash::of(&self.reveal())
    }
}

impl fmt::Debug for PlainShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainShare(hidden)")
    }
}

/// BLAKE3 of a share: all that is ever stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareHash(pub [u8; 32]);

impl ShareHash {
    /// The hash of a share as it stands in a link.
    pub fn of(share: &str) -> Self {
        Self(*blake3::hash(share.as_bytes()).as_bytes())
    }
}

/// What is known of a share link; the link itself is not.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Share)]
pub struct Share {
    /// The link's id, by which it is revoked.
    pub id: ShareId,
    /// Whose it is.
    pub user_id: UserId,
    /// The meeting whose words it opens.
    pub meeting_id: MeetingId,
    /// The token by which it was made, or the first of its chain; the link ends with it.
    pub made_by: TokenId,
    /// When it was made.
    pub created_at: Time,
    /// When it ends by itself.
    pub expires_at: Time,
}

string_enum!(
    /// How shared words are written.
    SharedFormat {
        /// A line for each segment.
        Txt = "txt",
        /// Markdown: a paragraph for each segment.
        Md = "md",
        /// JSON.
        Json = "json",
    }
);

impl SharedFormat {
    /// The media type of the whole.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Txt => "text/plain; charset=utf-8",
            Self::Md => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// The end of the path of a share link. Whatever else stands there is no link, and no fault either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SharedFile(pub Option<(ShareHash, SharedFormat)>);

impl Field for SharedFile {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The share, and behind a full stop txt, md or json."))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        let Some((share, format)) = text.rsplit_once('.') else { return Ok(Self(None)) };
        let Some(format) = SharedFormat::from_word(format) else { return Ok(Self(None)) };
        let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        let is_share = share.len() == 2 * SHARE_BYTES && share.bytes().all(is_digit);
        Ok(Self(is_share.then(|| (ShareHash::of(share), format))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_40_digits_and_comes_back_as_its_hash() {
        let share = PlainShare::generate().expect("randomness");
        let text = share.reveal();
        assert_eq!(text.len(), 40);
        assert_ne!(text, PlainShare::generate().expect("randomness").reveal());
        assert_eq!(format!("{share:?}"), "PlainShare(hidden)");
        let read = |file: &str| SharedFile::read(Raw::Text(file)).expect("no fault").0;
        for (word, format) in
            [("txt", SharedFormat::Txt), ("md", SharedFormat::Md), ("json", SharedFormat::Json)]
        {
            assert_eq!(read(&format!("{text}.{word}")), Some((share.hash(), format)));
        }
        let upper = format!("{}.txt", "A".repeat(40));
        let short = format!("{}.txt", &text[1..]);
        let long = format!("{text}0.txt");
        let pdf = format!("{text}.pdf");
        for other in ["", ".", "txt", ".txt", "1.txt", &text, &upper, &short, &long, &pdf] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
