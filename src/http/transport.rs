//! What all connections of a server share: limits, host names, counters.

use crate::budget::Budgets;
use crate::config::{Config, Http};
use crate::http::connections::Connections;
use crate::http::hosts::Hosts;
use crate::http::request_ids::RequestIds;
use crate::http::tls::Tls;
use crate::http::websocket::permits::Sockets;
use crate::metrics::Metrics;
use arc_swap::{ArcSwap, Guard};
use std::net::SocketAddr;
use std::sync::Arc;

/// The HTTP side of a server, without its service.
pub struct Transport {
    rules: ArcSwap<Rules>,
    /// Where the server listens.
    pub address: SocketAddr,
    /// TLS; `None` where the server speaks plain HTTP.
    pub tls: Option<Tls>,
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

/// The settings of the transport, which a running server may read again.
pub(crate) struct Rules {
    /// The settings of `[http]`: limits and time-outs.
    pub limits: Http,
    /// The host names that the server accepts.
    pub hosts: Hosts,
}

impl Rules {
    fn new(config: &Config, address: SocketAddr) -> Self {
        Self { limits: config.http.clone(), hosts: Hosts::new(config, address) }
    }
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
            rules: ArcSwap::from_pointee(Rules::new(config, address)),
            connections: Connections::new(config.http.clone()),
            address,
            tls,
            budgets: Budgets::new(
                live.sockets_max,
                live.sockets_max_user,
                config.http.body_bytes_max,
            ),
            sockets: Sockets::default(),
            request_ids: RequestIds::random(),
            metrics,
        }
    }

    /// The rules in force, for a moment: they are not kept across a wait.
    pub(crate) fn rules(&self) -> Guard<Arc<Rules>> {
        self.rules.load()
    }

    /// Other rules from now on.
    pub(crate) fn set_rules(&self, config: &Config) {
        self.connections.set_limits(config.http.clone());
        self.rules.store(Arc::new(Rules::new(config, self.address)));
    }
}
