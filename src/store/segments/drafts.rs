//! When drafts are final: at the end of their meeting, or when they have not changed for a while.

use crate::domain::bot::session_alias;
use crate::domain::{Meeting, Time};
use crate::error::Result;
use crate::store::Store;
use crate::store::segments::row::{SegmentRow, row_at, row_columns};
use crate::store::segments::session::Session;
use crate::store::usage;
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A draft that has not changed for so long is final.
const SETTLES_AFTER_SECONDS: i64 = 60;
/// Streams that are looked up in one read.
const STREAMS_READ: u16 = 100;

impl Store {
    /// Makes all drafts final that have not changed for a minute.
    pub async fn settle_drafts(&self, now: Time) -> Result<()> {
        let any = "SELECT 1 FROM segments INDEXED BY drafts WHERE completed = 0 LIMIT 1";
        let rested_since = now.plus_seconds(-SETTLES_AFTER_SECONDS);
        while self.read(|db| db.prepare_cached(any)?.exists([]))? {
            let streams = self.read_long(move |db| streams_of_drafts(db, rested_since)).await?;
            for &stream_id in &streams {
                self.write(SettleDrafts { stream_id, rested_since, now }).await?;
            }
            if streams.len() < usize::from(STREAMS_READ) {
                break;
            }
        }
        Ok(())
    }
}

/// Some streams with drafts that have rested since then.
fn streams_of_drafts(db: &Connection, rested_since: Time) -> rusqlite::Result<Vec<i64>> {
    let mut list = db.prepare_cached(
        "SELECT DISTINCT stream_id FROM segments INDEXED BY drafts
         WHERE completed = 0 AND updated_at <= ?1 ORDER BY stream_id LIMIT ?2",
    )?;
    let streams = list.query_map(params![rested_since, STREAMS_READ], |row| row.get(0))?;
    streams.collect()
}

/// Makes the drafts of a stream final that have rested.
#[derive(Debug, Serialize, Deserialize)]
pub struct SettleDrafts {
    /// The stream.
    pub stream_id: i64,
    /// Drafts that have not changed since then.
    pub rested_since: Time,
    /// The time of the change.
    pub now: Time,
}

impl Verb for SettleDrafts {
    type Answer = Option<Arc<Stored>>;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let Some(session) = Session::of_stream(db, self.stream_id)? else { return Ok(None) };
        let mut settle = db.prepare_cached(concat!(
            "UPDATE segments SET completed = 1, unindexed_user_id = ?3
             WHERE stream_id = ?1 AND completed = 0 AND updated_at <= ?2 RETURNING ",
            row_columns!()
        ))?;
        let values = params![self.stream_id, self.rested_since, session.user_id];
        let rows = settle.query_map(values, row_at)?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<SegmentRow>>>()?;
        if rows.is_empty() {
            return Ok(None);
        }
        rows.sort_unstable_by_key(|row| row.id);
        let settled_ms = rows.iter().map(SegmentRow::counted_ms).sum();
        if let Some(token_id) = session.token_id {
            usage::verbs::words_said(db, session.user_id, token_id, settled_ms, self.now)?;
        }
        let stored = Stored {
            meeting_id: session.meeting_id,
            platform: session.platform,
            native_meeting_id: session.native_meeting_id,
            session_uid: session_alias(&stream_uid(db, self.stream_id)?),
            segments: rows.iter().map(|row| row.shown(session.started_at)).collect(),
            removed: Vec::new(),
            at: self.now,
        };
        Ok(Some(Arc::new(stored)))
    }

    fn change(&self, stored: &Self::Answer) -> Option<Change> {
        stored.clone().map(Change::SegmentsStored)
    }
}

fn stream_uid(db: &Connection, stream_id: i64) -> rusqlite::Result<String> {
    let mut find = db.prepare_cached("SELECT uid FROM streams WHERE id = ?1")?;
    find.query_row([stream_id], |row| row.get(0))
}

/// Makes all drafts of a meeting final; how long they last, in milliseconds.
pub(crate) fn settle_meeting(db: &Connection, meeting: &Meeting) -> rusqlite::Result<i64> {
    let mut settle = db.prepare_cached(
        "UPDATE segments SET completed = 1, unindexed_user_id = ?2
         WHERE completed = 0 AND stream_id IN (SELECT id FROM streams WHERE meeting_id = ?1)
         RETURNING absolute_end - absolute_start",
    )?;
    let lengths = settle.query_map(params![meeting.id, meeting.user_id], |row| row.get(0))?;
    let lengths: Vec<i64> = lengths.collect::<rusqlite::Result<_>>()?;
    Ok(lengths.into_iter().sum())
}
