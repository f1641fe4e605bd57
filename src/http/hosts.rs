//! The names that the server answers to.

use crate::config::Http;
use std::net::SocketAddr;

/// Which names the server answers to. On a loopback address any other name is a web page's attempt to reach it through
/// the visitor's browser (DNS rebinding).
pub struct Hosts {
    any: bool,
    names: Vec<String>,
}

impl Hosts {
    /// The names for a server that listens on `address`.
    pub fn new(http: &Http, address: SocketAddr) -> Self {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let local = address.ip().to_canonical().is_loopback();
        let names = own.into_iter().chain([host_of(address)]).chain(http.allowed_hosts.iter().cloned());
        Self { any: !local && http.allowed_hosts.is_empty(), names: names.collect() }
    }

    /// Whether a `Host` is one of them, whatever its port.
    pub fn admit(&self, host: &[u8]) -> bool {
        let host = without_port(host);
        self.any || self.names.iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// An address as it stands in `Host`, without the port.
fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}
