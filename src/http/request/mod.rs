//! The request: its body, its fields, and the address of the client.

mod absent;
pub(crate) mod body;
pub mod body_rule;
pub(crate) mod called_as;
pub(crate) mod client_address;
pub mod extractor;
pub(crate) mod input;
mod members;
pub(crate) mod multipart;
mod nested;
pub(crate) mod query;
pub(crate) mod rows;
pub(crate) mod streamed;

pub(crate) use nested::{object_schema, schema_of_fields};
