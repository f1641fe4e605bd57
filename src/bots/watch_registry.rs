//! Which meetings are watched, and the door by which their news come in.

use crate::domain::{Meeting, MeetingId, MeetingStatus, Time};
use crate::store::Change;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Where a meeting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingState {
    /// The state.
    pub status: MeetingStatus,
    /// Since when.
    pub since: Time,
}

impl MeetingState {
    /// From what is stored: the time of the last change of state, not of any change.
    pub fn of(meeting: &Meeting) -> Self {
        #[derive(serde::Deserialize)]
        struct Entry {
            timestamp: Time,
        }
        let members = meeting.data.members();
        let entries =
            members.get("status_transition").and_then(|raw| serde_json::from_str::<Vec<Entry>>(raw.get()).ok());
        let last = entries.and_then(|entries| entries.last().map(|entry| entry.timestamp));
        Self { status: meeting.status, since: last.unwrap_or(meeting.created_at) }
    }
}

/// The meetings that somebody watches. Each has room for its newest standing and no more, so news never wait for
/// anybody, and the last of them is never lost.
#[derive(Default)]
pub struct WatchRegistry(Mutex<HashMap<MeetingId, watch::Sender<MeetingState>>>);

impl WatchRegistry {
    /// Hears what was committed; on the writer's thread, which it does not keep.
    pub fn on_change(&self, change: &Change) {
        if let Change::MeetingMoved(moved) = change
            && let Some(watched) = self.lock().get(&moved.meeting.id)
        {
            watched.send_replace(MeetingState { status: moved.meeting.status, since: moved.at });
        }
    }

    /// Begins to watch a meeting; `None` where somebody does already.
    pub(crate) fn enter(self: &Arc<Self>, id: MeetingId, state: MeetingState) -> Option<WatchHandle> {
        let mut watched = self.lock();
        if watched.contains_key(&id) {
            return None;
        }
        let (sender, news) = watch::channel(state);
        watched.insert(id, sender);
        Some(WatchHandle { watch_registry: Arc::clone(self), id, at_entry: state, news })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MeetingId, watch::Sender<MeetingState>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on the roster; dropping it gives it up.
pub struct WatchHandle {
    watch_registry: Arc<WatchRegistry>,
    /// Whose.
    pub id: MeetingId,
    at_entry: MeetingState,
    /// Where the meeting stands.
    pub news: watch::Receiver<MeetingState>,
}

impl WatchHandle {
    /// Where the meeting stands now.
    pub fn state(&self) -> MeetingState {
        *self.news.borrow()
    }

    /// Corrects it by what the file says, which was read after the place was taken; news that came since are newer.
    pub fn correct(&self, read: MeetingState) {
        if let Some(watched) = self.watch_registry.lock().get(&self.id) {
            watched.send_if_modified(|state| {
                let is_news = *state == self.at_entry && read != self.at_entry;
                if is_news {
                    *state = read;
                }
                is_news
            });
        }
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        self.watch_registry.lock().remove(&self.id);
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
            platform: Platform::Teams,
            native_meeting_id: None,
            constructed_meeting_url: None,
            status,
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
            assert_eq!(MeetingState::of(&meeting(Active, data)).since, Time::from_millis(since), "{data}");
        }
    }

    #[test]
    fn news_are_newer_than_what_was_read() {
        let at = |status, millis| MeetingState { status, since: Time::from_millis(millis) };
        for (news, expected) in [(None, at(Joining, 2000)), (Some(Active), at(Active, 3000))] {
            let watch_registry = Arc::new(WatchRegistry::default());
            let watch = watch_registry.enter(MeetingId(1), at(Requested, 1000)).expect("a place");
            assert!(watch_registry.enter(MeetingId(1), at(Requested, 1000)).is_none(), "it is taken");
            if let Some(status) = news {
                let moved = Moved { meeting: meeting(status, "{}"), from: Requested, at: Time::from_millis(3000) };
                watch_registry.on_change(&Change::MeetingMoved(Arc::new(moved)));
            }
            watch.correct(at(Joining, 2000));
            assert_eq!(watch.state(), expected);
            drop(watch);
            assert!(watch_registry.enter(MeetingId(1), at(Requested, 1000)).is_some(), "it was given up");
        }
    }
}
