//! Bots, for their owners: sent, listed, reconfigured and stopped.

use crate::api::bot_spec::Wanted;
use crate::api::bot_target::{SendBotInput, Target};
use crate::api::launching::{launch, no_randomness, session_name};
use crate::api::meetings::{NameInPath, owned};
use crate::api::message::Message;
use crate::api::planned::check_time;
use crate::api::stop::stop_any;
use crate::api::users::ById;
use crate::app::App;
use crate::auth::{Admin, User};
use crate::domain::bot::{container_name, session_alias};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::{
    Language, Meeting, MeetingId, MeetingStatus, PlainToken, StatusReport, StoredPlatform,
    StoredStatus, Task, Time, TransitionSource,
};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Accepted, CreatedOrFound, Json};
use crate::store::{
    Advance, Advanced, BotAtWork, MeetingRef, PlanBot, Planned, PlannedSettings, Reconfigure,
    SendBot, TelematicsWanted,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Sends a bot to a meeting; the response is sent once the bot runs. With `join_at` it is planned
/// for that time; a plan for the same meeting is moved.
pub(crate) async fn send_bot(
    app: Arc<App>,
    caller: User,
    input: SendBotInput,
) -> Result<CreatedOrFound<Meeting>> {
    send(&app, &caller, input).await
}

/// Sends a bot for a caller, under every limit of theirs.
pub(crate) async fn send(
    app: &App,
    caller: &User,
    input: SendBotInput,
) -> Result<CreatedOrFound<Meeting>> {
    let target = input.target(&app.config.bots)?;
    let scope = &caller.token.terms.scope;
    scope
        .check_meeting(target.platform, Some(&target.native_meeting_id))
        .map_err(Error::NotAllowed)?;
    if !app.bots.runs_any() {
        return Err(Error::NoRunner);
    }
    let bot_name = match &input.bot_name {
        Some(name) if !name.0.is_empty() => name.0.clone(),
        _ => app.config.bots.name.clone(),
    };
    if let Some(join_at) = input.join_at {
        return plan(app, caller, target, &input, (bot_name, join_at)).await;
    }
    let limit = caller.user.max_concurrent_bots;
    app.bots.check(caller.user.id, limit)?;
    let secret = PlainToken::generate().map_err(no_randomness)?;
    let verb = SendBot {
        user_id: caller.user.id,
        token_id: caller.token.id,
        url: target.url,
        platform: target.platform,
        native_meeting_id: target.native_meeting_id,
        uid: session_name().map_err(no_randomness)?,
        token_hash: secret.hash(),
        bot_name,
        language: input.language,
        task: input.task,
        has_voice: input.voice_agent_enabled == Some(true),
        vocabulary: input.vocabulary,
        now: app.clock.now(),
    };
    let passcode = target.passcode;
    let uid = verb.uid.clone();
    let bot_name = verb.bot_name.clone();
    let meeting = match app.store.write(verb).await {
        // How many bots are in other meetings is not told.
        Err(Error::BotLimitReached { limit, .. }) if scope.is_narrow() => {
            return Err(Error::BotLimitReached { seats: limit, limit });
        }
        sent => sent?,
    };
    let wanted = Wanted {
        meeting: &meeting,
        uid: &uid,
        bot_name: &bot_name,
        secret: &secret,
        passcode: passcode.as_deref(),
        language: input.language,
        task: input.task,
        has_voice: input.voice_agent_enabled == Some(true),
    };
    Ok(CreatedOrFound { value: launch(app, &wanted, limit).await?, is_new: true })
}

/// Plans a bot for a time, or moves the plan.
async fn plan(
    app: &App,
    caller: &User,
    target: Target,
    input: &SendBotInput,
    (bot_name, join_at): (String, Time),
) -> Result<CreatedOrFound<Meeting>> {
    let now = app.clock.now();
    check_time(join_at, now)?;
    let verb = PlanBot {
        user_id: caller.user.id,
        token_id: caller.token.id,
        url: target.url,
        platform: target.platform,
        native_meeting_id: target.native_meeting_id,
        uid: session_name().map_err(no_randomness)?,
        bot_name,
        language: input.language,
        task: input.task,
        vocabulary: input.vocabulary.clone(),
        settings: PlannedSettings {
            passcode: target.passcode,
            has_voice: input.voice_agent_enabled == Some(true),
        },
        join_at,
        now,
    };
    let Planned { meeting, is_new } = app.store.write(verb).await?;
    Ok(CreatedOrFound { value: meeting, is_new })
}

/// A running bot.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunningBot {
    /// The id of the container or process that runs the bot.
    #[schema(required)]
    container_id: Option<String>,
    /// The name of that container or process.
    #[schema(example = "vomeet-bot-1")]
    container_name: String,
    /// The platform of the meeting.
    platform: StoredPlatform,
    /// The platform's id of the meeting.
    #[schema(required)]
    native_meeting_id: Option<String>,
    /// The status of the meeting.
    status: StoredStatus,
    /// The status in fewer words: Requested, Starting, Up, Stopping, Exited or Failed.
    #[schema(example = "Up")]
    normalized_status: &'static str,
    /// When the bot was requested.
    created_at: Time,
    /// Labels of the container.
    labels: BTreeMap<&'static str, String>,
    /// The id of the meeting.
    #[schema(example = "1")]
    meeting_id_from_name: String,
}

impl From<BotAtWork> for RunningBot {
    fn from(BotAtWork { meeting, uid, bot_name, .. }: BotAtWork) -> Self {
        Self {
            container_name: container_name(meeting.id),
            platform: meeting.platform,
            normalized_status: normalized(&meeting.status),
            status: meeting.status,
            created_at: meeting.created_at,
            labels: BTreeMap::from([
                ("vomeet.bot_name", bot_name),
                ("vomeet.meeting_id", meeting.id.to_string()),
                ("vomeet.uid", session_alias(&uid)),
            ]),
            meeting_id_from_name: meeting.id.to_string(),
            container_id: meeting.bot_container_id,
            native_meeting_id: meeting.native_meeting_id,
        }
    }
}

fn normalized(status: &StoredStatus) -> &'static str {
    // Only bots at work are listed, whose status is known.
    match status.known().unwrap_or(MeetingStatus::Failed) {
        MeetingStatus::Scheduled | MeetingStatus::Requested => "Requested",
        MeetingStatus::Joining | MeetingStatus::AwaitingAdmission => "Starting",
        MeetingStatus::Active => "Up",
        MeetingStatus::Stopping => "Stopping",
        MeetingStatus::Completed => "Exited",
        MeetingStatus::Failed => "Failed",
    }
}

/// The caller's running bots.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunningBots {
    /// The bots, oldest first.
    running_bots: Vec<RunningBot>,
}

/// Lists the caller's running bots.
pub(crate) async fn list_running_bots(
    app: Arc<App>,
    caller: User,
    (): (),
) -> Result<Json<RunningBots>> {
    let scope = caller.token.terms.scope.clone();
    let open = app.store.open_meetings_of(caller.user.id, scope).await?;
    let bots = open.into_iter().filter(|bot| !bot.is_bridge);
    Ok(Json(RunningBots { running_bots: bots.map(RunningBot::from).collect() }))
}

input! {
    /// Path and body of `PUT /bots/{platform}/{native_meeting_id}/config`.
    pub(crate) struct ConfigureBotInput, body Required {
        flatten name: NameInPath,
        optional language: Option<Language>,
        optional task: Option<Task>,
    }
}

/// Changes language or task of an active bot. Both are pushed to a bot that listens to the Redis
/// endpoint, and are in the response to the segments that it sends next.
pub(crate) async fn configure_bot(
    app: Arc<App>,
    caller: User,
    input: ConfigureBotInput,
) -> Result<Accepted<Message>> {
    let name = owned(&caller, input.name, None)?;
    app.store.write(Reconfigure { name, language: input.language, task: input.task }).await?;
    Ok(Accepted(Message::new("Reconfiguration request accepted and sent to the bot.")))
}

/// Stops a bot; a meeting that is over stays as it is.
pub(crate) async fn stop_bot(
    app: Arc<App>,
    caller: User,
    name: NameInPath,
) -> Result<Accepted<Message>> {
    let meeting_ref = MeetingRef::Named(owned(&caller, name, None)?);
    let report = StatusReport::new(MeetingStatus::Stopping, TransitionSource::User);
    let advanced = app
        .store
        .write(Advance { meeting_ref, report, container_id: None, now: app.clock.now() })
        .await?;
    Ok(Accepted(stopped(&advanced.ok_or(Error::NoBotToStop)?)))
}

/// Stops the bot of any meeting; a meeting that is over stays as it is.
pub(crate) async fn stop_meeting(
    app: Arc<App>,
    admin: Admin,
    ById(id): ById<MeetingId>,
) -> Result<Accepted<Message>> {
    let advanced = stop_any(&app, &admin, id).await?;
    Ok(Accepted(stopped(&advanced.ok_or(Error::NoSuchMeeting)?)))
}

/// How much of a log is read, in bytes.
type LogBytes = BoundedInt<1, 65_536>;

input! {
    /// Path and query of `GET /admin/meetings/{id}/log`.
    pub(crate) struct GetBotLogInput {
        path id: MeetingId,
        query_or(BoundedInt(16_384)) bytes: LogBytes,
    }
}

/// The end of a bot's log.
#[derive(Serialize, ToSchema)]
pub(crate) struct BotLog {
    /// The meeting.
    meeting_id: MeetingId,
    /// The last lines that the bot has printed; null where no log is kept: another runner than
    /// `process` keeps none, and it is deleted with the transcript and by its age.
    #[schema(required)]
    log: Option<String>,
    /// How long the whole log is, in bytes.
    log_bytes: u64,
    /// Whether `log` is all of it.
    is_whole: bool,
}

/// Gets the end of what the bot of any meeting has printed, from the beginning of a line.
pub(crate) async fn get_bot_log(
    app: Arc<App>,
    _: Admin,
    input: GetBotLogInput,
) -> Result<Json<BotLog>> {
    let wanted = TelematicsWanted { id: input.id, transcriptions: false, sessions: false };
    let meeting_id = app.store.telematics(wanted).await?.meeting.id;
    let bytes_max = input.bytes.0.unsigned_abs();
    let tail = app.bots.log_tail(meeting_id, bytes_max).await?;
    Ok(Json(match tail {
        Some(tail) => BotLog {
            meeting_id,
            log: Some(tail.text),
            log_bytes: tail.log_bytes,
            is_whole: tail.is_whole,
        },
        None => BotLog { meeting_id, log: None, log_bytes: 0, is_whole: true },
    }))
}

/// The response to a stop request.
fn stopped(advanced: &Advanced) -> Message {
    match advanced.step {
        TransitionOutcome::Refuse => {
            Message::new(format!("Meeting already {}.", advanced.from.as_str()))
        }
        TransitionOutcome::Move if advanced.from == MeetingStatus::Scheduled => {
            Message::new("The planned bot is cancelled.")
        }
        TransitionOutcome::Move | TransitionOutcome::Stay => {
            Message::new("Stop request accepted and is being processed.")
        }
    }
}

/// The error of a bot that is not active, for the route table.
pub(crate) fn not_active() -> Error {
    Error::NotActive(MeetingStatus::Joining.into())
}
