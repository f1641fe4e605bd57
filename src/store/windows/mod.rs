//! Windows of sounds: each is a job until its words are stored.

pub(crate) mod draft;
pub(crate) mod lag;
pub(crate) mod name_again;
pub(crate) mod read;
pub(crate) mod split;
pub(crate) mod store_window;
pub(crate) mod verbs;

mod tests;
