//! How many WebSockets may be open.

use crate::error::{Error, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Most WebSockets that are open only to be told that their token is refused.
const REFUSED_MAX: usize = 256;

/// The open WebSockets: how many there may be, and when all of them must end.
pub struct Sockets {
    max: usize,
    free: Arc<Semaphore>,
    free_refused: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

/// The permit of one WebSocket; it is given back when this is dropped.
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
}

impl Sockets {
    /// None yet; at most `max` with a token that is accepted.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            free: Arc::new(Semaphore::new(max)),
            free_refused: Arc::new(Semaphore::new(REFUSED_MAX)),
            stop: watch::Sender::new(false),
        }
    }

    /// A permit, or [`Error::Busy`] where there is none. Callers whose token is refused have few
    /// permits of their own, so that they cannot take those of the others.
    pub fn take(&self, is_known: bool) -> Result<Permit> {
        let free = if is_known { &self.free } else { &self.free_refused };
        let Ok(permit) = Arc::clone(free).try_acquire_owned() else {
            return Err(Error::Busy);
        };
        Ok(Permit { _permit: permit, stop: self.stop.subscribe() })
    }

    /// How many are open with a token that is accepted.
    pub fn count(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// Tells every socket that the server stops.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until none is open.
    pub async fn all_closed(&self) {
        self.stop.closed().await;
    }
}

impl Permit {
    /// Waits until the server stops.
    pub async fn stopping(&mut self) {
        // The sender lives as long as the server.
        let _ = self.stop.wait_for(|is_stopping| *is_stopping).await;
    }
}
