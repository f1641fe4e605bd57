//! Committed changes to live subscribers; bounded, and a slow subscriber is dropped.
//!
//! [`Feed::on_change`] runs on the writer's thread. It only looks whether a meeting has
//! subscribers, and leaves the change to a task of its own ([`Feed::deliver`]): a meeting with
//! thousands of subscribers then costs the writer, and all who wait for its commits, as little as a
//! meeting with one. Nobody waits for a full queue: a subscriber that would miss a message is
//! closed.

mod push;

use crate::domain::{Meeting, MeetingId, Platform, TokenHash, UserId, Word};
use crate::store::Change;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Changes that wait to be delivered.
const EVENTS_MAX: usize = 1024;
/// Most meetings that one WebSocket may subscribe to.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 1000;
/// Subscribers that are served before other tasks may use the thread.
const SERVED_TOGETHER: usize = 256;

/// Why a subscriber is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Its token is not accepted any more.
    KeyRefused,
    /// Its token may do less than it did.
    Narrowed,
    /// Its queue was full.
    Slow,
}

/// What was sent since the start, and what was not.
#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    dropped: AtomicU64,
    slow: AtomicU64,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Messages given to live sockets.
    pub sent: u64,
    /// Messages that slow subscribers did not get: those in their queues, and the one that did not
    /// fit.
    pub dropped: u64,
    /// Subscribers that were closed because they were slow.
    pub slow: u64,
}

/// All subscribers.
pub struct Feed {
    queue_max: usize,
    counters: Arc<Counters>,
    hub: Mutex<Hub>,
    events: mpsc::Sender<Change>,
    /// Until [`Feed::deliver`] takes it.
    waiting: Mutex<Option<mpsc::Receiver<Change>>>,
}

/// The subscribers of one meeting, by their numbers. Shared while a change is delivered, so that
/// nobody waits for that.
type SubscribersOfMeeting = Arc<HashMap<u64, Arc<Subscriber>>>;

#[derive(Default)]
struct Hub {
    subscribers: HashMap<u64, Arc<Subscriber>>,
    meetings: HashMap<MeetingId, SubscribersOfMeeting>,
    numbers: u64,
}

/// One WebSocket, as the feed sees it.
struct Subscriber {
    user_id: UserId,
    token: TokenHash,
    queue: mpsc::Sender<Message>,
    counters: Arc<Counters>,
    /// The token has changed, so that its end may be another.
    changed: Arc<Notify>,
    /// Nothing is sent to it any more.
    is_closed: AtomicBool,
    end: Mutex<Option<oneshot::Sender<CloseReason>>>,
}

/// A message about a meeting.
struct Message {
    meeting: MeetingId,
    text: Utf8Bytes,
}

impl Subscriber {
    fn close(&self, reason: CloseReason) {
        self.is_closed.store(true, Ordering::Release);
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(end) = end {
            // The receiver is gone where the WebSocket has ended by itself.
            let _ = end.send(reason);
        }
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Never waits: a subscriber whose queue is full would miss this message, so it is closed and
    /// gets no later one.
    fn send(&self, meeting: MeetingId, text: &Utf8Bytes) {
        if self.is_closed() {
            return;
        }
        let message = Message { meeting, text: text.clone() };
        if self.queue.try_send(message).is_err() {
            let waiting = self.queue.max_capacity() - self.queue.capacity();
            self.drop_messages(waiting + 1);
        }
    }

    /// Closes it because it is slow; so many messages it does not get. Nothing more is sent to one
    /// that is closed, so nothing more is dropped.
    fn drop_messages(&self, count: usize) {
        if self.is_closed() {
            return;
        }
        self.counters.dropped.fetch_add(count as u64, Ordering::Relaxed);
        self.counters.slow.fetch_add(1, Ordering::Relaxed);
        self.close(CloseReason::Slow);
    }
}

impl Feed {
    /// Without subscribers; at most `queue_max` messages wait for each of them.
    pub fn new(queue_max: usize) -> Self {
        let (events, waiting) = mpsc::channel(EVENTS_MAX);
        let waiting = Mutex::new(Some(waiting));
        Self { queue_max, counters: Arc::default(), hub: Mutex::default(), events, waiting }
    }

    /// What was sent since the start, and what was not.
    pub fn counted(&self) -> Counted {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { sent, dropped, slow } = &*self.counters;
        Counted { sent: count(sent), dropped: count(dropped), slow: count(slow) }
    }

    /// Takes in a committed change, on the writer's thread. Subscribers with a revoked token are
    /// closed before this returns.
    pub fn on_change(&self, change: &Change) {
        match change {
            Change::TokensRevoked(hashes) => {
                self.each_with_token(hashes, |subscriber| {
                    subscriber.close(CloseReason::KeyRefused);
                });
            }
            // What they follow may be beyond the new scope.
            Change::TokensNarrowed(hashes) => {
                self.each_with_token(hashes, |subscriber| subscriber.close(CloseReason::Narrowed));
            }
            Change::TokensChanged(hashes) => {
                self.each_with_token(hashes, |subscriber| subscriber.changed.notify_one());
            }
            Change::UserRemoved(id) | Change::UserDisabled(id) => self.close_user(*id),
            Change::UserChanged(_)
            | Change::SeatsChanged(_)
            | Change::DeliveryDue
            | Change::BotReconfigured(_) => {}
            Change::MeetingRedacted(id) => {
                self.lock().meetings.remove(id);
            }
            Change::MeetingMoved(moved) => self.publish(moved.meeting.id, change),
            Change::SegmentsStored(stored) => self.publish(stored.meeting_id, change),
            Change::WordsLate(late) => self.publish(late.meeting_id, change),
        }
    }

    fn each_with_token(&self, hashes: &[TokenHash], tell: impl Fn(&Subscriber)) {
        for subscriber in self.lock().subscribers.values() {
            if hashes.contains(&subscriber.token) {
                tell(subscriber);
            }
        }
    }

    fn close_user(&self, id: UserId) {
        for subscriber in self.lock().subscribers.values() {
            if subscriber.user_id == id {
                subscriber.close(CloseReason::KeyRefused);
            }
        }
    }

    /// Queues a change for delivery, if the meeting has subscribers.
    fn publish(&self, meeting: MeetingId, change: &Change) {
        let Some(subscribers) = self.subscribers_of(meeting) else { return };
        if self.events.try_send(change.clone()).is_ok() {
            return;
        }
        log::warn!("the live feed is overloaded: the subscribers of meeting {meeting} are closed");
        for subscriber in subscribers.values() {
            subscriber.drop_messages(1);
        }
    }

    /// Delivers changes to their subscribers, each serialised once for all of them; runs as long as
    /// the feed is there.
    pub async fn deliver(self: Arc<Self>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        while let Some(change) = waiting.recv().await {
            let Some(meeting) = push::meeting_of(&change) else { continue };
            if let Some(subscribers) = self.subscribers_of(meeting) {
                let texts = push::texts(&change);
                self.send_to_all(meeting, &subscribers, &texts).await;
            }
        }
    }

    async fn send_to_all(
        &self,
        meeting: MeetingId,
        subscribers: &SubscribersOfMeeting,
        texts: &[Utf8Bytes],
    ) {
        let mut served = 0;
        for subscriber in subscribers.values() {
            for text in texts {
                subscriber.send(meeting, text);
            }
            served += 1;
            if served % SERVED_TOGETHER == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// A new subscriber, of no meeting yet; the receiver says when and why it is closed.
    pub fn watch(
        self: &Arc<Self>,
        user_id: UserId,
        token: TokenHash,
    ) -> (Watcher, oneshot::Receiver<CloseReason>) {
        let (queue, messages) = mpsc::channel(self.queue_max);
        let (end, ended) = oneshot::channel();
        let end = Mutex::new(Some(end));
        let is_closed = AtomicBool::new(false);
        let changed = Arc::default();
        let counters = Arc::clone(&self.counters);
        let subscriber = Subscriber { user_id, token, queue, counters, changed, is_closed, end };
        let subscriber = Arc::new(subscriber);
        let mut hub = self.lock();
        hub.numbers += 1;
        let number = hub.numbers;
        let before = hub.subscribers.insert(number, Arc::clone(&subscriber));
        debug_assert!(before.is_none(), "every subscriber has a number of its own");
        drop(hub);
        let watcher = Watcher {
            feed: Arc::clone(self),
            number,
            subscriber,
            messages,
            meetings: HashMap::new(),
        };
        (watcher, ended)
    }

    fn subscribers_of(&self, meeting: MeetingId) -> Option<SubscribersOfMeeting> {
        self.lock().meetings.get(&meeting).cloned()
    }

    // A panic while the lock was held leaves maps that are whole: every step under it is one
    // insertion or removal.
    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    fn leave(&mut self, meeting: MeetingId, number: u64) {
        let Some(subscribers) = self.meetings.get_mut(&meeting) else { return };
        Arc::make_mut(subscribers).remove(&number);
        if subscribers.is_empty() {
            self.meetings.remove(&meeting);
        }
    }
}

/// A subscriber, as its WebSocket sees it. Dropping this ends all its subscriptions.
pub struct Watcher {
    feed: Arc<Feed>,
    number: u64,
    subscriber: Arc<Subscriber>,
    messages: mpsc::Receiver<Message>,
    /// Its subscriptions, with the names by which it asked for them.
    meetings: HashMap<MeetingId, (Word<Platform>, String)>,
}

impl Watcher {
    /// Is notified when the token has changed, also where nobody waits yet.
    pub fn token_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.subscriber.changed)
    }

    /// Subscribes to a meeting; once more changes nothing. `false` where it has
    /// [`SUBSCRIPTIONS_MAX`] already.
    pub fn subscribe(&mut self, meeting: &Meeting, native_id: &str) -> bool {
        if self.meetings.len() >= SUBSCRIPTIONS_MAX && !self.meetings.contains_key(&meeting.id) {
            return false;
        }
        self.meetings.insert(meeting.id, (meeting.platform.clone(), native_id.to_owned()));
        let mut hub = self.feed.lock();
        let subscribers = hub.meetings.entry(meeting.id).or_default();
        Arc::make_mut(subscribers).insert(self.number, Arc::clone(&self.subscriber));
        true
    }

    /// Ends the subscriptions to meetings of this name.
    pub fn unsubscribe(&mut self, platform: Platform, native_id: &str) {
        let mut hub = self.feed.lock();
        let has_name =
            |named: &(Word<Platform>, String)| named.0 == platform && named.1 == native_id;
        for (meeting, _) in self.meetings.extract_if(|_, named| has_name(named)) {
            hub.leave(meeting, self.number);
        }
    }

    /// The next message. Waits for ever once the subscriber is closed.
    pub async fn next(&mut self) -> Utf8Bytes {
        while let Some(Message { meeting, text }) = self.messages.recv().await {
            if self.subscriber.is_closed() {
                break;
            }
            // It may have been queued before the subscription ended.
            if self.meetings.contains_key(&meeting) {
                self.subscriber.counters.sent.fetch_add(1, Ordering::Relaxed);
                return text;
            }
        }
        std::future::pending().await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut hub = self.feed.lock();
        hub.subscribers.remove(&self.number);
        for &meeting in self.meetings.keys() {
            hub.leave(meeting, self.number);
        }
    }
}

mod tests;
