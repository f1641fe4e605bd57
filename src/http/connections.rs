//! How many connections there are, and which one goes when there are too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The open connections. A cap that turned newcomers away would let slow clients shut everybody out; so the one that
/// has gone longest without finishing a request makes room.
pub struct Connections {
    max: usize,
    open: Mutex<HashMap<u64, Seat>>,
    ticks: AtomicU64,
}

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Another one needs its place.
    Evicted,
    /// The server stops.
    Stopping,
}

struct Seat {
    /// The tick of the last request that was finished, or of the arrival.
    finished: Arc<AtomicU64>,
    end: oneshot::Sender<End>,
}

/// A connection's place; it is free again when this is dropped.
pub struct Place {
    number: u64,
    finished: Arc<AtomicU64>,
    all: Arc<Connections>,
}

impl Connections {
    /// At most `max` at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default(), ticks: AtomicU64::new(0) })
    }

    /// Takes a place, from another connection if need be; the receiver says when and why it ends.
    pub fn admit(self: &Arc<Self>) -> (Place, oneshot::Receiver<End>) {
        let number = self.tick();
        let finished = Arc::new(AtomicU64::new(number));
        let (end, ended) = oneshot::channel();
        let mut open = self.lock();
        if open.len() >= self.max {
            let last_finish = |seat: &Seat| seat.finished.load(Ordering::Relaxed);
            let oldest = open.iter().min_by_key(|(_, seat)| last_finish(seat)).map(|(&number, _)| number);
            if let Some(seat) = oldest.and_then(|oldest| open.remove(&oldest)) {
                // It may just have ended by itself.
                let _ = seat.end.send(End::Evicted);
            }
        }
        open.insert(number, Seat { finished: Arc::clone(&finished), end });
        (Place { number, finished, all: Arc::clone(self) }, ended)
    }

    /// Tells every connection that the server stops.
    pub fn stop(&self) {
        for (_, seat) in self.lock().drain() {
            let _ = seat.end.send(End::Stopping);
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Seat>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A request was answered.
    pub fn finished(&self) {
        self.finished.store(self.all.tick(), Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}
