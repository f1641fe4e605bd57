//! What has changed of a transcript since a client read it. Each change makes a revision of it; a
//! segment has that in which it changed last, and segments that are gone are noted with theirs.
//!
//! Revisions are numbers of one meeting and never come back: what goes last leaves a note behind,
//! and the notes that are forgotten leave one with an empty id, which stands for all of them.

use crate::domain::{MeetingId, Segment, SegmentId, Time, TranscriptCursor};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::pages::{Page, page};
use crate::store::segments::read::{segment_at, segment_columns};
use rusqlite::{Connection, OptionalExtension, params};

/// Removed segments of a meeting that are noted at least: the last ones. Whoever missed more gets
/// the whole transcript.
const REMOVED_KEPT: i64 = 1000;
/// Older notes are forgotten at each revision that this divides.
const FORGOTTEN_EACH: i64 = 64;
/// The id of the note that stands for all that were forgotten.
const FORGOTTEN: &str = "";

/// What a client has to learn of a transcript before its segments.
#[derive(Debug, Clone)]
pub(crate) struct TranscriptChanges {
    /// What it sends next time.
    pub cursor: TranscriptCursor,
    /// Only segments of later revisions are new to it; `None` where it gets all of them.
    pub after: Option<i64>,
    /// The ids of segments that are gone since.
    pub removed: Vec<String>,
}

/// Where a page ended: a revision, and the last segment of it.
pub(crate) type RevisionPlace = (i64, SegmentId);

/// The latest revision of a transcript; 0 where nothing has changed since there are revisions.
fn latest(db: &Connection, id: MeetingId) -> rusqlite::Result<i64> {
    let mut latest = 0;
    for sql in [
        "SELECT revision FROM segments INDEXED BY segments_by_revision
         WHERE meeting_id = ?1 AND revision > 0 ORDER BY revision DESC LIMIT 1",
        "SELECT revision FROM removed_segments WHERE meeting_id = ?1 ORDER BY revision DESC LIMIT 1",
    ] {
        let found = db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
        latest = latest.max(found.unwrap_or(0));
    }
    Ok(latest)
}

/// The revision that the next change makes.
pub(crate) fn next(db: &Connection, id: MeetingId) -> rusqlite::Result<i64> {
    Ok(latest(db, id)? + 1)
}

/// The same, and now and then the oldest notes are forgotten.
pub(crate) fn begin_next(db: &Connection, id: MeetingId) -> rusqlite::Result<i64> {
    let revision = next(db, id)?;
    if revision % FORGOTTEN_EACH == 0 {
        let mut find = db.prepare_cached(
            "SELECT revision FROM removed_segments WHERE meeting_id = ?1
             ORDER BY revision DESC LIMIT 1 OFFSET ?2",
        )?;
        let oldest = find.query_row(params![id, REMOVED_KEPT], |row| row.get(0)).optional()?;
        if let Some(up_to) = oldest {
            forget(db, id, up_to)?;
        }
    }
    Ok(revision)
}

/// Notes that a segment is gone.
pub(crate) fn note_removed(
    db: &Connection,
    id: MeetingId,
    revision: i64,
    segment_id: &str,
) -> rusqlite::Result<()> {
    let mut note = db.prepare_cached(
        "INSERT INTO removed_segments (meeting_id, revision, segment_id) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
    )?;
    note.execute(params![id, revision, segment_id])?;
    Ok(())
}

/// Forgets which segments went up to a revision: whoever has not heard of it gets the whole
/// transcript.
pub(crate) fn forget(db: &Connection, id: MeetingId, up_to: i64) -> rusqlite::Result<()> {
    let mut forget =
        db.prepare_cached("DELETE FROM removed_segments WHERE meeting_id = ?1 AND revision <= ?2")?;
    forget.execute(params![id, up_to])?;
    note_removed(db, id, up_to, FORGOTTEN)
}

/// The revision up to which it is not known any more which segments went.
fn forgotten(db: &Connection, id: MeetingId) -> rusqlite::Result<i64> {
    let mut oldest = db.prepare_cached(
        "SELECT revision, segment_id FROM removed_segments WHERE meeting_id = ?1
         ORDER BY revision, segment_id LIMIT 1",
    )?;
    let oldest = oldest
        .query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    match oldest {
        Some((revision, segment_id)) if segment_id == FORGOTTEN => Ok(revision),
        _ => Ok(0),
    }
}

/// Notes that a backup took the place of the database: cursors from before lead nowhere.
pub(crate) fn note_restore(db: &Connection, at: Time) -> rusqlite::Result<()> {
    let sql = "INSERT INTO last_restore (id, at) VALUES (1, ?1)
               ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    db.execute(sql, [at])?;
    Ok(())
}

fn cursor(db: &Connection, meeting_id: MeetingId) -> rusqlite::Result<TranscriptCursor> {
    let restored_at = db
        .prepare_cached("SELECT at FROM last_restore")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(TranscriptCursor {
        meeting_id,
        restored_at_ms: restored_at.unwrap_or(0),
        revision: latest(db, meeting_id)?,
    })
}

fn changes(
    db: &Connection,
    id: MeetingId,
    after: Option<TranscriptCursor>,
) -> rusqlite::Result<TranscriptChanges> {
    let cursor = cursor(db, id)?;
    let whole = TranscriptChanges { cursor, after: None, removed: Vec::new() };
    let Some(after) = after.filter(|after| after.leads_to(cursor)) else { return Ok(whole) };
    if after.revision < forgotten(db, id)? {
        return Ok(whole);
    }
    let mut list = db.prepare_cached(
        "SELECT segment_id FROM removed_segments
         WHERE meeting_id = ?1 AND revision > ?2 AND segment_id <> ''
         ORDER BY revision, segment_id",
    )?;
    let mut removed: Vec<String> = Vec::new();
    for segment_id in list.query_map(params![id, after.revision], |row| row.get(0))? {
        removed.push(segment_id?);
    }
    removed.sort_unstable();
    removed.dedup();
    Ok(TranscriptChanges { cursor, after: Some(after.revision), removed })
}

impl Store {
    /// Where a transcript stands; a small read, whatever its length.
    pub(crate) fn transcript_cursor(&self, id: MeetingId) -> Result<TranscriptCursor> {
        self.read(|db| cursor(db, id))
    }

    /// What a client that has read up to a cursor must be told before the segments; a long read.
    pub(crate) async fn transcript_changes(
        &self,
        id: MeetingId,
        after: Option<TranscriptCursor>,
    ) -> Result<TranscriptChanges> {
        // As of one moment: no removal may fall between the cursor and the list.
        self.read_long(move |db| changes(&*db.unchecked_transaction()?, id, after)).await
    }

    /// A page of the segments of a meeting by the revision in which they changed last, behind a
    /// place; a long read.
    pub(crate) async fn changed_segments(
        &self,
        id: MeetingId,
        after: RevisionPlace,
    ) -> Result<Page<(RevisionPlace, Segment)>> {
        self.read_long(move |db| {
            let mut statement = db.prepare_cached(concat!(
                "SELECT ",
                segment_columns!(),
                ", s.revision FROM segments s INDEXED BY segments_by_revision
                 WHERE meeting_id = ?1 AND revision > 0 AND (revision, id) > (?2, ?3) ORDER BY revision, id"
            ))?;
            let values = params![id, after.0, after.1];
            page(statement.query(values)?, |row| {
                let (id, segment) = segment_at(row)?;
                let bytes = segment.text.len();
                Ok((((row.get(14)?, id), segment), bytes))
            })
        })
        .await
    }
}
