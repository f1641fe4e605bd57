//! Sessions of bots.

pub mod read;
pub mod verbs;
