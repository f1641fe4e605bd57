//! Segments, their streams, and the search in them.

pub(crate) mod batch;
pub(crate) mod drafts;
pub(crate) mod found;
pub(crate) mod index;
pub(crate) mod moving;
pub(crate) mod older;
pub(crate) mod read;
pub(crate) mod revisions;
pub(crate) mod row;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod streams;
pub(crate) mod verbs;
