//! The server behind `vomeet mcp`: a connection for each message, and the headers that the protocol
//! wants over HTTP.

use crate::exit::{Code, StartupError};
use crate::http_client::{Connection, Response};
use crate::tls::Tls;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

/// Longest wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the head of a response, and for each piece of its body: a bot may take a while
/// to start.
const RESPONSE_TIME_MAX: Duration = Duration::from_mins(2);
/// Most bytes of a response.
const RESPONSE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Where a request says which version it is of.
const VERSION_IN_META: &str = "io.modelcontextprotocol/protocolVersion";

/// What became of a message.
pub(super) enum Sent {
    /// Its response, on one line.
    Response(String),
    /// It was accepted.
    Nothing,
}

/// A server, and a token for it.
pub(super) struct McpServer {
    host: String,
    port: u16,
    tls: Option<Tls>,
    /// What stands in `Host`.
    authority: String,
    path: String,
    bearer: HeaderValue,
    /// The version that a handshake has agreed on.
    agreed: Option<String>,
}

impl McpServer {
    /// The server at an address, for the holder of a token. Nothing is connected yet.
    pub(super) fn new(address: &str, token: &str) -> Result<Self, StartupError> {
        let wrong = || {
            let message = format!(
                "The address of the server should be one such as http://localhost:18056, not \
                 {address:?}."
            );
            StartupError::new(Code::Config, message)
        };
        let url = Url::parse(address).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() {
            return Err(wrong());
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong());
        };
        let tls = if url.scheme() == "https" { Some(Tls::default()) } else { None };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            let message = "The API token has characters that no token has.";
            StartupError::new(Code::Config, message)
        })?;
        bearer.set_sensitive(true);
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            tls,
            authority: url[url::Position::BeforeHost..url::Position::AfterPort].to_owned(),
            path: format!("{}/mcp", url.path().trim_end_matches('/')),
            bearer,
            agreed: None,
        })
    }

    /// Sends a message, and waits for its response; fails with a sentence.
    pub(super) async fn send(&mut self, message: &Value, line: &[u8]) -> Result<Sent, String> {
        let request = self.request(message, line)?;
        // It is dropped, and so closed, when the whole response is here.
        let mut connection = self.connect().await?;
        let response = connection.send(request).await.map_err(|error| self.lost(&error))?;
        let status = response.status;
        let is_json = is_json(&response);
        let body = response.whole(RESPONSE_BYTES_MAX).await.map_err(|error| self.lost(&error))?;
        if status == StatusCode::ACCEPTED {
            return Ok(Sent::Nothing);
        }
        let parsed = if is_json { serde_json::from_slice::<Value>(&body).ok() } else { None };
        let Some(parsed) = parsed.filter(|body| body.get("jsonrpc").is_some()) else {
            return Err(refusal(status, is_json, &body));
        };
        if message["method"] == "initialize" {
            let agreed = parsed["result"]["protocolVersion"].as_str();
            self.agreed = agreed.map(str::to_owned);
        }
        // What was parsed is written anew: there is no line break in it.
        Ok(Sent::Response(parsed.to_string()))
    }

    fn request(&self, message: &Value, line: &[u8]) -> Result<Request<Full<Bytes>>, String> {
        let method = message["method"].as_str();
        let in_meta = message["params"]["_meta"][VERSION_IN_META].as_str();
        let mut request = Request::post(&self.path)
            .header(header::HOST, &self.authority)
            .header(header::AUTHORIZATION, self.bearer.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        let agreed = self.agreed.as_deref().filter(|_| method != Some("initialize"));
        if let Some(version) = in_meta.or(agreed) {
            request = request.header("MCP-Protocol-Version", value_of(version));
        }
        if let (Some(method), Some(_)) = (method, in_meta) {
            request = request.header("Mcp-Method", value_of(method));
            if let Some(name) = message["params"]["name"].as_str() {
                request = request.header("Mcp-Name", value_of(name));
            }
        }
        let body = Full::new(Bytes::copy_from_slice(line));
        request.body(body).map_err(|error| format!("the message cannot be sent ({error})"))
    }

    async fn connect(&self) -> Result<Connection, String> {
        let connected = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let Some(tls) = &self.tls else {
                return Connection::over(stream).await.map_err(|error| error.to_string());
            };
            let name =
                ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
            let stream = tls.connector().await?.connect(name, stream).await;
            let stream = stream.map_err(|error| error.to_string())?;
            Connection::over(stream).await.map_err(|error| error.to_string())
        };
        match timeout(CONNECT_TIME_MAX, connected).await {
            Ok(Ok(connection)) => Ok(connection.waiting_at_most(RESPONSE_TIME_MAX)),
            Ok(Err(why)) => Err(self.lost(&why)),
            Err(_elapsed) => Err(self.lost(&"it took too long")),
        }
    }

    /// What is said where the server cannot be reached, or is lost.
    fn lost(&self, why: &dyn std::fmt::Display) -> String {
        format!("the server at {} does not respond ({why})", self.authority)
    }
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// What a server says that refuses a message before it reads it, or something between it and us.
fn refusal(status: StatusCode, is_json: bool, body: &[u8]) -> String {
    let said: Value =
        if is_json { serde_json::from_slice(body).unwrap_or_default() } else { Value::Null };
    let mut sentence = format!("the server responds with {status}");
    for member in ["detail", "reason"] {
        if let Some(text) = said[member].as_str() {
            sentence.push_str(": ");
            sentence.push_str(text);
        }
    }
    sentence
}

/// A text as the value of a header (revision 2026-07-28, "Value Encoding").
fn value_of(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    let is_trimmed = text.trim() == text && !text.starts_with("=?base64?");
    if is_plain && is_trimmed {
        return text.to_owned();
    }
    format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::{McpServer, value_of};

    #[test]
    fn an_address_may_have_a_path() {
        for (address, expected) in [
            ("http://localhost:18056", Some(("localhost", 18056, "localhost:18056", "/mcp"))),
            ("http://localhost:18056/", Some(("localhost", 18056, "localhost:18056", "/mcp"))),
            ("http://[::1]:1/vomeet/", Some(("::1", 1, "[::1]:1", "/vomeet/mcp"))),
            ("http://example.com", Some(("example.com", 80, "example.com", "/mcp"))),
            ("localhost:18056", None),
            ("ftp://localhost", None),
            ("http://user@localhost", None),
            ("", None),
        ] {
            let server = McpServer::new(address, "x").ok();
            let parts = server
                .as_ref()
                .map(|server| (&*server.host, server.port, &*server.authority, &*server.path));
            assert_eq!(parts, expected, "{address}");
        }
        assert!(McpServer::new("http://localhost", "a\nb").is_err());
    }

    #[test]
    fn what_no_header_can_hold_is_encoded() {
        for (text, value) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(value_of(text), value);
        }
    }
}
