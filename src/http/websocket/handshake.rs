//! From a request to a WebSocket: the opening handshake (RFC 6455, section 4.2).
//!
//! tungstenite says what accepts a key. Its `create_response` is not used: it reads the first line of a header alone,
//! wants nothing but `websocket` in `Upgrade` where the RFC allows a list, and takes the first of two keys or versions
//! where there must be one.

use crate::error::{Error, Result};
use crate::http::response::{AnswerDoc, IntoResponse, Response, whole};
use crate::http::tracked_stream::TrackedStream;
use crate::http::websocket::permits::Permit;
use crate::http::websocket::socket::Socket;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one version of the protocol.
const VERSION: &str = "13";
/// Some clients make up 22 letters instead of encoding 16 bytes, so that 4 bits are left over: nobody needs those.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));
const KEY_BYTES: usize = 16;

/// A request for a WebSocket that is in good order.
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Reads a request for a WebSocket.
    pub fn read(head: &request::Parts) -> Result<Self> {
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
    pub fn accept<F, R>(self, permit: Permit, talk: F) -> Switching
    where
        F: FnOnce(Socket<TrackedStream>, Permit) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => match Socket::over(upgraded).await {
                    Some(socket) => talk(socket, permit).await,
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
    KEY_BASE64.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

/// 101: what follows on the connection is no HTTP.
pub struct Switching(HeaderValue);

impl IntoResponse for Switching {
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

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        for key in [
            "dGhlIHNhbXBsZSBub25jZQ==",
            "AAAAAAAAAAAAAAAAAAAAAA==",
            "+/+/+/+/+/+/+/+/+/+/+/==",
            "abcdefghijklmnopqrstuv==",
        ] {
            assert!(is_key(key.as_bytes()), "{key}");
        }
        for key in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ=A",
            "dGhlIHNhbXBsZSBub25jZ*==",
            "dGhlIHNhbXBsZSBub25jZQAA",
            "-_-_-_-_-_-_-_-_-_-_-_==",
        ] {
            assert!(!is_key(key.as_bytes()), "{key}");
        }
    }
}
