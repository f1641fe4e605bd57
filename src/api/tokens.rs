//! Tokens, for the holder of an admin key.

use crate::api::users::{ById, PageLimit};
use crate::app::App;
use crate::auth::{Admin, Explained};
use crate::domain::bot::NativeId;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::text::SingleLine;
use crate::domain::{Patch, PlainToken, Platform, Scope, ScopedMeeting, Time, Token, TokenId, User, UserId};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Created, Json, NoContent};
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

input! {
    /// Path and body of `POST /admin/users/{id}/tokens`; no body is needed.
    pub struct CreateTokenInput, body Optional {
        path user_id: UserId as "id",
        optional name: Option<TokenName>,
        optional expires_in: Option<Lifetime>,
        optional disuse_seconds: Option<Lifetime>,
        flatten scope: Scope,
    }
}

input! {
    for Scope {
        optional read_only: Option<bool> => read_only.unwrap_or(false),
        optional_list(PLATFORMS_MAX) platforms: Option<Vec<Platform>> => platforms.unwrap_or_default(),
        optional_object meeting: Option<ScopedMeeting>,
    }
}

input! {
    for ScopedMeeting {
        required platform: Platform,
        required native_meeting_id: NativeId => native_meeting_id.0,
    }
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
pub async fn create_token(app: Arc<App>, admin: Admin, input: CreateTokenInput) -> Result<Created<NewToken>> {
    let (secret, now) = (secret()?, app.clock.now());
    let verb = CreateToken {
        user_id: input.user_id,
        hash: secret.hash(),
        hint: secret.hint(),
        name: input.name.map(|name| name.0),
        expires_at: input.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        disuse_seconds: input.disuse_seconds.map(|seconds| seconds.0),
        scope: input.scope,
        now,
    };
    let token = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewToken::new(&secret, token)))
}

/// Every token of a user, without the secrets.
pub async fn list_user_tokens(app: Arc<App>, _: Admin, ById(id): ById<UserId>) -> Result<Json<Vec<Token>>> {
    let (_, tokens) = app.auth.user_with_tokens(id, &app.store).await?;
    Ok(Json(tokens))
}

input! {
    for TokenPage {
        query user_id: Option<UserId>,
        query after: Option<TokenId>,
        query_or(BoundedInt(100)) limit: PageLimit => limit.0,
    }
}

/// A page of everybody's tokens, or of one user's.
pub async fn list_tokens(app: Arc<App>, _: Admin, page: TokenPage) -> Result<Json<Vec<Token>>> {
    Ok(Json(app.auth.tokens(page, &app.store).await?))
}

/// One token, without its secret.
pub async fn get_token(app: Arc<App>, _: Admin, ById(id): ById<TokenId>) -> Result<Json<Token>> {
    Ok(Json(app.auth.token(id, &app.store)?))
}

input! {
    /// Path and body of `PATCH /admin/tokens/{id}`.
    pub struct UpdateTokenInput, body Required {
        path id: TokenId,
        patch name: Patch<TokenName>,
        optional disabled: Option<bool>,
        patch expires_in: Patch<Lifetime>,
        patch disuse_seconds: Patch<Lifetime>,
    }
}

/// Changes what is given of a token; a disabled one is refused until it is enabled again.
pub async fn update_token(app: Arc<App>, admin: Admin, input: UpdateTokenInput) -> Result<Json<Token>> {
    let now = app.clock.now();
    let verb = UpdateToken {
        id: input.id,
        name: input.name.map(|name| name.0),
        disabled: input.disabled,
        expires_at: input.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        disuse_seconds: input.disuse_seconds.map(|seconds| seconds.0),
        now,
    };
    let (token, _) = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Json(app.auth.with_pending(token)))
}

/// How a token is rotated.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    grace_seconds: i64,
    expires_in: Option<i64>,
}

input! {
    for Rotation, body Optional {
        optional grace_seconds: Option<Grace> => grace_or_usual(grace_seconds),
        optional expires_in: Option<Lifetime> => expires_in.map(|seconds| seconds.0),
    }
}

/// How many seconds the old key is accepted for: as many as were asked for, or the usual ones.
pub fn grace_or_usual(grace_seconds: Option<Grace>) -> i64 {
    grace_seconds.map_or(GRACE_SECONDS_USUAL, |grace| grace.0)
}

impl Rotation {
    /// Of a token whose lifetime stays as it is.
    pub fn within(grace: Option<Grace>) -> Self {
        Self { grace_seconds: grace_or_usual(grace), expires_in: None }
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

input! {
    /// Path and body of `POST /admin/tokens/{id}/rotate`; no body is needed.
    pub struct RotateTokenInput, body Optional {
        path id: TokenId,
        flatten rotation: Rotation,
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
pub async fn rotate_token(app: Arc<App>, admin: Admin, input: RotateTokenInput) -> Result<Created<RotatedToken>> {
    let (verb, secret) = input.rotation.verb(input.id, app.clock.now())?;
    let rotated = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(RotatedToken::new(&secret, rotated)))
}

/// How the second exchange of a token fails, for the route table.
pub fn already_rotated() -> Error {
    Error::TokenReplaced(TokenId(2))
}

/// Revokes a token: it is refused from the very next request on.
pub async fn revoke_token(app: Arc<App>, admin: Admin, ById(id): ById<TokenId>) -> Result<NoContent> {
    app.store.write_by(admin.actor()?, RevokeToken { id, now: app.clock.now() }).await?;
    Ok(NoContent)
}

input! {
    /// Body of `POST /admin/tokens/explain`.
    pub struct ExplainTokenInput, body Required {
        secret token: SingleLine<1024>,
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
pub async fn explain_token(app: Arc<App>, _: Admin, input: ExplainTokenInput) -> Result<Json<Explanation>> {
    let presented = input.token.0.trim().as_bytes();
    let explained = app.auth.explain(presented, &app.store, app.clock.now())?;
    let Explained { token, user, rejection } = explained;
    let (code, reason) = match rejection {
        Some(rejection) => (rejection.code(), rejection.reason()),
        None => ("accepted", "The token is accepted.".to_owned()),
    };
    Ok(Json(Explanation { code, reason, token, user }))
}
