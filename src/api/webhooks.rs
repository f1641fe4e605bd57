//! The caller's webhooks: a list, each with its events and its secret. The first one, with the id 0,
//! is that of `PUT /user/webhook` (`src/api/webhook.rs`).

use crate::api::users::ById;
use crate::api::webhook::{TestView, private};
use crate::app::App;
use crate::auth::{Admin, User as Caller};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::{Time, UserId, WebhookEvent, WebhookId, WebhookSecret};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Created, Json, NoContent};
use crate::store::{
    CreateWebhook, DeleteWebhook, RotateWebhookSecret, UpdateWebhook, WEBHOOKS_MAX, Webhook,
};
use crate::webhooks::WebhookUrl;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Most events that a body names.
const EVENTS_MAX: usize = 16;
/// How long the secret before a rotation signs as well, in seconds, unless it is said: a day.
const GRACE_SECONDS: i64 = 86_400;
/// How long at most: 30 days.
type SecretGrace = BoundedInt<0, 2_592_000>;

/// A webhook of the caller's, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEntry {
    /// The webhook's id; 0 is the one that `PUT /user/webhook` sets.
    id: WebhookId,
    /// Where events are posted.
    #[schema(format = "uri", example = "https://example.com/hook")]
    url: String,
    /// Which events.
    events: Vec<WebhookEvent>,
    /// Whether events are signed. The secret itself is never shown again.
    has_secret: bool,
    /// Until when the secret before the rotation signs as well; null where none does.
    #[schema(required)]
    old_secret_until: Option<Time>,
    /// When it was created; null for the one that `PUT /user/webhook` sets.
    #[schema(required)]
    created_at: Option<Time>,
}

impl WebhookEntry {
    fn of(webhook: Webhook, now: Time) -> Self {
        let until = webhook.old_secret.map(|old| old.until);
        Self {
            id: webhook.id,
            url: webhook.url.unwrap_or_default(),
            events: webhook.events,
            has_secret: webhook.secret.is_some(),
            old_secret_until: until.filter(|until| now < *until),
            created_at: webhook.created_at,
        }
    }
}

/// A webhook with a new secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookEntry,
    /// The new secret, shown this once; null where the caller has chosen it.
    #[schema(required, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

/// A list of webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    /// The webhooks; first the one that `PUT /user/webhook` sets, if it has an address.
    webhooks: Vec<WebhookEntry>,
}

impl WebhookList {
    fn of(app: &App, user_id: UserId) -> Result<Self> {
        let now = app.clock.now();
        let mut webhooks = Vec::new();
        for webhook in app.store.webhooks(user_id)? {
            webhooks.push(WebhookEntry::of(webhook, now));
        }
        Ok(Self { webhooks })
    }
}

/// The error of a caller who has as many webhooks as they may have.
pub(crate) fn too_many() -> Error {
    Error::TooManyWebhooks { max: WEBHOOKS_MAX }
}

/// A secret for a webhook: the one that was chosen, or a new one, which is then shown.
fn secret(chosen: Option<WebhookSecret>) -> Result<(WebhookSecret, Option<String>)> {
    if let Some(secret) = chosen {
        return Ok((secret, None));
    }
    let secret = WebhookSecret::generate()
        .map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    let shown = secret.key().to_owned();
    Ok((secret, Some(shown)))
}

/// An address that events may be posted to.
fn address(app: &App, url: WebhookUrl) -> Result<String> {
    if app.dispatcher.refuses(&url) {
        return Err(private(&["url"], url));
    }
    Ok(url.0)
}

/// Each event once; there must be one.
fn chosen(events: &[WebhookEvent]) -> Result<Vec<WebhookEvent>> {
    let mut chosen = Vec::new();
    for event in events {
        if !chosen.contains(event) {
            chosen.push(*event);
        }
    }
    if chosen.is_empty() {
        let msg = "List should have at least 1 item after validation, not 0";
        let invalid = Invalid::new("too_short", msg).with("min_length", 1);
        return Err(fault("events", SentValue::Nothing, invalid));
    }
    Ok(chosen)
}

fn fault(name: &'static str, sent: SentValue, invalid: Invalid) -> Error {
    let loc = vec![LocStep::Name("body"), LocStep::Name(name)];
    Error::Invalid(vec![FieldError::new(loc, sent, invalid)])
}

/// Lists the caller's webhooks.
pub(crate) async fn list_webhooks(
    app: Arc<App>,
    caller: Caller,
    (): (),
) -> Result<Json<WebhookList>> {
    Ok(Json(WebhookList::of(&app, caller.user.id)?))
}

/// Gets a webhook of the caller's.
pub(crate) async fn get_listed_webhook(
    app: Arc<App>,
    caller: Caller,
    ById(id): ById<WebhookId>,
) -> Result<Json<WebhookEntry>> {
    let webhook = app.store.webhook_by_id(caller.user.id, id)?;
    Ok(Json(WebhookEntry::of(webhook, app.clock.now())))
}

input! {
    /// Body of `POST /user/webhooks`.
    pub(crate) struct CreateWebhookInput, body Required {
        required url: WebhookUrl,
        optional_list(EVENTS_MAX) events: Option<Vec<WebhookEvent>>,
        optional secret: Option<WebhookSecret>,
    }
}

/// Adds a webhook. Without events it gets `meeting.status_change`; without a secret the server makes
/// one, and the response is the only place where that is ever shown.
pub(crate) async fn create_webhook(
    app: Arc<App>,
    caller: Caller,
    input: CreateWebhookInput,
) -> Result<Created<WebhookWithSecret>> {
    if input.url.0.is_empty() {
        let invalid = Invalid::new("missing", "Field required");
        return Err(fault("url", SentValue::Nothing, invalid));
    }
    let url = address(&app, input.url)?;
    let events = match input.events {
        Some(events) => chosen(&events)?,
        None => WebhookEvent::USUAL.to_vec(),
    };
    let (secret, shown) = secret(input.secret)?;
    let now = app.clock.now();
    let verb = CreateWebhook { user_id: caller.user.id, url, events, secret, now };
    let webhook = WebhookEntry::of(app.store.write(verb).await?, now);
    Ok(Created(WebhookWithSecret { webhook, secret: shown }))
}

input! {
    /// Path and body of `PATCH /user/webhooks/{id}`.
    pub(crate) struct UpdateWebhookInput, body Required {
        path id: WebhookId,
        optional url: Option<WebhookUrl>,
        optional_list(EVENTS_MAX) events: Option<Vec<WebhookEvent>>,
    }
}

/// Changes address or events of a webhook of the caller's. Events that wait go to the new address.
pub(crate) async fn update_webhook(
    app: Arc<App>,
    caller: Caller,
    input: UpdateWebhookInput,
) -> Result<Json<WebhookEntry>> {
    if input.url.is_none() && input.events.is_none() {
        return Err(Error::NothingToUpdate);
    }
    let url = match input.url {
        Some(url) => Some(address(&app, url)?),
        None => None,
    };
    let events = match input.events {
        Some(events) => Some(chosen(&events)?),
        None => None,
    };
    let verb = UpdateWebhook { user_id: caller.user.id, id: input.id, url, events };
    let webhook = app.store.write(verb).await?;
    Ok(Json(WebhookEntry::of(webhook, app.clock.now())))
}

/// Deletes a webhook of the caller's with its secret; what waits for it is given up.
pub(crate) async fn delete_webhook(
    app: Arc<App>,
    caller: Caller,
    ById(id): ById<WebhookId>,
) -> Result<NoContent> {
    app.store.write(DeleteWebhook { user_id: caller.user.id, id }).await?;
    Ok(NoContent)
}

input! {
    /// Path and body of `POST /user/webhooks/{id}/rotate`; no body is needed.
    pub(crate) struct RotateWebhookInput, body Optional {
        path id: WebhookId,
        optional grace_seconds: Option<SecretGrace>,
        optional secret: Option<WebhookSecret>,
    }
}

/// Gives a webhook of the caller's another secret. The one before signs as well until the grace
/// period ends: a day, unless another is asked for.
pub(crate) async fn rotate_webhook_secret(
    app: Arc<App>,
    caller: Caller,
    input: RotateWebhookInput,
) -> Result<Created<WebhookWithSecret>> {
    let (secret, shown) = secret(input.secret)?;
    let now = app.clock.now();
    let grace_seconds = input.grace_seconds.map_or(GRACE_SECONDS, |grace| grace.0);
    let old_until = now.plus_seconds(grace_seconds);
    let verb = RotateWebhookSecret { user_id: caller.user.id, id: input.id, secret, old_until };
    let webhook = WebhookEntry::of(app.store.write(verb).await?, now);
    Ok(Created(WebhookWithSecret { webhook, secret: shown }))
}

/// Posts a signed test event to a webhook of the caller's.
pub(crate) async fn test_listed_webhook(
    app: Arc<App>,
    caller: Caller,
    ById(id): ById<WebhookId>,
) -> Result<Json<TestView>> {
    let webhook = app.store.webhook_by_id(caller.user.id, id)?;
    let tested = app.dispatcher.test(caller.user.id, &webhook).await?;
    Ok(Json(TestView::of(tested)))
}

/// Lists the webhooks of any user; their secrets are not shown.
pub(crate) async fn list_user_webhooks(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<UserId>,
) -> Result<Json<WebhookList>> {
    app.store.webhook(id)?;
    Ok(Json(WebhookList::of(&app, id)?))
}

input! {
    /// Path of `DELETE /admin/users/{id}/webhooks/{webhook_id}`.
    pub(crate) struct DeleteUserWebhookInput {
        path user_id: UserId as "id",
        path webhook_id: WebhookId,
    }
}

/// Deletes a webhook of any user, as its user can.
pub(crate) async fn delete_user_webhook(
    app: Arc<App>,
    admin: Admin,
    input: DeleteUserWebhookInput,
) -> Result<NoContent> {
    app.store.webhook(input.user_id)?;
    let verb = DeleteWebhook { user_id: input.user_id, id: input.webhook_id };
    app.store.write_by(admin.actor()?, verb).await?;
    Ok(NoContent)
}
