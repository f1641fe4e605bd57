//! The audit log: entries bound into a hash chain. It names no noun: an audited verb hands over its
//! own before and after.

pub(crate) mod audited;
pub(crate) mod log;
pub(crate) mod read;
pub(crate) mod verbs;
