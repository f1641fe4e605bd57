//! The caller: the user and the token of the request.

use crate::api::tokens::{
    HolderGrace, NewToken, RotatedToken, Rotation, TermsInput, counted, secret,
};
use crate::api::users::ById;
use crate::app::App;
use crate::auth::{Identity, User};
use crate::domain::{Hint, Scope, Time, Token, TokenId, TokenTerms, UserId};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json_bytes};
use crate::http::{Created, IntoResponse, Json, NoContent, Response, WithHeader};
use crate::store::{MakeToken, RevokeToken};
use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The user who calls, and the token of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallerView<'a> {
    /// The user's id.
    id: UserId,
    /// The user's e-mail address.
    #[schema(format = "email", example = "user@example.com")]
    email: &'a str,
    /// Display name.
    #[schema(required)]
    name: Option<&'a str>,
    /// URL of a picture of the user.
    #[schema(required)]
    image_url: Option<&'a str>,
    /// How many bots may be in meetings at once; 0 means none.
    max_concurrent_bots: i64,
    /// How many of those the user's bots take now, in meetings within the token's scope.
    seats_in_use: i64,
    /// The token of the request.
    token: TokenView<'a>,
}

/// The token of the request, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView<'a> {
    /// The token's id.
    id: TokenId,
    /// The first four characters of the token.
    hint: &'a Hint,
    /// When the token was created.
    created_at: Time,
    #[serde(flatten)]
    terms: TokenTerms,
}

/// The response to `GET /user`: serialised once for each token in the cache.
pub(crate) struct CallerResponse(User);

impl IntoResponse for CallerResponse {
    fn into_response(self) -> Result<Response> {
        let Self(caller) = self;
        if let Some(bytes) = caller.view.get() {
            return Ok(json_bytes(StatusCode::OK, bytes.clone()));
        }
        let json = serde_json::to_vec(&view(&caller))
            .map_err(|error| Error::Internal(error.to_string()))?;
        let bytes = caller.view.get_or_init(|| Bytes::from(json));
        Ok(json_bytes(StatusCode::OK, bytes.clone()))
    }

    fn describe() -> Vec<ResponseDoc> {
        Json::<CallerView<'_>>::describe()
    }
}

fn view(identity: &Identity) -> CallerView<'_> {
    let Identity { user, token, seats, .. } = identity;
    CallerView {
        id: user.id,
        email: user.email.as_str(),
        name: user.name.as_deref(),
        image_url: user.image_url.as_deref(),
        max_concurrent_bots: user.max_concurrent_bots,
        seats_in_use: *seats,
        token: TokenView {
            id: token.id,
            hint: &token.hint,
            created_at: token.created_at,
            terms: token.terms.clone(),
        },
    }
}

/// Gets the caller and the token of the request.
pub(crate) async fn get_caller(_: Arc<App>, caller: User, (): ()) -> Result<CallerResponse> {
    Ok(CallerResponse(caller))
}

/// The same by the address of later clients.
pub(crate) async fn get_me(_: Arc<App>, caller: User, (): ()) -> Result<CallerResponse> {
    Ok(CallerResponse(caller))
}

/// Lists the caller's tokens, without the secrets.
pub(crate) async fn list_own_tokens(
    app: Arc<App>,
    caller: User,
    (): (),
) -> Result<Json<Vec<Token>>> {
    let (_, tokens) = app.auth.user_with_tokens(caller.user.id, &app.store).await?;
    Ok(Json(tokens))
}

input! {
    /// Body of `POST /user/tokens/rotate`; none is needed. When tokens end is the administrator's
    /// to say.
    pub(crate) struct RotateOwnTokenInput, body Optional {
        optional grace_seconds: Option<HolderGrace>,
    }
}

/// Rotates the token of the request: the new one has the same scope and the same end. What it has
/// made goes on: whoever doubts one of those deletes it. Possible five times an hour.
pub(crate) async fn rotate_own_token(
    app: Arc<App>,
    caller: User,
    input: RotateOwnTokenInput,
) -> Result<Created<RotatedToken>> {
    let now = app.clock.now();
    let (verb, secret) = Rotation::by_holder(input.grace_seconds).verb(caller.token.id, now)?;
    let rotated = app.store.write_by(caller.actor(now)?, verb).await?;
    Ok(Created(RotatedToken::new(&secret, rotated)))
}

input! {
    /// Body of `POST /user/tokens`; none is needed.
    pub(crate) struct CreateOwnTokenInput, body Optional {
        flatten terms: TermsInput,
        flatten scope: Scope,
    }
}

/// Creates a token of the caller's own, never wider than the token of the request: its end is no
/// later, and it is revoked, disabled and shortened with it. A user has five of them an hour,
/// deleted ones included; they count with the rotations of the token.
pub(crate) async fn create_own_token(
    app: Arc<App>,
    caller: User,
    input: CreateOwnTokenInput,
) -> Result<Created<NewToken>> {
    let now = app.clock.now();
    let secret = secret()?;
    let verb = MakeToken {
        by: caller.token.id,
        hash: secret.hash(),
        hint: secret.hint(),
        terms: input.terms.changes(now),
        scope: input.scope,
        now,
    };
    let token = app.store.write_by(caller.actor(now)?, verb).await?;
    Ok(Created(NewToken::new(&secret, token)))
}

/// Revokes the token of the request or one that it has made, with those that its holder rotated it
/// to and those that it has made itself. Others of the user are an administrator's to revoke, and so
/// are configured ones. The header `X-Tokens-Affected` says how many they were.
pub(crate) async fn revoke_own_token(
    app: Arc<App>,
    caller: User,
    ById(id): ById<TokenId>,
) -> Result<WithHeader<NoContent>> {
    let now = app.clock.now();
    let verb = RevokeToken { id, of_user: Some(caller.user.id), by: Some(caller.token.id), now };
    let affected = app.store.write_by(caller.actor(now)?, verb).await?;
    Ok(counted(NoContent, &affected))
}
