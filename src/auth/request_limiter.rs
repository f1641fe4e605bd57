//! Requests, counted for each token and for each user, and told in the headers of the IETF's draft "`RateLimit` header
//! fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10).

use crate::auth::failed_auth_limiter::seconds;
use crate::auth::identity::Identity;
use crate::auth::rate_limiter::{Decision, RateLimiter};
use crate::error::{Error, Result};
use hyper::header::{HeaderName, HeaderValue};
use std::fmt::Write;
use std::time::Instant;

/// What is allowed.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of it.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Tokens, and users, that are remembered: 1 MiB each, where there is a limit.
const KEYS: usize = 64 * 1024;

/// Headers that an answer carries, whatever it becomes.
pub type ResponseHeaders = Vec<(HeaderName, HeaderValue)>;

/// The requests of those who were let in.
pub struct RequestLimiter {
    token: Option<RateLimiter>,
    user: Option<RateLimiter>,
    policy: Option<HeaderValue>,
}

impl RequestLimiter {
    /// At most so many in a minute with one token, and of one user; 0 is no limit.
    pub fn new(per_minute_token: u32, per_minute_user: u32) -> Self {
        let item = |(name, count): (&str, u32)| (count > 0).then(|| format!("\"{name}\";q={count};w=60"));
        let items: Vec<_> =
            [("token", per_minute_token), ("user", per_minute_user)].into_iter().filter_map(item).collect();
        Self {
            token: RateLimiter::new(per_minute_token, KEYS),
            user: RateLimiter::new(per_minute_user, KEYS),
            policy: HeaderValue::from_str(&items.join(", ")).ok().filter(|value| !value.is_empty()),
        }
    }

    /// Counts a request and notes where its caller stands; fails with [`Error::TooManyRequests`] where it is one too
    /// many. What its token may not ask is not held against its user, who may have others.
    pub fn count(&self, caller: &Identity, now: Instant, response_headers: &mut ResponseHeaders) -> Result<()> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let (mut limits, mut refused) = (String::new(), None);
        for (name, table, key) in
            [("token", &self.token, caller.token.id.0), ("user", &self.user, caller.token.user_id.0)]
        {
            let Some(table) = table.as_ref().filter(|_| refused.is_none()) else { continue };
            let decision = table.check(key, now);
            let separator = if limits.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(limits, "{separator}\"{name}\";r={};t={}", decision.remaining, reset(&decision));
            refused = (!decision.allowed).then(|| Error::TooManyRequests { retry_after: seconds(decision.wait) });
        }
        response_headers.push((POLICY, policy.clone()));
        response_headers.extend(HeaderValue::try_from(limits).ok().map(|limits| (LIMIT, limits)));
        refused.map_or(Ok(()), Err)
    }
}

/// When there is more: whoever is refused, for one request, as `Retry-After` says; everybody else, all of it.
fn reset(decision: &Decision) -> u64 {
    seconds(if decision.allowed { decision.recovery } else { decision.wait })
}
