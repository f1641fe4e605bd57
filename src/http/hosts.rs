//! The host names of the server.

use crate::config::Http;
use std::net::SocketAddr;

/// The host names that the server accepts. On a loopback address any other name is a web page's
/// attempt to reach it through the browser of its user (DNS rebinding).
pub struct Hosts {
    accepts_any: bool,
    names: Vec<String>,
}

impl Hosts {
    /// The names of a server that listens on `address`.
    pub fn new(http: &Http, address: SocketAddr) -> Self {
        let mut names = Vec::new();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            names.push(name.to_owned());
        }
        names.push(host_of(address));
        names.extend_from_slice(&http.allowed_hosts);
        let is_loopback = address.ip().to_canonical().is_loopback();
        Self { accepts_any: !is_loopback && http.allowed_hosts.is_empty(), names }
    }

    /// Whether the value of a `Host` header is one of them, whatever its port.
    pub fn accept(&self, host: &[u8]) -> bool {
        if self.accepts_any {
            return true;
        }
        let host = without_port(host);
        self.names.iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes()))
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
