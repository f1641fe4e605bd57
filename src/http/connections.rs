//! How many connections there are, and which one goes when there are too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The open connections. A cap that turned newcomers away would let slow clients shut everybody out; so the one that
/// has gone longest without finishing a request makes room.
pub struct Connections {
    max: usize,
    open: Mutex<HashMap<u64, Arc<Seat>>>,
    ticks: AtomicU64,
}

#[derive(Default)]
struct Seat {
    /// The tick of the last request that was finished, or of the arrival.
    finished: AtomicU64,
    evicted: Notify,
}

/// A connection's place; it is free again when this is dropped.
pub struct Place {
    number: u64,
    seat: Arc<Seat>,
    all: Arc<Connections>,
}

impl Connections {
    /// At most `max` at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default(), ticks: AtomicU64::new(0) })
    }

    /// Takes a place, from another connection if need be.
    pub fn admit(self: &Arc<Self>) -> Place {
        let number = self.tick();
        let seat = Arc::new(Seat { finished: AtomicU64::new(number), ..Seat::default() });
        let mut open = self.lock();
        if open.len() >= self.max {
            let oldest = open
                .iter()
                .min_by_key(|(_, seat)| seat.finished.load(Ordering::Relaxed))
                .map(|(&number, _)| number);
            if let Some(seat) = oldest.and_then(|oldest| open.remove(&oldest)) {
                seat.evicted.notify_one();
            }
        }
        open.insert(number, Arc::clone(&seat));
        Place { number, seat, all: Arc::clone(self) }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A request was answered.
    pub fn finished(&self) {
        self.seat.finished.store(self.all.tick(), Ordering::Relaxed);
    }

    /// Ends when another connection needs the place.
    pub async fn evicted(&self) {
        self.seat.evicted.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}
