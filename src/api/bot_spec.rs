//! What a bot is given: its configuration in both forms, and the rest of its environment.

use crate::app::App;
use crate::bots::LaunchSpec;
use crate::domain::bot::container_name;
use crate::domain::{
    AutomaticLeave, BotConfig, BotTold, Language, Meeting, PlainToken, StrictBotConfig, Task,
};
use crate::error::{Error, Result};
use serde::Serialize;
use std::time::Duration;

/// A bot that is wanted.
pub(crate) struct Wanted<'a> {
    /// The meeting that it goes to.
    pub meeting: &'a Meeting,
    /// The name of its session.
    pub uid: &'a str,
    /// What it calls itself.
    pub bot_name: &'a str,
    /// The secret of the meeting.
    pub secret: &'a PlainToken,
    /// What opens the meeting.
    pub passcode: Option<&'a str>,
    /// What is spoken there.
    pub language: Option<Language>,
    /// What to make of it.
    pub task: Option<Task>,
    /// Whether it is to be able to speak.
    pub has_voice: bool,
}

impl Wanted<'_> {
    /// How it is started.
    pub(crate) fn spec(&self, app: &App) -> Result<LaunchSpec> {
        let bots = &app.config.bots;
        let name = container_name(self.meeting.id);
        let redis_url = redis_url(app, self.secret);
        let service = transcription_service(app, self.secret);
        let recordings = recording_url(app);
        let mut told = self.told(app, &name, redis_url.as_deref(), &service);
        told.recording_enabled = recordings.is_some();
        told.recording_upload_url = recordings.as_deref();
        let callbacks = format!("{}/bots/internal/callback", app.url_for_bots());
        let exited = format!("{callbacks}/exited");
        let status_change = format!("{callbacks}/status_change");
        let strict = StrictBotConfig {
            told: told.clone(),
            passcode: self.passcode,
            internal_secret: recordings.is_some().then(|| self.secret.reveal()),
            callback_url: &status_change,
            transcription_model: filled(&bots.transcription.model),
        };
        let config = BotConfig { told, callback_url: &exited, same_callback_url: &exited };
        let mut environment = vec![
            ("BOT_CONFIG".to_owned(), json(&config)?),
            ("VEXA_BOT_CONFIG".to_owned(), json(&strict)?),
        ];
        if let Some(url) = whisper_live_url(app) {
            environment.push(("WHISPER_LIVE_URL".to_owned(), url));
        }
        let uid = self.uid.to_owned();
        Ok(LaunchSpec { meeting_id: self.meeting.id, uid, name, permit: None, environment })
    }

    /// What it is told in both forms.
    fn told<'a>(
        &'a self,
        app: &'a App,
        container_name: &'a str,
        redis_url: Option<&'a str>,
        service: &'a Service,
    ) -> BotTold<'a> {
        let bots = &app.config.bots;
        let meeting = self.meeting;
        BotTold {
            meeting_id: meeting.id,
            platform: meeting.platform.as_str(),
            meeting_url: meeting.constructed_meeting_url.as_deref().unwrap_or_default(),
            bot_name: self.bot_name,
            token: self.secret.reveal(),
            native_meeting_id: meeting.native_meeting_id.as_deref().unwrap_or_default(),
            connection_id: self.uid,
            language: self.language,
            task: self.task,
            redis_url,
            container_name,
            automatic_leave: AutomaticLeave {
                waiting_room_timeout: millis(bots.leave.waiting_room),
                no_one_joined_timeout: millis(bots.leave.no_one_joined),
                everyone_left_timeout: millis(bots.leave.everyone_left),
            },
            transcribe_enabled: true,
            recording_enabled: false,
            recording_upload_url: None,
            transcription_service_url: filled(&service.url),
            transcription_service_token: filled(&service.token),
            voice_agent_enabled: self.has_voice.then_some(true),
        }
    }
}

/// Where a bot finds its Redis: the configured one, or the Redis endpoint with the secret of its
/// meeting; `None` where there is neither.
fn redis_url(app: &App, secret: &PlainToken) -> Option<String> {
    let configured = &app.config.bots.redis.url;
    if !configured.is_empty() {
        return Some(configured.clone());
    }
    let address = app.redis_address_for_bots()?;
    Some(format!("redis://bot:{}@{address}/0", secret.reveal()))
}

/// Where a bot sends its recording; `None` where no sound is kept.
fn recording_url(app: &App) -> Option<String> {
    let is_kept = app.hearing.keep_days > 0;
    is_kept.then(|| format!("{}/bots/internal/recordings/upload", app.url_for_bots()))
}

/// Where a bot sends what it hears as WhisperLive's clients do: the configured address, or this
/// server where it makes words of sound; `None` where there is neither.
fn whisper_live_url(app: &App) -> Option<String> {
    let configured = &app.config.bots.whisper_live_url;
    if !configured.is_empty() {
        return Some(configured.clone());
    }
    if !app.transcription.is_on() {
        return None;
    }
    // http:// becomes ws://, and https:// wss://.
    let url = app.url_for_bots();
    let rest = url.strip_prefix("http")?;
    Some(format!("ws{rest}/whisper-live"))
}

/// A service to which a bot posts what it hears, and its token; empty is none.
struct Service {
    url: String,
    token: String,
}

/// The configured service, or this server where it makes words of sound, by the meeting's secret.
fn transcription_service(app: &App, secret: &PlainToken) -> Service {
    let configured = &app.config.bots.transcription;
    if !configured.url.is_empty() || !app.transcription.is_on() {
        return Service { url: configured.url.clone(), token: configured.token.clone() };
    }
    let url = format!("{}/v1/audio/transcriptions", app.url_for_bots());
    Service { url, token: secret.reveal().to_owned() }
}

fn json(config: &impl Serialize) -> Result<String> {
    serde_json::to_string(config).map_err(|error| Error::Internal(error.to_string()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What a setting says; empty is nothing.
fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
