//! `vomeet status`: requests the health of the running server.

use crate::api::general::{Health, Inside};
use crate::cli::own_tls;
use crate::cli::print::say;
use crate::cli::reach::check_server;
use crate::cli::serve::url;
use crate::config::{Config, Settings, Source};
use crate::exit::{Code, StartupError};
use crate::http_client::Connection;
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

/// Longest wait for the whole response.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(5);
/// Why there is no response after that time.
const TOO_LONG: &str = "it took too long";
/// Longest response in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// Prints the health of the server, or ends with [`Code::NotRunning`].
pub(super) fn run(settings: &Settings) -> Result<(), StartupError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|error| {
        StartupError::new(Code::Unavailable, format!("Cannot start ({error}); try again."))
    })?;
    let health = runtime.block_on(find_server(settings))?;
    print(&health, settings)
}

/// Asks the server of this database by its admin socket: at the port another one may listen. The
/// port is asked where it was named, and where the socket is not ours to open.
async fn find_server(settings: &Settings) -> Result<Health, StartupError> {
    let address = reachable(settings.config.listen);
    let socket = settings.config.socket_path();
    if *settings.source("listen") == Source::Flag("--listen") {
        return ask_port(&settings.config, address).await;
    }
    match UnixStream::connect(&socket).await {
        Ok(stream) => {
            check_server(&stream, &socket)?;
            let place = socket.display();
            ask(stream, "localhost".to_owned()).await.map_err(|why| not_running(&place, &why))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            ask_port(&settings.config, address).await
        }
        Err(error) => Err(not_running(&socket.display(), &error)),
    }
}

async fn ask_port(config: &Config, address: SocketAddr) -> Result<Health, StartupError> {
    let place = url(config, address);
    let asked = match TcpStream::connect(address).await {
        Ok(stream) => ask_by_network(config, stream, address.to_string()).await,
        Err(error) => Err(error.to_string()),
    };
    asked.map_err(|why| not_running(&place, &why))
}

async fn ask_by_network(
    config: &Config,
    stream: TcpStream,
    host: String,
) -> Result<Health, String> {
    let Some(files) = config.tls.files() else { return ask(stream, host).await };
    let secured = timeout(RESPONSE_TIME_MAX, own_tls::over(stream, &files.cert)).await;
    match secured {
        Ok(stream) => ask(stream?, host).await,
        Err(_elapsed) => Err(TOO_LONG.to_owned()),
    }
}

fn not_running(place: &dyn Display, why: &dyn Display) -> StartupError {
    let message = format!("No vomeet responds at {place} ({why}); start one with `vomeet serve`.");
    StartupError::new(Code::NotRunning, message)
}

/// Where a server that listens on every address is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, listen.port()).into()
}

/// Requests the health over a connection; the error says why there is none.
async fn ask<S>(stream: S, host: String) -> Result<Health, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(RESPONSE_TIME_MAX, request_health(stream, host)).await {
        Ok(asked) => asked.map_err(|error| error.to_string()),
        Err(_) => Err(TOO_LONG.to_owned()),
    }
}

async fn request_health<S>(stream: S, host: String) -> Result<Health, Box<dyn std::error::Error>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = Connection::over(stream).await?;
    let request = Request::get("/healthz").header(header::HOST, host);
    let request = request.body(Full::<Bytes>::default())?;
    let response = connection.send(request).await?;
    let status = response.status;
    let body = response.whole(RESPONSE_BYTES_MAX).await?;
    if status != StatusCode::OK {
        let body = String::from_utf8_lossy(&body);
        return Err(format!("/healthz responds with {status}: {body}").into());
    }
    Ok(serde_json::from_slice(&body)?)
}

fn print(health: &Health, settings: &Settings) -> Result<(), StartupError> {
    let listens = health.server.as_ref().and_then(|server| server.address.parse().ok());
    let config = &settings.config;
    let place = url(config, listens.unwrap_or_else(|| reachable(config.listen)));
    let version = &health.version;
    say(format_args!("Vomeet {version} runs at {place} since {}\n", health.started_at))?;
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
