//! Yes or no.

use crate::domain::field::{Field, Invalid, Raw};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// In a query: `true`, `false`, `1` or `0`, and `True` or `False` as Python writes them; in a body:
/// JSON's own.
impl Field for bool {
    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::Boolean).build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        match raw {
            Raw::Text("true" | "True" | "1") => Ok(true),
            Raw::Text("false" | "False" | "0") => Ok(false),
            Raw::Text(_) => Err(Invalid::new(
                "bool_parsing",
                "Input should be a valid boolean, unable to interpret input",
            )),
            Raw::Json(json) => serde_json::from_str(json.get())
                .map_err(|_| Invalid::new("bool_type", "Input should be a valid boolean")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn flags_are_written_a_few_ways() {
        for (text, expected) in [
            ("true", Ok(true)),
            ("True", Ok(true)),
            ("1", Ok(true)),
            ("false", Ok(false)),
            ("False", Ok(false)),
            ("0", Ok(false)),
            ("", Err("bool_parsing")),
            ("yes", Err("bool_parsing")),
            ("TRUE", Err("bool_parsing")),
            ("true ", Err("bool_parsing")),
            ("01", Err("bool_parsing")),
        ] {
            assert_eq!(
                bool::read(Raw::Text(text)).map_err(|e| e.kind),
                expected,
                "{text:?} as text"
            );
        }
        for (json, expected) in [
            ("true", Ok(true)),
            ("false", Ok(false)),
            ("1", Err("bool_type")),
            ("\"true\"", Err("bool_type")),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            assert_eq!(bool::read(Raw::Json(raw)).map_err(|e| e.kind), expected, "{json} as JSON");
        }
    }
}
