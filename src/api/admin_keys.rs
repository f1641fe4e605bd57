//! Named admin keys, for whoever holds one.

use crate::api::tokens::{GRACE_SECONDS_USUAL, Grace, Lifetime, secret};
use crate::app::App;
use crate::auth::Admin;
use crate::domain::admin_key::KeyName;
use crate::domain::{AdminKey, AdminKeyId, PlainToken};
use crate::error::Result;
use crate::http::request::extractor::BodyRule;
use crate::http::{Created, Extractor, FromRequest, Json, NoContent};
use crate::store::{CreateAdminKey, RevokeAdminKey, RotateAdminKey};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Body of `POST /admin/keys`.
pub struct KeyWish {
    name: KeyName,
    expires_in: Option<Lifetime>,
}

impl FromRequest for KeyWish {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let name = extractor.required("name");
        let expires_in = extractor.optional("expires_in");
        Some(Self { name: name?, expires_in: expires_in? })
    }
}

/// An admin key that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewAdminKey {
    /// What is known of it from now on.
    #[serde(flatten)]
    known: AdminKey,
    /// The key itself: 40 characters that are shown this once.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    key: String,
}

impl NewAdminKey {
    fn new(secret: &PlainToken, known: AdminKey) -> Self {
        Self { known, key: secret.reveal().to_owned() }
    }
}

/// Makes an admin key; the answer is the only place where it is ever shown.
pub async fn create_admin_key(app: Arc<App>, admin: Admin, wish: KeyWish) -> Result<Created<NewAdminKey>> {
    let (secret, now) = (secret()?, app.clock.now());
    let verb = CreateAdminKey {
        name: wish.name.0,
        hash: secret.hash(),
        hint: secret.hint(),
        expires_at: wish.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        now,
    };
    let key = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewAdminKey::new(&secret, key)))
}

/// Every named admin key, without the secrets; the key of the settings is not among them.
pub async fn list_admin_keys(app: Arc<App>, _: Admin, (): ()) -> Result<Json<Vec<AdminKey>>> {
    Ok(Json(app.store.admin_keys()?))
}

/// Path and body of `POST /admin/keys/{id}/rotate`; no body is needed.
pub struct KeyRotation {
    id: AdminKeyId,
    grace_seconds: Option<Grace>,
}

impl FromRequest for KeyRotation {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id");
        let grace_seconds = extractor.optional("grace_seconds");
        Some(Self { id: id?, grace_seconds: grace_seconds? })
    }
}

/// Exchanges an admin key for a new one of the same name; the old one is accepted for a while yet.
pub async fn rotate_admin_key(app: Arc<App>, admin: Admin, wish: KeyRotation) -> Result<Created<NewAdminKey>> {
    let secret = secret()?;
    let verb = RotateAdminKey {
        id: wish.id,
        hash: secret.hash(),
        hint: secret.hint(),
        grace_seconds: wish.grace_seconds.map_or(GRACE_SECONDS_USUAL, |grace| grace.0),
        now: app.clock.now(),
    };
    let key = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewAdminKey::new(&secret, key)))
}

/// `{id}` of an admin key in the path.
pub struct ByKeyId(AdminKeyId);

impl FromRequest for ByKeyId {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.path("id").map(Self)
    }
}

/// Revokes an admin key: it is refused from the very next request on.
pub async fn revoke_admin_key(app: Arc<App>, admin: Admin, ByKeyId(id): ByKeyId) -> Result<NoContent> {
    app.store.write_by(admin.actor()?, RevokeAdminKey { id, now: app.clock.now() }).await?;
    Ok(NoContent)
}
