//! The caller's webhook: where events of their meetings go, and what became of them.

use super::users::PageLimit;
use crate::app::App;
use crate::auth::User as Caller;
use crate::courier::WebhookUrl;
use crate::domain::field::Invalid;
use crate::domain::number::Whole;
use crate::domain::{Delivery, DeliveryId, User, WebhookSecret};
use crate::error::{Error, Fault, Input as Sent, Result, Step};
use crate::http::form::{BodyRule, Settable};
use crate::http::{Form, Input, Json};
use crate::store::{DeliveryPage, Patch, SetWebhook, Webhook};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Body of `PUT /user/webhook`: a new address, a new secret, or both; null removes either, and so does an empty address.
pub struct NewWebhook {
    url: Settable<WebhookUrl>,
    secret: Settable<WebhookSecret>,
}

impl Input for NewWebhook {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let url = form.settable("webhook_url");
        let secret = form.settable("webhook_secret");
        if let (Some(Settable::Absent), Some(Settable::Absent)) = (&url, &secret) {
            form.refuse("webhook_url", Invalid::new("missing", "Field required"));
        }
        Some(Self { url: url?, secret: secret? })
    }
}

/// Sets where the caller's events go.
pub async fn set(app: Arc<App>, caller: Caller, new: NewWebhook) -> Result<Json<User>> {
    let url = match new.url {
        Settable::Absent => Patch::Keep,
        Settable::Null => Patch::Clear,
        Settable::Value(url) if url.0.is_empty() => Patch::Clear,
        Settable::Value(url) if app.courier.refuses(&url) => return Err(private(url)),
        Settable::Value(url) => Patch::Set(url.0),
    };
    let secret = match new.secret {
        Settable::Absent => Patch::Keep,
        Settable::Null => Patch::Clear,
        Settable::Value(secret) => Patch::Set(secret),
    };
    Ok(Json(app.store.write(SetWebhook { user_id: caller.user.id, url, secret }).await?))
}

fn private(url: WebhookUrl) -> Error {
    let loc = vec![Step::Name("body"), Step::Name("webhook_url")];
    let msg = "Input should be an address that is neither private nor reserved; the operator can allow others";
    Error::Invalid(vec![Fault::new(loc, Sent::Text(url.0), Invalid::new("url_private", msg))])
}

/// Where the caller's events go.
#[derive(Serialize, ToSchema)]
pub struct WebhookView {
    /// The address; null where events go nowhere.
    #[schema(required, format = "uri", example = "https://example.com/hook")]
    webhook_url: Option<String>,
    /// Whether events are signed. The secret itself is never shown.
    has_secret: bool,
}

/// Where the caller's events go.
pub async fn show(app: Arc<App>, caller: Caller, (): ()) -> Result<Json<WebhookView>> {
    let Webhook { url, secret } = app.store.webhook(caller.user.id)?;
    Ok(Json(WebhookView { webhook_url: url, has_secret: secret.is_some() }))
}

/// Query of `GET /user/webhook/deliveries`.
pub struct DeliveryQuery {
    limit: PageLimit,
    before: Option<DeliveryId>,
}

impl Input for DeliveryQuery {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let limit = form.query_or("limit", Whole(100));
        let before = form.query("before");
        Some(Self { limit: limit?, before: before? })
    }
}

/// A list of events.
#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    /// The newest first.
    deliveries: Vec<Delivery>,
}

/// The caller's events, newest first.
pub async fn deliveries(app: Arc<App>, caller: Caller, query: DeliveryQuery) -> Result<Json<Deliveries>> {
    let page = DeliveryPage { user_id: caller.user.id, before: query.before, limit: query.limit.0 };
    Ok(Json(Deliveries { deliveries: app.store.deliveries(page).await? }))
}

/// How a test went.
#[derive(Serialize, ToSchema)]
pub struct TestView {
    /// Whether the receiver took it.
    delivered: bool,
    /// The status of its answer; null where none came.
    #[schema(required)]
    status: Option<u16>,
    /// Why it failed.
    #[schema(required)]
    error: Option<String>,
    /// How long it took.
    milliseconds: u64,
}

/// Posts a signed event to the caller's webhook, and tells how that went.
pub async fn test(app: Arc<App>, caller: Caller, (): ()) -> Result<Json<TestView>> {
    let webhook = app.store.webhook(caller.user.id)?;
    let url = webhook.url.ok_or(Error::NoWebhook)?;
    let tested = app.courier.test(caller.user.id, &url, webhook.secret).await?;
    Ok(Json(TestView {
        delivered: tested.outcome.error.is_none(),
        status: tested.outcome.status,
        error: tested.outcome.error,
        milliseconds: u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
    }))
}
