//! What a report does to a meeting: the step of its life, and all that goes with it in one
//! transaction.

use crate::domain::lifecycle::{SaidWords, TransitionOutcome, step};
use crate::domain::{
    Action, CompletionReason, Data, FailureStage, Meeting, MeetingId, MeetingStatus, StatusReport,
    Subject, Time, TokenId, TransitionSource, Word,
};
use crate::error::Result;
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::meetings::gathered;
use crate::store::meetings::read::{
    MeetingName, by_id, by_id_if_found, meeting_at, meeting_columns,
};
use crate::store::segments::drafts::settle_meeting;
use crate::store::usage;
use crate::store::webhooks::outbox;
use crate::store::writer::verb::{Change, Moved, Stored, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// By what a report names its meeting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum MeetingRef {
    /// The session of its bot.
    Session(String),
    /// Its id.
    Meeting(MeetingId),
    /// What its owner calls it.
    Named(MeetingName),
}

/// Moves a meeting on, as the table of its life allows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Advance {
    /// Which meeting.
    pub meeting_ref: MeetingRef,
    /// What is reported.
    pub report: StatusReport,
    /// What runs the bot, as the bot says; noted with the step. What the server started it by is
    /// another matter.
    pub container_id: Option<String>,
    /// The time of the change.
    pub now: Time,
}

/// What became of a report.
#[derive(Debug, Clone)]
pub struct Advanced {
    /// The meeting as it is now.
    pub meeting: Meeting,
    /// Where it stood before.
    pub from: Word<MeetingStatus>,
    /// What the report did.
    pub step: TransitionOutcome,
    /// The drafts that it has made final, by stream.
    pub settled: Vec<Arc<Stored>>,
}

impl Verb for Advance {
    /// `None` where there is no such meeting, or its user is being erased.
    type Answer = Option<Advanced>;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let found = match &self.meeting_ref {
            MeetingRef::Session(uid) => by_session(db, uid)?,
            MeetingRef::Meeting(id) => by_id_if_found(db, *id)?,
            MeetingRef::Named(name) => name.look_up_to_stop(db)?,
        };
        let Some(mut meeting) = found else { return Ok(None) };
        // Nothing follows a status that is not of the list.
        let Some(from) = meeting.status.known() else {
            let from = meeting.status.clone();
            let step = TransitionOutcome::Refuse;
            return Ok(Some(Advanced { meeting, from, step, settled: Vec::new() }));
        };
        let read = self.report.as_stopped(from).or_else(|| self.report.as_cancelled(from));
        let report = read.as_ref().unwrap_or(&self.report);
        let step = match report.only_from {
            Some(expected) if expected != from => TransitionOutcome::Refuse,
            _ => step(from, report.to, report.by),
        };
        let mut settled = Vec::new();
        if step == TransitionOutcome::Move {
            settled = self.advance(db, &mut meeting, from, report)?;
            let now = meeting.updated_at;
            outbox::queue(db, &meeting, from, report, now)?;
        }
        Ok(Some(Advanced { meeting, from: from.into(), step, settled }))
    }

    fn change(&self, advanced: &Self::Answer) -> Option<Change> {
        Change::of_step(advanced.as_ref()?)
    }
}

impl Change {
    /// What others hear of a step; nothing where it is none.
    pub(crate) fn of_step(advanced: &Advanced) -> Option<Self> {
        if advanced.step != TransitionOutcome::Move {
            return None;
        }
        let meeting = advanced.meeting.clone();
        let from = advanced.from.known()?;
        let settled = advanced.settled.clone();
        let moved = Moved { at: meeting.updated_at, meeting, from, settled };
        Some(Self::MeetingMoved(Arc::new(moved)))
    }
}

/// By an administrator: a bot told to leave.
impl Audited for Advance {
    const ACTION: Action = Action::MeetingStop;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        match self.meeting_ref {
            MeetingRef::Meeting(id) => Ok(by_id(db, id)?.as_ref().and_then(snapshot)),
            MeetingRef::Session(_) | MeetingRef::Named(_) => Ok(None),
        }
    }

    fn after(&self, advanced: &Self::Answer) -> Option<(Subject, Option<Snapshot>)> {
        let advanced =
            advanced.as_ref().filter(|advanced| advanced.step == TransitionOutcome::Move)?;
        Some((Subject::Meeting(advanced.meeting.id), snapshot(&advanced.meeting)))
    }
}

/// A meeting as the audit log tells of it.
fn snapshot(meeting: &Meeting) -> Option<Snapshot> {
    Snapshot::of(
        &serde_json::json!({ "id": meeting.id, "user_id": meeting.user_id, "status": meeting.status }),
    )
}

impl Advance {
    /// Writes the step into the row, and into the meeting at hand; returns the drafts that are
    /// final now.
    fn advance(
        &self,
        db: &Connection,
        meeting: &mut Meeting,
        from: MeetingStatus,
        report: &StatusReport,
    ) -> Result<Vec<Arc<Stored>>> {
        // A clock that was set back must not end a meeting before it began.
        let now = self.now.max(meeting.updated_at);
        let ending = Ending::of(meeting, from, report);
        let mut entry = Transition::new(from, ending, report, now);
        entry.container_id = self.container_id.as_deref();
        let data =
            meeting.data.with("status_transition", Some(&transitions(&meeting.data, &entry)));
        meeting.data = ending.note(&data, report);
        meeting.status = report.to.into();
        meeting.updated_at = now;
        if report.to == MeetingStatus::Active {
            meeting.start_time = Some(now);
            start_clock(db, meeting.id, now)?;
        }
        let mut settled = Vec::new();
        if report.to.is_over() {
            meeting.end_time = Some(now);
            let settled_ms;
            (settled, settled_ms) = settle_meeting(db, meeting.id, now)?;
            meeting.data = gathered::with_gathered(db, meeting)?;
            if from == MeetingStatus::Scheduled {
                // Nothing was counted of a bot that was not sent.
                forget_plan(db, meeting.id)?;
            } else {
                end_session(db, meeting, settled_ms, now)?;
            }
        }
        let mut update = db.prepare_cached(
            "UPDATE meetings SET status = ?2, start_time = ?3, end_time = ?4, data = ?5, updated_at = ?6 WHERE id = ?1",
        )?;
        update.execute(params![
            meeting.id,
            meeting.status,
            meeting.start_time,
            meeting.end_time,
            meeting.data,
            now
        ])?;
        Ok(settled)
    }
}

/// Segments count from when the bot was let in; what was stored before keeps its time.
fn start_clock(db: &Connection, id: MeetingId, now: Time) -> Result<()> {
    let mut said = db.prepare_cached("SELECT 1 FROM segments WHERE meeting_id = ?1 LIMIT 1")?;
    if said.exists([id])? {
        return Ok(());
    }
    for sql in [
        "UPDATE sessions SET started_at = ?2 WHERE meeting_id = ?1",
        "UPDATE streams SET started_at = ?2
         WHERE meeting_id = ?1 AND uid = (SELECT uid FROM sessions WHERE meeting_id = ?1)",
    ] {
        db.prepare_cached(sql)?.execute(params![id, now])?;
    }
    Ok(())
}

/// The time of its bot is counted, and that of the drafts that are final now; not of a bot that was
/// sent before any was. A bridge is no bot.
fn end_session(db: &Connection, meeting: &Meeting, settled_ms: i64, now: Time) -> Result<()> {
    let sql = "SELECT token_id, bridge IS NOT NULL FROM sessions WHERE meeting_id = ?1";
    let mut find = db.prepare_cached(sql)?;
    let found: Option<(Option<TokenId>, bool)> =
        find.query_row([meeting.id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((Some(token_id), is_bridged)) = found else { return Ok(()) };
    usage::verbs::words_said(db, meeting.user_id, token_id, settled_ms, now)?;
    if is_bridged {
        return Ok(());
    }
    let ended = usage::verbs::EndedBot {
        user_id: meeting.user_id,
        token_id,
        requested_at: requested_at(meeting),
        ran: ran(meeting),
    };
    Ok(usage::verbs::bot_ended(db, &ended, now)?)
}

/// What a planned bot would have been given.
fn forget_plan(db: &Connection, id: MeetingId) -> Result<()> {
    let mut forget = db.prepare_cached("UPDATE sessions SET plan = NULL WHERE meeting_id = ?1")?;
    forget.execute([id])?;
    Ok(())
}

/// When the bot was asked for: a planned one at its time.
fn requested_at(meeting: &Meeting) -> Time {
    for entry in past(&meeting.data) {
        if entry["to"] == MeetingStatus::Requested.as_str()
            && let Ok(at) = serde_json::from_value(entry["timestamp"].clone())
        {
            return at;
        }
    }
    meeting.created_at
}

/// Whether the bot of a meeting ever ran: the server saw it start, or it reported.
fn ran(meeting: &Meeting) -> bool {
    if meeting.bot_container_id.is_some() {
        return true;
    }
    let entries = past(&meeting.data);
    entries.iter().any(|entry| entry["source"] == TransitionSource::Bot.as_str())
}

/// How a meeting ended, if it did.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Ending {
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_reason: Option<CompletionReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_stage: Option<FailureStage>,
}

impl Ending {
    fn of(meeting: &Meeting, from: MeetingStatus, report: &StatusReport) -> Self {
        match report.to {
            MeetingStatus::Completed => Self {
                completion_reason: Some(
                    report.completion_reason.unwrap_or(CompletionReason::Stopped),
                ),
                failure_stage: None,
            },
            MeetingStatus::Failed => {
                let stage = report.failure_stage.or_else(|| from.failure_stage());
                Self {
                    completion_reason: None,
                    failure_stage: stage.or_else(|| stage_before(&meeting.data)),
                }
            }
            _ => Self::default(),
        }
    }

    fn note(self, data: &Data, report: &StatusReport) -> Data {
        let mut data = data.clone();
        if let Some(reason) = self.completion_reason {
            data = data.with("completion_reason", Some(&reason));
        }
        if let Some(stage) = self.failure_stage {
            data = data.with("failure_stage", Some(&stage));
        }
        match (
            report.to.is_over(),
            &report.error_details,
            &report.platform_specific_error,
            &report.reason,
        ) {
            (true, Some(details), ..) => data.with("error", Some(details)),
            (true, None, Some(text), _) => data.with("error", Some(text)),
            (true, None, None, Some(text)) if report.to == MeetingStatus::Failed => {
                data.with("error", Some(text))
            }
            _ => data,
        }
    }
}

/// One entry of `status_transition` in a meeting's data.
#[derive(Serialize)]
struct Transition<'a> {
    from: MeetingStatus,
    to: MeetingStatus,
    timestamp: Time,
    source: TransitionSource,
    #[serde(flatten)]
    ending: Ending,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_specific_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot_timestamp: Option<&'a str>,
    #[serde(flatten)]
    said: &'a SaidWords,
}

impl<'a> Transition<'a> {
    fn new(from: MeetingStatus, ending: Ending, report: &'a StatusReport, now: Time) -> Self {
        Self {
            from,
            to: report.to,
            timestamp: now,
            container_id: None,
            source: report.by,
            ending,
            reason: report.reason.as_deref(),
            exit_code: report.exit_code,
            error_details: report.error_details.as_deref(),
            platform_specific_error: report.platform_specific_error.as_deref(),
            bot_timestamp: report.bot_timestamp.as_deref(),
            said: &report.said,
        }
    }
}

/// The entries so far and one more.
fn transitions(data: &Data, entry: &Transition<'_>) -> Vec<serde_json::Value> {
    let mut entries = past(data);
    entries.extend(serde_json::to_value(entry));
    entries
}

fn past(data: &Data) -> Vec<serde_json::Value> {
    let members = data.members();
    members
        .get("status_transition")
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// Where a meeting stood before its bot was told to leave.
fn stage_before(data: &Data) -> Option<FailureStage> {
    past(data).last().and_then(|entry| entry["from"].as_str().and_then(FailureStage::from_word))
}

fn by_session(db: &Connection, uid: &str) -> rusqlite::Result<Option<Meeting>> {
    let sql = concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM sessions s JOIN meetings m ON m.id = s.meeting_id WHERE s.uid = ?1"
    );
    db.prepare_cached(sql)?.query_row([uid], |row| meeting_at(row, 0)).optional()
}
