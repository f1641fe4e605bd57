//! The peer of a connection: an address, or a user of this machine.

use crate::http::peer_owner::{Owner, owner_of};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use uzers::get_user_by_uid;

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From this address.
    Network(SocketAddr),
    /// Through the admin socket, or from a command that opened the database itself: this user of
    /// the machine.
    Local {
        /// Their name.
        user: Arc<str>,
        /// Their number.
        uid: u32,
    },
}

impl Origin {
    /// The address in canonical form, if it comes from the network.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(address.ip().to_canonical()),
            Self::Local { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Local { user, .. } => write!(f, "local:{user}"),
        }
    }
}

/// By which door a connection comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The admin socket, or a command that opened the database itself.
    Admin,
    /// The address of the API.
    Api,
    /// The address for monitoring.
    Monitoring,
}

/// The peer of a connection.
pub struct Peer {
    /// By which door it came in.
    pub door: Door,
    /// Where the connection comes from.
    pub origin: Origin,
    /// The same as text, made once.
    pub name: String,
    /// The address of the server to which it was made; `None` by the admin socket.
    pub local: Option<SocketAddr>,
    /// Whether it speaks plain HTTP where the server expects TLS.
    pub(crate) lacks_tls: bool,
    /// A time at which the connection was there already.
    since: Instant,
    owner: OnceLock<Owner>,
}

impl Peer {
    /// The same, connected to this address of the server and accepted at this time.
    pub(crate) fn at(self, local: Option<SocketAddr>, since: Instant) -> Self {
        Self { local, since, ..self }
    }

    /// The same, come in by this door.
    pub(crate) fn by(self, door: Door) -> Self {
        Self { door, ..self }
    }

    /// Whose program is at the other end of the connection; looked up once.
    pub(crate) fn owner(&self) -> Owner {
        let Origin::Network(address) = self.origin else { return Owner::Trusted };
        let Some(local) = self.local else { return Owner::Other };
        *self.owner.get_or_init(|| owner_of(address, local, self.since))
    }

    /// The name of a client in the log: its own address where a proxy stands between, else the
    /// peer's name.
    pub fn name_of(&self, client: Option<IpAddr>) -> Cow<'_, str> {
        match client {
            Some(address) if client != self.origin.address() => Cow::Owned(address.to_string()),
            _ => Cow::Borrowed(&self.name),
        }
    }
}

impl From<Origin> for Peer {
    fn from(origin: Origin) -> Self {
        Self {
            door: match origin {
                Origin::Local { .. } => Door::Admin,
                Origin::Network(_) => Door::Api,
            },
            name: origin.to_string(),
            origin,
            local: None,
            lacks_tls: false,
            since: Instant::now(),
            owner: OnceLock::new(),
        }
    }
}

/// The name of the user with this uid; the number where there is no name, or one that does not fit
/// into a line of a log. May block: the names can be kept by another machine.
pub fn user_name(uid: u32) -> String {
    if let Some(user) = get_user_by_uid(uid)
        && let Some(name) = user.name().to_str()
        && is_plain(name)
    {
        return name.to_owned();
    }
    uid.to_string()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_connection_was_there_since_it_was_accepted() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let now = Instant::now();
        let accepted_at = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        let peer = Peer::from(Origin::Network(address)).at(Some(address), accepted_at);
        assert_eq!(peer.since, accepted_at);
    }

    #[test]
    fn users_have_their_names_or_their_numbers() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(4_000_000_123), "4000000123");
    }
}
