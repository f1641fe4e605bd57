//! Recordings on their way to words: those that are read here go into the spool, as other sound
//! does; others go to an engine as they are. What was begun goes on after a restart.

use crate::clock::Clock;
use crate::domain::Time;
use crate::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::store::{DueUpload, EndUpload, Store, StoreUploadWords, UploadNeed};
use crate::transcription::decode::length_of;
use crate::transcription::engines::{Engines, NotHeard};
use crate::transcription::files::{FilePacket, SoundFile};
use crate::transcription::hear::{Words, judged};
use crate::transcription::hear_file::blocking;
use crate::transcription::heard::{Asked, AskedSound, Urgency};
use crate::transcription::own_engine::own_engine;
use crate::transcription::packet::millis;
use crate::transcription::parts::Transcription;
use crate::transcription::received::{forget, forget_unfinished, is_newer, keep_from};
use crate::transcription::sounds::{NewSound, SOUND_MS_MAX, Sound};
use bytes::Bytes;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, RwLock, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep;

/// How often is looked for recordings that wait, and for files that nobody needs.
const PERIOD: Duration = Duration::from_secs(2);
/// Most recordings that are worked on at once.
const AT_ONCE_MAX: usize = 4;
/// How often a recording is tried: with the pauses between, for a day.
const ATTEMPTS_MAX: u32 = 55;
/// How long the file of a recording is kept that was given up, in seconds.
const GIVEN_UP_KEPT_SECONDS: i64 = 7 * 86_400;
/// Pause after the first failure, in seconds; it doubles.
const PAUSE_SECONDS: i64 = 10;
/// Longest pause, in seconds.
const PAUSE_SECONDS_MAX: i64 = 1800;
/// Pause of a recording that waits for room in the spool, in seconds.
const PAUSE_SECONDS_FULL: i64 = 60;
/// The end of the names of uploaded files.
pub(crate) const UPLOADED: &str = ".upload";
/// Packets that are read ahead.
const AHEAD: usize = 64;

/// The recordings that are worked on, by the task that does.
type UnderWay = HashMap<Id, DueUpload>;

/// Makes words of recordings.
pub(crate) struct Uploads {
    transcription: Arc<Transcription>,
    engines: Arc<Engines>,
    store: Arc<Store>,
    clock: Clock,
    folder: PathBuf,
    /// Whether what engines say of silence is withheld.
    gate: bool,
    wake: Notify,
    /// Held to read while a file has its name and no row yet; to write while files without rows are
    /// looked for.
    pub(crate) naming: RwLock<()>,
}

impl Uploads {
    /// Recordings whose files are in this folder.
    pub(crate) fn new(
        (transcription, engines): (Arc<Transcription>, Arc<Engines>),
        store: Arc<Store>,
        clock: Clock,
        (folder, gate): (PathBuf, bool),
    ) -> Self {
        let (wake, naming) = (Notify::new(), RwLock::new(()));
        Self { transcription, engines, store, clock, folder, gate, wake, naming }
    }

    /// There is another recording.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Works on recordings; it never ends by itself, and may be cancelled at any time.
    pub(crate) async fn run(self: Arc<Self>) {
        let forget = |all: &Transcription| {
            forget_unfinished(all.spool.folder());
            Ok(())
        };
        let _ = self.transcription.blocking(forget).await;
        let mut under_way = HashMap::new();
        let mut work = JoinSet::new();
        let mut trouble = Trouble::default();
        loop {
            while let Some(done) = work.try_join_next_with_id() {
                self.note_done(&mut under_way, done).await;
            }
            if let Err(error) = self.sweep().await {
                log::debug!("uploaded files are looked through later: {}", error.store_cause());
            }
            match self.due() {
                Ok(due) => {
                    trouble.end("uploaded recordings are worked on again");
                    for upload in due {
                        self.begin(&mut under_way, &mut work, upload);
                    }
                }
                Err(error) => {
                    trouble.warn(&format!("uploaded recordings wait: {}", error.store_cause()));
                }
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(PERIOD) => {}
                Some(done) = work.join_next_with_id() => self.note_done(&mut under_way, done).await,
            }
        }
    }

    /// Begins the work on a recording, where there is a place and nobody works on it.
    fn begin(
        self: &Arc<Self>,
        under_way: &mut UnderWay,
        work: &mut JoinSet<()>,
        upload: DueUpload,
    ) {
        let is_known = under_way.values().any(|other| other.meeting_id == upload.meeting_id);
        if is_known || under_way.len() >= AT_ONCE_MAX {
            return;
        }
        let (all, of_task) = (Arc::clone(self), upload.clone());
        let task = work.spawn(async move { all.work_on(of_task).await });
        under_way.insert(task.id(), upload);
    }

    /// Gives back the place of a recording. Where the work on it broke off, it is tried again later.
    async fn note_done(
        &self,
        under_way: &mut UnderWay,
        done: std::result::Result<(Id, ()), JoinError>,
    ) {
        let id = match &done {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(upload) = under_way.remove(&id) else { return };
        if let Err(error) = done {
            let error = Error::Internal(format!("the work on it broke off: {error}"));
            self.end(&upload, Err(error)).await;
        }
    }

    /// Those whose time has come.
    fn due(&self) -> Result<Vec<DueUpload>> {
        // Those that are worked on are among them.
        self.store.due_uploads(self.clock.now(), 2 * AT_ONCE_MAX)
    }

    /// Deletes uploaded files that no recording needs any more: it is done, was erased, or was given
    /// up a while ago.
    async fn sweep(&self) -> Result<()> {
        let _none_is_named = self.naming.write().await;
        let now = self.clock.now();
        // Nothing is deleted by an age that may not be.
        let since = match self.store.doubts(now)? {
            true => None,
            false => Some(now.plus_seconds(-GIVEN_UP_KEPT_SECONDS)),
        };
        let needed = self.store.upload_files()?;
        let sweep = move |all: &Transcription| {
            let folder = all.spool.folder();
            let Ok(entries) = fs::read_dir(folder.path()) else { return Ok(()) };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if !name.ends_with(UPLOADED) {
                    continue;
                }
                let is_kept = match needed.get(&name) {
                    None => false,
                    Some(UploadNeed::Waits) => true,
                    Some(UploadNeed::GivenUp) => since.is_none_or(|since| is_newer(&entry, since)),
                };
                if !is_kept {
                    forget(folder, &entry.path());
                }
            }
            Ok(())
        };
        self.transcription.blocking(sweep).await
    }

    async fn work_on(&self, upload: DueUpload) {
        let is_read_here = matches!(upload.format.as_str(), "wav" | "opus");
        let outcome = match is_read_here {
            true => self.spool(&upload).await,
            false => self.hear_whole(&upload).await,
        };
        self.end(&upload, outcome).await;
    }

    /// Writes what became of an attempt.
    async fn end(&self, upload: &DueUpload, outcome: Result<()>) {
        let meeting_id = upload.meeting_id;
        let end = match outcome {
            Ok(()) => EndUpload { meeting_id, error: None, next_at: None, waits: false },
            Err(error) => self.failed(upload, &error),
        };
        if end.error.is_some() && end.next_at.is_none() {
            self.keep_given_up(upload).await;
        }
        if let Err(error) = self.store.write(end).await {
            let cause = error.store_cause();
            log::warn!("meeting {meeting_id}: its recording is tried again: {cause}");
        }
    }

    /// When a recording that has failed is tried again, if it is. One that waits for room or for
    /// another day is not given up for that.
    fn failed(&self, upload: &DueUpload, error: &Error) -> EndUpload {
        let now = self.clock.now();
        let waits = matches!(error, Error::NoRoomForSound { .. } | Error::SoundLimit { .. });
        let gives_up = !waits && upload.attempts.saturating_add(1) >= ATTEMPTS_MAX;
        let next_at = match is_final(error) || gives_up {
            true => None,
            false => Some(next_try(now, upload.attempts, error)),
        };
        let meeting_id = upload.meeting_id;
        let cause = error.cause().map_or_else(|| error.to_string(), str::to_owned);
        if next_at.is_none() {
            log::warn!("the recording of meeting {meeting_id} is given up: {cause}");
        } else if error.cause().is_some() {
            log::warn!("the recording of meeting {meeting_id} is tried again later: {cause}");
        }
        EndUpload { meeting_id, error: Some(error.to_string()), next_at, waits }
    }

    /// The file of a recording that is given up is kept from now on.
    async fn keep_given_up(&self, upload: &DueUpload) {
        let (path, now) = (self.path(upload), self.clock.now());
        let keep = move |_: &Transcription| keep_from(&path, now);
        if let Err(error) = self.transcription.blocking(keep).await {
            let (id, cause) = (upload.meeting_id, error.store_cause());
            log::debug!("the recording of meeting {id} is kept a shorter time: {cause}");
        }
    }

    fn path(&self, upload: &DueUpload) -> PathBuf {
        self.folder.join(&upload.file)
    }

    /// Copies the packets of a file into the spool, from where they are missing there.
    async fn spool(&self, upload: &DueUpload) -> Result<()> {
        if upload.speakers.is_empty() {
            return self.spool_one(upload, None).await;
        }
        for channel in 0..upload.speakers.len() {
            self.spool_one(upload, Some(channel)).await?;
        }
        Ok(())
    }

    /// Copies a file, or one channel of it.
    async fn spool_one(&self, upload: &DueUpload, channel: Option<usize>) -> Result<()> {
        let path = self.path(upload);
        let file = blocking(move || open(&path, channel)).await?;
        let format = file.format;
        let number = channel.map_or(0, |channel| channel + 1);
        let mut sound = self
            .transcription
            .listen(NewSound {
                meeting_id: upload.meeting_id,
                user_id: upload.user_id,
                token_id: upload.token_id,
                uid: format!("upload:{number}"),
                source: SoundSource::Upload,
                format,
                speaker: channel.and_then(|channel| upload.speakers.get(channel).cloned()),
                language: upload.language.clone(),
                started_at: upload.start_time,
            })
            .await?;
        let (ahead, mut packets) = mpsc::channel(AHEAD);
        let reader = blocking(move || read_packets(file, &ahead));
        let writer = async {
            while let Some(packet) = packets.recv().await {
                write(&mut sound, format, &packet).await?;
            }
            Ok(())
        };
        tokio::try_join!(reader, writer)?;
        sound.end().await
    }

    /// Has an engine hear a file as it is.
    async fn hear_whole(&self, upload: &DueUpload) -> Result<()> {
        let path = self.path(upload);
        let bytes = blocking(move || fs::read(&path).map_err(|error| unreadable(&error))).await?;
        let name = format!("recording.{}", upload.format);
        let asked = Asked {
            sound: AskedSound::File { name, bytes: Bytes::from(bytes) },
            language: upload.language.clone(),
            translates: false,
            words: true,
            prompt: self.store.prompt_of(upload.meeting_id)?,
            urgency: Urgency::Recording,
            user_id: upload.user_id,
        };
        let own = own_engine(&self.store, upload.user_id)?;
        let by = match self.engines.hear(asked, own).await {
            Ok(by) => by,
            Err(NotHeard::Busy) => return Err(Error::Busy),
            Err(NotHeard::Away(why) | NotHeard::NotTaken(why)) => return Err(Error::NotHeard(why)),
            Err(NotHeard::Refused(why)) => return Err(Error::SoundRefused(why)),
        };
        let duration_ms = by.heard.length_ms();
        // Only the engine knows where there is voice in it.
        let voice = vec![(0, u64::MAX)];
        let Words { segments, withheld, language } = judged(by.heard, voice, 0, self.gate).await?;
        let reasons = withheld.iter().map(|one| one.reason).collect();
        let words = StoreUploadWords {
            meeting_id: upload.meeting_id,
            segments,
            withheld,
            language,
            engine: by.engine,
            duration_ms: duration_ms.cast_signed(),
            sound_ms: duration_ms.cast_signed(),
            now: self.clock.now(),
        };
        self.store.write(words).await?;
        self.transcription.counters.note_withheld(reasons);
        self.transcription.note_day(upload.user_id, duration_ms);
        Ok(())
    }
}

fn next_try(now: Time, attempts: u32, error: &Error) -> Time {
    let pause = match error {
        Error::SoundLimit { retry_after, .. } => retry_after.cast_signed(),
        Error::NoRoomForSound { .. } => PAUSE_SECONDS_FULL,
        _ => (PAUSE_SECONDS << attempts.min(8)).min(PAUSE_SECONDS_MAX),
    };
    now.plus_seconds(pause)
}

/// Whether no later attempt can go better.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::UnreadableSound(_)
            | Error::SoundRefused(_)
            | Error::SoundTooLong { .. }
            | Error::Malformed(_)
            | Error::TooLarge(_)
            | Error::NoSuchMeeting
    )
}

fn open(path: &Path, channel: Option<usize>) -> Result<SoundFile> {
    let file = SoundFile::open(path)?;
    match channel.and_then(|channel| u8::try_from(channel).ok()) {
        Some(channel) => file.only_channel(channel),
        None => Ok(file),
    }
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::Internal(format!("cannot read an uploaded file: {error}"))
}

/// Reads a file to its end; it ends early where nobody takes its packets.
fn read_packets(mut file: SoundFile, to: &mpsc::Sender<FilePacket>) -> Result<()> {
    while let Some(packet) = file.next()? {
        if to.blocking_send(packet).is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes what the spool does not have of a packet.
async fn write(sound: &mut Sound, format: SoundFormat, packet: &FilePacket) -> Result<()> {
    let end = packet.at.saturating_add(length_of(format, &packet.payload));
    if millis(format, end) > SOUND_MS_MAX {
        return Err(Error::SoundTooLong { seconds_max: SOUND_MS_MAX / 1000 });
    }
    let from = sound.next_at();
    if end <= from {
        return Ok(());
    }
    if packet.at < from && format.codec == SoundCodec::S16le {
        let frame = 2 * u64::from(format.channels);
        let skipped = usize::try_from((from - packet.at) * frame).unwrap_or(usize::MAX);
        return sound.write(from, packet.payload.get(skipped..).unwrap_or_default()).await;
    }
    sound.write(packet.at, &packet.payload).await
}
