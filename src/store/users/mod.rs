//! Users.

pub(crate) mod configured;
pub(crate) mod read;
pub(crate) mod search;
pub(crate) mod verbs;
