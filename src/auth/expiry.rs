//! The end of a token, told with every answer while it is near.

use crate::auth::identity::Identity;
use crate::auth::request_limiter::ResponseHeaders;
use crate::domain::Time;
use hyper::header::{HeaderName, HeaderValue};

/// When the token ends, as in RFC 3339.
pub const EXPIRES_AT: HeaderName = HeaderName::from_static("x-token-expires-at");
/// How long before its end a token is told of it, in seconds: a week.
const NOTICE_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Notes the end of a token that is in its last week.
pub fn announce(caller: &Identity, now: Time, response_headers: &mut ResponseHeaders) {
    let end = caller.token.expires_at.filter(|end| *end <= now.plus_seconds(NOTICE_SECONDS));
    response_headers
        .extend(end.and_then(|end| HeaderValue::try_from(end.to_string()).ok()).map(|end| (EXPIRES_AT, end)));
}
