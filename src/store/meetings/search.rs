//! Meetings as an administrator searches for them, across all users.

use crate::domain::found::{FoundMeeting, MeetingState};
use crate::domain::{MeetingId, Platform, Time, UserId};
use crate::error::Result;
use crate::store::analytics::meeting_summary;
use crate::store::doors::Store;
use crate::store::look::{LOOK_LIMIT, Looked, look};
use crate::store::meetings::states::OPEN;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// Ids are in the order of time, but for a clock that was set back: by no more than this.
const OUT_OF_ORDER_SECONDS: i64 = 86_400;

/// Which meetings are asked for; always the newest first.
#[derive(Debug, Clone)]
pub struct MeetingSearch {
    /// Whose; everybody's where absent.
    pub user_id: Option<UserId>,
    /// Only those held here.
    pub platform: Option<Platform>,
    /// Only those that stand here.
    pub state: Option<MeetingState>,
    /// Only those that the platform calls so.
    pub native_meeting_id: Option<String>,
    /// Only those that were asked for at this time or later.
    pub from: Option<Time>,
    /// Only those that were asked for before this time.
    pub to: Option<Time>,
    /// Only ids below this one.
    pub before: i64,
    /// How many at most.
    pub limit: i64,
}

impl MeetingSearch {
    /// A statement of its own for each kind of filter, so that the indexes are used.
    fn sql(&self) -> String {
        let is_open = self.state.is_some_and(MeetingState::is_open);
        let index = if is_open { "INDEXED BY open_meetings" } else { "" };
        let open = if is_open { format!("m.status IN {} AND", *OPEN) } else { String::new() };
        let whose = if self.user_id.is_some() { "m.user_id = :user" } else { ":user IS NULL" };
        format!(
            "SELECT m.id, CASE WHEN m.created_at < :stop THEN NULL
               ELSE (:platform IS NULL OR m.platform = :platform)
                 AND (:status IS NULL OR m.status = :status)
                 AND (:native IS NULL OR coalesce(m.native_meeting_id = :native, 0))
                 AND (:from IS NULL OR m.created_at >= :from)
                 AND (:to IS NULL OR m.created_at < :to)
                 AND EXISTS (SELECT 1 FROM users u WHERE u.id = m.user_id AND u.erasing_at IS NULL)
               END
             FROM meetings m {index} WHERE {open} {whose} AND m.id < :before
             ORDER BY m.id DESC LIMIT :look"
        )
    }

    fn select(&self, db: &Connection) -> rusqlite::Result<Looked<FoundMeeting>> {
        let mut statement = db.prepare_cached(&self.sql())?;
        let stop = self.from.map(|from| from.plus_seconds(-OUT_OF_ORDER_SECONDS));
        let values = named_params! {
            ":user": self.user_id,
            ":platform": self.platform,
            ":status": self.state.and_then(MeetingState::status),
            ":native": self.native_meeting_id,
            ":from": self.from,
            ":to": self.to,
            ":stop": stop,
            ":before": self.before,
            ":look": LOOK_LIMIT,
        };
        look(statement.query(values)?, self.limit)?.with(|id| found_meeting(db, MeetingId(id)))
    }
}

fn found_meeting(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<FoundMeeting>> {
    let mut statement = db.prepare_cached(
        "SELECT m.id, m.user_id, m.platform, m.native_meeting_id, m.constructed_meeting_url,
           m.status, m.bot_container_id, m.start_time, m.end_time, m.created_at, m.updated_at,
           u.email
         FROM meetings m JOIN users u ON u.id = m.user_id WHERE m.id = ?1",
    )?;
    statement.query_row([id], found_meeting_at).optional()
}

fn found_meeting_at(row: &Row<'_>) -> rusqlite::Result<FoundMeeting> {
    let meeting = meeting_summary(row)?;
    Ok(FoundMeeting { meeting, email: row.get(11)? })
}

impl Store {
    /// The meetings that fit, as of one moment; a long read.
    pub async fn search_meetings(&self, search: MeetingSearch) -> Result<Looked<FoundMeeting>> {
        self.read_long(move |db| search.select(&*db.unchecked_transaction()?)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MeetingStatus;
    use crate::store::look::plan;

    #[test]
    fn meetings_are_found_by_an_index_or_looked_at_in_the_order_of_their_ids() {
        let search = |user_id, state| MeetingSearch {
            user_id,
            platform: None,
            state,
            native_meeting_id: None,
            from: None,
            to: None,
            before: 1,
            limit: 1,
        };
        let (user, db) = (Some(UserId(1)), plan::tables());
        for (user_id, state, first) in [
            (None, None, "SEARCH m USING INTEGER PRIMARY KEY (rowid<?)"),
            (
                None,
                Some(MeetingState::Status(MeetingStatus::Failed)),
                "SEARCH m USING INTEGER PRIMARY KEY (rowid<?)",
            ),
            (user, None, "SEARCH m USING INDEX meetings_of_user (user_id=? AND id<?)"),
            (
                user,
                Some(MeetingState::Open),
                "SEARCH m USING INDEX open_meetings (user_id=? AND id<?)",
            ),
            (
                None,
                Some(MeetingState::Status(MeetingStatus::Active)),
                "SCAN m USING INDEX open_meetings",
            ),
        ] {
            let steps = plan::steps(&db, &search(user_id, state).sql());
            assert!(steps.starts_with(first), "{steps}");
        }
    }
}
