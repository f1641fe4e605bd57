//! Tells systemd how the server is, over the socket that it names (`sd_notify(3)`). By hand, for it
//! is one datagram.

use crate::store::Store;
use std::io;

use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

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
        // A manager that does not read must not hold up the threads that serve.
        socket.set_nonblocking(true)?;
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
    /// its writer has given a sign. A server that hangs says nothing, and is started again; one that
    /// hangs for half of the interval only is not.
    pub(super) async fn keep_watchdog(self: Arc<Self>, store: Arc<Store>) {
        let Some(watchdog) = self.watchdog else { return };
        let mut ticks = interval(watchdog / 4);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if works(&store, watchdog / 2).await {
                self.tell("WATCHDOG=1");
            }
        }
    }
}

/// Waits until the writer works or the file is being compacted, however long, and says in the log that it takes longer than it
/// should. False where the database cannot be read, or the writer has stopped.
async fn works(store: &Store, should_take: Duration) -> bool {
    if let Err(error) = store.known_time() {
        log::error!("the watchdog is not told: the database cannot be read: {error:?}");
        return false;
    }
    let mut sign = pin!(store.writer_works());
    if let Ok(works) = timeout(should_take, &mut sign).await {
        return works.is_ok();
    }
    if store.is_compacting() {
        return true;
    }
    log::error!("the watchdog is not told: the writer has not answered for {should_take:?}");
    sign.await.is_ok()
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
