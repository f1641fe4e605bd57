//! Around every request: the rules of HTTP before it, the log line and the common headers after it.

use super::access;
use super::answer::{Response, refusal, whole};
use super::body::Unread;
use super::client_address::client_address;
use super::peer::{Origin, Peer};
use super::router::{self, Answered, Call, Route};
use crate::app::App;
use crate::auth::Stamps;
use crate::clock;
use crate::config::Http;
use crate::error::{Error, Result};
use crate::routes;
use futures_util::FutureExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{HeaderMap, Method, Request, StatusCode};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The headers that a web page may read of an answer, besides those that every page may (Fetch, section 3.2.3).
const READABLE: HeaderValue =
    HeaderValue::from_static("X-Request-Id, X-Token-Expires-At, RateLimit, RateLimit-Policy, Retry-After");
/// Most headers in a request; hyper's own limit is 100, and a lower one given to it costs each request.
pub const HEADERS_MAX: usize = 64;
/// Longest request id that is taken from a caller, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Answers a request, whatever becomes of it.
pub async fn answer(app: &Arc<App>, peer: &Peer, request: Request<Incoming>) -> Response {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let unread = Unread::watch(&body);
    let id = request_id(app, &head.headers);
    let origin = app.config.http.cors.allowed(&head.headers);

    let client_of = |ip| client_address(ip, &head.headers, &app.config.http.trusted_proxies);
    let client = peer.origin.address().map(client_of);
    let path = head.uri.path();
    let found = check(app, &head, &peer.origin).and_then(|()| router::find(&routes::TABLE, &method, path));
    let route = found.as_ref().ok().copied();
    let pattern = access::pattern(route);
    let (outcome, stamps) = match found {
        Ok(route) => {
            let (app, unread) = (Arc::clone(app), unread.clone());
            let (peer, now) = (peer.origin.clone(), clock::now());
            run(route, Box::new(Call { app, route, head, body, unread, peer, client, now, began })).await
        }
        Err(Error::WrongMethod(allowed)) if method == Method::OPTIONS && origin.is_some() => {
            (Ok(preflight(&allowed)), Stamps::new())
        }
        Err(error) => (Err(error), Stamps::new()),
    };

    let mut response = outcome.unwrap_or_else(|error| {
        if let Some(cause) = error.cause() {
            log::error!("{pattern} failed: {cause} id={}", id.to_str().unwrap_or("-"));
        }
        refusal(&error)
    });
    let took = began.elapsed();
    app.metrics.observe(route, response.status(), took);
    access::log(&method, pattern, response.status(), took, &id, &peer.name_of(client));
    response.headers_mut().extend(stamps);
    finish(response.headers_mut(), id, origin, unread.is_left());
    response
}

/// Runs a handler. One that must wait goes on in a task of its own, so that it finishes although the client hangs up;
/// a panic is one logged 500.
async fn run(route: &'static Route, call: Box<Call>) -> Answered {
    let mut answering = AssertUnwindSafe(route.answer(call)).catch_unwind();
    let polled = poll_fn(|context| Poll::Ready(answering.poll_unpin(context))).await;
    let outcome = match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => match tokio::spawn(answering).await {
            Ok(outcome) => outcome,
            Err(ended) => return (Err(Error::Internal(ended.to_string())), Stamps::new()),
        },
    };
    outcome.unwrap_or_else(|_| (Err(Error::Internal("the handler panicked".to_owned())), Stamps::new()))
}

/// What HTTP/1.1 asks of every request (RFC 9112, sections 3.2 and 6.1), and hyper lets pass.
fn check(app: &App, head: &request::Parts, origin: &Origin) -> Result<()> {
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
    if matches!(origin, Origin::Local(_)) || app.hosts.admit(host) { Ok(()) } else { Err(Error::WrongHost) }
}

/// Which names the server answers to. On a loopback address any other name is a web page's attempt to reach it through
/// the visitor's browser (DNS rebinding).
pub struct Hosts {
    any: bool,
    names: Vec<String>,
}

impl Hosts {
    /// The names for a server that listens on `address`.
    pub fn new(http: &Http, address: SocketAddr) -> Self {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let local = address.ip().to_canonical().is_loopback();
        let names = own.into_iter().chain([host_of(address)]).chain(http.allowed_hosts.iter().cloned());
        Self { any: !local && http.allowed_hosts.is_empty(), names: names.collect() }
    }

    fn admit(&self, host: &[u8]) -> bool {
        let host = without_port(host);
        self.any || self.names.iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// An address as it stands in `Host`, without the port.
fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}

/// The caller's own id for the request, if it is short and plain; else a new one.
fn request_id(app: &App, headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        let allowed = |&byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(allowed)
    };
    headers.get(&REQUEST_ID).filter(plain).cloned().unwrap_or_else(|| app.request_ids.next())
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
