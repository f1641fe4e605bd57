//! The HTTP client: HTTP/1.1 over a stream that the caller has opened, in bounded memory and, with
//! [`Connection::waiting_at_most`], in bounded time.
//!
//! The commands, the webhooks, uploads of backups and the demo bot send their requests with it. bollard has its own for
//! the Docker socket.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Most bytes of a response that are buffered at once, and so the longest head.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no response, or not all of it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server took too long.
    Slow,
    /// The response is too long.
    TooLong,
    /// The connection broke, or the response is no HTTP.
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

/// A connection to a server, for one request after the other. Dropping it closes it.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    wait_max: Duration,
}

impl Connection {
    /// A connection over a stream, without a time limit: the caller's own limit also covers looking
    /// up the name and connecting. Call it in a runtime.
    pub(crate) async fn over<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake =
            Builder::new().max_buf_size(BUFFER_BYTES_MAX).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(Failure::Broken)?;
        let driver = tokio::spawn(async move {
            // Its error is also the error of the request that waits for a response.
            let _ = connection.await;
        });
        Ok(Self { sender, driver, wait_max: Duration::MAX })
    }

    /// Waits at most this long for the head of a response, and for each piece of its body: for
    /// responses that may take any time as a whole.
    #[must_use]
    pub(crate) fn waiting_at_most(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// Sends a request, and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response, Failure> {
        let exchange = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let response = match timeout(self.wait_max, exchange).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Failure::Broken(error)),
            Err(_elapsed) => return Err(Failure::Slow),
        };
        let (head, body) = response.into_parts();
        let wait_max = self.wait_max;
        let (status, headers) = (head.status, head.headers);
        Ok(Response { status, headers, body, wait_max, connection: None })
    }
}

/// A request body that is made piece by piece.
pub(crate) type StreamedBody = UnsyncBoxBody<Bytes, io::Error>;

/// Sends one request with a body that is made while it is sent, over a stream of its own; gives the
/// status and the whole body of the response.
pub(crate) async fn send_streamed<S>(
    stream: S,
    request: Request<StreamedBody>,
) -> Result<(StatusCode, Bytes), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Failure::Broken)?;
    let driver = tokio::spawn(connection);
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?;
        Ok((status, body.to_bytes()))
    };
    let outcome = exchange.await.map_err(Failure::Broken);
    driver.abort();
    outcome
}

/// The driver would go on as long as the server keeps the connection open.
impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A response, of which the head is read. Of its body no more is read than is asked for.
pub(crate) struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    wait_max: Duration,
    connection: Option<Connection>,
}

impl Response {
    /// Keeps the connection as long as the response, for a caller who sends nothing else by it.
    pub(crate) fn keep(&mut self, connection: Connection) {
        self.connection = Some(connection);
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match timeout(self.wait_max, self.body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(Failure::Broken(error)),
                Ok(None) => return Ok(None),
                Err(_elapsed) => return Err(Failure::Slow),
            };
            // Trailers are skipped.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    /// The whole body; [`Failure::TooLong`] where it is longer than `bytes_max`.
    pub(crate) async fn whole(mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
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
