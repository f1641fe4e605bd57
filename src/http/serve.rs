//! Accepts connections, gives each its limits, and ends them gracefully.

use super::access;
use super::connections::{End, Place, TICK};
use super::edge::{self, Peer};
use super::sending::Sending;
use super::stream::Watched;
use crate::app::App;
use futures_util::future::{Either, select};
use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections that wait to be accepted; with fewer, a burst of some thousand stalls for seconds.
const BACKLOG: u32 = 4096;
/// Longest head of a request in bytes; hyper's own default lets unfinished heads hold 400 kB each.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long to wait after the system refused to accept (too many open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address; port 0 is any free one.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown` ends; then finishes what has begun, for as long as the configuration allows.
pub async fn serve(app: Arc<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let mut conversations = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let (place, ended) = app.connections.admit();
                    conversations.spawn(converse(Arc::clone(&app), stream, peer, place, ended));
                }
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = conversations.join_next() => {}
            _ = ticks.tick() => app.connections.tick(),
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    app.connections.stop();
    app.sockets.stop();
    let all_ended = async {
        while conversations.join_next().await.is_some() {}
        app.sockets.all_closed().await;
    };
    if timeout(app.config.http.stop_time_max, all_ended).await.is_err() {
        log::warn!("some connections did not end in time and are cut");
    }
}

/// One connection, from its first request to its last.
async fn converse(app: Arc<App>, stream: TcpStream, peer: SocketAddr, place: Place, ended: oneshot::Receiver<End>) {
    if let Err(error) = prepare(&stream, app.config.http.response_time_max) {
        log::debug!("{peer}: {error}");
        return;
    }
    let place = Arc::new(place);
    let stream = Watched::new(stream, Arc::clone(&place.pulse));
    let peer = Peer::new(peer);
    let service = service_fn(|request| {
        let (app, peer, place) = (&app, &peer, &place);
        place.pulse.request_came();
        async move {
            let response = edge::answer(app, peer, request).await;
            Ok::<_, Infallible>(response.map(|body| Sending::new(body, place)))
        }
    });
    let conversation = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match select(std::pin::pin!(conversation), ended).await {
        Either::Left((outcome, _)) => log_end(&app, &peer, outcome),
        Either::Right((Ok(End::Stopping), mut conversation)) => {
            conversation.as_mut().graceful_shutdown();
            // A head that is only half there begins nothing, and must not hold up the end.
            while let Err(_elapsed) = timeout(TICK, &mut conversation).await {
                if place.pulse.is_idle() {
                    break;
                }
            }
        }
        Either::Right((end, _)) => log::debug!("{}: ended: {end:?}", peer.name),
    }
}

/// A request that hyper could not read was refused by hyper, with a status and no words; it is counted all the same.
fn log_end(app: &App, peer: &Peer, outcome: hyper::Result<()>) {
    let Err(error) = outcome else { return };
    if error.is_parse() {
        let too_large = error.is_parse_too_large();
        let status = if too_large { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        app.metrics.observe(None, status, Duration::ZERO);
        access::log_unreadable(status, &peer.name);
    }
    log::debug!("{}: {error}", peer.name);
}

/// Answers are small: send them at once, and give up on a peer that acknowledges nothing.
fn prepare(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(patience))?;
    Ok(())
}
