//! Segments, and the index of their words.

pub mod found;
pub mod index;
pub mod moving;
pub mod read;
pub mod search;
pub mod verbs;
