//! When drafts are final: at the end of their meeting, or when they have not changed for a while.

use crate::domain::bot::session_alias;
use crate::domain::{MeetingId, Time};
use crate::error::Result;
use crate::store::Store;
use crate::store::corrections::shown::Corrections;
use crate::store::segments::revisions;
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
        let Some(settled) = settle(db, &session, self.stream_id, self.rested_since, self.now)?
        else {
            return Ok(None);
        };
        if let Some(token_id) = session.token_id {
            usage::verbs::words_said(db, session.user_id, token_id, settled.lasts_ms, self.now)?;
        }
        Ok(Some(Arc::new(settled.stored)))
    }

    fn change(&self, stored: &Self::Answer) -> Option<Change> {
        stored.clone().map(Change::SegmentsStored)
    }
}

/// The drafts of a stream that were made final.
struct Settled {
    stored: Stored,
    /// How long they last, in milliseconds.
    lasts_ms: i64,
}

/// Makes the drafts of a stream final that have rested since then; `None` where there is none.
fn settle(
    db: &Connection,
    session: &Session,
    stream_id: i64,
    rested_since: Time,
    now: Time,
) -> rusqlite::Result<Option<Settled>> {
    let mut settle = db.prepare_cached(concat!(
        "UPDATE segments SET completed = 1, unindexed_user_id = ?3, revision = ?4
         WHERE stream_id = ?1 AND completed = 0 AND updated_at <= ?2 RETURNING ",
        row_columns!()
    ))?;
    let revision = revisions::next(db, session.meeting_id)?;
    let values = params![stream_id, rested_since, session.user_id, revision];
    let rows = settle.query_map(values, row_at)?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<SegmentRow>>>()?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.sort_unstable_by_key(|row| row.id);
    let lasts_ms = rows.iter().map(SegmentRow::counted_ms).sum();
    let corrections = Corrections::of(db, session.meeting_id)?;
    let mut segments = Vec::new();
    for row in &rows {
        let mut segment = row.shown(session.started_at);
        corrections.show(row.id, &mut segment)?;
        segments.push(segment);
    }
    let stored = Stored {
        meeting_id: session.meeting_id,
        platform: session.platform.clone(),
        native_meeting_id: session.native_meeting_id.clone(),
        session_uid: session_alias(&stream_uid(db, stream_id)?),
        segments,
        removed: Vec::new(),
        at: now,
    };
    Ok(Some(Settled { stored, lasts_ms }))
}

fn stream_uid(db: &Connection, stream_id: i64) -> rusqlite::Result<String> {
    let mut find = db.prepare_cached("SELECT uid FROM streams WHERE id = ?1")?;
    find.query_row([stream_id], |row| row.get(0))
}

/// Makes all drafts of a meeting final: what they are now, by stream, and how long they last, in
/// milliseconds.
pub(crate) fn settle_meeting(
    db: &Connection,
    id: MeetingId,
    now: Time,
) -> rusqlite::Result<(Vec<Arc<Stored>>, i64)> {
    let mut list = db.prepare_cached(
        "SELECT DISTINCT stream_id FROM segments INDEXED BY drafts
         WHERE completed = 0 AND stream_id IN (SELECT id FROM streams WHERE meeting_id = ?1)
         ORDER BY stream_id",
    )?;
    let streams = list.query_map([id], |row| row.get(0))?;
    let streams = streams.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut all = Vec::new();
    let mut lasts_ms = 0;
    for stream_id in streams {
        let Some(session) = Session::of_stream(db, stream_id)? else { continue };
        if let Some(settled) = settle(db, &session, stream_id, Time::from_millis(i64::MAX), now)? {
            lasts_ms += settled.lasts_ms;
            all.push(Arc::new(settled.stored));
        }
    }
    Ok((all, lasts_ms))
}
