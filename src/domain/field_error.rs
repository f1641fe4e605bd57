//! One fault of what a caller sent: which field, what is wrong with it, and what was sent there.

use crate::domain::field::Invalid;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// One fault of what a caller sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// The machine's word for it.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "missing")]
    pub kind: &'static str,
    /// Where it is: `body`, `query` or `path`, then the field.
    #[schema(schema_with = loc_schema)]
    pub loc: Vec<LocStep>,
    /// A sentence for a person.
    #[schema(example = "Field required")]
    pub msg: String,
    /// What was sent there.
    #[schema(value_type = Value)]
    pub input: SentValue,
    /// The limit that was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub ctx: Option<serde_json::Value>,
}

impl FieldError {
    /// A value at `loc` that was refused.
    pub fn new(loc: Vec<LocStep>, input: SentValue, invalid: Invalid) -> Self {
        Self { kind: invalid.kind, loc, msg: invalid.msg, input, ctx: invalid.ctx }
    }

    /// The name of the field; `None` where it is the body as a whole.
    pub(crate) fn field(&self) -> Option<String> {
        let names = self.loc.iter().filter_map(|step| match step {
            LocStep::Name(name) => Some(*name),
            LocStep::Number(_) => None,
        });
        names.skip(1).last().map(str::to_owned)
    }

    /// The field and the sentence.
    pub(crate) fn sentence(&self) -> String {
        match self.field() {
            Some(field) => format!("{field}: {}", self.msg),
            None => self.msg.clone(),
        }
    }
}

/// A list of names and offsets.
fn loc_schema() -> Array {
    let step =
        ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Integer]));
    ArrayBuilder::new().items(step).examples([serde_json::json!(["body", "email"])]).build()
}

/// One step on the way to a faulty value.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum LocStep {
    /// A part of the request, or a field.
    Name(&'static str),
    /// A place in a list from 0, or a byte offset in a body that is no JSON.
    Number(usize),
}

/// What was sent where the fault is.
#[derive(Debug, Clone)]
pub enum SentValue {
    /// A JSON value.
    Json(Box<RawValue>),
    /// Text of a path or a query.
    Text(String),
    /// Nothing.
    Nothing,
    /// What cannot be shown: a body that is no JSON.
    Unreadable,
}

impl Serialize for SentValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(raw) => raw.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Nothing => serializer.serialize_none(),
            Self::Unreadable => serde_json::Map::new().serialize(serializer),
        }
    }
}
