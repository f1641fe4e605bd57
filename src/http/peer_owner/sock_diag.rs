//! Asks Linux for one TCP socket by its two addresses (`sock_diag(7)`). Each question is one
//! message and so is its answer, however many sockets there are.

use rustix::fd::OwnedFd;
use rustix::io;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
    socket_with,
};
use std::net::{IpAddr, SocketAddr};

/// How long a question is: a `nlmsghdr` and an `inet_diag_req_v2`.
const QUESTION_BYTES: u32 = 72;
/// More than an answer takes: a `nlmsghdr`, an `inet_diag_msg`, and a few attributes behind.
const ANSWER_BYTES_MAX: usize = 4096;
/// The type of question and answer.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The flags of a question for one socket; those for all of them would add `NLM_F_DUMP`.
const NLM_F_REQUEST: u16 = 1;
/// The loopback interface: sockets that are bound to it are found, and those that are to none.
const LOOPBACK_INTERFACE: u32 = 1;

/// The user of the socket that is `client` to `server`. `None` where there is no such socket, where
/// no program has it any more, and where the system does not answer.
pub(super) fn uid_of(client: SocketAddr, server: SocketAddr) -> Option<u32> {
    match look_up(client, server) {
        Ok(uid) => uid,
        Err(error) => {
            log::debug!("sock_diag does not say whose {client} is: {error}");
            None
        }
    }
}

fn look_up(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    let kernel = open()?;
    // An IPv4 connection may be one of an IPv6 socket.
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        let Some(question) = question(family, client, server) else { continue };
        let answer = ask(&kernel, &question)?;
        if let Some(uid) = uid_in(&answer, client, server) {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}

/// A socket to which the kernel alone can send.
fn open() -> io::Result<OwnedFd> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

/// Sends a question and takes the answer. The kernel answers while the question is sent, so there
/// is nothing to wait for.
fn ask(kernel: &OwnedFd, question: &[u8]) -> io::Result<Vec<u8>> {
    send(kernel, question, SendFlags::empty())?;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    let (length, _) = recv(kernel, &mut answer[..], RecvFlags::DONTWAIT)?;
    answer.truncate(length);
    Ok(answer)
}

/// The question for one socket; `None` where this family has no such addresses.
fn question(family: AddressFamily, client: SocketAddr, server: SocketAddr) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // nlmsghdr: length, type, flags, sequence number, sender
    bytes.extend(QUESTION_BYTES.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    // inet_diag_req_v2: family, protocol, no attributes, padding, any state
    let protocol = ipproto::TCP.as_raw().get();
    bytes.extend([u8::try_from(family.as_raw()).ok()?, u8::try_from(protocol).ok()?, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    // inet_diag_sockid: ports, addresses, interface, no cookie
    bytes.extend(client.port().to_be_bytes());
    bytes.extend(server.port().to_be_bytes());
    bytes.extend(words(family, client.ip())?);
    bytes.extend(words(family, server.ip())?);
    bytes.extend(LOOPBACK_INTERFACE.to_ne_bytes());
    bytes.extend([u8::MAX; 8]);
    Some(bytes)
}

/// An address as it stands in a message of this family.
fn words(family: AddressFamily, ip: IpAddr) -> Option<[u8; 16]> {
    match ip {
        IpAddr::V4(ip) if family == AddressFamily::INET => {
            let [a, b, c, d] = ip.octets();
            Some([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V4(ip) => Some(ip.to_ipv6_mapped().octets()),
        IpAddr::V6(ip) if family == AddressFamily::INET6 => Some(ip.octets()),
        IpAddr::V6(_) => None,
    }
}

/// The user in an answer, if it is about this socket: where there is none, the kernel answers with
/// a socket that listens on the address of the client.
fn uid_in(answer: &[u8], client: SocketAddr, server: SocketAddr) -> Option<u32> {
    // nlmsghdr: the type of an error is another one
    if u16::from_ne_bytes(field(answer, 4)?) != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    // inet_diag_msg: family, ports, addresses, uid, inode
    let family = AddressFamily::from_raw(u16::from(*answer.get(16)?));
    let source_port = u16::from_be_bytes(field(answer, 20)?);
    let destination_port = u16::from_be_bytes(field(answer, 22)?);
    let is_same = source_port == client.port()
        && destination_port == server.port()
        && words(family, client.ip()) == Some(field(answer, 24)?)
        && words(family, server.ip()) == Some(field(answer, 40)?);
    let uid = u32::from_ne_bytes(field(answer, 80)?);
    let inode = u32::from_ne_bytes(field(answer, 84)?);
    // Without an inode no program has it any more; then it may name root, whosever it was.
    let is_owned = inode != 0;
    (is_same && is_owned).then_some(uid)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::geteuid;
    use socket2::{Domain, Socket, Type};
    use std::fs;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    /// A connection, with the address of its client and of its server.
    fn connection() -> (TcpListener, TcpStream, [SocketAddr; 2]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let server = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(server).expect("a connection");
        let client = stream.local_addr().expect("an address");
        (listener, stream, [client, server])
    }

    /// Listeners, and `count` connections in their queues whose clients have closed them: two
    /// sockets each, and no open file.
    fn sockets_besides(count: usize) -> Vec<TcpListener> {
        let mut listeners = Vec::new();
        while listeners.len() * 50 < count {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let address = listener.local_addr().expect("an address");
            for _ in 0..50 {
                TcpStream::connect(address).expect("a connection");
            }
            listeners.push(listener);
        }
        listeners
    }

    /// The answers to one question.
    fn answers(question: &[u8]) -> Vec<Vec<u8>> {
        let kernel = open().expect("a socket");
        let mut answers = vec![ask(&kernel, question).expect("an answer")];
        let mut more = vec![0; ANSWER_BYTES_MAX];
        while let Ok((length, _)) = recv(&kernel, &mut more[..], RecvFlags::DONTWAIT) {
            answers.push(more[..length].to_vec());
        }
        answers
    }

    #[test]
    fn the_answer_is_one_message_however_many_sockets_there_are() {
        let (_listener, _stream, [client, server]) = connection();
        let question = question(AddressFamily::INET, client, server).expect("a question");
        assert_eq!(question.len(), QUESTION_BYTES as usize);
        let among_few = answers(&question);
        let others = sockets_besides(500);
        let lines = fs::read_to_string("/proc/net/tcp").expect("the table").lines().count();
        assert!(lines > 1000, "{lines} sockets beside {} listeners", others.len());
        let among_many = answers(&question);
        assert_eq!((among_few.len(), among_many.len()), (1, 1));
        for answer in [&among_few[0], &among_many[0]] {
            let length = u32::from_ne_bytes(field(answer, 0).expect("a header"));
            assert_eq!(answer.len(), length as usize, "one message and nothing behind it");
            assert!(answer.len() < 256, "{} bytes", answer.len());
            assert_eq!(uid_in(answer, client, server), Some(geteuid().as_raw()));
        }
        assert_eq!(among_few[0].len(), among_many[0].len());
    }

    #[test]
    fn a_socket_bound_to_the_loopback_interface_is_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let server = listener.local_addr().expect("an address");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind_device(Some(b"lo")).expect("the loopback interface");
        socket.connect(&server.into()).expect("a connection");
        let client = socket.local_addr().expect("an address").as_socket().expect("an address");
        assert_eq!(uid_of(client, server), Some(geteuid().as_raw()));
    }

    #[test]
    fn an_answer_counts_for_its_own_socket_alone_and_while_a_program_has_it() {
        let (_listener, _stream, [client, server]) = connection();
        let question = question(AddressFamily::INET, client, server).expect("a question");
        let answer = answers(&question).remove(0);
        assert_eq!(uid_in(&answer, client, server), Some(geteuid().as_raw()));
        let of = |ip: [u8; 4], port: u16| SocketAddr::from((ip, port));
        for (client, server) in [
            (of([127, 0, 0, 1], client.port().wrapping_add(1)), server),
            (of([127, 0, 0, 2], client.port()), server),
            (client, of([127, 0, 0, 1], server.port().wrapping_add(1))),
            (client, of([127, 0, 0, 2], server.port())),
        ] {
            assert_eq!(uid_in(&answer, client, server), None, "{client} to {server}");
        }
        for length in 0..88 {
            assert_eq!(uid_in(&answer[..length], client, server), None, "{length} bytes of it");
        }
        let mut closed = answer.clone();
        closed[84..88].fill(0);
        assert_eq!(uid_in(&closed, client, server), None, "without an inode");
        let mut error = answer;
        error[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        assert_eq!(uid_in(&error, client, server), None, "an error");
    }
}
