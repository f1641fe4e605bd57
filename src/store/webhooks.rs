//! Webhooks of users: where their events go, and the secret that signs them.

use super::users::{find as find_user, replace_data};
use super::{Change, Patch, Store, Verb};
use crate::domain::{Data, User, UserId, WebhookSecret};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// The member of a user's data that holds the address; others can read it there, and existing clients do.
const URL: &str = "webhook_url";

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
        let url = url_in(&Data::stored(row.get(at)?));
        Ok(Self { url, secret: row.get::<_, Option<String>>(at + 1)?.map(WebhookSecret::stored) })
    }
}

/// The address in a user's data, which whoever holds the admin key may fill with anything.
pub fn url_in(data: &Data) -> Option<String> {
    data.text(URL).filter(|url| !url.is_empty())
}

impl Store {
    /// A user's webhook; a small read.
    pub fn webhook(&self, user_id: UserId) -> Result<Webhook> {
        let found = self.read(|db| {
            let mut find = db.prepare_cached(
                "SELECT u.data, s.secret FROM users u LEFT JOIN webhook_secrets s ON s.user_id = u.id WHERE u.id = ?1",
            )?;
            find.query_row([user_id.0], |row| Webhook::at(row, 0)).optional()
        })?;
        found.ok_or(Error::UserNotFound)
    }
}

/// Sets or removes where a user's events go, and what signs them.
#[derive(Debug, Serialize)]
pub struct SetWebhook {
    /// Whose.
    pub user_id: UserId,
    /// Where events go; without it none are queued.
    pub url: Patch<String>,
    /// What signs them.
    pub secret: Patch<WebhookSecret>,
}

impl Verb for SetWebhook {
    type Answer = User;

    fn apply(&self, db: &Connection) -> Result<User> {
        let mut user = find_user(db, self.user_id)?.ok_or(Error::UserNotFound)?;
        match &self.url {
            Patch::Keep => {}
            Patch::Clear => user.data = user.data.with::<()>(URL, None),
            Patch::Set(url) => user.data = user.data.with(URL, Some(url)),
        }
        replace_data(db, &user)?;
        match &self.secret {
            Patch::Keep => 0,
            Patch::Clear => {
                db.prepare_cached("DELETE FROM webhook_secrets WHERE user_id = ?1")?.execute([self.user_id.0])?
            }
            Patch::Set(secret) => db
                .prepare_cached("INSERT OR REPLACE INTO webhook_secrets (user_id, secret) VALUES (?1, ?2)")?
                .execute(params![self.user_id.0, secret.key()])?,
        };
        Ok(user)
    }

    fn change(&self, user: &User) -> Option<Change> {
        Some(Change::UserChanged(user.id))
    }
}
