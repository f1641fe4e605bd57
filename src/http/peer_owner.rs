//! Whose program is at the other end of a connection on this machine, as Linux says in
//! `/proc/net/tcp` and `/proc/net/tcp6` (proc(5)).

use rustix::process::geteuid;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;

/// The tables of TCP sockets; IPv4 addresses may be in both.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
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

/// Whose program has the socket with the address `peer`, connected to `port` of this machine.
pub(crate) fn owner_of(peer: SocketAddr, port: u16) -> Owner {
    if !is_told() {
        return Owner::Unknown;
    }
    let uids = uids_of(peer, port);
    let own = geteuid().as_raw();
    if !uids.is_empty() && uids.iter().all(|&uid| uid == own || uid == ROOT) {
        return Owner::Trusted;
    }
    Owner::Other
}

/// Whether this system says whose a connection is; tried once, with a connection of our own.
pub(crate) fn is_told() -> bool {
    static IS_TOLD: OnceLock<bool> = OnceLock::new();
    *IS_TOLD.get_or_init(|| finds_own_connection().unwrap_or(false))
}

fn finds_own_connection() -> std::io::Result<bool> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = listener.local_addr()?;
    let client = TcpStream::connect(server)?;
    let uids = uids_of(client.local_addr()?, server.port());
    Ok(uids == [geteuid().as_raw()])
}

/// The users of all sockets with this address and this port at the other end.
fn uids_of(peer: SocketAddr, port: u16) -> Vec<u32> {
    // A busy machine has thousands of lines: what cannot be the one is not read further.
    let local_port = format!(":{:04X} ", peer.port());
    let remote_port = format!(":{port:04X} ");
    let mut uids = Vec::new();
    for table in TABLES {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines() {
            if line.contains(&local_port)
                && line.contains(&remote_port)
                && let Some(socket) = Socket::parse(line)
                && is_same(socket.local, peer)
                && socket.remote.port() == port
            {
                uids.push(socket.uid);
            }
        }
    }
    uids
}

/// Whether two addresses are the same, written as IPv6 or not.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// A line of a table.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    uid: u32,
}

impl Socket {
    /// `None` for the heading, and for a socket that no program has any more: its line may name
    /// root, whosever it was.
    fn parse(line: &str) -> Option<Self> {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let inode: u64 = columns.get(9)?.parse().ok()?;
        if inode == 0 {
            return None;
        }
        let local = address(columns.get(1)?)?;
        let remote = address(columns.get(2)?)?;
        let uid = columns.get(7)?.parse().ok()?;
        Some(Self { local, remote, uid })
    }
}

/// An address in hexadecimal: each 32 bits as a number of this machine, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    let mut rest = ip;
    while !rest.is_empty() {
        let (word, others) = rest.split_at_checked(8)?;
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
        rest = others;
    }
    let ip: IpAddr = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_are_read_as_linux_writes_them() {
        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(Socket::parse(heading), None);
        let line = |local: &str, remote: &str, uid: u32, inode: u32| {
            format!(
                "   1: {local} {remote} 01 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0000000000000000 20 4 30 10 -1"
            )
        };
        for (local, expected) in [
            ("0100007F:C350", "127.0.0.1:50000"),
            ("00000000000000000000000001000000:C350", "[::1]:50000"),
            ("0000000000000000FFFF00000100007F:C350", "[::ffff:127.0.0.1]:50000"),
        ] {
            let socket = Socket::parse(&line(local, "0100007F:4688", 1000, 7)).expect("a socket");
            assert_eq!(socket.local.to_string(), expected);
            assert_eq!((socket.remote.port(), socket.uid), (18056, 1000));
            let closed = Socket::parse(&line(local, "0100007F:4688", 0, 0));
            assert_eq!(closed, None, "a socket that its program has closed");
        }
        for torn in
            ["", "0:", "0: 0100007F 0100007F:4688 01 0 0 0 0 0 7", "0: XX:1 XX:1 01 0 0 0 0 0 7"]
        {
            assert_eq!(Socket::parse(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn a_connection_of_our_own_is_trusted_and_one_that_is_not_there_is_not() {
        if !is_told() {
            // The rest of the rule decides there; nothing can be told of any connection.
            assert_eq!(owner_of(SocketAddr::from(([127, 0, 0, 1], 1)), 1), Owner::Unknown);
            return;
        }
        for server in ["127.0.0.1:0", "[::]:0"] {
            // A machine without IPv6 has only the first.
            let Ok(listener) = TcpListener::bind(server) else { continue };
            let port = listener.local_addr().expect("an address").port();
            let client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            let (_accepted, peer) = listener.accept().expect("the same connection");
            assert_eq!(owner_of(peer, port), Owner::Trusted, "{server}");
            assert_eq!(owner_of(peer, port.wrapping_add(1)), Owner::Other, "{server}");
            drop(client);
            let nobody = SocketAddr::new(peer.ip(), 1);
            assert_eq!(owner_of(nobody, port), Owner::Other, "{server}");
        }
    }
}
