//! Users.

pub(crate) mod configured;
pub(crate) mod read;
pub(crate) mod verbs;
