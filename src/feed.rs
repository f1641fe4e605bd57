//! Committed events to live watchers; bounded, and a slow one is dropped.
//!
//! [`Feed::on_change`] runs on the writer's thread, so it only looks whether somebody watches, and hands the event to a task of
//! its own ([`Feed::deliver`]): a meeting with thousands of watchers then costs the writer, and all who wait for its
//! commits, as little as a meeting with one. Where a queue is full nobody waits: whoever would miss an event is cut off.

mod push;

use crate::domain::{Meeting, MeetingId, Platform, TokenHash, UserId};
use crate::store::Change;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Events that wait to be handed out to their watchers.
const EVENTS_MAX: usize = 1024;
/// Most meetings that one socket may watch.
pub const SUBSCRIPTIONS_MAX: usize = 1000;
/// Watchers that are served before others may use the thread.
const SERVED_TOGETHER: usize = 256;

/// Why a watcher is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Its key opens nothing any more.
    KeyRefused,
    /// It does not keep up.
    Slow,
}

/// All who watch.
pub struct Feed {
    queue_max: usize,
    hub: Mutex<Hub>,
    events: mpsc::Sender<Change>,
    /// Until [`Feed::deliver`] takes it.
    waiting: Mutex<Option<mpsc::Receiver<Change>>>,
}

/// Those who watch one meeting, by their numbers. Shared while an event is handed out, so that nobody waits for that.
type Watching = Arc<HashMap<u64, Arc<Subscriber>>>;

#[derive(Default)]
struct Hub {
    subscribers: HashMap<u64, Arc<Subscriber>>,
    meetings: HashMap<MeetingId, Watching>,
    numbers: u64,
}

/// One watcher, as the feed sees it.
struct Subscriber {
    user_id: UserId,
    token: TokenHash,
    queue: mpsc::Sender<Message>,
    /// Nothing is sent to it any more.
    is_cut: AtomicBool,
    end: Mutex<Option<oneshot::Sender<CloseReason>>>,
}

/// A message about a meeting.
struct Message {
    meeting: MeetingId,
    text: Utf8Bytes,
}

impl Subscriber {
    fn cut(&self, why: CloseReason) {
        self.is_cut.store(true, Ordering::Release);
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It may just have left.
        let _ = end.map(|end| end.send(why));
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// Never waits: a watcher without room would miss this, so it is cut off and gets nothing that comes later either.
    fn send(&self, meeting: MeetingId, text: &Utf8Bytes) {
        if !self.is_cut() && self.queue.try_send(Message { meeting, text: text.clone() }).is_err() {
            self.cut(CloseReason::Slow);
        }
    }
}

impl Feed {
    /// Nobody watches yet; at most `queue_max` messages wait for each watcher.
    pub fn new(queue_max: usize) -> Self {
        let (events, waiting) = mpsc::channel(EVENTS_MAX);
        Self { queue_max, hub: Mutex::default(), events, waiting: Mutex::new(Some(waiting)) }
    }

    /// Hears of a committed change, on the writer's thread. A key that was revoked is cut off before this returns.
    pub fn on_change(&self, change: &Change) {
        match change {
            Change::TokenRevoked(hash) => self.cut(|subscriber| subscriber.token == *hash),
            Change::UserRemoved(id) | Change::UserDisabled(id) => self.cut(|subscriber| subscriber.user_id == *id),
            Change::UserChanged(_) | Change::SeatsChanged(_) | Change::TokenChanged(_) => {}
            Change::MeetingRedacted(id) => drop(self.lock().meetings.remove(id)),
            Change::MeetingMoved(moved) => self.pass_on(moved.meeting.id, change),
            Change::SegmentsStored(stored) => self.pass_on(stored.meeting_id, change),
        }
    }

    fn cut(&self, concerns: impl Fn(&Subscriber) -> bool) {
        self.lock()
            .subscribers
            .values()
            .filter(|subscriber| concerns(subscriber))
            .for_each(|subscriber| subscriber.cut(CloseReason::KeyRefused));
    }

    fn pass_on(&self, meeting: MeetingId, change: &Change) {
        let Some(watching) = self.watching(meeting) else { return };
        if self.events.try_send(change.clone()).is_err() {
            log::warn!("events come faster than they can be handed out: the watchers of meeting {meeting} are cut off");
            watching.values().for_each(|subscriber| subscriber.cut(CloseReason::Slow));
        }
    }

    /// Hands out events to their watchers, each written once for all of them; runs as long as the feed is there.
    pub async fn deliver(self: Arc<Self>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        while let Some(change) = waiting.recv().await {
            let Some(meeting) = push::meeting_of(&change) else { continue };
            if let Some(watching) = self.watching(meeting) {
                self.hand_out(meeting, &watching, &push::texts(&change)).await;
            }
        }
    }

    async fn hand_out(&self, meeting: MeetingId, watching: &Watching, texts: &[Utf8Bytes]) {
        for (served, subscriber) in (1..).zip(watching.values()) {
            for text in texts {
                subscriber.send(meeting, text);
            }
            if served % SERVED_TOGETHER == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// A new watcher, of no meeting yet; the receiver says when and why it is cut off.
    pub fn watch(self: &Arc<Self>, user_id: UserId, token: TokenHash) -> (Watcher, oneshot::Receiver<CloseReason>) {
        let (queue, news) = mpsc::channel(self.queue_max);
        let (end, ended) = oneshot::channel();
        let end = Mutex::new(Some(end));
        let subscriber = Arc::new(Subscriber { user_id, token, queue, is_cut: AtomicBool::new(false), end });
        let mut hub = self.lock();
        hub.numbers += 1;
        let number = hub.numbers;
        hub.subscribers.insert(number, Arc::clone(&subscriber));
        drop(hub);
        (Watcher { feed: Arc::clone(self), number, subscriber, news, meetings: HashMap::new() }, ended)
    }

    fn watching(&self, meeting: MeetingId) -> Option<Watching> {
        self.lock().meetings.get(&meeting).cloned()
    }

    // A panic while the lock was held leaves maps that are whole: every step under it is one insertion or removal.
    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    fn leave(&mut self, meeting: MeetingId, number: u64) {
        let Some(watching) = self.meetings.get_mut(&meeting) else { return };
        Arc::make_mut(watching).remove(&number);
        if watching.is_empty() {
            self.meetings.remove(&meeting);
        }
    }
}

/// One watcher, as its socket sees it. It has left when this is dropped.
pub struct Watcher {
    feed: Arc<Feed>,
    number: u64,
    subscriber: Arc<Subscriber>,
    news: mpsc::Receiver<Message>,
    /// What it watches, under the names by which it asked.
    meetings: HashMap<MeetingId, (Platform, String)>,
}

impl Watcher {
    /// Watches a meeting from now on; once more changes nothing. `false` where it watches [`SUBSCRIPTIONS_MAX`] already.
    pub fn subscribe(&mut self, meeting: &Meeting, native_id: &str) -> bool {
        if self.meetings.len() >= SUBSCRIPTIONS_MAX && !self.meetings.contains_key(&meeting.id) {
            return false;
        }
        self.meetings.insert(meeting.id, (meeting.platform, native_id.to_owned()));
        let mut hub = self.feed.lock();
        let watching = hub.meetings.entry(meeting.id).or_default();
        Arc::make_mut(watching).insert(self.number, Arc::clone(&self.subscriber));
        true
    }

    /// Watches the meetings of this name no more.
    pub fn unsubscribe(&mut self, platform: Platform, native_id: &str) {
        let mut hub = self.feed.lock();
        let named = self.meetings.extract_if(|_, (held_at, name)| *held_at == platform && name == native_id);
        named.for_each(|(meeting, _)| hub.leave(meeting, self.number));
    }

    /// The next message. Waits for ever once it is cut off.
    pub async fn next(&mut self) -> Utf8Bytes {
        while let Some(Message { meeting, text }) = self.news.recv().await {
            if self.subscriber.is_cut() {
                break;
            }
            // It may have come while the watcher was leaving the meeting.
            if self.meetings.contains_key(&meeting) {
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
        self.meetings.keys().for_each(|&meeting| hub.leave(meeting, self.number));
    }
}

mod tests;
