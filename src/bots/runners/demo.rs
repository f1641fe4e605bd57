//! The demo bot, which the program carries: it plays a meeting, through the same callbacks as
//! any other bot.

use crate::bots::launch::{BotExit, LaunchSpec};
use crate::bots::runners::script::{LONG, Line, SHORT};
use crate::bots::runners::voice::Voice;
use crate::config::{Bots, DemoMeeting};
use crate::domain::MeetingId;
use crate::http_client::Connection;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// From one step of the short meeting to the next; it has 21.
const SHORT_PACE: Duration = Duration::from_millis(1200);
/// The same of the long one, which takes more than two minutes.
const LONG_PACE: Duration = Duration::from_millis(2400);
/// How often a callback is tried.
const TRIES: usize = 3;
/// Longest wait for the response to a callback.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest body of a response, in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// The meeting of a handle, `demo:<meeting>`; `None` is another runner's.
pub(crate) fn parse(handle: &str) -> Option<MeetingId> {
    let number = handle.strip_prefix("demo:")?.parse().ok()?;
    Some(MeetingId(number))
}

/// What the demo bot reads of `BOT_CONFIG`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    connection_id: String,
    token: String,
    bot_manager_callback_url: String,
    #[serde(rename = "container_name")]
    container_name: Option<String>,
}

/// A bot that runs.
struct Playing {
    leave: watch::Sender<bool>,
    exit: watch::Receiver<Option<BotExit>>,
}

/// Runs demo bots.
pub(crate) struct Demos {
    pace: Duration,
    meeting: DemoMeeting,
    socket: Option<PathBuf>,
    playing: Mutex<HashMap<MeetingId, Playing>>,
}

impl Demos {
    /// A runner whose bots play the chosen meeting, at its own pace or at the one that is set. They
    /// report through the admin socket where one is given, whatever address they are told.
    pub(crate) fn new(bots: &Bots) -> Self {
        let pace = match bots.demo_meeting {
            DemoMeeting::Short | DemoMeeting::Spoken => SHORT_PACE,
            DemoMeeting::Long => LONG_PACE,
        };
        Self {
            pace: bots.demo_pace.unwrap_or(pace),
            meeting: bots.demo_meeting,
            socket: bots.demo_socket.clone(),
            playing: Mutex::default(),
        }
    }

    /// Starts a bot, and returns its handle.
    pub(crate) fn start(&self, spec: &LaunchSpec) -> Result<String, String> {
        let callbacks = Callbacks::of(spec, self.socket.clone())?;
        let (leave, leave_receiver) = watch::channel(false);
        let (exit_sender, exit) = watch::channel(None);
        let bot = DemoBot { pace: self.pace, meeting: self.meeting, callbacks };
        tokio::spawn(async move {
            let exit = bot.play(leave_receiver).await;
            exit_sender.send_replace(Some(exit));
        });
        self.playing().insert(spec.meeting_id, Playing { leave, exit });
        Ok(format!("demo:{}", spec.meeting_id))
    }

    /// Stops a bot, and waits until it has ended.
    pub(crate) async fn stop(&self, id: MeetingId) {
        if let Some(playing) = self.playing().get(&id) {
            playing.leave.send_replace(true);
        }
        self.wait(id).await;
    }

    /// Waits until a bot has ended; a bot of an earlier server ended with that.
    pub(crate) async fn wait(&self, id: MeetingId) -> BotExit {
        let running = self.playing().get(&id).map(|playing| playing.exit.clone());
        if let Some(mut exit) = running
            && let Ok(ended) = exit.wait_for(Option::is_some).await
            && let Some(exit) = ended.clone()
        {
            return exit;
        }
        BotExit::unseen("the demo bot ended with the server")
    }

    /// Forgets a bot that has ended.
    pub(crate) fn forget(&self, id: MeetingId) {
        self.playing().remove(&id);
    }

    fn playing(&self) -> MutexGuard<'_, HashMap<MeetingId, Playing>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct DemoBot {
    pace: Duration,
    meeting: DemoMeeting,
    callbacks: Callbacks,
}

impl DemoBot {
    /// Joins, speaks and leaves; earlier where it is told to.
    async fn play(self, mut leave: watch::Receiver<bool>) -> BotExit {
        let played = tokio::select! {
            played = self.attend() => played.map(|()| "left_alone"),
            _ = leave.wait_for(|leave| *leave) => Ok("stopped"),
        };
        let reason = match played {
            Ok(reason) => reason,
            Err(why) => {
                let how = format!("the demo bot gave up: {why}");
                return BotExit { exit_code: Some(1), how };
            }
        };
        match self.callbacks.exited(reason).await {
            Ok(()) => BotExit::with_code(0),
            Err(why) => {
                BotExit { exit_code: Some(0), how: format!("its end was not heard: {why}") }
            }
        }
    }

    async fn attend(&self) -> Result<(), String> {
        for state in ["joining", "awaiting_admission", "started"] {
            self.report_state(state).await?;
        }
        match self.meeting {
            DemoMeeting::Short => self.say(SHORT).await,
            DemoMeeting::Long => self.say(LONG).await,
            DemoMeeting::Spoken => self.callbacks.voice().await?.speak().await,
        }
    }

    /// Reports what is said, each sentence as a segment.
    async fn say(&self, lines: &[Line]) -> Result<(), String> {
        for line in lines {
            if let Some(text) = line.at_first {
                self.report_segment(line, text).await?;
            }
            self.report_segment(line, line.text).await?;
        }
        Ok(())
    }

    /// Reports a state, in up to [`TRIES`] tries, each followed by a wait.
    async fn report_state(&self, state: &str) -> Result<(), String> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.callbacks.state(state).await;
            sleep(self.pace).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Reports a segment, in up to [`TRIES`] tries, each followed by a wait.
    async fn report_segment(&self, line: &Line, text: &str) -> Result<(), String> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.callbacks.segment(line, text).await;
            sleep(self.pace).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// Sends callbacks to the server that `BOT_CONFIG` names.
struct Callbacks {
    config: Config,
    /// Host and port.
    server: String,
    socket: Option<PathBuf>,
    /// The path of the callbacks, up to the last part.
    path: String,
}

impl Callbacks {
    fn of(spec: &LaunchSpec, socket: Option<PathBuf>) -> Result<Self, String> {
        let Some((_, text)) = spec.environment.iter().find(|(name, _)| name == "BOT_CONFIG") else {
            return Err("it has no BOT_CONFIG.".to_owned());
        };
        let config: Config = match serde_json::from_str(text) {
            Ok(config) => config,
            Err(error) => return Err(format!("it cannot read its BOT_CONFIG ({error}).")),
        };
        let url = &config.bot_manager_callback_url;
        let scheme = if socket.is_some() { "https" } else { "http" };
        let Some((server, path)) = server_and_path(url, scheme) else {
            return Err(format!(
                "the demo bot cannot call {url}; set bots.callback_url to an {scheme}:// address \
                 or leave it empty."
            ));
        };
        Ok(Self { config, server, socket, path })
    }

    /// Reports `joining`, `awaiting_admission` or `started`.
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
        let segment = json!({
            "start": line.start,
            "end": line.end,
            "text": text,
            "language": line.language,
            "speaker": line.speaker,
        });
        let body = json!({ "uid": self.config.connection_id, "segments": [segment] });
        self.post("/segments", &body).await
    }

    /// A voice in the meeting, for a server without TLS.
    async fn voice(&self) -> Result<Voice, String> {
        let path = format!("{}/audio", self.path);
        Voice::open(&self.server, &path, &self.config.token).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), String> {
        let server = &self.server;
        match timeout(RESPONSE_TIME_MAX, self.send(path, body)).await {
            Ok(Ok(StatusCode::OK)) => Ok(()),
            Ok(Ok(status)) => Err(format!("{path} was answered {status}")),
            Ok(Err(error)) => Err(format!("{server} cannot be reached ({error})")),
            Err(_elapsed) => Err(format!("{server} does not answer")),
        }
    }

    async fn send(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
        let mut connection = match &self.socket {
            Some(socket) => Connection::over(UnixStream::connect(socket).await?).await?,
            None => Connection::over(TcpStream::connect(&self.server).await?).await?,
        };
        let request = Request::post(format!("{}{path}", self.path))
            .header(HOST, &self.server)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.config.token))
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = connection.send(request).await?;
        let status = response.status;
        response.whole(RESPONSE_BYTES_MAX).await?;
        Ok(status)
    }
}

/// Host and port of a callback URL, and its path up to `/callback/exited`; `None` where the demo
/// bot cannot call it.
fn server_and_path(url: &str, scheme: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    if uri.scheme_str() != Some(scheme) {
        return None;
    }
    let path = uri.path().strip_suffix("/callback/exited")?;
    let port = uri.port_u16().unwrap_or(80);
    Some((format!("{}:{port}", uri.host()?), path.to_owned()))
}
