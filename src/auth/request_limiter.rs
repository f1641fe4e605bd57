//! Limits the requests of each token and each user, and reports the limits in the headers of the
//! IETF's draft "`RateLimit` header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10).

use crate::auth::failed_auth_limiter::whole_seconds;
use crate::auth::identity::Identity;
use crate::auth::rate_limiter::{Decision, RateLimiter};
use crate::error::{Error, Result};
use hyper::header::{HeaderName, HeaderValue};
use std::time::Instant;

/// The quotas.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of them.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Bytes of a usual value of [`LIMIT`].
const LIMIT_BYTES_USUAL: usize = 48;
/// How many tokens, and how many users, are remembered: 1 MiB each, where there is a limit.
const KEYS_MAX: usize = 64 * 1024;

/// Headers that a response carries, whether the request succeeds or fails.
pub(crate) type ResponseHeaders = Vec<(HeaderName, HeaderValue)>;

/// Counts the requests of authenticated users.
pub struct RequestLimiter {
    token: Option<RateLimiter>,
    user: Option<RateLimiter>,
    /// The value of [`POLICY`]; `None` where nothing is limited.
    policy: Option<HeaderValue>,
}

impl RequestLimiter {
    /// At most so many in a minute with one token, and of one user; 0 is no limit.
    pub fn new(per_minute_token: u32, per_minute_user: u32) -> Self {
        let mut items = Vec::new();
        if per_minute_token > 0 {
            items.push(format!("\"token\";q={per_minute_token};w=60"));
        }
        if per_minute_user > 0 {
            items.push(format!("\"user\";q={per_minute_user};w=60"));
        }
        let policy =
            if items.is_empty() { None } else { HeaderValue::from_str(&items.join(", ")).ok() };
        let token = RateLimiter::new(per_minute_token, KEYS_MAX);
        let user = RateLimiter::new(per_minute_user, KEYS_MAX);
        Self { token, user, policy }
    }

    /// Counts what costs as much as `cost` requests, and adds what is left to the headers;
    /// [`Error::TooManyRequests`] where it is too much. A request that its token may not make is not counted for the user, who may
    /// have other tokens.
    pub fn count(
        &self,
        identity: &Identity,
        cost: u32,
        now: Instant,
        response_headers: &mut ResponseHeaders,
    ) -> Result<()> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let mut limits = String::with_capacity(LIMIT_BYTES_USUAL);
        let mut refused = None;
        if let Some(limiter) = &self.token {
            let decision = limiter.check(identity.token.id.0, cost, now);
            add_limit(&mut limits, "token", &decision);
            refused = refusal(&decision);
        }
        if let Some(limiter) = &self.user
            && refused.is_none()
        {
            let decision = limiter.check(identity.token.user_id.0, cost, now);
            add_limit(&mut limits, "user", &decision);
            refused = refusal(&decision);
        }
        response_headers.push((POLICY, policy.clone()));
        if let Ok(limits) = HeaderValue::try_from(limits) {
            response_headers.push((LIMIT, limits));
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Adds an item of [`LIMIT`]: `r` is how many more may come, `t` in how many seconds there is more. Who
/// is refused is told when one request may come, as in `Retry-After`; everybody else, when the
/// whole quota is free again.
fn add_limit(limits: &mut String, name: &str, decision: &Decision) {
    let wait = if decision.allowed { decision.recovery } else { decision.wait };
    if !limits.is_empty() {
        limits.push_str(", ");
    }
    // Each piece by itself: formatting takes longer than all the rest of the limiter.
    let mut number = itoa::Buffer::new();
    limits.push('"');
    limits.push_str(name);
    limits.push_str("\";r=");
    limits.push_str(number.format(decision.remaining));
    limits.push_str(";t=");
    limits.push_str(number.format(whole_seconds(wait)));
}

fn refusal(decision: &Decision) -> Option<Error> {
    if decision.allowed {
        return None;
    }
    let retry_after = whole_seconds(decision.wait);
    Some(Error::TooManyRequests { retry_after })
}
