//! Webhooks of users: where their events go, which events, and the secrets that sign them. The first
//! one stands with the user, where it stood when there was no other.

use crate::domain::{Data, Time, UserId, WebhookEvent, WebhookId, WebhookSecret};
use crate::error::{Error, Result};
use crate::store::doors::Store;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The member of a user's data that shows the address: existing clients read it there.
pub(crate) const URL: &str = "webhook_url";

/// A webhook of a user.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id; the first one is always there.
    pub id: WebhookId,
    /// Where events go; `None` is nowhere, which the first one alone may say.
    pub url: Option<String>,
    /// Which events go there.
    pub events: Vec<WebhookEvent>,
    /// What signs them.
    pub secret: Option<WebhookSecret>,
    /// What signed them before the secret was rotated.
    pub old_secret: Option<OldSecret>,
    /// When it was made; not known of the first one.
    pub created_at: Option<Time>,
}

/// A secret that was rotated.
#[derive(Debug, Clone)]
pub struct OldSecret {
    /// The secret.
    pub secret: WebhookSecret,
    /// Until when it signs as well.
    pub until: Time,
}

impl Webhook {
    /// What signs events at this time, the newest first: two while the secret rotates.
    pub fn secrets(&self, now: Time) -> Vec<WebhookSecret> {
        let mut secrets: Vec<WebhookSecret> = self.secret.iter().cloned().collect();
        if let Some(old) = &self.old_secret
            && now < old.until
        {
            secrets.push(old.secret.clone());
        }
        secrets
    }

    /// Whether this event goes there.
    pub(crate) fn wants(&self, event: WebhookEvent) -> bool {
        self.url.is_some() && self.events.contains(&event)
    }
}

/// The webhook that every user has, with an address or without: it stands with the user.
const FIRST: &str =
    "SELECT 0, u.webhook_url, u.webhook_events, s.secret, s.old_secret, s.old_until, NULL
     FROM users u LEFT JOIN webhook_secrets s ON s.user_id = u.id
     WHERE u.id = ?1 AND u.erasing_at IS NULL";
/// The others.
const OTHERS: &str = "SELECT id, url, events, secret, old_secret, old_until, created_at
     FROM webhooks WHERE user_id = ?1";

fn webhook_at(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let events: Option<String> = row.get(2)?;
    let old_secret = match (row.get(4)?, row.get(5)?) {
        (Some(secret), Some(until)) => Some(OldSecret { secret, until }),
        _ => None,
    };
    Ok(Webhook {
        id: row.get(0)?,
        url: row.get(1)?,
        events: events_of(events.as_deref()),
        secret: row.get(3)?,
        old_secret,
        created_at: row.get(6)?,
    })
}

/// The events of a stored list. A word that is not known is of a later version, and is left out.
fn events_of(stored: Option<&str>) -> Vec<WebhookEvent> {
    let Some(json) = stored else { return WebhookEvent::USUAL.to_vec() };
    let words: Vec<String> = serde_json::from_str(json).unwrap_or_default();
    let mut events = Vec::new();
    for word in words {
        events.extend(WebhookEvent::from_word(&word));
    }
    events
}

/// The list as it is stored.
pub(crate) fn stored_events(events: &[WebhookEvent]) -> String {
    let words: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    serde_json::json!(words).to_string()
}

/// A webhook of a user; the first one also where it has no address.
pub(crate) fn find_webhook(
    db: &Connection,
    user_id: UserId,
    id: WebhookId,
) -> rusqlite::Result<Option<Webhook>> {
    if id == WebhookId::FIRST {
        let mut find = db.prepare_cached(FIRST)?;
        return find.query_row([user_id], webhook_at).optional();
    }
    let mut find = db.prepare_cached(&format!("{OTHERS} AND id = ?2"))?;
    find.query_row(params![user_id, id], webhook_at).optional()
}

/// All webhooks of a user that have an address, the first one first.
pub(crate) fn webhooks_of(db: &Connection, user_id: UserId) -> rusqlite::Result<Vec<Webhook>> {
    let mut webhooks = Vec::new();
    let first = find_webhook(db, user_id, WebhookId::FIRST)?;
    webhooks.extend(first.filter(|webhook| webhook.url.is_some()));
    let mut others = db.prepare_cached(&format!("{OTHERS} ORDER BY id"))?;
    let mut rows = others.query([user_id])?;
    while let Some(row) = rows.next()? {
        webhooks.push(webhook_at(row)?);
    }
    Ok(webhooks)
}

/// A user's data as it is stored, and the address that stands in it as it is shown. An empty
/// address is none; what is no text is no address, and stays in the data.
pub(crate) fn split(shown: &Data) -> (Data, Option<String>) {
    match shown.text(URL) {
        Some(url) => (shown.with::<()>(URL, None), Some(url).filter(|url| !url.is_empty())),
        None => (shown.clone(), None),
    }
}

/// New data of a user, as it is shown. Data that does not name the address leaves it as it is.
pub(crate) fn keep_url(new: &Data, old: &Data) -> Data {
    if new.members().contains_key(URL) {
        return new.clone();
    }
    match old.text(URL) {
        Some(url) => new.with(URL, Some(&url)),
        None => new.clone(),
    }
}

impl Store {
    /// The webhook that `PUT /user/webhook` sets; a small read.
    pub fn webhook(&self, user_id: UserId) -> Result<Webhook> {
        let found = self.read(|db| find_webhook(db, user_id, WebhookId::FIRST))?;
        found.ok_or(Error::UserNotFound)
    }

    /// A webhook of a user that has an address; a small read.
    pub fn webhook_by_id(&self, user_id: UserId, id: WebhookId) -> Result<Webhook> {
        let found = self.read(|db| find_webhook(db, user_id, id))?;
        found.filter(|webhook| webhook.url.is_some()).ok_or(Error::WebhookNotFound)
    }

    /// All webhooks of a user that have an address; a small read.
    pub fn webhooks(&self, user_id: UserId) -> Result<Vec<Webhook>> {
        self.read(|db| webhooks_of(db, user_id))
    }

    /// Whether a secret is kept that was rotated and does not sign any more; a small read.
    pub fn has_ended_secrets(&self, now: Time) -> Result<bool> {
        self.read(|db| {
            let mut find = db.prepare_cached(
                "SELECT 1 FROM webhooks WHERE old_until <= ?1
                 UNION ALL SELECT 1 FROM webhook_secrets WHERE old_until <= ?1 LIMIT 1",
            )?;
            find.exists([now])
        })
    }
}
