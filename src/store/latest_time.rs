//! The latest time that the database knows: a clock that is far beyond it may be wrong, and is doubted
//! until the server has run with it for long enough.

use crate::domain::Time;
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// How far the clock may be beyond the latest time that the database knows: a server may rest for a
/// weekend.
const LEAP_SECONDS_MAX: i64 = 72 * 3600;

/// A clock that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubtedClock {
    /// The time that servers have run with: all that the clock showed meanwhile is this or later.
    pub shown: Time,
    /// How long servers have run with it, in milliseconds.
    pub ran_ms: i64,
}

/// What is known of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTime {
    /// The latest time that is believed.
    pub latest: Time,
    /// Whether a server has noted it.
    pub is_noted: bool,
    /// The clock that is not believed, if there is one.
    pub doubted: Option<DoubtedClock>,
}

impl KnownTime {
    /// Whether a clock that shows this is too far ahead to be believed.
    pub fn is_leap(&self, now: Time) -> bool {
        now > self.latest.plus_seconds(LEAP_SECONDS_MAX)
    }
}

/// Notes the time that is believed, an earlier one changes nothing, and the clock that is not.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteTime {
    /// The time that is believed.
    pub now: Time,
    /// The clock that is not; none where the time is by the clock.
    #[serde(default)]
    pub doubted: Option<DoubtedClock>,
}

impl Verb for NoteTime {
    type Answer = ();

    /// Each sweep begins with it, and sweeps free space.
    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut note = db.prepare_cached(
            "INSERT INTO clock (id, latest, doubted_shown, doubted_ran_ms) VALUES (1, ?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET latest = max(latest, excluded.latest),
               doubted_shown = excluded.doubted_shown, doubted_ran_ms = excluded.doubted_ran_ms",
        )?;
        let shown = self.doubted.map(|doubted| doubted.shown);
        let ran_ms = self.doubted.map(|doubted| doubted.ran_ms);
        note.execute(params![self.now, shown, ran_ms])?;
        Ok(())
    }
}

impl Store {
    /// What is known of the time; where no server has noted it, the time of the last change by an
    /// administrator. `None` in a file in which nothing has happened. A small read.
    pub fn known_time(&self) -> Result<Option<KnownTime>> {
        self.read(|db| {
            let noted = "SELECT latest, doubted_shown, doubted_ran_ms FROM clock";
            let noted = db.prepare_cached(noted)?.query_row([], known_time_at).optional()?;
            if noted.is_some() {
                return Ok(noted);
            }
            let changed = "SELECT at FROM audit ORDER BY id DESC LIMIT 1";
            let changed = db.prepare_cached(changed)?.query_row([], |row| row.get(0)).optional()?;
            Ok(changed.map(|latest| KnownTime { latest, is_noted: false, doubted: None }))
        })
    }

    /// Whether the clock that shows this is not believed: then nothing is given up by its age.
    pub fn doubts(&self, now: Time) -> Result<bool> {
        Ok(self.known_time()?.is_some_and(|known| known.is_leap(now)))
    }
}

fn known_time_at(row: &Row<'_>) -> rusqlite::Result<KnownTime> {
    let shown: Option<Time> = row.get(1)?;
    let ran_ms: Option<i64> = row.get(2)?;
    let doubted = shown.zip(ran_ms).map(|(shown, ran_ms)| DoubtedClock { shown, ran_ms });
    Ok(KnownTime { latest: row.get(0)?, is_noted: true, doubted })
}
