//! Pruning of the audit log: entries that are older than their retention are deleted.

use crate::domain::{Action, Actor, Subject, Time};
use crate::error::Result;
use crate::store::audit::log::{Details, Snapshot, append, base, newest};
use crate::store::audit::read::hex;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Most entries that are deleted in one write.
const PRUNED_MAX: i64 = 1000;

/// Deletes the oldest entries, a bounded number of them, and appends an entry with the hash of the
/// last one deleted.
#[derive(Debug, Serialize, Deserialize)]
pub struct PruneAudit {
    /// The actor of the new entry: the server itself.
    pub actor: Actor,
    /// Entries before this time are deleted.
    pub before: Time,
}

impl Verb for PruneAudit {
    /// How many were deleted; 0 where nothing is left to delete.
    type Answer = i64;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<i64> {
        let (start, _) = base(db)?;
        let mut oldest =
            db.prepare_cached("SELECT id, hash, at FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let rows = oldest
            .query_map([start, PRUNED_MAX], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(i64, [u8; 32], Time)> = rows.collect::<rusqlite::Result<_>>()?;
        let (newest, _) = newest(db)?;
        let mut last_old = None;
        for (id, hash, at) in &rows {
            // The newest entry stays: the next one is bound to it.
            if *at >= self.before || *id >= newest {
                break;
            }
            last_old = Some((id, hash));
        }
        let Some((up_to, hash)) = last_old else { return Ok(0) };
        db.prepare_cached("DELETE FROM audit WHERE id <= ?1")?.execute([up_to])?;
        db.prepare_cached("DELETE FROM audit_base")?.execute([])?;
        db.prepare_cached("INSERT INTO audit_base (id, hash) VALUES (?1, ?2)")?
            .execute(params![up_to, hash])?;
        let after = Snapshot::of(&json!({ "hash": hex(hash), "up_to": up_to }));
        append(
            db,
            &self.actor,
            Action::AuditPrune,
            Subject::Audit,
            &Details { before: None, after },
        )?;
        Ok(up_to - start)
    }
}
