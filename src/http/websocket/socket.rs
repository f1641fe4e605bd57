//! One WebSocket: texts in and out, sound in where it is taken, pings, and the closing handshake,
//! each in bounded memory and time.

use crate::http::tracked_stream::TrackedStream;
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use std::mem::replace;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// How often a ping is sent, and how long the peer may take for the pong.
pub(crate) const PING_PERIOD: Duration = Duration::from_secs(20);
/// How long the peer may take for one message.
pub(crate) const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the closing handshake may take.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);
/// Most bytes that wait to be written: one message of ours, and pongs.
const WRITE_BYTES_MAX: usize = 256 * 1024;

/// What a socket takes from its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intake {
    /// Longest message, in bytes.
    pub message_bytes_max: usize,
    /// How many bytes are read at once; every socket holds a buffer of this size.
    pub read_bytes: usize,
    /// Whether messages may be binary.
    pub is_binary: bool,
}

impl Intake {
    /// Texts of people and programs.
    pub(crate) const TEXTS: Self =
        Self { message_bytes_max: 64 * 1024, read_bytes: 2 * 1024, is_binary: false };

    /// Sound in texts, many of them.
    pub(crate) const SOUND_TEXTS: Self =
        Self { message_bytes_max: 64 * 1024, read_bytes: 16 * 1024, is_binary: false };

    /// Sound in binary messages, and texts.
    pub(crate) const SOUND: Self =
        Self { message_bytes_max: 64 * 1024, read_bytes: 16 * 1024, is_binary: true };

    /// Sound of WhisperLive's clients, who send up to 16,384 samples of 4 bytes at once.
    pub(crate) const WHISPER_LIVE: Self =
        Self { message_bytes_max: 256 * 1024, read_bytes: 16 * 1024, is_binary: true };
}

/// A message from the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Received {
    /// A text.
    Text(Utf8Bytes),
    /// Bytes, where the socket takes them.
    Binary(Bytes),
}

/// A connection that speaks WebSocket.
pub struct Socket<S> {
    stream: WebSocketStream<S>,
    takes_binary: bool,
    pings: Interval,
    /// Whether a pong has come since the last ping.
    has_pong: bool,
}

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closed it, or is gone.
    Gone,
    /// The server stops.
    Stopping,
    /// The peer does not read what is sent.
    Slow,
    /// The peer does not answer pings.
    Silent,
    /// The token is missing or refused.
    KeyRefused,
    /// The token may do less than when the socket was opened.
    Narrowed,
    /// The peer sent what is no text.
    NoText,
    /// The peer sent a text that is no UTF-8.
    NoUtf8,
    /// The peer sent a message that is too long.
    TooLong,
    /// The peer broke the protocol.
    Malformed,
    /// All is said.
    Done,
    /// What the peer sends cannot be used; it was told why.
    Unusable,
    /// Nothing more is taken now; the peer was told why.
    Full,
}

impl End {
    fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLong,
            Error::Utf8(_) => Self::NoUtf8,
            Error::WriteBufferFull(_) => Self::Slow,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            Error::Protocol(_) => Self::Malformed,
            _ => Self::Gone,
        }
    }

    /// The closing frame (RFC 6455, section 7.4); `None` where the peer is gone.
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::Stopping => (CloseCode::Away, "the server stops"),
            Self::Slow => (CloseCode::Again, "too slow"),
            Self::Silent => (CloseCode::Error, "no answer to a ping"),
            Self::KeyRefused => (CloseCode::Library(4401), "key refused"),
            Self::Narrowed => (CloseCode::Again, "the token was narrowed"),
            Self::NoText => (CloseCode::Unsupported, "texts only"),
            Self::NoUtf8 => (CloseCode::Invalid, "no UTF-8"),
            Self::TooLong => (CloseCode::Size, "too long"),
            Self::Malformed => (CloseCode::Protocol, "no WebSocket frame"),
            Self::Done => (CloseCode::Normal, "done"),
            Self::Unusable => (CloseCode::Policy, "see the last text"),
            Self::Full => (CloseCode::Again, "see the last text"),
        };
        Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })
    }
}

impl Socket<TrackedStream> {
    /// On a connection that was switched; `None` if it is not one of [`crate::http::serve`]'s.
    pub(crate) async fn over(upgraded: Upgraded, intake: Intake) -> Option<Self> {
        let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<TrackedStream>>().ok()?;
        Some(Self::new(io.into_inner(), read_buf, intake).await)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// On any stream, of which `begun` was read already.
    async fn new(stream: S, begun: Bytes, intake: Intake) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(intake.read_bytes)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BYTES_MAX)
            .max_message_size(Some(intake.message_bytes_max))
            .max_frame_size(Some(intake.message_bytes_max));
        let mut pings = interval_at(Instant::now() + PING_PERIOD, PING_PERIOD);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stream =
            WebSocketStream::from_partially_read(stream, begun.into(), Role::Server, Some(config))
                .await;
        Self { stream, takes_binary: intake.is_binary, pings, has_pong: true }
    }

    /// The next text from the peer, which is pinged in the meantime. Cancel-safe.
    pub async fn next(&mut self) -> Result<Utf8Bytes, End> {
        match self.receive().await? {
            Received::Text(text) => Ok(text),
            Received::Binary(_) => Err(End::NoText),
        }
    }

    /// The next message from the peer, which is pinged in the meantime. Cancel-safe.
    pub(crate) async fn receive(&mut self) -> Result<Received, End> {
        loop {
            let message = tokio::select! {
                message = self.stream.next() => message,
                _ = self.pings.tick() => {
                    self.ping()?;
                    continue;
                }
            };
            match message {
                Some(Ok(Message::Text(text))) => return Ok(Received::Text(text)),
                Some(Ok(Message::Binary(bytes))) if self.takes_binary => {
                    return Ok(Received::Binary(bytes));
                }
                Some(Ok(Message::Binary(_))) => return Err(End::NoText),
                Some(Ok(Message::Pong(_))) => self.has_pong = true,
                // The pong is sent with the next read.
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
                Some(Err(error)) => return Err(End::of(&error)),
            }
        }
    }

    /// Does not wait: a peer that takes nothing now sends no pong either, and the next ping ends
    /// it.
    fn ping(&mut self) -> Result<(), End> {
        if !replace(&mut self.has_pong, false) {
            return Err(End::Silent);
        }
        match self.stream.send(Message::Ping(Bytes::new())).now_or_never() {
            Some(Err(error)) => Err(End::of(&error)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Sends a text, and waits until the system has taken all of it; [`End::Slow`] after
    /// [`WRITE_TIME_MAX`].
    pub async fn say(&mut self, text: Utf8Bytes) -> Result<(), End> {
        match timeout(WRITE_TIME_MAX, self.stream.send(Message::Text(text))).await {
            Ok(sent) => sent.map_err(|error| End::of(&error)),
            Err(_elapsed) => Err(End::Slow),
        }
    }

    /// Closes the socket: with a last text, if there is one, and the closing handshake, if the peer
    /// takes part in it.
    pub async fn close(mut self, end: End, last_text: Option<Utf8Bytes>) {
        // Whatever fails here fails because the peer is gone, and nothing is left to do.
        let _ = timeout(CLOSE_TIME_MAX, self.closing_handshake(end, last_text)).await;
    }

    async fn closing_handshake(
        &mut self,
        end: End,
        last_text: Option<Utf8Bytes>,
    ) -> Result<(), Error> {
        if let Some(frame) = end.frame() {
            if let Some(text) = last_text {
                self.stream.feed(Message::Text(text)).await?;
            }
            self.stream.send(Message::Close(Some(frame))).await?;
        }
        while let Some(Ok(_)) = self.stream.next().await {}
        // What the peer has sent meanwhile is read: a connection that is closed with unread bytes
        // is reset, and the last text is lost.
        let stream = self.stream.get_mut();
        stream.shutdown().await?;
        copy(stream, &mut sink()).await?;
        Ok(())
    }
}

#[path = "tests.rs"]
mod tests;
