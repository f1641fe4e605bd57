//! The arguments of a tool, laid out as its route takes them: in the path, the query and the body.

use crate::error::Result;
use crate::http::request::extractor::{FieldDoc, Parts, Place};
use crate::http::{Extractor, FromRequest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::cell::Cell;
use url::form_urlencoded;

/// The parts of a request, made of arguments.
pub(super) struct Arguments {
    /// The segments of the path by their names, encoded.
    path: Vec<(&'static str, String)>,
    query: String,
    body: Vec<u8>,
}

impl Arguments {
    /// Lays out what was sent for these fields; fails with a sentence for the model. What the
    /// values may be, the fields say when they are read.
    pub(super) fn of(
        fields: &[FieldDoc],
        mut sent: Map<String, Value>,
    ) -> std::result::Result<Self, String> {
        let mut path = Vec::new();
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut body = Map::new();
        let mut missing = Vec::new();
        for field in fields {
            let value = sent.remove(field.name).filter(|value| !value.is_null());
            match (field.place, value) {
                (Place::Path, None) => missing.push(field.name),
                (Place::Path, Some(value)) => {
                    let text = text_of(field.name, &value)?;
                    let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                    path.push((field.name, encoded));
                }
                (Place::Query, Some(value)) => {
                    query.append_pair(field.name, &text_of(field.name, &value)?);
                }
                (Place::Body, Some(value)) => {
                    body.insert(field.name.to_owned(), value);
                }
                (Place::Query | Place::Body, None) | (Place::Header | Place::Form, _) => {}
            }
        }
        if !missing.is_empty() {
            return Err(format!("Missing arguments: {}.", missing.join(", ")));
        }
        if let Some(unknown) = sent.keys().next() {
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            return Err(format!(
                "There is no argument {unknown:?}; there are: {}.",
                known.join(", ")
            ));
        }
        let has_body = fields.iter().any(|field| field.place == Place::Body);
        let body = if has_body { Value::Object(body).to_string() } else { String::new() };
        Ok(Self { path, query: query.finish(), body: body.into_bytes() })
    }

    /// Reads the input of a handler, as it would be read from a request.
    pub(super) fn read<I: FromRequest>(&self) -> Result<I> {
        let path = |name: &str| {
            let found = self.path.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        Extractor::fill(&Parts {
            path: &path,
            query: &self.query,
            body: &self.body,
            headers: None,
            streamed: Cell::default(),
        })
    }
}

/// A value as a path or a query has it.
fn text_of(name: &str, value: &Value) -> std::result::Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(format!("The argument {name:?} should be a text or a number."))
        }
    }
}
