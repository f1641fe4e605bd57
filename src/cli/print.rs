//! What is printed: answers on standard output, notes for people on standard error.

use crate::cli::progress;
use crate::cli::table::plain;
use crate::exit::{Code, StartupError};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints to standard output. That its reader has gone (`| head`) is no error; that it cannot be
/// written is one: the caller would believe to have what was lost.
pub(super) fn say(text: impl Display) -> Result<(), StartupError> {
    progress::clear();
    let mut out = io::stdout().lock();
    let written = write!(out, "{text}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let message = format!(
                "Standard output cannot be written ({error}); what was asked for is done, and its \
                 answer is lost or cut off."
            );
            Err(StartupError::new(Code::OutputLost, message))
        }
        Ok(()) => Ok(()),
    }
}

/// A note for people, on standard error; it stops nothing where that cannot be written.
pub(super) fn note(text: &str) {
    progress::clear();
    let _ = writeln!(io::stderr().lock(), "{}", plain(text));
}

/// A question for people, on standard error, without a line break behind it.
pub(super) fn prompt(text: &str) {
    progress::clear();
    let mut err = io::stderr().lock();
    let _ = write!(err, "{} ", plain(text)).and_then(|()| err.flush());
}
