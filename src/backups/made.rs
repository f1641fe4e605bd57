//! What is known of a backup: who asks for one, how it ended.

use crate::domain::{Actor, Time};
use crate::store::BackupReport;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use utoipa::ToSchema;

/// The last good backup in the folder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Good {
    /// As of which time it is.
    pub at: Time,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long it took; unknown of one that was made before the server started.
    pub took: Option<Duration>,
}

/// A backup into the folder that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct BackupFailure {
    /// When.
    pub at: Time,
    /// Why, in a sentence.
    #[schema(
        example = "There is no room for the backup in /backups: it takes 512 MiB, and 17 MiB are free."
    )]
    pub why: String,
}

/// A backup that was just made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The file.
    pub path: PathBuf,
    /// As of which time it is.
    pub at: Time,
    /// What is in it.
    pub report: BackupReport,
    /// The SHA-256 of the file in hexadecimal, where it is encrypted.
    pub sha256: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Who asks for a backup.
#[derive(Debug)]
pub(crate) struct Asked {
    /// As the audit log names them.
    pub actor: Actor,
    /// Whether they could delete old backups without the server as well. For others none is deleted.
    pub owns_database: bool,
}
