//! Metrics in the text formats of Prometheus: `OpenMetrics` 1.0, and the older 0.0.4.

use crate::error::{Error, Result};
use hyper::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0, for those who ask for it.
    OpenMetrics,
    /// The format that every reader of Prometheus metrics knows.
    Classic,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The statuses that are counted one by one; any other counts as the last.
pub const STATUSES: [u16; 24] = [
    101, 200, 201, 202, 204, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 426,
    429, 431, 503, 507, 500,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    path: &'static str,
    status: u32,
}

/// The labels of a route: its method and its path.
pub type RouteLabel = (&'static str, &'static str);

/// A gauge or a counter that another module reads when the metrics are written: name, help, value.
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

    /// All metrics as text, with the gauges and the counters of other modules.
    pub fn text(
        &self,
        format: Format,
        gauges: &[Reading],
        counters: &[Reading],
        started_at_seconds: i64,
    ) -> Result<String> {
        let mut registry = Registry::with_prefix("vomeet");
        registry.register("http_requests", "Requests answered", self.by_request());
        registry.register(
            "http_request_seconds",
            "Time from the head of a request to its answer",
            self.seconds.clone(),
        );
        for (name, about, value) in gauges {
            registry.register(*name, *about, ConstGauge::new(*value));
        }
        for (name, about, value) in counters {
            registry.register(*name, *about, ConstCounter::new(*value));
        }
        let started = ConstGauge::new(started_at_seconds);
        registry.register(
            "start_time_seconds",
            "When the server started, in seconds since 1970",
            started,
        );
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Error::Internal(error.to_string()))?;
        match format {
            Format::OpenMetrics => Ok(text),
            Format::Classic => Ok(classic(&text)),
        }
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

/// `OpenMetrics` in the older format: there a counter is called as its samples are, with `_total`,
/// and nothing marks the end.
fn classic(open_metrics: &str) -> String {
    let mut counters = HashSet::new();
    for line in open_metrics.lines() {
        let name = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter"));
        counters.extend(name);
    }
    let mut text = String::with_capacity(open_metrics.len() + 64);
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        let (mark, kind, name) = (words.next(), words.next(), words.next());
        match (mark, kind, name, words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(name) => {
                // Writing into a string does not fail.
                let _ = write!(text, "# {kind} {name}_total {rest}");
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_its_names_and_its_end() {
        let metrics = Metrics::new(vec![("GET", "/user")]);
        metrics.observe(Some(0), StatusCode::OK, Duration::from_millis(1));
        let text = |format| {
            let (gauges, counters) = ([("size_bytes", "Size", 7)], [("writes", "Writes", 9)]);
            metrics.text(format, &gauges, &counters, 1).expect("metrics")
        };
        let (open, classic) = (text(Format::OpenMetrics), text(Format::Classic));
        for (text, wanted, unwanted) in [
            (&open, "# TYPE vomeet_writes counter\nvomeet_writes_total 9\n", "writes_total c"),
            (&open, "# TYPE vomeet_http_requests counter\n", "TYPE vomeet_http_requests_total"),
            (&open, "\n# EOF\n", "UNIT"),
            (&classic, "# HELP vomeet_writes_total Writes.\n", "HELP vomeet_writes "),
            (&classic, "# TYPE vomeet_writes_total counter\nvomeet_writes_total 9\n", "EOF"),
            (&classic, "# TYPE vomeet_http_requests_total counter\n", "UNIT"),
            (&classic, "# TYPE vomeet_size_bytes gauge\nvomeet_size_bytes 7\n", "bytes_total"),
            (&classic, "vomeet_http_request_seconds_count 1\n", "seconds_total"),
        ] {
            assert!(text.contains(wanted) && !text.contains(unwanted), "{wanted:?}:\n{text}");
        }
    }
}
