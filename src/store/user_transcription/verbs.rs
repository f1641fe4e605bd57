//! Writes of what users set for the words of their sound.

use crate::domain::EngineKey;
use crate::domain::{Patch, UserId};
use crate::error::{Error, Result};
use crate::store::user_transcription::read::{OwnEngine, UserTranscription, find};
use crate::store::users::read::find as find_user;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// An engine as it was sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct SentEngine {
    /// Where it is asked.
    pub url: String,
    /// The model that it is asked for.
    pub model: String,
    /// The key. Where none is sent, the one before stays if the address is the same: it is sent
    /// nowhere that it was not given for.
    pub key: Patch<EngineKey>,
}

/// Sets a user's own engine, their vocabulary, or both.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetUserTranscription {
    /// Whose they are.
    pub user_id: UserId,
    /// The engine.
    pub engine: Patch<SentEngine>,
    /// The vocabulary; without it as before.
    pub vocabulary: Option<Vec<String>>,
}

impl Verb for SetUserTranscription {
    type Answer = UserTranscription;

    fn apply(&self, db: &Connection) -> Result<UserTranscription> {
        find_user(db, self.user_id)?.ok_or(Error::UserNotFound)?;
        let mut settings = find(db, self.user_id)?;
        match &self.engine {
            Patch::Keep => {}
            Patch::Clear => settings.engine = None,
            Patch::Set(sent) => settings.engine = Some(engine_of(sent, settings.engine)),
        }
        if let Some(vocabulary) = &self.vocabulary {
            settings.vocabulary.clone_from(vocabulary);
        }
        let engine = settings.engine.as_ref();
        let mut upsert = db.prepare_cached(
            "INSERT INTO user_transcription (user_id, url, model, key, vocabulary)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (user_id) DO UPDATE
             SET url = excluded.url, model = excluded.model, key = excluded.key, vocabulary = excluded.vocabulary",
        )?;
        upsert.execute(params![
            self.user_id,
            engine.map(|engine| &engine.url),
            engine.map(|engine| &engine.model),
            engine.and_then(|engine| engine.key.as_ref()),
            serde_json::json!(settings.vocabulary).to_string(),
        ])?;
        Ok(settings)
    }
}

/// The engine that is kept.
fn engine_of(sent: &SentEngine, before: Option<OwnEngine>) -> OwnEngine {
    let mut key = before.filter(|before| before.url == sent.url).and_then(|before| before.key);
    sent.key.apply(&mut key);
    OwnEngine { url: sent.url.clone(), model: sent.model.clone(), key }
}

/// Deletes what a user has set, the key of their engine with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteUserTranscription {
    /// Whose it is.
    pub user_id: UserId,
}

impl Verb for DeleteUserTranscription {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut delete = db.prepare_cached("DELETE FROM user_transcription WHERE user_id = ?1")?;
        delete.execute([self.user_id])?;
        Ok(())
    }
}
