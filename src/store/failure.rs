//! What a fault of SQLite means: for a caller, for the store, for a start.

use crate::error::Error;
use crate::exit::{Code, StartupError};
use rusqlite::ErrorCode;
use std::path::Path;
use tokio::sync::watch;

/// After a fault of the disk the outcome of a write is unknown, and asking again is answered with a
/// lie: stop.
pub(crate) fn fail_on(error: &Error, failed: &watch::Sender<Option<String>>) {
    let Error::StoreFailed(cause) = error else { return };
    failed.send_if_modified(|state| state.is_none() && state.replace(cause.clone()).is_none());
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase,
            ) => Self::StoreFailed(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// The sentence for a file that cannot be opened.
pub(crate) fn unusable(path: &Path, error: &rusqlite::Error) -> StartupError {
    let file = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StartupError::new(
            Code::DatabaseForeign,
            format!(
                "{file} is not a readable database ({error}); restore a backup or choose another file with --database."
            ),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StartupError::new(
            Code::DatabaseHeld,
            format!(
                "Another program has {file} open; close it (a database shell, say) and start again."
            ),
        ),
        _ => StartupError::new(
            Code::DatabaseUnusable,
            format!(
                "Cannot use the database {file} ({error}); check permissions and free space, or choose another file with --database."
            ),
        ),
    }
}
