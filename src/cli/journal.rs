//! Whether standard error is the journal of systemd.

use rustix::fs::fstat;
use std::io::stderr;

/// Whether `JOURNAL_STREAM` names the very file that standard error is (`systemd.exec(5)`): whoever
/// has inherited the variable, and writes elsewhere, gets no priorities into a file.
pub(super) fn is_standard_error() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let Ok(found) = fstat(stderr()) else { return false };
    named == format!("{}:{}", found.st_dev, found.st_ino)
}
