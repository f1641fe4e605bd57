//! The entry of a backup in the audit log.

use crate::domain::{Action, Subject};
use crate::error::Result;
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::writer::verb::Verb;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Notes in the audit log that a backup begins: whoever has the file has all that is in the
/// database. The entry is in the backup too.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteBackup {
    /// Where the file is written.
    pub file: String,
}

impl Verb for NoteBackup {
    type Answer = ();

    fn apply(&self, _: &Connection) -> Result<()> {
        Ok(())
    }
}

impl Audited for NoteBackup {
    const ACTION: Action = Action::DatabaseBackup;

    fn after(&self, (): &()) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Database, Snapshot::of(self)))
    }
}
