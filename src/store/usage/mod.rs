//! Usage by user, token and day.

pub mod read;
pub mod verbs;
