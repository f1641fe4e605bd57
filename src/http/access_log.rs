//! The access log, one line for each request: method, route, status, time, request id, client. No
//! secret, no query string.

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use std::time::Duration;

/// The name by which the log's filter knows these lines: `warn,access=off`.
const TARGET: &str = "access";
/// A line is seldom longer than this many bytes.
const LINE_BYTES: usize = 160;

/// Writes the line of a request. Put together by hand: `format!` costs more than the response to
/// `GET /user`.
pub(crate) fn log(
    method: &Method,
    route: &str,
    status: StatusCode,
    took: Duration,
    id: &HeaderValue,
    peer: &str,
) {
    if !log::log_enabled!(target: TARGET, log::Level::Info) {
        return;
    }
    let mut digits = itoa::Buffer::new();
    let mut line = String::with_capacity(LINE_BYTES);
    for part in [name(method), " ", route, " ", status.as_str(), " "] {
        line.push_str(part);
    }
    line.push_str(digits.format(took.as_micros()));
    for part in ["us id=", id.to_str().unwrap_or("-"), " from=", peer] {
        line.push_str(part);
    }
    log::info!(target: TARGET, "{line}");
}

/// Writes the line of a request that could not be read.
pub(crate) fn log_unreadable(status: StatusCode, peer: &str) {
    log::info!(target: TARGET, "- - {} 0us id=- from={peer}", status.as_u16());
}

/// A caller can make up methods, and put a secret in one; only HTTP's own are logged.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}
