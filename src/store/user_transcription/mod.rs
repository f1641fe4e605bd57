//! What users set for the words of their sound: an engine of their own, and a vocabulary.

pub(super) mod read;
pub(super) mod verbs;
