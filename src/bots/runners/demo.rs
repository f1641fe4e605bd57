//! The bot that the program carries: it plays a short meeting, through the very same callbacks as any other bot.

use crate::bots::launch::{BotExit, LaunchSpec};
use crate::bots::runners::script::{Line, SCRIPT};
use crate::domain::MeetingId;
use crate::http_client::Connection;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// From one step to the next; a meeting has 21.
const PACE: Duration = Duration::from_millis(1200);
/// How often a callback is tried.
const TRIES: usize = 3;
/// Longest wait for the answer to a callback.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Most bytes of it.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The meeting that a handle, `demo:<meeting>`, stands for; `None` is another runner's.
pub fn parse(handle: &str) -> Option<MeetingId> {
    handle.strip_prefix("demo:")?.parse().ok().map(MeetingId)
}

/// What a bot reads of `BOT_CONFIG`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    connection_id: String,
    token: String,
    bot_manager_callback_url: String,
    #[serde(rename = "container_name")]
    container_name: Option<String>,
}

/// A bot at work.
struct Playing {
    leave: watch::Sender<bool>,
    end: watch::Receiver<Option<BotExit>>,
}

/// Runs demo bots.
pub struct Demos {
    pace: Duration,
    playing: Mutex<HashMap<MeetingId, Playing>>,
}

impl Demos {
    /// With another pace than their own, for tests.
    pub fn new(pace: Option<Duration>) -> Self {
        Self { pace: pace.unwrap_or(PACE), playing: Mutex::default() }
    }

    /// Starts one.
    pub fn start(&self, spec: &LaunchSpec) -> Result<String, String> {
        let (leave, told_to_leave) = watch::channel(false);
        let bot = Bot { pace: self.pace, line: Callbacks::of(spec)?, told_to_leave };
        let (tell, end) = watch::channel(None);
        tokio::spawn(async move { tell.send_replace(Some(bot.play().await)) });
        self.playing().insert(spec.meeting_id, Playing { leave, end });
        Ok(format!("demo:{}", spec.meeting_id))
    }

    /// Tells one to leave, and waits until it has.
    pub async fn stop(&self, id: MeetingId) {
        if let Some(playing) = self.playing().get(&id) {
            playing.leave.send_replace(true);
        }
        self.wait(id).await;
    }

    /// Waits for the end; one that the server before this one played ended with it.
    pub async fn wait(&self, id: MeetingId) -> BotExit {
        let end = self.playing().get(&id).map(|playing| playing.end.clone());
        let gone = || BotExit::unseen("the demo bot ended with the server");
        let Some(mut end) = end else { return gone() };
        end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()).unwrap_or_else(gone)
    }

    /// Forgets one that has ended.
    pub fn forget(&self, id: MeetingId) {
        self.playing().remove(&id);
    }

    fn playing(&self) -> MutexGuard<'_, HashMap<MeetingId, Playing>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Bot {
    pace: Duration,
    line: Callbacks,
    told_to_leave: watch::Receiver<bool>,
}

impl Bot {
    /// From the way there to the end, unless it is told to leave.
    async fn play(mut self) -> BotExit {
        let mut leave = self.told_to_leave.clone();
        let reason = tokio::select! {
            played = self.meet() => match played {
                Ok(()) => "left_alone",
                Err(why) => return BotExit { exit_code: Some(1), how: format!("the demo bot gave up: {why}") },
            },
            _ = leave.wait_for(|leave| *leave) => "stopped",
        };
        let said = self.line.exited(reason).await;
        said.map_or_else(
            |why| BotExit { exit_code: Some(0), how: format!("its end was not heard: {why}") },
            |()| BotExit::with_code(0),
        )
    }

    async fn meet(&mut self) -> Result<(), String> {
        for state in ["joining", "awaiting_admission", "started"] {
            self.insist(state, None).await?;
        }
        for line in SCRIPT {
            for text in line.at_first.into_iter().chain([line.text]) {
                self.insist("segments", Some((line, text))).await?;
            }
        }
        Ok(())
    }

    /// Says one thing, again where it was not heard, and takes its time.
    async fn insist(&mut self, what: &str, words: Option<(&Line, &str)>) -> Result<(), String> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = match words {
                Some((line, text)) => self.line.segment(line, text).await,
                None => self.line.state(what).await,
            };
            sleep(self.pace).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// The way to the server, as `BOT_CONFIG` names it.
struct Callbacks {
    config: Config,
    server: String,
    /// Of the callbacks, up to the last part.
    path: String,
}

impl Callbacks {
    fn of(spec: &LaunchSpec) -> Result<Self, String> {
        let told = spec.environment.iter().find(|(name, _)| name == "BOT_CONFIG");
        let told = told.map(|(_, config)| serde_json::from_str(config));
        let config: Config = match told {
            Some(Ok(config)) => config,
            Some(Err(error)) => return Err(format!("it cannot read its BOT_CONFIG ({error}).")),
            None => return Err("it has no BOT_CONFIG.".to_owned()),
        };
        let url = &config.bot_manager_callback_url;
        let wrong = || {
            format!("the demo bot cannot call {url}; set bots.callback_url to an http:// address or leave it empty.")
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let path = uri.path().strip_suffix("/callback/exited").ok_or_else(wrong)?.to_owned();
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
        let server = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self { config, server, path })
    }

    /// `joining`, `awaiting_admission` or `started`.
    async fn state(&self, state: &str) -> Result<(), String> {
        let Config { connection_id, container_name, .. } = &self.config;
        let body = json!({ "connection_id": connection_id, "container_id": container_name });
        self.post(&format!("/callback/{state}"), &body).await
    }

    async fn exited(&self, reason: &str) -> Result<(), String> {
        let id = &self.config.connection_id;
        let body = json!({ "connection_id": id, "exit_code": 0, "completion_reason": reason });
        self.post("/callback/exited", &body).await
    }

    async fn segment(&self, line: &Line, text: &str) -> Result<(), String> {
        let Line { start, end, speaker, language, .. } = line;
        let segment = json!({ "start": start, "end": end, "text": text, "language": language, "speaker": speaker });
        self.post("/segments", &json!({ "uid": self.config.connection_id, "segments": [segment] })).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), String> {
        let answered = timeout(ANSWER_TIME_MAX, self.send(path, body)).await;
        match answered.map_err(|_| format!("{} does not answer", self.server))?? {
            StatusCode::OK => Ok(()),
            status => Err(format!("{path} was answered {status}")),
        }
    }

    async fn send(&self, path: &str, body: &Value) -> Result<StatusCode, String> {
        let failed = |error: &dyn std::error::Error| format!("{} cannot be reached ({error})", self.server);
        let stream = TcpStream::connect(&self.server).await.map_err(|error| failed(&error))?;
        let connection = Connection::over(stream).await;
        let mut connection = connection.map_err(|error| failed(&error))?;
        let request = Request::post(format!("{}{path}", self.path))
            .header(HOST, &self.server)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.config.token))
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| failed(&error))?;
        let answer = connection.send(request).await.map_err(|error| failed(&error))?;
        let status = answer.status;
        answer.whole(ANSWER_BYTES_MAX).await.map_err(|error| failed(&error))?;
        Ok(status)
    }
}
