//! What a user has set, and what an engine is told of a meeting.

use crate::domain::EngineKey;
use crate::domain::vocabulary::{prompt, terms_in, terms_of};
use crate::domain::{Data, MeetingId, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use rusqlite::{Connection, OptionalExtension};

/// A user's own engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEngine {
    /// Where it is asked.
    pub url: String,
    /// The model that it is asked for.
    pub model: String,
    /// The key by which it is asked.
    pub key: Option<EngineKey>,
}

/// What a user has set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserTranscription {
    /// Their own engine.
    pub engine: Option<OwnEngine>,
    /// Names and terms.
    pub vocabulary: Vec<String>,
}

/// What a user has set; nothing, where there is no such user.
pub(crate) fn find(db: &Connection, user_id: UserId) -> rusqlite::Result<UserTranscription> {
    let mut find = db.prepare_cached(
        "SELECT url, model, key, vocabulary FROM user_transcription WHERE user_id = ?1",
    )?;
    let found = find.query_row([user_id], |row| {
        let (url, model): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
        let key = row.get(2)?;
        let engine = url.map(|url| OwnEngine { url, model: model.unwrap_or_default(), key });
        let vocabulary: Option<String> = row.get(3)?;
        Ok(UserTranscription { engine, vocabulary: terms_of(vocabulary.as_deref()) })
    });
    Ok(found.optional()?.unwrap_or_default())
}

impl Store {
    /// What a user has set, the key of their engine included; a small read.
    pub(crate) fn user_transcription(&self, user_id: UserId) -> Result<UserTranscription> {
        self.read(|db| find(db, user_id))
    }

    /// What engines are told of a meeting: its own vocabulary and its user's, at most about 200
    /// tokens. A small read.
    pub(crate) fn prompt_of(&self, id: MeetingId) -> Result<Option<String>> {
        let found = self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT user_id, data FROM meetings WHERE id = ?1")?;
            let meeting = select
                .query_row([id], |row| Ok((row.get::<_, UserId>(0)?, row.get::<_, Data>(1)?)));
            let Some((user_id, data)) = meeting.optional()? else { return Ok(None) };
            Ok(Some((find(db, user_id)?.vocabulary, data)))
        })?;
        let Some((of_user, data)) = found else { return Ok(None) };
        Ok(prompt(&terms_in(&data), &of_user))
    }
}
