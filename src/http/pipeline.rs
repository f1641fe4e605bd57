//! The pipeline around every request: the rules of HTTP before the service, the access log and the
//! common headers after it.

use crate::auth::{ADMIN_HEADER, USER_HEADER};
use crate::domain::PlainToken;
use crate::domain::token::TOKEN_CHARS;
use crate::error::{Error, Result};
use crate::http::access_log::{self, Entry};
use crate::http::peer::{Origin, Peer};
use crate::http::problem::{error_response, openai_error_response};
use crate::http::request::body::BodyState;
use crate::http::request::client_address::client_address;
use crate::http::response::{REQUEST_ID, Response, fill, whole};
use crate::http::service::{Outcome, Request, ResponseFuture, Service, Target};
use crate::http::trace::{TRACEPARENT, Trace};
use crate::http::transport::{Rules, Transport};
use futures_util::FutureExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Version};
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

/// What stands in the log where a request has no route.
const NO_PATTERN: &str = "-";
/// The response headers that a web page may read, besides those that every page may (Fetch, section
/// 3.2.3).
const READABLE: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, X-Token-Expires-At, RateLimit, RateLimit-Policy, Retry-After",
);
/// Most headers in a request; hyper's own limit is 100, and a lower one given to it costs each
/// request.
pub(crate) const HEADERS_MAX: usize = 64;
/// Longest request id that is taken from a client, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Responds to a request; a failure is a response too.
pub(crate) async fn respond<S: Service>(
    transport: &Transport,
    service: &S,
    peer: &Arc<Peer>,
    request: hyper::Request<Incoming>,
    body_state: BodyState,
) -> Response {
    let came = Instant::now();
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let seen = Seen::of(&head.headers);
    let id = request_id(transport, &seen, &head.headers);
    let trace = trace_of(&seen, &head.headers);
    let (origin, client, target) = {
        let rules = transport.rules();
        let origin = rules.limits.cors.allowed(&head.headers);
        let client = client_of(&rules, peer, &head.headers);
        (origin, client, find(&rules, service, peer, &head, &seen))
    };
    let route = target.as_ref().ok().copied();
    let pattern = route.map_or(NO_PATTERN, Target::pattern);
    let (outcome, extra_headers) = match target {
        Ok(target) => {
            let body_state = body_state.clone();
            let peer = Arc::clone(peer);
            let request = Request { head, body, body_state, came, peer, client };
            run(service.call(target, request)).await
        }
        Err(Error::WrongMethod(allowed)) if method == Method::OPTIONS && origin.is_some() => {
            (Ok(preflight(&allowed)), Vec::new())
        }
        Err(error) => (Err(error), Vec::new()),
    };

    let mut response = match outcome {
        Ok(response) => response,
        Err(error) => {
            log_cause(&error, pattern, &id, trace.as_ref());
            match route {
                Some(route) if route.is_openai() => openai_error_response(&error),
                _ => error_response(&error),
            }
        }
    };
    let took = came.elapsed();
    transport.metrics.observe(route.map(Target::number), response.status(), took);
    access_log::log(&Entry {
        method: &method,
        route: pattern,
        status: response.status(),
        took,
        id: &id,
        trace: trace.as_ref(),
        peer: &peer.name_of(client),
    });
    fill(response.headers_mut(), id, extra_headers);
    finish(response.headers_mut(), origin, body_state.is_left());
    response
}

/// The address of the client, which trusted proxies name; `None` where the request comes through
/// the admin socket.
fn client_of(rules: &Rules, peer: &Peer, headers: &HeaderMap) -> Option<IpAddr> {
    let address = peer.origin.address()?;
    Some(client_address(address, headers, &rules.limits.trusted_proxies))
}

/// What the request is for, if it keeps the rules of HTTP.
fn find<S: Service>(
    rules: &Rules,
    service: &S,
    peer: &Peer,
    head: &Parts,
    seen: &Seen<'_>,
) -> Result<&'static S::Target> {
    if peer.lacks_tls {
        return Err(Error::Malformed("This server speaks TLS; call it by https:// instead."));
    }
    let host = check(head, seen)?;
    let path = head.uri.path();
    let mut found = service.find(&head.method, path);
    let is_probe = matches!(found, Ok(target) if target.is_probe());
    // No web page reaches the admin socket, whatever name it uses.
    let is_known = match (&peer.origin, host) {
        (Origin::Local { .. }, _) | (Origin::Network(_), None) => true,
        (Origin::Network(_), Some(host)) => rules.hosts.accept(host, peer.local),
    };
    let may_be_any = is_probe && rules.hosts.probes_use_any();
    if !is_known && !may_be_any {
        return Err(Error::WrongHost);
    }
    if let Err(Error::NoRoute) = found
        && !path.starts_with("//")
        && let Some(path) = path.strip_suffix('/')
        && !matches!(service.find(&head.method, path), Err(Error::NoRoute))
    {
        found = Err(Error::Moved(with_query(path, head.uri.query())));
    }
    found
}

/// A path and its query.
fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// The trace that the caller names, where exactly one is named. One that is a key, or holds one,
/// must not be in the log.
fn trace_of(seen: &Seen<'_>, headers: &HeaderMap) -> Option<Trace> {
    if seen.traces != 1 {
        return None;
    }
    let trace = Trace::of(seen.trace?)?;
    if is_key(trace.header(), headers) { None } else { Some(trace) }
}

fn log_cause(error: &Error, pattern: &str, id: &HeaderValue, trace: Option<&Trace>) {
    if let Some(cause) = error.cause() {
        let id = id.to_str().unwrap_or("-");
        match trace.map(Trace::id) {
            Some(trace_id) => {
                log::error!(id, trace_id; "{pattern} failed: {cause} id={id} trace={trace_id}");
            }
            None => log::error!(id; "{pattern} failed: {cause} id={id}"),
        }
    }
}

/// Runs a handler. One that must wait goes on in a task of its own, so that it finishes although
/// the client hangs up; a panic is one logged 500.
async fn run(response: ResponseFuture) -> Outcome {
    let mut response = AssertUnwindSafe(response).catch_unwind();
    let polled = poll_fn(|context| Poll::Ready(response.poll_unpin(context))).await;
    let ended = match polled {
        Poll::Ready(ended) => ended,
        Poll::Pending => match tokio::spawn(response).await {
            Ok(ended) => ended,
            Err(error) => return (Err(Error::Internal(error.to_string())), Vec::new()),
        },
    };
    match ended {
        Ok(outcome) => outcome,
        Err(_panic) => (Err(Error::Internal("the handler panicked".to_owned())), Vec::new()),
    }
}

/// The headers that matter for every request: how many there are of each, and the last one; of the
/// ids of the request, the first one. One walk over the few headers costs less than to hash the
/// names that are looked for.
#[derive(Default)]
struct Seen<'a> {
    hosts: usize,
    host: Option<&'a HeaderValue>,
    codings: usize,
    coding: Option<&'a HeaderValue>,
    traces: usize,
    trace: Option<&'a HeaderValue>,
    id: Option<&'a HeaderValue>,
}

impl<'a> Seen<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            if *name == header::HOST {
                seen.hosts += 1;
                seen.host = Some(value);
            } else if *name == header::TRANSFER_ENCODING {
                seen.codings += 1;
                seen.coding = Some(value);
            } else if *name == TRACEPARENT {
                seen.traces += 1;
                seen.trace = Some(value);
            } else if *name == REQUEST_ID {
                seen.id = seen.id.or(Some(value));
            }
        }
        seen
    }
}

/// What HTTP/1.1 requires of every request (RFC 9112, sections 3.2 and 6.1), and hyper does not
/// check. Returns the host; HTTP/1.0 needs none, and no browser speaks it.
fn check<'a>(head: &'a Parts, seen: &Seen<'a>) -> Result<Option<&'a [u8]>> {
    if head.method == Method::CONNECT {
        return Err(Error::WrongMethod(String::new()));
    }
    if head.headers.len() > HEADERS_MAX {
        return Err(Error::TooManyHeaders(HEADERS_MAX));
    }
    let needs_host = head.version != Version::HTTP_10;
    if seen.hosts > 1 || (seen.hosts == 0 && needs_host) {
        return Err(Error::Malformed("A request has exactly one Host header."));
    }
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if seen.codings > 1 || !seen.coding.is_none_or(is_chunked) {
        return Err(Error::Malformed("The only Transfer-Encoding is a single chunked."));
    }
    match head.uri.authority() {
        Some(authority) => Ok(Some(authority.as_str().as_bytes())),
        None => Ok(seen.host.map(HeaderValue::as_bytes)),
    }
}

/// The client's own id for the request, if it is short and plain and no key; else a new one.
fn request_id(transport: &Transport, seen: &Seen<'_>, headers: &HeaderMap) -> HeaderValue {
    match seen.id {
        Some(id) if is_plain_id(id.as_bytes()) && !is_key(id, headers) => id.clone(),
        _ => transport.request_ids.next(),
    }
}

/// Whether an id is a key, or holds one: ids stand in the log. A token is known by its checksum, and
/// any key by the header that it came in as well.
fn is_key(id: &HeaderValue, headers: &HeaderMap) -> bool {
    let id = id.as_bytes();
    if id.windows(TOKEN_CHARS).any(PlainToken::is_wellformed) {
        return true;
    }
    for name in [ADMIN_HEADER, USER_HEADER, header::AUTHORIZATION] {
        for key in headers.get_all(name) {
            let key = key.as_bytes();
            let key = key.rsplit(|&byte| byte == b' ').next().unwrap_or(key);
            if !key.is_empty() && id.windows(key.len()).any(|part| part == key) {
                return true;
            }
        }
    }
    false
}

fn is_plain_id(id: &[u8]) -> bool {
    if id.is_empty() || id.len() > REQUEST_ID_CHARS_MAX {
        return false;
    }
    id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// Adds the headers of a connection that is closed, and of a page of another origin.
fn finish(headers: &mut HeaderMap, origin: Option<HeaderValue>, close: bool) {
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READABLE);
    }
}

/// The response to a CORS preflight request (Fetch, section 3.3).
fn preflight(allowed: &str) -> Response {
    let mut response = whole(StatusCode::NO_CONTENT, Bytes::new());
    let headers = response.headers_mut();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
    }
    let sendable = HeaderValue::from_static(
        "Authorization, Content-Type, X-API-Key, X-Admin-API-Key, X-Request-Id, \
         MCP-Protocol-Version, Mcp-Method, Mcp-Name",
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, sendable);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
