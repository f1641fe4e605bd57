//! `vomeet status`: asks the running server how it is.

use crate::api::general::{Health, Inside};
use crate::cli::say;
use crate::cli::serve::url;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::http_client::Connection;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// Longest wait for the whole answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of it.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Prints how the server is, or ends with [`Code::NotRunning`].
pub fn run(settings: &Settings) -> Result<(), StartupError> {
    let address = reachable(settings.config.listen);
    let down = |why: String| {
        let message = format!("No vomeet answers at {} ({why}); start one with `make run`.", url(address));
        StartupError::new(Code::NotRunning, message)
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| down(error.to_string()))?;
    let asked = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(address)).await });
    let health = asked.map_err(|_| down("it took too long".to_owned()))?.map_err(|error| down(error.to_string()))?;
    print(&health, address);
    Ok(())
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

async fn ask(address: SocketAddr) -> Result<Health, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    let mut connection = Connection::over(stream).await?;
    let request = Request::get("/healthz").header(header::HOST, address.to_string()).body(Full::<Bytes>::default())?;
    let answer = connection.send(request).await?;
    let status = answer.status;
    let body = answer.whole(ANSWER_BYTES_MAX).await?;
    if status != StatusCode::OK {
        return Err(format!("/healthz answers {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(serde_json::from_slice(&body)?)
}

fn print(health: &Health, address: SocketAddr) {
    say(format_args!("Vomeet {} runs at {} since {}\n", health.version, url(address), health.started_at));
    if let Some(Inside { address, database, database_bytes, users, tokens }) = &health.server {
        say(format_args!("  Address    {address}\n"));
        say(format_args!("  Database   {database} ({})\n", size(*database_bytes)));
        say(format_args!("  Users      {users}\n"));
        say(format_args!("  Tokens     {tokens}\n"));
    }
}

/// Bytes as people read them, in binary units.
fn size(bytes: u64) -> String {
    let (kib, mib) = (1024, 1024 * 1024);
    match bytes {
        _ if bytes < kib => format!("{bytes} B"),
        _ if bytes < mib => format!("{} KiB", bytes / kib),
        _ => format!("{}.{} MiB", bytes / mib, bytes % mib * 10 / mib),
    }
}
