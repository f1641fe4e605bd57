//! API tokens.

pub mod read;
pub mod verbs;
