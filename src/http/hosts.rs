//! The host names of the server.

use crate::config::Config;
use std::net::{IpAddr, SocketAddr};
use url::Url;

/// The host names that the server accepts. On a loopback address any other name is a web page's
/// attempt to reach it through the browser of its user (DNS rebinding).
pub(crate) struct Hosts {
    accepts_any: bool,
    names: Vec<String>,
    /// Whether probes may use any name: a weak admin key works on loopback alone, and what a page
    /// can learn there must not depend on what the page calls it.
    probes_use_any: bool,
}

impl Hosts {
    /// The names of a server that listens on `address`: those of this machine, those that are
    /// configured, and the one that bots are given.
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Self {
        let mut names = Vec::new();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            names.push(name.to_owned());
        }
        names.push(host_of(address.ip()));
        names.extend_from_slice(&config.http.allowed_hosts);
        if let Ok(url) = Url::parse(&config.bots.callback_url)
            && let Some(host) = url.host_str()
        {
            names.push(host.to_owned());
        }
        let is_loopback = address.ip().to_canonical().is_loopback();
        Self {
            accepts_any: !is_loopback && config.http.allowed_hosts.is_empty(),
            names,
            probes_use_any: !config.has_weak_admin_key(),
        }
    }

    /// Whether the value of a `Host` header is one of them, whatever its port, or the address
    /// `local` of the server to which the connection was made.
    pub(crate) fn accept(&self, host: &[u8], local: Option<SocketAddr>) -> bool {
        if self.accepts_any {
            return true;
        }
        let host = without_port(host);
        // Almost all write it as it stands here, and bytes are compared sooner than letters.
        if self.names.iter().any(|name| host == name.as_bytes()) {
            return true;
        }
        if self.names.iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes())) {
            return true;
        }
        // Last, because the address has to be written as text.
        local.is_some_and(|local| host == host_of(local.ip().to_canonical()).as_bytes())
    }

    /// Whether the routes for probes may be called by any name.
    pub(crate) fn probes_use_any(&self) -> bool {
        self.probes_use_any
    }
}

/// An address as it stands in `Host`, without the port.
fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}
