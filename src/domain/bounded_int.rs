//! Whole numbers with bounds.

use crate::domain::field::{Field, Invalid, Raw};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

/// The largest whole number that every reader of JSON keeps exactly (RFC 8259, section 6).
pub(crate) const EXACT_MAX: i64 = (1 << 53) - 1;

/// A whole number from `MIN` to `MAX`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BoundedInt<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Field for BoundedInt<MIN, MAX> {
    fn schema() -> Object {
        integer_schema(MIN, MAX)
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        raw.integer(MIN, MAX).map(Self)
    }
}

/// The schema of a 64-bit whole number from `min` to `max`.
pub(crate) fn integer_schema(min: i64, max: i64) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(min))
        .maximum(Some(max))
        .build()
}
