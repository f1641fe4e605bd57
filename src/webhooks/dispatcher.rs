//! Brings events to the users' webhooks: at least once, in the order of each meeting, until it gives up.
//!
//! What waits is in the file, so a restart loses nothing. Of each meeting only the oldest waiting event is tried; the next
//! one follows when that was delivered or given up. An attempt that fails is followed by another after a growing wait; one that would come too late is not made, and the event stays visible with its last status and error.

use crate::clock::{Clock, later};
use crate::config::Webhooks;
use crate::domain::{DeliveryId, Time, UserId, WebhookSecret};
use crate::error::{Error, Result};
use crate::store::{AttemptEnd, Capacity, Change, EndAttempt, InFlight, Store, WaitingEvent};
use crate::webhooks::backoff;
use crate::webhooks::request::{Lookup, Outcome, TIME_MAX, WebhookClient, WebhookRequest};
use crate::webhooks::target::{Target, WebhookUrl};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{sleep, timeout};

/// Most attempts at once.
const ATTEMPTS_MAX: usize = 16;
/// Most attempts at once for one user, so that a dead receiver does not hold up the others.
const ATTEMPTS_OF_USER_MAX: usize = 4;
/// Most tests of webhooks at once; a user has one at a time.
const TESTS_MAX: usize = 16;
/// Longest sleep: the wall clock, which due times are told by, may be set.
const SLEEP_MAX: Duration = Duration::from_mins(1);
/// How long to wait when the file could not be read or written.
const PAUSE: Duration = Duration::from_secs(1);

/// Why an event is given up whose user has no webhook any more.
const NO_WEBHOOK: &str = "The user has no webhook any more.";

/// The courier.
pub struct Dispatcher {
    client: WebhookClient,
    clock: Clock,
    retry: Duration,
    give_up: Duration,
    news: Notify,
    stopping: watch::Sender<bool>,
    testing: Arc<Testing>,
}

/// How a test of a webhook went.
#[derive(Debug)]
pub struct Tested {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

impl Dispatcher {
    /// A courier by these settings, which must hear of every change that the store commits.
    pub fn new(settings: &Webhooks, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            client: WebhookClient::new(settings.allowed_networks.clone(), clock.clone()),
            clock,
            retry: settings.retry,
            give_up: settings.give_up,
            news: Notify::new(),
            stopping: watch::Sender::new(false),
            testing: Arc::default(),
        })
    }

    /// A meeting that moves on leaves an event behind.
    pub fn on_change(&self, change: &Change) {
        if let Change::MeetingMoved(_) = change {
            self.news.notify_one();
        }
    }

    /// Begins no attempt any more; [`Dispatcher::run`] ends when those under way have ended.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether this address names a private network outright, so that no attempt can succeed.
    pub fn refuses(&self, url: &WebhookUrl) -> bool {
        Target::parse(&url.0).is_ok_and(|target| self.client.refuses(&target))
    }

    /// How long an event is tried.
    pub fn gives_up_after(&self) -> Duration {
        self.give_up
    }

    /// Delivers what is due, until it is stopped.
    pub async fn run(self: Arc<Self>, store: Arc<Store>) {
        let mut stopping = self.stopping.subscribe();
        let mut schedule = Schedule { attempts: JoinSet::new(), in_flight: HashMap::new() };
        while !*stopping.borrow_and_update() {
            let next_at = self.begin_due(&store, &mut schedule).await;
            tokio::select! {
                Some(ended) = schedule.attempts.join_next_with_id() => schedule.free(ended),
                () = self.news.notified() => {}
                () = self.rest(next_at) => {}
                _ = stopping.changed() => {}
            }
        }
        let all_ended = async { while schedule.attempts.join_next().await.is_some() {} };
        // What has not ended by then is cut, and its row still waits.
        let _ = timeout(TIME_MAX + PAUSE, all_ended).await;
        schedule.attempts.shutdown().await;
    }

    /// Waits until then; after a fault of the file, which has no such time, for a pause.
    async fn rest(&self, next_at: Option<Time>) {
        match next_at {
            Some(next_at) => self.clock.sleep_until(next_at).await,
            None => sleep(PAUSE).await,
        }
    }

    /// Begins an attempt of all that is due, as far as there is room; returns when to look again, unless the file cannot
    /// be read.
    async fn begin_due(self: &Arc<Self>, store: &Arc<Store>, schedule: &mut Schedule) -> Option<Time> {
        let now = self.clock.now();
        let latest = later(now, SLEEP_MAX);
        if schedule.in_flight.len() >= ATTEMPTS_MAX {
            return Some(latest);
        }
        let in_flight = schedule.in_flight.values().copied().collect();
        let busy = Capacity { in_flight, all_max: ATTEMPTS_MAX, user_max: ATTEMPTS_OF_USER_MAX };
        let due = match store.due_deliveries(now, busy).await {
            Ok(due) => due,
            Err(error) => {
                log::warn!("the events that are due cannot be read: {}", why(&error));
                return None;
            }
        };
        for (id, in_flight) in due.heads {
            let attempt = Arc::clone(self).deliver(Arc::clone(store), id);
            schedule.in_flight.insert(schedule.attempts.spawn(attempt).id(), in_flight);
        }
        Some(due.next_at.map_or(latest, |at| at.min(latest)))
    }

    /// One attempt of a waiting event, and what follows from it.
    async fn deliver(self: Arc<Self>, store: Arc<Store>, id: DeliveryId) {
        let event = match store.waiting_event(id) {
            Ok(Some(event)) => event,
            // It went with its meeting or its user.
            Ok(None) => return,
            Err(error) => {
                log::warn!("delivery {id} cannot be read: {}", why(&error));
                return sleep(PAUSE).await;
            }
        };
        let Some(url) = event.webhook.url.clone() else {
            let (end, error) = (AttemptEnd::GivenUp, Some(NO_WEBHOOK.to_owned()));
            return write(&store, EndAttempt { id, attempts: event.attempts, end, status: None, error }).await;
        };
        let attempts = event.attempts.saturating_add(1);
        let created_at = event.created_at;
        let (Outcome { status, error }, lookup) =
            self.client.send(&url, &webhook_request(event, self.clock.now())).await;
        let end = self.end(error.is_none(), created_at, attempts);
        log::debug!("delivery {id}, attempt {attempts}: {end:?} {status:?}");
        write(&store, EndAttempt { id, attempts, end, status, error }).await;
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            () = wait_for(lookup) => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }

    /// What follows from an attempt that ends now.
    fn end(&self, delivered: bool, created_at: Time, attempts: u32) -> AttemptEnd {
        let now = self.clock.now();
        if delivered {
            return AttemptEnd::Delivered(now);
        }
        let wait = backoff::wait(self.retry, attempts, getrandom::u64().unwrap_or_default());
        let (next, last) = (later(now, wait), later(created_at, self.give_up));
        // The last attempt falls on the end of the time.
        if now >= last { AttemptEnd::GivenUp } else { AttemptEnd::Again(next.min(last)) }
    }

    /// Posts an event `webhook.test` at once, by the same rules, and keeps nothing of it; [`Error::Busy`] while another
    /// test of the user's is under way, or too many of others'.
    pub async fn test(&self, user: UserId, url: &str, secret: Option<WebhookSecret>) -> Result<Tested> {
        let permit = self.testing.admit(user)?;
        let (began, at) = (self.clock.instant(), self.clock.now());
        let body = serde_json::json!({ "event_type": "webhook.test", "user_id": user, "timestamp": at }).to_string();
        let delivery = blake3::hash(&random()?).to_hex()[..32].to_owned();
        let webhook_request = WebhookRequest { event_type: "webhook.test".to_owned(), delivery, body, secret, at };
        let (outcome, lookup) = self.client.send(url, &webhook_request).await;
        let took = self.clock.instant().saturating_duration_since(began);
        // The seat is taken as long as the look-up takes a thread.
        tokio::spawn(async move {
            wait_for(lookup).await;
            drop(permit);
        });
        Ok(Tested { outcome, took })
    }
}

fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(bytes)
}

fn webhook_request(event: WaitingEvent, at: Time) -> WebhookRequest {
    let WaitingEvent { event_type, uid, body, webhook, .. } = event;
    WebhookRequest { event_type, delivery: uid, body, secret: webhook.secret, at }
}

/// A look-up that outlived its attempt takes a thread; whoever asked for it keeps the place until it has ended.
async fn wait_for(lookup: Option<Lookup>) {
    if let Some(lookup) = lookup {
        let _ = lookup.await;
    }
}

/// Notes how an attempt ended; while that cannot be written, the event must not be tried again and again.
async fn write(store: &Store, end: EndAttempt) {
    if matches!(end.end, AttemptEnd::GivenUp) {
        // Its reason may name the user's host, which has no place in a log; the user finds it with the delivery.
        log::warn!("delivery {} is given up", end.id);
    }
    while let Err(error) = store.write(end.clone()).await {
        log::warn!("the end of an attempt of delivery {} cannot be written: {}", end.id, why(&error));
        if matches!(error, Error::StoreFailed(_)) {
            return;
        }
        sleep(PAUSE).await;
    }
}

fn why(error: &Error) -> &str {
    error.cause().unwrap_or("the disk is full or busy")
}

/// The attempts under way, and whose they are.
struct Schedule {
    attempts: JoinSet<()>,
    in_flight: HashMap<task::Id, InFlight>,
}

impl Schedule {
    /// An attempt has ended, and perhaps others with it. One that panicked keeps its place, so that its event is not tried
    /// in every round.
    fn free(&mut self, ended: std::result::Result<(task::Id, ()), task::JoinError>) {
        let mut next = Some(ended);
        while let Some(ended) = next {
            match ended {
                Ok((id, ())) => _ = self.in_flight.remove(&id),
                Err(error) => log::error!("an attempt to deliver ended by a fault of ours: {error}"),
            }
            next = self.attempts.try_join_next_with_id();
        }
    }
}

/// The users whose webhooks are being tested.
#[derive(Default)]
struct Testing(Mutex<HashSet<UserId>>);

/// A user's place among them; it is free again when this is dropped.
struct Permit {
    user: UserId,
    all: Arc<Testing>,
}

impl Testing {
    fn admit(self: &Arc<Self>, user: UserId) -> Result<Permit> {
        let mut users = self.lock();
        if users.len() >= TESTS_MAX || !users.insert(user) {
            return Err(Error::Busy);
        }
        Ok(Permit { user, all: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<UserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.all.lock().remove(&self.user);
    }
}
