//! What was sent: its body, its fields, and from where it came.

pub mod body;
pub mod client_address;
pub mod extractor;
pub mod input;
mod nested;

pub use nested::object_schema;
