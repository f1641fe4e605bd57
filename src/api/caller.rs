//! The caller: who am I, and with which key?

use crate::api::tokens::{Grace, RotatedToken, Rotation};
use crate::app::App;
use crate::auth::{Identity, User};
use crate::domain::{Hint, Scope, Time, Token, TokenId, UserId};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::response::{AnswerDoc, json_bytes};
use crate::http::{Created, IntoResponse, Json, Response};
use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Whoever holds the token.
#[derive(Serialize, ToSchema)]
pub struct CallerView<'a> {
    /// The user's id.
    id: UserId,
    /// The user's address.
    #[schema(format = "email", example = "user@example.com")]
    email: &'a str,
    /// Display name.
    #[schema(required)]
    name: Option<&'a str>,
    /// Address of a picture.
    #[schema(required)]
    image_url: Option<&'a str>,
    /// How many bots may be in meetings at once; 0 means none.
    max_concurrent_bots: i64,
    /// How many seats their bots take of those.
    seats_in_use: i64,
    /// The token in hand.
    token: TokenView<'a>,
}

/// The token in hand, without its secret.
#[derive(Serialize, ToSchema)]
pub struct TokenView<'a> {
    /// The token's id.
    id: TokenId,
    /// What it was named.
    #[schema(required)]
    name: Option<&'a str>,
    /// Its first four characters.
    hint: &'a Hint,
    /// When it was made.
    created_at: Time,
    /// When it stops being accepted; null for never.
    #[schema(required)]
    expires_at: Option<Time>,
    /// How many seconds it may be unused before it ends; null for any number.
    #[schema(required)]
    disuse_seconds: Option<i64>,
    /// What it may do.
    scope: &'a Scope,
}

/// The answer to `GET /user`: written once for each token in memory.
pub struct Me(User);

impl IntoResponse for Me {
    fn into_response(self) -> Result<Response> {
        if let Some(written) = self.0.view.get() {
            return Ok(json_bytes(StatusCode::OK, written.clone()));
        }
        let bytes =
            Bytes::from(serde_json::to_vec(&view(&self.0)).map_err(|error| Error::Internal(error.to_string()))?);
        Ok(json_bytes(StatusCode::OK, self.0.view.get_or_init(|| bytes).clone()))
    }

    fn describe() -> Vec<AnswerDoc> {
        Json::<CallerView<'_>>::describe()
    }
}

fn view(Identity { user, token, seats, .. }: &Identity) -> CallerView<'_> {
    CallerView {
        id: user.id,
        email: user.email.as_str(),
        name: user.name.as_deref(),
        image_url: user.image_url.as_deref(),
        max_concurrent_bots: user.max_concurrent_bots,
        seats_in_use: *seats,
        token: TokenView {
            id: token.id,
            name: token.name.as_deref(),
            hint: &token.hint,
            created_at: token.created_at,
            expires_at: token.expires_at,
            disuse_seconds: token.disuse_seconds,
            scope: &token.scope,
        },
    }
}

/// Who the caller is.
pub async fn get_caller(_: Arc<App>, caller: User, (): ()) -> Result<Me> {
    Ok(Me(caller))
}

/// The caller's tokens, without the secrets.
pub async fn list_own_tokens(app: Arc<App>, caller: User, (): ()) -> Result<Json<Vec<Token>>> {
    let (_, tokens) = app.auth.user_with_tokens(caller.user.id, &app.store).await?;
    Ok(Json(tokens))
}

input! {
    /// Body of `POST /user/tokens/rotate`; none is needed. How long tokens live is the administrator's to say.
    pub struct RotateOwnTokenInput, body Optional {
        optional grace_seconds: Option<Grace>,
    }
}

/// Exchanges the token in hand for a new one that may do the same, for as long as the old one was meant to.
pub async fn rotate_own_token(
    app: Arc<App>,
    caller: User,
    input: RotateOwnTokenInput,
) -> Result<Created<RotatedToken>> {
    let now = app.clock.now();
    let (verb, secret) = Rotation::within(input.grace_seconds).verb(caller.token.id, now)?;
    let rotated = app.store.write_by(caller.actor(now)?, verb).await?;
    Ok(Created(RotatedToken::new(&secret, rotated)))
}
