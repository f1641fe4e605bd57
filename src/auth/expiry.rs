//! The header that announces the end of a token in its last week.

use crate::auth::identity::Identity;
use crate::auth::request_limiter::ResponseHeaders;
use crate::domain::Time;
use hyper::header::{HeaderName, HeaderValue};

/// When the token expires, as in RFC 3339.
pub(super) const EXPIRES_AT: HeaderName = HeaderName::from_static("x-token-expires-at");
/// How long before its end a token is told of it, in seconds: a week.
const NOTICE_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Adds `X-Token-Expires-At` to the response where the token expires within a week.
pub(crate) fn add_expiry_header(
    identity: &Identity,
    now: Time,
    response_headers: &mut ResponseHeaders,
) {
    let Some(end) = identity.token.terms.expires_at else { return };
    if end > now.plus_seconds(NOTICE_SECONDS) {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(end.to_string()) {
        response_headers.push((EXPIRES_AT, value));
    }
}
