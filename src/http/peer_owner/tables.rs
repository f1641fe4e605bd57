//! The tables of all TCP sockets, `/proc/net/tcp` and `/proc/net/tcp6` (proc(5)). Reading them
//! takes the longer the more sockets there are, so one reading serves all connections that were
//! there when it began, and there is one at a time.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// IPv4 addresses may be in both.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// What was read last.
static LAST: Mutex<Option<Snapshot>> = Mutex::new(None);

/// The tables as they were at one time.
struct Snapshot {
    /// When the reading began.
    read_at: Instant,
    sockets: Vec<Socket>,
}

/// A line of a table. IPv4 addresses are written as such.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    uid: u32,
}

/// The users of all sockets that are `client` to `server`, in the tables as they were at `since` or
/// later.
pub(super) fn uids_of(client: SocketAddr, server: SocketAddr, since: Instant) -> Vec<u32> {
    uids_in(&LAST, client, server, since)
}

/// The same, with this snapshot; others wait while a new one is taken.
fn uids_in(
    last: &Mutex<Option<Snapshot>>,
    client: SocketAddr,
    server: SocketAddr,
    since: Instant,
) -> Vec<u32> {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let snapshot = match last.take() {
        Some(snapshot) if snapshot.read_at >= since => last.insert(snapshot),
        _ => last.insert(Snapshot::read()),
    };
    let mut uids = Vec::new();
    for socket in &snapshot.sockets {
        // A socket is read more than once where others come and go meanwhile.
        let is_new = !uids.contains(&socket.uid);
        if socket.local == client && socket.remote == server && is_new {
            uids.push(socket.uid);
        }
    }
    uids
}

impl Snapshot {
    fn read() -> Self {
        let read_at = Instant::now();
        let mut sockets = Vec::new();
        for table in TABLES {
            let text = fs::read_to_string(table).unwrap_or_default();
            sockets.extend(text.lines().filter_map(Socket::parse));
        }
        Self { read_at, sockets }
    }
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
    Some(SocketAddr::new(ip.to_canonical(), port))
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
            ("0000000000000000FFFF00000100007F:C350", "127.0.0.1:50000"),
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
    fn a_socket_that_was_read_twice_is_one_and_each_user_counts() {
        let [local, remote] = [1, 2].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let read_at = Instant::now();
        let uids_of = |read: &[u32]| {
            let sockets = read.iter().map(|&uid| Socket { local, remote, uid }).collect();
            let last = Mutex::new(Some(Snapshot { read_at, sockets }));
            uids_in(&last, local, remote, read_at)
        };
        assert_eq!(uids_of(&[7, 7, 7]), [7]);
        assert_eq!(uids_of(&[7, 0, 7]), [7, 0]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_reading_serves_all_connections_that_were_there_when_it_began() {
        use std::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let server = listener.local_addr().expect("an address");
        let connect = || {
            let stream = TcpStream::connect(server).expect("a connection");
            let client = stream.local_addr().expect("an address");
            (stream, client, Instant::now())
        };
        let last = Mutex::new(None);
        let found = |client, since| uids_in(&last, client, server, since).len();
        let [first, second] = [connect(), connect()];
        assert_eq!(found(second.1, second.2), 1);
        assert_eq!(found(first.1, first.2), 1);
        let third = connect();
        assert_eq!(found(third.1, second.2), 0, "the same snapshot, which has no third one");
        assert_eq!(found(third.1, third.2), 1, "a snapshot that is not older than the connection");
    }
}
