//! A verb that is not written any more, and is replayed as it was.

use crate::domain::bot::session_alias;
use crate::domain::{Offset, SegmentInput, SentInstead, SentTime, Time, TokenHash};
use crate::error::{Error, Result};
use crate::store::segments::batch::{Batch, Prepared};
use crate::store::segments::row::identity;
use crate::store::segments::session::Session;
use crate::store::segments::streams::{self, Stream};
use crate::store::segments::verbs::Accepted;
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Stores what a bot heard in its session, before there were streams and drafts; what began at the
/// same time is replaced, whoever spoke.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreSegments {
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// The session, as the bot names it.
    pub uid: String,
    /// What was heard; of two that begin at the same time the later one counts.
    pub heard: Vec<HeardSegment>,
    /// The time of the change.
    pub now: Time,
}

/// A segment as it was sent then; `end` is after `start`.
#[derive(Debug, Serialize, Deserialize)]
pub struct HeardSegment {
    /// When it began.
    pub start: Offset,
    /// When it ended.
    pub end: Offset,
    /// The words.
    pub text: String,
    /// Who spoke.
    pub speaker: Option<String>,
    /// In which language.
    pub language: Option<String>,
}

impl HeardSegment {
    fn input(&self) -> SegmentInput {
        SegmentInput {
            segment_id: None,
            start: SentTime::Offset(self.start.0),
            end: SentTime::Offset(self.end.0),
            absolute: None,
            text: self.text.clone(),
            speaker: self.speaker.clone(),
            by_platform: false,
            language: self.language.clone(),
            completed: true,
        }
    }
}

impl Verb for StoreSegments {
    type Answer = Accepted;

    fn apply(&self, db: &Connection) -> Result<Accepted> {
        let session = Session::find(db, &self.token_hash, self.now)?
            .ok_or(Error::BotRefused(SentInstead::Nothing))?;
        if session.uid != self.uid || !session.is_open {
            return Err(Error::BotRefused(SentInstead::Nothing));
        }
        let mut latest = BTreeMap::new();
        for heard in &self.heard {
            latest.insert(heard.start, heard.input());
        }
        if latest.is_empty() {
            return Ok(Accepted::of(&session, 0, 0, None));
        }
        let stream = streams::find_or_begin(db, &session, &self.uid, session.started_at)?;
        let mut prepared = Vec::new();
        for input in latest.values() {
            let (start, end) = input.on_clock(stream.started_at);
            let identity = identity_at(db, &session, stream, start, input)?;
            prepared.push(Prepared { identity, start, end, input });
        }
        let mut batch = Batch::new(db, &session, self.now);
        batch.store_prepared(stream, prepared)?;
        let more_ms = batch.more_ms;
        let news = batch.news(session_alias(&self.uid))?;
        Ok(Accepted::of(&session, latest.len(), more_ms, news))
    }

    fn change(&self, accepted: &Accepted) -> Option<Change> {
        accepted.news.clone().map(Change::SegmentsStored)
    }
}

/// The identity of what began then, or that of a new segment.
fn identity_at(
    db: &Connection,
    session: &Session,
    stream: Stream,
    start: Time,
    input: &SegmentInput,
) -> Result<String> {
    let mut find = db.prepare_cached(
        "SELECT identity FROM segments
         WHERE meeting_id = ?1 AND absolute_start = ?2 AND stream_id = ?3 ORDER BY id LIMIT 1",
    )?;
    let found = find.query_row(params![session.meeting_id, start, stream.id], |row| row.get(0));
    if let Some(found) = found.optional()? {
        return Ok(found);
    }
    let start_ms = start.as_millis() - stream.started_at.as_millis();
    Ok(identity(None, stream.id, start_ms, input.speaker.as_deref()))
}
