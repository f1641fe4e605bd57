//! Webhooks of users: where their events go, and the secret that signs them.

use crate::domain::{Data, UserId, WebhookSecret};
use crate::error::{Error, Result};
use crate::store::doors::Store;
use rusqlite::{OptionalExtension, Row};

/// The member of a user's data that shows the address: existing clients read it there.
pub(crate) const URL: &str = "webhook_url";

/// A user's webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where events go; `None` is nowhere.
    pub url: Option<String>,
    /// What signs them.
    pub secret: Option<WebhookSecret>,
}

impl Webhook {
    /// From a row that holds the address at `at` and the secret after it.
    pub fn at(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        Ok(Self { url: row.get(at)?, secret: row.get(at + 1)? })
    }
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
    /// A user's webhook; a small read.
    pub fn webhook(&self, user_id: UserId) -> Result<Webhook> {
        let found = self.read(|db| {
            let mut find = db.prepare_cached(
                "SELECT u.webhook_url, s.secret FROM users u LEFT JOIN webhook_secrets s ON s.user_id = u.id
                 WHERE u.id = ?1 AND u.erasing_at IS NULL",
            )?;
            find.query_row([user_id], |row| Webhook::at(row, 0)).optional()
        })?;
        found.ok_or(Error::UserNotFound)
    }
}
