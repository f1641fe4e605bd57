//! Metrics in the text formats of Prometheus: `OpenMetrics` 1.0, and the older 0.0.4.
//!
//! The crate `prometheus-client` writes the formats. What is counted, each part counts by itself in
//! plain atomic numbers, so that a request pays for no lock and no map; they are gathered in
//! [`Family`]s when somebody asks.

mod families;
mod histogram;
pub(crate) mod process;
mod redis;
mod requests;

pub use families::{Family, Label};
pub use histogram::{Counted, Histogram};
pub(crate) use redis::{COMMANDS, ConnectionKind, OpenConnection, PayloadRefusal, RedisCounters};
pub(crate) use requests::Limit;
pub use requests::{Metrics, RouteLabel, STATUSES};

use crate::error::{Error, Result};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::fmt::Write;

/// How the names of the program's own metrics begin.
const PREFIX: &str = "vomeet";

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

/// Metrics as text: those of the program, and those of its process, whose names have no prefix.
pub fn text(format: Format, own: Vec<Family>, of_process: Vec<Family>) -> Result<String> {
    let mut registry = Registry::default();
    for family in of_process {
        registry.register(family.name, family.about, family);
    }
    let prefixed = registry.sub_registry_with_prefix(PREFIX);
    for family in own {
        prefixed.register(family.name, family.about, family);
    }
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Error::Internal(error.to_string()))?;
    match format {
        Format::OpenMetrics => Ok(text),
        Format::Classic => Ok(classic(&text)),
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
    use hyper::StatusCode;
    use std::time::Duration;

    #[test]
    fn each_format_has_its_names_and_its_end() {
        let metrics = Metrics::new(vec![RouteLabel::new("GET", "/user", "user_read")]);
        metrics.observe(Some(0), StatusCode::OK, Duration::from_millis(1));
        let text = |format| {
            let mut own = metrics.families();
            own.push(Family::gauge("size_bytes", "Size", 7));
            own.push(Family::counter("writes", "Writes", 9));
            text(format, own, vec![Family::gauge("process_threads", "Threads", 3)]).expect("text")
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
            (
                &classic,
                "_class_seconds_bucket{le=\"0.0032\",class=\"user_read\"} 1\n",
                "le=\"0.001\"",
            ),
            (&classic, "\nprocess_threads 3\n", "vomeet_process"),
            (&classic, "_bucket{le=\"+Inf\",class=\"user_read\"} 1\n", "e308"),
        ] {
            assert!(text.contains(wanted) && !text.contains(unwanted), "{wanted:?}:\n{text}");
        }
    }
}
