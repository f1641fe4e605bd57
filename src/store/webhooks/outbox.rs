//! Events for the users' webhooks: written in the transaction that changes the state, so that none
//! is lost and none invented.

use crate::domain::alarm::Alarm;
use crate::domain::{
    CompletionReason, Meeting, MeetingStatus, StatusReport, Time, TransitionSource, WebhookEvent,
};
use crate::error::{Error, Result};
use crate::store::segments::session::WORDS_AFTER_END_SECONDS;
use crate::store::webhooks::event_parts::keep;
use crate::store::webhooks::settings::{Webhook, webhooks_of};
use rusqlite::{Connection, params};
use serde::Serialize;

/// What is posted when a meeting moves on, when its transcript is ready, and when something is
/// missing.
#[derive(Serialize)]
struct Posted<'a> {
    event_type: &'static str,
    meeting: &'a Meeting,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_change: Option<Step<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<&'a Alarm>,
    /// When a meeting is over, its members stand here as well: receivers of earlier versions were
    /// sent the meeting alone.
    #[serde(flatten)]
    members: Option<&'a Meeting>,
}

#[derive(Serialize)]
struct Step<'a> {
    from: MeetingStatus,
    to: MeetingStatus,
    reason: Option<&'a str>,
    timestamp: Time,
    transition_source: TransitionSource,
}

/// Queues what a meeting that has moved on is to tell its owner's webhooks.
pub(crate) fn queue(
    db: &Connection,
    meeting: &Meeting,
    from: MeetingStatus,
    report: &StatusReport,
    now: Time,
) -> Result<()> {
    let webhooks = webhooks_of(db, meeting.user_id)?;
    let is_over = report.to.is_over();
    if is_wanted(&webhooks, WebhookEvent::StatusChange) {
        let event = Posted {
            event_type: WebhookEvent::StatusChange.as_str(),
            meeting,
            status_change: Some(step(meeting, from, report, now)),
            alarm: None,
            members: is_over.then_some(meeting),
        };
        insert(db, &webhooks, WebhookEvent::StatusChange, &event, now, now)?;
    }
    if is_over
        && is_wanted(&webhooks, WebhookEvent::TranscriptReady)
        && may_have_words(db, meeting)?
    {
        let event = Posted {
            event_type: WebhookEvent::TranscriptReady.as_str(),
            meeting,
            status_change: None,
            alarm: None,
            members: None,
        };
        // Bots report the end before their last words.
        let ready_at = now.plus_seconds(WORDS_AFTER_END_SECONDS);
        insert(db, &webhooks, WebhookEvent::TranscriptReady, &event, now, ready_at)?;
    }
    Ok(())
}

/// Queues an alarm of a meeting for the webhooks that ask for it; whether there are any.
pub(crate) fn queue_alarm(
    db: &Connection,
    meeting: &Meeting,
    alarm: &Alarm,
    now: Time,
) -> Result<bool> {
    let webhooks = webhooks_of(db, meeting.user_id)?;
    if !is_wanted(&webhooks, WebhookEvent::Silent) {
        return Ok(false);
    }
    let event = Posted {
        event_type: WebhookEvent::Silent.as_str(),
        meeting,
        status_change: None,
        alarm: Some(alarm),
        members: None,
    };
    insert(db, &webhooks, WebhookEvent::Silent, &event, now, now)?;
    Ok(true)
}

fn is_wanted(webhooks: &[Webhook], event: WebhookEvent) -> bool {
    webhooks.iter().any(|webhook| webhook.wants(event))
}

/// Whether the bot was let in, or heard something.
fn may_have_words(db: &Connection, meeting: &Meeting) -> Result<bool> {
    if meeting.start_time.is_some() {
        return Ok(true);
    }
    let mut said = db.prepare_cached("SELECT 1 FROM segments WHERE meeting_id = ?1 LIMIT 1")?;
    Ok(said.exists([meeting.id])?)
}

fn step<'a>(
    meeting: &Meeting,
    from: MeetingStatus,
    report: &'a StatusReport,
    now: Time,
) -> Step<'a> {
    let stopped =
        (meeting.status == MeetingStatus::Completed).then_some(CompletionReason::Stopped.as_str());
    let reason = report
        .completion_reason
        .map(CompletionReason::as_str)
        .or(report.reason.as_deref())
        .or(stopped);
    let (to, transition_source) = (report.to, report.by);
    Step { from, to, reason, timestamp: now, transition_source }
}

/// Writes an event once for each webhook that wants it; all have its name.
fn insert(
    db: &Connection,
    webhooks: &[Webhook],
    wanted: WebhookEvent,
    event: &Posted<'_>,
    now: Time,
    due_at: Time,
) -> Result<()> {
    let meeting = event.meeting;
    let body = serde_json::to_string(event).map_err(|error| Error::Internal(error.to_string()))?;
    // A meeting takes each step once, and an alarm has its time, so no two events have one body; and
    // the same verbs on a copy give the same names.
    let uid = &blake3::hash(body.as_bytes()).to_hex()[..32];
    let kept = keep(db, meeting.id, &meeting.data, &body)?;
    let mut insert = db.prepare_cached(
        "INSERT INTO deliveries (user_id, meeting_id, uid, body, parts, created_at, attempts,
           next_at, webhook_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)",
    )?;
    let (user_id, meeting_id) = (meeting.user_id, meeting.id);
    for webhook in webhooks {
        if webhook.wants(wanted) {
            let (body, parts) = (&kept.body, &kept.parts);
            let id = webhook.id;
            insert.execute(params![user_id, meeting_id, uid, body, parts, now, due_at, id])?;
        }
    }
    Ok(())
}
