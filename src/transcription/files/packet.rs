//! A piece of a sound file, and what is said of a file that cannot be read.

use crate::error::{Error, Result};
use bytes::Bytes;
use std::io::ErrorKind;

/// A piece of a sound, as it is written into the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePacket {
    /// Where it begins, in samples of the format's rate.
    pub at: u64,
    /// Samples (S16le), or one Opus packet.
    pub payload: Bytes,
}

/// What is said of a file whose end is missing.
pub(super) const CUT_OFF: &str =
    "The file is cut off: it ends before its sound does. Send it again.";

/// The error of a file that cannot be read, with a sentence for whoever sent it.
pub(super) fn refused<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::UnreadableSound(why.into()))
}

/// The error of a file that the disk does not give, or that ends too early.
pub(super) fn unreadable(error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => Error::UnreadableSound(CUT_OFF.to_owned()),
        _ => Error::Internal(format!("a sound file cannot be read: {error}")),
    }
}
