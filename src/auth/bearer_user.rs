//! Authenticates a user by a bearer token, where clients send that.

use crate::auth::authenticator::{Auth, User};
use crate::auth::headers::{Single, USER_HEADER, single};
use crate::auth::sent_instead::sent_instead;
use crate::domain::{KeyRejection, Time};
use crate::error::{Error, Result};
use crate::store::Store;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::http::request::Parts;
use std::net::IpAddr;

/// How a bearer token begins (RFC 6750, section 2.1).
const SCHEME: &[u8] = b"Bearer ";

impl Auth {
    /// Authenticates a user by `X-API-Key` or, where that is missing, by `Authorization: Bearer`;
    /// [`Error::BearerRefused`] otherwise.
    pub(crate) fn bearer_user(
        &self,
        head: &Parts,
        store: &Store,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<User> {
        let presented = presented(head).map_err(Error::BearerRefused)?;
        match self.authenticate(presented, store, now) {
            Ok((identity, hash)) => Ok(User { identity, hash, address }),
            Err(Error::TokenRefused(rejection)) => Err(Error::BearerRefused(rejection)),
            Err(error) => Err(error),
        }
    }
}

/// The token that was sent.
fn presented(head: &Parts) -> std::result::Result<&[u8], KeyRejection> {
    match single(&head.headers, &USER_HEADER) {
        Single::Value(value) if !value.is_empty() => return Ok(value.as_bytes()),
        Single::Repeated => return Err(KeyRejection::Repeated),
        Single::Value(_) | Single::Missing => {}
    }
    let bearer = match single(&head.headers, &AUTHORIZATION) {
        Single::Value(value) => of_bearer(value),
        Single::Repeated => return Err(KeyRejection::Repeated),
        Single::Missing => None,
    };
    bearer.ok_or_else(|| KeyRejection::Missing(sent_instead(head, &USER_HEADER)))
}

/// The token behind the scheme, in whatever case that is written.
fn of_bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty()).then_some(token)
}
