//! Segments: what bots heard, by stream and identity.

use crate::domain::bot::session_alias;
use crate::domain::{
    SegmentInput, SentInstead, SentTime, SpeakerEvent, Time, TokenHash, TokenId, UserId,
};
use crate::error::{Error, Result};
use crate::store::meetings::gathered;
use crate::store::segments::batch::Batch;
use crate::store::segments::session::Session;
use crate::store::segments::streams::{self, Stream};
use crate::store::windows::name_again::part_again;
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Stores what a bot heard in a stream of its meeting: segments, and who spoke when. Segments of a
/// stream whose sound is heard here are left out.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreSegmentBatch {
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// The stream: the session of the bot, or a connection of its recogniser.
    pub uid: String,
    /// When a new stream began, where that is known.
    pub started_at: Option<Time>,
    /// What was heard.
    pub segments: Vec<SegmentInput>,
    /// Who began and ended to speak.
    pub events: Vec<SpeakerEvent>,
    /// The time of the change.
    pub now: Time,
}

/// Begins a stream of a meeting. One that has begun already keeps its start.
#[derive(Debug, Serialize, Deserialize)]
pub struct BeginStream {
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// The stream.
    pub uid: String,
    /// When it began.
    pub started_at: Time,
    /// The time of the change.
    pub now: Time,
}

/// Deletes segments that a bot takes back.
#[derive(Debug, Serialize, Deserialize)]
pub struct RetractSegments {
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// The segments, by the ids by which they are shown.
    pub segment_ids: Vec<String>,
    /// The time of the change.
    pub now: Time,
}

/// What became of what a bot heard.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// How many segments are stored, or deleted.
    pub accepted: usize,
    /// What the bot is to take for the language now.
    pub language: Option<String>,
    /// What the bot is to do now.
    pub task: Option<String>,
    /// Whose bot heard it.
    pub user_id: UserId,
    /// The API token by which that was sent; none if it was sent before these were noted.
    pub token_id: Option<TokenId>,
    /// How much longer what is stored lasts, in milliseconds; below 0 where it became shorter.
    pub more_ms: i64,
    pub(crate) news: Option<Arc<Stored>>,
}

impl Accepted {
    /// Of a batch in a session.
    pub(crate) fn of(
        session: &Session,
        accepted: usize,
        more_ms: i64,
        news: Option<Arc<Stored>>,
    ) -> Self {
        Self {
            accepted,
            language: session.language.clone(),
            task: session.task.clone(),
            user_id: session.user_id,
            token_id: session.token_id,
            more_ms,
            news,
        }
    }
}

impl StoreSegmentBatch {
    /// When the stream begins, if it is new and nobody says when: what was said last is new.
    fn begins_at(&self) -> Time {
        let mut latest_ms = 0;
        let times = self.segments.iter().flat_map(|segment| [segment.start, segment.end]);
        for time in times.chain(self.events.iter().map(|event| event.at)) {
            if let SentTime::Offset(millis) = time {
                latest_ms = latest_ms.max(millis);
            }
        }
        Time::from_millis(self.now.as_millis() - latest_ms)
    }
}

impl Verb for StoreSegmentBatch {
    type Answer = Accepted;

    fn apply(&self, db: &Connection) -> Result<Accepted> {
        let session = Session::find(db, &self.token_hash, self.now)?
            .ok_or(Error::BotRefused(SentInstead::Nothing))?;
        if self.segments.is_empty() && self.events.is_empty() {
            return Ok(Accepted::of(&session, 0, 0, None));
        }
        let started_at = self.started_at.unwrap_or_else(|| self.begins_at());
        let stream = streams::find_or_begin(db, &session, &self.uid, started_at)?;
        let gathered = match session.is_open {
            true => None,
            false => Some(gathered::gathered(db, session.meeting_id)?),
        };
        let has_new_events = streams::store_events(db, stream, &self.events)?;
        let mut batch = Batch::new(db, &session, self.now);
        // What is heard here is not told again by who brings the sound.
        let accepted = match has_sound(db, stream)? {
            true => 0,
            false => batch.store(stream, &self.segments)?,
        };
        if has_new_events {
            part_again(db, &mut batch, stream, self.now)?;
            batch.name_again(stream)?;
        }
        let more_ms = batch.more_ms;
        let news = batch.news(session_alias(&self.uid))?;
        if let Some(before) = gathered {
            gathered::gather_again(db, session.meeting_id, &before, self.now)?;
        }
        Ok(Accepted::of(&session, accepted, more_ms, news))
    }

    fn change(&self, accepted: &Accepted) -> Option<Change> {
        accepted.news.clone().map(Change::SegmentsStored)
    }
}

/// Whether the words of a stream are made here, of the sound that comes in it.
fn has_sound(db: &Connection, stream: Stream) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM sounds WHERE stream_id = ?1")?.exists([stream.id])
}

impl Verb for BeginStream {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let session = Session::find(db, &self.token_hash, self.now)?
            .ok_or(Error::BotRefused(SentInstead::Nothing))?;
        streams::find_or_begin(db, &session, &self.uid, self.started_at)?;
        Ok(())
    }
}

impl Verb for RetractSegments {
    type Answer = Accepted;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Accepted> {
        let session = Session::find(db, &self.token_hash, self.now)?
            .ok_or(Error::BotRefused(SentInstead::Nothing))?;
        let mut batch = Batch::new(db, &session, self.now);
        let retracted = batch.retract(&self.segment_ids)?;
        let more_ms = batch.more_ms;
        let news = batch.news(session_alias(&session.uid))?;
        Ok(Accepted::of(&session, retracted, more_ms, news))
    }

    fn change(&self, accepted: &Accepted) -> Option<Change> {
        accepted.news.clone().map(Change::SegmentsStored)
    }
}
