//! A door to the routes of users, for commands that send files: the socket of the server here, or
//! the address of another.

use crate::exit::{Code, StartupError};
use crate::http_client::{StreamedBody, send_streamed};
use crate::tls::Tls;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

/// How many bytes of a file are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Where a server is reached, and as whom.
pub(super) struct Door {
    place: Reached,
    host: String,
    /// What stands before each path.
    prefix: String,
    key: HeaderValue,
}

enum Reached {
    Socket(PathBuf),
    Address { host: String, port: u16, tls: Option<Tls> },
}

/// What a server has answered.
pub(super) struct Reply {
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, StartupError> {
        serde_json::from_slice(&self.body).map_err(|error| lost(&error))
    }
}

trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

impl Door {
    /// The admin socket of the server here, for the holder of a token.
    pub(super) fn here(socket: PathBuf, token: &str) -> Self {
        let key = HeaderValue::from_str(token).unwrap_or(HeaderValue::from_static(""));
        Self {
            place: Reached::Socket(socket),
            host: "localhost".to_owned(),
            prefix: String::new(),
            key,
        }
    }

    /// The server at an address, for the holder of the token in a file.
    pub(super) fn elsewhere(address: &str, token_file: &Path) -> Result<Self, StartupError> {
        let wrong = || {
            let message = format!(
                "The address of the server should be one such as https://vomeet.example.com, not \
                 {address:?}."
            );
            StartupError::new(Code::Config, message)
        };
        let url = Url::parse(address).map_err(|_| wrong())?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong());
        };
        let tls = match url.scheme() {
            "https" => Some(Tls::default()),
            "http" => None,
            _ => return Err(wrong()),
        };
        let place = Reached::Address { host: host.trim_matches(['[', ']']).to_owned(), port, tls };
        Ok(Self {
            place,
            host: url[url::Position::BeforeHost..url::Position::AfterPort].to_owned(),
            prefix: url.path().trim_end_matches('/').to_owned(),
            key: key_of(token_file)?,
        })
    }

    /// Sends a request and waits for the answer; an error response becomes a [`StartupError`].
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<FileBody>,
    ) -> Result<Reply, StartupError> {
        let line = self.connect().await.map_err(|error| lost(&error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.host)
            .header("X-API-Key", self.key.clone());
        let body = match body {
            Some(FileBody { bytes, content }) => {
                request = request.header(header::CONTENT_LENGTH, bytes);
                request = request.header(header::CONTENT_TYPE, "application/octet-stream");
                content
            }
            None => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        };
        let request = request.body(body).map_err(|error| lost(&error))?;
        let (status, body) = send_streamed(line, request).await.map_err(|error| lost(&error))?;
        if status.is_success() { Ok(Reply { body }) } else { Err(refused(status, &body)) }
    }

    async fn connect(&self) -> io::Result<Box<dyn Line>> {
        match &self.place {
            Reached::Socket(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Reached::Address { host, port, tls: None } => {
                Ok(Box::new(TcpStream::connect((host.as_str(), *port)).await?))
            }
            Reached::Address { host, port, tls: Some(tls) } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let connector = tls.connector().await.map_err(io::Error::other)?;
                Ok(Box::new(connector.connect(name, stream).await?))
            }
        }
    }
}

/// The first line of a file that holds an API token.
pub(super) fn token_in(file: &Path) -> Result<String, StartupError> {
    let text = fs::read_to_string(file).map_err(|error| {
        let message = format!("Cannot read the API token in {} ({error}).", file.display());
        StartupError::new(Code::Config, message)
    })?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The token in the first line of a file, as a header.
fn key_of(file: &Path) -> Result<HeaderValue, StartupError> {
    let token = token_in(file)?;
    match HeaderValue::from_str(&token) {
        Ok(mut key) if !token.is_empty() => {
            key.set_sensitive(true);
            Ok(key)
        }
        _ => {
            let shown = file.display();
            let message = format!("The first line of {shown} is no API token; put it there.");
            Err(StartupError::new(Code::Config, message))
        }
    }
}

/// A file that is sent piece by piece.
pub(super) struct FileBody {
    bytes: u64,
    content: StreamedBody,
}

impl FileBody {
    /// Fails where a file cannot be read.
    pub(super) fn check(path: &Path) -> Result<(), StartupError> {
        let readable = File::open(path).and_then(|file| file.metadata());
        match readable {
            Ok(about) if about.is_file() => Ok(()),
            Ok(_) => Err(unreadable(path, "it is no file")),
            Err(error) => Err(unreadable(path, &error.to_string())),
        }
    }

    /// Opens a file; `tell` is told how much of it is sent, in per cent.
    pub(super) fn open(
        path: &Path,
        tell: impl Fn(u64) + Send + 'static,
    ) -> Result<Self, StartupError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
        let bytes = file.metadata().map_err(|error| unreadable(path, &error.to_string()))?.len();
        let content = BodyExt::boxed_unsync(StreamBody::new(frames(file, bytes, tell)));
        Ok(Self { bytes, content })
    }
}

fn frames(
    file: File,
    bytes: u64,
    tell: impl Fn(u64) + Send + 'static,
) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send {
    unfold((Some(file), 0, tell), move |(file, sent, tell)| async move {
        let file = file?;
        let (file, chunk) = match tokio::task::spawn_blocking(move || read(file)).await {
            Ok(read) => read,
            Err(error) => return Some((Err(io::Error::other(error)), (None, sent, tell))),
        };
        match chunk {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => {
                let sent = sent + chunk.len() as u64;
                tell(sent * 100 / bytes.max(1));
                Some((Ok(Frame::data(Bytes::from(chunk))), (Some(file), sent, tell)))
            }
            Err(error) => Some((Err(error), (None, sent, tell))),
        }
    })
}

fn read(mut file: File) -> (File, io::Result<Vec<u8>>) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let read = file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
    (file, read.map(|_| chunk))
}

fn unreadable(path: &Path, why: &str) -> StartupError {
    let message = format!("Cannot read the recording {} ({why}).", path.display());
    StartupError::new(Code::Invalid, message)
}

fn lost(error: &dyn std::error::Error) -> StartupError {
    let message = format!("The server cannot be reached, or broke off ({error}); try again.");
    StartupError::new(Code::Unavailable, message)
}

/// The message of an error response, and the exit code that goes with its status.
fn refused(status: StatusCode, body: &[u8]) -> StartupError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &body["detail"][0];
    let message = match (&body["reason"], &body["detail"]) {
        (Value::String(reason), _) => reason.clone(),
        (_, Value::String(detail)) => detail.clone(),
        _ => match (first["loc"][1].as_str(), first["msg"].as_str()) {
            (Some(field), Some(message)) => format!("{field}: {message}"),
            _ => format!("The server responds with {status}."),
        },
    };
    let code = match status.as_u16() {
        404 => Code::NotFound,
        409 => Code::Conflict,
        401 | 403 => Code::NotPermitted,
        400 | 413 | 415 | 422 => Code::Invalid,
        _ => Code::Unavailable,
    };
    StartupError::new(code, message)
}
