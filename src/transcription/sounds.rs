//! A sound that comes in: it begins, is written to the spool as it comes, and ends.

use crate::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use crate::domain::{MeetingId, SoundId, Time, TokenId, UserId};
use crate::error::{Error, Result};
use crate::store::{BeginSound, EndSound, NoteHeard, SoundBegun};
use crate::transcription::open_sounds::{Claim, OpenSounds, SoundNews};
use crate::transcription::pace::Pace;
use crate::transcription::packet::{is_sound, millis, samples};
use crate::transcription::parts::Transcription;
use crate::transcription::refusals::Refusal;
use crate::transcription::spool::SpoolFile;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// How often it is noted how much of a sound has come.
const NOTE_PERIOD: Duration = Duration::from_secs(10);
/// How long the beginning of a sound waits for a database that is busy.
const BEGIN_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the end of a sound waits for a database that is busy.
const END_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest sound, in milliseconds of its clock: a week.
pub(super) const SOUND_MS_MAX: u64 = 7 * 86_400_000;
/// How long somebody whose sound comes too fast should wait, in seconds.
const TOO_FAST_SECONDS: u64 = 30;

/// A sound that somebody wants to bring.
#[derive(Debug, Clone)]
pub(crate) struct NewSound {
    /// The meeting that is heard.
    pub meeting_id: MeetingId,
    /// Whose meeting it is: their sound of the day is counted.
    pub user_id: UserId,
    /// The API token that it is counted to; none is that of the bot.
    pub token_id: Option<TokenId>,
    /// The stream. One that has a sound already goes on where it was.
    pub uid: String,
    /// Where it comes from.
    pub source: SoundSource,
    /// Its form.
    pub format: SoundFormat,
    /// Whose voice it is, where the source keeps speakers apart.
    pub speaker: Option<String>,
    /// In which language is spoken, where that is known.
    pub language: Option<String>,
    /// When it began, if the stream is new.
    pub started_at: Time,
}

/// A sound that is being written. Dropping it ends it.
pub(crate) struct Sound {
    /// There until it ends.
    live: Option<Live>,
    news: mpsc::Receiver<SoundNews>,
}

struct Live {
    transcription: Arc<Transcription>,
    new: NewSound,
    id: SoundId,
    started_at: Time,
    claim: Claim,
    file: Arc<SpoolFile>,
    pace: Pace,
    /// Where what comes next begins, in samples.
    next_at: u64,
    /// Up to where the spool holds it, as an offset.
    spooled: u64,
    /// What came, and what of it is noted, in samples; gaps are not in it.
    came: u64,
    noted: u64,
    noted_at: Instant,
}

/// The place of a sound that begins: given back where it does not, also where whoever brings it
/// waits no longer. What is begun in the database then is ended by the sweep.
struct Place<'a> {
    open: &'a OpenSounds,
    new: &'a NewSound,
    claim: &'a Claim,
    is_kept: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.open.leave(self.new.meeting_id, &self.new.uid, self.claim);
        }
    }
}

impl Transcription {
    /// Begins a sound, or goes on with that of the same stream; whoever wrote to it before gets an
    /// error. [`Error::NoRoomForSound`] where the server takes no more now, and
    /// [`Error::SoundLimit`] where the user has brought as much as they may today.
    pub(crate) async fn listen(self: &Arc<Self>, sound: NewSound) -> Result<Sound> {
        self.recovered().await?;
        self.check_room(sound.source)?;
        self.check_capacity(sound.meeting_id, sound.source)?;
        self.count_day(sound.user_id, 0)?;
        let _turn = self.turn(sound.meeting_id, &sound.uid).await;
        let (meeting, source, speaker) = (sound.meeting_id, sound.source, sound.speaker.as_deref());
        let claimed = self.open.claim(meeting, &sound.uid, source, speaker, self.clock.now());
        let claim = claimed.map_err(|refused| self.refuse(refused.refusal, refused.error))?;
        let mut place = Place { open: &self.open, new: &sound, claim: &claim, is_kept: false };
        let (begun, file) = self.begin(&sound).await?;
        place.is_kept = true;
        drop(place);
        let news = self.open.begun(meeting, &sound.uid, &claim, begun.id);
        let now = self.clock.instant();
        let heard_ms = u64::try_from(begun.heard_ms).unwrap_or_default();
        let noted = heard_ms.saturating_mul(u64::from(sound.format.rate)).div_ceil(1000);
        let next_at = noted.max(claim.next_at());
        claim.set_next_at(next_at);
        let live = Live {
            transcription: Arc::clone(self),
            id: begun.id,
            started_at: begun.started_at,
            claim,
            file,
            pace: Pace::new(now),
            next_at,
            spooled: 0,
            came: 0,
            noted: 0,
            noted_at: now,
            new: sound,
        };
        Ok(Sound { live: Some(live), news })
    }

    async fn begin(self: &Arc<Self>, sound: &NewSound) -> Result<(SoundBegun, Arc<SpoolFile>)> {
        let meeting = sound.meeting_id;
        let spool_end = self.blocking(move |all| all.spool.end(meeting)).await?;
        let verb = BeginSound {
            meeting_id: meeting,
            uid: sound.uid.clone(),
            source: sound.source,
            format: sound.format,
            speaker: sound.speaker.clone(),
            language: sound.language.clone(),
            token_id: sound.token_id,
            started_at: sound.started_at,
            spool_end: spool_end.cast_signed(),
            now: self.clock.now(),
        };
        let begun = self.store.write_within(verb, BEGIN_TIME_MAX).await?;
        let base = begun.spool_from.max(0).cast_unsigned();
        let file = self.blocking(move |all| all.spool.write_to(meeting, base)).await?;
        Ok((begun, file))
    }

    /// Does something that reads files, where nobody waits behind it.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let all = Arc::clone(self);
        let done = spawn_blocking(move || work(&all)).await;
        done.map_err(|panic| Error::Internal(panic.to_string()))?
    }
}

impl Sound {
    /// Its id.
    #[cfg(test)]
    pub(crate) fn id(&self) -> SoundId {
        self.live.as_ref().map_or(SoundId(0), |live| live.id)
    }

    /// When its clock began: that of the stream.
    pub(crate) fn started_at(&self) -> Option<Time> {
        self.live.as_ref().map(|live| live.started_at)
    }

    /// Where what comes next begins at least, in samples of its rate from its beginning: more than 0
    /// where it goes on.
    pub(crate) fn next_at(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.next_at)
    }

    /// Writes a piece of it into the spool: an Opus packet, or whole samples of all channels, at
    /// most 1 MiB. `at` is where it begins, in samples of its rate; what would begin before the end
    /// of what has come is put behind that. It is durable within about a second. An Opus packet that
    /// breaks the rules is dropped and counted.
    pub(crate) async fn write(&mut self, at: u64, payload: &[u8]) -> Result<()> {
        match &mut self.live {
            Some(live) => live.write(at, payload).await,
            None => Err(over()),
        }
    }

    /// Waits until all that was written is durable.
    #[cfg(test)]
    pub(crate) async fn durable(&self) -> Result<()> {
        match &self.live {
            Some(live) => live.file.wait_until_durable(live.spooled).await,
            None => Ok(()),
        }
    }

    /// What was heard in it next; `None` once another source goes on with it, or it was deleted.
    pub(crate) async fn next_news(&mut self) -> Option<SoundNews> {
        self.news.recv().await
    }

    /// Ends it, once all of it is durable. [`Error::NoRoomForSound`] where the spool does not hold
    /// all that was written, or somebody else goes on with it.
    pub(crate) async fn end(mut self) -> Result<()> {
        match self.live.take() {
            Some(live) => live.end().await,
            None => Ok(()),
        }
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        let (Some(live), Ok(runtime)) = (self.live.take(), Handle::try_current()) else { return };
        runtime.spawn(async move {
            let id = live.id;
            match live.end().await {
                // Somebody else goes on with it, or the spool has said what it lost.
                Ok(()) | Err(Error::NoRoomForSound { .. }) => {}
                Err(error) => {
                    let cause = error.store_cause();
                    log::warn!("sound {id} is ended at the next start: {cause}");
                }
            }
        });
    }
}

impl Live {
    async fn write(&mut self, at: u64, payload: &[u8]) -> Result<()> {
        if self.claim.is_over() || self.claim.is_displaced() {
            return Err(over());
        }
        let format = self.new.format;
        let frame = 2 * usize::from(format.channels.max(1));
        if format.codec == SoundCodec::S16le && !payload.len().is_multiple_of(frame) {
            return Err(Error::Malformed("Samples of 16 bits must be whole, of all channels."));
        }
        if payload.is_empty() {
            return Ok(());
        }
        if !is_sound(format, payload) {
            self.transcription.dropped.note_packet();
            return Ok(());
        }
        let samples = samples(format, payload);
        let at = at.max(self.next_at);
        let end = at.saturating_add(samples);
        if millis(format, end) > SOUND_MS_MAX {
            let reason = "A sound lasts at most 7 days.".to_owned();
            return Err(Error::SoundLimit { reason, retry_after: TOO_FAST_SECONDS });
        }
        // What is rounded off is counted with what comes next.
        let sound_ms = millis(format, self.came + samples) - millis(format, self.came);
        self.check_limits(sound_ms, payload.len() as u64)?;
        let spooled = self.file.append(self.id, at, payload).await;
        self.spooled = spooled.map_err(|error| self.refused_by_disk(error))?;
        self.next_at = end;
        self.claim.written(end, self.transcription.clock.now());
        self.came += samples;
        self.note_where_due().await;
        Ok(())
    }

    fn check_limits(&mut self, sound_ms: u64, bytes: u64) -> Result<()> {
        let all = &self.transcription;
        let is_live = self.new.source != SoundSource::Upload;
        if is_live && !self.pace.takes(sound_ms, bytes, all.clock.instant()) {
            let reason = "Sound comes at most 1.5 times as fast as it is spoken, but for 30 s of it, \
                          and 256 KiB of it a second, but for 4 MiB.";
            let error =
                Error::SoundLimit { reason: reason.to_owned(), retry_after: TOO_FAST_SECONDS };
            return Err(all.refuse(Refusal::TooFast, error));
        }
        all.count_day(self.new.user_id, sound_ms)
    }

    fn refused_by_disk(&self, error: Error) -> Error {
        match error {
            Error::NoRoomForSound { .. } if !self.claim.is_over() => {
                self.transcription.refuse(Refusal::SpoolFailed, error)
            }
            error => error,
        }
    }

    /// Notes now and then how much has come. What cannot be noted now is noted later: the sound goes
    /// on.
    async fn note_where_due(&mut self) {
        let now = self.transcription.clock.instant();
        if now.saturating_duration_since(self.noted_at) < NOTE_PERIOD {
            return;
        }
        self.noted_at = now;
        match self.transcription.store.write(self.heard()).await {
            Ok(()) => self.noted = self.came,
            Err(error) => {
                let cause = error.store_cause();
                log::debug!("it is noted later how much of sound {} has come: {cause}", self.id);
            }
        }
    }

    fn heard(&self) -> NoteHeard {
        let format = self.new.format;
        let more_ms = millis(format, self.came) - millis(format, self.noted);
        NoteHeard {
            sound_id: self.id,
            heard_ms: millis(format, self.next_at).cast_signed(),
            more_ms: more_ms.cast_signed(),
            now: self.transcription.clock.now(),
        }
    }

    async fn end(self) -> Result<()> {
        let (meeting, uid) = (self.new.meeting_id, self.new.uid.clone());
        let (all, claim) = (Arc::clone(&self.transcription), self.claim.clone());
        let ended = self.write_end().await;
        all.open.leave(meeting, &uid, &claim);
        ended
    }

    /// Writes how much of it the spool holds. An error also where that is less than what came.
    async fn write_end(self) -> Result<()> {
        let durable = self.file.wait_until_durable(self.spooled).await;
        let all = &self.transcription;
        // Whoever goes on with it does so after this end.
        let _turn = all.turn(self.new.meeting_id, &self.new.uid).await;
        let mut heard = self.heard();
        if durable.is_err() {
            heard.heard_ms = all.heard_in_spool(self.new.meeting_id, self.id).await?;
        }
        if self.claim.is_over() {
            all.store.write_within(heard, END_TIME_MAX).await?;
            return Err(over());
        }
        let NoteHeard { sound_id, heard_ms, more_ms, now } = heard;
        let end = EndSound { sound_id, heard_ms, more_ms, now };
        all.store.write_within(end, END_TIME_MAX).await?;
        durable
    }
}

/// Nobody writes to this sound here any more.
fn over() -> Error {
    let reason = "Another connection goes on with this sound, or it was deleted.";
    Error::NoRoomForSound { reason: reason.to_owned() }
}

mod tests;
