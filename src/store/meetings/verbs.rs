//! Writes of meetings besides their status: notes, redaction, deletion.

use crate::domain::{Data, Meeting, MeetingId, Time, UserId};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::meetings::read::MeetingName;
use crate::store::segments::revisions;
use crate::store::sounds::verbs::mark_sound_of_meeting;
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What stays of a meeting's data once its owner deleted it.
const KEPT_OF_DATA: [&str; 3] = ["status_transition", "completion_reason", "error"];

/// Changes what is noted about a meeting.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteMeeting {
    /// The meeting.
    pub name: MeetingName,
    /// The members of its data that change; the others stay.
    pub members: BTreeMap<String, Box<RawValue>>,
    /// The time of the change.
    pub now: Time,
}

impl Verb for NoteMeeting {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut meeting = self.name.find(db)?;
        if meeting.native_meeting_id.is_none() {
            // Its personal data were deleted, and none come back.
            return Err(self.name.missing());
        }
        let mut members = meeting.data.members();
        members.extend(self.members.iter().map(|(name, value)| (name.clone(), value.clone())));
        meeting.data = Data::of(&members);
        meeting.updated_at = meeting.updated_at.max(self.now);
        let mut update =
            db.prepare_cached("UPDATE meetings SET data = ?2, updated_at = ?3 WHERE id = ?1")?;
        update.execute(params![meeting.id, meeting.data, meeting.updated_at])?;
        Ok(meeting)
    }
}

/// Segments that are deleted in one transaction: other writes wait behind it.
const SEGMENTS_AT_ONCE: u16 = 200;

/// Whose segments are deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum TranscriptOf {
    /// Those of a meeting that is over.
    Meeting(MeetingName),
    /// Those of a user who has no bot in a meeting.
    User(UserId),
}

/// Deletes some segments, before what they belong to is deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeleteSegments {
    /// What they belong to.
    pub of: TranscriptOf,
}

impl Verb for DeleteSegments {
    /// Whether there are more.
    type Answer = bool;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let mut meeting_id = None;
        let (sql, id) = match &self.of {
            TranscriptOf::Meeting(name) => {
                let meeting = name.find(db)?;
                if !meeting.status.is_over() {
                    return Err(Error::NotOver(meeting.status));
                }
                meeting_id = Some(meeting.id);
                (
                    "SELECT id FROM segments WHERE meeting_id = ?1 ORDER BY absolute_start, id LIMIT ?2",
                    meeting.id.0,
                )
            }
            TranscriptOf::User(id) => {
                crate::store::users::verbs::check_deletable(db, *id)?;
                let sql = "SELECT s.id FROM meetings m JOIN segments s ON s.meeting_id = m.id WHERE m.user_id = ?1
                   ORDER BY m.id, s.absolute_start, s.id LIMIT ?2";
                (sql, id.0)
            }
        };
        let mut delete = db.prepare_cached(&format!("DELETE FROM segments WHERE id IN ({sql})"))?;
        let revision = meeting_id.map(|id| revisions::next(db, id)).transpose()?;
        let deleted = delete.execute(params![id, SEGMENTS_AT_ONCE])?;
        if let (Some(meeting_id), Some(revision), 1..) = (meeting_id, revision, deleted) {
            revisions::forget(db, meeting_id, revision)?;
        }
        Ok(deleted == usize::from(SEGMENTS_AT_ONCE))
    }
}

/// Deletes the transcript of a meeting that is over, and all personal data of it; the row stays.
#[derive(Debug, Serialize, Deserialize)]
pub struct RedactMeeting {
    /// The meeting.
    pub name: MeetingName,
    /// The time of the change.
    pub now: Time,
}

impl Verb for RedactMeeting {
    /// The meeting's id.
    type Answer = MeetingId;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<MeetingId> {
        let meeting = self.name.find(db)?;
        if !meeting.status.is_over() {
            return Err(Error::NotOver(meeting.status));
        }
        let mut members = meeting.data.members();
        members.retain(|name, _| KEPT_OF_DATA.contains(&name.as_str()));
        let data = Data::of(&members).with("redacted", Some(&true));
        let revision = revisions::next(db, meeting.id)?;
        mark_sound_of_meeting(db, meeting.id)?;
        let mut changed = 0;
        for sql in [
            "DELETE FROM segments WHERE meeting_id = ?1",
            "DELETE FROM renamed_speakers WHERE meeting_id = ?1",
            "DELETE FROM removed_segments WHERE meeting_id = ?1 AND segment_id <> ''",
            "DELETE FROM streams WHERE meeting_id = ?1",
            "DELETE FROM uploads WHERE meeting_id = ?1",
            "DELETE FROM deliveries WHERE meeting_id = ?1",
            "DELETE FROM event_parts WHERE meeting_id = ?1",
            "DELETE FROM shares WHERE meeting_id = ?1",
            "UPDATE sessions SET bot_name = '', language = NULL, token_hash = NULL
             WHERE meeting_id = ?1 AND (bot_name <> '' OR language IS NOT NULL OR token_hash IS NOT NULL)",
        ] {
            changed += db.prepare_cached(sql)?.execute([meeting.id])?;
        }
        let is_redacted = meeting.native_meeting_id.is_none()
            && meeting.constructed_meeting_url.is_none()
            && meeting.data.as_json() == data.as_json();
        if changed == 0 && is_redacted {
            // It was redacted before, and nothing is left to scrub.
            return Ok(meeting.id);
        }
        let mut redact = db.prepare_cached(
            "UPDATE meetings SET native_meeting_id = NULL, constructed_meeting_url = NULL, data = ?2, updated_at = max(updated_at, ?3) WHERE id = ?1",
        )?;
        redact.execute(params![meeting.id, data, self.now])?;
        revisions::forget(db, meeting.id, revision)?;
        crate::store::scrub::mark_for_scrub(db)?;
        Ok(meeting.id)
    }

    fn change(&self, id: &MeetingId) -> Option<Change> {
        Some(Change::MeetingRedacted(*id))
    }
}

/// Deletes a meeting that is over, with its session and its events. Its segments go first:
/// [`Store::delete_segments`].
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteMeeting {
    /// The meeting.
    pub name: MeetingName,
}

impl Verb for DeleteMeeting {
    /// The meeting's id.
    type Answer = MeetingId;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<MeetingId> {
        let meeting = self.name.find(db)?;
        if !meeting.status.is_over() {
            return Err(Error::NotOver(meeting.status));
        }
        mark_sound_of_meeting(db, meeting.id)?;
        db.prepare_cached("DELETE FROM meetings WHERE id = ?1")?.execute([meeting.id])?;
        crate::store::scrub::mark_for_scrub(db)?;
        Ok(meeting.id)
    }

    fn change(&self, id: &MeetingId) -> Option<Change> {
        Some(Change::MeetingRedacted(*id))
    }
}

impl Store {
    /// Deletes all segments, some in each transaction. An error on the way leaves the rest as it
    /// was.
    pub async fn delete_segments(&self, of: TranscriptOf) -> Result<()> {
        while self.write(DeleteSegments { of: of.clone() }).await? {}
        Ok(())
    }
}
