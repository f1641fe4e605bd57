//! The one writer: verbs wait in a bounded queue, share a commit, and their callers get the result
//! after it.

pub mod job;
pub mod queue;
pub mod record;
pub mod thread;
pub mod verb;

pub use job::Written;
pub use record::{Recorded, RecordedVerb, Recorder};
pub use verb::{Change, Moved, Numbered, Stored, Verb};
