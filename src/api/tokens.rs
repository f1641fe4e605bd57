//! Tokens, for the holder of an admin key.

use crate::api::users::{ById, PageLimit};
use crate::app::App;
use crate::auth::{Admin, Explained};
use crate::domain::bot::NativeId;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::text::SingleLine;
use crate::domain::{Patch, PlainToken, Platform, Scope, ScopedMeeting, Time, Token, TokenId, User, UserId};
use crate::error::{Error, Result};
use crate::http::request::extractor::BodyRule;
use crate::http::{Created, Extractor, FromRequest, Json, NoContent};
use crate::store::{CreateToken, RevokeToken, RotateToken, Rotated, TokenPage, UpdateToken};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A span in seconds: at most a hundred years.
pub type Lifetime = BoundedInt<1, 3_155_760_000>;
/// How long a key is accepted after it was exchanged, in seconds: at most a year.
pub type Grace = BoundedInt<0, 31_557_600>;
/// How long that is where nobody says, in seconds: an answer that was lost on the way does no harm.
pub const GRACE_SECONDS_USUAL: i64 = 3600;
/// What a token is for.
type TokenName = SingleLine<255>;

/// Most platforms that a token is limited to.
const PLATFORMS_MAX: usize = 16;

/// Path and body of `POST /admin/users/{id}/tokens`; no body is needed.
pub struct TokenWish {
    user_id: UserId,
    name: Option<TokenName>,
    expires_in: Option<Lifetime>,
    disuse_seconds: Option<Lifetime>,
    scope: Scope,
}

impl FromRequest for TokenWish {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let user_id = extractor.path("id");
        let name = extractor.optional("name");
        let expires_in = extractor.optional("expires_in");
        let disuse_seconds = extractor.optional("disuse_seconds");
        let scope = scope(extractor);
        Some(Self {
            user_id: user_id?,
            name: name?,
            expires_in: expires_in?,
            disuse_seconds: disuse_seconds?,
            scope: scope?,
        })
    }
}

/// What the token is to be limited to.
fn scope(extractor: &mut Extractor<'_>) -> Option<Scope> {
    let read_only = extractor.optional("read_only");
    let platforms = extractor.optional_list::<Platform>("platforms", PLATFORMS_MAX);
    let meeting = extractor.optional_object("meeting", |extractor| {
        let platform = extractor.required("platform");
        let native_meeting_id = extractor.required::<NativeId>("native_meeting_id");
        Some(ScopedMeeting { platform: platform?, native_meeting_id: native_meeting_id?.0 })
    });
    Some(Scope { read_only: read_only?.unwrap_or(false), platforms: platforms?.unwrap_or_default(), meeting: meeting? })
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewToken {
    /// The token's id, by which it is revoked.
    id: TokenId,
    /// The token itself: 40 characters that are shown this once.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    token: String,
    /// Whom it speaks for.
    user_id: UserId,
    /// When it was made.
    created_at: Time,
    /// What it was named.
    #[schema(required)]
    name: Option<String>,
    /// When it stops being accepted; null for never.
    #[schema(required)]
    expires_at: Option<Time>,
    /// How many seconds it may be unused before it ends; null for any number.
    #[schema(required)]
    disuse_seconds: Option<i64>,
    /// What it may do.
    scope: Scope,
}

impl NewToken {
    fn new(secret: &PlainToken, token: Token) -> Self {
        let Token { id, user_id, name, created_at, expires_at, disuse_seconds, scope, .. } = token;
        Self { id, token: secret.reveal().to_owned(), user_id, created_at, name, expires_at, disuse_seconds, scope }
    }
}

/// A new secret.
pub fn secret() -> Result<PlainToken> {
    PlainToken::generate().map_err(|error| Error::Internal(format!("no randomness: {error}")))
}

/// Makes a token; the answer is the only place where it is ever shown.
pub async fn create_token(app: Arc<App>, admin: Admin, wish: TokenWish) -> Result<Created<NewToken>> {
    let (secret, now) = (secret()?, app.clock.now());
    let verb = CreateToken {
        user_id: wish.user_id,
        hash: secret.hash(),
        hint: secret.hint(),
        name: wish.name.map(|name| name.0),
        expires_at: wish.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        disuse_seconds: wish.disuse_seconds.map(|seconds| seconds.0),
        scope: wish.scope,
        now,
    };
    let token = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewToken::new(&secret, token)))
}

/// Every token of a user, without the secrets.
pub async fn list_user_tokens(app: Arc<App>, _: Admin, ById(id): ById) -> Result<Json<Vec<Token>>> {
    let (_, tokens) = app.auth.user_with_tokens(id, &app.store).await?;
    Ok(Json(tokens))
}

impl FromRequest for TokenPage {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let user_id = extractor.query("user_id");
        let after = extractor.query("after");
        let limit = extractor.query_or("limit", BoundedInt(100) as PageLimit);
        Some(Self { user_id: user_id?, after: after?, limit: limit?.0 })
    }
}

/// A page of everybody's tokens, or of one user's.
pub async fn list_tokens(app: Arc<App>, _: Admin, page: TokenPage) -> Result<Json<Vec<Token>>> {
    Ok(Json(app.auth.tokens(page, &app.store).await?))
}

/// `{id}` of a token in the path.
pub struct ByTokenId(TokenId);

impl FromRequest for ByTokenId {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.path("id").map(Self)
    }
}

/// One token, without its secret.
pub async fn get_token(app: Arc<App>, _: Admin, ByTokenId(id): ByTokenId) -> Result<Json<Token>> {
    Ok(Json(app.auth.token(id, &app.store)?))
}

/// Path and body of `PATCH /admin/tokens/{id}`.
pub struct TokenChanges {
    id: TokenId,
    name: Patch<TokenName>,
    disabled: Option<bool>,
    expires_in: Patch<Lifetime>,
    disuse_seconds: Patch<Lifetime>,
}

impl FromRequest for TokenChanges {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id");
        let name = extractor.patch("name");
        let disabled = extractor.optional("disabled");
        let expires_in = extractor.patch("expires_in");
        let disuse_seconds = extractor.patch("disuse_seconds");
        Some(Self {
            id: id?,
            name: name?,
            disabled: disabled?,
            expires_in: expires_in?,
            disuse_seconds: disuse_seconds?,
        })
    }
}

/// Changes what is given of a token; a disabled one is refused until it is enabled again.
pub async fn update_token(app: Arc<App>, admin: Admin, changes: TokenChanges) -> Result<Json<Token>> {
    let now = app.clock.now();
    let verb = UpdateToken {
        id: changes.id,
        name: changes.name.map(|name| name.0),
        disabled: changes.disabled,
        expires_at: changes.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        disuse_seconds: changes.disuse_seconds.map(|seconds| seconds.0),
        now,
    };
    let (token, _) = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Json(app.auth.with_pending(token)))
}

/// What is wished of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    grace_seconds: i64,
    expires_in: Option<i64>,
}

impl FromRequest for Rotation {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let grace = extractor.optional::<Grace>("grace_seconds");
        let expires_in = extractor.optional::<Lifetime>("expires_in");
        let expires_in = expires_in?.map(|seconds| seconds.0);
        Some(Self { expires_in, ..Self::within(grace?) })
    }
}

impl Rotation {
    /// For a token that lives as long as the one before.
    pub fn within(grace: Option<Grace>) -> Self {
        Self { grace_seconds: grace.map_or(GRACE_SECONDS_USUAL, |grace| grace.0), expires_in: None }
    }

    /// The verb that does it, and the secret of the new token.
    pub fn verb(self, id: TokenId, now: Time) -> Result<(RotateToken, PlainToken)> {
        let secret = secret()?;
        let verb = RotateToken {
            id,
            hash: secret.hash(),
            hint: secret.hint(),
            grace_seconds: self.grace_seconds,
            expires_in: self.expires_in,
            now,
        };
        Ok((verb, secret))
    }
}

/// Path and body of `POST /admin/tokens/{id}/rotate`; no body is needed.
pub struct RotationById {
    id: TokenId,
    exchange: Rotation,
}

impl FromRequest for RotationById {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id");
        let exchange = Rotation::read(extractor);
        Some(Self { id: id?, exchange: exchange? })
    }
}

/// The token that was exchanged.
#[derive(Serialize, ToSchema)]
pub struct PreviousToken {
    /// Its id.
    id: TokenId,
    /// Until when it is accepted as well.
    #[schema(value_type = Time)]
    expires_at: Option<Time>,
}

/// A new token, and the end of the one that it was exchanged for.
#[derive(Serialize, ToSchema)]
pub struct RotatedToken {
    /// The new one.
    #[serde(flatten)]
    new: NewToken,
    /// The old one.
    replaces: PreviousToken,
}

impl RotatedToken {
    /// What is shown of an exchange.
    pub fn new(secret: &PlainToken, Rotated { new, old, .. }: Rotated) -> Self {
        let replaces = PreviousToken { id: old.id, expires_at: old.expires_at };
        Self { new: NewToken::new(secret, new), replaces }
    }
}

/// Exchanges a token for a new one that may do the same; the old one is accepted for a while yet.
pub async fn rotate_token(app: Arc<App>, admin: Admin, wish: RotationById) -> Result<Created<RotatedToken>> {
    let (verb, secret) = wish.exchange.verb(wish.id, app.clock.now())?;
    let rotated = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(RotatedToken::new(&secret, rotated)))
}

/// How the second exchange of a token fails, for the route table.
pub fn already_rotated() -> Error {
    Error::TokenReplaced(TokenId(2))
}

/// Revokes a token: it is refused from the very next request on.
pub async fn revoke_token(app: Arc<App>, admin: Admin, ByTokenId(id): ByTokenId) -> Result<NoContent> {
    app.store.write_by(admin.actor()?, RevokeToken { id, now: app.clock.now() }).await?;
    Ok(NoContent)
}

/// Somebody's token, to be explained.
pub struct Presented(SingleLine<1024>);

impl FromRequest for Presented {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.secret("token").map(Self)
    }
}

/// What becomes of whoever brings a token, and why.
#[derive(Serialize, ToSchema)]
pub struct Explanation {
    /// `accepted`, or why it is refused in a word.
    #[schema(example = "expired")]
    code: &'static str,
    /// The same in a sentence.
    reason: String,
    /// The token, if there is one.
    #[schema(required)]
    token: Option<Token>,
    /// Whom it speaks for.
    #[schema(required)]
    user: Option<User>,
}

/// Tells what becomes of whoever brings a token; it is not used by that.
pub async fn explain_token(app: Arc<App>, _: Admin, Presented(token): Presented) -> Result<Json<Explanation>> {
    let Explained { token, user, rejection } =
        app.auth.explain(token.0.trim().as_bytes(), &app.store, app.clock.now())?;
    let (code, reason) = match rejection {
        Some(rejection) => (rejection.code(), rejection.reason()),
        None => ("accepted", "The token is accepted.".to_owned()),
    };
    Ok(Json(Explanation { code, reason, token, user }))
}
