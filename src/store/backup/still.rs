//! Whether a file is at rest: no server has it open, and no log lies beside it.

use crate::store::beside::beside;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A server has the file open.
#[derive(Debug)]
pub(in crate::store) struct InUse;

/// Keeps servers from opening the file as long as this is kept. Nothing is made beside it: where no
/// server ever had it open, there is nothing to hold.
pub(in crate::store) fn hold_still(path: &Path) -> Result<Option<File>, InUse> {
    let Ok(lock) = File::open(beside(path, ".lock")) else { return Ok(None) };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(InUse),
        _ => Ok(Some(lock)),
    }
}

/// A log beside the file that is not empty: it has what was written last, or belongs to another
/// file, which had the same name.
pub(in crate::store) fn find_log(path: &Path) -> Option<PathBuf> {
    let logs = ["-wal", "-journal"].map(|suffix| beside(path, suffix));
    logs.into_iter().find(|log| fs::metadata(log).is_ok_and(|found| found.len() > 0))
}
