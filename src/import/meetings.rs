//! The tables of meetings, their sessions, and what was planned.

use crate::domain::{Data, Time};
use crate::exit::StartupError;
use crate::import::data;
use crate::import::dump::{Dump, Table};
use crate::import::reading::Reading;
use crate::import::zone::Zone;
use crate::store::{OldMeeting, OldPlanned};
use std::io::Read;

/// States of what is planned and has no bot yet.
const TO_COME: &[&str] = &["scheduled", "bot_requested"];

/// Reads `meetings`.
pub(super) fn meetings<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, status) = (table.column("id")?, table.column("status")?);
    let [user_id, account_id, planned_id, platform, native_id, container] = [
        "user_id",
        "account_id",
        "scheduled_meeting_id",
        "platform",
        "platform_specific_id",
        "bot_container_id",
    ]
    .map(|c| table.find(c));
    let [start, end, json, created_at, updated_at] =
        ["start_time", "end_time", "data", "created_at", "updated_at"].map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let meeting_id = row.id(id)?;
        let cleaned = data::of_meeting(&row.text(json).unwrap_or("{}".into()));
        to.note_data(&cleaned, "meeting", meeting_id);
        let status = row.line(status).unwrap_or_default();
        let join_at = join_at(&status, &cleaned.data, &to.zone);
        let meeting = OldMeeting {
            id: meeting_id,
            user_id: row.integer(user_id)?,
            account_id: row.integer(account_id)?,
            planned_id: row.integer(planned_id)?,
            platform: row.line(platform),
            native_meeting_id: row.line(native_id),
            status,
            join_at,
            bot_container_id: row.line(container),
            start_time: row.time(start, &to.zone)?,
            end_time: row.time(end, &to.zone)?,
            data: cleaned.data,
            created_at: row.time(created_at, &to.zone)?,
            updated_at: row.time(updated_at, &to.zone)?,
        };
        to.count(table, &row);
        Reading::kept(to.importing.put_meeting(&meeting))?;
    }
    Ok(())
}

/// When the bot of a planned meeting joins: `scheduled_at` in its data, unless a user has said that
/// none is to join.
fn join_at(status: &str, data: &Data, zone: &Zone) -> Option<Time> {
    if status != "scheduled" {
        return None;
    }
    let is_off = data.flag("auto_join") == Some(false) || data.flag("stop_requested") == Some(true);
    if is_off {
        return None;
    }
    zone.read(&data.text("scheduled_at")?)
}

/// Reads `meeting_sessions`.
pub(super) fn sessions<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (meeting_id, uid) = (table.column("meeting_id")?, table.column("session_uid")?);
    let started_at = table.find("session_start_time");
    while let Some(row) = dump.next_row()? {
        let (meeting, started_at) = (row.id(meeting_id)?, row.time(started_at, &to.zone)?);
        let uid = row.line(uid);
        to.count(table, &row);
        if let Some(uid) = uid {
            Reading::kept(to.importing.put_session(meeting, &uid, started_at))?;
        }
    }
    Ok(())
}

/// Reads `scheduled_meetings`.
pub(super) fn planned<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let id = table.column("id")?;
    let [account_id, platform, native_id, url, status] =
        ["account_id", "platform", "native_meeting_id", "meeting_url", "status"]
            .map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let status = row.line(status).unwrap_or_default();
        let planned = OldPlanned {
            id: row.id(id)?,
            account_id: row.integer(account_id)?,
            platform: row.line(platform),
            native_meeting_id: row.line(native_id),
            url: row.line(url),
            is_to_come: TO_COME.contains(&status.as_str()),
        };
        to.count(table, &row);
        Reading::kept(to.importing.put_planned(&planned))?;
    }
    Ok(())
}
