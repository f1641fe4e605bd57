//! All that the file has of a user, in pages: each list by its key, oldest first.

use crate::domain::bot::session_alias;
use crate::domain::export::{
    ExportedDelivery, ExportedEndpoint, ExportedEntry, ExportedMeeting, ExportedSession,
    ExportedSpeakerEvent, ExportedToken, ExportedTranscription, ExportedUsage, ExportedWebhook,
};
use crate::domain::{
    Action, Data, Day, DeliveryId, MeetingId, SpeakerChange, Subject, TokenId, UsageCounts, User,
    UserId,
};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::doors::Store;
use crate::store::meetings::read::{meeting_at, meeting_columns};
use crate::store::pages::{Page, page};
use crate::store::tokens::read::{term_columns, terms_at};
use crate::store::user_transcription::read::{OwnEngine, UserTranscription};
use crate::store::users::read::find as find_user;
use crate::store::webhooks::read::{delivery_at, event_type, with_parts};
use crate::store::webhooks::settings::Webhook;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, Params, Row, params};
use serde::{Deserialize, Serialize};

/// What a speaker event takes besides its names, in bytes.
const EVENT_BYTES: usize = 200;

/// Notes in the audit log that all data of a user was exported.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteExport {
    /// The user.
    pub id: UserId,
}

impl Verb for NoteExport {
    type Answer = User;

    fn apply(&self, db: &Connection) -> Result<User> {
        find_user(db, self.id)?.ok_or(Error::UserNotFound)
    }
}

impl Audited for NoteExport {
    const ACTION: Action = Action::UserExport;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        Ok(find_user(db, self.id)?.as_ref().and_then(Snapshot::of))
    }

    fn after(&self, user: &User) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::User(self.id), Snapshot::of(user)))
    }
}

impl Store {
    /// A user and where their events go; small reads.
    pub fn export_head(
        &self,
        id: UserId,
    ) -> Result<(User, ExportedWebhook, Vec<ExportedEndpoint>)> {
        let user = self.read(|db| find_user(db, id))?.ok_or(Error::UserNotFound)?;
        let Webhook { url, secret, .. } = self.webhook(id)?;
        let first = ExportedWebhook { url, is_signed: secret.is_some() };
        let mut all = Vec::new();
        for webhook in self.webhooks(id)? {
            let Webhook { id, url, events, secret, created_at, .. } = webhook;
            let is_signed = secret.is_some();
            all.push(ExportedEndpoint { id, url, events, is_signed, created_at });
        }
        Ok((user, first, all))
    }

    /// What a user has set for the words of their sound, without the key; a small read.
    pub fn export_transcription(&self, id: UserId) -> Result<ExportedTranscription> {
        let UserTranscription { engine, vocabulary } = self.user_transcription(id)?;
        let (engine_url, model, key) = match engine {
            Some(OwnEngine { url, model, key }) => (Some(url), Some(model), key),
            None => (None, None, None),
        };
        Ok(ExportedTranscription { engine_url, model, has_key: key.is_some(), vocabulary })
    }

    /// Whether there is such a user; a small read.
    pub fn has_user(&self, id: UserId) -> Result<bool> {
        self.read(|db| find_user(db, id)).map(|user| user.is_some())
    }

    /// A page of a user's tokens behind this one; a long read.
    pub async fn export_tokens(&self, id: UserId, after: TokenId) -> Result<Page<ExportedToken>> {
        let sql = concat!(
            "SELECT t.id, t.hint, t.created_at, t.last_used_at, t.last_address, t.disabled_at, ",
            term_columns!(),
            " FROM tokens t WHERE t.user_id = ?1 AND t.id > ?2 ORDER BY t.id"
        );
        self.read_long(move |db| list(db, sql, params![id, after], token_at)).await
    }

    /// A page of a user's meetings behind this one, without what was said; a long read.
    pub async fn export_meetings(
        &self,
        id: UserId,
        after: MeetingId,
    ) -> Result<Page<ExportedMeeting>> {
        let sql = concat!(
            "SELECT ",
            meeting_columns!(),
            ", s.uid, s.bot_name, s.language, s.task, s.started_at
             FROM meetings m LEFT JOIN sessions s ON s.meeting_id = m.id WHERE m.user_id = ?1 AND m.id > ?2 ORDER BY m.id"
        );
        self.read_long(move |db| list(db, sql, params![id, after], exported_meeting_at)).await
    }

    /// The stream of a meeting behind this one; a small read.
    pub fn next_stream(&self, id: MeetingId, after: i64) -> Result<Option<i64>> {
        self.read(|db| {
            let sql = "SELECT min(id) FROM streams WHERE meeting_id = ?1 AND id > ?2";
            db.prepare_cached(sql)?.query_row(params![id, after], |row| row.get(0))
        })
    }

    /// A page of the speaker events of a stream behind this one, with their numbers; a long read.
    pub async fn export_speaker_events(
        &self,
        stream_id: i64,
        after: i64,
    ) -> Result<Page<(i64, ExportedSpeakerEvent)>> {
        let sql = "SELECT e.id, s.uid, e.at, e.is_start, e.participant, e.name
                   FROM streams s JOIN speaker_events e ON e.stream_id = s.id
                   WHERE s.id = ?1 AND e.id > ?2 ORDER BY e.id";
        self.read_long(move |db| list(db, sql, params![stream_id, after], speaker_event_at)).await
    }

    /// A page of a user's events behind this one; a long read.
    pub async fn export_deliveries(
        &self,
        id: UserId,
        after: DeliveryId,
    ) -> Result<Page<ExportedDelivery>> {
        let sql = concat!(
            "SELECT d.id, d.uid, ",
            event_type!(),
            ", d.meeting_id, d.created_at, d.attempts, d.next_at, d.delivered_at, d.last_status, d.last_error, d.webhook_id, d.body, d.parts
             FROM deliveries d WHERE d.user_id = ?1 AND d.id > ?2 ORDER BY d.id"
        );
        self.read_long(move |db| {
            list(db, sql, params![id, after], |row| exported_delivery_at(db, row))
        })
        .await
    }

    /// A page of what a user used, behind this day and token; a long read.
    pub async fn export_usage(
        &self,
        id: UserId,
        after: (Day, TokenId),
    ) -> Result<Page<ExportedUsage>> {
        let sql = "SELECT day, token_id, requests, bots, bot_ms, transcript_ms, sound_ms FROM usage
                   WHERE user_id = ?1 AND (day, token_id) > (?2, ?3) ORDER BY day, token_id";
        self.read_long(move |db| list(db, sql, params![id, after.0, after.1], usage_at)).await
    }

    /// A page of the entries of the audit log that concern a user, after this one; a long read.
    pub async fn export_audit(&self, id: UserId, after: i64) -> Result<Page<ExportedEntry>> {
        let sql = "SELECT a.id, a.at, a.actor, a.action, a.subject, a.subject_id, d.before, d.after
                   FROM audit a LEFT JOIN audit_details d ON d.audit_id = a.id
                   WHERE a.user_id = ?1 AND a.id > ?2 ORDER BY a.id";
        self.read_long(move |db| list(db, sql, params![id, after], entry_at)).await
    }
}

/// Reads a page; `read` gives the row and about how many bytes it takes.
fn list<T>(
    db: &Connection,
    sql: &str,
    values: impl Params,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<(T, usize)>,
) -> rusqlite::Result<Page<T>> {
    page(db.prepare_cached(sql)?.query(values)?, read)
}

fn token_at(row: &Row<'_>) -> rusqlite::Result<(ExportedToken, usize)> {
    let token = ExportedToken {
        id: row.get(0)?,
        hint: row.get(1)?,
        created_at: row.get(2)?,
        last_used_at: row.get(3)?,
        last_address: row.get(4)?,
        disabled_at: row.get(5)?,
        terms: terms_at(row, 6)?,
    };
    let bytes = token.terms.name.as_ref().map_or(0, String::len);
    Ok((token, bytes))
}

fn exported_meeting_at(row: &Row<'_>) -> rusqlite::Result<(ExportedMeeting, usize)> {
    let meeting = meeting_at(row, 0)?;
    let bytes = meeting.data.as_json().len();
    let session = match row.get::<_, Option<String>>(12)? {
        None => None,
        Some(uid) => Some(ExportedSession {
            uid: session_alias(&uid),
            bot_name: row.get(13)?,
            language: row.get(14)?,
            task: row.get(15)?,
            started_at: row.get(16)?,
        }),
    };
    let exported = ExportedMeeting {
        meeting,
        session,
        renamed_speakers: Vec::new(),
        segments: Vec::new(),
        withheld: Vec::new(),
        speaker_events: Vec::new(),
    };
    Ok((exported, bytes))
}

fn speaker_event_at(row: &Row<'_>) -> rusqlite::Result<((i64, ExportedSpeakerEvent), usize)> {
    let uid: String = row.get(1)?;
    let is_start: bool = row.get(3)?;
    let change = if is_start { SpeakerChange::Start } else { SpeakerChange::End };
    let event = ExportedSpeakerEvent {
        session_uid: session_alias(&uid),
        event_type: change.as_str(),
        participant_name: row.get(5)?,
        participant_id: row.get(4)?,
        timestamp: row.get(2)?,
    };
    let bytes = EVENT_BYTES + event.participant_name.len() + event.participant_id.len();
    Ok(((row.get(0)?, event), bytes))
}

fn exported_delivery_at(
    db: &Connection,
    row: &Row<'_>,
) -> rusqlite::Result<(ExportedDelivery, usize)> {
    let mut body: String = row.get(11)?;
    with_parts(db, &mut body, row.get(12)?)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let body = Data::stored(body);
    let bytes = body.as_json().len();
    Ok((ExportedDelivery { delivery: delivery_at(row)?, body }, bytes))
}

fn usage_at(row: &Row<'_>) -> rusqlite::Result<(ExportedUsage, usize)> {
    let usage = ExportedUsage {
        day: row.get(0)?,
        token_id: row.get(1)?,
        amounts: UsageCounts {
            requests: row.get(2)?,
            bots: row.get(3)?,
            bot_ms: row.get(4)?,
            transcript_ms: row.get(5)?,
            sound_ms: row.get(6)?,
        }
        .into(),
    };
    Ok((usage, 0))
}

fn entry_at(row: &Row<'_>) -> rusqlite::Result<(ExportedEntry, usize)> {
    let (before, after): (Option<Data>, Option<Data>) = (row.get(6)?, row.get(7)?);
    let bytes = [&before, &after].into_iter().flatten().map(|data| data.as_json().len()).sum();
    let entry = ExportedEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        subject_id: row.get(5)?,
        before,
        after,
    };
    Ok((entry, bytes))
}
