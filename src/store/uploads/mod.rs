//! Recordings that were uploaded, and who hands in sound.

pub(crate) mod import;
pub(crate) mod read;
pub(crate) mod verbs;
