//! The ways to run a bot.

pub mod demo;
pub mod docker;
pub mod process;
pub mod script;
