//! The words of one file, while somebody waits for them: cut into windows here, or given to an engine
//! as it is.

use crate::domain::UserId;
use crate::domain::sound::{HEARD_RATE, WithheldReason};
use crate::error::{Error, Result};
use crate::transcription::cutter::{Cut, Cutter};
use crate::transcription::decode::{Decoder, length_of};
use crate::transcription::engines::{Engines, NotHeard, UserEngine};
use crate::transcription::files::{FIRST_BYTES, FileKind, FilePacket, SoundFile};
use crate::transcription::forms::{FORMS, form_of};
use crate::transcription::gate::{Judged, judge};
use crate::transcription::heard::{Asked, AskedSound, Heard, HeardSegment, Urgency};
use crate::transcription::voice::voice_of;
use bytes::Bytes;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Samples in a millisecond of what engines hear.
const SAMPLES_PER_MS: u64 = HEARD_RATE as u64 / 1000;

/// A file whose words are asked for.
pub(crate) struct FileAsked {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, as it was sent; engines tell its form by the end of it.
    pub name: String,
    /// The language, where that is known.
    pub language: Option<String>,
    /// Names and terms that may occur.
    pub prompt: Option<String>,
    /// Whether the times of words are asked for.
    pub words: bool,
    /// Whose it is.
    pub user_id: UserId,
    /// The engine of the user's own.
    pub of_user: Option<UserEngine>,
    /// Longest sound, in milliseconds.
    pub ms_max: u64,
    /// Whether what engines say of silence is withheld.
    pub gate: bool,
}

/// What was heard in a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct FileHeard {
    /// The language of its first words.
    pub language: Option<String>,
    /// How sure the engine is of it.
    pub language_probability: Option<f64>,
    /// How long it is, in milliseconds.
    pub duration_ms: u64,
    /// The segments, by time.
    pub segments: Vec<HeardSegment>,
    /// What was heard and is not believed, and why.
    pub withheld: Vec<(HeardSegment, WithheldReason)>,
}

/// A window of a file.
struct Piece {
    start_ms: u64,
    samples: Vec<i16>,
}

/// Hears a file. Fails with [`Error::UnreadableSound`], [`Error::SoundTooLong`],
/// [`Error::SoundRefused`], or [`Error::NotHeard`] where no engine takes it.
pub(crate) async fn hear_file(engines: &Engines, asked: FileAsked) -> Result<FileHeard> {
    let path = asked.path.clone();
    let first = blocking(move || first_bytes(&path)).await?;
    if FileKind::of(&first).is_some() {
        hear_windows(engines, asked).await
    } else {
        hear_whole(engines, asked).await
    }
}

/// The first bytes of a file, which tell its form.
pub(crate) fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut first = Vec::new();
    let read = File::open(path).map(|file| file.take(FIRST_BYTES as u64));
    let read = read.and_then(|mut file| file.read_to_end(&mut first));
    match read {
        Ok(_) => Ok(first),
        Err(error) => Err(Error::Internal(format!("{}: {error}", path.display()))),
    }
}

/// Runs what reads files on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Internal(error.to_string())),
    }
}

/// Gives the file to an engine as it is.
async fn hear_whole(engines: &Engines, asked: FileAsked) -> Result<FileHeard> {
    let path = asked.path.clone();
    let read = blocking(move || {
        std::fs::read(&path)
            .map_err(|error| Error::Internal(format!("{}: {error}", path.display())))
    });
    let bytes = Bytes::from(read.await?);
    let form = form_of(&bytes, &asked.name);
    let form = form.ok_or_else(|| Error::SoundRefused(FORMS.to_owned()))?;
    // Engines tell the form by the name.
    let sound = AskedSound::File { name: format!("sound.{form}"), bytes };
    let mut heard = ask(engines, &asked, sound).await?;
    let duration_ms = heard.length_ms();
    if duration_ms > asked.ms_max {
        return Err(Error::SoundTooLong { seconds_max: asked.ms_max / 1000 });
    }
    let mut withheld = Vec::new();
    if asked.gate {
        // Only the engine knows where there is voice in it.
        let whole = heard.clone();
        let judged = blocking(move || Ok(judge(whole, &[(0, u64::MAX)])));
        let judged = judged.await?;
        (heard.segments, withheld) = (judged.kept, judged.withheld);
    }
    let Heard { language, language_probability, segments, .. } = heard;
    Ok(FileHeard { language, language_probability, duration_ms, segments, withheld })
}

/// Cuts the file into windows and asks for each.
async fn hear_windows(engines: &Engines, asked: FileAsked) -> Result<FileHeard> {
    let (path, ms_max, gate) = (asked.path.clone(), asked.ms_max, asked.gate);
    let mut reader = blocking(move || PieceReader::open(&path, ms_max, gate)).await?;
    let mut whole = FileHeard::default();
    loop {
        // No thread waits while an engine hears.
        let read = blocking(move || {
            let piece = reader.next()?;
            Ok((reader, piece))
        });
        let piece;
        (reader, piece) = read.await?;
        match piece {
            Some(piece) => hear_piece(engines, &asked, piece, &mut whole).await?,
            None => break,
        }
    }
    whole.duration_ms = reader.held.end_ms();
    Ok(whole)
}

async fn hear_piece(
    engines: &Engines,
    asked: &FileAsked,
    piece: Piece,
    whole: &mut FileHeard,
) -> Result<()> {
    let Piece { start_ms, samples } = piece;
    let looked_at = blocking(move || {
        let voice = voice_of(&samples);
        Ok((samples, voice))
    });
    let (samples, voice) = looked_at.await?;
    let heard = ask(engines, asked, AskedSound::Samples(samples)).await?;
    let (language, probability) = (heard.language.clone(), heard.language_probability);
    let gate = asked.gate;
    let judged =
        blocking(move || Ok(if gate { judge(heard, &voice) } else { Judged::without_gate(heard) }));
    let judged = judged.await?;
    if !judged.kept.is_empty() && whole.language.is_none() {
        (whole.language, whole.language_probability) = (language, probability);
    }
    for mut segment in judged.kept {
        segment.start_ms += start_ms;
        segment.end_ms += start_ms;
        for word in &mut segment.words {
            word.start_ms += start_ms;
            word.end_ms += start_ms;
        }
        whole.segments.push(segment);
    }
    for (mut segment, reason) in judged.withheld {
        segment.start_ms += start_ms;
        segment.end_ms += start_ms;
        whole.withheld.push((segment, reason));
    }
    Ok(())
}

async fn ask(engines: &Engines, asked: &FileAsked, sound: AskedSound) -> Result<Heard> {
    let question = Asked {
        sound,
        language: asked.language.clone(),
        translates: false,
        words: asked.words,
        prompt: asked.prompt.clone(),
        urgency: Urgency::Live,
        user_id: asked.user_id,
    };
    match engines.hear(question, asked.of_user.clone()).await {
        Ok(by) => Ok(by.heard),
        Err(NotHeard::Busy) => Err(Error::Busy),
        Err(NotHeard::Away(why)) => Err(Error::NotHeard(why)),
        Err(NotHeard::Refused(why) | NotHeard::NotTaken(why)) => Err(Error::SoundRefused(why)),
    }
}

/// Reads the windows of a file.
struct PieceReader {
    file: SoundFile,
    decoder: Decoder,
    held: HeldSound,
    ms_max: u64,
    /// Where the next packet begins if there is no gap, in samples of the format's rate.
    next_at: u64,
    ready: VecDeque<Piece>,
    is_over: bool,
}

impl PieceReader {
    fn open(path: &Path, ms_max: u64, gate: bool) -> Result<Self> {
        let file = SoundFile::open(path)?;
        if file.duration_ms > ms_max {
            return Err(too_long(ms_max));
        }
        let decoder = Decoder::new(file.format)?;
        let (held, ready) = (HeldSound::new(gate), VecDeque::new());
        Ok(Self { file, decoder, held, ms_max, next_at: 0, ready, is_over: false })
    }

    /// The next window; `None` at the end. It blocks.
    fn next(&mut self) -> Result<Option<Piece>> {
        while self.ready.is_empty() && !self.is_over {
            if let Some(packet) = self.file.next()? {
                self.take(&packet)?;
                continue;
            }
            let mut rest = Vec::new();
            self.decoder.finish(&mut rest);
            self.ready.extend(self.held.push(&rest));
            self.ready.extend(self.held.finish());
            self.is_over = true;
        }
        Ok(self.ready.pop_front())
    }

    fn take(&mut self, packet: &FilePacket) -> Result<()> {
        let format = self.file.format;
        let packet_ms = packet.at * 1000 / u64::from(format.rate);
        if packet_ms > self.ms_max {
            return Err(too_long(self.ms_max));
        }
        if packet.at > self.next_at {
            self.ready.extend(self.held.skip_to(packet_ms));
        }
        self.next_at = packet.at + length_of(format, &packet.payload);
        let mut samples = Vec::new();
        self.decoder.decode(&packet.payload, &mut samples);
        self.ready.extend(self.held.push(&samples));
        Ok(())
    }
}

fn too_long(ms_max: u64) -> Error {
    Error::SoundTooLong { seconds_max: ms_max / 1000 }
}

/// Sound that no window has yet, and what cuts it.
struct HeldSound {
    cutter: Cutter,
    samples: Vec<i16>,
    /// When the first of them is.
    from_ms: u64,
}

impl HeldSound {
    fn new(gate: bool) -> Self {
        let cutter = if gate { Cutter::new(0) } else { Cutter::without_gate(0) };
        Self { cutter, samples: Vec::new(), from_ms: 0 }
    }

    fn push(&mut self, samples: &[i16]) -> Vec<Piece> {
        self.samples.extend_from_slice(samples);
        let cuts = self.cutter.push(samples);
        self.apply(cuts)
    }

    /// A gap up to this time is silence.
    fn skip_to(&mut self, ms: u64) -> Vec<Piece> {
        let cuts = self.cutter.skip_to(ms);
        let pieces = self.apply(cuts);
        let missing = ms.saturating_sub(self.end_ms()) * SAMPLES_PER_MS;
        let length = self.samples.len() + usize::try_from(missing).unwrap_or(0);
        self.samples.resize(length, 0);
        pieces
    }

    fn finish(&mut self) -> Vec<Piece> {
        let cuts = self.cutter.finish();
        self.apply(cuts)
    }

    /// Where the sound ends that has come, in milliseconds.
    fn end_ms(&self) -> u64 {
        self.from_ms + self.samples.len() as u64 / SAMPLES_PER_MS
    }

    fn apply(&mut self, cuts: Vec<Cut>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for cut in cuts {
            match cut {
                Cut::Window { start_ms, end_ms } => {
                    self.forget_to(start_ms);
                    let samples = self.forget_to(end_ms);
                    pieces.push(Piece { start_ms, samples });
                }
                Cut::Silence { until_ms, .. } => {
                    self.forget_to(until_ms);
                }
            }
        }
        pieces
    }

    /// Takes off what is before a time.
    fn forget_to(&mut self, ms: u64) -> Vec<i16> {
        let count = ms.saturating_sub(self.from_ms) * SAMPLES_PER_MS;
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.samples.len());
        let rest = self.samples.split_off(count);
        self.from_ms = self.from_ms.max(ms);
        std::mem::replace(&mut self.samples, rest)
    }
}
