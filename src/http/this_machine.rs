//! Whether a request surely comes from this machine, and not through a proxy that runs on it.
//!
//! A proxy connects from a loopback address too, and may keep silent about its clients, so all that
//! can give one away counts: the name that was called, the version, the headers of proxies, and
//! whose program it is. A proxy that root or the server's own user runs and that changes all of
//! these is taken for a local caller.

use crate::http::peer::{Origin, Peer};
use crate::http::peer_owner::Owner;
use hyper::header::{self, HeaderName};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Version};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Headers that only proxies send.
const OF_PROXIES: [&str; 8] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-proxyuser-ip",
];
/// How other headers of proxies begin.
const BEGINNINGS_OF_PROXIES: [&str; 3] = ["x-forwarded", "x-original-", "x-envoy-"];

/// Whether a request comes from this machine: by the admin socket, or over a loopback address from
/// the server's own user or root, without any trace of a proxy.
pub(crate) struct Locality {
    peer: Arc<Peer>,
    /// What the request itself says.
    seems_local: bool,
}

impl Locality {
    /// Of a request that came by a connection of this peer.
    pub(crate) fn of(peer: &Arc<Peer>, head: &Parts) -> Self {
        Self { peer: Arc::clone(peer), seems_local: seems_local(&peer.origin, head) }
    }

    /// Whether nothing in the request speaks against it: it comes over a loopback address, by a
    /// loopback name, without any trace of a proxy. Which user of the machine sent it is not asked.
    pub(crate) fn seems_local(&self) -> bool {
        self.seems_local
    }

    /// Whether it surely comes from this machine. This may ask the system whose the connection is,
    /// once for each connection.
    pub(crate) fn is_sure(&self) -> bool {
        self.seems_local && self.peer.owner() != Owner::Other
    }
}

/// Whether nothing in the request speaks against it.
fn seems_local(origin: &Origin, head: &Parts) -> bool {
    let Origin::Network(address) = origin else { return true };
    address.ip().to_canonical().is_loopback()
        && head.version == Version::HTTP_11
        && calls_loopback(head)
        && !has_passed_a_proxy(&head.headers)
}

/// Whether every name by which the request calls the server is one of this machine alone.
fn calls_loopback(head: &Parts) -> bool {
    if let Some(authority) = head.uri.authority()
        && !is_loopback_name(authority.as_str())
    {
        return false;
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(is_loopback_name)
}

/// Whether a host, with or without a port, is `localhost` or a loopback address.
fn is_loopback_name(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") || host == "[::1]" {
        return true;
    }
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let Some((name, port)) = host.rsplit_once(':') else { return false };
    name.eq_ignore_ascii_case("localhost") && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_passed_a_proxy(headers: &HeaderMap) -> bool {
    headers.keys().any(is_of_a_proxy)
}

fn is_of_a_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    OF_PROXIES.contains(&name)
        || BEGINNINGS_OF_PROXIES.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn is_local(from: &str, request: hyper::http::request::Builder) -> bool {
        let (head, ()) = request.body(()).expect("a request").into_parts();
        seems_local(&Origin::Network(from.parse().expect("an address")), &head)
    }

    fn get(host: &str) -> hyper::http::request::Builder {
        Request::get("/admin/users").header("Host", host)
    }

    #[test]
    fn only_a_plain_request_to_a_loopback_name_is_local() {
        for host in ["localhost", "LocalHost:18056", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9"]
        {
            assert!(is_local("127.0.0.1:9", get(host)), "{host}");
            assert!(is_local("[::1]:9", get(host)), "{host}");
            assert!(is_local("[::ffff:127.0.0.1]:9", get(host)), "{host}");
            assert!(!is_local("192.0.2.1:9", get(host)), "{host} from elsewhere");
        }
        for host in [
            "vomeet.example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "localhost:",
            "localhost:x",
            "",
        ] {
            let is_plain = host == "localhost:";
            assert_eq!(is_local("127.0.0.1:9", get(host)), is_plain, "{host:?}");
        }
        for name in [
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Forwarded-Anything",
            "X-Real-IP",
            "Via",
            "CF-Connecting-IP",
        ] {
            let request = get("localhost").header(name, "");
            assert!(!is_local("127.0.0.1:9", request), "{name}");
        }
        let old = get("localhost").version(Version::HTTP_10);
        assert!(!is_local("127.0.0.1:9", old), "HTTP/1.0, as proxies speak it");
        let twice = get("localhost").header("Host", "localhost");
        assert!(!is_local("127.0.0.1:9", twice), "two names");
        let absolute = Request::get("http://vomeet.example.com/").header("Host", "localhost");
        assert!(!is_local("127.0.0.1:9", absolute), "another name in the first line");
    }
}
