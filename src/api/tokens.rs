//! API tokens, for callers with an admin key.

use crate::api::users::{ById, PageLimit};
use crate::app::App;
use crate::auth::{Admin, Explained};
use crate::domain::NativeId;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::text::SingleLine;
use crate::domain::{
    Narrowing, Patch, PlainToken, Platform, Scope, ScopedMeeting, Time, Token, TokenChanges,
    TokenId, TokenTerms, User, UserId,
};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Created, Json, NoContent, WithHeader};
use crate::store::{
    Affected, CreateToken, MADE_MAX, RevokeToken, RotateToken, Rotated, TokenPage, UpdateToken,
};
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A span in seconds: at most a hundred years.
pub(crate) type Lifetime = BoundedInt<1, 3_155_760_000>;
/// How long the old key is still accepted after a rotation by an administrator, in seconds: at most
/// a year.
pub(crate) type Grace = BoundedInt<0, 31_557_600>;
/// The same after a rotation by its holder: at most an hour.
pub(crate) type HolderGrace = BoundedInt<0, GRACE_SECONDS_HOLDER_MAX>;
/// Longest grace period of a key that its holder rotates, in seconds.
pub(crate) const GRACE_SECONDS_HOLDER_MAX: i64 = 3600;
/// How many tokens were changed: a chain is one, so they may be more than the one that was named.
pub(crate) const TOKENS_AFFECTED: HeaderName = HeaderName::from_static("x-tokens-affected");
/// What a token is for.
type TokenName = SingleLine<255>;

/// Most platforms that a token is limited to.
const PLATFORMS_MAX: usize = 16;

input! {
    /// Path and body of `POST /admin/users/{id}/tokens`; no body is needed.
    pub(crate) struct CreateTokenInput, body Optional {
        path user_id: UserId as "id",
        flatten terms: TermsInput,
        flatten scope: Scope,
    }
}

input! {
    for Scope {
        optional read_only: Option<bool> => read_only.unwrap_or(false),
        optional_list(PLATFORMS_MAX) platforms: Option<Vec<Platform>> => platforms.unwrap_or_default(),
        optional_object meeting: Option<ScopedMeeting>,
        optional transcribe: Option<bool>,
        optional transcribe_only: Option<bool> => transcribe_only.unwrap_or(false),
        ..Scope::default()
    }
}

input! {
    for ScopedMeeting {
        required platform: Platform,
        required native_meeting_id: NativeId => native_meeting_id.0,
    }
}

input! {
    /// What can be said of a token when it is created, and changed later.
    pub(crate) struct TermsInput {
        patch name: Patch<TokenName>,
        patch expires_in: Patch<Lifetime>,
        patch disuse_seconds: Patch<Lifetime>,
    }
}

impl TermsInput {
    /// The changes that are asked for; spans begin now.
    pub(crate) fn changes(self, now: Time) -> TokenChanges {
        TokenChanges {
            name: self.name.map(|name| name.0),
            expires_at: self.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
            disuse_seconds: self.disuse_seconds.map(|seconds| seconds.0),
        }
    }
}

/// A token that was just created.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// The token's id, by which it is revoked.
    id: TokenId,
    /// The token itself: 40 characters that are shown this once.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    token: String,
    /// The user whom the token authenticates.
    user_id: UserId,
    /// When the token was created.
    created_at: Time,
    #[serde(flatten)]
    terms: TokenTerms,
}

impl NewToken {
    /// The response to the creation of a token.
    pub(crate) fn new(secret: &PlainToken, token: Token) -> Self {
        Self {
            id: token.id,
            token: secret.reveal().to_owned(),
            user_id: token.user_id,
            created_at: token.created_at,
            terms: token.terms,
        }
    }
}

/// Generates the secret of a new key.
pub(crate) fn secret() -> Result<PlainToken> {
    PlainToken::generate().map_err(|error| Error::Internal(format!("no randomness: {error}")))
}

/// Creates a token; the response is the only place where the token itself is ever shown.
pub(crate) async fn create_token(
    app: Arc<App>,
    admin: Admin,
    input: CreateTokenInput,
) -> Result<Created<NewToken>> {
    let secret = secret()?;
    let now = app.clock.now();
    let mut terms = TokenTerms { scope: input.scope, ..TokenTerms::default() };
    input.terms.changes(now).apply(&mut terms);
    let (hash, hint) = (secret.hash(), secret.hint());
    let verb = CreateToken { user_id: input.user_id, hash, hint, terms, now };
    let token = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(NewToken::new(&secret, token)))
}

/// Lists the tokens of a user, without the secrets.
pub(crate) async fn list_user_tokens(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<UserId>,
) -> Result<Json<Vec<Token>>> {
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

/// Lists a page of the tokens of all users, or of one.
pub(crate) async fn list_tokens(
    app: Arc<App>,
    _: Admin,
    page: TokenPage,
) -> Result<Json<Vec<Token>>> {
    Ok(Json(app.auth.tokens(page, &app.store).await?))
}

/// Gets a token, without its secret.
pub(crate) async fn get_token(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<TokenId>,
) -> Result<Json<Token>> {
    Ok(Json(app.auth.token(id, &app.store)?))
}

input! {
    /// Path and body of `PATCH /admin/tokens/{id}`.
    pub(crate) struct UpdateTokenInput, body Required {
        path id: TokenId,
        flatten terms: TermsInput,
        flatten narrowing: Narrowing,
        optional disabled: Option<bool>,
    }
}

input! {
    for Narrowing {
        optional read_only: Option<bool>,
        optional_list(PLATFORMS_MAX) platforms: Option<Vec<Platform>>,
        optional_object meeting: Option<ScopedMeeting>,
        optional transcribe: Option<bool>,
        optional transcribe_only: Option<bool>,
    }
}

/// Updates the given fields of a token; a disabled token is refused until it is enabled again, and
/// its scope is only ever narrowed. What disables, enables, shortens or narrows it does the same to
/// the tokens that its holder rotated it to or has made by it; the header `X-Tokens-Affected` says
/// how many tokens were changed.
pub(crate) async fn update_token(
    app: Arc<App>,
    admin: Admin,
    input: UpdateTokenInput,
) -> Result<WithHeader<Json<Token>>> {
    let now = app.clock.now();
    let verb = UpdateToken {
        id: input.id,
        terms: input.terms.changes(now),
        narrowing: input.narrowing,
        disabled: input.disabled,
        now,
    };
    let updated = app.store.write_by(admin.actor()?, verb).await?;
    Ok(counted(Json(app.auth.with_pending(updated.token)), &updated.affected))
}

/// How a token is rotated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    grace_seconds: i64,
    expires_in: Option<i64>,
    by_holder: bool,
}

input! {
    /// What an administrator says of a rotation.
    pub(crate) struct RotationInput, body Optional {
        optional grace_seconds: Option<Grace>,
        optional expires_in: Option<Lifetime>,
    }
}

impl From<RotationInput> for Rotation {
    fn from(input: RotationInput) -> Self {
        let grace_seconds = input.grace_seconds.map_or(0, |grace| grace.0);
        let expires_in = input.expires_in.map(|seconds| seconds.0);
        Self { grace_seconds, expires_in, by_holder: false }
    }
}

impl Rotation {
    /// Of a token by its holder, which ends when the old one would have.
    pub(crate) fn by_holder(grace: Option<HolderGrace>) -> Self {
        let grace_seconds = grace.map_or(0, |grace| grace.0);
        Self { grace_seconds, expires_in: None, by_holder: true }
    }

    /// The verb that rotates the token, and the secret of the new one.
    pub(crate) fn verb(self, id: TokenId, now: Time) -> Result<(RotateToken, PlainToken)> {
        let secret = secret()?;
        let verb = RotateToken {
            id,
            hash: secret.hash(),
            hint: secret.hint(),
            grace_seconds: self.grace_seconds,
            expires_in: self.expires_in,
            now,
            by_holder: self.by_holder,
        };
        Ok((verb, secret))
    }
}

input! {
    /// Path and body of `POST /admin/tokens/{id}/rotate`; no body is needed.
    pub(crate) struct RotateTokenInput, body Optional {
        path id: TokenId,
        flatten rotation: RotationInput,
    }
}

/// The token that was rotated.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviousToken {
    /// The token's id.
    id: TokenId,
    /// Until when the old token is accepted beside the new one.
    #[schema(value_type = Time)]
    expires_at: Option<Time>,
}

/// A new token, and when the one that it replaces expires.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedToken {
    /// The new token.
    #[serde(flatten)]
    new: NewToken,
    /// The old token.
    replaces: PreviousToken,
}

impl RotatedToken {
    /// The response to a rotation.
    pub(crate) fn new(secret: &PlainToken, Rotated { new, old, .. }: Rotated) -> Self {
        let replaces = PreviousToken { id: old.id, expires_at: old.terms.expires_at };
        Self { new: NewToken::new(secret, new), replaces }
    }
}

/// Rotates a token: the new one has the same scope, the old one is accepted for a grace period if
/// one is given. The tokens that its holder rotated it from end with it; the header
/// `X-Tokens-Affected` says how many old tokens were changed.
pub(crate) async fn rotate_token(
    app: Arc<App>,
    admin: Admin,
    input: RotateTokenInput,
) -> Result<WithHeader<Created<RotatedToken>>> {
    let (verb, secret) = Rotation::from(input.rotation).verb(input.id, app.clock.now())?;
    let rotated = app.store.write_by(admin.actor()?, verb).await?;
    let affected = rotated.affected.clone();
    Ok(counted(Created(RotatedToken::new(&secret, rotated)), &affected))
}

/// The error of a token that was rotated already, for the route table.
pub(crate) fn already_rotated() -> Error {
    Error::TokenReplaced(TokenId(2))
}

/// The error of a user who has made many tokens, for the route table.
pub(crate) fn too_many() -> Error {
    Error::TooManyTokens { max: MADE_MAX }
}

/// Revokes a token, and those that its holder rotated it to: they are refused from the next request
/// on. The header `X-Tokens-Affected` says how many they were.
pub(crate) async fn revoke_token(
    app: Arc<App>,
    admin: Admin,
    ById(id): ById<TokenId>,
) -> Result<WithHeader<NoContent>> {
    let verb = RevokeToken { id, of_user: None, by: None, now: app.clock.now() };
    let affected = app.store.write_by(admin.actor()?, verb).await?;
    Ok(counted(NoContent, &affected))
}

/// A response that says how many tokens were changed.
pub(crate) fn counted<T>(response: T, affected: &Affected) -> WithHeader<T> {
    WithHeader { response, header: (TOKENS_AFFECTED, HeaderValue::from(affected.count())) }
}

input! {
    /// Body of `POST /admin/tokens/explain`.
    pub(crate) struct ExplainTokenInput, body Required {
        secret token: SingleLine<1024>,
    }
}

/// Whether a token is accepted, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// `accepted`, or the reason code of the refusal.
    #[schema(example = "expired")]
    code: &'static str,
    /// The reason in a sentence.
    reason: String,
    /// The token; null if there is no such token.
    #[schema(required)]
    token: Option<Token>,
    /// The user whom the token authenticates; null if there is no such token.
    #[schema(required)]
    user: Option<User>,
}

/// Explains whether a token is accepted; this does not count as a use of the token.
pub(crate) async fn explain_token(
    app: Arc<App>,
    _: Admin,
    input: ExplainTokenInput,
) -> Result<Json<Explanation>> {
    let presented = input.token.0.trim().as_bytes();
    let explained = app.auth.explain(presented, &app.store, app.clock.now())?;
    let Explained { token, user, rejection } = explained;
    let (code, reason) = match rejection {
        Some(rejection) => (rejection.code(), rejection.reason()),
        None => ("accepted", "The token is accepted.".to_owned()),
    };
    Ok(Json(Explanation { code, reason, token, user }))
}
