//! Corrections: other words in a line, another name of a speaker.

use crate::domain::bot::session_alias;
use crate::domain::{Action, Meeting, MeetingId, Segment, SegmentId, Subject, Time, UserId};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::corrections::read::names_shown_as;
use crate::store::meetings::gathered;
use crate::store::meetings::read::MeetingName;
use crate::store::segments::read::{segment_at, segment_columns};
use crate::store::segments::revisions;
use crate::store::segments::row::{SegmentRow, find, identities_of};
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Shows other words in a segment than those that came.
#[derive(Debug, Serialize, Deserialize)]
pub struct CorrectSegment {
    /// The meeting.
    pub name: MeetingName,
    /// The segment, by the id by which it is shown.
    pub segment_id: String,
    /// The words from now on; `None` takes the correction back.
    pub text: Option<String>,
    /// The time of the change.
    pub now: Time,
}

/// A segment after its correction.
#[derive(Debug)]
pub struct Corrected {
    /// As it is shown now.
    pub segment: Segment,
    id: SegmentId,
    meeting_id: MeetingId,
    user_id: UserId,
    /// What others must hear of; nothing where nothing was changed.
    news: Vec<Arc<Stored>>,
}

impl Verb for CorrectSegment {
    type Answer = Corrected;

    fn apply(&self, db: &Connection) -> Result<Corrected> {
        let meeting = self.name.find(db)?;
        let row = by_shown_id(db, meeting.id, &self.segment_id)?.ok_or(Error::SegmentNotFound)?;
        if !row.completed {
            return Err(Error::SegmentIsDraft);
        }
        // What came needs no correction.
        let text = self.text.as_ref().filter(|text| **text != row.text);
        let changed = if let Some(text) = text {
            let mut correct = db.prepare_cached(
                "INSERT INTO corrections (segment_id, text, corrected_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (segment_id) DO UPDATE
                       SET text = excluded.text, corrected_at = excluded.corrected_at
                       WHERE text <> excluded.text",
            )?;
            correct.execute(params![row.id, text, self.now])?
        } else {
            let sql = "DELETE FROM corrections WHERE segment_id = ?1";
            db.prepare_cached(sql)?.execute([row.id])?
        };
        let mut news = Vec::new();
        if changed > 0 {
            let revision = revisions::begin_next(db, meeting.id)?;
            let mut mark = db.prepare_cached(
                "UPDATE segments SET revision = ?2, unindexed_user_id = ?3 WHERE id = ?1",
            )?;
            mark.execute(params![row.id, revision, meeting.user_id])?;
            news = changed_in(db, &meeting, revision, self.now)?;
        }
        let segment = shown(db, row.id)?;
        let (meeting_id, user_id) = (meeting.id, meeting.user_id);
        Ok(Corrected { segment, id: row.id, meeting_id, user_id, news })
    }

    fn changes(&self, corrected: &Corrected) -> Vec<Change> {
        stored(&corrected.news)
    }
}

/// Without the words, which may be deleted while the entry stays.
impl Audited for CorrectSegment {
    const ACTION: Action = Action::TranscriptCorrect;

    fn after(&self, corrected: &Corrected) -> Option<(Subject, Option<Snapshot>)> {
        if corrected.news.is_empty() {
            return None;
        }
        let after = serde_json::json!({
            "user_id": corrected.user_id,
            "segment": corrected.id,
            "corrected": corrected.segment.corrected,
        });
        Some((Subject::Meeting(corrected.meeting_id), Snapshot::of(&after)))
    }
}

/// Gives a speaker another name, in all segments of a meeting, those too that come later.
#[derive(Debug, Serialize, Deserialize)]
pub struct RenameSpeaker {
    /// The meeting.
    pub name: MeetingName,
    /// The name as it is shown; `None` is those who have none.
    pub from: Option<String>,
    /// The name from now on; `None` takes back what was given.
    pub to: Option<String>,
    /// The time of the change.
    pub now: Time,
}

/// What was renamed.
#[derive(Debug)]
pub struct Renamed {
    /// How many segments show another name now.
    pub segments: usize,
    meeting_id: MeetingId,
    user_id: UserId,
    has_changed: bool,
    news: Vec<Arc<Stored>>,
}

impl Verb for RenameSpeaker {
    type Answer = Renamed;

    fn apply(&self, db: &Connection) -> Result<Renamed> {
        let meeting = self.name.find(db)?;
        let names = names_shown_as(db, meeting.id, self.from.as_deref().unwrap_or_default())?;
        if names.is_empty() {
            return Err(Error::SpeakerNotFound);
        }
        let is_over = meeting.status.is_over();
        let before = is_over.then(|| gathered::gathered(db, meeting.id)).transpose()?;
        let revision = revisions::begin_next(db, meeting.id)?;
        let mut has_changed = false;
        for name in &names {
            if self.name_anew(db, meeting.id, name)? {
                has_changed = true;
                mark_all_of(db, &meeting, name, revision)?;
            }
        }
        let news = changed_in(db, &meeting, revision, self.now)?;
        if let (true, Some(before)) = (has_changed, before) {
            gathered::gather_again(db, meeting.id, &before, self.now)?;
        }
        let segments = news.iter().map(|stored| stored.segments.len()).sum();
        let (meeting_id, user_id) = (meeting.id, meeting.user_id);
        Ok(Renamed { segments, meeting_id, user_id, has_changed, news })
    }

    fn changes(&self, renamed: &Renamed) -> Vec<Change> {
        stored(&renamed.news)
    }
}

impl RenameSpeaker {
    /// Names those who came by this name anew; whether that changes anything.
    fn name_anew(&self, db: &Connection, id: MeetingId, came_as: &str) -> rusqlite::Result<bool> {
        let new = self.to.as_deref().filter(|to| *to != came_as);
        let changed = if let Some(to) = new {
            let mut give = db.prepare_cached(
                "INSERT INTO renamed_speakers (meeting_id, speaker, name) VALUES (?1, ?2, ?3)
                     ON CONFLICT (meeting_id, speaker) DO UPDATE SET name = excluded.name
                       WHERE name <> excluded.name",
            )?;
            give.execute(params![id, came_as, to])?
        } else {
            let sql = "DELETE FROM renamed_speakers WHERE meeting_id = ?1 AND speaker = ?2";
            db.prepare_cached(sql)?.execute(params![id, came_as])?
        };
        Ok(changed > 0)
    }
}

/// Without the names, which may be deleted while the entry stays.
impl Audited for RenameSpeaker {
    const ACTION: Action = Action::SpeakerRename;

    fn after(&self, renamed: &Renamed) -> Option<(Subject, Option<Snapshot>)> {
        if !renamed.has_changed {
            return None;
        }
        let after = serde_json::json!({
            "user_id": renamed.user_id,
            "segments": renamed.segments,
            "renamed": self.to.is_some(),
        });
        Some((Subject::Meeting(renamed.meeting_id), Snapshot::of(&after)))
    }
}

fn stored(news: &[Arc<Stored>]) -> Vec<Change> {
    news.iter().cloned().map(Change::SegmentsStored).collect()
}

/// The segment of a meeting that is shown by this id.
fn by_shown_id(
    db: &Connection,
    id: MeetingId,
    segment_id: &str,
) -> rusqlite::Result<Option<SegmentRow>> {
    for identity in identities_of(segment_id) {
        let found = find(db, id, &identity)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn shown(db: &Connection, id: SegmentId) -> rusqlite::Result<Segment> {
    let sql = concat!("SELECT ", segment_columns!(), " FROM segments s WHERE s.id = ?1");
    let (_, segment) = db.prepare_cached(sql)?.query_row([id], segment_at)?;
    Ok(segment)
}

/// Marks the segments of those who came by this name: clients are to be told, and the word index
/// takes them in again.
fn mark_all_of(
    db: &Connection,
    meeting: &Meeting,
    came_as: &str,
    revision: i64,
) -> rusqlite::Result<()> {
    let mut mark = db.prepare_cached(
        "UPDATE segments SET revision = ?3, unindexed_user_id = iif(completed, ?4, NULL)
         WHERE meeting_id = ?1 AND coalesce(speaker, '') = ?2",
    )?;
    mark.execute(params![meeting.id, came_as, revision, meeting.user_id])?;
    Ok(())
}

/// What has changed in a revision of a transcript, by stream.
fn changed_in(
    db: &Connection,
    meeting: &Meeting,
    revision: i64,
    now: Time,
) -> rusqlite::Result<Vec<Arc<Stored>>> {
    let mut list = db.prepare_cached(concat!(
        "SELECT ",
        segment_columns!(),
        ", (SELECT uid FROM streams WHERE id = s.stream_id)
         FROM segments s INDEXED BY segments_by_revision
         WHERE s.meeting_id = ?1 AND s.revision = ?2 AND s.revision > 0
         ORDER BY s.stream_id, s.id"
    ))?;
    let mut rows = list.query(params![meeting.id, revision])?;
    let mut all: Vec<Stored> = Vec::new();
    while let Some(row) = rows.next()? {
        let (_, segment) = segment_at(row)?;
        let session_uid = session_alias(&row.get::<_, String>(14)?);
        match all.last_mut() {
            Some(latest) if latest.session_uid == session_uid => latest.segments.push(segment),
            _ => all.push(Stored {
                meeting_id: meeting.id,
                platform: meeting.platform.clone(),
                native_meeting_id: meeting.native_meeting_id.clone(),
                session_uid,
                segments: vec![segment],
                removed: Vec::new(),
                at: now,
            }),
        }
    }
    Ok(all.into_iter().map(Arc::new).collect())
}
