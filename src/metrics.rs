//! What is counted, in the text format of Prometheus.

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

/// The statuses that are counted one by one; what is not among them counts as the last.
pub const STATUSES: [u16; 22] =
    [101, 200, 201, 202, 204, 307, 400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 426, 429, 431, 503, 507, 500];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    path: &'static str,
    status: u32,
}

/// The method and the path of a row, as its requests are labelled.
pub type RouteLabel = (&'static str, &'static str);

/// A figure of another room at the time of asking: name, help, value.
pub type Reading = (&'static str, &'static str, u64);

/// The counters that requests move: for each label, and for no label, one for each status.
pub struct Metrics {
    labels: Vec<RouteLabel>,
    requests: Vec<[AtomicU64; STATUSES.len()]>,
    seconds: Histogram,
}

impl Metrics {
    /// Everything at zero. A request is counted by the place of its row among the labels.
    pub fn new(labels: Vec<RouteLabel>) -> Self {
        let rows = labels.len() + 1;
        Self {
            labels,
            requests: (0..rows).map(|_| Default::default()).collect(),
            seconds: Histogram::new(exponential_buckets(0.000_05, 4.0, 10)),
        }
    }

    /// Counts a request by its row; `HEAD` counts as the `GET` that it is answered by.
    pub fn observe(&self, row: Option<usize>, status: StatusCode, took: Duration) {
        let row = row.unwrap_or(self.labels.len());
        let at = STATUSES.iter().position(|&known| known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.requests[row][at].fetch_add(1, Ordering::Relaxed);
        self.seconds.observe(took.as_secs_f64());
    }

    /// All of it as text, with what other rooms count.
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
        registry.register("start_time_seconds", "When the server started, in seconds since 1970", started);
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
                    family.get_or_create(&Request { method, path, status: status.into() }).inc_by(count);
                }
            }
        }
        family
    }
}
