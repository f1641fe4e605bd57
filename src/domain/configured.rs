//! Configured users: those of `[[users]]` in `vomeet.toml`, with the hashes of their tokens.

use crate::domain::email::Email;
use crate::domain::token::{Hint, PlainToken, TokenHash};
use crate::domain::user::User;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A user of `[[users]]`. What is left out there is not touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfiguredUser {
    /// The address; unique without case.
    pub email: Email,
    /// Display name.
    pub name: Option<String>,
    /// How many bots at once.
    pub max_concurrent_bots: Option<i64>,
    /// Whether all their tokens are refused.
    pub disabled: Option<bool>,
    /// Their tokens.
    pub tokens: Vec<ConfiguredToken>,
}

impl ConfiguredUser {
    /// Whether the stored user differs from the settings.
    pub fn differs_from(&self, user: &User) -> bool {
        self.name.as_ref().is_some_and(|name| user.name.as_ref() != Some(name))
            || self.max_concurrent_bots.is_some_and(|limit| limit != user.max_concurrent_bots)
            || self.disabled.is_some_and(|disabled| disabled != user.disabled_at.is_some())
    }
}

/// A token as the settings know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfiguredToken {
    /// Its first four characters.
    pub hint: Hint,
    /// BLAKE3 of it.
    pub hash: TokenHash,
}

impl ConfiguredToken {
    /// A token that was typed or made; `None` where no server can have made it.
    pub fn of(token: &[u8]) -> Option<Self> {
        PlainToken::is_wellformed(token)
            .then(|| Self { hint: Hint::of(token), hash: TokenHash::of(token) })
    }

    /// Reads `HINT:HASH`: four letters or digits, and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (hint, digits) = text.split_once(':')?;
        let is_hint = hint.len() == 4 && hint.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = blake3::Hash::from_hex(digits).ok().filter(|_| is_hint && is_hash)?;
        Some(Self { hint: Hint(hint.to_owned()), hash: TokenHash(*hash.as_bytes()) })
    }
}

impl fmt::Display for ConfiguredToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hint.0, blake3::Hash::from_bytes(self.hash.0).to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_declared_by_its_hint_and_its_hash() {
        let token = PlainToken::generate().expect("randomness");
        let declared = ConfiguredToken::of(token.reveal().as_bytes()).expect("a token");
        assert_eq!((&declared.hint, declared.hash), (&token.hint(), token.hash()));
        assert_eq!(ConfiguredToken::parse(&declared.to_string()), Some(declared.clone()));
        assert_eq!(
            ConfiguredToken::parse(&declared.to_string().to_uppercase()).map(|token| token.hash),
            Some(declared.hash)
        );
        let digits = "0".repeat(64);
        for wrong in [
            "",
            "AbCd",
            &digits,
            &format!("AbC:{digits}"),
            &format!("AbCdE:{digits}"),
            &format!("Ab-d:{digits}"),
            &format!("AbCd:{digits}0"),
            &format!("AbCd:{}", &digits[1..]),
            &format!("AbCd:{}g", &digits[1..]),
        ] {
            assert_eq!(ConfiguredToken::parse(wrong), None, "{wrong}");
        }
        for wrong in [&token.reveal()[1..], "", "ééé"] {
            assert_eq!(ConfiguredToken::of(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
