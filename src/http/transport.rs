//! What all connections of a server share: limits, host names, counters.

use crate::budget::Budgets;
use crate::config::{Config, Http};
use crate::http::connections::Connections;
use crate::http::hosts::Hosts;
use crate::http::request_ids::RequestIds;
use crate::http::tls::Tls;
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
    /// TLS; `None` where the server speaks plain HTTP.
    pub tls: Option<Tls>,
    /// The host names that it accepts.
    pub hosts: Hosts,
    /// The open connections.
    pub connections: Arc<Connections>,
    /// What one caller may hold.
    pub budgets: Budgets,
    /// The open WebSockets.
    pub sockets: Sockets,
    /// Ids for requests that bring none.
    pub request_ids: RequestIds,
    /// The counters that requests move.
    pub metrics: Arc<Metrics>,
}

impl Transport {
    /// For a server that listens on `address`.
    pub fn new(
        config: &Config,
        address: SocketAddr,
        tls: Option<Tls>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let live = &config.live;
        Self {
            hosts: Hosts::new(config, address),
            connections: Connections::new(config.http.clone()),
            limits: config.http.clone(),
            address,
            tls,
            budgets: Budgets::new(live.sockets_max, live.sockets_max_user),
            sockets: Sockets::default(),
            request_ids: RequestIds::random(),
            metrics,
        }
    }
}
