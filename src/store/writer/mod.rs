//! The one writer: verbs wait in a bounded queue, share a commit, and their callers get the result
//! after it.

pub(crate) mod counters;
pub(crate) mod job;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod thread;
pub(crate) mod verb;
pub(crate) mod waiting;

pub use record::{Recorded, RecordedVerb, Recorder};
pub(crate) use verb::Moved;
pub use verb::{Change, Numbered, Reconfigured, Stored, Verb, WordsLate};
