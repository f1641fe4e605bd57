//! The caller's webhook: the URL to which events are posted, and their deliveries.

use crate::api::users::{ById, PageLimit};
use crate::app::App;
use crate::auth::{Admin, User as Caller};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::{Delivery, DeliveryId, Patch, User, UserId, WebhookId, WebhookSecret};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Accepted, BodyRule, Extractor, FromRequest, Json};
use crate::store::{DeliveryPage, ResendDelivery, SetWebhook, Webhook};
use crate::webhooks::{Tested, WebhookUrl};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Body of `PUT /user/webhook`: a new address, a new secret, or both; null deletes either, and so
/// does an empty address. Written out, because one of the two must be there.
pub(crate) struct SetWebhookInput {
    url: Patch<WebhookUrl>,
    secret: Patch<WebhookSecret>,
}

impl FromRequest for SetWebhookInput {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let url = extractor.patch("webhook_url");
        let secret = extractor.patch("webhook_secret");
        if let (Some(Patch::Keep), Some(Patch::Keep)) = (&url, &secret) {
            extractor.refuse("webhook_url", Invalid::new("missing", "Field required"));
        }
        Some(Self { url: url?, secret: secret? })
    }
}

/// Sets the caller's webhook.
pub(crate) async fn set_webhook(
    app: Arc<App>,
    caller: Caller,
    input: SetWebhookInput,
) -> Result<Json<User>> {
    let url = match input.url {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(url) if url.0.is_empty() => Patch::Clear,
        Patch::Set(url) if app.dispatcher.refuses(&url) => {
            return Err(private(&["webhook_url"], url));
        }
        Patch::Set(url) => Patch::Set(url.0),
    };
    let verb = SetWebhook { user_id: caller.user.id, url, secret: input.secret };
    Ok(Json(app.store.write(verb).await?))
}

/// The fault of an address in a private network, which stands in this member of the body.
pub(crate) fn private(place: &[&'static str], url: WebhookUrl) -> Error {
    let mut loc = vec![LocStep::Name("body")];
    loc.extend(place.iter().map(|name| LocStep::Name(name)));
    let msg = "Input should be an address that is neither private nor reserved; the operator can allow others";
    Error::Invalid(vec![FieldError::new(
        loc,
        SentValue::Text(url.0),
        Invalid::new("url_private", msg),
    )])
}

/// The caller's webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookView {
    /// The URL to which events are posted; null where there is no webhook.
    #[schema(required, format = "uri", example = "https://example.com/hook")]
    webhook_url: Option<String>,
    /// Whether events are signed. The secret itself is never shown.
    has_secret: bool,
}

/// Gets the caller's webhook.
pub(crate) async fn get_webhook(
    app: Arc<App>,
    caller: Caller,
    (): (),
) -> Result<Json<WebhookView>> {
    let Webhook { url, secret, .. } = app.store.webhook(caller.user.id)?;
    Ok(Json(WebhookView { webhook_url: url, has_secret: secret.is_some() }))
}

input! {
    /// Query of `GET /user/webhook/deliveries`.
    pub(crate) struct ListDeliveriesInput {
        query_or(BoundedInt(100)) limit: PageLimit,
        query before: Option<DeliveryId>,
        query webhook_id: Option<WebhookId>,
    }
}

impl ListDeliveriesInput {
    fn page(&self, user_id: UserId) -> DeliveryPage {
        let Self { limit, before, webhook_id } = *self;
        DeliveryPage { user_id, webhook_id, before, limit: limit.0 }
    }
}

/// A list of deliveries.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deliveries {
    /// The deliveries, newest first.
    deliveries: Vec<Delivery>,
}

/// Lists the caller's webhook deliveries, newest first.
pub(crate) async fn list_webhook_deliveries(
    app: Arc<App>,
    caller: Caller,
    input: ListDeliveriesInput,
) -> Result<Json<Deliveries>> {
    let page = input.page(caller.user.id);
    Ok(Json(Deliveries { deliveries: app.store.deliveries(page).await? }))
}

/// Sends an event of the caller's once more. One that waits is tried at once; one that was delivered
/// is tried once, and stays delivered.
pub(crate) async fn resend_own_delivery(
    app: Arc<App>,
    caller: Caller,
    ById(id): ById<DeliveryId>,
) -> Result<Accepted<Delivery>> {
    let verb = ResendDelivery { id, of_user: Some(caller.user.id), now: app.clock.now() };
    Ok(Accepted(app.store.write(verb).await?.delivery))
}

/// Gets the webhook of any user; its secret is not shown.
pub(crate) async fn get_user_webhook(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<UserId>,
) -> Result<Json<WebhookView>> {
    let Webhook { url, secret, .. } = app.store.webhook(id)?;
    Ok(Json(WebhookView { webhook_url: url, has_secret: secret.is_some() }))
}

input! {
    /// Path and query of `GET /admin/users/{id}/webhook/deliveries`.
    pub(crate) struct ListUserDeliveriesInput {
        path user_id: UserId as "id",
        flatten page: ListDeliveriesInput,
    }
}

/// Lists the webhook deliveries of any user, newest first.
pub(crate) async fn list_user_deliveries(
    app: Arc<App>,
    _: Admin,
    input: ListUserDeliveriesInput,
) -> Result<Json<Deliveries>> {
    app.store.webhook(input.user_id)?;
    let page = input.page.page(input.user_id);
    Ok(Json(Deliveries { deliveries: app.store.deliveries(page).await? }))
}

/// Sends an event of any user once more. One that waits is tried at once.
pub(crate) async fn resend_delivery(
    app: Arc<App>,
    admin: Admin,
    ById(id): ById<DeliveryId>,
) -> Result<Accepted<Delivery>> {
    let verb = ResendDelivery { id, of_user: None, now: app.clock.now() };
    Ok(Accepted(app.store.write_by(admin.actor()?, verb).await?.delivery))
}

/// The result of a test.
#[derive(Serialize, ToSchema)]
pub(crate) struct TestView {
    /// Whether the receiver accepted the event.
    delivered: bool,
    /// The HTTP status of the receiver's response; null where none came.
    #[schema(required)]
    status: Option<u16>,
    /// Why the delivery failed; null where it did not.
    #[schema(required)]
    error: Option<String>,
    /// How long the delivery took, in milliseconds.
    milliseconds: u64,
}

impl TestView {
    /// How a test went.
    pub(crate) fn of(tested: Tested) -> Self {
        Self {
            delivered: tested.outcome.error.is_none(),
            status: tested.outcome.status,
            error: tested.outcome.error,
            milliseconds: u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Posts a signed test event to the caller's webhook.
pub(crate) async fn test_webhook(app: Arc<App>, caller: Caller, (): ()) -> Result<Json<TestView>> {
    let webhook = app.store.webhook(caller.user.id)?;
    let tested = app.dispatcher.test(caller.user.id, &webhook).await?;
    Ok(Json(TestView::of(tested)))
}
