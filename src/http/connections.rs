//! The open connections: how many there may be, how long each may take, and which one is evicted
//! when there are too many.
//!
//! By hand, for what limits connections in crates (tower's layers) sees requests, and turns the
//! newest away.
//!
//! A cap that turned newcomers away would let slow clients shut everybody out. So the connection
//! that has gone longest without finishing a request is evicted. Waiting times are told by a
//! counter that ticks once a second ([`Connections::tick`]): a timer for each request would cost
//! more than finding the token.

use crate::config::Http as Limits;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often [`Connections::tick`] must be called.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Every open connection.
pub struct Connections {
    limits: Limits,
    open: Mutex<HashMap<u64, Permit>>,
    /// Numbers accepted connections and finished requests, in their order.
    events: AtomicU64,
    /// Counts ticks, from 1 on.
    ticks: Arc<AtomicU32>,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A new one needs its place.
    Evicted,
    /// Its request did not come, or its response was not read, in time.
    Late,
    /// The server stops.
    Stopping,
}

struct Permit {
    activity: Arc<ConnectionActivity>,
    end: oneshot::Sender<End>,
}

/// What a connection waits for. Times are ticks; 0 is: not waiting.
pub struct ConnectionActivity {
    ticks: Arc<AtomicU32>,
    request_since: AtomicU32,
    reader_since: AtomicU32,
    /// The event number of the last request that finished.
    finished: AtomicU64,
}

impl ConnectionActivity {
    /// The head of a request has come.
    pub fn request_came(&self) {
        self.request_since.store(0, Ordering::Relaxed);
    }

    /// The peer has taken all that there was to send.
    pub fn reader_took(&self) {
        if self.reader_since.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.reader_since.store(0, Ordering::Relaxed);
        // While more of the response is to come, no request is waited for.
        if self.request_since.load(Ordering::Relaxed) != 0 {
            self.request_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The peer has not taken all that there was to send.
    pub fn reader_stalls(&self) {
        if self.reader_since.load(Ordering::Relaxed) == 0 {
            self.reader_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Nothing is in progress: the next request is waited for, or the rest of its head.
    pub fn is_idle(&self) -> bool {
        let waits_for_request = self.request_since.load(Ordering::Relaxed) != 0;
        let waits_for_reader = self.reader_since.load(Ordering::Relaxed) != 0;
        waits_for_request && !waits_for_reader
    }

    fn now(&self) -> u32 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Whether the peer has taken too long. A request is not waited for while the response to the
    /// one before is being read.
    fn is_late(&self, limits: &Limits) -> bool {
        if let Some(waited) = self.waited(&self.reader_since) {
            return waited >= limits.response_time_max;
        }
        match self.waited(&self.request_since) {
            Some(waited) => waited >= limits.header_time_max,
            None => false,
        }
    }

    /// How long has been waited since a tick; `None` where nothing is waited for.
    fn waited(&self, since: &AtomicU32) -> Option<Duration> {
        let since = since.load(Ordering::Relaxed);
        if since == 0 {
            return None;
        }
        // The first second may have been cut short by the tick.
        let ticks = self.now().wrapping_sub(since).saturating_sub(1);
        Some(TICK * ticks)
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
        Arc::new(Self {
            limits,
            open: Mutex::default(),
            events: AtomicU64::new(0),
            ticks: Arc::new(AtomicU32::new(1)),
        })
    }

    /// Takes a place, and evicts another connection where all are taken; the receiver says when and
    /// why the connection is to end.
    pub fn admit(self: &Arc<Self>) -> (ConnectionGuard, oneshot::Receiver<End>) {
        let number = self.next_event();
        let activity = Arc::new(ConnectionActivity {
            ticks: Arc::clone(&self.ticks),
            request_since: AtomicU32::new(self.ticks.load(Ordering::Relaxed)),
            reader_since: AtomicU32::new(0),
            finished: AtomicU64::new(number),
        });
        let (end, ended) = oneshot::channel();
        let mut open = self.lock();
        if open.len() >= self.limits.connections_max
            && let Some(oldest) = longest_unfinished(&open)
            && let Some(permit) = open.remove(&oldest)
        {
            permit.end(End::Evicted);
        }
        let before = open.insert(number, Permit { activity: Arc::clone(&activity), end });
        debug_assert!(before.is_none(), "every connection has a number of its own");
        drop(open);
        (ConnectionGuard { activity, number, all: Arc::clone(self) }, ended)
    }

    /// A second has passed: ends the connections whose peers take too long.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        let mut open = self.lock();
        for (_, permit) in open.extract_if(|_, permit| permit.activity.is_late(&self.limits)) {
            permit.end(End::Late);
        }
    }

    /// Tells every connection that the server stops.
    pub fn stop(&self) {
        for (_, permit) in self.lock().drain() {
            permit.end(End::Stopping);
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn next_event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Permit>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection that has gone longest without finishing a request.
fn longest_unfinished(open: &HashMap<u64, Permit>) -> Option<u64> {
    let mut longest = None;
    for (&number, permit) in open {
        let finished = permit.activity.finished.load(Ordering::Relaxed);
        match longest {
            Some((earliest, _)) if earliest <= finished => {}
            _ => longest = Some((finished, number)),
        }
    }
    longest.map(|(_, number)| number)
}

impl Permit {
    fn end(self, reason: End) {
        // The receiver is gone where the connection has just ended by itself.
        let _ = self.end.send(reason);
    }
}

impl ConnectionGuard {
    /// A response was sent, and the next request is waited for.
    pub fn finished(&self) {
        self.activity.finished.store(self.all.next_event(), Ordering::Relaxed);
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
    fn what_is_waited_for_decides_what_is_late() {
        let came: fn(&ConnectionGuard) = |guard| guard.activity.request_came();
        let stalls: fn(&ConnectionGuard) = |guard| guard.activity.reader_stalls();
        let took: fn(&ConnectionGuard) = |guard| guard.activity.reader_took();
        let finished: fn(&ConnectionGuard) = ConnectionGuard::finished;
        for (about, steps, end) in [
            ("no request comes", vec![], Some(End::Late)),
            ("the handler works", vec![came], None),
            ("the next request does not come", vec![came, finished, took], Some(End::Late)),
            ("the response is not read", vec![came, stalls, finished], Some(End::Late)),
            ("a part of the response is not read", vec![came, took, stalls], Some(End::Late)),
            ("more of the response is to come", vec![came, stalls, took], None),
            (
                "all of a long response was read",
                vec![came, stalls, took, finished],
                Some(End::Late),
            ),
        ] {
            assert_eq!(end_after(&steps), end, "{about}");
        }
    }
}
