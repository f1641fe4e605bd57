//! Writes of the list of webhooks: add, change, delete, and rotate a secret.

use crate::domain::{Action, Subject, Time, UserId, WebhookEvent, WebhookId, WebhookSecret};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::users::read::find as find_user;
use crate::store::webhooks::settings::{Webhook, find_webhook, stored_events};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Most webhooks of a user besides the first one.
pub(crate) const WEBHOOKS_MAX: i64 = 10;

/// A webhook of a user that has an address.
fn find(db: &Connection, user_id: UserId, id: WebhookId) -> Result<Webhook> {
    let found = find_webhook(db, user_id, id)?;
    found.filter(|webhook| webhook.url.is_some()).ok_or(Error::WebhookNotFound)
}

/// What others must know of a change of a webhook. The address of the first one is shown with the
/// user; of the others there may be events that were waiting for it.
fn change_of(user_id: UserId, id: WebhookId) -> Change {
    if id == WebhookId::FIRST { Change::UserChanged(user_id) } else { Change::DeliveryDue }
}

/// Adds a webhook.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateWebhook {
    /// Whose it is.
    pub user_id: UserId,
    /// Where events go.
    pub url: String,
    /// Which events.
    pub events: Vec<WebhookEvent>,
    /// What signs them.
    pub secret: WebhookSecret,
    /// The time of the change.
    pub now: Time,
}

impl Verb for CreateWebhook {
    type Answer = Webhook;

    fn apply(&self, db: &Connection) -> Result<Webhook> {
        find_user(db, self.user_id)?.ok_or(Error::UserNotFound)?;
        let mut count = db.prepare_cached("SELECT count(*) FROM webhooks WHERE user_id = ?1")?;
        let found: i64 = count.query_row([self.user_id], |row| row.get(0))?;
        if found >= WEBHOOKS_MAX {
            return Err(Error::TooManyWebhooks { max: WEBHOOKS_MAX });
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO webhooks (user_id, url, events, secret, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let events = stored_events(&self.events);
        insert.execute(params![self.user_id, self.url, events, self.secret, self.now])?;
        find(db, self.user_id, WebhookId(db.last_insert_rowid()))
    }
}

/// Changes where events go, or which.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpdateWebhook {
    /// Whose webhook it is.
    pub user_id: UserId,
    /// The webhook.
    pub id: WebhookId,
    /// Where events go; without it as before.
    pub url: Option<String>,
    /// Which events; without it as before.
    pub events: Option<Vec<WebhookEvent>>,
}

impl Verb for UpdateWebhook {
    type Answer = Webhook;

    fn apply(&self, db: &Connection) -> Result<Webhook> {
        let webhook = find(db, self.user_id, self.id)?;
        let url = self.url.clone().or(webhook.url);
        let events = self.events.as_deref().map(stored_events);
        if self.id == WebhookId::FIRST {
            let mut update = db.prepare_cached(
                "UPDATE users SET webhook_url = ?2, webhook_events = ifnull(?3, webhook_events)
                 WHERE id = ?1",
            )?;
            update.execute(params![self.user_id, url, events])?;
        } else {
            let mut update = db.prepare_cached(
                "UPDATE webhooks SET url = ?2, events = ifnull(?3, events) WHERE id = ?1",
            )?;
            update.execute(params![self.id, url, events])?;
        }
        find(db, self.user_id, self.id)
    }

    fn change(&self, _: &Webhook) -> Option<Change> {
        Some(change_of(self.user_id, self.id))
    }
}

/// Deletes a webhook with its secret. What waits for it is given up, and stays in the list of
/// deliveries.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteWebhook {
    /// Whose webhook it is.
    pub user_id: UserId,
    /// The webhook.
    pub id: WebhookId,
}

impl Verb for DeleteWebhook {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        find(db, self.user_id, self.id)?;
        if self.id != WebhookId::FIRST {
            db.prepare_cached("DELETE FROM webhooks WHERE id = ?1")?.execute([self.id])?;
            return Ok(());
        }
        for sql in [
            "UPDATE users SET webhook_url = NULL, webhook_events = NULL WHERE id = ?1",
            "DELETE FROM webhook_secrets WHERE user_id = ?1",
        ] {
            db.prepare_cached(sql)?.execute([self.user_id])?;
        }
        Ok(())
    }

    fn change(&self, (): &()) -> Option<Change> {
        Some(change_of(self.user_id, self.id))
    }
}

/// By an administrator.
impl Audited for DeleteWebhook {
    const ACTION: Action = Action::WebhookDelete;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        let Some(webhook) = find_webhook(db, self.user_id, self.id)? else { return Ok(None) };
        Ok(Snapshot::of(&serde_json::json!({
            "id": self.id,
            "user_id": self.user_id,
            "url": webhook.url,
            "events": webhook.events,
        })))
    }

    fn after(&self, (): &()) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Webhook(self.id), None))
    }
}

/// Gives a webhook another secret; the one before signs as well for a while.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateWebhookSecret {
    /// Whose webhook it is.
    pub user_id: UserId,
    /// The webhook.
    pub id: WebhookId,
    /// The new secret.
    pub secret: WebhookSecret,
    /// Until when the old one signs.
    pub old_until: Time,
}

impl Verb for RotateWebhookSecret {
    type Answer = Webhook;

    fn apply(&self, db: &Connection) -> Result<Webhook> {
        let webhook = find(db, self.user_id, self.id)?;
        let old_secret = webhook.secret;
        let old_until = old_secret.as_ref().map(|_| self.old_until);
        if self.id == WebhookId::FIRST {
            let mut update = db.prepare_cached(
                "INSERT OR REPLACE INTO webhook_secrets (user_id, secret, old_secret, old_until)
                 VALUES (?1, ?2, ?3, ?4)",
            )?;
            update.execute(params![self.user_id, self.secret, old_secret, old_until])?;
        } else {
            let mut update = db.prepare_cached(
                "UPDATE webhooks SET secret = ?2, old_secret = ?3, old_until = ?4 WHERE id = ?1",
            )?;
            update.execute(params![self.id, self.secret, old_secret, old_until])?;
        }
        find(db, self.user_id, self.id)
    }
}

/// Deletes the secrets that were rotated and do not sign any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetEndedSecrets {
    /// Those that signed until then, or not as long.
    pub now: Time,
}

impl Verb for ForgetEndedSecrets {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        for table in ["webhooks", "webhook_secrets"] {
            let mut forget = db.prepare_cached(&format!(
                "UPDATE {table} SET old_secret = NULL, old_until = NULL WHERE old_until <= ?1"
            ))?;
            forget.execute([self.now])?;
        }
        Ok(())
    }
}
