//! The meetings that have a task, and how a committed change reaches it.

use crate::bots::meeting_ends::MeetingEnds;
use crate::domain::{Meeting, MeetingId, MeetingStatus, Time};
use crate::store::Change;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The state of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeetingState {
    /// The status.
    pub status: MeetingStatus,
    /// When the status last changed.
    pub since: Time,
}

/// What is read of an entry of `data.status_transition`.
#[derive(Deserialize)]
struct Transition {
    timestamp: Time,
}

impl MeetingState {
    /// From a stored meeting: the time of its last change of status, not of any change.
    pub(crate) fn of(meeting: &Meeting) -> Self {
        let mut since = meeting.created_at;
        if let Some(raw) = meeting.data.members().get("status_transition")
            && let Ok(transitions) = serde_json::from_str::<Vec<Transition>>(raw.get())
            && let Some(last) = transitions.last()
        {
            since = last.timestamp;
        }
        Self { status: meeting.status.acted_on(), since }
    }
}

/// The meetings that have a task. Each has room for its newest state and no more, so the writer
/// never waits for a task, and the newest state is never lost.
#[derive(Default)]
pub struct WatchRegistry {
    watched: Mutex<HashMap<MeetingId, watch::Sender<MeetingState>>>,
    /// The ends of meetings since the start.
    pub(crate) ends: MeetingEnds,
}

impl WatchRegistry {
    /// Passes a committed change of status on to the meeting's task; on the writer's thread, which
    /// it does not block.
    pub fn on_change(&self, change: &Change) {
        let Change::MeetingMoved(moved) = change else { return };
        self.ends.count(&moved.meeting);
        if let Some(sender) = self.lock().get(&moved.meeting.id) {
            sender.send_replace(MeetingState {
                status: moved.meeting.status.acted_on(),
                since: moved.at,
            });
        }
    }

    /// Registers a meeting; `None` where it is registered already.
    pub(crate) fn register(
        self: &Arc<Self>,
        id: MeetingId,
        state: MeetingState,
    ) -> Option<WatchHandle> {
        let mut watched = self.lock();
        if watched.contains_key(&id) {
            return None;
        }
        let (sender, states) = watch::channel(state);
        watched.insert(id, sender);
        Some(WatchHandle { watch_registry: Arc::clone(self), id, at_registration: state, states })
    }

    /// How many stand in each status that is not over.
    pub(crate) fn by_status(&self) -> Vec<(&'static str, u64)> {
        let mut counts = Vec::new();
        for word in MeetingStatus::WORDS {
            if MeetingStatus::from_word(word).is_some_and(MeetingStatus::has_bot) {
                counts.push((*word, 0));
            }
        }
        for sender in self.lock().values() {
            let word = sender.borrow().status.as_str();
            if let Some((_, count)) = counts.iter_mut().find(|(status, _)| *status == word) {
                *count += 1;
            }
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MeetingId, watch::Sender<MeetingState>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a meeting; dropping it ends it.
pub(crate) struct WatchHandle {
    watch_registry: Arc<WatchRegistry>,
    /// The meeting.
    pub id: MeetingId,
    at_registration: MeetingState,
    /// Its states.
    pub states: watch::Receiver<MeetingState>,
}

impl WatchHandle {
    /// The state of the meeting now.
    pub(crate) fn state(&self) -> MeetingState {
        *self.states.borrow()
    }

    /// Corrects the state by what was read from the database after the registration. A change that
    /// came since is newer, and stays.
    pub(crate) fn correct(&self, read: MeetingState) {
        let watched = self.watch_registry.lock();
        let Some(sender) = watched.get(&self.id) else { return };
        let unchanged = *sender.borrow() == self.at_registration;
        if unchanged && read != self.at_registration {
            // No change comes in between: the registry is locked.
            sender.send_replace(read);
        }
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        let removed = self.watch_registry.lock().remove(&self.id);
        debug_assert!(removed.is_some(), "a handle is the registration of its meeting");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Data, Platform, UserId};
    use crate::store::Moved;
    use MeetingStatus::{Active, Joining, Requested};

    fn meeting(status: MeetingStatus, data: &str) -> Meeting {
        Meeting {
            id: MeetingId(1),
            user_id: UserId(1),
            platform: Platform::Teams.into(),
            native_meeting_id: None,
            constructed_meeting_url: None,
            status: status.into(),
            bot_container_id: None,
            start_time: None,
            end_time: None,
            data: Data::stored(data.to_owned()),
            created_at: Time::from_millis(1000),
            updated_at: Time::from_millis(9000),
        }
    }

    #[test]
    fn a_state_counts_from_its_own_beginning() {
        for (data, since) in [
            ("{}", 1000),
            (r#"{"status_transition": []}"#, 1000),
            (r#"{"status_transition": "nonsense"}"#, 1000),
            (
                r#"{"status_transition": [{"timestamp": "1970-01-01T00:00:02Z"}, {"timestamp": "1970-01-01T00:00:03Z"}]}"#,
                3000,
            ),
        ] {
            assert_eq!(
                MeetingState::of(&meeting(Active, data)).since,
                Time::from_millis(since),
                "{data}"
            );
        }
    }

    #[test]
    fn a_change_is_newer_than_what_was_read() {
        let at = |status, millis| MeetingState { status, since: Time::from_millis(millis) };
        for (change, expected) in [(None, at(Joining, 2000)), (Some(Active), at(Active, 3000))] {
            let watch_registry = Arc::new(WatchRegistry::default());
            let watch =
                watch_registry.register(MeetingId(1), at(Requested, 1000)).expect("a registration");
            assert!(
                watch_registry.register(MeetingId(1), at(Requested, 1000)).is_none(),
                "it is taken"
            );
            if let Some(status) = change {
                let moved = Moved {
                    meeting: meeting(status, "{}"),
                    from: Requested,
                    settled: Vec::new(),
                    at: Time::from_millis(3000),
                };
                watch_registry.on_change(&Change::MeetingMoved(Arc::new(moved)));
            }
            watch.correct(at(Joining, 2000));
            assert_eq!(watch.state(), expected);
            drop(watch);
            assert!(
                watch_registry.register(MeetingId(1), at(Requested, 1000)).is_some(),
                "it has ended"
            );
        }
    }
}
