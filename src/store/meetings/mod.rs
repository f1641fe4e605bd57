//! Meetings.

pub(crate) mod advance;
pub(crate) mod gathered;
pub(crate) mod planned;
pub(crate) mod read;
pub(crate) mod retention;
pub(crate) mod search;
pub(crate) mod states;
pub(crate) mod verbs;
pub(crate) mod within;
