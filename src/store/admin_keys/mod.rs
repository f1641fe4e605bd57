//! Named admin keys.

pub(crate) mod read;
pub(crate) mod verbs;
