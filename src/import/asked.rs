//! A server that is asked with the keys of others: over https, or to this machine; it is followed
//! nowhere else.

use crate::exit::{Code, StartupError};
use crate::http_client::{Connection, Failure};
use crate::tls::Tls;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Position, Url};

/// Longest wait for a response, and for each piece of it.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Longest wait for a connection, with its TLS handshake.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// Longest response, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How often a request is sent that the server puts off, and for how long at most each time.
const TRIES_MAX: u32 = 20;
const PUT_OFF_SECONDS_MAX: u64 = 90;

/// A server.
pub(super) struct Asked {
    url: Url,
    tls: Tls,
    connection: Option<Connection>,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, where it is JSON.
    pub json: Value,
}

impl Asked {
    /// A server at this address. `plain` allows http to other machines.
    pub(super) fn at(address: &str, plain: bool) -> Result<Self, StartupError> {
        let invalid = |why: &str| {
            let message = format!("{address:?} {why}.");
            StartupError::new(Code::Invalid, message)
        };
        let Ok(url) = Url::parse(address) else {
            return Err(invalid("is no address such as https://api.example.com"));
        };
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(invalid("names no server")),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_here || plain => {}
            "http" => {
                let why = "is http to another machine, and every key would be sent in plain text; \
                           use https, a tunnel to this machine, or --plain";
                return Err(invalid(why));
            }
            _ => return Err(invalid("is neither http nor https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("has a user name; the keys are those of the dump"));
        }
        Ok(Self { url, tls: Tls::default(), connection: None })
    }

    /// Sends a GET request with a key, and again where the server puts it off.
    pub(super) async fn get(&mut self, path: &str, key: &[u8]) -> Result<Answer, StartupError> {
        for _ in 0..TRIES_MAX {
            let has_rested = self.connection.is_some();
            let (answer, wait) = match self.try_get(path, key).await {
                Ok(answered) => answered,
                // A connection that rested may be closed; the next one is new.
                Err(_) if has_rested => continue,
                Err(why) => return Err(self.unreachable(&why)),
            };
            let is_put_off = matches!(
                answer.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            if !is_put_off {
                return Ok(answer);
            }
            // The server may close it meanwhile, or has others who wait for one.
            self.connection = None;
            sleep(Duration::from_secs(wait.clamp(1, PUT_OFF_SECONDS_MAX))).await;
        }
        Err(self.unreachable(&format!("it has put off {path} {TRIES_MAX} times")))
    }

    /// The answer, and after how many seconds the server wants to be asked again.
    async fn try_get(&mut self, path: &str, key: &[u8]) -> Result<(Answer, u64), String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => timeout(CONNECT_MAX, self.connect())
                .await
                .map_err(|_elapsed| "no connection in time".to_owned())??,
        };
        let base = self.url.path().trim_end_matches('/');
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        let mut header = HeaderValue::from_bytes(key).map_err(|_| "the key".to_owned())?;
        header.set_sensitive(true);
        let request = Request::get(format!("{base}{path}"))
            .header(HOST, host)
            .header("x-api-key", header)
            .body(Full::<Bytes>::default())
            .map_err(|_| "the path is none".to_owned())?;
        let say = |failure: Failure| failure.to_string();
        let response = connection.send(request).await.map_err(say)?;
        let status = response.status;
        let wait = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| value.parse().ok()).unwrap_or(1);
        let body = response.whole(BODY_BYTES_MAX).await.map_err(say)?;
        self.connection = Some(connection);
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Ok((Answer { status, json }, wait))
    }

    async fn connect(&self) -> Result<Connection, String> {
        let port = self.url.port_or_known_default().unwrap_or_default();
        let host = match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        };
        let stream = TcpStream::connect((host.as_str(), port)).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let connection = if self.url.scheme() == "https" {
            let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
            let connector = self.tls.connector().await?;
            let secured = connector.connect(name, stream).await;
            Connection::over(secured.map_err(|error| error.to_string())?).await
        } else {
            Connection::over(stream).await
        };
        let connection = connection.map_err(|failure| failure.to_string())?;
        Ok(connection.waiting_at_most(WAIT_MAX))
    }

    /// Says that an answer is none of the API.
    pub(super) fn odd(&self, path: &str, status: StatusCode) -> StartupError {
        let message = format!(
            "{} answers {path} with {status}, and not as the API does; is it the address of the API?",
            self.url
        );
        StartupError::new(Code::Unavailable, message)
    }

    fn unreachable(&self, why: &str) -> StartupError {
        let message = format!("{} does not answer ({why}); is it running?", self.url);
        StartupError::new(Code::Unavailable, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sent_over_https_or_to_this_machine() {
        for (address, plain, expected) in [
            ("https://api.example.com", false, true),
            ("http://127.0.0.1:18056", false, true),
            ("http://localhost:8000/", false, true),
            ("http://[::1]:8000", false, true),
            ("http://api.example.com", false, false),
            ("http://10.0.0.1:8000", false, false),
            ("http://localhost.example.com", false, false),
            ("http://10.0.0.1:8000", true, true),
            ("ftp://127.0.0.1", true, false),
            ("https://user:secret@example.com", true, false),
            ("127.0.0.1:8000", true, false),
            ("", true, false),
        ] {
            assert_eq!(Asked::at(address, plain).is_ok(), expected, "{address}");
        }
    }
}
