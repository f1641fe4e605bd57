//! What is counted, in the text format of Prometheus.

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::router::Route;
use crate::routes::TABLE;
use hyper::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The statuses that are counted one by one; what is not among them counts as the last.
const STATUSES: [u16; 22] =
    [101, 200, 201, 202, 204, 307, 400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 426, 429, 431, 503, 507, 500];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    path: &'static str,
    status: u32,
}

/// The counters that requests move: for each row of the table, and for no row, one for each status.
pub struct Metrics {
    requests: Vec<[AtomicU64; STATUSES.len()]>,
    seconds: Histogram,
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let rows = TABLE.len() + 1;
        Self {
            requests: (0..rows).map(|_| Default::default()).collect(),
            seconds: Histogram::new(exponential_buckets(0.000_05, 4.0, 10)),
        }
    }

    /// Counts a request by its row; `HEAD` counts as the `GET` that it is answered by.
    pub fn observe(&self, route: Option<&Route>, status: StatusCode, took: Duration) {
        let row = route.map_or(TABLE.len(), |route| route.number);
        let at = STATUSES.iter().position(|&known| known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.requests[row][at].fetch_add(1, Ordering::Relaxed);
        self.seconds.observe(took.as_secs_f64());
    }

    /// All of it as text, with what the other rooms count.
    pub fn text(&self, app: &App) -> Result<String> {
        let mut registry = Registry::with_prefix("vomeet");
        registry.register("http_requests", "Requests answered", self.by_request());
        registry.register(
            "http_request_seconds",
            "Time from the head of a request to its answer",
            self.seconds.clone(),
        );
        let written = app.store.written();
        for (name, about, value) in [
            ("http_connections", "Open connections", app.connections.count() as u64),
            ("live_sockets", "Open live sockets", app.sockets.count() as u64),
            ("tokens_in_memory", "Tokens whose verdict is in memory", app.auth.known_tokens() as u64),
            ("store_writes", "Writes committed since the start", written.verbs),
            ("store_commits", "Commits that they shared", written.commits),
            ("erasures_waiting", "Removals of which something may be left in the files", app.store.erasures_owed()?),
            ("store_bytes", "Size of the database and its log", app.store.size_bytes()),
        ] {
            registry.register(name, about, ConstGauge::new(value));
        }
        let started = ConstGauge::new(app.started_at.as_millis() / 1000);
        registry.register("start_time_seconds", "When the server started, in seconds since 1970", started);
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(text)
    }

    fn by_request(&self) -> Family<Request, Counter> {
        let family = Family::<Request, Counter>::default();
        for (row, counts) in self.requests.iter().enumerate() {
            let (method, path) = TABLE.get(row).map_or(("-", "-"), |route| (route.method.as_str(), route.path));
            for (count, status) in counts.iter().zip(STATUSES) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    family.get_or_create(&Request { method, path, status: status.into() }).inc_by(count);
                }
            }
        }
        family
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::STATUSES;
    use serde_json::Value;

    #[test]
    fn every_status_of_the_document_is_counted() {
        let document: Value = serde_json::from_str(crate::openapi::json().expect("a document")).expect("JSON");
        let operations = document["paths"].as_object().expect("paths").values().filter_map(Value::as_object);
        let answers =
            operations.flat_map(|item| item.values()).filter_map(|operation| operation["responses"].as_object());
        for status in answers.flat_map(|responses| responses.keys()) {
            assert!(STATUSES.contains(&status.parse().expect("a status")), "{status} counts as another");
        }
    }
}
