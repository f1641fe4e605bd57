//! The interface between the transport and the API: a service finds the route of a request, and
//! responds to it.

use crate::auth::ResponseHeaders;
use crate::error::Result;
use crate::http::peer::Peer;
use crate::http::request::body::BodyState;
use crate::http::response::Response;
use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// A request that keeps the rules of HTTP.
pub struct Request {
    /// Method, path and headers.
    pub head: Parts,
    /// The body, not read yet.
    pub body: Incoming,
    /// Tells the transport whether the body was read to its end.
    pub body_state: BodyState,
    /// When it came, by the monotonic clock.
    pub came: Instant,
    /// The peer of the connection.
    pub peer: Arc<Peer>,
    /// The address of the client: the peer's, or the one that a trusted proxy names; `None` where
    /// the request comes through the admin socket.
    pub client: Option<IpAddr>,
}

/// The response or the error of a request, and the headers that its response carries in any case.
pub(crate) type Outcome = (Result<Response>, ResponseHeaders);

/// A handler that runs.
pub(crate) type ResponseFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A route, as the transport sees it. Its pattern stands in logs and metrics, never the path: a
/// path can hold an e-mail address or a mistaken secret.
pub trait Target: Send + Sync + 'static {
    /// Its place in the table, for the metrics.
    fn number(&self) -> usize;

    /// Its path, with `{name}` for each parameter.
    fn pattern(&self) -> &'static str;

    /// Whether probes call it, by whatever name they reach the server.
    fn is_probe(&self) -> bool;

    /// Whether its errors have the form of OpenAI's API too.
    fn is_openai(&self) -> bool;
}

/// Responds to requests.
pub trait Service: Send + Sync + 'static {
    /// A route.
    type Target: Target;

    /// Finds the route of a request; [`crate::error::Error::NoRoute`] or
    /// [`crate::error::Error::WrongMethod`] otherwise.
    fn find(&self, method: &Method, path: &str) -> Result<&'static Self::Target>;

    /// Responds to a request.
    fn call(&self, target: &'static Self::Target, request: Request) -> ResponseFuture;
}
