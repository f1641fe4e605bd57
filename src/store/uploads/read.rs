//! Who hands in sound, and how much of it there was.

use crate::domain::{MeetingId, Time, TokenHash, TokenId, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::meetings::states::OPEN;
use crate::store::segments::session::ended_after;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashMap;

/// A meeting whose secret was brought, and to whom its sound is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecretsMeeting {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Whose it is.
    pub user_id: UserId,
    /// The API token by which its bot was sent.
    pub token_id: Option<TokenId>,
}

impl Store {
    /// The meeting with this secret, if it takes words now; a small read.
    pub(crate) fn secrets_meeting(
        &self,
        token_hash: &TokenHash,
        now: Time,
    ) -> Result<Option<SecretsMeeting>> {
        let sql = format!(
            "SELECT m.id, m.user_id, s.token_id
             FROM sessions s JOIN meetings m ON m.id = s.meeting_id
             WHERE s.token_hash = ?1 AND (m.status IN {} OR m.end_time > ?2)",
            *OPEN
        );
        let of_row = |row: &Row<'_>| {
            Ok(SecretsMeeting {
                meeting_id: row.get(0)?,
                user_id: row.get(1)?,
                token_id: row.get(2)?,
            })
        };
        self.read(|db| {
            let mut find = db.prepare_cached(&sql)?;
            find.query_row(params![token_hash, ended_after(now)], of_row).optional()
        })
    }
}

/// A recording whose words are to be made.
#[derive(Debug, Clone)]
pub(crate) struct DueUpload {
    /// Its meeting.
    pub meeting_id: MeetingId,
    /// Whose it is.
    pub user_id: UserId,
    /// The API token that its seconds are counted to.
    pub token_id: Option<TokenId>,
    /// The file in the folder of the spool.
    pub file: String,
    /// `wav` or `opus`, or what an engine takes as it is.
    pub format: String,
    /// Who speaks in which channel.
    pub speakers: Vec<String>,
    /// What is spoken.
    pub language: Option<String>,
    /// When it began.
    pub start_time: Time,
    /// How often it was tried.
    pub attempts: u32,
}

/// Why the file of a recording is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadNeed {
    /// It is still to be read.
    Waits,
    /// It was given up, and somebody may want to see it.
    GivenUp,
}

/// How far the words of a recording are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UploadProgress {
    /// Whether the recording itself needs no more work.
    pub is_spooled: bool,
    /// How much of its sounds has its words, in milliseconds.
    pub done_ms: i64,
    /// How long its sounds are together, as far as they are known.
    pub all_ms: i64,
    /// How many windows wait.
    pub waiting: i64,
}

impl Store {
    /// The recordings whose time has come, oldest first, and when the next one's comes; a small
    /// read.
    pub(crate) fn due_uploads(&self, now: Time, max: usize) -> Result<Vec<DueUpload>> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.read(|db| {
            let mut list = db.prepare_cached(
                "SELECT u.meeting_id, m.user_id, s.token_id, u.file, u.format, u.speakers, s.language,
                   s.started_at, u.attempts
                 FROM uploads u INDEXED BY uploads_waiting JOIN meetings m ON m.id = u.meeting_id
                   JOIN sessions s ON s.meeting_id = u.meeting_id
                 WHERE u.next_at <= ?1 ORDER BY u.meeting_id LIMIT ?2",
            )?;
            list.query_map(params![now, max], due_at)?.collect()
        })
    }

    /// The files of recordings that are still to be read or were given up; a small read.
    pub(crate) fn upload_files(&self) -> Result<HashMap<String, UploadNeed>> {
        self.read(|db| {
            let mut list = db.prepare_cached(
                "SELECT file, next_at IS NULL FROM uploads
                 WHERE next_at IS NOT NULL OR last_error IS NOT NULL",
            )?;
            let need = |row: &Row<'_>| {
                let is_given_up: bool = row.get(1)?;
                let need = if is_given_up { UploadNeed::GivenUp } else { UploadNeed::Waits };
                Ok((row.get(0)?, need))
            };
            list.query_map([], need)?.collect()
        })
    }

    /// How far the words of a recording are, and what went wrong last; `None` where the meeting is
    /// no recording. A small read.
    pub(crate) fn upload_progress(
        &self,
        id: MeetingId,
    ) -> Result<Option<(UploadProgress, Option<String>)>> {
        self.read(|db| {
            let mut find = db.prepare_cached(
                "SELECT u.next_at IS NULL, u.last_error,
                   max(u.duration_ms * max(1, json_array_length(u.speakers)),
                     (SELECT coalesce(sum(heard_ms), 0) FROM sounds WHERE meeting_id = ?1)),
                   (SELECT coalesce(sum(coalesce((SELECT min(start_ms) FROM windows
                      WHERE sound_id = s.id AND next_at IS NOT NULL), s.cut_ms)), 0)
                    FROM sounds s WHERE s.meeting_id = ?1),
                   (SELECT count(*) FROM windows w JOIN sounds s ON s.id = w.sound_id
                    WHERE s.meeting_id = ?1 AND w.next_at IS NOT NULL)
                   + (SELECT count(*) FROM sounds
                      WHERE meeting_id = ?1 AND (ended_at IS NULL OR heard_ms > cut_ms))
                 FROM uploads u WHERE u.meeting_id = ?1",
            )?;
            let found = find.query_row([id], |row| {
                let progress = UploadProgress {
                    is_spooled: row.get(0)?,
                    all_ms: row.get(2)?,
                    done_ms: row.get(3)?,
                    waiting: row.get(4)?,
                };
                Ok((progress, row.get(1)?))
            });
            found.optional()
        })
    }
}

fn due_at(row: &Row<'_>) -> rusqlite::Result<DueUpload> {
    let speakers: String = row.get(5)?;
    Ok(DueUpload {
        meeting_id: row.get(0)?,
        user_id: row.get(1)?,
        token_id: row.get(2)?,
        file: row.get(3)?,
        format: row.get(4)?,
        speakers: serde_json::from_str(&speakers).unwrap_or_default(),
        language: row.get(6)?,
        start_time: row.get(7)?,
        attempts: row.get(8)?,
    })
}
