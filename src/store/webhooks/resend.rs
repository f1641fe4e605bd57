//! Sends an event once more, whatever became of it.

use crate::domain::{Action, Delivery, DeliveryId, Subject, Time, UserId, WebhookId};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::webhooks::read::{delivery_at, delivery_columns, event_type};
use crate::store::webhooks::settings::find_webhook;
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Makes an event due. One that waits is tried at once, and so is one that was given up, by its age
/// as before. One that was delivered gets one attempt, and stays delivered however that ends.
#[derive(Debug, Serialize, Deserialize)]
pub struct ResendDelivery {
    /// The event.
    pub id: DeliveryId,
    /// Only if it is of this user: then its owner asks for it.
    pub of_user: Option<UserId>,
    /// The time of the change.
    pub now: Time,
}

/// An event that waits again.
#[derive(Debug, Clone)]
pub struct Resent {
    /// Whose it is.
    pub user_id: UserId,
    /// The event as it is now.
    pub delivery: Delivery,
}

impl Resent {
    fn snapshot(&self) -> Option<Snapshot> {
        let user = Snapshot::of(&json!({ "user_id": self.user_id }))?;
        Some(Snapshot::of(&self.delivery)?.with(user))
    }
}

fn find(db: &Connection, id: DeliveryId) -> Result<Option<Resent>> {
    let mut find = db.prepare_cached(concat!(
        "SELECT ",
        delivery_columns!(),
        ", d.user_id FROM deliveries d JOIN users u ON u.id = d.user_id AND u.erasing_at IS NULL
         WHERE d.id = ?1"
    ))?;
    let resent = find
        .query_row([id], |row| Ok(Resent { delivery: delivery_at(row)?, user_id: row.get(11)? }));
    Ok(resent.optional()?)
}

impl Verb for ResendDelivery {
    type Answer = Resent;

    fn apply(&self, db: &Connection) -> Result<Resent> {
        let found = find(db, self.id)?.ok_or(Error::DeliveryNotFound)?;
        if self.of_user.is_some_and(|user_id| user_id != found.user_id) {
            return Err(Error::DeliveryNotFound);
        }
        let webhook_id = found.delivery.webhook_id;
        let webhook = find_webhook(db, found.user_id, webhook_id)?;
        if webhook.and_then(|webhook| webhook.url).is_none() {
            let is_first = webhook_id == WebhookId::FIRST;
            return Err(if is_first { Error::NoWebhook } else { Error::WebhookNotFound });
        }
        let mut update = db.prepare_cached("UPDATE deliveries SET next_at = ?2 WHERE id = ?1")?;
        update.execute(params![self.id, self.now])?;
        find(db, self.id)?.ok_or(Error::DeliveryNotFound)
    }

    fn change(&self, _: &Resent) -> Option<Change> {
        Some(Change::DeliveryDue)
    }
}

impl Audited for ResendDelivery {
    const ACTION: Action = Action::WebhookResend;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        Ok(find(db, self.id)?.and_then(|found| found.snapshot()))
    }

    fn after(&self, resent: &Resent) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Delivery(self.id), resent.snapshot()))
    }
}
