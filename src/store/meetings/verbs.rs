//! What is changed of a meeting besides its status: notes, redaction, removal.

use crate::domain::{Data, Meeting, MeetingId, Time, UserId};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::meetings::read::MeetingName;
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
    /// Which.
    pub name: MeetingName,
    /// The members of its data that change; the others stay.
    pub members: BTreeMap<String, Box<RawValue>>,
    /// When.
    pub now: Time,
}

impl Verb for NoteMeeting {
    type Answer = Meeting;

    fn apply(&self, db: &Connection) -> Result<Meeting> {
        let mut meeting = self.name.find(db)?;
        let mut members = meeting.data.members();
        members.extend(self.members.iter().map(|(name, value)| (name.clone(), value.clone())));
        meeting.data = Data::of(&members);
        meeting.updated_at = self.now;
        let mut update = db.prepare_cached("UPDATE meetings SET data = ?2, updated_at = ?3 WHERE id = ?1")?;
        update.execute(params![meeting.id, meeting.data, self.now])?;
        Ok(meeting)
    }
}

/// Words that are removed in one transaction: others must not wait long behind it.
const WORDS_AT_ONCE: u16 = 200;

/// Whose words are removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum TranscriptOf {
    /// Those of a meeting that is over.
    Meeting(MeetingName),
    /// Those of a user who has no bot in a meeting.
    User(UserId),
}

/// Removes some words, before what they belong to is removed.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteSegments {
    /// Whose.
    pub of: TranscriptOf,
}

impl Verb for DeleteSegments {
    /// Whether there are more.
    type Answer = bool;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let (sql, id) = match &self.of {
            TranscriptOf::Meeting(name) => {
                let meeting = name.find(db)?;
                if !meeting.status.is_over() {
                    return Err(Error::NotOver(meeting.status));
                }
                ("SELECT id FROM segments WHERE meeting_id = ?1 ORDER BY absolute_start, id LIMIT ?2", meeting.id.0)
            }
            TranscriptOf::User(id) => {
                crate::store::users::verbs::check_removable(db, *id)?;
                let sql = "SELECT s.id FROM meetings m JOIN segments s ON s.meeting_id = m.id WHERE m.user_id = ?1
                   ORDER BY m.id, s.absolute_start, s.id LIMIT ?2";
                (sql, id.0)
            }
        };
        let mut remove = db.prepare_cached(&format!("DELETE FROM segments WHERE id IN ({sql})"))?;
        let removed = remove.execute(params![id, WORDS_AT_ONCE])?;
        Ok(removed == usize::from(WORDS_AT_ONCE))
    }
}

/// Removes the transcript of a meeting that is over, and all that is personal about it; the row stays.
#[derive(Debug, Serialize, Deserialize)]
pub struct RedactMeeting {
    /// Which.
    pub name: MeetingName,
    /// When.
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
        for sql in [
            "DELETE FROM segments WHERE meeting_id = ?1",
            "DELETE FROM deliveries WHERE meeting_id = ?1",
            "UPDATE sessions SET bot_name = '', language = NULL WHERE meeting_id = ?1",
        ] {
            db.prepare_cached(sql)?.execute([meeting.id])?;
        }
        let mut redact = db.prepare_cached(
            "UPDATE meetings SET native_meeting_id = NULL, constructed_meeting_url = NULL, data = ?2, updated_at = ?3 WHERE id = ?1",
        )?;
        redact.execute(params![meeting.id, data, self.now])?;
        crate::store::scrub::mark_for_scrub(db)?;
        Ok(meeting.id)
    }

    fn change(&self, id: &MeetingId) -> Option<Change> {
        Some(Change::MeetingRedacted(*id))
    }
}

/// Removes a meeting that is over, with its session and its events. Its words go first: [`Store::delete_segments`].
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteMeeting {
    /// Which.
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
        db.prepare_cached("DELETE FROM meetings WHERE id = ?1")?.execute([meeting.id])?;
        crate::store::scrub::mark_for_scrub(db)?;
        Ok(meeting.id)
    }

    fn change(&self, id: &MeetingId) -> Option<Change> {
        Some(Change::MeetingRedacted(*id))
    }
}

impl Store {
    /// Removes all words, a few at a time. What is refused on the way leaves the rest as it was.
    pub async fn delete_segments(&self, of: TranscriptOf) -> Result<()> {
        while self.write(DeleteSegments { of: of.clone() }).await? {}
        Ok(())
    }
}
