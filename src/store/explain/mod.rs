//! What happened to a meeting on the way to its words.

pub(crate) mod counts;
pub(crate) mod read;
