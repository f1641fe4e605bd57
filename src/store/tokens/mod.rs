//! API tokens.

pub(crate) mod chain;
pub(crate) mod read;
pub(crate) mod rotate;
pub(crate) mod verbs;
