//! The runners: processes, containers, and the demo bot.

pub mod demo;
pub mod docker;
pub mod process;
pub mod script;
