//! The counts of an overview: those by an index at once, those by a scan as long reads.

use crate::domain::overview::{
    BotCounts, DatabaseSize, DiskSpace, ENDING_DAYS, EndingSoon, MeetingsToday, TableCounts,
    WaitingEvents,
};
use crate::domain::{Day, MeetingStatus, StoredStatus, Time};
use crate::error::Result;
use crate::store::beside::beside;
use crate::store::doors::Store;
use crate::store::look::BEYOND_MAX;
use crate::store::meetings::states::OPEN;
use rusqlite::{Connection, OptionalExtension, params};

/// Most events that are counted: each costs a look at its row, which may be long.
const EVENTS_COUNTED: i64 = 1000;
/// Most meetings of a day that are counted.
const MEETINGS_COUNTED: i64 = 100_000;
/// One day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// How many events wait, of the first `?1`, and the oldest of them.
const WAITING_EVENTS: &str = "SELECT count(*), min(id) FROM (SELECT id FROM deliveries
    INDEXED BY deliveries_waiting WHERE next_at IS NOT NULL LIMIT ?1)";

/// Tokens that are accepted at `?1`, were not rotated, and end until `?2`: by their end, or because
/// nobody uses them. The search for ending tokens finds the same ones.
const ENDING_TOKENS: &str = "SELECT count(*) FROM tokens t
    WHERE disabled_at IS NULL AND replaced_by IS NULL
      AND EXISTS (SELECT 1 FROM users u
        WHERE u.id = t.user_id AND u.erasing_at IS NULL AND u.disabled_at IS NULL)
      AND coalesce(expires_at > ?1, 1)
      AND coalesce(coalesce(last_used_at, created_at) + 1000 * disuse_seconds > ?1, 1)
      AND (coalesce(expires_at <= ?2, 0)
        OR coalesce(coalesce(last_used_at, created_at) + 1000 * disuse_seconds <= ?2, 0))";

impl Store {
    /// How many meetings stand in each of the open states; a small read by the index of open
    /// meetings.
    pub fn open_by_status(&self) -> Result<BotCounts> {
        self.read(|db| {
            let mut list = db.prepare_cached(&open_sql())?;
            let (mut rows, mut counts) = (list.query([])?, BotCounts::default());
            while let Some(row) = rows.next()? {
                let (status, count): (StoredStatus, i64) = (row.get(0)?, row.get(1)?);
                match status.known() {
                    Some(MeetingStatus::Requested) => counts.requested = count,
                    Some(MeetingStatus::Joining) => counts.joining = count,
                    Some(MeetingStatus::AwaitingAdmission) => counts.awaiting_admission = count,
                    Some(MeetingStatus::Active) => counts.active = count,
                    Some(MeetingStatus::Stopping) => counts.stopping = count,
                    Some(
                        MeetingStatus::Scheduled | MeetingStatus::Completed | MeetingStatus::Failed,
                    )
                    | None => {}
                }
            }
            Ok(counts)
        })
    }

    /// The events that wait; a small read by their index.
    pub fn waiting_events(&self) -> Result<WaitingEvents> {
        self.read(|db| {
            let mut count = db.prepare_cached(WAITING_EVENTS)?;
            let (waiting, oldest): (i64, Option<i64>) =
                count.query_row([EVENTS_COUNTED], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut find = db.prepare_cached("SELECT created_at FROM deliveries WHERE id = ?1")?;
            let oldest_at = find.query_row([oldest], |row| row.get(0)).optional()?;
            Ok(WaitingEvents { waiting, oldest_at })
        })
    }

    /// What is counted by reading whole tables, as of one moment; a long read.
    pub async fn table_counts(&self, now: Time) -> Result<TableCounts> {
        self.read_long(move |db| table_counts(&*db.unchecked_transaction()?, now)).await
    }

    /// The disk that the database is on; `None` where the system does not say.
    pub fn disk_space(&self) -> Option<DiskSpace> {
        let stat = rustix::fs::statvfs(self.path()).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Some(DiskSpace { free_bytes: bytes(stat.f_bavail), total_bytes: bytes(stat.f_blocks) })
    }

    /// The sizes of the database and of its WAL.
    pub fn database_size(&self) -> DatabaseSize {
        let wal = beside(self.path(), "-wal");
        let wal_bytes = std::fs::metadata(wal).map_or(0, |meta| meta.len());
        let bytes = std::fs::metadata(self.path()).map_or(0, |meta| meta.len());
        DatabaseSize { bytes, wal_bytes }
    }
}

fn open_sql() -> String {
    format!(
        "SELECT status, count(*) FROM meetings INDEXED BY open_meetings
         WHERE status IN {} GROUP BY status",
        *OPEN
    )
}

fn table_counts(db: &Connection, now: Time) -> rusqlite::Result<TableCounts> {
    let users = "SELECT count(*), count(disabled_at) FROM users WHERE erasing_at IS NULL";
    let (users, users_disabled) =
        db.prepare_cached(users)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tokens =
        db.prepare_cached("SELECT count(*) FROM tokens")?.query_row([], |row| row.get(0))?;
    let end = now.plus_seconds(ENDING_DAYS * DAY_MS / 1000);
    let ending_tokens =
        db.prepare_cached(ENDING_TOKENS)?.query_row(params![now, end], |row| row.get(0))?;
    let keys = "SELECT count(*) FROM admin_keys WHERE expires_at > ?1 AND expires_at <= ?2";
    let admin_keys = db.prepare_cached(keys)?.query_row(params![now, end], |row| row.get(0))?;
    let ending_soon = EndingSoon { days: ENDING_DAYS, tokens: ending_tokens, admin_keys };
    let meetings_today = meetings_today(db, now)?;
    Ok(TableCounts { users, users_disabled, tokens, meetings_today, ending_soon })
}

/// Ids are in the order of time, but for some, so only the newest meetings are read.
fn meetings_today(db: &Connection, now: Time) -> rusqlite::Result<MeetingsToday> {
    let midnight = Time::from_millis(Day::of(now).number() * DAY_MS);
    let mut newest =
        db.prepare_cached("SELECT status, created_at FROM meetings ORDER BY id DESC LIMIT ?1")?;
    let mut rows = newest.query([MEETINGS_COUNTED])?;
    let mut today = MeetingsToday::default();
    let mut older = 0;
    while let Some(row) = rows.next()? {
        if row.get::<_, Time>(1)? < midnight {
            older += 1;
            if older == BEYOND_MAX {
                break;
            }
            continue;
        }
        older = 0;
        let status: StoredStatus = row.get(0)?;
        today.total += 1;
        match status.known() {
            Some(MeetingStatus::Completed) => today.completed += 1,
            Some(MeetingStatus::Failed) => today.failed += 1,
            Some(_) => today.open += 1,
            None => {}
        }
    }
    Ok(today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::look::plan;

    #[test]
    fn events_that_wait_are_counted_without_a_sort() {
        let steps = plan::steps(&plan::tables(), WAITING_EVENTS);
        assert!(!steps.contains("TEMP B-TREE"), "{steps}");
    }
}
