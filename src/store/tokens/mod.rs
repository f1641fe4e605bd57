//! API tokens.

pub(crate) mod read;
pub(crate) mod verbs;
