//! Share links: who may read the words of a meeting without a key.

pub(crate) mod read;
pub(crate) mod verbs;
