//! Whose program is at the other end of a connection on this machine, as Linux says: for one socket
//! by [`sock_diag`], or where that is not allowed by the [`tables`] of all sockets.

#[cfg(target_os = "linux")]
mod sock_diag;
mod tables;

use rustix::process::geteuid;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Instant;

/// The user who may everything.
const ROOT: u32 = 0;

/// Whose program is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The server's own user's, or root's.
    Trusted,
    /// Another user's, or none on this machine.
    Other,
    /// The system does not say.
    Unknown,
}

/// By what the system says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    SockDiag,
    Tables,
}

/// Whose program has the socket `client` of the connection from there to `server`, which has been
/// there since `since` or longer.
pub(crate) fn owner_of(client: SocketAddr, server: SocketAddr, since: Instant) -> Owner {
    match source() {
        Some(source) => source.owner_of(client, server, since),
        None => Owner::Unknown,
    }
}

/// Whether this system says whose a connection is.
pub(crate) fn is_told() -> bool {
    source().is_some()
}

/// The source that knows a connection of our own; tried once.
fn source() -> Option<Source> {
    static SOURCE: OnceLock<Option<Source>> = OnceLock::new();
    *SOURCE.get_or_init(|| find_source().unwrap_or(None))
}

fn find_source() -> io::Result<Option<Source>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = listener.local_addr()?;
    let connection = TcpStream::connect(server)?;
    let client = connection.local_addr()?;
    let own = [geteuid().as_raw()];
    let now = Instant::now();
    if Source::SockDiag.uids_of(client, server, now) == own {
        return Ok(Some(Source::SockDiag));
    }
    if Source::Tables.uids_of(client, server, now) == own {
        log::info!(
            "sock_diag does not answer (is the address family AF_NETLINK allowed?): whose a \
             connection is will be read in /proc/net, which is slow where there are many"
        );
        return Ok(Some(Source::Tables));
    }
    Ok(None)
}

impl Source {
    fn owner_of(self, client: SocketAddr, server: SocketAddr, since: Instant) -> Owner {
        let uids = self.uids_of(client, server, since);
        let own = geteuid().as_raw();
        if !uids.is_empty() && uids.iter().all(|&uid| uid == own || uid == ROOT) {
            return Owner::Trusted;
        }
        Owner::Other
    }

    /// The users of all sockets with these addresses: one, or none.
    fn uids_of(self, client: SocketAddr, server: SocketAddr, since: Instant) -> Vec<u32> {
        let [client, server] = [canonical(client), canonical(server)];
        match self {
            Self::SockDiag => ask(client, server).into_iter().collect(),
            Self::Tables => tables::uids_of(client, server, since),
        }
    }
}

#[cfg(target_os = "linux")]
fn ask(client: SocketAddr, server: SocketAddr) -> Option<u32> {
    sock_diag::uid_of(client, server)
}

#[cfg(not(target_os = "linux"))]
fn ask(_: SocketAddr, _: SocketAddr) -> Option<u32> {
    None
}

/// The same address, as IPv4 where it is one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which sources there are on this machine.
    fn sources() -> Vec<Source> {
        match source() {
            Some(Source::SockDiag) => vec![Source::SockDiag, Source::Tables],
            Some(Source::Tables) => vec![Source::Tables],
            None => Vec::new(),
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn where_nothing_is_told_the_owner_is_unknown() {
        let nobody = owner_of(address("127.0.0.1:1"), address("127.0.0.1:1"), Instant::now());
        let expected = if is_told() { Owner::Other } else { Owner::Unknown };
        assert_eq!(nobody, expected);
        assert_eq!(is_told(), cfg!(target_os = "linux"));
    }

    #[test]
    fn a_connection_of_our_own_is_trusted_until_it_is_closed() {
        let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
        for source in sources() {
            for (listens, connects) in [
                ("127.0.0.1:0", "127.0.0.1"),
                ("[::]:0", "127.0.0.1"),
                ("[::1]:0", "[::1]"),
                ("127.0.0.1:0", "[::ffff:127.0.0.1]"),
                ("[::]:0", "[::ffff:127.0.0.1]"),
            ] {
                let case = format!("{source:?}: {connects} to {listens}");
                if !has_ipv6 && case.contains('[') {
                    continue;
                }
                let listener = TcpListener::bind(listens).expect("a port");
                let port = listener.local_addr().expect("an address").port();
                let to = address(&format!("{connects}:{port}"));
                let client = TcpStream::connect(to).expect("a connection");
                let (accepted, peer) = listener.accept().expect("the same connection");
                let local = accepted.local_addr().expect("an address");
                let owner = |client, server| source.owner_of(client, server, Instant::now());
                assert_eq!(owner(peer, local), Owner::Trusted, "{case}");
                let other = SocketAddr::new(local.ip(), port.wrapping_add(1));
                assert_eq!(owner(peer, other), Owner::Other, "{case}: another server");
                let nobody = SocketAddr::new(peer.ip(), 1);
                assert_eq!(owner(nobody, local), Owner::Other, "{case}: nobody's port");
                drop(client);
                assert_eq!(owner(peer, local), Owner::Other, "{case}: closed");
            }
        }
    }

    #[test]
    fn who_listens_on_an_address_is_not_who_connects_from_it() {
        for source in sources() {
            let [one, other] = ["127.0.0.1:0", "127.0.0.1:0"].map(|text| {
                let listener = TcpListener::bind(text).expect("a port");
                let address = listener.local_addr().expect("an address");
                (listener, address)
            });
            let owner = source.owner_of(one.1, other.1, Instant::now());
            assert_eq!(owner, Owner::Other, "{source:?}");
        }
    }
}
