//! The one HTTP client: speaks HTTP/1.1 over a stream that somebody else has opened, in bounded memory and, where
//! it is asked to, in bounded time.
//!
//! The commands, the webhooks and the demo bot send their requests with it. bollard brings its own to the Docker socket.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Most bytes of an answer that are held at once, and so the longest head.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub enum Failure {
    /// The server took too long.
    Slow,
    /// The answer is too long.
    TooLong,
    /// The connection broke, or what came is no HTTP.
    Broken(hyper::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow => f.write_str("it took too long"),
            Self::TooLong => f.write_str("the answer is too long"),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

impl Error for Failure {}

/// A connection to a server, for one request after the other.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    wait_max: Duration,
}

impl Connection {
    /// Speaks over a stream. How long the whole may take is the caller's to say: to look up a name and to connect is a
    /// part of it. Call it in a runtime.
    pub async fn over<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = Builder::new().max_buf_size(BUFFER_BYTES_MAX).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(Failure::Broken)?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told the same.
            let _ = connection.await;
        });
        Ok(Self { sender, driver, wait_max: Duration::MAX })
    }

    /// Waits at most this long for an answer to begin, and for each piece of it: for answers that may take any time as a
    /// whole.
    #[must_use]
    pub fn waiting_at_most(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// Sends a request, and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let asked = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let answered = timeout(self.wait_max, asked).await.map_err(|_| Failure::Slow)?;
        let response = answered.map_err(Failure::Broken)?;
        Ok(Answer { status: response.status(), body: response.into_body(), wait_max: self.wait_max })
    }
}

/// No server can keep a connection open that nobody uses any more.
impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer, of which the head is read. Of its body no more is read than is asked for.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    body: Incoming,
    wait_max: Duration,
}

impl Answer {
    /// The next piece of the body; none at its end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = timeout(self.wait_max, self.body.frame()).await.map_err(|_| Failure::Slow)?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(Failure::Broken)?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    /// The whole body, of at most so many bytes.
    pub async fn whole(mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > bytes_max {
                return Err(Failure::TooLong);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}
