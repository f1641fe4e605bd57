//! The socket of WhisperLive's clients: a bot sends what it hears, and is told the words. They are
//! stored here; nobody has to bring them.

mod said;

use crate::api::sound_socket::{
    Farewell, SoundHeld, StrangerSocket, elapsed_samples, end, hold, listen, meeting_of,
    s16le_of_f32le, sentence,
};
use crate::api::whisper_live::said::{Hello, Said, Segments, hello, said, uid_of};
use crate::app::App;
use crate::budget::{Held, Holder};
use crate::clock::later;
use crate::domain::sound::{HEARD_RATE, SoundCodec, SoundFormat, SoundSource};
use crate::domain::{Language, SpeakerEvent, Time, TokenHash};
use crate::error::{Error, Result};
use crate::http::tracked_stream::TrackedStream;
use crate::http::websocket::handshake::Switching;
use crate::http::websocket::permits::Permit;
use crate::http::websocket::socket::{End, Intake, Received, Socket};
use crate::metrics::RouteLabel;
use crate::store::{MeetingOfSecret, StoreSegmentBatch};
use crate::transcription::{NewSound, Sound, SoundNews};
use bytes::Bytes;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the first text may take.
const HELLO_TIME_MAX: Duration = Duration::from_secs(10);
/// How often it is asked whether the meeting still takes sound.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// How long speaker events wait while the writer's queue is full.
const QUEUE_TIME_MAX: Duration = Duration::from_secs(5);
/// What a client sends when nothing more comes; a multiple of four bytes, as samples are.
const END_OF_AUDIO: &[u8] = b"END_OF_AUDIO";
/// When a client that cannot be served now should come again, in minutes.
const WAIT_MINUTES: u64 = 1;
/// Bytes of a sample.
const SAMPLE_BYTES: usize = 4;

/// The form of the sound in the spool.
const FORMAT: SoundFormat = SoundFormat { codec: SoundCodec::S16le, rate: HEARD_RATE, channels: 1 };

/// Opens a socket for the sound of a bot; who it is, it says over the socket.
pub(crate) async fn open_whisper_live(
    app: Arc<App>,
    caller: StrangerSocket,
    (): (),
) -> Result<Switching> {
    let StrangerSocket { handshake, client, label } = caller;
    let permit = app.transport.sockets.refused()?;
    let bytes = Intake::WHISPER_LIVE.message_bytes_max;
    let waiting = app.transport.budgets.strangers.take(Holder::reporter(client), bytes)?;
    let talk = async move |mut socket: Socket<TrackedStream>, mut permit: Permit| {
        let stranger = Stranger { client, label, waiting };
        let farewell = serve(&app, stranger, &mut socket, &mut permit).await;
        log::debug!("a socket of WhisperLive ends: {:?}", farewell.end);
        socket.close(farewell.end, farewell.text).await;
    };
    Ok(handshake.accept_intake(Intake::WHISPER_LIVE, permit, talk))
}

/// Who has opened a socket and has not said yet who they are.
struct Stranger {
    client: Option<IpAddr>,
    label: RouteLabel,
    /// The bytes of its longest message.
    waiting: Held,
}

async fn serve(
    app: &Arc<App>,
    stranger: Stranger,
    socket: &mut Socket<TrackedStream>,
    permit: &mut Permit,
) -> Farewell {
    let greeted = tokio::select! {
        biased;
        () = permit.stopping() => Err(End::Stopping.into()),
        greeted = greet(app, &stranger, socket) => greeted,
    };
    drop(stranger.waiting);
    let (mut heard, held) = match greeted {
        Ok(greeted) => greeted,
        Err(farewell) => return farewell,
    };
    permit.become_known(held.socket);
    let ended = tokio::select! {
        biased;
        () = permit.stopping() => Err(End::Stopping),
        ended = heard.follow(app, socket) => ended,
    };
    let uid = heard.uid.clone();
    let farewell = match ended {
        Ok(farewell) => farewell,
        Err(End::Gone) => End::Gone.into(),
        Err(end) => Farewell::saying(end, &json!({ "uid": uid, "message": "DISCONNECT" })),
    };
    end(heard.sound).await;
    drop(held.bytes);
    farewell
}

/// Reads the first text and begins the sound.
async fn greet(
    app: &Arc<App>,
    stranger: &Stranger,
    socket: &mut Socket<TrackedStream>,
) -> std::result::Result<(Heard, SoundHeld), Farewell> {
    let first = match timeout(HELLO_TIME_MAX, socket.receive()).await {
        Ok(Ok(Received::Text(text))) => text,
        Ok(Ok(Received::Binary(_))) => {
            let text = "the first message should be a text that says who you are";
            return Err(refusal(None, text));
        }
        Ok(Err(end)) => return Err(end.into()),
        Err(_elapsed) => return Err(End::Silent.into()),
    };
    let hello = match hello(&first) {
        Ok(hello) => hello,
        Err(error) => return Err(refusal(uid_of(&first).as_deref(), &sentence(&error))),
    };
    let uid = hello.uid.clone();
    let found = meeting_of(app, stranger.client, stranger.label, &hello.token);
    let (token_hash, meeting) = found.map_err(|error| failure(&uid, &error))?;
    if !hello.is_of(&meeting) {
        let text = "the token is not of the meeting that meeting_id names";
        return Err(refusal(Some(&uid), text));
    }
    let held = hold(app, Holder::Bot(token_hash), Intake::WHISPER_LIVE);
    let held = held.map_err(|error| failure(&uid, &error))?;
    let heard = Heard::begin(app, hello, token_hash, &meeting).await;
    let heard = heard.map_err(|error| failure(&uid, &error))?;
    let ready = json!({ "uid": uid, "status": "SERVER_READY", "backend": "vomeet" });
    socket.say(ready.to_string().into()).await?;
    Ok((heard, held))
}

/// A client whose messages cannot be used.
fn refusal(uid: Option<&str>, message: &str) -> Farewell {
    Farewell::saying(End::Unusable, &json!({ "uid": uid, "status": "ERROR", "message": message }))
}

/// A client who cannot be served: later it may be another matter, or it may not.
fn failure(uid: &str, error: &Error) -> Farewell {
    let reason = sentence(error);
    match error {
        Error::BotRefused(_) | Error::TooManyFailedKeys { .. } => {
            let text = json!({ "uid": uid, "status": "ERROR", "message": reason });
            Farewell::saying(End::KeyRefused, &text)
        }
        Error::Invalid(_) | Error::Malformed(_) => refusal(Some(uid), &reason),
        _ => {
            let minutes = match error {
                Error::SoundLimit { retry_after, .. } => retry_after.div_ceil(60),
                _ => WAIT_MINUTES,
            };
            let text =
                json!({ "uid": uid, "status": "WAIT", "message": minutes, "reason": reason });
            Farewell::saying(End::Full, &text)
        }
    }
}

/// A sound that comes over a socket.
struct Heard {
    uid: String,
    token_hash: TokenHash,
    sound: Sound,
    /// Where the next sample belongs, on the clock of the sound: its samples are the clock.
    at: u64,
    started_at: Time,
    segments: Segments,
}

/// What happens on the socket.
enum Step {
    Message(std::result::Result<Received, End>),
    Words(SoundNews),
    Look,
}

impl Heard {
    async fn begin(
        app: &Arc<App>,
        hello: Hello,
        token_hash: TokenHash,
        meeting: &MeetingOfSecret,
    ) -> Result<Self> {
        let now = app.clock.now();
        let said = hello.language.as_deref().and_then(Language::from_code);
        let language = said.map(|language| language.as_str().to_owned());
        let sound = NewSound {
            meeting_id: meeting.meeting_id,
            user_id: meeting.user_id,
            token_id: meeting.token_id,
            uid: hello.uid.clone(),
            source: SoundSource::WhisperLive,
            format: FORMAT,
            speaker: None,
            language: language.or_else(|| meeting.language.clone()),
            started_at: now,
        };
        let sound = listen(app, sound).await?;
        let started_at = sound.started_at().unwrap_or(now);
        let at = sound.next_at().max(elapsed_samples(started_at, now, HEARD_RATE));
        let segments = Segments::default();
        Ok(Self { uid: hello.uid, token_hash, sound, at, started_at, segments })
    }

    /// Serves the socket until something ends it: `Ok` where what is said last is made already.
    async fn follow(
        &mut self,
        app: &Arc<App>,
        socket: &mut Socket<TrackedStream>,
    ) -> std::result::Result<Farewell, End> {
        let mut next_look = later(app.clock.now(), LOOK_PERIOD);
        loop {
            let step = tokio::select! {
                message = socket.receive() => Step::Message(message),
                Some(news) = self.sound.next_news() => Step::Words(news),
                () = app.clock.sleep_until(next_look) => Step::Look,
            };
            match step {
                Step::Message(message) => {
                    if let Some(farewell) = self.take(app, message?).await? {
                        return Ok(farewell);
                    }
                }
                Step::Words(news) => {
                    self.segments.add(&news);
                    let words = json!({ "uid": self.uid, "segments": self.segments.list() });
                    socket.say(words.to_string().into()).await?;
                }
                Step::Look => {
                    next_look = later(app.clock.now(), LOOK_PERIOD);
                    if self.is_over(app) {
                        return Err(End::Done);
                    }
                }
            }
        }
    }

    /// Whether the meeting takes nothing more. A database that cannot be read does not say so.
    fn is_over(&self, app: &App) -> bool {
        let found = app.store.meeting_of_secret(&self.token_hash, app.clock.now());
        found.is_ok_and(|found| found.is_none_or(|meeting| !meeting.takes_words))
    }

    async fn take(
        &mut self,
        app: &App,
        message: Received,
    ) -> std::result::Result<Option<Farewell>, End> {
        match message {
            Received::Binary(bytes) if bytes == END_OF_AUDIO => Err(End::Done),
            Received::Binary(bytes) => {
                let taken = self.take_samples(&bytes).await;
                Ok(taken.err().map(|error| failure(&self.uid, &error)))
            }
            Received::Text(text) => {
                self.take_text(app, &text).await?;
                Ok(None)
            }
        }
    }

    /// Does what a text says. One that cannot be used, or not be stored, is passed over: the sound
    /// goes on without it.
    async fn take_text(&self, app: &App, text: &str) -> std::result::Result<(), End> {
        let stored = match said(text) {
            Ok(Said::Event(event)) => self.store_event(app, event).await,
            Ok(Said::Leaving) => return Err(End::Done),
            Ok(Said::Other) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            app.transcription.dropped.note_text();
            log::debug!("a text of a WhisperLive client is passed over: {}", sentence(&error));
        }
        Ok(())
    }

    async fn take_samples(&mut self, bytes: &Bytes) -> Result<()> {
        if !bytes.len().is_multiple_of(SAMPLE_BYTES) {
            return Err(Error::Malformed(
                "a binary message should be samples of 32-bit float, or END_OF_AUDIO",
            ));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.sound.write(self.at, &s16le_of_f32le(bytes)).await?;
        self.at += (bytes.len() / SAMPLE_BYTES) as u64;
        Ok(())
    }

    /// Stores who begins or ends to speak, on the clock of this sound.
    async fn store_event(&self, app: &App, event: SpeakerEvent) -> Result<()> {
        let batch = StoreSegmentBatch {
            token_hash: self.token_hash,
            uid: self.uid.clone(),
            started_at: Some(self.started_at),
            segments: Vec::new(),
            events: vec![event],
            now: app.clock.now(),
        };
        app.store.write_within(batch, QUEUE_TIME_MAX).await.map(drop)
    }
}
