//! Free-form JSON that callers attach to their nouns.

use crate::domain::field::{Field, Invalid, Raw};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{PartialSchema, ToSchema};

/// Longest `data`, in bytes of JSON without white space.
pub(crate) const DATA_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting of `data`; the object itself is level 1.
pub(crate) const DATA_LEVELS_MAX: usize = 16;

/// A JSON object, kept to the letter but for white space between its parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Box<RawValue>);

impl Data {
    /// The object as JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// The members of the object, each to the letter.
    pub fn members(&self) -> BTreeMap<String, Box<RawValue>> {
        serde_json::from_str(self.as_json()).unwrap_or_default()
    }

    /// The object with these members, in the order of their names.
    pub fn of(members: &BTreeMap<String, Box<RawValue>>) -> Self {
        serde_json::value::to_raw_value(members).map_or_else(|_| Self::default(), Self)
    }

    /// The object with this member set, or removed where there is no value.
    #[must_use]
    pub fn with<T: Serialize>(&self, name: &str, value: Option<&T>) -> Self {
        let mut members = self.members();
        match value.and_then(|value| serde_json::value::to_raw_value(value).ok()) {
            Some(value) => _ = members.insert(name.to_owned(), value),
            None => _ = members.remove(name),
        }
        Self::of(&members)
    }

    /// A member that is text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.member(name)
    }

    /// A member that is true or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.member(name)
    }

    fn member<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.members().get(name).and_then(|value| serde_json::from_str(value.get()).ok())
    }

    /// Wraps text that was valid when it was stored; anything that is no JSON reads as an empty
    /// object.
    pub fn stored(text: String) -> Self {
        RawValue::from_string(text).map_or_else(|_| Self::default(), Self)
    }
}

impl Default for Data {
    fn default() -> Self {
        Self(
            serde_json::value::to_raw_value(&serde_json::Map::new())
                .unwrap_or_else(|_| RawValue::NULL.to_owned()),
        )
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl PartialSchema for Data {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        <Self as Field>::schema().into()
    }
}

impl ToSchema for Data {}

impl Field for Data {
    fn schema() -> Object {
        let about = format!(
            "A JSON object of at most {DATA_BYTES_MAX} bytes and {DATA_LEVELS_MAX} levels."
        );
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(about))
            .examples([serde_json::json!({})])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let Raw::Json(json) = raw else { return Err(not_an_object()) };
        let text = compact(json.get());
        if text.len() > DATA_BYTES_MAX {
            let msg = format!("Data should have at most {DATA_BYTES_MAX} bytes");
            return Err(Invalid::new("too_long", msg).with("max_length", DATA_BYTES_MAX));
        }
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            Invalid::new("json_invalid", format!("Data should be JSON that can be kept: {error}"))
        })?;
        if !value.is_object() {
            return Err(not_an_object());
        }
        if levels(&value) > DATA_LEVELS_MAX {
            let msg = format!("Data should have at most {DATA_LEVELS_MAX} levels");
            return Err(Invalid::new("recursion_loop", msg).with("max_levels", DATA_LEVELS_MAX));
        }
        Ok(Self::stored(text))
    }
}

fn not_an_object() -> Invalid {
    Invalid::new("dict_type", "Input should be a valid dictionary")
}

/// How deeply a value is nested.
pub(crate) fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

/// Valid JSON without the white space between its tokens.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            let keep = in_string || !matches!(c, ' ' | '\t' | '\n' | '\r');
            in_string ^= c == '"' && !escaped;
            escaped = in_string && c == '\\' && !escaped;
            keep
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<String, &'static str> {
        let raw: &RawValue = serde_json::from_str(json).expect(json);
        Data::read(Raw::Json(raw)).map(|data| data.as_json().to_owned()).map_err(|error| error.kind)
    }

    #[test]
    fn a_member_is_set_and_the_others_stay_to_the_letter() {
        let data = Data::stored(r#"{"n":123456789012345678901234567890,"a":"x"}"#.to_owned());
        let set = data.with("b", Some(&"y"));
        assert_eq!(set.as_json(), r#"{"a":"x","b":"y","n":123456789012345678901234567890}"#);
        assert_eq!(
            set.with::<()>("a", None).as_json(),
            r#"{"b":"y","n":123456789012345678901234567890}"#
        );
        assert_eq!(
            (set.text("b").as_deref(), set.text("n"), set.text("c")),
            (Some("y"), None, None)
        );
    }

    #[test]
    fn objects_are_kept_to_the_letter() {
        let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(DATA_BYTES_MAX));
        for (json, expected) in [
            ("{}", Ok("{}".to_owned())),
            (r#"{ "b" : 1 , "a": " x \" \\" }"#, Ok(r#"{"b":1,"a":" x \" \\"}"#.to_owned())),
            (
                r#"{"n":123456789012345678901234567890}"#,
                Ok(r#"{"n":123456789012345678901234567890}"#.to_owned()),
            ),
            (&deep(DATA_LEVELS_MAX), Ok(deep(DATA_LEVELS_MAX))),
            (&deep(DATA_LEVELS_MAX + 1), Err("recursion_loop")),
            (&long, Err("too_long")),
            ("[]", Err("dict_type")),
            ("\"x\"", Err("dict_type")),
            (r#"{"a":1e999}"#, Err("json_invalid")),
            (r#"{"a":"\ud800"}"#, Err("json_invalid")),
        ] {
            assert_eq!(read(json), expected, "{json:.60}");
        }
    }
}
