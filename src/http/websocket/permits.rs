//! The places that live sockets take.

use crate::error::{Error, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Sockets that are open only to be told that their key is refused.
const REFUSED_MAX: usize = 256;

/// The open sockets: how many there may be, and when all of them must end.
pub struct Sockets {
    max: usize,
    free: Arc<Semaphore>,
    free_refused: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

/// A socket's place; it is free again when this is dropped.
pub struct Permit {
    _place: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
}

impl Sockets {
    /// None yet; at most `max` with a key that is accepted.
    pub fn new(max: usize) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { max, free: places(max), free_refused: places(REFUSED_MAX), stop: watch::Sender::new(false) }
    }

    /// Takes a place, or fails with [`Error::Busy`]. Callers whose key is refused have few of their own, so that they
    /// cannot take those of the others.
    pub fn take(&self, is_known: bool) -> Result<Permit> {
        let free = if is_known { &self.free } else { &self.free_refused };
        let place = Arc::clone(free).try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Permit { _place: place, stop: self.stop.subscribe() })
    }

    /// How many are open with a key that is accepted.
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
