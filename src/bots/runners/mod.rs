//! The runners: processes, containers, and the demo bot.

pub(crate) mod demo;
pub(crate) mod docker;
pub(crate) mod process;
pub(crate) mod script;
pub(crate) mod voice;
