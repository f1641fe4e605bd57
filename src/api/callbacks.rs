//! Callbacks of bots: their status, and how they ended. Every report may come twice, late, or out
//! of order.

use crate::api::guard::Session;
use crate::app::App;
use crate::domain::bot::Details;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::text::{SingleLine, Truncated};
use crate::domain::{
    CompletionReason, FailureStage, MeetingId, MeetingStatus, StatusReport, TransitionSource,
};
use crate::error::Result;
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
/// An exit code.
type ExitCode = BoundedInt<{ i32::MIN as i64 }, { i32::MAX as i64 }>;

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
    /// What a report may say besides the status.
    pub(crate) struct ReportDetails {
        optional reason: Option<Truncated<1024>>,
        optional error_details: Option<Details>,
        optional platform_specific_error: Option<Truncated<1024>>,
        optional completion_reason: Option<CompletionReason>,
        optional failure_stage: Option<FailureStage>,
        optional timestamp: Option<Truncated<64>>,
    }
}

impl ReportDetails {
    fn report(self, to: MeetingStatus, exit_code: Option<ExitCode>) -> StatusReport {
        StatusReport {
            to,
            by: TransitionSource::Bot,
            reason: self.reason.map(|text| text.0),
            exit_code: exit_code.map(|code| code.0),
            error_details: self.error_details.map(|details| details.0),
            platform_specific_error: self.platform_specific_error.map(|text| text.0),
            bot_timestamp: self.timestamp.map(|text| text.0),
            completion_reason: self.completion_reason,
            failure_stage: self.failure_stage,
            only_from: None,
        }
    }
}

input! {
    /// Body of `…/status_change`.
    pub(crate) struct StatusChangeInput, body Required {
        flatten session: ReportedSession,
        required status: MeetingStatus,
        optional exit_code: Option<ExitCode>,
        flatten details: ReportDetails,
    }
}

input! {
    /// Body of `…/exited`: exit code 0 is an end as intended, any other a failure.
    pub(crate) struct ExitedInput, body Required {
        flatten session: ReportedSession,
        required exit_code: ExitCode,
        flatten details: ReportDetails,
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
    meeting_status: Option<MeetingStatus>,
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
        let Advanced { meeting, from, step } = advanced;
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

async fn advance(
    app: &App,
    session: ReportedSession,
    report: StatusReport,
) -> Result<Json<Outcome>> {
    let ReportedSession { connection_id, container_id } = session;
    // Anybody can call; a report of an unknown session must not take the writer's time.
    if !app.store.is_session(&connection_id)? {
        return Ok(Json(Outcome::no_session()));
    }
    let to = report.to;
    let meeting_ref = MeetingRef::Session(connection_id);
    let verb = Advance { meeting_ref, report, container_id, now: app.clock.now() };
    match app.store.write(verb).await? {
        Some(advanced) => Ok(Json(Outcome::of(advanced, to))),
        None => Ok(Json(Outcome::no_session())),
    }
}

async fn advance_to(app: &App, input: PhaseInput, to: MeetingStatus) -> Result<Json<Outcome>> {
    let report = StatusReport::new(to, TransitionSource::Bot);
    advance(app, input.session, report).await
}

/// A bot reports its status, or how it ended.
pub(crate) async fn report_status_change(
    app: Arc<App>,
    _: Session,
    input: StatusChangeInput,
) -> Result<Json<Outcome>> {
    let report = input.details.report(input.status, input.exit_code);
    advance(&app, input.session, report).await
}

/// A bot is joining its meeting.
pub(crate) async fn report_joining(
    app: Arc<App>,
    _: Session,
    input: PhaseInput,
) -> Result<Json<Outcome>> {
    advance_to(&app, input, MeetingStatus::Joining).await
}

/// A bot waits to be admitted.
pub(crate) async fn report_awaiting_admission(
    app: Arc<App>,
    _: Session,
    input: PhaseInput,
) -> Result<Json<Outcome>> {
    advance_to(&app, input, MeetingStatus::AwaitingAdmission).await
}

/// A bot was admitted.
pub(crate) async fn report_started(
    app: Arc<App>,
    _: Session,
    input: PhaseInput,
) -> Result<Json<Outcome>> {
    advance_to(&app, input, MeetingStatus::Active).await
}

/// A bot has exited.
pub(crate) async fn report_exited(
    app: Arc<App>,
    _: Session,
    input: ExitedInput,
) -> Result<Json<Outcome>> {
    let is_success = input.exit_code.0 == 0;
    let to = if is_success { MeetingStatus::Completed } else { MeetingStatus::Failed };
    let report = input.details.report(to, Some(input.exit_code));
    advance(&app, input.session, report).await
}
