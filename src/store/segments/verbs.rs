//! Segments: what bots heard, by session and start.

use crate::domain::{
    MeetingId, Offset, Platform, Segment, SegmentInput, SentInstead, Time, TokenHash, TokenId,
    UserId,
};
use crate::error::{Error, Result};
use crate::store::meetings::states::OVER;
use crate::store::writer::verb::{Change, Stored, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stores what a bot heard; what began at the same time in the same session is replaced.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreSegments {
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// The session, as the bot names it.
    pub uid: String,
    /// What was heard; of two that begin at the same time the later one counts.
    pub heard: Vec<SegmentInput>,
    /// The time of the change.
    pub now: Time,
}

/// What became of what a bot heard.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// How many segments are stored.
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
    news: Option<Arc<Stored>>,
}

impl Verb for StoreSegments {
    type Answer = Accepted;

    fn apply(&self, db: &Connection) -> Result<Accepted> {
        let session = Session::find(db, &self.token_hash, &self.uid)?
            .ok_or(Error::BotRefused(SentInstead::Nothing))?;
        let mut latest = BTreeMap::new();
        for heard in &self.heard {
            latest.insert(heard.start, heard);
        }
        let mut segments = Vec::new();
        let mut more_ms = 0;
        for heard in latest.values() {
            if let Some((segment, longer_ms)) = session.store(db, heard, self.now)? {
                segments.push(segment);
                more_ms += longer_ms;
            }
        }
        let mut news = None;
        if !segments.is_empty() {
            crate::store::segments::index::index_oldest(db, session.user_id, session.meeting_id)?;
            let stored = Stored {
                meeting_id: session.meeting_id,
                platform: session.platform,
                native_meeting_id: session.native_meeting_id,
                session_uid: self.uid.clone(),
                segments,
                at: self.now,
            };
            news = Some(Arc::new(stored));
        }
        Ok(Accepted {
            accepted: latest.len(),
            language: session.language,
            task: session.task,
            user_id: session.user_id,
            token_id: session.token_id,
            more_ms,
            news,
        })
    }

    fn change(&self, accepted: &Accepted) -> Option<Change> {
        accepted.news.clone().map(Change::SegmentsStored)
    }
}

/// The session that hears.
struct Session {
    id: i64,
    meeting_id: MeetingId,
    user_id: UserId,
    platform: Platform,
    native_meeting_id: Option<String>,
    started_at: i64,
    language: Option<String>,
    task: Option<String>,
    token_id: Option<TokenId>,
}

/// A row that is there already.
struct Present {
    id: i64,
    absolute_start: i64,
    created_at: Time,
    is_indexed: bool,
    heard: SegmentInput,
}

/// The segment as it is shown. It begins at this time on the clock, in milliseconds.
fn segment_of(heard: &SegmentInput, absolute_start: i64, created_at: Time) -> Segment {
    let duration_ms = heard.end.0 - heard.start.0;
    Segment {
        start: heard.start,
        end: heard.end,
        text: heard.text.clone(),
        language: heard.language.clone(),
        speaker: heard.speaker.clone(),
        created_at,
        absolute_start_time: Time::from_millis(absolute_start),
        absolute_end_time: Time::from_millis(absolute_start + duration_ms),
    }
}

impl Session {
    /// The session that both name, if its meeting is not over.
    fn find(db: &Connection, token_hash: &TokenHash, uid: &str) -> rusqlite::Result<Option<Self>> {
        let mut find = db.prepare_cached(&format!(
            "SELECT s.id, m.id, m.platform, m.native_meeting_id, s.started_at, s.language, s.task, m.user_id, s.token_id
             FROM sessions s JOIN meetings m ON m.id = s.meeting_id
             WHERE s.token_hash = ?1 AND s.uid = ?2 AND m.status NOT IN {}",
            *OVER
        ))?;
        find.query_row(params![token_hash, uid], |row| {
            Ok(Self {
                id: row.get(0)?,
                meeting_id: row.get(1)?,
                platform: row.get(2)?,
                native_meeting_id: row.get(3)?,
                started_at: row.get(4)?,
                language: row.get(5)?,
                task: row.get(6)?,
                user_id: row.get(7)?,
                token_id: row.get(8)?,
            })
        })
        .optional()
    }

    /// Inserts or replaces, and says by how many milliseconds it became longer; `None` where it was
    /// there to the letter, as when a bot sends twice.
    fn store(
        &self,
        db: &Connection,
        heard: &SegmentInput,
        now: Time,
    ) -> Result<Option<(Segment, i64)>> {
        let duration_ms = heard.end.0 - heard.start.0;
        let Some(row) = self.present(db, heard.start)? else {
            let absolute_start = self.started_at + heard.start.0;
            let segment = segment_of(heard, absolute_start, now);
            self.insert(db, &segment, now)?;
            return Ok(Some((segment, duration_ms)));
        };
        if row.heard == *heard {
            return Ok(None);
        }
        let segment = segment_of(heard, row.absolute_start, row.created_at);
        self.replace(db, &row, &segment, now)?;
        let longer_ms = heard.end.0 - row.heard.end.0;
        Ok(Some((segment, longer_ms)))
    }

    fn present(&self, db: &Connection, start: Offset) -> rusqlite::Result<Option<Present>> {
        let mut find = db.prepare_cached(
            "SELECT id, absolute_start, created_at, end_ms, text, speaker, language, unindexed_user_id IS NULL
             FROM segments WHERE session_id = ?1 AND start_ms = ?2",
        )?;
        find.query_row(params![self.id, start], |row| {
            let (end, text) = (row.get(3)?, row.get(4)?);
            let heard =
                SegmentInput { start, end, text, speaker: row.get(5)?, language: row.get(6)? };
            Ok(Present {
                id: row.get(0)?,
                absolute_start: row.get(1)?,
                created_at: row.get(2)?,
                is_indexed: row.get(7)?,
                heard,
            })
        })
        .optional()
    }

    fn insert(&self, db: &Connection, segment: &Segment, now: Time) -> Result<()> {
        let mut insert = db.prepare_cached(
            "INSERT INTO segments (meeting_id, session_id, start_ms, end_ms, absolute_start, absolute_end, text, speaker,
               language, created_at, updated_at, unindexed_user_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
        )?;
        insert.execute(params![
            self.meeting_id,
            self.id,
            segment.start,
            segment.end,
            segment.absolute_start_time,
            segment.absolute_end_time,
            segment.text,
            segment.speaker,
            segment.language,
            now,
            self.user_id
        ])?;
        Ok(())
    }

    /// Overwrites a row, which keeps its id, its place on the clock and the time of its creation.
    fn replace(&self, db: &Connection, row: &Present, segment: &Segment, now: Time) -> Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE segments SET end_ms = ?2, absolute_end = ?3, text = ?4, speaker = ?5, language = ?6, updated_at = ?7
             WHERE id = ?1",
        )?;
        update.execute(params![
            row.id,
            segment.end,
            segment.absolute_end_time,
            segment.text,
            segment.speaker,
            segment.language,
            now
        ])?;
        let has_other_words =
            (&row.heard.text, &row.heard.speaker) != (&segment.text, &segment.speaker);
        if has_other_words && row.is_indexed {
            let mut mark =
                db.prepare_cached("UPDATE segments SET unindexed_user_id = ?2 WHERE id = ?1")?;
            mark.execute(params![row.id, self.user_id])?;
        }
        Ok(())
    }
}
