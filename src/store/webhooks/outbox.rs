//! Events for the users' webhooks: written in the transaction that changes the state, so that none
//! is lost and none invented.

use crate::domain::{
    CompletionReason, Meeting, MeetingStatus, StatusReport, Time, TransitionSource, UserId,
};
use crate::error::{Error, Result};
use crate::store::webhooks::event_parts::keep;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

/// What is posted when a meeting moves on.
#[derive(Serialize)]
struct Posted<'a> {
    event_type: &'static str,
    meeting: &'a Meeting,
    status_change: Step<'a>,
}

#[derive(Serialize)]
struct Step<'a> {
    from: MeetingStatus,
    to: MeetingStatus,
    reason: Option<&'a str>,
    timestamp: Time,
    transition_source: TransitionSource,
}

/// Queues the event of a meeting that has moved on, if its owner has a webhook.
pub(crate) fn queue(
    db: &Connection,
    meeting: &Meeting,
    from: MeetingStatus,
    report: &StatusReport,
    now: Time,
) -> Result<()> {
    if webhook_url(db, meeting.user_id)?.is_none() {
        return Ok(());
    }
    let stopped =
        (meeting.status == MeetingStatus::Completed).then_some(CompletionReason::Stopped.as_str());
    let reason = report
        .completion_reason
        .map(CompletionReason::as_str)
        .or(report.reason.as_deref())
        .or(stopped);
    let (to, transition_source) = (report.to, report.by);
    let status_change = Step { from, to, reason, timestamp: now, transition_source };
    let event = Posted { event_type: "meeting.status_change", meeting, status_change };
    let body = serde_json::to_string(&event).map_err(|error| Error::Internal(error.to_string()))?;
    // A meeting takes each step once, so no two events have one body; and the same verbs on a copy
    // give the same names.
    let uid = &blake3::hash(body.as_bytes()).to_hex()[..32];
    let kept = keep(db, meeting.id, &meeting.data, &body)?;
    let mut insert = db.prepare_cached(
        "INSERT INTO deliveries (user_id, meeting_id, uid, body, parts, created_at, attempts, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?6)",
    )?;
    let (user_id, meeting_id) = (meeting.user_id, meeting.id);
    insert.execute(params![user_id, meeting_id, uid, kept.body, kept.parts, now])?;
    Ok(())
}

/// Where a user's events go.
fn webhook_url(db: &Connection, user_id: UserId) -> Result<Option<String>> {
    let mut find = db.prepare_cached("SELECT webhook_url FROM users WHERE id = ?1")?;
    let found: Option<Option<String>> = find.query_row([user_id], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}
