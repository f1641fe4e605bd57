//! Sounds: what comes in, whose it is, how much of it there is.

pub(crate) mod read;
pub(crate) mod recording;
pub(crate) mod verbs;
