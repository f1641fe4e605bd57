//! The metrics of requests: each request counts by its route and status, and by the time that it
//! took; refused keys count by the reason.

use crate::metrics::families::Family;
use crate::metrics::histogram::Histogram;
use hyper::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The statuses that are counted one by one; any other counts as the last.
pub const STATUSES: [u16; 27] = [
    101, 200, 201, 202, 204, 206, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 413, 415, 416,
    421, 422, 426, 429, 431, 503, 507, 500,
];

/// The class of requests without a route.
const NO_CLASS: &str = "none";

/// The codes by which refused keys are counted; any other counts as the last.
const REFUSALS: [&str; 10] = [
    "missing",
    "repeated",
    "mistyped",
    "unknown",
    "expired",
    "unused",
    "revoked",
    "disabled",
    "user_disabled",
    "bot",
];

/// The labels of a route.
#[derive(Debug, Clone, Copy)]
pub struct RouteLabel {
    /// Its method.
    pub method: &'static str,
    /// Its path, with parameters unfilled.
    pub path: &'static str,
    class: &'static str,
}

impl RouteLabel {
    /// Its method, its path, and the class of routes whose times are counted together.
    pub const fn new(method: &'static str, path: &'static str, class: &'static str) -> Self {
        Self { method, path, class }
    }
}

/// What limits requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The refused keys of an address.
    FailedKeys,
    /// The requests of a token or of a user.
    Requests,
}

/// The metrics of requests: for each route, and for requests without a route, a counter for each
/// status; for each class of routes the times.
pub struct Metrics {
    labels: Vec<RouteLabel>,
    requests: Vec<[AtomicU64; STATUSES.len()]>,
    classes: Vec<(&'static str, Histogram)>,
    /// The class of each row; the last is that of requests without a route.
    class_of: Vec<usize>,
    keys_refused: [AtomicU64; REFUSALS.len()],
    limited_by_failed_keys: AtomicU64,
    limited_by_requests: AtomicU64,
}

impl Metrics {
    /// Everything at zero. The requests of a route are counted by its place among the labels.
    pub fn new(labels: Vec<RouteLabel>) -> Self {
        let mut requests = Vec::new();
        requests.resize_with(labels.len() + 1, Default::default);
        let mut classes: Vec<(&'static str, Histogram)> = Vec::new();
        let mut class_of = Vec::with_capacity(labels.len() + 1);
        for class in labels.iter().map(|label| label.class).chain([NO_CLASS]) {
            let known = classes.iter().position(|(name, _)| *name == class);
            class_of.push(known.unwrap_or(classes.len()));
            if known.is_none() {
                classes.push((class, Histogram::of_times()));
            }
        }
        Self {
            labels,
            requests,
            classes,
            class_of,
            keys_refused: Default::default(),
            limited_by_failed_keys: AtomicU64::new(0),
            limited_by_requests: AtomicU64::new(0),
        }
    }

    /// Counts a request by the place of its route; `HEAD` counts as the `GET` whose route it uses.
    pub fn observe(&self, route: Option<usize>, status: StatusCode, took: Duration) {
        let row = route.unwrap_or(self.labels.len());
        debug_assert!(row < self.requests.len(), "every route has a label");
        let known = STATUSES.iter().position(|&known| known == status.as_u16());
        let at = known.unwrap_or(STATUSES.len() - 1);
        self.requests[row][at].fetch_add(1, Ordering::Relaxed);
        self.classes[self.class_of[row]].1.time(took);
    }

    /// Counts a key that was refused, by the code of the reason.
    pub(crate) fn refuse_key(&self, code: &str) {
        let known = REFUSALS.iter().position(|&known| known == code);
        let at = known.unwrap_or(REFUSALS.len() - 1);
        self.keys_refused[at].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that was too many: status 429.
    pub(crate) fn refuse_too_many(&self, limit: Limit) {
        let counter = match limit {
            Limit::FailedKeys => &self.limited_by_failed_keys,
            Limit::Requests => &self.limited_by_requests,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them.
    pub fn families(&self) -> Vec<Family> {
        let mut by_class = Family::histograms(
            "http_class_seconds",
            "Time from the head of a request to its answer, by class of routes",
        );
        let mut all = Histogram::of_times().counted();
        for (class, times) in &self.classes {
            let counted = times.counted();
            all = all.and(&counted);
            by_class.add_histogram(vec![("class", (*class).into())], counted);
        }
        let about = "Time from the head of a request to its answer";
        vec![
            self.by_request(),
            Family::histogram("http_request_seconds", about, all),
            by_class,
            self.by_refusal(),
            self.by_limit(),
        ]
    }

    fn by_request(&self) -> Family {
        let mut family = Family::counters("http_requests", "Requests answered");
        for (row, counts) in self.requests.iter().enumerate() {
            let label = self.labels.get(row);
            let (method, path) = label.map_or(("-", "-"), |label| (label.method, label.path));
            for (count, status) in counts.iter().zip(STATUSES) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = ("status", status.to_string().into());
                    family
                        .add(vec![("method", method.into()), ("path", path.into()), status], count);
                }
            }
        }
        family
    }

    fn by_refusal(&self) -> Family {
        let mut family =
            Family::counters("keys_refused", "Keys refused, by the code of the reason");
        for (count, code) in self.keys_refused.iter().zip(REFUSALS) {
            family.add(vec![("code", code.into())], count.load(Ordering::Relaxed));
        }
        family
    }

    fn by_limit(&self) -> Family {
        let mut family = Family::counters(
            "requests_limited",
            "Requests answered with 429, by what was too many: failed_keys or requests",
        );
        for (limit, count) in
            [("failed_keys", &self.limited_by_failed_keys), ("requests", &self.limited_by_requests)]
        {
            family.add(vec![("limit", limit.into())], count.load(Ordering::Relaxed));
        }
        family
    }
}
