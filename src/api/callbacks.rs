//! What bots report: where they stand, and how they ended. Every report may come twice, late, or out of order.

use crate::api::guard::Session;
use crate::app::App;
use crate::domain::bot::Details;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::text::{SingleLine, Truncated};
use crate::domain::{CompletionReason, FailureStage, MeetingId, MeetingStatus, StatusReport, TransitionSource};
use crate::error::Result;
use crate::http::request::extractor::BodyRule;
use crate::http::{Extractor, FromRequest, Json};
use crate::store::{Advance, Advanced, MeetingRef};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The name of a session, which is the bot's credential.
type ConnectionId = SingleLine<64>;
/// An exit code.
type ExitCode = BoundedInt<{ i32::MIN as i64 }, { i32::MAX as i64 }>;

/// A report, and of which session.
pub struct BotReport {
    connection_id: String,
    container_id: Option<String>,
    report: StatusReport,
}

impl BotReport {
    fn read(
        extractor: &mut Extractor<'_>,
        to: impl FnOnce(&mut Extractor<'_>) -> Option<(MeetingStatus, Option<i64>)>,
    ) -> Option<Self> {
        let connection_id = extractor.required::<ConnectionId>("connection_id");
        let container_id = extractor.optional::<Truncated<255>>("container_id");
        let to = to(extractor);
        let reason = extractor.optional::<Truncated<1024>>("reason");
        let error_details = extractor.optional::<Details>("error_details");
        let platform_specific_error = extractor.optional::<Truncated<1024>>("platform_specific_error");
        let completion_reason = extractor.optional::<CompletionReason>("completion_reason");
        let failure_stage = extractor.optional::<FailureStage>("failure_stage");
        let timestamp = extractor.optional::<Truncated<64>>("timestamp");
        let (to, exit_code) = to?;
        Some(Self {
            connection_id: connection_id?.0,
            container_id: container_id?.map(|id| id.0),
            report: StatusReport {
                to,
                by: TransitionSource::Bot,
                reason: reason?.map(|note| note.0),
                exit_code,
                error_details: error_details?.map(|details| details.0),
                platform_specific_error: platform_specific_error?.map(|note| note.0),
                bot_timestamp: timestamp?.map(|note| note.0),
                completion_reason: completion_reason?,
                failure_stage: failure_stage?,
                only_from: None,
            },
        })
    }
}

/// Body of `…/status_change`.
pub struct StatusChange(BotReport);

impl FromRequest for StatusChange {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let to = |extractor: &mut Extractor<'_>| {
            let status = extractor.required("status");
            let exit_code = extractor.optional::<ExitCode>("exit_code");
            Some((status?, exit_code?.map(|code| code.0)))
        };
        BotReport::read(extractor, to).map(Self)
    }
}

/// Body of `…/exited`: 0 is an end as intended, all else a failure.
pub struct Exited(BotReport);

impl FromRequest for Exited {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let to = |extractor: &mut Extractor<'_>| {
            let code = extractor.required::<ExitCode>("exit_code")?.0;
            Some((if code == 0 { MeetingStatus::Completed } else { MeetingStatus::Failed }, Some(code)))
        };
        BotReport::read(extractor, to).map(Self)
    }
}

/// Body of the callbacks that say where a bot stands by their name.
pub struct PhaseReport {
    connection_id: String,
    container_id: Option<String>,
}

impl FromRequest for PhaseReport {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let connection_id = extractor.required::<ConnectionId>("connection_id");
        let container_id = extractor.optional::<Truncated<255>>("container_id");
        Some(Self { connection_id: connection_id?.0, container_id: container_id?.map(|id| id.0) })
    }
}

impl PhaseReport {
    fn at(self, to: MeetingStatus) -> BotReport {
        let Self { connection_id, container_id } = self;
        BotReport { connection_id, container_id, report: StatusReport::new(to, TransitionSource::Bot) }
    }
}

/// What became of a report.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// `processed`, `container_updated` (active already), `ignored`, or `error` (no such session).
    #[schema(example = "processed")]
    status: &'static str,
    /// Which meeting it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_id: Option<MeetingId>,
    /// Where that meeting stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_status: Option<MeetingStatus>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Outcome {
    fn of(advanced: Option<Advanced>, to: MeetingStatus) -> Self {
        let Some(Advanced { meeting, from, step }) = advanced else {
            let detail = Some("Meeting session not found for this connection_id.".to_owned());
            return Self { status: "error", meeting_id: None, meeting_status: None, detail };
        };
        let (status, detail) = match step {
            TransitionOutcome::Stay if to == MeetingStatus::Active => ("container_updated", None),
            TransitionOutcome::Move | TransitionOutcome::Stay => ("processed", None),
            TransitionOutcome::Refuse if from.is_over() && to.is_over() => ("processed", None),
            TransitionOutcome::Refuse if from == MeetingStatus::Stopping => {
                ("ignored", Some("Stop already requested.".to_owned()))
            }
            TransitionOutcome::Refuse => {
                ("ignored", Some(format!("A meeting does not go from {} to {}.", from.as_str(), to.as_str())))
            }
        };
        Self { status, meeting_id: Some(meeting.id), meeting_status: Some(meeting.status), detail }
    }
}

async fn advance(app: &App, bot_report: BotReport) -> Result<Json<Outcome>> {
    let BotReport { connection_id, container_id, report } = bot_report;
    let to = report.to;
    // Anybody can call; who names no session must not take the writer's time.
    if !app.store.is_session(&connection_id)? {
        return Ok(Json(Outcome::of(None, to)));
    }
    let verb = Advance { meeting_ref: MeetingRef::Session(connection_id), report, container_id, now: app.clock.now() };
    Ok(Json(Outcome::of(app.store.write(verb).await?, to)))
}

/// A bot says where it stands, or how it ended.
pub async fn report_status_change(
    app: Arc<App>,
    _: Session,
    StatusChange(bot_report): StatusChange,
) -> Result<Json<Outcome>> {
    advance(&app, bot_report).await
}

/// A bot is on its way.
pub async fn report_joining(app: Arc<App>, _: Session, phase: PhaseReport) -> Result<Json<Outcome>> {
    advance(&app, phase.at(MeetingStatus::Joining)).await
}

/// A bot waits to be let in.
pub async fn report_awaiting_admission(app: Arc<App>, _: Session, phase: PhaseReport) -> Result<Json<Outcome>> {
    advance(&app, phase.at(MeetingStatus::AwaitingAdmission)).await
}

/// A bot was let in.
pub async fn report_started(app: Arc<App>, _: Session, phase: PhaseReport) -> Result<Json<Outcome>> {
    advance(&app, phase.at(MeetingStatus::Active)).await
}

/// A bot has ended.
pub async fn report_exited(app: Arc<App>, _: Session, Exited(bot_report): Exited) -> Result<Json<Outcome>> {
    advance(&app, bot_report).await
}
