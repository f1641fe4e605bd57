//! API tokens: made once, shown once, kept as a hash.

use crate::domain::id::{TokenId, UserId};
use crate::domain::key_rejection::KeyRejection;
use crate::domain::patch::Patch;
use crate::domain::scope::Scope;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Length of a token, in characters of `[0-9A-Za-z]`.
pub(crate) const TOKEN_CHARS: usize = 40;
/// The random part: 34 characters of 62, which is 202 bits.
const RANDOM_CHARS: usize = 34;
const CHECK_CHARS: usize = TOKEN_CHARS - RANDOM_CHARS;
const HINT_CHARS: usize = 4;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token in the clear. It cannot be stored, logged or printed by `Debug`; only
/// [`PlainToken::reveal`] shows it.
pub struct PlainToken(String);

impl PlainToken {
    /// A new token from the operating system's randomness; fails only where that does.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut text = String::with_capacity(TOKEN_CHARS);
        let mut bytes = [0u8; 2 * RANDOM_CHARS];
        while text.len() < RANDOM_CHARS {
            getrandom::fill(&mut bytes)?;
            // 248 is the largest multiple of 62 in a byte: what lies above would favour some
            // characters.
            let fair = bytes
                .iter()
                .filter(|&&byte| byte < 248)
                .map(|&byte| char::from(character(byte.into())));
            text.extend(fair.take(RANDOM_CHARS - text.len()));
        }
        let check = checksum(text.as_bytes());
        text.extend(check.map(char::from));
        Ok(Self(text))
    }

    /// Whether some server may have issued this: length, characters and checksum are right.
    pub fn is_wellformed(text: &[u8]) -> bool {
        let shaped = text.len() == TOKEN_CHARS && text.iter().all(u8::is_ascii_alphanumeric);
        shaped && checksum(&text[..RANDOM_CHARS]) == text[RANDOM_CHARS..]
    }

    /// The token itself, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored and compared.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.as_bytes())
    }

    /// Its first four characters, by which a person recognises it in a list.
    pub fn hint(&self) -> Hint {
        Hint::of(self.0.as_bytes())
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(hidden)")
    }
}

fn character(index: u32) -> u8 {
    ALPHABET[index as usize % ALPHABET.len()]
}

/// CRC-32 (ISO-HDLC, as in zlib) of the random part, in base 62, most significant character first.
fn checksum(random: &[u8]) -> [u8; CHECK_CHARS] {
    let mut rest = crc32fast::hash(random);
    let mut digits = [0; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = character(rest);
        rest /= 62;
    }
    digits
}

/// BLAKE3 of a token: all that is ever stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of a token as it was sent.
    pub fn of(token: &[u8]) -> Self {
        Self(*blake3::hash(token).as_bytes())
    }
}

/// The first four characters of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Hint(pub String);

impl Hint {
    /// Of a token, which is ASCII.
    pub fn of(token: &[u8]) -> Self {
        Self(token.iter().take(HINT_CHARS).map(|&byte| char::from(byte)).collect())
    }
}

/// Declares what a token is created with, each field named once: [`TokenTerms`], and
/// [`TokenChanges`] of them.
macro_rules! terms {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// What a token is for, how long it is accepted, and what it may do.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        pub struct TokenTerms {
            $(
                $(#[$doc])*
                #[schema(required)]
                pub $field: Option<$type>,
            )*
            /// What the token may do.
            pub scope: Scope,
        }

        /// Changes of a token's terms; its scope is never wider than before.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct TokenChanges {
            $(
                $(#[$doc])*
                pub $field: Patch<$type>,
            )*
        }

        impl TokenChanges {
            /// Applies them to the terms.
            pub fn apply(&self, terms: &mut TokenTerms) {
                $(self.$field.apply(&mut terms.$field);)*
            }
        }
    };
}

impl TokenChanges {
    /// Applies to the terms of another token of the chain what ends it sooner, and nothing else.
    pub(crate) fn shorten(&self, terms: &mut TokenTerms) {
        if let Patch::Set(end) = self.expires_at {
            terms.expires_at = Some(terms.expires_at.map_or(end, |before| before.min(end)));
        }
        if let Patch::Set(seconds) = self.disuse_seconds {
            let shorter = terms.disuse_seconds.map_or(seconds, |before| before.min(seconds));
            terms.disuse_seconds = Some(shorter);
        }
    }
}

terms! {
    /// What the token is for.
    name: String,
    /// When the token expires; null for never.
    expires_at: Time,
    /// How many seconds the token may be unused before it expires; null for any number.
    disuse_seconds: i64,
}

/// What is known of an API token; its secret is not.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct Token {
    /// The token's id, by which it is revoked.
    pub id: TokenId,
    /// Whom it speaks for.
    pub user_id: UserId,
    /// The first four characters of the token.
    #[schema(example = "AbCd")]
    pub hint: Hint,
    /// When it was made.
    pub created_at: Time,
    /// When it last opened a door, to within the batch that writes it; null for never.
    #[schema(required)]
    pub last_used_at: Option<Time>,
    /// From which address.
    #[schema(required)]
    pub last_address: Option<String>,
    /// Since when it is refused, until it is enabled again.
    #[schema(required)]
    pub disabled_at: Option<Time>,
    /// The token that it was rotated to.
    #[schema(required)]
    pub replaced_by: Option<TokenId>,
    /// What it was created with.
    #[serde(flatten)]
    pub terms: TokenTerms,
}

impl Token {
    /// Whether it opens doors; `last_used_at` may be later than its own, which is written in
    /// batches.
    pub fn check(&self, last_used_at: Option<Time>, now: Time) -> Result<(), KeyRejection> {
        if let Some(at) = self.disabled_at {
            return Err(KeyRejection::Disabled(at));
        }
        if let Some(end) = self.terms.expires_at.filter(|end| *end <= now) {
            return Err(KeyRejection::Expired(end, self.replaced_by));
        }
        match self.unused_end(last_used_at) {
            Some((since, end)) if end <= now => Err(KeyRejection::Unused(since)),
            _ => Ok(()),
        }
    }

    /// When it ends if nothing changes: by itself, or because nobody uses it.
    pub fn ends_at(&self, last_used_at: Option<Time>) -> Option<Time> {
        let unused_end = self.unused_end(last_used_at).map(|(_, end)| end);
        self.terms.expires_at.into_iter().chain(unused_end).min()
    }

    /// Since when nobody used it, and when it ends for that.
    fn unused_end(&self, last_used_at: Option<Time>) -> Option<(Time, Time)> {
        let seconds = self.terms.disuse_seconds?;
        let since = last_used_at.max(self.last_used_at).unwrap_or(self.created_at);
        Some((since, since.plus_seconds(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tokens_have_their_shape_and_their_hash() {
        let token = PlainToken::generate().expect("randomness");
        assert_eq!(token.reveal().len(), TOKEN_CHARS);
        assert!(token.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(PlainToken::is_wellformed(token.reveal().as_bytes()));
        assert_eq!(TokenHash::of(token.reveal().as_bytes()), token.hash());
        assert_eq!(token.hint().0, token.reveal()[..4]);
        assert_eq!(format!("{token:?}"), "PlainToken(hidden)");
    }

    #[test]
    fn every_mistyped_character_is_recognised() {
        let token = PlainToken::generate().expect("randomness");
        for place in 0..TOKEN_CHARS {
            for other in ALPHABET.iter().map(|&byte| char::from(byte)) {
                let mut typed = token.reveal().to_owned();
                typed.replace_range(place..=place, &other.to_string());
                let same = typed == token.reveal();
                assert_eq!(PlainToken::is_wellformed(typed.as_bytes()), same, "{other} at {place}");
            }
        }
        for wrong in ["", "x", &"A".repeat(39), &"A".repeat(40), &"A".repeat(41), &"é".repeat(20)]
        {
            assert!(!PlainToken::is_wellformed(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn randomness_uses_the_whole_alphabet_and_never_repeats() {
        let tokens: Vec<_> =
            (0..500).map(|_| PlainToken::generate().expect("randomness").0).collect();
        assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 500);
        let used: HashSet<u8> =
            tokens.iter().flat_map(|token| token[..RANDOM_CHARS].bytes()).collect();
        assert_eq!(used.len(), ALPHABET.len());
        let bits = 62f64.log2() * 34.0;
        assert!(bits >= 190.0, "{bits} bits of randomness");
    }

    #[test]
    fn the_checksum_is_the_documented_one() {
        // CRC-32 of "123456789" is 0xCBF43926 (the check value of ISO-HDLC): 3421780262 in base 62.
        assert_eq!(checksum(b"123456789"), *b"3jZRME");
    }
}
