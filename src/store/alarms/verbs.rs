//! Alarms, raised and cleared.

use crate::domain::alarm::Alarm;
use crate::domain::{AlarmKind, MeetingId, MeetingStatus, Time};
use crate::error::Result;
use crate::store::meetings::read::by_id_if_found;
use crate::store::webhooks::outbox;
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Raises an alarm of a meeting whose bot is in it; one that is raised stays as it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct RaiseAlarm {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// What is missing.
    pub kind: AlarmKind,
    /// The time of the change.
    pub now: Time,
}

/// What became of an alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raised {
    /// Whether it is raised by this.
    pub is_new: bool,
    /// Whether an event waits for a webhook.
    is_posted: bool,
}

impl Verb for RaiseAlarm {
    type Answer = Raised;

    fn apply(&self, db: &Connection) -> Result<Raised> {
        let Some(meeting) = by_id_if_found(db, self.meeting_id)? else {
            return Ok(Raised::default());
        };
        if meeting.status != MeetingStatus::Active {
            return Ok(Raised::default());
        }
        let mut raise = db.prepare_cached(
            "INSERT INTO alarms (meeting_id, kind, raised_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (meeting_id, kind) DO UPDATE
               SET raised_at = excluded.raised_at, cleared_at = NULL
               WHERE cleared_at IS NOT NULL",
        )?;
        if raise.execute(params![self.meeting_id, self.kind, self.now])? == 0 {
            return Ok(Raised::default());
        }
        let alarm = Alarm::new(self.kind, self.now, None);
        let is_posted = outbox::queue_alarm(db, &meeting, &alarm, self.now)?;
        Ok(Raised { is_new: true, is_posted })
    }

    fn change(&self, raised: &Raised) -> Option<Change> {
        raised.is_posted.then_some(Change::DeliveryDue)
    }
}

/// Clears an alarm: what was missing has come.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClearAlarm {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// What is not missing any more.
    pub kind: AlarmKind,
    /// The time of the change.
    pub now: Time,
}

impl Verb for ClearAlarm {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut clear = db.prepare_cached(
            "UPDATE alarms SET cleared_at = ?3
             WHERE meeting_id = ?1 AND kind = ?2 AND cleared_at IS NULL",
        )?;
        clear.execute(params![self.meeting_id, self.kind, self.now])?;
        Ok(())
    }
}
