//! The one writer: verbs wait in a bounded queue, share a commit, and are answered after it.

pub mod job;
pub mod queue;
pub mod thread;
pub mod verb;

pub use job::Written;
pub use verb::{Change, Moved, Stored, Verb};
