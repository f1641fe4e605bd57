//! Tokens, for the holder of the admin key.

use super::users::ById;
use crate::app::App;
use crate::auth::Admin;
use crate::clock;
use crate::domain::number::Whole;
use crate::domain::text::Line;
use crate::domain::{PlainToken, Time, Token, TokenId, UserId};
use crate::error::{Error, Result};
use crate::http::form::BodyRule;
use crate::http::{Created, Form, Input, Json, NoContent};
use crate::store::{CreateToken, RevokeToken};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A token's life in seconds: at most a hundred years.
type Lifetime = Whole<1, 3_155_760_000>;
/// What a token is for.
type TokenName = Line<255>;

/// Path and body of `POST /admin/users/{id}/tokens`; no body is needed.
pub struct TokenWish {
    user_id: UserId,
    name: Option<TokenName>,
    expires_in: Option<Lifetime>,
}

impl Input for TokenWish {
    const BODY: BodyRule = BodyRule::Optional;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let user_id = form.path("id");
        let name = form.optional("name");
        let expires_in = form.optional("expires_in");
        Some(Self { user_id: user_id?, name: name?, expires_in: expires_in? })
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
}

/// Makes a token; the answer is the only place where it is ever shown.
pub async fn create(app: Arc<App>, _: Admin, wish: TokenWish) -> Result<Created<NewToken>> {
    let secret = PlainToken::generate().map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    let now = clock::now();
    let verb = CreateToken {
        user_id: wish.user_id,
        hash: secret.hash(),
        hint: secret.hint(),
        name: wish.name.map(|name| name.0),
        expires_at: wish.expires_in.map(|seconds| now.plus_seconds(seconds.0)),
        now,
    };
    let Token { id, user_id, name, created_at, expires_at, .. } = app.store.write(verb).await?;
    Ok(Created(NewToken { id, token: secret.reveal().to_owned(), user_id, created_at, name, expires_at }))
}

/// Every token of a user, without the secrets.
pub async fn list(app: Arc<App>, _: Admin, ById(id): ById) -> Result<Json<Vec<Token>>> {
    let (_, mut tokens) = app.store.user_with_tokens(id).await?;
    app.auth.usage().freshen(&mut tokens);
    Ok(Json(tokens))
}

impl Input for RevokeToken {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        form.path("id").map(|id| Self { id })
    }
}

/// Revokes a token: it is refused from the very next request on.
pub async fn revoke(app: Arc<App>, _: Admin, token: RevokeToken) -> Result<NoContent> {
    app.store.write(token).await?;
    Ok(NoContent)
}
