//! Sessions of bots.

pub(crate) mod bridge;
pub(crate) mod read;
pub(crate) mod verbs;
