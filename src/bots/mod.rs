//! Bots: starts and stops them, and supervises every meeting that is not over.

mod bridges;
mod launch;
mod meeting_ends;
mod meeting_task;
mod output;
mod runner;
mod runners;
mod running;
mod supervisor;
mod watch_registry;

pub(crate) use bridges::{BridgeSocket, Bridges};
pub use launch::LaunchSpec;
pub use running::RunPermit;
pub use supervisor::Supervisor;
pub use watch_registry::WatchRegistry;
