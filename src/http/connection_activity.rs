//! What a connection waits for, and for how long: decides which one takes too long, and which one
//! is evicted first.
//!
//! Waiting times are told by a counter that ticks once a second: a timer for each request would
//! cost more than finding the token.

use crate::config::Http as Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How long a tick is.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// How much of a response the peer must take in each second, in bytes, so that it is not late.
const READER_BYTES_PER_SECOND: u64 = 16 * 1024;
/// How long a peer must have taken nothing before its connection may be evicted.
const STALLED_MIN: Duration = Duration::from_secs(2);
/// How long a connection without a request counts as fresh: its request may be on its way, or wait
/// to be read by a busy server.
const FRESH_MAX: Duration = Duration::from_secs(1);

/// What a connection waits for. Times are ticks; 0 is: not waiting.
pub struct ConnectionActivity {
    ticks: Arc<AtomicU32>,
    /// Since when a request, or the rest of its head, is waited for.
    request_since: AtomicU32,
    /// Whether some of the head of the next request has come; of the first request it is not
    /// known.
    head_begun: AtomicBool,
    /// Since when the rest of a body is waited for.
    body_since: AtomicU32,
    /// Since when the peer has not taken all that there was to send.
    reader_since: AtomicU32,
    /// How many bytes the peer has taken since then.
    reader_bytes: AtomicU64,
    /// The event number of the last request that finished; 0 where none has.
    finished: AtomicU64,
}

/// Which connections are evicted first; those of one rank in the order of how long they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// It has never finished a request, and the head of one does not come.
    NeverFinished,
    /// It has finished a request, and the next does not come.
    Idle,
    /// Its response is not read.
    UnreadResponse,
    /// The body of its request is coming for more than half of the time that it may take.
    SlowBody,
    /// It waits for its first request, or for the next, for less than [`FRESH_MAX`].
    Fresh,
}

impl ConnectionActivity {
    /// Of a new connection, which waits for its first request.
    pub(crate) fn new(ticks: &Arc<AtomicU32>) -> Self {
        Self {
            ticks: Arc::clone(ticks),
            request_since: AtomicU32::new(ticks.load(Ordering::Relaxed)),
            head_begun: AtomicBool::new(false),
            body_since: AtomicU32::new(0),
            reader_since: AtomicU32::new(0),
            reader_bytes: AtomicU64::new(0),
            finished: AtomicU64::new(0),
        }
    }

    /// Bytes have come from the peer.
    pub fn bytes_came(&self) {
        let waits_for_request = self.request_since.load(Ordering::Relaxed) != 0;
        if waits_for_request && self.has_finished() && !self.head_begun.load(Ordering::Relaxed) {
            self.head_begun.store(true, Ordering::Relaxed);
            self.request_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The head of a request has come; `has_body` where there is more of it.
    pub fn request_came(&self, has_body: bool) {
        self.request_since.store(0, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        let body_since = if has_body { self.now() } else { 0 };
        self.body_since.store(body_since, Ordering::Relaxed);
    }

    /// All of the body has come.
    pub fn body_came(&self) {
        self.body_since.store(0, Ordering::Relaxed);
    }

    /// A response was sent, and the next request is waited for. `event` numbers what finishes.
    pub(crate) fn finished(&self, event: u64) {
        self.finished.store(event, Ordering::Relaxed);
        self.body_since.store(0, Ordering::Relaxed);
        self.request_since.store(self.now(), Ordering::Relaxed);
    }

    /// The peer has taken all that there was to send.
    pub fn reader_took_all(&self) {
        if self.reader_since.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.reader_since.store(0, Ordering::Relaxed);
        // While more of the response is to come, no request is waited for.
        if self.request_since.load(Ordering::Relaxed) != 0 {
            self.request_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The peer has taken `taken` bytes, and not all that there was to send.
    pub fn reader_stalls(&self, taken: usize) {
        if self.reader_since.load(Ordering::Relaxed) == 0 {
            self.reader_bytes.store(0, Ordering::Relaxed);
            self.reader_since.store(self.now(), Ordering::Relaxed);
        }
        self.reader_bytes.fetch_add(taken as u64, Ordering::Relaxed);
    }

    /// Nothing is in progress: the next request is waited for, or the rest of its head.
    pub fn is_idle(&self) -> bool {
        let waits_for_request = self.request_since.load(Ordering::Relaxed) != 0;
        let waits_for_reader = self.reader_since.load(Ordering::Relaxed) != 0;
        waits_for_request && !waits_for_reader
    }

    /// Whether the peer has taken too long. A request is not waited for while the response to the
    /// one before is being read.
    pub(crate) fn is_late(&self, limits: &Limits) -> bool {
        if let Some(waited) = self.waited(&self.reader_since) {
            return waited >= limits.response_time_max && !self.reads_on(limits);
        }
        let is_between = self.has_finished() && !self.head_begun.load(Ordering::Relaxed);
        let max = if is_between { limits.idle_time_max } else { limits.header_time_max };
        match self.waited(&self.request_since) {
            Some(waited) => waited >= max,
            None => false,
        }
    }

    /// Whether the peer has taken enough of a long response to be given the same time again.
    fn reads_on(&self, limits: &Limits) -> bool {
        let enough = READER_BYTES_PER_SECOND * limits.response_time_max.as_secs();
        if self.reader_bytes.load(Ordering::Relaxed) < enough {
            return false;
        }
        self.reader_bytes.store(0, Ordering::Relaxed);
        self.reader_since.store(self.now(), Ordering::Relaxed);
        true
    }

    /// The connection's rank, and since when it has it; `None` where it is in the middle of a
    /// request. `number` is that of the connection.
    pub(crate) fn rank(&self, number: u64, limits: &Limits) -> Option<(Rank, u64)> {
        if let Some(waited) = self.waited(&self.reader_since) {
            let since = self.reader_since.load(Ordering::Relaxed);
            return (waited >= STALLED_MIN).then_some((Rank::UnreadResponse, since.into()));
        }
        if let Some(waited) = self.waited(&self.request_since) {
            let (rank, since) = match self.finished.load(Ordering::Relaxed) {
                0 => (Rank::NeverFinished, number),
                finished => (Rank::Idle, finished),
            };
            return Some(if waited < FRESH_MAX { (Rank::Fresh, since) } else { (rank, since) });
        }
        let waited = self.waited(&self.body_since)?;
        let since = self.body_since.load(Ordering::Relaxed);
        (waited >= limits.body_time_max / 2).then_some((Rank::SlowBody, since.into()))
    }

    fn has_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed) != 0
    }

    fn now(&self) -> u32 {
        self.ticks.load(Ordering::Relaxed)
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
