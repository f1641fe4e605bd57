//! Time spans as people write them: `90d`, `1h30m`, `3600`.

use jiff::{Span, SpanRelativeTo};

/// Seconds, from a whole number of them or from numbers with units up to weeks. Months and years
/// differ in length and are refused.
pub(crate) fn seconds(text: &str) -> Result<i64, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let wrong = format!("should be a time span such as 90d, 1h30m or 3600 (seconds), not {text:?}");
    let Ok(span) = text.parse::<Span>() else { return Err(wrong) };
    match span.to_duration(SpanRelativeTo::days_are_24_hours()) {
        Ok(duration) if duration.subsec_nanos() == 0 => Ok(duration.as_secs()),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn lengths_are_read_with_their_units() {
        for (text, expected) in [
            ("0", 0),
            ("90", 90),
            ("90s", 90),
            ("0d", 0),
            ("15m", 900),
            ("12h", 43_200),
            ("90d", 7_776_000),
            ("2w", 1_209_600),
            ("5200w", 3_144_960_000),
            ("-1d", -86_400),
            ("+1d", 86_400),
            ("007d", 604_800),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("1.5h", 5400),
            ("2 days", 172_800),
            ("1w2d3h4m5s", 788_645),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "d",
            "1y",
            "2mo",
            "1dd",
            "1m1h",
            "0.5s",
            "9223372036854775807w",
            "9223372036854775808",
            "never",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
