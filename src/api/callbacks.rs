//! Callbacks of bots: their status, and how they ended. Every report may come twice, late, or out
//! of order.

use crate::api::guard::Session;
use crate::app::App;
use crate::domain::bot::{Details, Printed};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::lifecycle::{SaidWords, TransitionOutcome};
use crate::domain::reported::{ReportedWord, end_of, failure_stage_of, status_of};
use crate::domain::text::{SingleLine, Truncated};
use crate::domain::{
    MeetingId, MeetingStatus, SentInstead, StatusReport, StoredStatus, TransitionSource,
};
use crate::error::{Error, Result};
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::{Advance, Advanced, MeetingRef};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest body of a report that may carry the log of its bot, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The name of a session, which is the bot's credential.
type ConnectionId = SingleLine<64>;
/// An exit code; some systems count them without a sign.
type ExitCode = BoundedInt<{ i32::MIN as i64 }, { u32::MAX as i64 }>;

/// Which session a report is about.
pub(crate) struct ReportedSession {
    connection_id: String,
    container_id: Option<String>,
}

input! {
    for ReportedSession {
        required connection_id: ConnectionId => connection_id.0,
        optional container_id: Option<Truncated<255>> => container_id.map(|id| id.0),
    }
}

input! {
    /// What a bot may tell of its time in the meeting, which goes to its log.
    #[derive(Default)]
    pub(crate) struct ReportedLog {
        optional speaker_events: Option<Printed>,
        optional bot_logs: Option<Printed>,
        optional bot_resources: Option<Printed>,
    }
}

impl ReportedLog {
    /// The lines for the bot's log.
    fn lines(&self) -> String {
        let mut lines = String::new();
        for (name, printed) in [
            ("speaker_events", &self.speaker_events),
            ("bot_logs", &self.bot_logs),
            ("bot_resources", &self.bot_resources),
        ] {
            if let Some(printed) = printed {
                printed.add_to(&mut lines, name);
            }
        }
        lines
    }
}

input! {
    /// What a report may say besides the status.
    pub(crate) struct ReportDetails {
        optional reason: Option<Truncated<1024>>,
        optional error_details: Option<Details>,
        optional platform_specific_error: Option<Truncated<1024>>,
        optional completion_reason: Option<ReportedWord>,
        optional failure_stage: Option<ReportedWord>,
        optional timestamp: Option<Truncated<64>>,
    }
}

impl ReportDetails {
    fn report(self, to: MeetingStatus, exit_code: Option<ExitCode>) -> StatusReport {
        let reason = self.completion_reason.map(|word| word.0);
        let stage = self.failure_stage.map(|word| word.0);
        let why = self.reason.map(|text| text.0);
        let completion_reason = end_of(reason.as_deref(), why.as_deref());
        let failure_stage = stage.as_deref().and_then(failure_stage_of);
        StatusReport {
            reason: why,
            exit_code: exit_code.map(|code| code.0),
            error_details: self.error_details.map(|details| details.0),
            platform_specific_error: self.platform_specific_error.map(|text| text.0),
            bot_timestamp: self.timestamp.map(|text| text.0),
            completion_reason,
            failure_stage,
            said: SaidWords {
                status: None,
                completion_reason: reason
                    .filter(|said| completion_reason.is_none_or(|word| word.as_str() != said)),
                failure_stage: stage
                    .filter(|said| failure_stage.is_none_or(|word| word.as_str() != said)),
            },
            ..StatusReport::new(to, TransitionSource::Bot)
        }
    }
}

input! {
    /// Body of `…/status_change`.
    pub(crate) struct StatusChangeInput, body Required {
        flatten session: ReportedSession,
        required status: ReportedWord,
        optional exit_code: Option<ExitCode>,
        flatten details: ReportDetails,
        flatten log: ReportedLog,
    }
}

input! {
    /// Body of `…/exited`: exit code 0 is an end as intended, any other a failure.
    pub(crate) struct ExitedInput, body Required {
        flatten session: ReportedSession,
        required exit_code: ExitCode,
        flatten details: ReportDetails,
        flatten log: ReportedLog,
    }
}

input! {
    /// Body of `…/joining`, `…/awaiting_admission` and `…/started`.
    pub(crate) struct PhaseInput, body Required {
        flatten session: ReportedSession,
    }
}

/// What was done with a report.
#[derive(Serialize, ToSchema)]
pub(crate) struct Outcome {
    /// `processed`, `container_updated` (active already), `ignored`, or `error` (no such session).
    #[schema(example = "processed")]
    status: &'static str,
    /// The meeting of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_id: Option<MeetingId>,
    /// The status of that meeting now.
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_status: Option<StoredStatus>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Outcome {
    fn no_session() -> Self {
        let detail = "Meeting session not found for this connection_id.".to_owned();
        Self { status: "error", meeting_id: None, meeting_status: None, detail: Some(detail) }
    }

    fn of(advanced: Advanced, to: MeetingStatus) -> Self {
        let Advanced { meeting, from, step, .. } = advanced;
        let (status, detail) = match step {
            TransitionOutcome::Stay if to == MeetingStatus::Active => ("container_updated", None),
            TransitionOutcome::Move | TransitionOutcome::Stay => ("processed", None),
            TransitionOutcome::Refuse if from.is_over() && to.is_over() => ("processed", None),
            TransitionOutcome::Refuse if from == MeetingStatus::Stopping => {
                ("ignored", Some("Stop already requested.".to_owned()))
            }
            TransitionOutcome::Refuse => {
                let detail =
                    format!("A meeting does not go from {} to {}.", from.as_str(), to.as_str());
                ("ignored", Some(detail))
            }
        };
        Self { status, meeting_id: Some(meeting.id), meeting_status: Some(meeting.status), detail }
    }
}

/// Answers a report from which nothing follows: the bot needs help, say.
fn acknowledge(
    app: &App,
    bot: &Session,
    session: &ReportedSession,
    said: &str,
) -> Result<Json<Outcome>> {
    let Some(id) = known_meeting(app, bot, session)? else {
        return Ok(Json(Outcome::no_session()));
    };
    log::info!("meeting {id}: its bot reports {said:?}");
    let detail = Some(format!("Nothing follows from {said:?}."));
    Ok(Json(Outcome { status: "ignored", meeting_id: Some(id), meeting_status: None, detail }))
}

/// The meeting of a session, if there is one. A secret that comes with a report must be the
/// meeting's.
fn known_meeting(app: &App, bot: &Session, session: &ReportedSession) -> Result<Option<MeetingId>> {
    let Some((id, token_hash)) = app.store.session(&session.connection_id)? else {
        return Ok(None);
    };
    match bot.token_hash {
        Some(brought) if token_hash != Some(brought) => {
            Err(Error::BotRefused(SentInstead::Nothing))
        }
        _ => Ok(Some(id)),
    }
}

async fn advance(
    app: &App,
    bot: &Session,
    session: ReportedSession,
    report: StatusReport,
    log: &ReportedLog,
) -> Result<Json<Outcome>> {
    // Anybody can call; a report of an unknown session must not take the writer's time.
    if known_meeting(app, bot, &session)?.is_none() {
        return Ok(Json(Outcome::no_session()));
    }
    let ReportedSession { connection_id, container_id } = session;
    let to = report.to;
    let meeting_ref = MeetingRef::Session(connection_id);
    let verb = Advance { meeting_ref, report, container_id, now: app.clock.now() };
    let Some(advanced) = app.store.write(verb).await? else {
        return Ok(Json(Outcome::no_session()));
    };
    let lines = log.lines();
    // What is repeated is in the log already, and of a deleted transcript no log is kept.
    let is_deleted = advanced.meeting.native_meeting_id.is_none();
    if advanced.step == TransitionOutcome::Move && !is_deleted && !lines.is_empty() {
        app.bots.append_log(advanced.meeting.id, lines).await;
    }
    Ok(Json(Outcome::of(advanced, to)))
}

async fn advance_to(
    app: &App,
    bot: &Session,
    input: PhaseInput,
    to: MeetingStatus,
) -> Result<Json<Outcome>> {
    let report = StatusReport::new(to, TransitionSource::Bot);
    advance(app, bot, input.session, report, &ReportedLog::default()).await
}

/// A bot reports its status, or how it ended.
pub(crate) async fn report_status_change(
    app: Arc<App>,
    bot: Session,
    input: StatusChangeInput,
) -> Result<Json<Outcome>> {
    let said = input.status.0;
    let Some(to) = status_of(&said) else {
        return acknowledge(&app, &bot, &input.session, &said);
    };
    let mut report = input.details.report(to, input.exit_code);
    report.said.status = Some(said).filter(|said| to.as_str() != said);
    advance(&app, &bot, input.session, report, &input.log).await
}

/// The same, at the path that later bots call.
pub(crate) async fn report_lifecycle(
    app: Arc<App>,
    bot: Session,
    input: StatusChangeInput,
) -> Result<Json<Outcome>> {
    report_status_change(app, bot, input).await
}

/// A bot is joining its meeting.
pub(crate) async fn report_joining(
    app: Arc<App>,
    bot: Session,
    input: PhaseInput,
) -> Result<Json<Outcome>> {
    advance_to(&app, &bot, input, MeetingStatus::Joining).await
}

/// A bot waits to be admitted.
pub(crate) async fn report_awaiting_admission(
    app: Arc<App>,
    bot: Session,
    input: PhaseInput,
) -> Result<Json<Outcome>> {
    advance_to(&app, &bot, input, MeetingStatus::AwaitingAdmission).await
}

/// A bot was admitted.
pub(crate) async fn report_started(
    app: Arc<App>,
    bot: Session,
    input: PhaseInput,
) -> Result<Json<Outcome>> {
    advance_to(&app, &bot, input, MeetingStatus::Active).await
}

/// A bot has exited.
pub(crate) async fn report_exited(
    app: Arc<App>,
    bot: Session,
    input: ExitedInput,
) -> Result<Json<Outcome>> {
    let is_success = input.exit_code.0 == 0;
    let to = if is_success { MeetingStatus::Completed } else { MeetingStatus::Failed };
    let report = input.details.report(to, Some(input.exit_code));
    advance(&app, &bot, input.session, report, &input.log).await
}
