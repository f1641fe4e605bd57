//! Tells systemd how the server is, over the socket that it names (`sd_notify(3)`). By hand, for it
//! is one datagram.

use crate::app::App;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The service manager that started this process.
pub(super) struct Systemd {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to be told that the server works; `None` is never.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// The one that the environment names; `None` where there is none.
    pub(super) fn of_environment() -> Option<Arc<Self>> {
        let name = std::env::var("NOTIFY_SOCKET").ok()?;
        match Self::open(&name) {
            Ok(systemd) => Some(Arc::new(systemd)),
            Err(error) => {
                log::warn!("the service manager cannot be told anything by {name}: {error}");
                None
            }
        }
    }

    fn open(name: &str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        let address = match name.strip_prefix('@') {
            Some(name) => abstract_address(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        Ok(Self { socket, address, watchdog: watchdog() })
    }

    /// Tells it something, such as `READY=1`.
    pub(super) fn tell(&self, state: &str) {
        if let Err(error) = self.socket.send_to_addr(state.as_bytes(), &self.address) {
            log::warn!("the service manager was not told {state}: {error}");
        }
    }

    /// Tells it again and again that the server works, each time after it has read the database and
    /// its writer has answered. A server that hangs says nothing, and is started again.
    pub(super) async fn keep_watchdog(self: Arc<Self>, app: Arc<App>) {
        let Some(interval) = self.watchdog else { return };
        // As sd_watchdog_enabled(3) advises.
        let period = interval / 2;
        loop {
            if works(&app, interval).await {
                self.tell("WATCHDOG=1");
            }
            sleep(period).await;
        }
    }
}

/// Whether the database can be read and the writer answers within this time. What the writer
/// answers is another matter: a restart does not help where the disk is full.
async fn works(app: &App, within: Duration) -> bool {
    if let Err(error) = app.store.known_time() {
        log::error!("the watchdog is not told: the database cannot be read: {error:?}");
        return false;
    }
    let has_answered = timeout(within, app.store.checkpoint()).await.is_ok();
    if !has_answered {
        log::error!("the watchdog is not told: the writer has not answered for {within:?}");
    }
    has_answered
}

/// The interval of the watchdog, if there is one and it is meant for this process.
fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|&micros| micros > 0 && !is_other)?;
    Some(Duration::from_micros(micros))
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
