//! Segments, and the index of their words.

pub(crate) mod found;
pub(crate) mod index;
pub(crate) mod moving;
pub(crate) mod read;
pub(crate) mod search;
pub(crate) mod verbs;
