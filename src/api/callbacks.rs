//! What bots report: where they stand, and how they ended. Every report may come twice, late, or out of order.

use crate::app::App;
use crate::clock;
use crate::domain::bot::Details;
use crate::domain::lifecycle::Step;
use crate::domain::number::Whole;
use crate::domain::text::{Line, Note};
use crate::domain::{Cause, CompletionReason, FailureStage, MeetingId, MeetingStatus, Report};
use crate::error::Result;
use crate::http::form::BodyRule;
use crate::http::router::Visitor;
use crate::http::{Form, Input, Json};
use crate::store::{Advance, Advanced, Whose};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The name of a session, which is the bot's credential.
type ConnectionId = Line<64>;
/// An exit code.
type ExitCode = Whole<{ i32::MIN as i64 }, { i32::MAX as i64 }>;

/// A report, and of which session.
pub struct News {
    connection_id: String,
    container_id: Option<String>,
    report: Report,
}

impl News {
    fn read(
        form: &mut Form<'_>,
        to: impl FnOnce(&mut Form<'_>) -> Option<(MeetingStatus, Option<i64>)>,
    ) -> Option<Self> {
        let connection_id = form.required::<ConnectionId>("connection_id");
        let container_id = form.optional::<Note<255>>("container_id");
        let to = to(form);
        let reason = form.optional::<Note<1024>>("reason");
        let error_details = form.optional::<Details>("error_details");
        let platform_specific_error = form.optional::<Note<1024>>("platform_specific_error");
        let completion_reason = form.optional::<CompletionReason>("completion_reason");
        let failure_stage = form.optional::<FailureStage>("failure_stage");
        let timestamp = form.optional::<Note<64>>("timestamp");
        let (to, exit_code) = to?;
        Some(Self {
            connection_id: connection_id?.0,
            container_id: container_id?.map(|id| id.0),
            report: Report {
                to,
                by: Cause::Bot,
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
pub struct StatusChange(News);

impl Input for StatusChange {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let to = |form: &mut Form<'_>| {
            let status = form.required("status");
            let exit_code = form.optional::<ExitCode>("exit_code");
            Some((status?, exit_code?.map(|code| code.0)))
        };
        News::read(form, to).map(Self)
    }
}

/// Body of `…/exited`: 0 is an end as intended, all else a failure.
pub struct Exited(News);

impl Input for Exited {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let to = |form: &mut Form<'_>| {
            let code = form.required::<ExitCode>("exit_code")?.0;
            Some((if code == 0 { MeetingStatus::Completed } else { MeetingStatus::Failed }, Some(code)))
        };
        News::read(form, to).map(Self)
    }
}

/// Body of the callbacks that say where a bot stands by their name.
pub struct Standing {
    connection_id: String,
    container_id: Option<String>,
}

impl Input for Standing {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let connection_id = form.required::<ConnectionId>("connection_id");
        let container_id = form.optional::<Note<255>>("container_id");
        Some(Self { connection_id: connection_id?.0, container_id: container_id?.map(|id| id.0) })
    }
}

impl Standing {
    fn at(self, to: MeetingStatus) -> News {
        let Self { connection_id, container_id } = self;
        News { connection_id, container_id, report: Report::new(to, Cause::Bot) }
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
            Step::Stay if to == MeetingStatus::Active => ("container_updated", None),
            Step::Move | Step::Stay => ("processed", None),
            Step::Refuse if from.is_over() && to.is_over() => ("processed", None),
            Step::Refuse if from == MeetingStatus::Stopping => ("ignored", Some("Stop already requested.".to_owned())),
            Step::Refuse => {
                ("ignored", Some(format!("A meeting does not go from {} to {}.", from.as_str(), to.as_str())))
            }
        };
        Self { status, meeting_id: Some(meeting.id), meeting_status: Some(meeting.status), detail }
    }
}

async fn advance(app: &App, news: News) -> Result<Json<Outcome>> {
    let News { connection_id, container_id, report } = news;
    let to = report.to;
    // Anybody can call; who names no session must not take the writer's time.
    if !app.store.is_session(&connection_id)? {
        return Ok(Json(Outcome::of(None, to)));
    }
    let verb = Advance { whose: Whose::Session(connection_id), report, container_id, now: clock::now() };
    Ok(Json(Outcome::of(app.store.write(verb).await?, to)))
}

/// A bot says where it stands, or how it ended.
pub async fn status_change(app: Arc<App>, _: Visitor, StatusChange(news): StatusChange) -> Result<Json<Outcome>> {
    advance(&app, news).await
}

/// A bot is on its way.
pub async fn joining(app: Arc<App>, _: Visitor, standing: Standing) -> Result<Json<Outcome>> {
    advance(&app, standing.at(MeetingStatus::Joining)).await
}

/// A bot waits to be let in.
pub async fn awaiting_admission(app: Arc<App>, _: Visitor, standing: Standing) -> Result<Json<Outcome>> {
    advance(&app, standing.at(MeetingStatus::AwaitingAdmission)).await
}

/// A bot was let in.
pub async fn started(app: Arc<App>, _: Visitor, standing: Standing) -> Result<Json<Outcome>> {
    advance(&app, standing.at(MeetingStatus::Active)).await
}

/// A bot has ended.
pub async fn exited(app: Arc<App>, _: Visitor, Exited(news): Exited) -> Result<Json<Outcome>> {
    advance(&app, news).await
}
