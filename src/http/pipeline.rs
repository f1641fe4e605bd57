//! Around every request: the rules of HTTP before it, the log line and the common headers after it.

use crate::error::{Error, Result};
use crate::http::access_log;
use crate::http::peer::{Origin, Peer};
use crate::http::problem::error_response;
use crate::http::request::body::BodyState;
use crate::http::request::client_address::client_address;
use crate::http::response::{Response, whole};
use crate::http::service::{Answering, Outcome, Request, Service, Target};
use crate::http::transport::Transport;
use futures_util::FutureExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::task::Poll;
use std::time::Instant;

/// What stands in the log where a request is for nothing.
const NO_PATTERN: &str = "-";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The headers that a web page may read of an answer, besides those that every page may (Fetch, section 3.2.3).
const READABLE: HeaderValue =
    HeaderValue::from_static("X-Request-Id, X-Token-Expires-At, RateLimit, RateLimit-Policy, Retry-After");
/// Most headers in a request; hyper's own limit is 100, and a lower one given to it costs each request.
pub const HEADERS_MAX: usize = 64;
/// Longest request id that is taken from a caller, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Answers a request, whatever becomes of it.
pub async fn respond<S: Service>(
    transport: &Transport,
    service: &S,
    peer: &Peer,
    request: hyper::Request<Incoming>,
) -> Response {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let body_state = BodyState::watch(&body);
    let id = request_id(transport, &head.headers);
    let origin = transport.limits.cors.allowed(&head.headers);

    let client_of = |ip| client_address(ip, &head.headers, &transport.limits.trusted_proxies);
    let client = peer.origin.address().map(client_of);
    let path = head.uri.path();
    let found = check(transport, &head, &peer.origin).and_then(|()| service.find(&method, path));
    let target = found.as_ref().ok().copied();
    let pattern = target.map_or(NO_PATTERN, Target::pattern);
    let (outcome, extra_headers) = match found {
        Ok(target) => {
            let body_state = body_state.clone();
            let peer = peer.origin.clone();
            run(service.call(target, Request { head, body, body_state, peer, client })).await
        }
        Err(Error::WrongMethod(allowed)) if method == Method::OPTIONS && origin.is_some() => {
            (Ok(preflight(&allowed)), Vec::new())
        }
        Err(error) => (Err(error), Vec::new()),
    };

    let mut response = outcome.unwrap_or_else(|error| {
        if let Some(cause) = error.cause() {
            log::error!("{pattern} failed: {cause} id={}", id.to_str().unwrap_or("-"));
        }
        error_response(&error)
    });
    let took = began.elapsed();
    transport.metrics.observe(target.map(Target::number), response.status(), took);
    access_log::log(&method, pattern, response.status(), took, &id, &peer.name_of(client));
    response.headers_mut().extend(extra_headers);
    finish(response.headers_mut(), id, origin, body_state.is_left());
    response
}

/// Runs a handler. One that must wait goes on in a task of its own, so that it finishes although the client hangs up;
/// a panic is one logged 500.
async fn run(answering: Answering) -> Outcome {
    let mut answering = AssertUnwindSafe(answering).catch_unwind();
    let polled = poll_fn(|context| Poll::Ready(answering.poll_unpin(context))).await;
    let outcome = match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => match tokio::spawn(answering).await {
            Ok(outcome) => outcome,
            Err(ended) => return (Err(Error::Internal(ended.to_string())), Vec::new()),
        },
    };
    outcome.unwrap_or_else(|_| (Err(Error::Internal("the handler panicked".to_owned())), Vec::new()))
}

/// What HTTP/1.1 asks of every request (RFC 9112, sections 3.2 and 6.1), and hyper lets pass.
fn check(transport: &Transport, head: &Parts, origin: &Origin) -> Result<()> {
    let (headers, uri) = (&head.headers, &head.uri);
    if head.method == Method::CONNECT {
        return Err(Error::WrongMethod(String::new()));
    }
    if headers.len() > HEADERS_MAX {
        return Err(Error::TooManyHeaders(HEADERS_MAX));
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Error::Malformed("A request has exactly one Host header."));
    };
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(Error::Malformed("The only Transfer-Encoding is a single chunked."));
    }
    let host = uri.authority().map_or(host.as_bytes(), |authority| authority.as_str().as_bytes());
    // No web page reaches the private socket, whatever name it uses.
    if matches!(origin, Origin::Local(_)) || transport.hosts.admit(host) { Ok(()) } else { Err(Error::WrongHost) }
}

/// The caller's own id for the request, if it is short and plain; else a new one.
fn request_id(transport: &Transport, headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        let allowed = |&byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(allowed)
    };
    headers.get(&REQUEST_ID).filter(plain).cloned().unwrap_or_else(|| transport.request_ids.next())
}

/// What every answer carries.
fn finish(headers: &mut HeaderMap, id: HeaderValue, origin: Option<HeaderValue>, close: bool) {
    headers.insert(REQUEST_ID, id);
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READABLE);
    }
}

/// The answer to a browser that asks before it sends (Fetch, section 3.3).
fn preflight(allowed: &str) -> Response {
    let mut response = whole(StatusCode::NO_CONTENT, Bytes::new());
    let headers = response.headers_mut();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
    }
    let sendable = HeaderValue::from_static("Content-Type, X-API-Key, X-Admin-API-Key, X-Request-Id");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, sendable);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
