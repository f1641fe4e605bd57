//! The word index: segments enter it once they rest, many in one verb.
//!
//! A segment grows while it is spoken, and FTS5 pays for every change: it takes the old words out
//! of its pages, and writes what it has in memory wherever ids do not ascend. So a segment that is new or
//! has other words than before is only marked (`unindexed_user_id`), and `moving.rs` finds it by
//! reading it. [`IndexSegments`] brings it in once it rests. What the index has of a segment that
//! is marked is old, and is passed over until then.

use crate::domain::search::searched;
use crate::domain::{MeetingId, SegmentId, Time, UserId};
use crate::error::Result;
use crate::store::corrections::shown::{shown_speaker, shown_text};
use crate::store::meetings::states::OPEN;
use crate::store::{Store, Verb};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// A segment that has not changed for so long rests.
const RESTS_AFTER_SECONDS: i64 = 20;
/// One after which another has begun in its meeting rests sooner: bots send the last few again and
/// again.
const FOLLOWED_RESTS_AFTER_SECONDS: i64 = 5;
/// Segments that are indexed in one verb: others wait behind it.
const INDEXED_AT_ONCE: usize = 200;
/// Segments that are looked up in one read.
const RESTING_READ: u16 = 1000;
/// Most segments of a meeting that a search reads by itself. This and the two below are part of what
/// `StoreSegments` does: they stay as its number stays.
const UNINDEXED_MAX: i64 = 200;
/// By how many the bounds of meetings differ: those that began together must not all write in the
/// same commit.
const UNINDEXED_SPREAD: i64 = 100;

/// The word that stands for a user in the index.
pub(crate) fn owner(id: UserId) -> String {
    format!("u{}", id.0)
}

impl Store {
    /// Brings all segments that rest into the index; how many they were.
    pub async fn index_resting(&self, now: Time) -> Result<usize> {
        let mut indexed = 0;
        while self.has_unindexed()? {
            let ids = self.read_long(move |db| resting(db, now)).await?;
            for ids in ids.chunks(INDEXED_AT_ONCE) {
                self.write(IndexSegments { ids: ids.to_vec() }).await?;
            }
            indexed += ids.len();
            if ids.len() < usize::from(RESTING_READ) {
                break;
            }
        }
        Ok(indexed)
    }

    /// Whether the index misses any segment; a small read.
    fn has_unindexed(&self) -> Result<bool> {
        let any = "SELECT 1 FROM segments INDEXED BY unindexed_segments WHERE unindexed_user_id IS NOT NULL LIMIT 1";
        self.read(|db| db.prepare_cached(any)?.exists([]))
    }
}

/// Some segments that rest at this time and are not in the index.
fn resting(db: &Connection, now: Time) -> rusqlite::Result<Vec<SegmentId>> {
    let mut list = db.prepare_cached(&format!(
        "SELECT s.id FROM segments s INDEXED BY unindexed_segments JOIN meetings m ON m.id = s.meeting_id
         WHERE s.unindexed_user_id IS NOT NULL
           AND (s.updated_at <= ?1
             OR m.status NOT IN {}
             OR (s.updated_at <= ?2
               AND EXISTS (SELECT 1 FROM segments n WHERE n.meeting_id = s.meeting_id AND n.absolute_start > s.absolute_start)))
         LIMIT ?3",
        *OPEN
    ))?;
    let rests_since = now.plus_seconds(-RESTS_AFTER_SECONDS);
    let followed_rests_since = now.plus_seconds(-FOLLOWED_RESTS_AFTER_SECONDS);
    let ids =
        list.query_map(params![rests_since, followed_rests_since, RESTING_READ], segment_id)?;
    ids.collect()
}

fn segment_id(row: &Row<'_>) -> rusqlite::Result<SegmentId> {
    row.get(0)
}

/// Brings segments into the index as they are now; those that are gone, or in it already, are
/// passed over.
#[derive(Debug, Serialize, Deserialize)]
pub struct IndexSegments {
    /// The segments.
    pub ids: Vec<SegmentId>,
}

impl Verb for IndexSegments {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        Ok(index(db, &self.ids)?)
    }
}

fn index(db: &Connection, ids: &[SegmentId]) -> rusqlite::Result<()> {
    let mut find = db.prepare_cached(concat!(
        "SELECT s.unindexed_user_id, ",
        shown_speaker!(),
        ", ",
        shown_text!(),
        " FROM segments s WHERE s.id = ?1 AND s.unindexed_user_id IS NOT NULL"
    ))?;
    let mut index = db.prepare_cached(
        "REPLACE INTO words (rowid, owner, speaker, text) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut mark =
        db.prepare_cached("UPDATE segments SET unindexed_user_id = NULL WHERE id = ?1")?;
    for id in ids {
        let found =
            find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((user_id, speaker, text)): Option<(UserId, Option<String>, String)> = found else {
            continue;
        };
        let speaker = speaker.as_deref().map(searched).unwrap_or_default();
        index.execute(params![id, owner(user_id), speaker, searched(&text)])?;
        mark.execute([id])?;
    }
    Ok(())
}

/// Most segments of this meeting that are not in the index: the bound, or somewhat fewer.
fn unindexed_max(meeting_id: MeetingId) -> i64 {
    // An odd step, so that ids that follow each other lie far apart.
    UNINDEXED_MAX - meeting_id.0.wrapping_mul(37).rem_euclid(UNINDEXED_SPREAD)
}

/// Keeps small what a search must read by itself: indexes a meeting's oldest segments where too
/// many are not.
pub(crate) fn index_oldest(
    db: &Connection,
    user_id: UserId,
    meeting_id: MeetingId,
) -> rusqlite::Result<()> {
    let mut too_many = db.prepare_cached(
        "SELECT 1 FROM segments INDEXED BY unindexed_segments
         WHERE unindexed_user_id = ?1 AND meeting_id = ?2 LIMIT 1 OFFSET ?3",
    )?;
    let bound = unindexed_max(meeting_id);
    if !too_many.exists(params![user_id, meeting_id, bound])? {
        return Ok(());
    }
    let mut list = db.prepare_cached(
        "SELECT id FROM segments INDEXED BY unindexed_segments
         WHERE unindexed_user_id = ?1 AND meeting_id = ?2 ORDER BY id DESC LIMIT -1 OFFSET ?3",
    )?;
    // Half of them stay: the index is written seldom, and no commit waits for very many.
    let kept = bound / 2;
    let oldest = list.query_map(params![user_id, meeting_id, kept], segment_id)?;
    let mut oldest: Vec<SegmentId> = oldest.collect::<rusqlite::Result<_>>()?;
    oldest.reverse();
    index(db, &oldest)
}
