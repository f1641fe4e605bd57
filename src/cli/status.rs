//! `vomeet status`: requests the health of the running server.

use crate::api::general::{Health, Inside};
use crate::cli::say;
use crate::cli::serve::url;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::http_client::Connection;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for the whole response.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest response in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// Prints the health of the server, or ends with [`Code::NotRunning`].
pub(super) fn run(settings: &Settings) -> Result<(), StartupError> {
    let address = reachable(settings.config.listen);
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|error| not_running(address, &error))?;
    let response =
        runtime.block_on(async { timeout(RESPONSE_TIME_MAX, request_health(address)).await });
    match response {
        Ok(Ok(health)) => {
            print(&health, address);
            Ok(())
        }
        Ok(Err(error)) => Err(not_running(address, &error)),
        Err(_) => Err(not_running(address, &"it took too long")),
    }
}

fn not_running(address: SocketAddr, why: &dyn Display) -> StartupError {
    let url = url(address);
    let message = format!("No vomeet responds at {url} ({why}); start one with `make run`.");
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

async fn request_health(address: SocketAddr) -> Result<Health, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    let mut connection = Connection::over(stream).await?;
    let request = Request::get("/healthz").header(header::HOST, address.to_string());
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

fn print(health: &Health, address: SocketAddr) {
    say(format_args!(
        "Vomeet {} runs at {} since {}\n",
        health.version,
        url(address),
        health.started_at
    ));
    if let Some(Inside { address, database, database_bytes, users, tokens }) = &health.server {
        say(format_args!("  Address    {address}\n"));
        say(format_args!("  Database   {database} ({})\n", size(*database_bytes)));
        say(format_args!("  Users      {users}\n"));
        say(format_args!("  Tokens     {tokens}\n"));
    }
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
