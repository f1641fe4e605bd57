//! The access log, one line for each request: method, route, status, time, request id, client. No
//! secret, no query string.

use crate::http::trace::Trace;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use std::time::Duration;

/// The name by which the log's filter knows these lines: `warn,access=off`.
const TARGET: &str = "access";
/// A line is seldom longer than this many bytes.
const LINE_BYTES: usize = 160;

/// What a line says of a request.
pub(crate) struct Entry<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The pattern of its route.
    pub route: &'a str,
    /// The status of the response.
    pub status: StatusCode,
    /// How long it took.
    pub took: Duration,
    /// Its id.
    pub id: &'a HeaderValue,
    /// The trace that it belongs to, if the caller names one.
    pub trace: Option<&'a Trace>,
    /// The client.
    pub peer: &'a str,
}

/// Writes the line of a request. Put together by hand: `format!` costs more than the response to
/// `GET /user`.
pub(crate) fn log(entry: &Entry<'_>) {
    if !log::log_enabled!(target: TARGET, log::Level::Info) {
        return;
    }
    let mut digits = itoa::Buffer::new();
    let mut line = String::with_capacity(LINE_BYTES);
    let (method, id) = (name(entry.method), entry.id.to_str().unwrap_or("-"));
    let micros = u64::try_from(entry.took.as_micros()).unwrap_or(u64::MAX);
    for part in [method, " ", entry.route, " ", entry.status.as_str(), " "] {
        line.push_str(part);
    }
    line.push_str(digits.format(micros));
    for part in ["us id=", id, " from=", entry.peer] {
        line.push_str(part);
    }
    let (route, peer, status) = (entry.route, entry.peer, u64::from(entry.status.as_u16()));
    let Some(trace) = entry.trace else {
        log::info!(
            target: TARGET,
            method, route, status, us = micros, id, from = peer;
            "{line}"
        );
        return;
    };
    for part in [" trace=", trace.id(), " span=", trace.span()] {
        line.push_str(part);
    }
    log::info!(
        target: TARGET,
        method, route, status, us = micros, id, from = peer,
        trace_id = trace.id(), span_id = trace.span();
        "{line}"
    );
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
