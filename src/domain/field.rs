//! What a caller may send: how a value is read, and how the API document describes it.

use serde_json::value::RawValue;
use utoipa::openapi::schema::Object;

/// Why a value was refused: the `type`, `msg` and `ctx` of a 422 entry, in the words that existing
/// clients parse.
#[derive(Debug, Clone, PartialEq)]
pub struct Invalid {
    /// The machine's word for it, such as `int_type`.
    pub kind: &'static str,
    /// The sentence for a person.
    pub msg: String,
    /// The limit that was broken, such as `{"ge": 0}`.
    pub ctx: Option<serde_json::Value>,
}

impl Invalid {
    /// A refusal without a limit to name.
    pub fn new(kind: &'static str, msg: impl Into<String>) -> Self {
        Self { kind, msg: msg.into(), ctx: None }
    }

    /// The same refusal with the limit that was broken.
    #[must_use]
    pub fn with(self, name: &str, limit: impl Into<serde_json::Value>) -> Self {
        Self { ctx: Some([(name.to_owned(), limit.into())].into_iter().collect()), ..self }
    }
}

/// A value as it arrived: JSON in a body, bare text in a path or a query.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    /// One JSON value, unparsed.
    Json(&'a RawValue),
    /// Decoded text of a path segment or a query parameter.
    Text(&'a str),
}

impl Raw<'_> {
    /// The value as a string; JSON of any other type is refused.
    pub fn string(self) -> Result<String, Invalid> {
        match self {
            Self::Text(text) => Ok(text.to_owned()),
            Self::Json(json) => serde_json::from_str(json.get()).map_err(|_| match json.get().starts_with('"') {
                true => Invalid::new(
                    "string_unicode",
                    "Input should be a valid string, unable to parse raw data as a unicode string",
                ),
                false => Invalid::new("string_type", "Input should be a valid string"),
            }),
        }
    }

    /// The value as a whole number between `min` and `max`; in JSON `5.0` is the whole number 5
    /// (JSON Schema 2020-12, 4.2.1), and so is `"5"`.
    pub fn integer(self, min: i64, max: i64) -> Result<i64, Invalid> {
        let wide = match self {
            Self::Text(text) => integer_in_text(text)?,
            Self::Json(json) => integer_in_json(json.get())?,
        };
        match i64::try_from(wide) {
            Ok(number) if number < min => Err(too_small(min)),
            Ok(number) if number <= max => Ok(number),
            Err(_) if wide < 0 => Err(too_small(min)),
            _ => Err(too_large(max)),
        }
    }
}

fn too_small(min: i64) -> Invalid {
    Invalid::new("greater_than_equal", format!("Input should be greater than or equal to {min}"))
        .with("ge", min)
}

fn too_large(max: i64) -> Invalid {
    Invalid::new("less_than_equal", format!("Input should be less than or equal to {max}"))
        .with("le", max)
}

/// Only the one way to write a number: no sign but `-`, no leading zero, no space.
fn integer_in_text(text: &str) -> Result<i128, Invalid> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0'));
    if digits.is_empty() || !plain {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        return Err(Invalid::new("int_parsing", msg));
    }
    Ok(text.parse().unwrap_or(if text.starts_with('-') { i128::MIN } else { i128::MAX }))
}

/// Digits in a text of a body, as programs send them that take every value from a form.
fn integer_in_quotes(json: &str) -> Result<i128, Invalid> {
    let text: String = serde_json::from_str(json).unwrap_or_default();
    let text = text.trim();
    let whole = text.trim_end_matches('0').strip_suffix('.').unwrap_or(text);
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole.strip_prefix('+').unwrap_or(whole)),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer_in_text("");
    }
    let significant = digits.trim_start_matches('0');
    let is_zero = significant.is_empty() && !digits.is_empty();
    integer_in_text(&format!("{sign}{}", if is_zero { "0" } else { significant }))
}

fn integer_in_json(json: &str) -> Result<i128, Invalid> {
    if json.starts_with('"') {
        return integer_in_quotes(json);
    }
    if !json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Err(Invalid::new("int_type", "Input should be a valid integer"));
    }
    if json.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
        return Ok(json.parse().unwrap_or(if json.starts_with('-') {
            i128::MIN
        } else {
            i128::MAX
        }));
    }
    let number: f64 = json.parse().unwrap_or(f64::NAN);
    if number.fract() != 0.0 {
        let msg = "Input should be a valid integer, got a number with a fractional part";
        return Err(Invalid::new("int_from_float", msg));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and any saturated number is out of every range"
    )]
    Ok(number as i128)
}

/// A type that a caller may send.
pub trait Field: Sized {
    /// Whether a fault must not show what was sent.
    const IS_SECRET: bool = false;

    /// How the API document describes it.
    fn schema() -> Object;

    /// Reads it, or says why not.
    fn read(raw: Raw<'_>) -> Result<Self, Invalid>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_one_way() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("7", Ok(7)),
            ("10", Ok(10)),
            ("-1", Err("greater_than_equal")),
            ("11", Err("less_than_equal")),
            ("99999999999999999999999999999999999999999", Err("less_than_equal")),
            ("-99999999999999999999999999999999999999999", Err("greater_than_equal")),
            ("+1", Err("int_parsing")),
            ("007", Err("int_parsing")),
            (" 1", Err("int_parsing")),
            ("1.0", Err("int_parsing")),
            ("", Err("int_parsing")),
            ("-", Err("int_parsing")),
            ("٣", Err("int_parsing")),
        ] {
            assert_eq!(
                Raw::Text(text).integer(0, 10).map_err(|e| e.kind),
                expected,
                "{text:?} as text"
            );
        }
        for (json, expected) in [
            ("5", Ok(5)),
            ("5.0", Ok(5)),
            ("5e0", Ok(5)),
            ("5.5", Err("int_from_float")),
            ("1e300", Err("less_than_equal")),
            ("-1", Err("greater_than_equal")),
            ("\"5\"", Ok(5)),
            ("\" 07 \"", Ok(7)),
            ("\"+5.00\"", Ok(5)),
            ("\"-0\"", Ok(0)),
            ("\"0\"", Ok(0)),
            ("\"10\"", Ok(10)),
            ("\"-1\"", Err("greater_than_equal")),
            ("\"99999999999999999999999999999999999999999\"", Err("less_than_equal")),
            ("\"5.5\"", Err("int_parsing")),
            ("\"five\"", Err("int_parsing")),
            ("\"\"", Err("int_parsing")),
            ("\".\"", Err("int_parsing")),
            ("\"- 1\"", Err("int_parsing")),
            ("\"\u{663}\"", Err("int_parsing")),
            ("true", Err("int_type")),
            ("null", Err("int_type")),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            assert_eq!(
                Raw::Json(raw).integer(0, 10).map_err(|e| e.kind),
                expected,
                "{json} as JSON"
            );
        }
    }

    #[test]
    fn strings_are_strings() {
        for (json, expected) in [
            (r#""a""#, Ok("a".to_owned())),
            (r#""\ud83d\ude00""#, Ok("😀".to_owned())),
            (r#""\ud800""#, Err("string_unicode")),
            ("1", Err("string_type")),
            ("[]", Err("string_type")),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            assert_eq!(Raw::Json(raw).string().map_err(|e| e.kind), expected, "{json}");
        }
    }
}
