//! Limits refused keys by the address that they come from.

use crate::auth::rate_limiter::RateLimiter;
use crate::error::{Error, Result};
use arc_swap::ArcSwap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many addresses are remembered: 256 KiB.
const ADDRESSES_MAX: usize = 16 * 1024;
/// An IPv6 subscriber is given a network of 64 bits or less, and chooses the bits behind it.
const NETWORK_BITS: u32 = 64;

/// Counts refused keys. Only a refused key is limited by it: a good key is accepted whatever came
/// from its address before.
pub struct FailedAuthLimiter(ArcSwap<Limit>);

/// The limit, and what was counted of it.
struct Limit {
    per_minute: u32,
    limiter: Option<RateLimiter>,
}

impl Limit {
    fn new(per_minute: u32) -> Self {
        Self { per_minute, limiter: RateLimiter::new(per_minute, ADDRESSES_MAX) }
    }
}

impl FailedAuthLimiter {
    /// At most so many from one address in a minute; 0 is no limit.
    pub fn new(per_minute: u32) -> Self {
        Self(ArcSwap::from_pointee(Limit::new(per_minute)))
    }

    /// Another limit from now on; what was counted before is forgotten, unless it is the same.
    pub(crate) fn set(&self, per_minute: u32) {
        if self.0.load().per_minute != per_minute {
            self.0.store(Arc::new(Limit::new(per_minute)));
        }
    }

    /// Counts a refused key; [`Error::TooManyFailedKeys`] where that is one too many.
    pub fn count(&self, address: IpAddr, now: Instant) -> Result<()> {
        let limit = self.0.load();
        let Some(limiter) = &limit.limiter else { return Ok(()) };
        let decision = limiter.check(network(address), 1, now);
        if !decision.allowed {
            let retry_after = whole_seconds(decision.wait);
            return Err(Error::TooManyFailedKeys { retry_after });
        }
        Ok(())
    }
}

/// A wait in whole seconds, rounded up and at least 1, so that nobody comes too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let mut seconds = wait.as_secs();
    if wait.subsec_nanos() > 0 {
        seconds += 1;
    }
    seconds.max(1)
}

/// The network of a subscriber: an IPv4 address whole, the first half of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// How many wrong keys from an address are answered as such before one is not.
    fn room(failures: &FailedAuthLimiter, from: &str, now: Instant) -> usize {
        (0..1000).take_while(|_| failures.count(address(from), now).is_ok()).count()
    }

    #[test]
    fn an_address_has_its_minute_and_recovers() {
        let (failures, now) = (FailedAuthLimiter::new(3), Instant::now());
        assert_eq!(room(&failures, "192.0.2.1", now), 3);
        let Err(Error::TooManyFailedKeys { retry_after }) =
            failures.count(address("192.0.2.1"), now)
        else {
            panic!("the limit is reached");
        };
        assert_eq!(retry_after, 20);
        assert_eq!(room(&failures, "192.0.2.1", now + Duration::from_secs(retry_after - 1)), 0);
        assert_eq!(room(&failures, "192.0.2.1", now + Duration::from_secs(retry_after)), 1);
        assert_eq!(room(&failures, "192.0.2.1", now + Duration::from_mins(2)), 3);
    }

    #[test]
    fn addresses_do_not_share_and_networks_do() {
        let (failures, now) = (FailedAuthLimiter::new(3), Instant::now());
        for (from, left) in [
            ("192.0.2.1", 3),
            ("::ffff:192.0.2.1", 0),
            ("192.0.2.2", 3),
            ("2001:db8::1", 3),
            ("2001:db8::ffff:ffff:ffff:ffff", 0),
            ("2001:db8:0:1::1", 3),
        ] {
            assert_eq!(room(&failures, from, now), left, "{from}");
        }
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(room(&FailedAuthLimiter::new(0), "192.0.2.1", Instant::now()), 1000);
    }

    #[test]
    fn waits_are_whole_seconds_that_suffice() {
        for (wait, expected) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), expected, "{wait} ms");
        }
    }

    #[test]
    fn a_flood_from_many_addresses_leaves_nobody_out_and_nothing_behind() {
        let (failures, now) = (FailedAuthLimiter::new(60), Instant::now());
        for n in 0..1_000_000 {
            assert!(failures.count(Ipv4Addr::from_bits(n).into(), now).is_ok(), "{n}");
        }
        assert_eq!(failures.0.load().limiter.as_ref().map(RateLimiter::bytes), Some(256 * 1024));
        assert_eq!(room(&failures, "2001:db8::1", now), 60);
    }
}
