//! Writes of webhooks: where events go, and how an attempt to deliver one ended.

use crate::domain::{DeliveryId, MeetingId, Patch, Time, User, UserId, WebhookSecret};
use crate::error::{Error, Result};
use crate::store::users::read::find as find_user;
use crate::store::users::verbs::replace_data;
use crate::store::webhooks::event_parts::forget_unused;
use crate::store::webhooks::settings::URL;
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most deliveries that are forgotten in one transaction.
pub(crate) const FORGET_MAX: usize = 500;

/// The events of disabled users that wait and happened before `?1`.
pub(crate) const HELD_EVENTS: &str =
    "FROM deliveries d JOIN users u ON u.id = d.user_id AND u.disabled_at IS NOT NULL
     WHERE d.next_at IS NOT NULL AND d.created_at < ?1";

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptEnd {
    /// Nothing: the receiver took it then, by this attempt or an earlier one.
    Delivered(Time),
    /// Another attempt then.
    Again(Time),
    /// Nothing any more.
    GivenUp,
}

/// Notes how an attempt ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndAttempt {
    /// Of which event.
    pub id: DeliveryId,
    /// How often it was tried by now.
    pub attempts: u32,
    /// What follows.
    pub end: AttemptEnd,
    /// The HTTP status of the response, if one came.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Verb for EndAttempt {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let (next_at, delivered_at) = match self.end {
            AttemptEnd::Delivered(at) => (None, Some(at)),
            AttemptEnd::Again(at) => (Some(at), None),
            AttemptEnd::GivenUp => (None, None),
        };
        let mut note = db.prepare_cached(
            "UPDATE deliveries SET attempts = ?2, next_at = ?3, delivered_at = ?4, last_status = ?5, last_error = ?6
             WHERE id = ?1 AND next_at IS NOT NULL",
        )?;
        note.execute(params![
            self.id,
            self.attempts,
            next_at,
            delivered_at,
            self.status,
            self.error
        ])?;
        Ok(())
    }
}

/// Forgets events that are over.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetDeliveries {
    /// Which; those that still wait are passed over.
    pub ids: Vec<DeliveryId>,
}

impl Verb for ForgetDeliveries {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut forget =
            db.prepare_cached("DELETE FROM deliveries WHERE id = ?1 AND next_at IS NULL")?;
        let mut of = db.prepare_cached("SELECT meeting_id FROM deliveries WHERE id = ?1")?;
        let mut meetings = BTreeSet::new();
        for id in &self.ids {
            meetings.extend(of.query_row([id], |row| row.get::<_, MeetingId>(0)).optional()?);
            forget.execute([id])?;
        }
        for meeting_id in meetings {
            forget_unused(db, meeting_id)?;
        }
        Ok(())
    }
}

/// Gives up events of users who have been disabled for long.
#[derive(Debug, Serialize, Deserialize)]
pub struct GiveUpHeld {
    /// Those that happened before.
    pub before: Time,
    /// Why, for the list of deliveries.
    pub error: String,
}

impl Verb for GiveUpHeld {
    /// Whether there may be more.
    type Answer = bool;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let mut update = db.prepare_cached(&format!(
            "UPDATE deliveries SET next_at = NULL, last_error = ?2
             WHERE id IN (SELECT d.id {HELD_EVENTS} ORDER BY d.id LIMIT ?3)"
        ))?;
        let max = i64::try_from(FORGET_MAX).unwrap_or(i64::MAX);
        let given_up = update.execute(params![self.before, self.error, max])?;
        Ok(given_up == FORGET_MAX)
    }
}

/// Sets or clears where a user's events go, and what signs them.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetWebhook {
    /// The user.
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
        replace_data(db, &mut user)?;
        match &self.secret {
            Patch::Keep => 0,
            Patch::Clear => db
                .prepare_cached("DELETE FROM webhook_secrets WHERE user_id = ?1")?
                .execute([self.user_id])?,
            Patch::Set(secret) => db
                .prepare_cached(
                    "INSERT OR REPLACE INTO webhook_secrets (user_id, secret) VALUES (?1, ?2)",
                )?
                .execute(params![self.user_id, secret.key()])?,
        };
        Ok(user)
    }

    fn change(&self, user: &User) -> Option<Change> {
        Some(Change::UserChanged(user.id))
    }
}
