//! Sound that is kept, given back as a file: Opus as Ogg, samples as WAV, a recording as it was sent.
//! A file lies nowhere: each reader has it made anew of the spool, piece by piece, so that nothing
//! else of it must be erased.

use crate::domain::sound::{MeetingSound, SoundCodec, SoundFormat};
use crate::domain::{MeetingId, SoundId, Time};
use crate::error::{Error, Result};
use crate::store::SoundForm;
use crate::transcription::decode::length_of;
use crate::transcription::files::{OggWriter, wav_header};
use crate::transcription::packet::millis;
use crate::transcription::parts::Transcription;
use crate::transcription::recordings::{Recording, RecordingPieces};
use crate::transcription::spool::{Record, SpoolReader};
use bytes::Bytes;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Pieces are about as long, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// A shorter gap between two records is an error of rounding, in milliseconds.
const GAP_MS_MIN: u64 = 30;

/// A sound that is kept, as a file.
pub(crate) struct KeptSound {
    transcription: Arc<Transcription>,
    meeting: MeetingId,
    sound: SoundId,
    form: KeptForm,
    /// When nothing more of it came; `None` while something may come.
    ended_at: Option<Time>,
    /// From which offset of the spool it is there: its beginning may be given back to the disk.
    from: u64,
    /// Up to which offset of the spool it is given back, so that it stays the same while it grows.
    until: u64,
    /// How long the file is, in bytes.
    length: u64,
}

/// What it is in the spool.
enum KeptForm {
    /// Opus packets or samples, each with its time.
    Stream(SoundFormat),
    /// A file in parts.
    Recording(Recording),
}

impl Transcription {
    /// A sound of a meeting that is kept; where none is named, the first one of which something is.
    /// [`Error::NoSuchSound`] where the meeting has none of that id, and [`Error::SoundNotKept`]
    /// where nothing of it is in the spool.
    pub(crate) async fn kept_sound(
        self: &Arc<Self>,
        meeting: MeetingId,
        named: Option<SoundId>,
    ) -> Result<KeptSound> {
        self.recovered().await?;
        let mut sounds = self.store.sounds_of(meeting)?;
        if let Some(named) = named {
            sounds.retain(|sound| sound.id == named);
            if sounds.is_empty() {
                return Err(Error::NoSuchSound);
            }
        }
        let all = Arc::clone(self);
        self.blocking(move |_| all.measure(meeting, &sounds)).await
    }

    /// The sounds of a meeting that are kept, in the order in which they began.
    pub(crate) fn kept_sounds(&self, meeting: MeetingId) -> Result<Vec<MeetingSound>> {
        match self.spool.has_sound(meeting) {
            true => self.store.meeting_sounds(meeting),
            false => Ok(Vec::new()),
        }
    }

    fn measure(self: &Arc<Self>, meeting: MeetingId, sounds: &[SoundForm]) -> Result<KeptSound> {
        for &SoundForm { id: sound, format, ended_at } in sounds {
            if !self.spool.has_sound(meeting) {
                break;
            }
            let until = *self.spool.grown(meeting)?.borrow();
            let form = match format.codec {
                SoundCodec::File => {
                    let reader = self.spool.read(meeting, 0)?;
                    match Recording::find(reader, sound, until)? {
                        Some(recording) => KeptForm::Recording(recording),
                        None => continue,
                    }
                }
                SoundCodec::Opus | SoundCodec::S16le => KeptForm::Stream(format),
            };
            let transcription = Arc::clone(self);
            let (from, length) = (0, 0);
            let kept =
                KeptSound { transcription, meeting, sound, form, ended_at, from, until, length };
            if let Some((from, length)) = kept.measure()? {
                return Ok(KeptSound { from, length, ..kept });
            }
        }
        Err(Error::SoundNotKept)
    }
}

impl KeptSound {
    /// From which offset of the spool it is there, and how long its file is, in bytes; `None` where
    /// nothing of it is there.
    fn measure(&self) -> Result<Option<(u64, u64)>> {
        let mut file = match &self.form {
            KeptForm::Recording(recording) => {
                return Ok(Some((recording.from(), recording.length())));
            }
            KeptForm::Stream(format) => self.stream(*format)?,
        };
        let mut length = 0;
        while let Some(piece) = file.next()? {
            length += piece.len() as u64;
        }
        Ok(file.from.map(|from| (from, length)))
    }

    /// Its media type.
    pub(crate) fn media_type(&self) -> &'static str {
        match &self.form {
            KeptForm::Recording(recording) => recording.media_type(),
            KeptForm::Stream(format) if format.codec == SoundCodec::Opus => "audio/ogg",
            KeptForm::Stream(_) => "audio/wav",
        }
    }

    /// How long the file is, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// What the file is known by: as long as this is the same, so are its bytes. Offsets can come
    /// again once the sound was deleted, and what comes then ends later.
    pub(crate) fn tag(&self) -> String {
        let Self { sound, from, until, .. } = self;
        let ended_at = self.ended_at.map_or(0, Time::as_millis);
        format!("\"{sound}-{from}-{until}-{ended_at}\"")
    }

    /// These bytes of the file.
    pub(crate) fn pieces(self, bytes: Range<u64>) -> Result<SoundPieces> {
        let (file, at) = match &self.form {
            KeptForm::Stream(format) => (FilePieces::Stream(self.stream(*format)?), 0),
            KeptForm::Recording(recording) => {
                let (pieces, at) = recording.pieces(bytes.start);
                (FilePieces::Recording(pieces), at)
            }
        };
        Ok(SoundPieces { kept: self, file, at, bytes })
    }

    fn stream(&self, format: SoundFormat) -> Result<SoundAsFile> {
        let reader = self.transcription.spool.read(self.meeting, 0)?;
        let form = match format.codec {
            SoundCodec::Opus => {
                let ogg = OggWriter::new(Vec::new(), format.channels);
                Form::Ogg(Some(ogg.map_err(|error| failed(&error))?))
            }
            SoundCodec::S16le | SoundCodec::File => {
                Form::Wav { header: Some(self.length), position: 0 }
            }
        };
        let (sound, until) = (self.sound, self.until);
        Ok(SoundAsFile { reader, sound, format, until, form, next: None, from: None })
    }
}

/// The file of a sound, while it is made.
enum FilePieces {
    Stream(SoundAsFile),
    Recording(RecordingPieces),
}

impl FilePieces {
    fn next(&mut self, kept: &KeptSound) -> Result<Option<Bytes>> {
        match self {
            Self::Stream(file) => Ok(file.next()?.map(Bytes::from)),
            Self::Recording(file) => {
                file.next(|from| kept.transcription.spool.read(kept.meeting, from))
            }
        }
    }
}

/// Some bytes of a sound's file, while they are made.
pub(crate) struct SoundPieces {
    kept: KeptSound,
    file: FilePieces,
    /// Up to which byte of the file it is made.
    at: u64,
    /// Which are given.
    bytes: Range<u64>,
}

impl SoundPieces {
    /// The next piece; `None` at the end. It reads files here and now, and is an error once the sound
    /// was deleted.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        while self.at < self.bytes.end {
            if !self.kept.transcription.spool.has_sound(self.kept.meeting) {
                return Err(Error::SoundNotKept);
            }
            let Some(piece) = self.file.next(&self.kept)? else {
                return Err(Error::Internal("a sound became shorter while it was read".to_owned()));
            };
            let length = piece.len() as u64;
            let from = self.bytes.start.saturating_sub(self.at).min(length);
            let to = (self.bytes.end - self.at).min(length);
            self.at += length;
            if from < to {
                return Ok(Some(piece.slice(index(from)..index(to))));
            }
        }
        Ok(None)
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The file of a sound, made of its records in order.
struct SoundAsFile {
    reader: SpoolReader,
    sound: SoundId,
    format: SoundFormat,
    until: u64,
    form: Form,
    /// A record before which there is silence.
    next: Option<Record>,
    /// The offset of its first record, once that was read.
    from: Option<u64>,
}

enum Form {
    /// `None` once it has ended.
    Ogg(Option<OggWriter<Vec<u8>>>),
    Wav {
        /// How long the file will be; `None` once the header is made.
        header: Option<u64>,
        /// Up to where it is made, in samples of the format's rate.
        position: u64,
    },
}

impl SoundAsFile {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        if let Form::Wav { header, .. } = &mut self.form
            && let Some(length) = header.take()
        {
            out = wav_header(self.format.rate, self.format.channels, length);
        }
        while out.len() < PIECE_BYTES {
            let Some(record) = self.next_record()? else {
                self.end(&mut out)?;
                break;
            };
            self.from.get_or_insert(record.offset);
            self.add(record, &mut out)?;
        }
        Ok((!out.is_empty()).then_some(out))
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        if let Some(record) = self.next.take() {
            return Ok(Some(record));
        }
        while let Some(record) = self.reader.next()? {
            if record.offset >= self.until {
                break;
            }
            if record.sound == self.sound {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Adds a record to `out`, or some of the silence before it. What came twice is left out.
    fn add(&mut self, record: Record, out: &mut Vec<u8>) -> Result<()> {
        let length = length_of(self.format, &record.payload);
        match &mut self.form {
            Form::Ogg(None) => {}
            Form::Ogg(Some(ogg)) => {
                if record.at.saturating_add(length) <= ogg.position() {
                    return Ok(());
                }
                if ogg.add_silence(record.at).map_err(|error| failed(&error))? {
                    ogg.write(record.at, &record.payload).map_err(|error| failed(&error))?;
                } else {
                    self.next = Some(record);
                }
                out.append(ogg.written());
            }
            Form::Wav { position, .. } => {
                let frame = 2 * usize::from(self.format.channels.max(1));
                let gap = record.at.saturating_sub(*position);
                if millis(self.format, gap) >= GAP_MS_MIN {
                    let silence = gap.min((PIECE_BYTES / frame) as u64);
                    out.resize(out.len() + index(silence) * frame, 0);
                    *position += silence;
                    self.next = Some(record);
                    return Ok(());
                }
                let heard = index(position.saturating_sub(record.at)).saturating_mul(frame);
                let new = record.payload.get(heard..).unwrap_or_default();
                out.extend_from_slice(new);
                *position += (new.len() / frame) as u64;
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Form::Ogg(ogg) = &mut self.form
            && let Some(ogg) = ogg.take()
        {
            out.append(&mut ogg.end().map_err(|error| failed(&error))?);
        }
        Ok(())
    }
}

fn failed(error: &io::Error) -> Error {
    Error::Internal(format!("a sound cannot be made into a file: {error}"))
}
