//! Who may ask which engine now: places, health, and who waits.
//!
//! After a failure an engine rests for 5 seconds, then 10, 20, 40, and at most 60; then it is tried
//! by one request, for at most 30 seconds, then by another one; the first success ends that. An
//! engine that does not take three different sounds in a row has failed too. Where all places are
//! taken, a draft goes away, and others wait: the more urgent first, and of the same urgency those
//! who came first.

use crate::clock::Clock;
use crate::domain::Time;
use crate::transcription::heard::Urgency;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long an engine rests after its first failure; twice as long after each further one.
const REST: Duration = Duration::from_secs(5);
/// Longest rest.
const REST_MAX: Duration = Duration::from_mins(1);
/// How long others keep away from an engine that a request tries.
const TRIAL: Duration = Duration::from_secs(30);
/// After so many sounds in a row that an engine did not take, it is the engine.
const NOT_TAKEN_MAX: usize = 3;
/// How often those who wait look whether an engine has rested enough.
const LOOK: Duration = Duration::from_secs(1);

/// Whose turn it is: the most urgent first, then who came first.
type Ticket = (Reverse<Urgency>, u64);

/// The places at some engines, which have numbers.
pub(super) struct Desk {
    clock: Clock,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    engines: Vec<Health>,
    /// Who waits, and for which engines.
    waiting: BTreeMap<Ticket, Vec<usize>>,
    last_ticket: u64,
}

/// What is known of an engine.
struct Health {
    places: usize,
    taken: usize,
    /// How often it has failed since its last success.
    failures: u32,
    rests_until: Option<Instant>,
    /// Until when others leave it to a request that tries it after its rest.
    tried_until: Option<Instant>,
    /// The sounds that it did not take since its last success.
    not_taken: Vec<u64>,
    /// When it answered last.
    answered_at: Option<Time>,
    /// When it failed last.
    failed_at: Option<Time>,
    /// Why it failed last.
    sentence: String,
}

/// What is known of an engine, for whoever looks.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// How many of its places are taken.
    pub taken: usize,
    /// Whether it rests after a failure.
    pub rests: bool,
    /// Whether it failed last, or did not take the sound.
    pub has_failed: bool,
    /// When it answered last.
    pub answered_at: Option<Time>,
    /// When and why it failed last.
    pub failure: Option<(Time, String)>,
}

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoSeat {
    /// All are taken, and a draft does not wait.
    Busy,
    /// All of these engines rest; why one of them does.
    Away(String),
}

impl Health {
    /// Whether it may be asked at this time, were there a place.
    fn takes(&self, now: Instant) -> bool {
        let is_resting = self.rests_until.is_some_and(|end| now < end);
        let is_tried = self.tried_until.is_some_and(|end| now < end);
        !is_resting && !is_tried
    }

    fn has_place(&self) -> bool {
        self.taken < self.places
    }
}

impl Desk {
    /// A desk with so many places at each engine.
    pub(super) fn new(places: &[usize], clock: Clock) -> Arc<Self> {
        let mut engines = Vec::with_capacity(places.len());
        for places in places {
            engines.push(Health {
                places: *places,
                taken: 0,
                failures: 0,
                rests_until: None,
                tried_until: None,
                not_taken: Vec::new(),
                answered_at: None,
                failed_at: None,
                sentence: String::new(),
            });
        }
        let state = State { engines, waiting: BTreeMap::new(), last_ticket: 0 };
        Arc::new(Self { clock, state: Mutex::new(state), changed: Notify::new() })
    }

    /// Whether any engine is healthy, or is due to be tried.
    pub(super) fn takes_now(&self) -> bool {
        let now = self.clock.instant();
        self.state().engines.iter().any(|engine| engine.takes(now))
    }

    /// Whether an engine rests after a failure.
    pub(super) fn rests(&self, number: usize) -> bool {
        self.state().engines.get(number).is_some_and(|engine| engine.failures > 0)
    }

    /// What is known of an engine now; `None` where there is none of this number.
    pub(super) fn known(&self, number: usize) -> Option<Known> {
        let now = self.clock.instant();
        let state = self.state();
        let engine = state.engines.get(number)?;
        Some(Known {
            taken: engine.taken,
            rests: engine.failures > 0 && !engine.takes(now),
            has_failed: engine.failures > 0 || !engine.not_taken.is_empty(),
            answered_at: engine.answered_at,
            failure: engine.failed_at.map(|at| (at, engine.sentence.clone())),
        })
    }

    /// Whether nobody has a place, and nothing is known of a failure.
    pub(super) fn is_idle(&self) -> bool {
        self.state().engines.iter().all(|engine| engine.taken == 0 && engine.failures == 0)
    }

    /// A place at the first of these engines that takes one, once it is this one's turn.
    pub(super) async fn seat(
        self: &Arc<Self>,
        wanted: &[usize],
        urgency: Urgency,
    ) -> Result<Seat, NoSeat> {
        let waiting = Waiting::new(self, wanted, urgency);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.take(waiting.ticket, wanted) {
                Taken::Seat(number, is_trial) => {
                    return Ok(Seat { desk: Arc::clone(self), number, is_trial, is_told: false });
                }
                Taken::Away(sentence) => return Err(NoSeat::Away(sentence)),
                Taken::Not if urgency == Urgency::Draft => return Err(NoSeat::Busy),
                Taken::Not => {}
            }
            // Whether it was told or looks by itself makes no difference.
            let _ = timeout(LOOK, changed).await;
        }
    }

    /// The same, but all go away where there is no place now.
    pub(super) fn seat_now(
        self: &Arc<Self>,
        wanted: &[usize],
        urgency: Urgency,
    ) -> Result<Seat, NoSeat> {
        let waiting = Waiting::new(self, wanted, urgency);
        match self.take(waiting.ticket, wanted) {
            Taken::Seat(number, is_trial) => {
                Ok(Seat { desk: Arc::clone(self), number, is_trial, is_told: false })
            }
            Taken::Away(sentence) => Err(NoSeat::Away(sentence)),
            Taken::Not => Err(NoSeat::Busy),
        }
    }

    fn take(&self, ticket: Ticket, wanted: &[usize]) -> Taken {
        let now = self.clock.instant();
        let mut state = self.state();
        let State { engines, waiting, .. } = &mut *state;
        let mut all_rest = true;
        for number in wanted {
            let Some(engine) = engines.get_mut(*number) else { continue };
            if !engine.takes(now) {
                continue;
            }
            all_rest = false;
            let mut before = waiting.range(..ticket);
            let is_turn = !before.any(|(_, wanted)| wanted.contains(number));
            if engine.has_place() && is_turn {
                engine.taken += 1;
                let is_trial = engine.failures > 0;
                engine.tried_until = if is_trial { now.checked_add(TRIAL) } else { None };
                return Taken::Seat(*number, is_trial);
            }
        }
        if !all_rest {
            return Taken::Not;
        }
        let why = wanted.iter().find_map(|number| engines.get(*number));
        Taken::Away(why.map(|engine| engine.sentence.clone()).unwrap_or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in it is whole after each change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Seat(usize, bool),
    Not,
    Away(String),
}

/// Somebody who waits, until this is dropped.
struct Waiting<'a> {
    desk: &'a Desk,
    ticket: Ticket,
}

impl<'a> Waiting<'a> {
    fn new(desk: &'a Desk, wanted: &[usize], urgency: Urgency) -> Self {
        let mut state = desk.state();
        state.last_ticket += 1;
        let ticket = (Reverse(urgency), state.last_ticket);
        state.waiting.insert(ticket, wanted.to_vec());
        drop(state);
        Self { desk, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.desk.state().waiting.remove(&self.ticket);
        self.desk.changed.notify_waiters();
    }
}

/// A place at an engine. Dropping it leaves the place; a request that was cancelled says nothing of
/// the engine's health.
pub(super) struct Seat {
    desk: Arc<Desk>,
    /// The number of the engine.
    pub(super) number: usize,
    is_trial: bool,
    is_told: bool,
}

impl Seat {
    /// The engine has done its work.
    pub(super) fn worked(mut self) {
        self.is_told = true;
        let now = self.desk.clock.now();
        if let Some(engine) = self.desk.state().engines.get_mut(self.number) {
            engine.answered_at = Some(now);
            engine.failures = 0;
            engine.rests_until = None;
            engine.tried_until = None;
            engine.not_taken.clear();
        }
    }

    /// The engine did not take this sound, and nobody knows whether that is the sound's fault or
    /// the engine's; returns whether the engine has failed by it, and was healthy before.
    pub(super) fn not_taken(self, sound: u64, sentence: &str) -> bool {
        let mut state = self.desk.state();
        let Some(engine) = state.engines.get_mut(self.number) else { return false };
        if !engine.not_taken.contains(&sound) {
            engine.not_taken.push(sound);
        }
        engine.failed_at = Some(self.desk.clock.now());
        sentence.clone_into(&mut engine.sentence);
        let has_failed = self.is_trial || engine.not_taken.len() >= NOT_TAKEN_MAX;
        if has_failed {
            engine.not_taken.clear();
        }
        drop(state);
        has_failed && self.failed(sentence)
    }

    /// The engine has failed, and rests; returns whether it was healthy before.
    pub(super) fn failed(mut self, sentence: &str) -> bool {
        self.is_told = true;
        let (now, failed_at) = (self.desk.clock.instant(), self.desk.clock.now());
        let mut state = self.desk.state();
        let Some(engine) = state.engines.get_mut(self.number) else { return false };
        engine.failed_at = Some(failed_at);
        sentence.clone_into(&mut engine.sentence);
        let was_healthy = engine.failures == 0;
        // Requests that fail side by side are one failure.
        if was_healthy || self.is_trial {
            let rest = REST * 2_u32.saturating_pow(engine.failures.min(8));
            engine.failures = engine.failures.saturating_add(1);
            engine.rests_until = now.checked_add(rest.min(REST_MAX));
            engine.tried_until = None;
        }
        drop(state);
        was_healthy
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(engine) = self.desk.state().engines.get_mut(self.number) {
            engine.taken = engine.taken.saturating_sub(1);
            if self.is_trial && !self.is_told {
                engine.tried_until = None;
            }
        }
        self.desk.changed.notify_waiters();
    }
}
