//! Named admin keys, for callers with an admin key.

use crate::api::tokens::{GRACE_SECONDS_HOLDER_MAX, Grace, Lifetime, secret};
use crate::api::users::ById;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::admin_key::KeyName;
use crate::domain::{AdminKey, AdminKeyId, PlainToken, Time, TokenHash};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Created, Json, NoContent};
use crate::store::{CreateAdminKey, RevokeAdminKey, RotateAdminKey, rotated_already};
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
    let expires_at = input.expires_in.map(|seconds| now.plus_seconds(seconds.0));
    refuse_to_outlive(&admin, expires_at)?;
    let verb = CreateAdminKey {
        name: input.name.0,
        hash: secret.hash(),
        hint: secret.hint(),
        expires_at,
        made_by: admin.named_key().map(|key| key.hash),
        now,
    };
    let key = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewAdminKey::new(&secret, key)))
}

/// Refuses a new key that would end later than the named key that makes it.
fn refuse_to_outlive(admin: &Admin, expires_at: Option<Time>) -> Result<()> {
    let Some(end) = admin.named_key().and_then(|key| key.expires_at) else { return Ok(()) };
    if expires_at.is_some_and(|new_end| new_end <= end) {
        return Ok(());
    }
    let why =
        format!("This key ends on {end}, and a key that it makes ends no later; give expires_in.");
    Err(Error::AdminKeyLimited(why))
}

/// BLAKE3 of the secret by which the holder of a named key rotates it, `None` for another
/// administrator; a named key rotates no other one, and not by the secret that it had before.
fn holders_secret(admin: &Admin, id: AdminKeyId, grace_seconds: i64) -> Result<Option<TokenHash>> {
    let Some(key) = admin.named_key() else { return Ok(None) };
    if key.id != id {
        let why =
            "A named key rotates itself alone; use the key of the settings, or the command line.";
        return Err(Error::AdminKeyLimited(why.to_owned()));
    }
    if key.is_old {
        return Err(rotated_already());
    }
    if grace_seconds > GRACE_SECONDS_HOLDER_MAX {
        let why = format!(
            "A key that rotates itself has a grace of at most {GRACE_SECONDS_HOLDER_MAX} seconds."
        );
        return Err(Error::AdminKeyLimited(why));
    }
    Ok(Some(key.hash))
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

/// Rotates an admin key: the new one has the same name, the old one is accepted for a grace period if
/// one is given. A named key rotates itself alone, and keeps its end.
pub(crate) async fn rotate_admin_key(
    app: Arc<App>,
    admin: Admin,
    input: RotateAdminKeyInput,
) -> Result<Created<NewAdminKey>> {
    let grace_seconds = input.grace_seconds.map_or(0, |grace| grace.0);
    let by_holder = holders_secret(&admin, input.id, grace_seconds)?;
    let secret = secret()?;
    let verb = RotateAdminKey {
        id: input.id,
        hash: secret.hash(),
        hint: secret.hint(),
        grace_seconds,
        now: app.clock.now(),
        by_holder,
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

/// The error of a named key that may not do this, for the route table.
pub(crate) fn limited() -> Error {
    Error::AdminKeyLimited("A named key rotates itself alone.".to_owned())
}
