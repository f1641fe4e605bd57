//! Meetings, their sessions and their streams: from the scratch tables into the new database.

use crate::domain::import::{Remark, Remarks};
use crate::domain::{
    Data, FailureStage, MeetingStatus, Passcode, Platform, StoredPlatform, StoredStatus, Time,
};
use crate::error::Result;
use crate::store::import::work::{Imported, Importing};
use crate::store::meetings::planned::{JOIN_AT, PLANNED_MAX, PlannedSettings};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// States of meetings that are still to come.
pub(crate) const PLANNED_STATES: &[&str] = &["scheduled", "planned", "idle"];

/// A meeting as the scratch tables have one, with what it was planned as.
struct Waiting {
    id: i64,
    user_id: Option<i64>,
    platform: StoredPlatform,
    native_meeting_id: Option<String>,
    url: Option<String>,
    status: String,
    join_at: Option<Time>,
    bot_container_id: Option<String>,
    start_time: Option<Time>,
    end_time: Option<Time>,
    data: Data,
    created_at: Time,
    updated_at: Time,
}

const LIST: &str = "
SELECT m.id, o.user_id, coalesce(p.platform, m.platform, 'unknown'),
  coalesce(p.native_meeting_id, m.native_meeting_id), p.url, m.status, m.bot_container_id, m.start_time,
  m.end_time, m.data, coalesce(m.created_at, m.start_time, m.updated_at, ?1),
  coalesce(m.updated_at, m.end_time, m.created_at, ?1), m.join_at
FROM old.meetings m
LEFT JOIN old.planned p ON p.id = m.planned_id
LEFT JOIN old.owners o
  ON o.is_account = (coalesce(m.account_id, p.account_id) IS NOT NULL)
    AND o.id = coalesce(m.account_id, p.account_id, m.user_id)
ORDER BY m.id";

fn waiting_at(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        id: row.get(0)?,
        user_id: row.get(1)?,
        platform: row.get(2)?,
        native_meeting_id: row.get(3)?,
        url: row.get(4)?,
        status: row.get(5)?,
        bot_container_id: row.get(6)?,
        start_time: row.get(7)?,
        end_time: row.get(8)?,
        data: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
        join_at: row.get(12)?,
    })
}

impl Waiting {
    /// The platform's id as it is stored.
    fn native_id(&self) -> Option<String> {
        let id = self.native_meeting_id.as_deref()?;
        Some(self.platform.known().map_or_else(|| id.to_owned(), |platform| platform.folded(id)))
    }

    /// The address that people open, where it is known.
    fn address(&self, native_id: Option<&str>) -> Option<String> {
        let said = [
            self.url.clone(),
            self.data.text("constructed_meeting_url"),
            self.data.text("meeting_url"),
        ];
        if let Some(url) = said.into_iter().flatten().find(|url| url.starts_with("http")) {
            return Some(url);
        }
        let passcode = self.data.text("passcode").map(Passcode);
        let platform: Platform = self.platform.known()?;
        let url = platform.meeting_url(native_id?, passcode.as_ref());
        (!url.is_empty()).then_some(url)
    }

    /// Ends a meeting that was not over there: no bot of ours is in it.
    fn end(&mut self) {
        let stage = FailureStage::from_word(&self.status);
        let error = format!("The former installation left it at {}.", self.status);
        self.data = self.data.with("error", Some(&error));
        if let Some(stage) = stage {
            self.data = self.data.with("failure_stage", Some(&stage));
        }
        self.end_time = self.end_time.or(Some(self.updated_at));
    }
}

impl Importing {
    pub(super) fn load_meetings(
        &self,
        imported: &mut Imported,
        remarks: &mut Remarks,
    ) -> Result<()> {
        self.note_planned(remarks)?;
        let mut list = self.db.prepare(LIST)?;
        let mut rows = list.query([self.actor.at])?;
        while let Some(row) = rows.next()? {
            let mut meeting = waiting_at(row)?;
            let id = meeting.id;
            if PLANNED_STATES.contains(&meeting.status.as_str()) && meeting.start_time.is_none() {
                let is_kept = self.load_plan(&meeting)?;
                imported.meetings += u64::from(is_kept);
                let remark = if is_kept { Remark::PlanKept } else { Remark::MeetingPlanned };
                remarks.add(remark, || format!("meeting {id}"));
                continue;
            }
            let Some(user_id) = meeting.user_id else {
                remarks.add(Remark::MeetingOfNobody, || format!("meeting {id}"));
                continue;
            };
            let mut status = StoredStatus::of(&meeting.status);
            if !status.known().is_some_and(MeetingStatus::is_over) {
                let stood = meeting.status.clone();
                remarks.add(Remark::MeetingOpen, || format!("meeting {id} at {stood}"));
                meeting.end();
                status = MeetingStatus::Failed.into();
            }
            self.load_meeting(&meeting, user_id, &status)?;
            imported.meetings += 1;
            imported.streams += self.load_streams(&meeting, user_id)?;
        }
        Ok(())
    }

    /// Plans the bot of a meeting that is still to come, where its time, its address and a token of
    /// its user are known, and none is planned for the same meeting; whether it is planned.
    fn load_plan(&self, meeting: &Waiting) -> Result<bool> {
        let native_id = meeting.native_id();
        let address = meeting.address(native_id.as_deref());
        let join_at = meeting.join_at.filter(|join_at| *join_at > self.actor.at);
        let (Some(user_id), Some(join_at), Some(native_id), Some(address)) =
            (meeting.user_id, join_at, native_id, address)
        else {
            return Ok(false);
        };
        let Some(token_id) = self.token_of(user_id, join_at)? else { return Ok(false) };
        let mut insert = self.db.prepare_cached(
            "INSERT OR IGNORE INTO main.meetings (id, user_id, platform, native_meeting_id, constructed_meeting_url,
               status, data, created_at, updated_at, join_at)
             SELECT ?1, ?2, ?3, ?4, ?5, 'scheduled', ?6, ?7, ?8, ?9
             WHERE ?10 > (SELECT count(*) FROM main.meetings WHERE user_id = ?2 AND status = 'scheduled')",
        )?;
        let inserted = insert.execute(params![
            meeting.id,
            user_id,
            meeting.platform,
            native_id,
            address,
            meeting.data.with(JOIN_AT, Some(&join_at)),
            meeting.created_at,
            meeting.updated_at,
            join_at,
            PLANNED_MAX
        ])?;
        if inserted == 0 {
            return Ok(false);
        }
        let settings =
            PlannedSettings { passcode: meeting.data.text("passcode"), has_voice: false };
        let mut session = self.db.prepare_cached(
            "INSERT INTO main.sessions (meeting_id, uid, bot_name, started_at, token_id, plan)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let uid = format!("import:plan:{}:{join_at}", meeting.id);
        let said = meeting.data.text("bot_name").filter(|name| !name.is_empty());
        let bot_name = said.unwrap_or_else(|| self.terms.bot_name.clone());
        let plan = settings.json()?;
        session.execute(params![meeting.id, uid, bot_name, join_at, token_id, plan])?;
        let mut keep = self.db.prepare_cached("INSERT INTO old.plans VALUES (?1, ?2)")?;
        keep.execute(params![meeting.id, join_at])?;
        Ok(true)
    }

    /// The first token of a user that will open something at this time.
    fn token_of(&self, user_id: i64, at: Time) -> Result<Option<i64>> {
        let mut find = self.db.prepare_cached(
            "SELECT id FROM main.tokens WHERE user_id = ?1 AND disabled_at IS NULL
               AND (expires_at IS NULL OR expires_at > ?2) ORDER BY id LIMIT 1",
        )?;
        Ok(find.query_row(params![user_id, at], |row| row.get(0)).optional()?)
    }

    /// What was planned and had no bot yet.
    fn note_planned(&self, remarks: &mut Remarks) -> Result<()> {
        let mut list = self.db.prepare(
            "SELECT id FROM old.planned p WHERE is_to_come = 1
               AND NOT EXISTS (SELECT 1 FROM old.meetings m WHERE m.planned_id = p.id) ORDER BY id",
        )?;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            remarks.add(Remark::ScheduledLeftOut, || format!("scheduled meeting {id}"));
        }
        Ok(())
    }

    fn load_meeting(&self, meeting: &Waiting, user_id: i64, status: &StoredStatus) -> Result<()> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO main.meetings (id, user_id, platform, native_meeting_id, constructed_meeting_url, status,
               bot_container_id, start_time, end_time, data, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        let native_id = meeting.native_id();
        let address = meeting.address(native_id.as_deref());
        insert.execute(params![
            meeting.id,
            user_id,
            meeting.platform,
            native_id,
            address,
            status,
            meeting.bot_container_id,
            meeting.start_time,
            meeting.end_time,
            meeting.data,
            meeting.created_at,
            meeting.updated_at
        ])?;
        Ok(())
    }

    /// Inserts a stream for each session of a meeting; the first session is the meeting's clock.
    fn load_streams(&self, meeting: &Waiting, user_id: i64) -> Result<u64> {
        let begins_at = meeting.start_time.unwrap_or(meeting.created_at);
        let mut list = self.db.prepare_cached(
            "SELECT uid, coalesce(started_at, ?2) AS at FROM old.sessions WHERE meeting_id = ?1 ORDER BY at, uid",
        )?;
        let mut rows = list.query(params![meeting.id, begins_at])?;
        let (mut first, mut streams) = (None, 0);
        while let Some(row) = rows.next()? {
            let (uid, started_at): (String, Time) = (row.get(0)?, row.get(1)?);
            begin_stream(&self.db, meeting.id, &uid, started_at)?;
            if first.is_none() {
                let ended_at = meeting.end_time.unwrap_or(meeting.updated_at);
                self.begin_session(meeting.id, &uid, started_at, ended_at, &meeting.data)?;
                first = Some(started_at);
            }
            streams += 1;
        }
        let mut keep = self.db.prepare_cached("INSERT INTO old.kept VALUES (?1, ?2, ?3)")?;
        keep.execute(params![meeting.id, user_id, first.unwrap_or(begins_at)])?;
        Ok(streams)
    }

    fn begin_session(
        &self,
        meeting_id: i64,
        uid: &str,
        started_at: Time,
        ended_at: Time,
        data: &Data,
    ) -> Result<()> {
        let bot_name = data.text("bot_name").unwrap_or_default();
        let mut insert = self.db.prepare_cached(
            "INSERT OR IGNORE INTO main.sessions (meeting_id, uid, bot_name, started_at, cleared_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        // Sessions of two meetings may have one name there.
        for uid in [uid, &format!("{uid}:{meeting_id}")] {
            if insert.execute(params![meeting_id, uid, bot_name, started_at, ended_at])? > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Begins the clock of a meeting that had no session, where it has segments all the same.
    pub(super) fn begin_clock(&self, meeting_id: i64, started_at: Time) -> Result<()> {
        let known = "SELECT 1 FROM main.sessions WHERE meeting_id = ?1";
        if self.db.prepare_cached(known)?.exists([meeting_id])? {
            return Ok(());
        }
        let uid = format!("import:{meeting_id}");
        self.begin_session(meeting_id, &uid, started_at, started_at, &Data::default())
    }
}

/// Inserts a stream, and returns its number.
pub(super) fn begin_stream(
    db: &Connection,
    meeting_id: i64,
    uid: &str,
    started_at: Time,
) -> Result<i64> {
    let mut insert = db.prepare_cached(
        "INSERT INTO main.streams (meeting_id, uid, started_at) VALUES (?1, ?2, ?3)",
    )?;
    insert.execute(params![meeting_id, uid, started_at])?;
    Ok(db.last_insert_rowid())
}

/// The stream of this name: its number, and when it began.
pub(super) fn find_stream(
    db: &Connection,
    meeting_id: i64,
    uid: &str,
) -> Result<Option<(i64, Time)>> {
    let mut find = db.prepare_cached(
        "SELECT id, started_at FROM main.streams WHERE meeting_id = ?1 AND uid = ?2",
    )?;
    let found = find.query_row(params![meeting_id, uid], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}
