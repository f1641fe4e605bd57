//! Delivers events to the users' webhooks: at least once, in the order of each meeting, until it
//! gives up.
//!
//! Waiting events are in the database, so a restart loses none. Of each meeting only the oldest
//! waiting event of a webhook is tried; the next one follows when that was delivered or given up. An attempt
//! that fails is followed by another after a growing backoff. Once [`Webhooks::give_up`] has passed
//! since the event, it is given up, and stays visible with its last status and error. A clock that
//! is ahead neither gives up nor holds back: what it put off beyond all sense is due at once when it
//! is right again. An event that was delivered and is sent once more gets one attempt.

use crate::clock::{Clock, later};
use crate::config::Webhooks;
use crate::domain::{DeliveryId, Time, UserId, WebhookId};
use crate::error::{Error, Result};
use crate::store::{AttemptEnd, Change, EndAttempt, Store, WaitingEvent, Webhook};
use crate::webhooks::backoff;
use crate::webhooks::request::{Lookup, Outcome, TIME_MAX, WebhookClient, WebhookRequest};
use crate::webhooks::schedule::Schedule;
use crate::webhooks::target::{Target, WebhookUrl};
use crate::webhooks::test_permits::TestPermits;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// Longest sleep: due times are told by the wall clock, which may be set.
const SLEEP_MAX: Duration = Duration::from_mins(1);
/// How long an event may be put off, where events are given up sooner than that.
const PUT_OFF_MAX: Duration = Duration::from_hours(1);
/// How long to wait when the database could not be read or written.
const PAUSE: Duration = Duration::from_secs(1);

/// Why an event is given up whose user has no webhook any more.
const NO_WEBHOOK: &str = "The user has no webhook any more.";
/// The same of a webhook beside that.
const WEBHOOK_DELETED: &str = "The webhook was deleted.";

/// Delivers events to webhooks.
pub struct Dispatcher {
    client: WebhookClient,
    clock: Clock,
    retry: Duration,
    give_up: Duration,
    /// There may be a new event.
    event_queued: Notify,
    stopping: watch::Sender<bool>,
    test_permits: Arc<TestPermits>,
}

/// How a test of a webhook went.
#[derive(Debug)]
pub struct Tested {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// An event that was tried.
#[derive(Clone, Copy)]
struct Tried {
    created_at: Time,
    /// How often.
    attempts: u32,
    /// When it was delivered, if it is only sent once more.
    delivered_at: Option<Time>,
}

impl Dispatcher {
    /// A dispatcher by these settings. It must be told of every change that the store commits
    /// ([`Dispatcher::on_change`]).
    pub fn new(settings: &Webhooks, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            client: WebhookClient::new(settings.allowed_networks.clone(), clock.clone()),
            clock,
            retry: settings.retry,
            give_up: settings.give_up,
            event_queued: Notify::new(),
            stopping: watch::Sender::new(false),
            test_permits: Arc::default(),
        })
    }

    /// Looks for events after a change of a meeting's status, which queues one, and of a user, whose
    /// events may have been held back; on the writer's thread.
    pub fn on_change(&self, change: &Change) {
        if let Change::MeetingMoved(_) | Change::UserChanged(_) | Change::DeliveryDue = change {
            self.event_queued.notify_one();
        }
    }

    /// Begins no more attempts; [`Dispatcher::run`] ends when those in flight have ended.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether this address is of a private network that is not allowed, so that no attempt can
    /// succeed.
    pub fn refuses(&self, url: &WebhookUrl) -> bool {
        match Target::parse(&url.0) {
            Ok(target) => self.client.refuses(&target),
            Err(_) => false,
        }
    }

    /// How long an event is tried before it is given up.
    pub fn gives_up_after(&self) -> Duration {
        self.give_up
    }

    /// How long an event is put off at most after an attempt.
    fn put_off_max(&self) -> Duration {
        self.give_up.max(PUT_OFF_MAX)
    }

    /// Delivers what is due, until [`Dispatcher::stop`].
    pub async fn run(self: Arc<Self>, store: Arc<Store>) {
        let mut stopping = self.stopping.subscribe();
        let mut schedule = Schedule::default();
        while !*stopping.borrow_and_update() {
            let next_at = self.begin_due(&store, &mut schedule).await;
            tokio::select! {
                Some(()) = schedule.next_end() => {}
                () = self.event_queued.notified() => {}
                () = self.sleep_until(next_at) => {}
                _ = stopping.changed() => {}
            }
        }
        // Attempts that have not ended by then are cancelled with the schedule, and their events
        // still wait.
        let _ = timeout(TIME_MAX + PAUSE, schedule.all_ended()).await;
        schedule.cancel().await;
    }

    /// Sleeps until then; for [`PAUSE`] where the database could not be read, so that there is no
    /// such time.
    async fn sleep_until(&self, next_at: Option<Time>) {
        match next_at {
            Some(next_at) => self.clock.sleep_until(next_at).await,
            None => sleep(PAUSE).await,
        }
    }

    /// Begins attempts of the events that are due, within the capacity. Returns when to look again;
    /// `None` where the database cannot be read.
    async fn begin_due(
        self: &Arc<Self>,
        store: &Arc<Store>,
        schedule: &mut Schedule,
    ) -> Option<Time> {
        let now = self.clock.now();
        let latest = later(now, SLEEP_MAX);
        if schedule.is_full() {
            return Some(latest);
        }
        let put_off_max = later(now, self.put_off_max());
        let due = match store.due_deliveries(now, put_off_max, schedule.capacity()).await {
            Ok(due) => due,
            Err(error) => {
                log::warn!(
                    "the webhook events that are due cannot be read: {}",
                    error.store_cause()
                );
                return None;
            }
        };
        for (id, in_flight) in due.heads {
            let attempt = Arc::clone(self).deliver(Arc::clone(store), id);
            schedule.begin(in_flight, attempt);
        }
        match due.next_at {
            Some(next_at) => Some(next_at.min(latest)),
            None => Some(latest),
        }
    }

    /// One attempt to deliver a waiting event; its end is written.
    async fn deliver(self: Arc<Self>, store: Arc<Store>, id: DeliveryId) {
        let event = match store.waiting_event(id) {
            Ok(Some(event)) => event,
            // It was deleted with its meeting or its user.
            Ok(None) => return,
            Err(error) => {
                log::warn!("delivery {id} cannot be read: {}", error.store_cause());
                return sleep(PAUSE).await;
            }
        };
        let now = self.clock.now();
        let Some((url, request)) = webhook_request(&event, now) else {
            let is_first = event.webhook_id == WebhookId::FIRST;
            let why = if is_first { NO_WEBHOOK } else { WEBHOOK_DELETED };
            let error = Some(why.to_owned());
            let end = event.delivered_at.map_or(AttemptEnd::GivenUp, AttemptEnd::Delivered);
            let attempt = EndAttempt { id, attempts: event.attempts, end, status: None, error };
            return write(&store, attempt).await;
        };
        let attempts = event.attempts.saturating_add(1);
        let (created_at, delivered_at) = (event.created_at, event.delivered_at);
        let tried = Tried { created_at, attempts, delivered_at };
        let (Outcome { status, error }, lookup) = self.client.send(&url, &request).await;
        let end = self.attempt_end(&store, error.is_none(), tried);
        log::debug!("delivery {id}, attempt {attempts}: {end:?} {status:?}");
        write(&store, EndAttempt { id, attempts, end, status, error }).await;
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            () = wait_for(lookup) => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }

    /// What follows from an attempt that ends now. An event that was delivered before stays so. While the clock is not believed nothing is given
    /// up: the time may not have passed.
    fn attempt_end(&self, store: &Store, delivered: bool, event: Tried) -> AttemptEnd {
        let now = self.clock.now();
        if delivered {
            return AttemptEnd::Delivered(now);
        }
        // It is sent once more, and must not hold up what follows.
        if let Some(at) = event.delivered_at {
            return AttemptEnd::Delivered(at);
        }
        let random = getrandom::u64().unwrap_or_default();
        let wait = backoff::wait(self.retry, event.attempts, random);
        let next = later(now, wait.min(self.put_off_max()));
        let last = later(event.created_at, self.give_up);
        if now < last {
            // The last attempt falls on the end of the time.
            return AttemptEnd::Again(next.min(last));
        }
        match store.doubts(now) {
            Ok(false) => AttemptEnd::GivenUp,
            Ok(true) | Err(_) => AttemptEnd::Again(next),
        }
    }

    /// Posts an event `webhook.test` at once, by the same rules, and stores nothing.
    /// [`Error::Busy`] while another test of the user's runs, or too many of others.
    pub async fn test(&self, user: UserId, webhook: &Webhook) -> Result<Tested> {
        let url = webhook.url.as_deref().ok_or(Error::NoWebhook)?;
        let permit = self.test_permits.take(user)?;
        let began = self.clock.instant();
        let at = self.clock.now();
        let event_type = "webhook.test".to_owned();
        let body =
            serde_json::json!({ "event_type": event_type, "user_id": user, "timestamp": at });
        let delivery = blake3::hash(&random_bytes()?).to_hex()[..32].to_owned();
        let secrets = webhook.secrets(at);
        let request = WebhookRequest { event_type, delivery, body: body.to_string(), secrets, at };
        let (outcome, lookup) = self.client.send(url, &request).await;
        let took = self.clock.instant().saturating_duration_since(began);
        match lookup {
            // Before the response, so that the user can test again at once.
            None => drop(permit),
            // The permit is held as long as the look-up holds a thread.
            Some(_) => {
                tokio::spawn(async move {
                    wait_for(lookup).await;
                    drop(permit);
                });
            }
        }
        Ok(Tested { outcome, took })
    }
}

fn random_bytes() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Error::Internal(error.to_string())),
    }
}

/// Where an event goes and what is posted; `None` where its webhook is gone.
fn webhook_request(event: &WaitingEvent, at: Time) -> Option<(String, WebhookRequest)> {
    let webhook = event.webhook.as_ref()?;
    let url = webhook.url.clone()?;
    let request = WebhookRequest {
        event_type: event.event_type.clone(),
        delivery: event.uid.clone(),
        body: event.body.clone(),
        secrets: webhook.secrets(at),
        at,
    };
    Some((url, request))
}

/// A look-up that outlives its attempt holds a thread; the attempt keeps its place until that has
/// ended.
async fn wait_for(lookup: Option<Lookup>) {
    if let Some(lookup) = lookup {
        let _ = lookup.await;
    }
}

/// Writes how an attempt ended. While that cannot be written, the event must not be tried again and
/// again.
async fn write(store: &Store, attempt: EndAttempt) {
    if matches!(attempt.end, AttemptEnd::GivenUp) {
        // Its reason may name the user's host, which has no place in a log; the user finds it with
        // the delivery.
        log::warn!("webhook delivery {} is given up", attempt.id);
    }
    while let Err(error) = store.write(attempt.clone()).await {
        let id = attempt.id;
        log::warn!(
            "the end of an attempt of delivery {id} cannot be written: {}",
            error.store_cause()
        );
        if matches!(error, Error::StoreFailed(_)) {
            return;
        }
        sleep(PAUSE).await;
    }
}
