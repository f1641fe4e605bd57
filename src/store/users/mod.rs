//! Users.

pub mod configured;
pub mod read;
pub mod verbs;
