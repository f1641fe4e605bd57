//! Metrics in the text format of Prometheus (`OpenMetrics` 1.0).

use crate::error::{Error, Result};
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

/// The statuses that are counted one by one; any other counts as the last.
pub const STATUSES: [u16; 23] = [
    101, 200, 201, 202, 204, 307, 308, 400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 426, 429,
    431, 503, 507, 500,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    path: &'static str,
    status: u32,
}

/// The labels of a route: its method and its path.
pub type RouteLabel = (&'static str, &'static str);

/// A gauge that another module reads when the metrics are written: name, help, value.
pub type Reading = (&'static str, &'static str, u64);

/// The metrics of requests: for each route, and for requests without a route, a counter for each
/// status.
pub struct Metrics {
    labels: Vec<RouteLabel>,
    requests: Vec<[AtomicU64; STATUSES.len()]>,
    seconds: Histogram,
}

impl Metrics {
    /// Everything at zero. The requests of a route are counted by its place among the labels.
    pub fn new(labels: Vec<RouteLabel>) -> Self {
        let mut requests = Vec::new();
        requests.resize_with(labels.len() + 1, Default::default);
        // From 50 µs to 13 s.
        let buckets = exponential_buckets(0.000_05, 4.0, 10);
        Self { labels, requests, seconds: Histogram::new(buckets) }
    }

    /// Counts a request by the place of its route; `HEAD` counts as the `GET` whose route it uses.
    pub fn observe(&self, route: Option<usize>, status: StatusCode, took: Duration) {
        let row = route.unwrap_or(self.labels.len());
        debug_assert!(row < self.requests.len(), "every route has a label");
        let known = STATUSES.iter().position(|&known| known == status.as_u16());
        let at = known.unwrap_or(STATUSES.len() - 1);
        self.requests[row][at].fetch_add(1, Ordering::Relaxed);
        self.seconds.observe(took.as_secs_f64());
    }

    /// All metrics as text, with the gauges of other modules.
    pub fn text(&self, readings: &[Reading], started_at_seconds: i64) -> Result<String> {
        let mut registry = Registry::with_prefix("vomeet");
        registry.register("http_requests", "Requests answered", self.by_request());
        registry.register(
            "http_request_seconds",
            "Time from the head of a request to its answer",
            self.seconds.clone(),
        );
        for (name, about, value) in readings {
            registry.register(*name, *about, ConstGauge::new(*value));
        }
        let started = ConstGauge::new(started_at_seconds);
        registry.register(
            "start_time_seconds",
            "When the server started, in seconds since 1970",
            started,
        );
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(text)
    }

    fn by_request(&self) -> Family<Request, Counter> {
        let family = Family::<Request, Counter>::default();
        for (row, counts) in self.requests.iter().enumerate() {
            let (method, path) = self.labels.get(row).copied().unwrap_or(("-", "-"));
            for (count, status) in counts.iter().zip(STATUSES) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    family
                        .get_or_create(&Request { method, path, status: status.into() })
                        .inc_by(count);
                }
            }
        }
        family
    }
}
