//! Connections that speak another protocol than HTTP: how they are told apart, and what is handed
//! over with them.

use crate::http::connections::{ConnectionGuard, End};
use crate::http::peer::Peer;
use crate::http::tracked_stream::{Stream, TrackedStream};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How every request of the Redis protocol begins. No request of HTTP does, and no browser can
/// send it (RFC 9110, section 5.6.2: a method is a token).
const REDIS_FIRST_BYTE: u8 = b'*';

/// A connection with its place among all.
pub struct RawConnection {
    /// What is read and written.
    pub stream: TrackedStream,
    /// Who is at the other end.
    pub peer: Peer,
    /// Its place; given back when this is dropped.
    pub guard: ConnectionGuard,
    /// Says when and why it is to end.
    pub ended: oneshot::Receiver<End>,
}

/// Serves connections of another protocol.
pub trait RawService: Send + Sync + 'static {
    /// Serves one to its end.
    fn serve(
        self: Arc<Self>,
        connection: RawConnection,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What speaks on the connections of a server.
pub struct Services<S> {
    /// Responds to HTTP.
    pub http: S,
    /// Speaks the Redis protocol.
    pub redis: Arc<dyn RawService>,
    /// Whether it does so on the network listener too, where it is known by the first byte.
    pub redis_shares_port: bool,
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Redis,
}

/// Looks at the first byte of a connection from the network and leaves it there. Waits until it
/// comes; `None` where the connection is to end before.
pub(crate) async fn protocol(
    stream: &Stream,
    ended: &mut oneshot::Receiver<End>,
) -> Option<Protocol> {
    let Stream::Tcp(stream) = stream else { return Some(Protocol::Http) };
    let mut first = [0];
    let peeked = tokio::select! {
        peeked = stream.peek(&mut first) => peeked,
        _ = ended => return None,
    };
    // What failed, fails once more where it is read.
    let is_redis = peeked.is_ok_and(|count| count > 0) && first[0] == REDIS_FIRST_BYTE;
    Some(if is_redis { Protocol::Redis } else { Protocol::Http })
}
