//! Alarms of meetings that go on and miss sound, words or names.

pub(crate) mod read;
pub(crate) mod verbs;
pub(crate) mod watched;

mod tests;
