//! Meetings.

pub mod advance;
pub mod read;
pub mod retention;
pub mod verbs;
