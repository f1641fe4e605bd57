//! Serves an address for a few callers, such as a monitoring system: few connections in all and
//! from one address, and none of them for long.

use crate::http::peer::{Door, Origin, Peer};
use crate::http::pipeline;
use crate::http::request::body::BodyState;
use crate::http::service::Service;
use crate::http::tls::Opening;
use crate::http::tracked_stream::Stream;
use crate::http::transport::Transport;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Most connections at once; further ones wait to be accepted.
pub(crate) const CONNECTIONS_MAX: usize = 32;
/// Most of them from one address; further ones are closed.
const CONNECTIONS_PER_ADDRESS: usize = 4;
/// Longest wait for the head of a request, the time between two requests too.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a connection may last: nobody keeps a place from others.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(1);
/// How long the last response may take after that.
const LAST_RESPONSE_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest head of a request in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long to wait after the system failed to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections each address has.
type Shares = Mutex<HashMap<IpAddr, usize>>;

/// A place among all connections, and one in the share of its address.
struct Place {
    shares: Arc<Shares>,
    ip: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Place {
    /// `None` where the address has as many as it may have.
    fn take(shares: &Arc<Shares>, ip: IpAddr, place: OwnedSemaphorePermit) -> Option<Self> {
        let mut counts = shares.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= CONNECTIONS_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self { shares: Arc::clone(shares), ip, _place: place })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

/// Serves for ever; its connections end when this is dropped.
pub(crate) async fn serve_few<S: Service>(
    transport: Arc<Transport>,
    service: Arc<S>,
    listener: &TcpListener,
    door: Door,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let shares = Arc::<Shares>::default();
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                let ip = address.ip().to_canonical();
                let Some(place) = Place::take(&shares, ip, place) else {
                    log::debug!("{address} has as many connections as it may have");
                    continue;
                };
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
    _place: Place,
) {
    let stream = Stream::Tcp(stream);
    if let Err(error) = stream.prepare(transport.rules().limits.response_time_max) {
        return log::debug!("a connection from {address}: {error}");
    }
    let local = stream.local_address();
    let mut peer = Peer::from(Origin::Network(address)).at(local, Instant::now()).by(door);
    let Stream::Tcp(stream) = stream else { return };
    let tls = match door {
        Door::Api => transport.tls.as_ref(),
        Door::Admin | Door::Monitoring => None,
    };
    let Some(tls) = tls else {
        return respond_on(TokioIo::new(stream), &transport, &service, peer).await;
    };
    match timeout(HEAD_TIME_MAX, Box::pin(tls.accept(stream))).await {
        Ok(Ok(Opening::Secure(stream))) => {
            respond_on(TokioIo::new(stream), &transport, &service, peer).await;
        }
        Ok(Ok(Opening::Plain(stream))) => {
            peer.lacks_tls = true;
            respond_on(TokioIo::new(stream), &transport, &service, peer).await;
        }
        Ok(Err(error)) => log::debug!("{}: no TLS: {error}", peer.name),
        Err(_elapsed) => log::debug!("{}: no TLS in time", peer.name),
    }
}

/// Responds to the requests of a connection, until it ends or has lasted long enough.
async fn respond_on<S, I>(stream: I, transport: &Arc<Transport>, service: &Arc<S>, peer: Peer)
where
    S: Service,
    I: Read + Write + Unpin,
{
    let peer = Arc::new(peer);
    let respond_to = service_fn(|request: hyper::Request<Incoming>| {
        let peer = &peer;
        let body_state = BodyState::watch(request.body(), None);
        async move {
            let response =
                pipeline::respond(transport, &**service, peer, request, body_state).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        // While the server starts: probes that keep their connections would take the places of others.
        .keep_alive(peer.door == Door::Monitoring)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(stream, respond_to);
    let mut connection = std::pin::pin!(connection);
    let mut ended = timeout(CONNECTION_TIME_MAX, connection.as_mut()).await;
    if ended.is_err() {
        // A response that has begun comes to its end.
        connection.as_mut().graceful_shutdown();
        ended = timeout(LAST_RESPONSE_TIME_MAX, connection).await;
    }
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("{}: {error}", peer.name),
        Err(_) => log::debug!("{}: it took too long", peer.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let (shares, places) = (Arc::<Shares>::default(), Arc::new(Semaphore::new(32)));
        let take = |last| {
            let place = Arc::clone(&places).try_acquire_owned().expect("a place");
            Place::take(&shares, Ipv4Addr::new(192, 0, 2, last).into(), place)
        };
        let mut taken: Vec<Place> = (0..4).map_while(|_| take(1)).collect();
        assert_eq!(taken.len(), 4);
        assert!(take(1).is_none());
        let other = take(2);
        assert!(other.is_some(), "another address has a share of its own");
        taken.pop();
        assert!(take(1).is_some(), "a place that was given back");
        drop((taken, other));
        assert_eq!(places.available_permits(), 32);
        assert!(shares.lock().expect("counts").is_empty());
    }
}
