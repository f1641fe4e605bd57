//! Named admin keys.

pub mod read;
pub mod verbs;
