//! Sessions of bots.

pub(crate) mod read;
pub(crate) mod verbs;
