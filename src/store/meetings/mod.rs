//! Meetings.

pub mod advance;
pub mod read;
pub mod retention;
pub mod states;
pub mod verbs;
