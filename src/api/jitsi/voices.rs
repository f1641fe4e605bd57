//! The streams of a bridge's socket: each a sound of one participant.

use crate::api::jitsi::said::{Media, Start};
use crate::api::sound_socket::{elapsed_samples, end, listen, sentence};
use crate::app::App;
use crate::auth::User;
use crate::clock::later;
use crate::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use crate::domain::{MeetingId, Time, TokenId, UserId};
use crate::error::{Error, Result};
use crate::transcription::packet::samples;
use crate::transcription::{NewSound, Sound};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The form of all of it. Packets of two channels are heard as one.
const FORMAT: SoundFormat = SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 1 };
/// Most streams of a socket that are remembered; how many are heard at once has a bound of its own.
const STREAMS_MAX: usize = 5000;
/// A timestamp that jumps so far, and beyond the clock, is of another clock; in samples: 30 s.
const AHEAD_MAX: u64 = 30 * 48_000;
/// The same of one that lies so far back: 5 s.
const BACK_MAX: u64 = 5 * 48_000;
/// How long a stream waits that is not taken now.
const WAIT_TIME: Duration = Duration::from_secs(10);
/// An endpoint that has another stream is heard there once the first was silent for so long.
const SILENT_TIME: Duration = Duration::from_secs(5);
/// A stream that was silent for so long gives up its place, so that somebody else is heard.
const LEFT_TIME: Duration = Duration::from_mins(3);
/// How often it is asked which ones are.
const LOOK_PERIOD: Duration = Duration::from_secs(30);

/// The streams of a socket, by their tags.
pub(super) struct Voices {
    app: Arc<App>,
    user_id: UserId,
    token_id: TokenId,
    meeting_id: MeetingId,
    by_tag: HashMap<String, Voice>,
    next_look: Time,
}

/// A stream.
struct Voice {
    endpoint: String,
    /// Its sound, from its first packet on.
    heard: Option<Heard>,
    /// Until when it is not tried again.
    waits_until: Option<Time>,
    /// When it began, or its last packet came.
    last_at: Time,
}

/// The sound of a stream.
struct Heard {
    sound: Sound,
    started_at: Time,
    /// Where the first packet of its clock belongs, in samples from the beginning of the sound.
    base: u64,
    /// The timestamp of that packet.
    first: u64,
    /// The timestamp of what follows the last packet.
    next: u64,
}

impl Voices {
    pub(super) fn new(app: &Arc<App>, user: &User, meeting_id: MeetingId) -> Self {
        Self {
            app: Arc::clone(app),
            user_id: user.user.id,
            token_id: user.token.id,
            meeting_id,
            by_tag: HashMap::new(),
            next_look: later(app.clock.now(), LOOK_PERIOD),
        }
    }

    /// A stream begins. One that has begun already goes on.
    pub(super) fn start(&mut self, start: Start) -> std::result::Result<(), String> {
        if self.by_tag.contains_key(&start.tag) {
            return Ok(());
        }
        let now = self.app.clock.now();
        if self.by_tag.len() >= STREAMS_MAX {
            self.forget_left(now);
        }
        if self.by_tag.len() >= STREAMS_MAX {
            return Err(format!("{}: a socket has at most {STREAMS_MAX} streams", start.tag));
        }
        let voice =
            Voice { endpoint: start.endpoint, heard: None, waits_until: None, last_at: now };
        self.by_tag.insert(start.tag, voice);
        Ok(())
    }

    /// Takes a packet. One that is repeated, or comes too late, is dropped.
    pub(super) async fn hear(&mut self, media: &Media<'_>) -> std::result::Result<(), String> {
        let now = self.app.clock.now();
        let Some(voice) = self.by_tag.get_mut(&*media.tag) else {
            return Err(format!("{}: no such stream has begun", media.tag));
        };
        voice.last_at = now;
        if media.packet.is_empty() || voice.waits_until.is_some_and(|until| now < until) {
            return Ok(());
        }
        let heard = match voice.heard.is_some() {
            true => Ok(()),
            false => self.begin(media, now).await,
        };
        let Some(voice) = self.by_tag.get_mut(&*media.tag) else { return Ok(()) };
        let written = match (heard, &mut voice.heard) {
            (Ok(()), Some(heard)) => heard.write(media, now).await,
            (begun, _) => begun,
        };
        if let Err(error) = written {
            voice.waits_until = Some(later(now, WAIT_TIME));
            voice.end().await;
            return Err(format!("{}: {}", media.tag, sentence(&error)));
        }
        Ok(())
    }

    /// Begins the sound of a stream, or goes on with it after another socket.
    async fn begin(&mut self, media: &Media<'_>, now: Time) -> Result<()> {
        let Some(voice) = self.by_tag.get(&*media.tag) else { return Ok(()) };
        let endpoint = voice.endpoint.clone();
        self.end_silent(&endpoint, now).await;
        let sound = NewSound {
            meeting_id: self.meeting_id,
            user_id: self.user_id,
            token_id: Some(self.token_id),
            uid: media.tag.to_string(),
            source: SoundSource::Jitsi,
            format: FORMAT,
            speaker: Some(endpoint),
            language: None,
            started_at: now,
        };
        let sound = listen(&self.app, sound).await?;
        let started_at = sound.started_at().unwrap_or(now);
        let base = sound.next_at().max(elapsed_samples(started_at, now, FORMAT.rate));
        let (first, next) = (media.timestamp, media.timestamp);
        let heard = Heard { sound, started_at, base, first, next };
        if let Some(voice) = self.by_tag.get_mut(&*media.tag) {
            voice.waits_until = None;
            voice.heard = Some(heard);
        }
        Ok(())
    }

    /// Ends the other streams of an endpoint in which nothing comes any more: an endpoint is heard
    /// in one stream at a time.
    async fn end_silent(&mut self, endpoint: &str, now: Time) {
        for voice in self.by_tag.values_mut() {
            if voice.endpoint == endpoint && later(voice.last_at, SILENT_TIME) <= now {
                voice.end().await;
            }
        }
    }

    /// Ends the streams in which nothing has come for minutes. Each goes on where somebody speaks in it
    /// again.
    pub(super) async fn end_left(&mut self) {
        let now = self.app.clock.now();
        if now < self.next_look {
            return;
        }
        self.next_look = later(now, LOOK_PERIOD);
        for voice in self.by_tag.values_mut() {
            if voice.is_left(now) {
                voice.end().await;
            }
        }
    }

    /// Forgets the streams in which nothing has come for minutes: their ids are needed by others.
    fn forget_left(&mut self, now: Time) {
        // A sound that is dropped is ended.
        self.by_tag.retain(|_, voice| !voice.is_left(now));
    }

    /// Ends all streams.
    pub(super) async fn end(self) {
        for (_, mut voice) in self.by_tag {
            voice.end().await;
        }
    }
}

impl Voice {
    /// Whether nothing has come for minutes.
    fn is_left(&self, now: Time) -> bool {
        later(self.last_at, LEFT_TIME) <= now
    }

    /// Ends its sound, if it has one.
    async fn end(&mut self) {
        if let Some(heard) = self.heard.take() {
            end(heard.sound).await;
        }
    }
}

impl Heard {
    /// Writes a packet where it belongs. A gap is silence.
    async fn write(&mut self, media: &Media<'_>, now: Time) -> std::result::Result<(), Error> {
        let elapsed = elapsed_samples(self.started_at, now, FORMAT.rate);
        if self.is_of_another_clock(media.timestamp, elapsed) {
            self.base = self.sound.next_at().max(elapsed);
            self.first = media.timestamp;
        } else if media.timestamp < self.next {
            return Ok(());
        }
        let at = self.base.saturating_add(media.timestamp - self.first);
        self.sound.write(at, &media.packet).await?;
        self.next = media.timestamp.saturating_add(samples(FORMAT, &media.packet));
        Ok(())
    }

    /// Whether the timestamps have begun anew, or jumped.
    fn is_of_another_clock(&self, timestamp: u64, elapsed: u64) -> bool {
        if timestamp.saturating_add(BACK_MAX) < self.next {
            return true;
        }
        let gap = timestamp.saturating_sub(self.next);
        let at = self.base.saturating_add(timestamp.saturating_sub(self.first));
        gap > AHEAD_MAX && at > elapsed.saturating_add(AHEAD_MAX)
    }
}
