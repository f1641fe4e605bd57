//! The open connections: how many there may be, how long each may keep us waiting, and which one goes when there are
//! too many.
//!
//! By hand, for what limits connections in crates (tower's layers) sees requests, and turns the newest away.
//!
//! A cap that turned newcomers away would let slow clients shut everybody out; so the connection that has gone longest
//! without finishing a request makes room. Waiting is told by a clock that ticks once a second ([`Connections::tick`]):
//! a timer for each request would cost more than finding the token.

use crate::config::Http as Limits;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often [`Connections::tick`] wants to be called.
pub const TICK: Duration = Duration::from_secs(1);

/// Every connection.
pub struct Connections {
    limits: Limits,
    open: Mutex<HashMap<u64, Permit>>,
    /// Numbers arrivals and finished requests, in their order.
    events: AtomicU64,
    seconds: Arc<AtomicU32>,
}

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Another one needs its place.
    Evicted,
    /// Its request did not come, or its answer was not taken, in time.
    Late,
    /// The server stops.
    Stopping,
}

struct Permit {
    activity: Arc<ConnectionActivity>,
    end: oneshot::Sender<End>,
}

/// What a connection waits for. Times are ticks of the clock; 0 is: not waiting.
pub struct ConnectionActivity {
    clock: Arc<AtomicU32>,
    request_since: AtomicU32,
    reader_since: AtomicU32,
    finished: AtomicU64,
}

impl ConnectionActivity {
    /// The head of a request is there.
    pub fn request_came(&self) {
        self.request_since.store(0, Ordering::Relaxed);
    }

    /// The peer took all that there was to send.
    pub fn reader_took(&self) {
        if self.reader_since.load(Ordering::Relaxed) != 0 {
            self.reader_since.store(0, Ordering::Relaxed);
            // While more of the answer is to come, no request is waited for.
            if self.request_since.load(Ordering::Relaxed) != 0 {
                self.request_since.store(self.now(), Ordering::Relaxed);
            }
        }
    }

    /// The peer has not taken all of it yet.
    pub fn reader_stalls(&self) {
        if self.reader_since.load(Ordering::Relaxed) == 0 {
            self.reader_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Nothing is in hand: the next request is waited for, or the rest of its head.
    pub fn is_idle(&self) -> bool {
        self.request_since.load(Ordering::Relaxed) != 0 && self.reader_since.load(Ordering::Relaxed) == 0
    }

    fn now(&self) -> u32 {
        self.clock.load(Ordering::Relaxed)
    }

    /// A request is not waited for while the answer to the one before is still being taken.
    fn is_late(&self, limits: &Limits) -> bool {
        let waited = |since: &AtomicU32| match since.load(Ordering::Relaxed) {
            0 => None,
            // The first second may have been cut short by the tick.
            since => Some(TICK * self.now().wrapping_sub(since).saturating_sub(1)),
        };
        match (waited(&self.reader_since), waited(&self.request_since)) {
            (Some(waited), _) => waited >= limits.response_time_max,
            (None, Some(waited)) => waited >= limits.header_time_max,
            (None, None) => false,
        }
    }
}

/// A connection's place; it is free again when this is dropped.
pub struct ConnectionGuard {
    /// What the connection waits for.
    pub activity: Arc<ConnectionActivity>,
    number: u64,
    all: Arc<Connections>,
}

impl Connections {
    /// None yet, within these limits.
    pub fn new(limits: Limits) -> Arc<Self> {
        let seconds = Arc::new(AtomicU32::new(1));
        Arc::new(Self { limits, open: Mutex::default(), events: AtomicU64::new(0), seconds })
    }

    /// Takes a place, from another connection if need be; the receiver says when and why it ends.
    pub fn admit(self: &Arc<Self>) -> (ConnectionGuard, oneshot::Receiver<End>) {
        let number = self.event();
        let activity = Arc::new(ConnectionActivity {
            clock: Arc::clone(&self.seconds),
            request_since: AtomicU32::new(self.seconds.load(Ordering::Relaxed)),
            reader_since: AtomicU32::new(0),
            finished: AtomicU64::new(number),
        });
        let (end, ended) = oneshot::channel();
        let mut open = self.lock();
        if open.len() >= self.limits.connections_max {
            let last_finish = |permit: &Permit| permit.activity.finished.load(Ordering::Relaxed);
            let oldest = open.iter().min_by_key(|(_, permit)| last_finish(permit)).map(|(&number, _)| number);
            oldest.and_then(|oldest| open.remove(&oldest)).into_iter().for_each(|permit| permit.end(End::Evicted));
        }
        open.insert(number, Permit { activity: Arc::clone(&activity), end });
        (ConnectionGuard { activity, number, all: Arc::clone(self) }, ended)
    }

    /// A second has passed: ends those that keep us waiting too long.
    pub fn tick(&self) {
        self.seconds.fetch_add(1, Ordering::Relaxed);
        let mut open = self.lock();
        let late = open.extract_if(|_, permit| permit.activity.is_late(&self.limits));
        late.for_each(|(_, permit)| permit.end(End::Late));
    }

    /// Tells every connection that the server stops.
    pub fn stop(&self) {
        self.lock().drain().for_each(|(_, permit)| permit.end(End::Stopping));
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Permit>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    fn end(self, why: End) {
        // It may just have ended by itself.
        let _ = self.end.send(why);
    }
}

impl ConnectionGuard {
    /// A request was answered, and the next one is waited for.
    pub fn finished(&self) {
        self.activity.finished.store(self.all.event(), Ordering::Relaxed);
        self.activity.request_since.store(self.activity.now(), Ordering::Relaxed);
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cors;

    /// A connection whose limits are one second, on a clock that only the test moves.
    fn connection() -> (Arc<Connections>, ConnectionGuard, oneshot::Receiver<End>) {
        let all = Connections::new(Limits {
            workers: 1,
            connections_max: 1,
            body_bytes_max: 0,
            header_time_max: TICK,
            body_time_max: TICK,
            response_time_max: TICK,
            stop_time_max: TICK,
            allowed_hosts: Vec::new(),
            cors: Cors::default(),
            trusted_proxies: Vec::new(),
        });
        let (guard, ended) = all.admit();
        (all, guard, ended)
    }

    /// How a connection ends after some steps, if it does within five seconds.
    fn end_after(steps: &[fn(&ConnectionGuard)]) -> Option<End> {
        let (all, guard, mut ended) = connection();
        for step in steps {
            step(&guard);
        }
        (0..5).for_each(|_| all.tick());
        ended.try_recv().ok()
    }

    #[test]
    fn who_is_waited_for_decides_who_is_late() {
        let came: fn(&ConnectionGuard) = |guard| guard.activity.request_came();
        let stalls: fn(&ConnectionGuard) = |guard| guard.activity.reader_stalls();
        let took: fn(&ConnectionGuard) = |guard| guard.activity.reader_took();
        let finished: fn(&ConnectionGuard) = ConnectionGuard::finished;
        for (about, steps, end) in [
            ("no request comes", vec![], Some(End::Late)),
            ("the handler works", vec![came], None),
            ("the next request does not come", vec![came, finished, took], Some(End::Late)),
            ("the answer is not taken", vec![came, stalls, finished], Some(End::Late)),
            ("a part of the answer is not taken", vec![came, took, stalls], Some(End::Late)),
            ("more of the answer is to come", vec![came, stalls, took], None),
            ("all of a long answer was taken", vec![came, stalls, took, finished], Some(End::Late)),
        ] {
            assert_eq!(end_after(&steps), end, "{about}");
        }
    }
}
