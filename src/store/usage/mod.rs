//! Usage by user, token and day.

pub(crate) mod read;
pub(crate) mod verbs;
