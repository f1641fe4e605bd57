//! Named admin keys, for callers with an admin key.

use crate::api::tokens::{Grace, Lifetime, grace_or_usual, secret};
use crate::api::users::ById;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::admin_key::KeyName;
use crate::domain::{AdminKey, AdminKeyId, PlainToken};
use crate::error::Result;
use crate::http::request::input::input;
use crate::http::{Created, Json, NoContent};
use crate::store::{CreateAdminKey, RevokeAdminKey, RotateAdminKey};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

input! {
    /// Body of `POST /admin/keys`.
    pub(crate) struct CreateAdminKeyInput, body Required {
        required name: KeyName,
        optional expires_in: Option<Lifetime>,
    }
}

/// An admin key that was just created.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewAdminKey {
    #[serde(flatten)]
    admin_key: AdminKey,
    /// The key itself: 40 characters that are shown this once.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    key: String,
}

impl NewAdminKey {
    fn new(secret: &PlainToken, admin_key: AdminKey) -> Self {
        Self { admin_key, key: secret.reveal().to_owned() }
    }
}

/// Creates an admin key; the response is the only place where the key itself is ever shown.
pub(crate) async fn create_admin_key(
    app: Arc<App>,
    admin: Admin,
    input: CreateAdminKeyInput,
) -> Result<Created<NewAdminKey>> {
    let secret = secret()?;
    let now = app.clock.now();
    let verb = CreateAdminKey {
        name: input.name.0,
        hash: secret.hash(),
        hint: secret.hint(),
        expires_at: input.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        now,
    };
    let key = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewAdminKey::new(&secret, key)))
}

/// Lists the named admin keys, without the secrets; the configured key is not among them.
pub(crate) async fn list_admin_keys(
    app: Arc<App>,
    _: Admin,
    (): (),
) -> Result<Json<Vec<AdminKey>>> {
    Ok(Json(app.store.admin_keys()?))
}

input! {
    /// Path and body of `POST /admin/keys/{id}/rotate`; no body is needed.
    pub(crate) struct RotateAdminKeyInput, body Optional {
        path id: AdminKeyId,
        optional grace_seconds: Option<Grace>,
    }
}

/// Rotates an admin key: the new one has the same name, the old one is accepted for a grace period.
pub(crate) async fn rotate_admin_key(
    app: Arc<App>,
    admin: Admin,
    input: RotateAdminKeyInput,
) -> Result<Created<NewAdminKey>> {
    let secret = secret()?;
    let verb = RotateAdminKey {
        id: input.id,
        hash: secret.hash(),
        hint: secret.hint(),
        grace_seconds: grace_or_usual(input.grace_seconds),
        now: app.clock.now(),
    };
    let key = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewAdminKey::new(&secret, key)))
}

/// Revokes an admin key: it is refused from the next request on.
pub(crate) async fn revoke_admin_key(
    app: Arc<App>,
    admin: Admin,
    ById(id): ById<AdminKeyId>,
) -> Result<NoContent> {
    app.store.write_by(admin.actor()?, RevokeAdminKey { id, now: app.clock.now() }).await?;
    Ok(NoContent)
}
