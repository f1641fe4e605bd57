//! What is counted, in the text format of Prometheus.

use crate::app::App;
use crate::error::{Error, Result};
use hyper::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    path: &'static str,
    status: u32,
}

/// The counters that requests move.
pub struct Metrics {
    requests: Family<Request, Counter>,
    seconds: Histogram,
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        Self {
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_05, 4.0, 10)),
        }
    }

    /// Counts a request by the pattern of its route.
    pub fn observe(&self, method: &Method, path: &'static str, status: StatusCode, took: Duration) {
        let labels = Request { method: method_name(method), path, status: status.as_u16().into() };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// All of it as text, with what the other rooms count.
    pub fn text(&self, app: &App) -> Result<String> {
        let mut registry = Registry::with_prefix("vomeet");
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register(
            "http_request_seconds",
            "Time from the head of a request to its answer",
            self.seconds.clone(),
        );
        let written = app.store.written();
        for (name, about, value) in [
            ("http_connections", "Open connections", app.connections.count() as u64),
            ("tokens_in_memory", "Tokens whose verdict is in memory", app.auth.known() as u64),
            ("store_writes", "Writes committed since the start", written.verbs),
            ("store_commits", "Commits that they shared", written.commits),
            ("store_bytes", "Size of the database and its log", app.store.size_bytes()),
        ] {
            registry.register(name, about, ConstGauge::new(value));
        }
        let started = ConstGauge::new(app.started_at.as_millis() / 1000);
        registry.register(
            "start_time_seconds",
            "When the server started, in seconds since 1970",
            started,
        );
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// One of a few names: a caller can make up methods, but not labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
