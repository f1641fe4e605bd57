//! Limits the requests of each token and each user, and reports the limits in the headers of the
//! IETF's draft "`RateLimit` header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10).

use crate::auth::failed_auth_limiter::whole_seconds;
use crate::auth::identity::Identity;
use crate::auth::rate_limiter::{Decision, RateLimiter};
use crate::error::{Error, Result};
use arc_swap::ArcSwap;
use foldhash::quality::RandomState;
use hyper::header::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Instant;

/// The quotas.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of them.
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Most bytes of a value of [`LIMIT`].
const LIMIT_BYTES_MAX: usize = 128;
/// How many tokens, and how many users, are remembered: 1 MiB each, where there is a limit.
const KEYS_MAX: usize = 64 * 1024;

/// No caller chooses an id, so a fast hash does for them.
type LimiterOfIds = RateLimiter<RandomState>;

/// Headers that a response carries, whether the request succeeds or fails.
pub(crate) type ResponseHeaders = Vec<(HeaderName, HeaderValue)>;

/// Counts the requests of authenticated users.
pub struct RequestLimiter(ArcSwap<Quotas>);

/// The quotas, and what was counted of them.
struct Quotas {
    per_minute: [u32; 2],
    token: Option<LimiterOfIds>,
    user: Option<LimiterOfIds>,
    /// The value of [`POLICY`]; `None` where nothing is limited.
    policy: Option<HeaderValue>,
}

impl Quotas {
    fn new(per_minute_token: u32, per_minute_user: u32) -> Self {
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
        Self { per_minute: [per_minute_token, per_minute_user], token, user, policy }
    }
}

impl RequestLimiter {
    /// At most so many in a minute with one token, and of one user; 0 is no limit.
    pub fn new(per_minute_token: u32, per_minute_user: u32) -> Self {
        Self(ArcSwap::from_pointee(Quotas::new(per_minute_token, per_minute_user)))
    }

    /// Other quotas from now on; everybody has the whole of them, unless they are the same.
    pub(crate) fn set(&self, per_minute_token: u32, per_minute_user: u32) {
        if self.0.load().per_minute != [per_minute_token, per_minute_user] {
            self.0.store(Arc::new(Quotas::new(per_minute_token, per_minute_user)));
        }
    }

    /// Counts what costs as much as `cost` requests, and adds what is left to the headers;
    /// [`Error::TooManyRequests`] where it is too much. A request that its token may not make is not
    /// counted for the user, who may have other tokens.
    pub fn count(
        &self,
        identity: &Identity,
        cost: u32,
        now: Instant,
        response_headers: &mut ResponseHeaders,
    ) -> Result<()> {
        let quotas = self.0.load();
        let Some(policy) = &quotas.policy else { return Ok(()) };
        let mut limits = Limits { bytes: [0; LIMIT_BYTES_MAX], length: 0 };
        let mut refused = None;
        if let Some(limiter) = &quotas.token {
            let decision = limiter.check(identity.token.id.0, cost, now);
            limits.add("\"token\";r=", &decision);
            refused = refusal(&decision);
        }
        if let Some(limiter) = &quotas.user
            && refused.is_none()
        {
            let decision = limiter.check(identity.token.user_id.0, cost, now);
            limits.add("\"user\";r=", &decision);
            refused = refusal(&decision);
        }
        response_headers.push((POLICY, policy.clone()));
        if let Ok(limits) = HeaderValue::from_bytes(limits.written()) {
            response_headers.push((LIMIT, limits));
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// A value of [`LIMIT`] that is being written. Each piece by itself: formatting takes longer than
/// all the rest of the limiter.
struct Limits {
    bytes: [u8; LIMIT_BYTES_MAX],
    length: usize,
}

impl Limits {
    /// Adds an item: how many more may come, and in how many seconds (`t`) there is more. Who is
    /// refused is told when one request may come, as in `Retry-After`; everybody else, when the
    /// whole quota is free again.
    fn add(&mut self, name: &str, decision: &Decision) {
        let wait = if decision.allowed { decision.recovery } else { decision.wait };
        if self.length > 0 {
            self.push(", ");
        }
        let mut number = itoa::Buffer::new();
        self.push(name);
        self.push(number.format(decision.remaining));
        self.push(";t=");
        self.push(number.format(whole_seconds(wait)));
    }

    fn push(&mut self, text: &str) {
        let end = self.length + text.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(text.as_bytes());
            self.length = end;
        }
    }

    fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn refusal(decision: &Decision) -> Option<Error> {
    if decision.allowed {
        return None;
    }
    let retry_after = whole_seconds(decision.wait);
    Some(Error::TooManyRequests { retry_after })
}
