//! Meetings without a bot: bridges send their sound over sockets. A meeting begins with the first
//! socket of its room and ends some time after the last, also where the server was restarted
//! meanwhile.

use crate::clock::{Clock, later};
use crate::domain::{
    CompletionReason, MeetingId, MeetingStatus, StatusReport, Time, TransitionSource,
};
use crate::error::Result;
use crate::store::{Advance, BeginBridge, Change, MeetingRef, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long a meeting waits for another socket after the last one.
const EMPTY_TIME_MAX: Duration = Duration::from_mins(1);
/// How long to wait after the database has failed.
const PAUSE: Duration = Duration::from_secs(10);

/// The meetings of bridges that are not over.
pub(crate) struct Bridges {
    clock: Clock,
    open: Mutex<HashMap<MeetingId, Open>>,
    /// Whoever begins or ends a meeting does it alone: a socket never joins one that just ends.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

/// A meeting that is not over.
struct Open {
    sockets: usize,
    /// When it ends, unless a socket comes; none where there is one.
    ends_at: Option<Time>,
    /// Whether it was told to end.
    is_stopped: watch::Sender<bool>,
}

/// A socket of a meeting; it leaves when this is dropped.
pub(crate) struct BridgeSocket {
    bridges: Arc<Bridges>,
    /// The meeting.
    pub meeting_id: MeetingId,
    is_stopped: watch::Receiver<bool>,
}

impl BridgeSocket {
    /// Waits until the meeting was told to end.
    pub(crate) async fn stopped(&mut self) {
        // An error is a meeting that is not there any more.
        let _ = self.is_stopped.wait_for(|is_stopped| *is_stopped).await;
    }
}

impl Drop for BridgeSocket {
    fn drop(&mut self) {
        self.bridges.leave(self.meeting_id);
    }
}

impl Bridges {
    /// None yet: [`Bridges::keep_ending`] takes up those of the last server.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            open: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Begins the meeting of a room, or joins the one that goes on. The errors are those of
    /// [`BeginBridge`].
    pub(crate) async fn join(
        self: &Arc<Self>,
        store: &Store,
        begin: BeginBridge,
    ) -> Result<BridgeSocket> {
        let _turn = self.turn.lock().await;
        let meeting_id = store.write(begin).await?.meeting_id;
        let mut open = self.lock();
        let meeting = open.entry(meeting_id).or_insert_with(Open::new);
        meeting.sockets += 1;
        meeting.ends_at = None;
        let is_stopped = meeting.is_stopped.subscribe();
        drop(open);
        Ok(BridgeSocket { bridges: Arc::clone(self), meeting_id, is_stopped })
    }

    fn leave(&self, meeting_id: MeetingId) {
        let mut open = self.lock();
        let Some(meeting) = open.get_mut(&meeting_id) else { return };
        meeting.sockets = meeting.sockets.saturating_sub(1);
        if meeting.sockets == 0 && meeting.ends_at.is_none() {
            meeting.ends_at = Some(later(self.clock.now(), EMPTY_TIME_MAX));
            self.changed.notify_one();
        }
    }

    /// Closes the sockets of a meeting that was told to end; on the writer's thread, which it does
    /// not block.
    pub(crate) fn on_change(&self, change: &Change) {
        let Change::MeetingMoved(moved) = change else { return };
        if moved.meeting.status == MeetingStatus::Active {
            return;
        }
        let mut open = self.lock();
        let Some(meeting) = open.get_mut(&moved.meeting.id) else { return };
        meeting.is_stopped.send_replace(true);
        meeting.ends_at = Some(self.clock.now());
        self.changed.notify_one();
        if moved.meeting.status.is_over() {
            open.remove(&moved.meeting.id);
        }
    }

    /// Ends the meetings whose time is over; it never ends by itself.
    pub(crate) async fn keep_ending(self: Arc<Self>, store: Arc<Store>) {
        self.take_up(&store).await;
        loop {
            let next = self.lock().values().filter_map(|meeting| meeting.ends_at).min();
            let due = async {
                match next {
                    Some(at) => self.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = due => self.end_due(&store).await,
            }
        }
    }

    /// Takes up the meetings of the last server, to which bridges may come back.
    async fn take_up(&self, store: &Store) {
        let found = loop {
            match store.open_bridges().await {
                Ok(found) => break found,
                Err(error) => {
                    let cause = error.store_cause();
                    log::warn!("the meetings of bridges cannot be read: {cause}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let now = self.clock.now();
        let mut open = self.lock();
        for (meeting_id, status) in found {
            let meeting = open.entry(meeting_id).or_insert_with(Open::new);
            if status != MeetingStatus::Active {
                meeting.is_stopped.send_replace(true);
                meeting.ends_at = Some(now);
            } else if meeting.sockets == 0 {
                meeting.ends_at = Some(later(now, EMPTY_TIME_MAX));
            }
        }
    }

    async fn end_due(&self, store: &Store) {
        let _turn = self.turn.lock().await;
        let now = self.clock.now();
        let mut due = Vec::new();
        for (meeting_id, meeting) in self.lock().iter() {
            if meeting.ends_at.is_some_and(|at| at <= now) {
                due.push((*meeting_id, *meeting.is_stopped.borrow()));
            }
        }
        due.sort_unstable();
        for (meeting_id, is_stopped) in due {
            let reason = match is_stopped {
                true => CompletionReason::Stopped,
                false => CompletionReason::LeftAlone,
            };
            let mut report = StatusReport::new(MeetingStatus::Completed, TransitionSource::Server);
            report.completion_reason = Some(reason);
            let meeting_ref = MeetingRef::Meeting(meeting_id);
            let end = Advance { meeting_ref, report, container_id: None, now };
            if let Err(error) = store.write(end).await {
                let cause = error.store_cause();
                log::warn!("meeting {meeting_id}: it cannot be ended yet: {cause}");
                if let Some(meeting) = self.lock().get_mut(&meeting_id) {
                    meeting.ends_at = Some(later(now, PAUSE));
                }
                continue;
            }
            // One that was over already has told nobody.
            self.lock().remove(&meeting_id);
        }
    }

    // A panic while the lock was held leaves a map that is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<MeetingId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn new() -> Self {
        Self { sockets: 0, ends_at: None, is_stopped: watch::Sender::new(false) }
    }
}
