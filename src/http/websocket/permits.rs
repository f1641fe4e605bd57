//! How many WebSockets may be open.

use crate::budget::Held;
use crate::error::{Error, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Most WebSockets that are open only to be told that their token is refused.
const REFUSED_MAX: usize = 256;

/// The open WebSockets: how many there may be that are told of a refused token, and when all must
/// end. How many there may be with a token that is accepted is a budget.
pub struct Sockets {
    free_refused: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

/// The permit of one WebSocket; it is given back when this is dropped.
pub struct Permit {
    /// It is given back when this is dropped.
    place: Place,
    stop: watch::Receiver<bool>,
}

/// What a WebSocket takes while it is open.
enum Place {
    Known(#[expect(dead_code, reason = "it is given back when it is dropped")] Held),
    Refused(
        #[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit,
    ),
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            free_refused: Arc::new(Semaphore::new(REFUSED_MAX)),
            stop: watch::Sender::new(false),
        }
    }
}

impl Sockets {
    /// The permit of a caller whose token is accepted, who holds a part of the budget.
    pub fn known(&self, held: Held) -> Permit {
        Permit { place: Place::Known(held), stop: self.stop.subscribe() }
    }

    /// The permit of a caller whose token is refused, or [`Error::Busy`]. They have few permits of
    /// their own, so that they cannot take those of the others.
    pub fn refused(&self) -> Result<Permit> {
        let Ok(permit) = Arc::clone(&self.free_refused).try_acquire_owned() else {
            return Err(Error::Busy);
        };
        Ok(Permit { place: Place::Refused(permit), stop: self.stop.subscribe() })
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
    /// The same permit of a caller whose key is accepted meanwhile.
    pub(crate) fn become_known(&mut self, held: Held) {
        self.place = Place::Known(held);
    }

    /// Waits until the server stops.
    pub async fn stopping(&mut self) {
        // The sender lives as long as the server.
        let _ = self.stop.wait_for(|is_stopping| *is_stopping).await;
    }
}
