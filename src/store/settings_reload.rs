//! Settings that were read again by a running server: the configured users, and the entry in the
//! audit log, in one write.

use crate::domain::configured::ConfiguredUser;
use crate::domain::{Action, Actor, Subject};
use crate::error::Result;
use crate::store::audit::log::{Details, Snapshot, append};
use crate::store::users::configured::{ApplyConfiguredUsers, ConfiguredChanges, TokenTaken};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Applies the configured users, and notes which settings have changed. The values stay out of the
/// audit log: some are secret.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReloadSettings {
    /// All configured users.
    pub users: Vec<ConfiguredUser>,
    /// The names of the settings that have changed; where there are none, there is no entry.
    pub changed: Vec<String>,
    /// The actor of the entries in the audit log.
    pub actor: Actor,
}

impl Verb for ReloadSettings {
    type Answer = std::result::Result<ConfiguredChanges, TokenTaken>;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let users = ApplyConfiguredUsers { users: self.users.clone(), actor: self.actor.clone() };
        let applied = users.apply(db)?;
        if applied.is_ok() && !self.changed.is_empty() {
            let after = Snapshot::of(&json!({ "changed": self.changed }));
            let details = Details { before: None, after };
            append(db, &self.actor, Action::SettingsReload, Subject::Settings, &details)?;
        }
        Ok(applied)
    }

    fn changes(&self, applied: &Self::Answer) -> Vec<Change> {
        match applied {
            Ok(applied) => applied.published.clone(),
            Err(_) => Vec::new(),
        }
    }
}
