//! Bots, for their owners: sent, listed, reconfigured and stopped.

use crate::api::bot_target::SendBotInput;
use crate::api::meetings::{NameInPath, owned};
use crate::api::message::Message;
use crate::api::stop::stop_any;
use crate::api::users::ById;
use crate::app::App;
use crate::auth::{Admin, User};
use crate::bots::LaunchSpec;
use crate::domain::bot::{container_name, session_alias};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::{
    AutomaticLeave, BotConfig, Language, Meeting, MeetingId, MeetingStatus, PlainToken,
    StatusReport, StoredPlatform, StoredStatus, Task, Time, TransitionSource,
};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{Accepted, Created, Json};
use crate::store::{
    Advance, Advanced, BotAtWork, MeetingRef, NoteContainer, Reconfigure, SendBot, TelematicsWanted,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// Sends a bot to a meeting; the response is sent once the bot runs.
pub(crate) async fn send_bot(
    app: Arc<App>,
    caller: User,
    input: SendBotInput,
) -> Result<Created<Meeting>> {
    let target = input.target(&app.config.bots)?;
    let scope = &caller.token.terms.scope;
    scope
        .check_meeting(target.platform, Some(&target.native_meeting_id))
        .map_err(Error::NotAllowed)?;
    if !app.bots.runs_any() {
        return Err(Error::NoRunner);
    }
    let limit = caller.user.max_concurrent_bots;
    app.bots.check(caller.user.id, limit)?;
    let bot_name = match input.bot_name {
        Some(name) if !name.0.is_empty() => name.0,
        _ => app.config.bots.name.clone(),
    };
    let no_randomness =
        |error: getrandom::Error| Error::Internal(format!("no randomness: {error}"));
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
        now: app.clock.now(),
    };
    let uid = verb.uid.clone();
    let bot_name = verb.bot_name.clone();
    let meeting = match app.store.write(verb).await {
        // How many bots are in other meetings is not told.
        Err(Error::BotLimitReached { limit, .. }) if scope.is_narrow() => {
            return Err(Error::BotLimitReached { seats: limit, limit });
        }
        sent => sent?,
    };
    // Others may have been started since.
    let permit = match app.bots.permit(caller.user.id, limit) {
        Ok(permit) => permit,
        Err(error) => {
            end_unstarted(&app, meeting.id, &error.to_string()).await?;
            return Err(error);
        }
    };
    let spec = spec(&app, &meeting, &uid, &bot_name, &secret, (input.language, input.task))?;
    let spec = LaunchSpec { permit: Some(permit), ..spec };
    match app.bots.send(spec).await {
        Ok(container_id) => {
            let note = NoteContainer { meeting_id: meeting.id, container_id, now: app.clock.now() };
            let Meeting { bot_container_id, updated_at, .. } = app.store.write(note).await?;
            // Its bot may have reported already; the response is the meeting as it was requested.
            Ok(Created(Meeting { bot_container_id, updated_at, ..meeting }))
        }
        Err(why) => {
            end_unstarted(&app, meeting.id, &why).await?;
            Err(Error::BotNotStarted(why))
        }
    }
}

/// Ends a meeting whose bot did not start; one that was to be stopped meanwhile is completed.
async fn end_unstarted(app: &App, id: MeetingId, why: &str) -> Result<()> {
    let stopping = app
        .store
        .meeting_of_bot(id)?
        .is_some_and(|meeting| meeting.status == MeetingStatus::Stopping);
    let to = if stopping { MeetingStatus::Completed } else { MeetingStatus::Failed };
    let report = StatusReport::new(to, TransitionSource::Server).because(why);
    let verb = Advance {
        meeting_ref: MeetingRef::Meeting(id),
        report,
        container_id: None,
        now: app.clock.now(),
    };
    app.store.write(verb).await.map(drop)
}

/// A UUID v4 (RFC 9562, section 5.4).
fn session_name() -> std::result::Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// The configuration and environment of a bot.
fn spec(
    app: &App,
    meeting: &Meeting,
    uid: &str,
    bot_name: &str,
    secret: &PlainToken,
    (language, task): (Option<Language>, Option<Task>),
) -> Result<LaunchSpec> {
    let settings = &app.config.bots;
    let name = container_name(meeting.id);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let callback_url = format!("{}/bots/internal/callback/exited", app.url_for_bots());
    let config = BotConfig {
        meeting_id: meeting.id,
        platform: meeting.platform.as_str(),
        meeting_url: meeting.constructed_meeting_url.as_deref().unwrap_or_default(),
        bot_name,
        token: secret.reveal(),
        native_meeting_id: meeting.native_meeting_id.as_deref().unwrap_or_default(),
        connection_id: uid,
        language,
        task,
        redis_url: Some(settings.redis_url.as_str()).filter(|url| !url.is_empty()),
        container_name: &name,
        automatic_leave: AutomaticLeave {
            waiting_room_timeout: millis(settings.leave.waiting_room),
            no_one_joined_timeout: millis(settings.leave.no_one_joined),
            everyone_left_timeout: millis(settings.leave.everyone_left),
        },
        callback_url: &callback_url,
    };
    let config =
        serde_json::to_string(&config).map_err(|error| Error::Internal(error.to_string()))?;
    let mut environment = vec![("BOT_CONFIG".to_owned(), config)];
    if !settings.whisper_live_url.is_empty() {
        environment.push(("WHISPER_LIVE_URL".to_owned(), settings.whisper_live_url.clone()));
    }
    let uid = uid.to_owned();
    Ok(LaunchSpec { meeting_id: meeting.id, uid, name, permit: None, environment })
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
        MeetingStatus::Requested => "Requested",
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
    Ok(Json(RunningBots { running_bots: open.into_iter().map(RunningBot::from).collect() }))
}

input! {
    /// Path and body of `PUT /bots/{platform}/{native_meeting_id}/config`.
    pub(crate) struct ConfigureBotInput, body Required {
        flatten name: NameInPath,
        optional language: Option<Language>,
        optional task: Option<Task>,
    }
}

/// Changes language or task of an active bot; the bot gets both in the response to its next report.
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
        TransitionOutcome::Move | TransitionOutcome::Stay => {
            Message::new("Stop request accepted and is being processed.")
        }
    }
}

/// The error of a bot that is not active, for the route table.
pub(crate) fn not_active() -> Error {
    Error::NotActive(MeetingStatus::Joining.into())
}
