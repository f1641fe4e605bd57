//! The address of the client: the peer's, or, behind a trusted proxy, the one in `X-Forwarded-For`.

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The header to which each proxy appends the address that it was called from.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: the right-most one of `X-Forwarded-For` that is no trusted proxy.
/// Where all are proxies it is the left-most, and the peer's own where the peer is not trusted, or
/// the header is missing or malformed.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_proxy(peer, proxies) {
        return peer;
    }
    forwarded_for(headers, proxies).unwrap_or(peer)
}

fn is_proxy(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// The client according to the proxies. What stands left of the first address that is no proxy was
/// sent by that client, and is ignored: anybody can write there what they like.
fn forwarded_for(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut left_most = None;
    for line in headers.get_all(&FORWARDED_FOR).iter().rev() {
        for entry in line.to_str().ok()?.rsplit(',') {
            let address = parse(entry.trim())?;
            if !is_proxy(address, proxies) {
                return Some(address);
            }
            left_most = Some(address);
        }
    }
    left_most
}

/// An address; some proxies add the port, or brackets.
fn parse(entry: &str) -> Option<IpAddr> {
    if let Ok(with_port) = entry.parse::<SocketAddr>() {
        return Some(with_port.ip().to_canonical());
    }
    let mut bare = entry;
    if entry.starts_with('[') && entry.ends_with(']') {
        bare = &entry[1..entry.len() - 1];
    }
    let address: IpAddr = bare.parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    const PROXIES: [&str; 3] = ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"];

    fn client(peer: &str, lines: &[&[u8]], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).expect("a value"));
        }
        let proxies: Vec<IpNet> =
            proxies.iter().map(|network| network.parse().expect("a network")).collect();
        client_address(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        for (peer, lines, expected) in [
            ("10.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["198.51.100.1 ,203.0.113.7 , 10.9.9.9,127.0.0.1"], "203.0.113.7"),
            ("10.0.0.1", vec!["198.51.100.1", "203.0.113.7", "10.9.9.9"], "203.0.113.7"),
            ("127.0.0.1", vec!["2001:db8::7"], "2001:db8::7"),
            ("127.0.0.1", vec!["203.0.113.7:4711"], "203.0.113.7"),
            ("127.0.0.1", vec!["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", vec!["[2001:db8::7]"], "2001:db8::7"),
            ("::ffff:127.0.0.1", vec!["::ffff:203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["203.0.113.7, ::ffff:10.2.3.4"], "203.0.113.7"),
            ("fd00::1", vec!["203.0.113.7"], "203.0.113.7"),
            // Nobody but proxies: the one farthest away asks for itself.
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(client(peer, &lines, &PROXIES), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_peer_that_is_not_trusted_speaks_for_itself() {
        for (peer, expected) in
            [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::1", "::1")]
        {
            assert_eq!(client(peer, &[b"203.0.113.7"], &PROXIES), expected);
        }
        assert_eq!(client("10.0.0.1", &[b"203.0.113.7"], &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_proxy_says_and_nobody_can_read_is_not_believed() {
        let unreadable: [&[u8]; 8] = [
            b"",
            b"unknown",
            b"203.0.113.7,",
            b"203.0.113.7, _hidden, 10.0.0.2",
            b"203.0.113.7;10.0.0.2",
            b"300.1.1.1",
            b"\xff\xfe, 10.0.0.2",
            b"010.0.0.2",
        ];
        for line in unreadable {
            assert_eq!(client("10.0.0.1", &[line], &PROXIES), "10.0.0.1", "{line:?}");
        }
        assert_eq!(client("10.0.0.1", &[], &PROXIES), "10.0.0.1");
        // What stands left of the client was not written by a proxy.
        assert_eq!(client("10.0.0.1", &[b"unknown, 203.0.113.7"], &PROXIES), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"\xff", b"203.0.113.7"], &PROXIES), "203.0.113.7");
    }
}
