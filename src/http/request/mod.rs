//! The request: its body, its fields, and the address of the client.

pub mod body;
pub mod client_address;
pub mod extractor;
pub mod input;
mod members;
mod nested;

pub use nested::object_schema;
