//! The verbs of the list of webhooks, for the story that is replayed.

use crate::replay::{actor, now};
use vomeet::domain::{UserId, WebhookEvent, WebhookId, WebhookSecret};
use vomeet::error::Result;
use vomeet::store::{
    CreateWebhook, DeleteWebhook, ForgetEndedSecrets, RotateWebhookSecret, Store, UpdateWebhook,
};

/// Webhooks besides the first, and what a rotation leaves behind.
pub async fn write_webhooks(store: &Store) -> Result<()> {
    let user_id = UserId(1);
    for number in 1..=2 {
        let events = vec![WebhookEvent::TranscriptReady, WebhookEvent::StatusChange];
        let (url, secret) = (format!("https://example.com/{number}"), webhook_secret());
        store.write(CreateWebhook { user_id, url, events, secret, now: now() }).await?;
    }
    for id in [WebhookId::FIRST, WebhookId(1)] {
        let (url, events) = (None, Some(vec![WebhookEvent::StatusChange]));
        store.write(UpdateWebhook { user_id, id, url, events }).await?;
        let (secret, old_until) = (webhook_secret(), now().plus_seconds(1 + id.0));
        store.write(RotateWebhookSecret { user_id, id, secret, old_until }).await?;
    }
    store.write(ForgetEndedSecrets { now: now().plus_seconds(1) }).await?;
    store.write_by(actor(25), DeleteWebhook { user_id, id: WebhookId(2) }).await
}

fn webhook_secret() -> WebhookSecret {
    WebhookSecret::stored("another secret of some length".to_owned())
}
