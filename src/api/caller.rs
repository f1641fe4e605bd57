//! The caller: who am I, and with which key?

use crate::app::App;
use crate::auth::{Caller, User};
use crate::domain::{Hint, Time, TokenId, UserId};
use crate::error::{Error, Result};
use crate::http::answer::{AnswerDoc, json_bytes};
use crate::http::{Json, Output, Response};
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
}

/// The answer to `GET /user`: written once for each token in memory.
pub struct Me(User);

impl Output for Me {
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

fn view(Caller { user, token, .. }: &Caller) -> CallerView<'_> {
    CallerView {
        id: user.id,
        email: user.email.as_str(),
        name: user.name.as_deref(),
        image_url: user.image_url.as_deref(),
        max_concurrent_bots: user.max_concurrent_bots,
        token: TokenView {
            id: token.id,
            name: token.name.as_deref(),
            hint: &token.hint,
            created_at: token.created_at,
            expires_at: token.expires_at,
        },
    }
}

/// Who the caller is.
pub async fn show(_: Arc<App>, caller: User, (): ()) -> Result<Me> {
    Ok(Me(caller))
}
