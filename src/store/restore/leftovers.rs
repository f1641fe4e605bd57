//! The files that a restore or an import makes beside the database, and what a killed one leaves of
//! them.

use crate::store::beside::beside;
use std::fs;
use std::path::{Path, PathBuf};

/// The copy of the backup, while it is prepared.
const WORK: &str = ".restoring";
/// A copy of a file of an older version, which is read for what is newer than the backup.
const OLDER: &str = ".restoring-since";
/// The copy of the file that is replaced, until it is whole.
const KEEPING: &str = ".restoring-keep";
/// The decrypted backup, until it is the copy that is prepared.
const DECRYPTED: &str = ".restoring-decrypted";
/// The new database of an import, and what the dump said.
const IMPORTING: &str = ".importing";
const IMPORTING_SCRATCH: &str = ".importing-scratch";
/// What lies beside a database, and the database itself.
const PARTS: [&str; 6] = ["", "-wal", "-journal", "-shm", ".lock", ".ballast"];

/// The copy of the backup beside this database.
pub(super) fn work(database: &Path) -> PathBuf {
    beside(database, WORK)
}

/// The decrypted backup.
pub(super) fn decrypted(database: &Path) -> PathBuf {
    beside(database, DECRYPTED)
}

/// The upgraded copy of an older file.
pub(super) fn older(database: &Path) -> PathBuf {
    beside(database, OLDER)
}

/// The unfinished copy of the file that is replaced.
pub(super) fn keeping(database: &Path) -> PathBuf {
    beside(database, KEEPING)
}

/// The new database of an import, until it is whole.
pub(in crate::store) fn importing(database: &Path) -> PathBuf {
    beside(database, IMPORTING)
}

/// What the dump of an import said.
pub(in crate::store) fn importing_scratch(database: &Path) -> PathBuf {
    beside(database, IMPORTING_SCRATCH)
}

/// Removes what is left; the caller has locked the database. A copy of a backup has people in it
/// who were erased since.
pub(crate) fn remove(database: &Path) {
    for file in [
        work(database),
        decrypted(database),
        older(database),
        keeping(database),
        importing(database),
        importing_scratch(database),
    ] {
        remove_database(&file);
    }
}

/// Removes one of these files, with what lies beside it.
pub(super) fn remove_database(file: &Path) {
    for part in PARTS {
        let _ = fs::remove_file(beside(file, part));
    }
}
