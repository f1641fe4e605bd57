//! A bot's audio socket: a stream for each speaker, so that whose words they are is known and not
//! guessed.

mod asked;

use crate::api::bot_audio::asked::{Opening, SentCodec, Wanted, asked, stream_of};
use crate::api::guard::Guard;
use crate::api::sound_socket::{
    BotSocket, Farewell, elapsed_samples, end, hold, listen, s16le_of_f32le, sentence,
};
use crate::app::App;
use crate::clock::later;
use crate::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use crate::domain::{SentInstead, Time, TokenHash};
use crate::error::{Error, Result};
use crate::http::tracked_stream::TrackedStream;
use crate::http::websocket::handshake::Switching;
use crate::http::websocket::permits::Permit;
use crate::http::websocket::socket::{End, Intake, Received, Socket};
use crate::store::MeetingOfSecret;
use crate::transcription::packet::samples;
use crate::transcription::{NewSound, Sound};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Most streams of a socket that are open at once; a meeting has no more either.
const STREAMS_MAX: usize = 64;
/// How often it is asked whether the meeting still takes sound.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// What comes so much later than it should, in milliseconds, comes after silence.
const LATE_MS_MAX: u64 = 1_000;
/// Opens a socket for the sound of a bot, speaker by speaker.
pub(crate) async fn open_bot_audio(app: Arc<App>, caller: BotSocket, (): ()) -> Result<Switching> {
    let holder = caller.holder();
    let token_hash = caller.bot.token_hash();
    let found = app.store.meeting_of_secret(&token_hash, app.clock.now())?;
    let meeting = found.ok_or(Error::BotRefused(SentInstead::Nothing))?;
    let held = hold(&app, holder, Intake::SOUND)?;
    let permit = app.transport.sockets.known(held.socket);
    let bytes_held = held.bytes;
    let streams = Streams { app: Arc::clone(&app), token_hash, meeting, open: HashMap::new() };
    let talk = async move |socket: Socket<TrackedStream>, permit: Permit| {
        serve(streams, socket, permit).await;
        drop(bytes_held);
    };
    Ok(caller.handshake.accept_intake(Intake::SOUND, permit, talk))
}

async fn serve(mut streams: Streams, mut socket: Socket<TrackedStream>, mut permit: Permit) {
    let farewell = tokio::select! {
        biased;
        () = permit.stopping() => End::Stopping.into(),
        farewell = streams.follow(&mut socket) => farewell,
    };
    log::debug!("an audio socket ends: {:?}", farewell.end);
    for (_, stream) in streams.open {
        end(stream.sound).await;
    }
    socket.close(farewell.end, farewell.text).await;
}

/// The streams of a socket, by the numbers that the bot gives them.
struct Streams {
    app: Arc<App>,
    token_hash: TokenHash,
    meeting: MeetingOfSecret,
    open: HashMap<u16, Stream>,
}

struct Stream {
    sound: Sound,
    speaker: Option<String>,
    codec: SentCodec,
    format: SoundFormat,
    started_at: Time,
    /// Where the next samples belong, on the clock of the sound.
    at: u64,
}

impl Streams {
    /// Serves the socket until something ends it.
    async fn follow(&mut self, socket: &mut Socket<TrackedStream>) -> Farewell {
        let clock = self.app.clock.clone();
        let mut next_look = later(clock.now(), LOOK_PERIOD);
        loop {
            let message = tokio::select! {
                message = socket.receive() => message,
                () = clock.sleep_until(next_look) => {
                    next_look = later(clock.now(), LOOK_PERIOD);
                    if self.is_over() {
                        let text = json!({ "error": "the meeting is over" });
                        return Farewell::saying(End::Done, &text);
                    }
                    continue;
                }
            };
            let answer = match message {
                Ok(Received::Text(text)) => Some(self.ask(&text).await),
                Ok(Received::Binary(bytes)) => self.take(&bytes).await,
                Err(end) => return end.into(),
            };
            if let Some(answer) = answer
                && let Err(end) = socket.say(answer.to_string().into()).await
            {
                return end.into();
            }
        }
    }

    /// Whether the meeting takes nothing more. A database that cannot be read does not say so.
    fn is_over(&self) -> bool {
        let found = self.app.store.meeting_of_secret(&self.token_hash, self.app.clock.now());
        found.is_ok_and(|found| found.is_none_or(|meeting| !meeting.takes_words))
    }

    /// Does what a text asks for, and gives the answer.
    async fn ask(&mut self, text: &str) -> Value {
        let asked = match asked(text) {
            Ok(asked) => asked,
            Err(error) => return wrong(stream_of(text), &sentence(&error)),
        };
        let number = asked.stream;
        match asked.wanted {
            Wanted::End => match self.open.remove(&number) {
                Some(stream) => {
                    end(stream.sound).await;
                    json!({ "stream": number, "ended": true })
                }
                None => wrong(Some(number), "no such stream is open"),
            },
            Wanted::Open(opening) => {
                if self.open.contains_key(&number) {
                    return wrong(Some(number), "the stream is open already; end it first");
                }
                if self.open.len() >= STREAMS_MAX {
                    return wrong(Some(number), "a socket has at most 64 open streams");
                }
                if self.has(opening.speaker.as_deref()) {
                    return wrong(Some(number), "the speaker has another stream; end it first");
                }
                match self.begin(number, opening).await {
                    Ok(()) => json!({ "stream": number, "ready": true }),
                    Err(error) => {
                        json!({ "stream": number, "status": "WAIT", "reason": sentence(&error) })
                    }
                }
            }
        }
    }

    /// Whether a speaker has a stream.
    fn has(&self, speaker: Option<&str>) -> bool {
        speaker.is_some() && self.open.values().any(|open| open.speaker.as_deref() == speaker)
    }

    async fn begin(&mut self, number: u16, opening: Opening) -> Result<()> {
        let Opening { codec, rate, speaker, language } = opening;
        let kept = match codec {
            SentCodec::Opus => SoundCodec::Opus,
            SentCodec::S16le | SentCodec::F32le => SoundCodec::S16le,
        };
        let format = SoundFormat { codec: kept, rate, channels: 1 };
        let language = language.map(|language| language.as_str().to_owned());
        let now = self.app.clock.now();
        let sound = NewSound {
            meeting_id: self.meeting.meeting_id,
            user_id: self.meeting.user_id,
            token_id: self.meeting.token_id,
            uid: stream_name(number, speaker.as_deref(), format),
            source: SoundSource::Bot,
            format,
            speaker: speaker.clone(),
            language: language.or_else(|| self.meeting.language.clone()),
            started_at: now,
        };
        let sound = listen(&self.app, sound).await?;
        let started_at = sound.started_at().unwrap_or(now);
        let at = sound.next_at().max(elapsed_samples(started_at, now, rate));
        self.open.insert(number, Stream { sound, speaker, codec, format, started_at, at });
        Ok(())
    }

    /// Takes a binary message: the number of its stream in two bytes, the higher one first, and then
    /// sound. Gives what is wrong with it.
    async fn take(&mut self, message: &Bytes) -> Option<Value> {
        let Some((number, payload)) = message.split_first_chunk::<2>() else {
            return Some(wrong(None, "a binary message begins with the number of its stream"));
        };
        let number = u16::from_be_bytes(*number);
        let now = self.app.clock.now();
        let Some(stream) = self.open.get_mut(&number) else {
            return Some(wrong(Some(number), "no such stream is open"));
        };
        match stream.take(payload, now).await {
            Ok(()) => None,
            Err(error @ (Error::Malformed(_) | Error::Invalid(_))) => {
                Some(wrong(Some(number), &sentence(&error)))
            }
            Err(error) => {
                if let Some(stream) = self.open.remove(&number) {
                    end(stream.sound).await;
                }
                let text = format!("the stream is ended: {}", sentence(&error));
                Some(wrong(Some(number), &text))
            }
        }
    }
}

impl Stream {
    async fn take(&mut self, payload: &[u8], now: Time) -> Result<()> {
        if payload.is_empty() {
            return Ok(());
        }
        let converted;
        let kept = match self.codec {
            SentCodec::Opus => payload,
            SentCodec::S16le if payload.len().is_multiple_of(2) => payload,
            SentCodec::F32le if payload.len().is_multiple_of(4) => {
                converted = s16le_of_f32le(payload);
                converted.as_slice()
            }
            SentCodec::S16le | SentCodec::F32le => {
                return Err(Error::Malformed("the sound should be whole samples"));
            }
        };
        let at = self.at.max(self.late_at(now));
        self.sound.write(at, kept).await?;
        self.at = at + samples(self.format, kept);
        Ok(())
    }

    /// Where sound belongs that comes now, if it is late; else 0. Bots send nothing while nobody
    /// speaks.
    fn late_at(&self, now: Time) -> u64 {
        let elapsed = elapsed_samples(self.started_at, now, self.format.rate);
        let late_max = LATE_MS_MAX * u64::from(self.format.rate) / 1000;
        if elapsed < self.at + late_max { 0 } else { elapsed }
    }
}

/// The name of a stream in its meeting. Whoever speaks goes on in the same one after another socket.
fn stream_name(number: u16, speaker: Option<&str>, format: SoundFormat) -> String {
    let (codec, rate) = (format.codec.as_str(), format.rate);
    match speaker {
        Some(speaker) => format!("audio-{codec}-{rate}-{speaker}"),
        None => format!("audio-{codec}-{rate}#{number}"),
    }
}

/// What is wrong, and in which stream.
fn wrong(stream: Option<u16>, text: &str) -> Value {
    match stream {
        Some(stream) => json!({ "error": text, "stream": stream }),
        None => json!({ "error": text }),
    }
}
