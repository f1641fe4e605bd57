//! What counts as absent where something may be absent.

use crate::domain::field::Field;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{Object, SchemaType, Type};

/// Whether a member that may be absent says nothing: null, or an empty text where a text may be.
pub(super) fn is_nothing<T: Field>(json: &RawValue) -> bool {
    match json.get() {
        "null" => true,
        "\"\"" => is_text(&T::schema()),
        _ => false,
    }
}

/// Whether a field takes text.
pub(super) fn is_text(schema: &Object) -> bool {
    match &schema.schema_type {
        SchemaType::Type(one) => *one == Type::String,
        SchemaType::Array(several) => several.contains(&Type::String),
        SchemaType::AnyValue => false,
    }
}
