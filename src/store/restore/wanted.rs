//! What a restore is told.

use crate::domain::Actor;
use crate::encryption::Identity;
use crate::store::stop::Stop;
use std::path::PathBuf;

/// What is to be restored.
pub(crate) struct Wanted {
    /// The database whose place the backup takes.
    pub database: PathBuf,
    /// The backup.
    pub backup: PathBuf,
    /// The private key of an encrypted one.
    pub identity: Option<Identity>,
    /// Files that are read for what is newer than the backup, beside the database itself.
    pub since: Vec<PathBuf>,
    /// Whether it is accepted that something newer cannot be known.
    pub without_old_file: bool,
    /// Who restores, and when.
    pub actor: Actor,
    /// Stops it, until the database is replaced.
    pub stop: Stop,
}
