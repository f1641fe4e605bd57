//! The request: its body, its fields, and the address of the client.

mod absent;
pub(crate) mod body;
pub(crate) mod client_address;
pub mod extractor;
pub(crate) mod input;
mod members;
mod nested;
pub(crate) mod rows;

pub(crate) use nested::object_schema;
