//! `vomeet status`: requests the health of the running server.

use crate::api::health::{Health, Inside};
use crate::cli::own_tls;
use crate::cli::print::say;
use crate::cli::reach::check_server;
use crate::cli::serve::url;
use crate::config::{Config, Settings, Source};
use crate::exit::{Code, StartupError};
use crate::http_client::Connection;
use crate::store::is_being_upgraded;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// The route of the health check.
pub(super) const HEALTH: &str = "/healthz";
/// Longest wait for the whole response: more than the health check waits for a commit.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(8);
/// Why there is no response after that time.
const TOO_LONG: &str = "it took too long";
/// Longest response in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// What a server has responded.
pub(super) struct Asked {
    /// The status of the response.
    pub status: StatusCode,
    /// Its body.
    pub body: Vec<u8>,
}

/// Prints the health of the server, or ends with [`Code::NotRunning`].
pub(super) fn run(settings: &Settings) -> Result<(), StartupError> {
    let asked = ask_server(settings, HEALTH)?;
    let place = settings.config.socket_path();
    if asked.status != StatusCode::OK {
        if let Ok(Health { reasons, .. }) = serde_json::from_slice(&asked.body)
            && !reasons.is_empty()
        {
            let reasons = reasons.join(", ");
            let message = format!("The server runs, and is not well: {reasons}.");
            return Err(StartupError::new(Code::Unavailable, message));
        }
        let why = format!("{HEALTH} responds with {}: {}", asked.status, text(&asked.body));
        return Err(not_running(&place.display(), &why));
    }
    match serde_json::from_slice(&asked.body) {
        Ok(health) => print(&health, settings),
        Err(error) => Err(not_running(&place.display(), &error)),
    }
}

/// A body as text.
pub(super) fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// Sends a GET request for a path to the server of this database.
pub(super) fn ask_server(settings: &Settings, path: &'static str) -> Result<Asked, StartupError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|error| {
        StartupError::new(Code::Unavailable, format!("Cannot start ({error}); try again."))
    })?;
    runtime.block_on(find_server(settings, path))
}

/// Asks the server of this database by its admin socket: at the port another one may listen. The
/// port is asked where it was named, where the socket is not ours to open, and during an upgrade.
async fn find_server(settings: &Settings, path: &'static str) -> Result<Asked, StartupError> {
    let address = reachable(settings.config.listen);
    let socket = settings.config.socket_path();
    if *settings.source("listen") == Source::Flag("--listen") {
        return ask_port(&settings.config, address, path).await;
    }
    match UnixStream::connect(&socket).await {
        Ok(stream) => {
            check_server(&stream, &socket)?;
            let place = socket.display();
            let asked = ask(stream, "localhost".to_owned(), path).await;
            asked.map_err(|why| not_running(&place, &why))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            ask_port(&settings.config, address, path).await
        }
        // There is no socket before the database is upgraded.
        Err(_) if is_being_upgraded(&settings.config.database) => {
            ask_port(&settings.config, address, path).await
        }
        Err(error) => Err(not_running(&socket.display(), &error)),
    }
}

async fn ask_port(
    config: &Config,
    address: SocketAddr,
    path: &'static str,
) -> Result<Asked, StartupError> {
    let place = url(config, address);
    let asked = match TcpStream::connect(address).await {
        Ok(stream) => ask_by_network(config, stream, address.to_string(), path).await,
        Err(error) => Err(error.to_string()),
    };
    asked.map_err(|why| not_running(&place, &why))
}

async fn ask_by_network(
    config: &Config,
    stream: TcpStream,
    host: String,
    path: &'static str,
) -> Result<Asked, String> {
    let Some(files) = config.tls.files() else { return ask(stream, host, path).await };
    let secured = timeout(RESPONSE_TIME_MAX, own_tls::over(stream, &files.cert)).await;
    match secured {
        Ok(stream) => ask(stream?, host, path).await,
        Err(_elapsed) => Err(TOO_LONG.to_owned()),
    }
}

fn not_running(place: &dyn Display, why: &dyn Display) -> StartupError {
    let message = format!("No vomeet responds at {place} ({why}); start one with `vomeet serve`.");
    StartupError::new(Code::NotRunning, message)
}

/// Where a server that listens on every address is reached from its own machine.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, listen.port()).into()
}

/// Sends a request over a connection; the error says why there is no response.
async fn ask<S>(stream: S, host: String, path: &'static str) -> Result<Asked, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(RESPONSE_TIME_MAX, request(stream, host, path)).await {
        Ok(asked) => asked.map_err(|error| error.to_string()),
        Err(_) => Err(TOO_LONG.to_owned()),
    }
}

async fn request<S>(
    stream: S,
    host: String,
    path: &'static str,
) -> Result<Asked, Box<dyn std::error::Error>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = Connection::over(stream).await?;
    let request = Request::get(path).header(header::HOST, host);
    let request = request.body(Full::<Bytes>::default())?;
    let response = connection.send(request).await?;
    let status = response.status;
    let body = response.whole(RESPONSE_BYTES_MAX).await?;
    Ok(Asked { status, body })
}

fn print(health: &Health, settings: &Settings) -> Result<(), StartupError> {
    let listens = health.server.as_ref().and_then(|server| server.address.parse().ok());
    let config = &settings.config;
    let place = url(config, listens.unwrap_or_else(|| reachable(config.listen)));
    match (&health.version, health.started_at) {
        (Some(version), Some(started_at)) => {
            say(format_args!("Vomeet {version} runs at {place} since {started_at}\n"))?;
        }
        _ => say(format_args!("Vomeet runs at {place}\n"))?,
    }
    if let Some(Inside { address, database, database_bytes, users, tokens }) = &health.server {
        say(format_args!("  Address    {address}\n"))?;
        say(format_args!("  Database   {database} ({})\n", size(*database_bytes)))?;
        say(format_args!("  Users      {users}\n"))?;
        say(format_args!("  Tokens     {tokens}\n"))?;
    }
    Ok(())
}

/// A size in bytes, in binary units.
fn size(bytes: u64) -> String {
    let (kib, mib) = (1024, 1024 * 1024);
    match bytes {
        _ if bytes < kib => format!("{bytes} B"),
        _ if bytes < mib => format!("{} KiB", bytes / kib),
        _ => format!("{}.{} MiB", bytes / mib, bytes % mib * 10 / mib),
    }
}
