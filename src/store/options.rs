//! How the store is opened.

use std::path::PathBuf;

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; it is created where it is missing, its folder is not.
    pub path: PathBuf,
    /// Connections for small reads: one for each thread that serves requests, so that none waits.
    pub small_readers: u32,
    /// Connections for long reads: one for each that may run at once.
    pub long_readers: u32,
    /// Most writes that wait; one more is refused with [`crate::error::Error::Busy`].
    pub queue_max: usize,
}
