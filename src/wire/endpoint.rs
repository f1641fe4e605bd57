//! What all connections of the Redis endpoint share.

use crate::app::App;
use crate::budget::Budget;
use crate::config::RedisFeeders;
use crate::domain::TokenHash;
use crate::wire::ids::EntryIds;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Most connections that have sent a command and brought no key that was accepted.
const STRANGERS_MAX: usize = 64;
/// Most of them from one address; of an IPv6 address its network of 64 bits.
const STRANGERS_OF_ADDRESS_MAX: usize = 8;
/// Most connections of one meeting's bot.
const CONNECTIONS_OF_MEETING_MAX: usize = 8;

/// The Redis endpoint.
pub(crate) struct Endpoint {
    /// The parts of the server.
    pub app: Arc<App>,
    /// Places of connections that have brought no key that was accepted.
    pub strangers: Budget,
    /// Places of bots' connections.
    pub bots: Budget,
    /// Ids of entries.
    pub ids: EntryIds,
    password: Option<TokenHash>,
    numbers: AtomicI64,
}

impl Endpoint {
    /// Over the parts of a server.
    pub(crate) fn new(app: Arc<App>) -> Arc<Self> {
        let password = &app.config.bots.redis.password;
        let password = (!password.is_empty()).then(|| TokenHash::of(password.as_bytes()));
        let connections_max = app.config.http.connections_max;
        Arc::new(Self {
            app,
            strangers: Budget::new(STRANGERS_MAX, STRANGERS_OF_ADDRESS_MAX),
            bots: Budget::new(connections_max, CONNECTIONS_OF_MEETING_MAX),
            ids: EntryIds::default(),
            password,
            numbers: AtomicI64::new(0),
        })
    }

    /// The number of a new connection, from 1 on.
    pub(crate) fn next_number(&self) -> i64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether feeders are taken from an address, with the password if there is one.
    pub(crate) fn takes_feeders(&self, address: IpAddr) -> bool {
        match self.app.config.bots.redis.feeders {
            RedisFeeders::Private => is_private(address),
            RedisFeeders::Any => true,
            RedisFeeders::Off => false,
        }
    }

    /// Whether feeders must bring a password.
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether this is the password of feeders.
    pub(crate) fn is_password(&self, secret: &[u8]) -> bool {
        // Hashes, so that the time of the comparison says nothing of the password.
        self.password.is_some_and(|password| password == TokenHash::of(secret))
    }
}

/// Whether an address is of this machine or of a private network (RFC 1918, RFC 4193; link local:
/// RFC 3927, RFC 4291).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn private_is_this_machine_and_what_the_internet_does_not_reach() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("8.8.8.8", false),
            ("0.0.0.0", false),
            ("::1", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
