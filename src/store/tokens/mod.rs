//! API tokens.

pub(crate) mod chain;
pub(crate) mod made;
pub(crate) mod read;
pub(crate) mod rotate;
pub(crate) mod search;
pub(crate) mod verbs;
