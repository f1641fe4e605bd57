//! A connection to the store, over TLS where its address says so.

use crate::http_client::Connection;
use crate::tls::Tls;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

/// Longest time until the connection stands.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a response, after which the connection counts as broken: a part must have gone
/// out by then.
const RESPONSE_TIME_MAX: Duration = Duration::from_mins(5);

/// Connects; the error is the end of a sentence.
pub(super) async fn connect(endpoint: &Url, tls: &Tls) -> Result<Connection, String> {
    match timeout(CONNECT_TIME_MAX, connect_at_leisure(endpoint, tls)).await {
        Ok(connected) => connected.map(|connection| connection.waiting_at_most(RESPONSE_TIME_MAX)),
        Err(_) => Err("it does not accept a connection in 30 seconds".to_owned()),
    }
}

async fn connect_at_leisure(endpoint: &Url, tls: &Tls) -> Result<Connection, String> {
    let port = endpoint.port_or_known_default().unwrap_or_default();
    let (name, stream) = match endpoint.host() {
        Some(Host::Domain(name)) => (name.to_owned(), TcpStream::connect((name, port)).await),
        Some(Host::Ipv4(ip)) => (ip.to_string(), TcpStream::connect((ip, port)).await),
        Some(Host::Ipv6(ip)) => (ip.to_string(), TcpStream::connect((ip, port)).await),
        None => (String::new(), Err(io::ErrorKind::AddrNotAvailable.into())),
    };
    let stream = stream.map_err(|error| error.to_string())?;
    let connected = if endpoint.scheme() == "https" {
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        let connector = tls.connector().await?;
        let secured = connector.connect(name, stream).await;
        Connection::over(secured.map_err(|error| error.to_string())?).await
    } else {
        Connection::over(stream).await
    };
    connected.map_err(|failure| failure.to_string())
}
