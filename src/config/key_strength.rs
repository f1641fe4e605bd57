//! How hard a key is to guess, estimated from its text: what is common, repeated or in a row counts
//! for little, however long it is.

use crate::config::guessable::{COMMON, PLACEHOLDERS, ROWS};

/// Shortest admin key that is not weak, in characters.
pub(super) const CHARS_MIN: usize = 16;
/// How many characters must be left once what is easy to guess has been taken off.
const UNGUESSABLE_MIN: usize = 10;
/// How many different characters a key must have.
const DISTINCT_MIN: usize = 6;
/// Shortest part that counts as repeated, or as in a row, in characters.
const PART_MIN: usize = 3;

/// Why a key is too easy to guess, if it is.
pub(super) fn weakness(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("is empty");
    }
    let text: Vec<char> = key.to_lowercase().chars().collect();
    if is_placeholder(&text) {
        return Some("is a known placeholder");
    }
    if key.chars().count() < CHARS_MIN {
        return Some("is short");
    }
    let mut distinct = text.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < DISTINCT_MIN {
        return Some("has only a few different characters");
    }
    if unguessable(&text) < UNGUESSABLE_MIN {
        return Some("is made of common words, repetitions or rows of characters");
    }
    None
}

fn is_placeholder(text: &[char]) -> bool {
    let plain: String = text.iter().filter(|c| c.is_ascii_alphabetic()).collect();
    !plain.is_empty() && PLACEHOLDERS.iter().any(|word| plain.replace(word, "").is_empty())
}

/// How many characters are left, where a common word, a row and a year count as one, and what stood
/// before, or stands between words, as none.
fn unguessable(text: &[char]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < text.len() {
        if is_separator(text[at]) {
            at += 1;
            continue;
        }
        let (before, rest) = text.split_at(at);
        let repeated = repeated(before, rest);
        let known = common(rest).max(row(rest)).max(same(rest)).max(year(rest));
        if repeated >= PART_MIN && repeated >= known {
            at += repeated;
            continue;
        }
        at += known.max(1);
        count += 1;
    }
    count
}

/// Whether people write a character between words: it makes nothing harder to guess.
fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ' ' | ',' | ':' | '/' | '+')
}

/// How many of the next characters stood together before.
fn repeated(before: &[char], rest: &[char]) -> usize {
    let mut longest = 0;
    for start in 0..before.len() {
        let same = before[start..].iter().zip(rest).take_while(|(one, other)| one == other);
        longest = longest.max(same.count());
    }
    longest
}

/// How long the common word is that comes next; 0 where none does.
fn common(rest: &[char]) -> usize {
    let Some(first) = rest.first().map(|&c| plain(c)) else { return 0 };
    let mut longest = 0;
    for word in COMMON {
        if word.starts_with(first) && starts_with(rest, word) {
            longest = longest.max(word.len());
        }
    }
    longest
}

/// Whether a word comes next, or what people write for it, such as `p4ssw0rd`.
fn starts_with(rest: &[char], word: &str) -> bool {
    rest.len() >= word.len() && rest.iter().zip(word.chars()).all(|(&c, letter)| plain(c) == letter)
}

/// The letter for which a character stands.
fn plain(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// How many of the next characters stand in a row, in either direction; 0 where too few do.
fn row(rest: &[char]) -> usize {
    let Some(&first) = rest.first() else { return 0 };
    let mut longest = 0;
    for row in ROWS {
        for (start, place) in row.match_indices(first) {
            let forward = row[start..].chars();
            let backward = row[..start + place.len()].chars().rev();
            longest = longest.max(in_step(forward, rest)).max(in_step(backward, rest));
        }
    }
    if longest < PART_MIN { 0 } else { longest }
}

/// How many of the next characters are those of a row, from its first one on.
fn in_step(row: impl Iterator<Item = char>, rest: &[char]) -> usize {
    row.zip(rest).take_while(|(one, other)| one == *other).count()
}

/// How long the year is that comes next, such as 1987 or 2026; 0 where none does.
fn year(rest: &[char]) -> usize {
    let is_year = match rest {
        ['1', '9', third, fourth, ..] | ['2', '0', third, fourth, ..] => {
            third.is_ascii_digit() && fourth.is_ascii_digit()
        }
        _ => false,
    };
    if is_year { 4 } else { 0 }
}

/// How often the next character stands there, one beside the other; 0 where not often enough.
fn same(rest: &[char]) -> usize {
    let count = rest.iter().take_while(|&&c| Some(&c) == rest.first()).count();
    if count < PART_MIN { 0 } else { count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_keys_are_known() {
        const PLACEHOLDER: Option<&str> = Some("is a known placeholder");
        const FEW: Option<&str> = Some("has only a few different characters");
        const COMMON: Option<&str> =
            Some("is made of common words, repetitions or rows of characters");
        for (key, expected) in [
            ("", Some("is empty")),
            ("token", PLACEHOLDER),
            ("Token", PLACEHOLDER),
            ("changemechangemechangeme", PLACEHOLDER),
            ("change-me-change-me", PLACEHOLDER),
            ("passwordpassword1", PLACEHOLDER),
            ("tokentokentoken12345", PLACEHOLDER),
            ("fifteen-chars-x", Some("is short")),
            ("aaaaaaaaaaaaaaaa", FEW),
            ("abababababababab", FEW),
            ("0000000000000001", FEW),
            ("                 ", FEW),
            ("ключключключключ", FEW),
            ("vomeetvomeetvomeet", FEW),
            ("abcdefghijklmnop", COMMON),
            ("1234567890123456", COMMON),
            ("9876543210987654", COMMON),
            ("qwertyuiopasdfghjkl", COMMON),
            ("Password123456789", PLACEHOLDER),
            ("P4ssw0rdP4ssw0rd!", COMMON),
            ("SuperSecretAdminToken", COMMON),
            ("admin-admin-admin-1", COMMON),
            ("vomeet-admin-key-2026", COMMON),
            ("letmeinletmein2025", COMMON),
            ("correcthorsecorrecthorse", None),
            ("!@#$%^&*()!@#$%^&*()", None),
            ("padded-key-0123456789", COMMON),
            ("your-secret-key-here", COMMON),
            ("your_admin_api_token_here", COMMON),
            ("ThisIsMyAdminKey", COMMON),
            ("dev-secret-change-in-production", COMMON),
            ("example-admin-key-do-not-use", COMMON),
            ("1qaz2wsx3edc4rfv", COMMON),
            ("1q2w3e4r5t6y7u8i", COMMON),
            ("qazwsxedcrfvtgby", COMMON),
            ("a1b2c3d4e5f6g7h8", COMMON),
            ("00112233445566778899", COMMON),
            ("aabbccddeeffgghhii", COMMON),
            ("deadbeefcafebabe", COMMON),
            ("summerwinter2024", COMMON),
            ("MyCompany2024!!!", COMMON),
            ("sixteen-chars-xy", None),
            ("4f1c2a9be07d3358", None),
        ] {
            assert_eq!(weakness(key), expected, "{key:?}");
        }
    }

    #[test]
    fn what_the_documents_tell_to_make_is_never_weak() {
        for _ in 0..2000 {
            let mut bytes = [0u8; 24];
            getrandom::fill(&mut bytes).expect("randomness");
            let hex = bytes.map(|byte| format!("{byte:02x}")).concat();
            assert_eq!(weakness(&hex), None, "{hex}");
            assert_eq!(weakness(&hex.to_uppercase()), None, "{hex}");
        }
    }
}
