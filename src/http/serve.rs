//! Accepts connections, applies the limits to each, and shuts them down gracefully.

use crate::http::admin_socket::AdminSocket;
use crate::http::connection_activity::TICK;
use crate::http::connections::{ConnectionGuard, End, NoPlace};
use crate::http::peer::{Origin, Peer, user_name};
use crate::http::raw::{Protocol, RawConnection, Services, protocol};
use crate::http::request::body::BodyState;
use crate::http::service::Service;
use crate::http::tls::Opening;
use crate::http::tracked_body::TrackedBody;
use crate::http::tracked_stream::{Stream, TrackedStream};
use crate::http::transport::Transport;
use crate::http::{access_log, pipeline};
use futures_util::future::{Either, select};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections that wait to be accepted; with fewer, a burst of some thousand stalls for seconds.
const BACKLOG: u32 = 4096;
/// Longest head of a request in bytes; hyper's own default lets unfinished heads hold 400 kB each.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long to wait after the system failed to accept (because of too many open files, for
/// example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address; port 0 is any free one.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where connections come in.
pub struct Listeners {
    /// The network listener.
    pub network: TcpListener,
    /// The admin socket.
    pub admin: AdminSocket,
    /// The network listener for monitoring, where that has an address of its own.
    pub monitoring: Option<TcpListener>,
    /// The network listener of the Redis endpoint, where that has an address of its own.
    pub redis: Option<TcpListener>,
}

/// A connection that was accepted; one through the admin socket has no address.
struct Accepted {
    stream: Stream,
    address: Option<SocketAddr>,
    at: Instant,
    /// Whether it came in where the Redis protocol is spoken and nothing else.
    is_redis: bool,
}

impl Accepted {
    /// One that was accepted right now.
    fn now(stream: Stream, address: Option<SocketAddr>) -> Self {
        Self { stream, address, at: Instant::now(), is_redis: false }
    }
}

impl Listeners {
    /// Waits for the next connection, unless `is_full` from the admin socket alone. Cancel-safe.
    async fn accept(&self, is_full: bool) -> io::Result<Accepted> {
        tokio::select! {
            accepted = self.network.accept(), if !is_full => {
                let (stream, address) = accepted?;
                Ok(Accepted::now(Stream::Tcp(stream), Some(address)))
            }
            accepted = accept_redis(self.redis.as_ref()), if !is_full => {
                let (stream, address) = accepted?;
                let accepted = Accepted::now(Stream::Tcp(stream), Some(address));
                Ok(Accepted { is_redis: true, ..accepted })
            }
            accepted = self.admin.accept() => {
                let stream = accepted?;
                Ok(Accepted::now(stream, None))
            }
        }
    }
}

/// Waits for ever where the Redis endpoint has no address of its own.
async fn accept_redis(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Serves until `shutdown` resolves; then finishes the requests that have begun, for at most
/// `http.stop_time_max`.
pub async fn serve<S: Service>(
    transport: Arc<Transport>,
    services: Arc<Services<S>>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) {
    let mut open = JoinSet::new();
    // What found no place: it is the next that gets one, and until then nobody else is accepted.
    let mut waiting = None;
    let mut shutdown = std::pin::pin!(shutdown);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        if let Some(accepted) = waiting.take() {
            waiting = start(&transport, &services, accepted, &mut open);
        }
        tokio::select! {
            accepted = listeners.accept(waiting.is_some()) => match accepted {
                Ok(accepted) => {
                    let without_place = start(&transport, &services, accepted, &mut open);
                    waiting = waiting.or(without_place);
                }
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = open.join_next() => {}
            _ = ticks.tick() => transport.connections.tick(),
            () = &mut shutdown => break,
        }
    }
    drop(waiting);
    drop(listeners);
    transport.connections.stop();
    transport.sockets.stop();
    let all_ended = async {
        while open.join_next().await.is_some() {}
        transport.sockets.all_closed().await;
    };
    let stop_time_max = transport.rules().limits.stop_time_max;
    if timeout(stop_time_max, all_ended).await.is_err() {
        log::warn!("some connections did not end in time and are closed");
    }
}

/// Serves a connection if there is a place for it; it is given back while there is none. One whose
/// address may have no more is closed.
fn start<S: Service>(
    transport: &Arc<Transport>,
    services: &Arc<Services<S>>,
    accepted: Accepted,
    open: &mut JoinSet<()>,
) -> Option<Accepted> {
    let (guard, ended) = match transport.connections.admit(accepted.address.map(|a| a.ip())) {
        Ok(place) => place,
        Err(NoPlace::Full) => return Some(accepted),
        Err(NoPlace::ShareUsed) => {
            log::debug!("{:?} has as many connections as it may have", accepted.address);
            return None;
        }
    };
    let (transport, services) = (Arc::clone(transport), Arc::clone(services));
    open.spawn(serve_connection(transport, services, accepted, guard, ended));
    None
}

/// One connection, from its first request to its last.
async fn serve_connection<S: Service>(
    transport: Arc<Transport>,
    services: Arc<Services<S>>,
    accepted: Accepted,
    guard: ConnectionGuard,
    mut ended: oneshot::Receiver<End>,
) {
    let mut peer = match prepare(&transport, &accepted).await {
        Ok(peer) => peer,
        Err(error) => return log::debug!("a connection from {:?}: {error}", accepted.address),
    };
    match protocol_of(&services, &accepted, &mut ended).await {
        Some(Protocol::Http) => {}
        Some(Protocol::Redis) => {
            let stream = TrackedStream::new(accepted.stream, Arc::clone(&guard.activity));
            let connection = RawConnection { stream, peer, guard, ended };
            return Arc::clone(&services.redis).serve(connection).await;
        }
        None => return log::debug!("{}: it ended before its first byte", peer.name),
    }
    let stream = match secure(&transport, accepted.stream, &mut peer, &mut ended).await {
        Ok(stream) => stream,
        Err(error) => return log::debug!("{}: no TLS: {error}", peer.name),
    };
    let (peer, guard) = (Arc::new(peer), Arc::new(guard));
    let stream = TrackedStream::new(stream, Arc::clone(&guard.activity));
    let respond_to = service_fn(|request: hyper::Request<Incoming>| {
        let (transport, service, peer, guard) = (&transport, &services.http, &peer, &guard);
        let body_state = BodyState::watch(request.body(), Some(&guard.activity));
        guard.activity.request_came(body_state.is_left());
        async move {
            let response = pipeline::respond(transport, service, peer, request, body_state).await;
            Ok::<_, Infallible>(response.map(|body| TrackedBody::new(body, guard)))
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), respond_to)
        .with_upgrades();
    match select(std::pin::pin!(connection), ended).await {
        Either::Left((outcome, _)) => log_end(&transport, &peer, outcome),
        Either::Right((Ok(End::Stopping), mut connection)) => {
            connection.as_mut().graceful_shutdown();
            // A request whose head has only begun to come must not hold up the shutdown.
            while let Err(_elapsed) = timeout(TICK, &mut connection).await {
                if guard.activity.is_idle() {
                    break;
                }
            }
        }
        Either::Right((end, _)) => log::debug!("{}: ended: {end:?}", peer.name),
    }
}

/// What a connection speaks; `None` where it is to end before that is known.
async fn protocol_of<S>(
    services: &Services<S>,
    accepted: &Accepted,
    ended: &mut oneshot::Receiver<End>,
) -> Option<Protocol> {
    if accepted.is_redis {
        return Some(Protocol::Redis);
    }
    if !services.redis_shares_port {
        return Some(Protocol::Http);
    }
    protocol(&accepted.stream, ended).await
}

/// Sets the options of the socket, and finds out who the peer is.
async fn prepare(transport: &Transport, accepted: &Accepted) -> io::Result<Peer> {
    let stream = &accepted.stream;
    stream.prepare(transport.rules().limits.response_time_max)?;
    let origin = origin(stream, accepted.address).await?;
    let local = stream.local_address();
    Ok(Peer::from(origin).at(local, accepted.at))
}

/// The connection over TLS, where the server speaks it: the handshake takes no longer than the head
/// of a request may, as the connection is ended then. One in plain HTTP is told to use TLS.
async fn secure(
    transport: &Transport,
    stream: Stream,
    peer: &mut Peer,
    ended: &mut oneshot::Receiver<End>,
) -> io::Result<Stream> {
    let Some(tls) = &transport.tls else { return Ok(stream) };
    let stream = match stream {
        Stream::Tcp(stream) => stream,
        Stream::Tls(_) | Stream::Unix(_) => return Ok(stream),
    };
    // On the heap: connections without TLS need no room for it.
    let opening = tokio::select! {
        opening = Box::pin(tls.accept(stream)) => opening?,
        end = ended => return Err(io::Error::other(format!("ended: {end:?}"))),
    };
    match opening {
        Opening::Secure(stream) => Ok(Stream::Tls(stream)),
        Opening::Plain(stream) => {
            peer.lacks_tls = true;
            Ok(Stream::Tcp(stream))
        }
    }
}

/// A request that hyper could not parse was refused by hyper, with a status and no body; it is
/// counted all the same.
fn log_end(transport: &Transport, peer: &Peer, outcome: hyper::Result<()>) {
    let Err(error) = outcome else { return };
    if error.is_parse() {
        let mut status = StatusCode::BAD_REQUEST;
        if error.is_parse_too_large() {
            status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        }
        transport.metrics.observe(None, status, Duration::ZERO);
        access_log::log_unreadable(status, &peer.name);
    }
    log::debug!("{}: {error}", peer.name);
}

/// Where a connection comes from. Looking up a user's name may block, so it is done on the blocking
/// pool.
async fn origin(stream: &Stream, address: Option<SocketAddr>) -> io::Result<Origin> {
    if let Some(address) = address {
        return Ok(Origin::Network(address));
    }
    let uid = stream.peer_uid()?;
    let name =
        tokio::task::spawn_blocking(move || user_name(uid)).await.map_err(io::Error::other)?;
    Ok(Origin::Local { user: name.into(), uid })
}

/// Serves one client in this process over any stream, until the client closes it.
pub async fn serve_one<S: Service>(
    transport: Arc<Transport>,
    service: S,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
) {
    let peer = Arc::new(peer);
    let respond_to = service_fn(|request: hyper::Request<Incoming>| {
        let (transport, service, peer) = (&transport, &service, &peer);
        let body_state = BodyState::watch(request.body(), None);
        async move {
            let response = pipeline::respond(transport, service, peer, request, body_state).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), respond_to);
    if let Err(error) = connection.await {
        log::debug!("{}: {error}", peer.name);
    }
}
