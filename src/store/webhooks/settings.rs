//! Webhooks of users: where their events go, and the secret that signs them.

use crate::domain::{Data, UserId, WebhookSecret};
use crate::error::{Error, Result};
use crate::store::doors::Store;
use rusqlite::{OptionalExtension, Row};

/// The member of a user's data that holds the address; others can read it there, and existing
/// clients do.
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
    /// From a row that holds a user's data at `at` and their secret after it.
    pub fn at(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        let url = url_in(&row.get(at)?);
        Ok(Self { url, secret: row.get(at + 1)? })
    }
}

/// The address in a user's data, which whoever holds the admin key may fill with anything.
pub(crate) fn url_in(data: &Data) -> Option<String> {
    data.text(URL).filter(|url| !url.is_empty())
}

impl Store {
    /// A user's webhook; a small read.
    pub fn webhook(&self, user_id: UserId) -> Result<Webhook> {
        let found = self.read(|db| {
            let mut find = db.prepare_cached(
                "SELECT u.data, s.secret FROM users u LEFT JOIN webhook_secrets s ON s.user_id = u.id WHERE u.id = ?1",
            )?;
            find.query_row([user_id], |row| Webhook::at(row, 0)).optional()
        })?;
        found.ok_or(Error::UserNotFound)
    }
}
