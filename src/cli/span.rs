//! Lengths of time as people write them: `90d`, `12h`, `3600`.

/// Seconds, from a whole number and a unit: s (or none), m, h, d or w.
pub fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("should be a number and s, m, h, d or w, such as 90d, not {text:?}");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn lengths_are_read_with_their_units() {
        for (text, expected) in
            [("0", 0), ("90", 90), ("15m", 900), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "1.5h", "1 d", "1y", "1dd", "9223372036854775807w", "never"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
