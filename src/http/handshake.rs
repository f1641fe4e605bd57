//! From a request to a WebSocket: the opening handshake (RFC 6455, section 4.2), and the places that sockets take.

use super::admission::judge;
use super::answer::{AnswerDoc, Output, Response, whole};
use super::form::query_value;
use super::router::{Access, Call, Door};
use super::stream::Watched;
use super::websocket::Socket;
use crate::app::App;
use crate::auth::{Stamps, User};
use crate::domain::TokenHash;
use crate::error::{Error, Result};
use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, StatusCode};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The query parameter of a user's token: browsers cannot set headers on a WebSocket.
const KEY_PARAMETER: &str = "api_key";
/// The one version of the protocol.
const VERSION: &str = "13";
/// Sockets that are open only to be told that their key is refused.
const REFUSED_MAX: usize = 256;

/// Whoever asks for a socket: with a key, or to be told over the socket that the key is refused.
pub struct Guest {
    /// The holder of a user token, and the token's hash; or [`Error::TokenMissing`] or [`Error::TokenRefused`].
    pub who: Result<(User, TokenHash)>,
    /// What they ask for.
    pub handshake: Handshake,
}

impl Door for Guest {
    const ACCESS: Access = Access::Socket;

    fn enter(call: &Call) -> Result<Self> {
        if !call.body.is_end_stream() {
            return Err(Error::NoWebSocket);
        }
        let handshake = Handshake::read(&call.head)?;
        let in_query = query_value(call.head.uri.query().unwrap_or(""), KEY_PARAMETER);
        let App { auth, store, .. } = &*call.app;
        let who = auth.watcher(&call.head.headers, in_query.as_deref(), store, call.client, call.now);
        match who {
            Ok(_) | Err(Error::TokenMissing) => Ok(Self { who, handshake }),
            Err(error) => match judge(call, Self::ACCESS, error) {
                refused @ Error::TokenRefused(_) => Ok(Self { who: Err(refused), handshake }),
                error => Err(error),
            },
        }
    }

    fn stamp(&self, call: &Call, stamps: &mut Stamps) -> Result<()> {
        self.who.as_ref().map_or(Ok(()), |(user, _)| user.stamp(call, stamps))
    }
}

/// A request for a WebSocket that is in good order.
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    fn read(head: &request::Parts) -> Result<Self> {
        let headers = &head.headers;
        let asks =
            has_token(headers, &header::UPGRADE, "websocket") && has_token(headers, &header::CONNECTION, "upgrade");
        let version = single(headers, &header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == VERSION);
        // A request of HTTP/1.0 has no upgrade.
        let upgrade = head.extensions.get::<OnUpgrade>().filter(|_| asks && version && head.method == Method::GET);
        let upgrade = upgrade.cloned().ok_or(Error::NoWebSocket)?;
        let key = single(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
        let key = key.ok_or(Error::Malformed("A Sec-WebSocket-Key is 16 bytes in base64, and there is one."))?;
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        let accept = accept.map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self { accept, upgrade })
    }

    /// Switches the connection to a WebSocket, on which `talk` goes on in a task of its own.
    pub fn accept<F, R>(self, seat: Seat, talk: F) -> Switching
    where
        F: FnOnce(Socket<Watched>, Seat) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => match Socket::over(upgraded).await {
                    Some(socket) => talk(socket, seat).await,
                    None => log::error!("a connection that was switched to a WebSocket is of another kind"),
                },
                Err(error) => log::debug!("the connection ended before it was a WebSocket: {error}"),
            }
        });
        Switching(accept)
    }
}

/// Whether one of a header's comma-separated values is this word.
fn has_token(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
}

/// The header's value, if it is there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether this is base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|&digit| digit.is_ascii_alphanumeric() || b"+/".contains(&digit))
}

/// 101: what follows on the connection is no HTTP.
pub struct Switching(HeaderValue);

impl Output for Switching {
    fn into_response(self) -> Result<Response> {
        let mut response = whole(StatusCode::SWITCHING_PROTOCOLS, Bytes::new());
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.0);
        Ok(response)
    }

    fn describe() -> Vec<AnswerDoc> {
        let about = "The connection is a WebSocket. Without a key that is accepted, it says so and closes with 4401";
        let status = StatusCode::SWITCHING_PROTOCOLS;
        vec![AnswerDoc { status, about, content: None, schemas: Vec::new() }]
    }
}

/// The open sockets: how many there may be, and when all of them must end.
pub struct Sockets {
    max: usize,
    free: Arc<Semaphore>,
    free_refused: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

/// A socket's place; it is free again when this is dropped.
pub struct Seat {
    _place: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
}

impl Sockets {
    /// None yet; at most `max` with a key that is accepted.
    pub fn new(max: usize) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { max, free: places(max), free_refused: places(REFUSED_MAX), stop: watch::Sender::new(false) }
    }

    /// Takes a place, or fails with [`Error::Busy`]. Callers whose key is refused have few of their own, so that they
    /// cannot take those of the others.
    pub fn take(&self, is_known: bool) -> Result<Seat> {
        let free = if is_known { &self.free } else { &self.free_refused };
        let place = Arc::clone(free).try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Seat { _place: place, stop: self.stop.subscribe() })
    }

    /// How many are open with a key that is accepted.
    pub fn count(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// Tells every socket that the server stops.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until none is open.
    pub async fn all_closed(&self) {
        self.stop.closed().await;
    }
}

impl Seat {
    /// Waits until the server stops.
    pub async fn stopping(&mut self) {
        // The sender lives as long as the server.
        let _ = self.stop.wait_for(|is_stopping| *is_stopping).await;
    }
}
