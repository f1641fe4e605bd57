//! What all connections of a server share: limits, host names, counters.

use crate::config::Http;
use crate::http::connections::Connections;
use crate::http::hosts::Hosts;
use crate::http::request_ids::RequestIds;
use crate::http::websocket::permits::Sockets;
use crate::metrics::Metrics;
use std::net::SocketAddr;
use std::sync::Arc;

/// The HTTP side of a server, without its service.
pub struct Transport {
    /// The settings of `[http]`: limits and time-outs.
    pub limits: Http,
    /// Where the server listens.
    pub address: SocketAddr,
    /// The host names that it accepts.
    pub hosts: Hosts,
    /// The open connections.
    pub connections: Arc<Connections>,
    /// The open WebSockets.
    pub sockets: Sockets,
    /// Ids for requests that bring none.
    pub request_ids: RequestIds,
    /// The counters that requests move.
    pub metrics: Arc<Metrics>,
}

impl Transport {
    /// For a server that listens on `address`, with at most `sockets_max` WebSockets.
    pub fn new(
        limits: Http,
        address: SocketAddr,
        sockets_max: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            hosts: Hosts::new(&limits, address),
            connections: Connections::new(limits.clone()),
            limits,
            address,
            sockets: Sockets::new(sockets_max),
            request_ids: RequestIds::random(),
            metrics,
        }
    }
}
