//! What the transport calls: a service finds what a request is for, and answers it.

use crate::auth::ResponseHeaders;
use crate::error::Result;
use crate::http::peer::Origin;
use crate::http::request::body::BodyState;
use crate::http::response::Response;
use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use std::net::IpAddr;
use std::pin::Pin;

/// A request that HTTP's own rules let pass.
pub struct Request {
    /// Method, path and headers.
    pub head: Parts,
    /// The body, not read yet.
    pub body: Incoming,
    /// Tells the transport that the body was read to its end.
    pub body_state: BodyState,
    /// Who is at the other end of the connection.
    pub peer: Origin,
    /// Whose request it is: the peer's, or that of whom a trusted proxy names; `None` where it came by the admin socket.
    pub client: Option<IpAddr>,
}

/// What becomes of a request, and the headers that its response carries in any case.
pub type Outcome = (Result<Response>, ResponseHeaders);

/// A response on its way.
pub type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A thing that a request can be for. Its pattern stands in logs and metrics, never the path: a path can hold an address or
/// a mistaken secret.
pub trait Target: Send + Sync + 'static {
    /// Its place among all, for the metrics.
    fn number(&self) -> usize;

    /// Its path, with `{name}` for what differs.
    fn pattern(&self) -> &'static str;
}

/// What answers requests.
pub trait Service: Send + Sync + 'static {
    /// What a request can be for.
    type Target: Target;

    /// Finds what a request is for: [`crate::error::Error::NoRoute`] or [`crate::error::Error::WrongMethod`] otherwise.
    fn find(&self, method: &Method, path: &str) -> Result<&'static Self::Target>;

    /// Answers a request.
    fn call(&self, target: &'static Self::Target, request: Request) -> Answering;
}
