//! The latest time that the database knows: a clock that is far beyond it may be wrong.

use crate::domain::Time;
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

/// Notes the time; an earlier one changes nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteTime {
    /// The time.
    pub now: Time,
}

impl Verb for NoteTime {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut note = db.prepare_cached(
            "INSERT INTO clock (id, latest) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET latest = max(latest, excluded.latest)",
        )?;
        note.execute([self.now])?;
        Ok(())
    }
}

impl Store {
    /// The latest time that was noted; a small read.
    pub fn noted_time(&self) -> Result<Option<Time>> {
        self.read(|db| {
            let mut find = db.prepare_cached("SELECT latest FROM clock")?;
            find.query_row([], |row| row.get(0)).optional()
        })
    }

    /// When an administrator last changed something, for a file that no server has noted the time
    /// in; a small read.
    pub fn last_change(&self) -> Result<Option<Time>> {
        self.read(|db| {
            let mut find = db.prepare_cached("SELECT at FROM audit ORDER BY id DESC LIMIT 1")?;
            find.query_row([], |row| row.get(0)).optional()
        })
    }
}
