//! Serves an address for a few callers, such as a monitoring system: so few connections that none
//! is evicted, and none of them for long.

use crate::http::peer::{Door, Origin, Peer};
use crate::http::pipeline;
use crate::http::request::body::BodyState;
use crate::http::service::Service;
use crate::http::transport::Transport;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Most connections at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection may last, whatever happens on it: nobody keeps a place from others.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(1);
/// Longest head of a request in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long to wait after the system failed to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever; its connections end when this is dropped.
pub(crate) async fn serve_few<S: Service>(
    transport: Arc<Transport>,
    service: Arc<S>,
    listener: TcpListener,
    door: Door,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                let (transport, service) = (Arc::clone(&transport), Arc::clone(&service));
                open.spawn(serve_connection(transport, service, stream, address, door, place));
            }
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection<S: Service>(
    transport: Arc<Transport>,
    service: Arc<S>,
    stream: TcpStream,
    address: SocketAddr,
    door: Door,
    _place: OwnedSemaphorePermit,
) {
    let local = stream.local_addr().ok();
    let peer = Peer::from(Origin::Network(address)).at(local, Instant::now()).by(door);
    let peer = Arc::new(peer);
    let respond_to = service_fn(|request: hyper::Request<Incoming>| {
        let (transport, service, peer) = (&transport, &service, &peer);
        let body_state = BodyState::watch(request.body(), None);
        async move {
            let response =
                pipeline::respond(transport, &**service, peer, request, body_state).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), respond_to);
    match timeout(CONNECTION_TIME_MAX, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("{}: {error}", peer.name),
        Err(_) => log::debug!("{}: ended after {CONNECTION_TIME_MAX:?}", peer.name),
    }
}
