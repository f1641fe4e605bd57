//! Keys of another installation: what of them a header carries, and what may be shown.

use crate::domain::{Hint, TokenHash};

/// A shorter key can be guessed, in characters.
const CHARS_MIN: usize = 16;
/// Characters that are shown of a key; of a short one a quarter.
const HINT_CHARS_MAX: usize = 4;

/// A key, and what can be said about it.
pub(super) struct ReadKey {
    /// BLAKE3 of the bytes that a header carries.
    pub hash: TokenHash,
    /// Its first characters.
    pub hint: Hint,
    /// Whether it is shorter than 16 characters.
    pub is_weak: bool,
    /// Whether any header can carry it.
    pub is_carried: bool,
}

impl ReadKey {
    /// Reads a key in plain text.
    pub(super) fn of(key: &str) -> Self {
        let carried = carried(key);
        let chars = key.chars().count();
        let shown = (chars / 4).min(HINT_CHARS_MAX);
        let hint = key.chars().take(shown).map(|c| if c.is_control() { '?' } else { c });
        Self {
            hash: TokenHash::of(carried.as_deref().unwrap_or(key.as_bytes())),
            hint: Hint(hint.collect()),
            is_weak: chars < CHARS_MIN,
            is_carried: carried.is_some(),
        }
    }
}

/// The bytes by which a header carries a key: Latin-1, as the former servers read headers. None for
/// what ends the header, what is taken off its ends, and what Latin-1 does not have.
pub(super) fn carried(key: &str) -> Option<Vec<u8>> {
    if key.is_empty() || key.trim_matches([' ', '\t']) != key {
        return None;
    }
    let mut bytes = Vec::with_capacity(key.len());
    for c in key.chars() {
        let byte = u8::try_from(u32::from(c)).ok()?;
        if byte == 0x7f || (byte < 0x20 && byte != b'\t') {
            return None;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_a_header_carries_them() {
        for (key, bytes, hint, is_weak) in [
            ("0123456789abcdef", Some(&b"0123456789abcdef"[..]), "0123", false),
            ("0123456789abcde", Some(b"0123456789abcde"), "012", true),
            ("vxa_bot_x", Some(b"vxa_bot_x"), "vx", true),
            ("a b\tc", Some(b"a b\tc"), "a", true),
            ("schlüssel", Some(b"schl\xfcssel"), "sc", true),
            ("schl\u{80}ssel", Some(b"schl\x80ssel"), "sc", true),
            ("abc", Some(b"abc"), "", true),
            ("", None, "", true),
            (" abcdefghijklmnopq", None, " abc", false),
            ("abcdefghijklmnopq\t", None, "abcd", false),
            ("abc\ndefghijklmnopq", None, "abc?", false),
            ("abc\u{7f}", None, "a", true),
            ("ключ", None, "к", true),
            ("会議会議会議会議", None, "会議", true),
        ] {
            let read = ReadKey::of(key);
            assert_eq!(carried(key).as_deref(), bytes, "{key:?}");
            assert_eq!(read.is_carried, bytes.is_some(), "{key:?}");
            assert_eq!((read.hint.0.as_str(), read.is_weak), (hint, is_weak), "{key:?}");
            assert_eq!(read.hash, TokenHash::of(bytes.unwrap_or(key.as_bytes())), "{key:?}");
        }
    }
}
