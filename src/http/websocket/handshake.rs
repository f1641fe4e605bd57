//! The opening handshake of a WebSocket (RFC 6455, section 4.2).
//!
//! tungstenite derives the `Sec-WebSocket-Accept` of a key. Its `create_response` is not used: it
//! reads the first line of a header alone, wants nothing but `websocket` in `Upgrade` where the RFC
//! allows a list, and takes the first of two keys or versions where there must be one.

use crate::error::{Error, Result};
use crate::http::response::{IntoResponse, Response, ResponseDoc, whole};
use crate::http::tracked_stream::TrackedStream;
use crate::http::websocket::permits::Permit;
use crate::http::websocket::socket::{Intake, Socket};
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
/// Some clients make up 22 letters instead of encoding 16 bytes, so that 4 bits are left over; they
/// are ignored.
const KEY_BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));
/// Length of a decoded key, in bytes.
const KEY_BYTES: usize = 16;

/// A valid request for a WebSocket.
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Checks a request for a WebSocket: [`Error::NoWebSocket`] where it is none,
    /// [`Error::Malformed`] where its key is missing or wrong.
    pub fn read(head: &request::Parts) -> Result<Self> {
        let headers = &head.headers;
        let asks_for_websocket = head.method == Method::GET
            && has_token(headers, &header::UPGRADE, "websocket")
            && has_token(headers, &header::CONNECTION, "upgrade")
            && single(headers, &header::SEC_WEBSOCKET_VERSION)
                .is_some_and(|version| version == VERSION);
        if !asks_for_websocket {
            return Err(Error::NoWebSocket);
        }
        let Some(upgrade) = head.extensions.get::<OnUpgrade>() else {
            // HTTP/1.0 has no upgrades.
            return Err(Error::NoWebSocket);
        };
        let key = match single(headers, &header::SEC_WEBSOCKET_KEY) {
            Some(key) if is_key(key.as_bytes()) => key,
            _ => {
                return Err(Error::Malformed(
                    "A Sec-WebSocket-Key is 16 bytes in base64, and there is one.",
                ));
            }
        };
        match HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
            Ok(accept) => Ok(Self { accept, upgrade: upgrade.clone() }),
            Err(error) => Err(Error::Internal(error.to_string())),
        }
    }

    /// Switches the connection to a WebSocket for texts; `talk` runs on it in a task of its own.
    pub fn accept<F, R>(self, permit: Permit, talk: F) -> Switching
    where
        F: FnOnce(Socket<TrackedStream>, Permit) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        self.accept_intake(Intake::TEXTS, permit, talk)
    }

    /// The same for other messages than texts.
    pub(crate) fn accept_intake<F, R>(self, intake: Intake, permit: Permit, talk: F) -> Switching
    where
        F: FnOnce(Socket<TrackedStream>, Permit) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => match Socket::over(upgraded, intake).await {
                    Some(socket) => talk(socket, permit).await,
                    None => log::error!(
                        "a connection that was switched to a WebSocket is of another kind"
                    ),
                },
                Err(error) => {
                    log::debug!("the connection ended before it was a WebSocket: {error}");
                }
            }
        });
        Switching(accept)
    }
}

/// Whether one of a header's comma-separated values is this token.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    for value in headers.get_all(name) {
        let Ok(value) = value.to_str() else { continue };
        if value.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(token)) {
            return true;
        }
    }
    false
}

/// The header's value, if the header is there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// Whether this is base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    KEY_BASE64.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

/// The response 101: what follows on the connection is no HTTP.
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

    fn describe() -> Vec<ResponseDoc> {
        let about = "The connection is a WebSocket. Where a key is refused over it, it says so and \
                     closes";
        let status = StatusCode::SWITCHING_PROTOCOLS;
        vec![ResponseDoc { status, about, content: None, schemas: Vec::new() }]
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
