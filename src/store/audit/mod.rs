//! The audit log: entries bound into a hash chain. It names no noun: an audited verb hands over its
//! own before and after.

pub mod audited;
pub mod log;
pub mod read;
pub mod verbs;
