//! Tokens, for the holder of an admin key.

use super::users::{ById, PageLimit, patch};
use crate::app::App;
use crate::auth::Admin;
use crate::clock;
use crate::domain::bot::NativeId;
use crate::domain::number::Whole;
use crate::domain::text::Line;
use crate::domain::{PlainToken, Platform, Scope, ScopedMeeting, Time, Token, TokenId, User, UserId};
use crate::error::{Error, Result};
use crate::http::form::{BodyRule, Settable};
use crate::http::{Created, Form, Input, Json, NoContent};
use crate::store::{CreateToken, RevokeToken, RotateToken, Rotated, TokenPage, UpdateToken};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A span in seconds: at most a hundred years.
pub type Lifetime = Whole<1, 3_155_760_000>;
/// How long a key is accepted after it was exchanged, in seconds: at most a year.
pub type Grace = Whole<0, 31_557_600>;
/// How long that is where nobody says, in seconds: an answer that was lost on the way does no harm.
pub const GRACE_SECONDS_USUAL: i64 = 3600;
/// What a token is for.
type TokenName = Line<255>;

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

impl Input for TokenWish {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let user_id = form.path("id");
        let name = form.optional("name");
        let expires_in = form.optional("expires_in");
        let disuse_seconds = form.optional("disuse_seconds");
        let scope = scope(form);
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
fn scope(form: &mut Form<'_>) -> Option<Scope> {
    let read_only = form.optional("read_only");
    let platforms = form.optional_list::<Platform>("platforms", PLATFORMS_MAX);
    let meeting = form.optional_object("meeting", |form| {
        let platform = form.required("platform");
        let native_meeting_id = form.required::<NativeId>("native_meeting_id");
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
pub async fn create(app: Arc<App>, admin: Admin, wish: TokenWish) -> Result<Created<NewToken>> {
    let (secret, now) = (secret()?, clock::now());
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
pub async fn list(app: Arc<App>, _: Admin, ById(id): ById) -> Result<Json<Vec<Token>>> {
    let (_, mut tokens) = app.store.user_with_tokens(id).await?;
    app.auth.usage().freshen(&mut tokens);
    Ok(Json(tokens))
}

impl Input for TokenPage {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let user_id = form.query("user_id");
        let after = form.query("after");
        let limit = form.query_or("limit", Whole(100) as PageLimit);
        Some(Self { user_id: user_id?, after: after?, limit: limit?.0 })
    }
}

/// A page of everybody's tokens, or of one user's.
pub async fn page(app: Arc<App>, _: Admin, page: TokenPage) -> Result<Json<Vec<Token>>> {
    let mut tokens = app.store.tokens(page).await?;
    app.auth.usage().freshen(&mut tokens);
    Ok(Json(tokens))
}

/// `{id}` of a token in the path.
pub struct ByTokenId(TokenId);

impl Input for ByTokenId {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        form.path("id").map(Self)
    }
}

/// One token, without its secret.
pub async fn show(app: Arc<App>, _: Admin, ByTokenId(id): ByTokenId) -> Result<Json<Token>> {
    let mut token = app.store.token(id)?;
    app.auth.usage().freshen(std::slice::from_mut(&mut token));
    Ok(Json(token))
}

/// Path and body of `PATCH /admin/tokens/{id}`.
pub struct TokenChanges {
    id: TokenId,
    name: Settable<TokenName>,
    disabled: Option<bool>,
    expires_in: Settable<Lifetime>,
    disuse_seconds: Settable<Lifetime>,
}

impl Input for TokenChanges {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let id = form.path("id");
        let name = form.settable("name");
        let disabled = form.optional("disabled");
        let expires_in = form.settable("expires_in");
        let disuse_seconds = form.settable("disuse_seconds");
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
pub async fn update(app: Arc<App>, admin: Admin, changes: TokenChanges) -> Result<Json<Token>> {
    let now = clock::now();
    let verb = UpdateToken {
        id: changes.id,
        name: patch(changes.name, |name| name.0),
        disabled: changes.disabled,
        expires_at: patch(changes.expires_in, |seconds| now.plus_seconds(seconds.0)),
        disuse_seconds: patch(changes.disuse_seconds, |seconds| seconds.0),
        now,
    };
    let (mut token, _) = app.store.write_by(admin.actor()?, verb).await?;
    app.auth.usage().freshen(std::slice::from_mut(&mut token));
    Ok(Json(token))
}

/// What is wished of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    grace_seconds: i64,
    expires_in: Option<i64>,
}

impl Input for Exchange {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let grace = form.optional::<Grace>("grace_seconds");
        let expires_in = form.optional::<Lifetime>("expires_in");
        let expires_in = expires_in?.map(|seconds| seconds.0);
        Some(Self { expires_in, ..Self::within(grace?) })
    }
}

impl Exchange {
    /// For a token that lives as long as the one before.
    pub fn within(grace: Option<Grace>) -> Self {
        Self { grace_seconds: grace.map_or(GRACE_SECONDS_USUAL, |grace| grace.0), expires_in: None }
    }

    /// The verb that does it, and the secret of the new token.
    pub fn verb(self, id: TokenId) -> Result<(RotateToken, PlainToken)> {
        let secret = secret()?;
        let verb = RotateToken {
            id,
            hash: secret.hash(),
            hint: secret.hint(),
            grace_seconds: self.grace_seconds,
            expires_in: self.expires_in,
            now: clock::now(),
        };
        Ok((verb, secret))
    }
}

/// Path and body of `POST /admin/tokens/{id}/rotate`; no body is needed.
pub struct OneExchange {
    id: TokenId,
    exchange: Exchange,
}

impl Input for OneExchange {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let id = form.path("id");
        let exchange = Exchange::read(form);
        Some(Self { id: id?, exchange: exchange? })
    }
}

/// The token that was exchanged.
#[derive(Serialize, ToSchema)]
pub struct OldToken {
    /// Its id.
    id: TokenId,
    /// Until when it is accepted as well.
    #[schema(value_type = Time)]
    expires_at: Option<Time>,
}

/// A new token, and the end of the one that it was exchanged for.
#[derive(Serialize, ToSchema)]
pub struct ExchangedToken {
    /// The new one.
    #[serde(flatten)]
    new: NewToken,
    /// The old one.
    replaces: OldToken,
}

impl ExchangedToken {
    /// What is shown of an exchange.
    pub fn new(secret: &PlainToken, Rotated { new, old, .. }: Rotated) -> Self {
        let replaces = OldToken { id: old.id, expires_at: old.expires_at };
        Self { new: NewToken::new(secret, new), replaces }
    }
}

/// Exchanges a token for a new one that may do the same; the old one is accepted for a while yet.
pub async fn rotate(app: Arc<App>, admin: Admin, wish: OneExchange) -> Result<Created<ExchangedToken>> {
    let (verb, secret) = wish.exchange.verb(wish.id)?;
    let rotated = app.store.write_by(admin.actor()?, verb).await?;
    Ok(Created(ExchangedToken::new(&secret, rotated)))
}

/// How the second exchange of a token fails, for the route table.
pub fn replaced() -> Error {
    Error::TokenReplaced(TokenId(2))
}

/// Revokes a token: it is refused from the very next request on.
pub async fn revoke(app: Arc<App>, admin: Admin, ByTokenId(id): ByTokenId) -> Result<NoContent> {
    app.store.write_by(admin.actor()?, RevokeToken { id, now: clock::now() }).await?;
    Ok(NoContent)
}

/// Somebody's token, to be explained.
pub struct Presented(Line<1024>);

impl Input for Presented {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        form.secret("token").map(Self)
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
pub async fn explain(app: Arc<App>, _: Admin, Presented(token): Presented) -> Result<Json<Explanation>> {
    let (caller, fault) = app.auth.explain(token.0.trim().as_bytes(), &app.store, clock::now())?;
    let (code, reason) = match fault {
        Some(fault) => (fault.code(), fault.reason()),
        None => ("accepted", "The token is accepted.".to_owned()),
    };
    let (mut token, user) = caller.map(|caller| (caller.token.clone(), caller.user.clone())).unzip();
    app.auth.usage().freshen(token.as_mut_slice());
    Ok(Json(Explanation { code, reason, token, user }))
}
