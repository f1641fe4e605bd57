//! Which meetings are watched, and the door by which their news come in.

use crate::domain::{Meeting, MeetingId, MeetingStatus, Time};
use crate::store::Change;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Where a meeting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub status: MeetingStatus,
    /// Since when.
    pub since: Time,
}

impl Standing {
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
pub struct Roster(Mutex<HashMap<MeetingId, watch::Sender<Standing>>>);

impl Roster {
    /// Hears what was committed; on the writer's thread, which it does not keep.
    pub fn hear(&self, change: &Change) {
        if let Change::MeetingMoved(moved) = change
            && let Some(watched) = self.lock().get(&moved.meeting.id)
        {
            watched.send_replace(Standing { status: moved.meeting.status, since: moved.at });
        }
    }

    /// Begins to watch a meeting; `None` where somebody does already.
    pub(super) fn enter(self: &Arc<Self>, id: MeetingId, standing: Standing) -> Option<Place> {
        let mut watched = self.lock();
        if watched.contains_key(&id) {
            return None;
        }
        let (sender, news) = watch::channel(standing);
        watched.insert(id, sender);
        Some(Place { roster: Arc::clone(self), id, at_entry: standing, news })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MeetingId, watch::Sender<Standing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on the roster; dropping it gives it up.
pub struct Place {
    roster: Arc<Roster>,
    /// Whose.
    pub id: MeetingId,
    at_entry: Standing,
    /// Where the meeting stands.
    pub news: watch::Receiver<Standing>,
}

impl Place {
    /// Where the meeting stands now.
    pub fn standing(&self) -> Standing {
        *self.news.borrow()
    }

    /// Corrects it by what the file says, which was read after the place was taken; news that came since are newer.
    pub fn correct(&self, read: Standing) {
        if let Some(watched) = self.roster.lock().get(&self.id) {
            watched.send_if_modified(|standing| {
                let is_news = *standing == self.at_entry && read != self.at_entry;
                if is_news {
                    *standing = read;
                }
                is_news
            });
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.roster.lock().remove(&self.id);
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
            assert_eq!(Standing::of(&meeting(Active, data)).since, Time::from_millis(since), "{data}");
        }
    }

    #[test]
    fn news_are_newer_than_what_was_read() {
        let at = |status, millis| Standing { status, since: Time::from_millis(millis) };
        for (news, expected) in [(None, at(Joining, 2000)), (Some(Active), at(Active, 3000))] {
            let roster = Arc::new(Roster::default());
            let place = roster.enter(MeetingId(1), at(Requested, 1000)).expect("a place");
            assert!(roster.enter(MeetingId(1), at(Requested, 1000)).is_none(), "it is taken");
            if let Some(status) = news {
                let moved = Moved { meeting: meeting(status, "{}"), from: Requested, at: Time::from_millis(3000) };
                roster.hear(&Change::MeetingMoved(Arc::new(moved)));
            }
            place.correct(at(Joining, 2000));
            assert_eq!(place.standing(), expected);
            drop(place);
            assert!(roster.enter(MeetingId(1), at(Requested, 1000)).is_some(), "it was given up");
        }
    }
}
