//! Sound files: WAV and Ogg with Opus, read and written without ever being in memory as a whole.

mod channel;
mod ogg_guard;
mod ogg_opus;
mod ogg_tail;
mod ogg_writer;
mod packet;
mod wav;

use crate::domain::sound::SoundFormat;
use crate::error::Result;
use crate::transcription::files::channel::OneChannel;
use crate::transcription::files::ogg_opus::OggOpus;
use crate::transcription::files::packet::{refused, unreadable};
use crate::transcription::files::wav::Wav;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

pub(crate) use ogg_writer::OggWriter;
pub(crate) use packet::FilePacket;
pub(crate) use wav::{wav_header, wav_of};

/// How many bytes of a file say what it is.
pub(crate) const FIRST_BYTES: usize = 36;

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// WAV, with samples.
    Wav,
    /// Ogg, with Opus.
    OggOpus,
}

impl FileKind {
    /// What a file that begins with these bytes is, [`FIRST_BYTES`] or fewer; `None` is another kind.
    pub(crate) fn of(first: &[u8]) -> Option<Self> {
        if first.starts_with(b"RIFF") && first.get(8..12) == Some(b"WAVE") {
            return Some(Self::Wav);
        }
        let is_ogg = first.starts_with(b"OggS") && first.get(28..36) == Some(b"OpusHead");
        is_ogg.then_some(Self::OggOpus)
    }
}

/// A file that is open, and read packet by packet.
pub(crate) struct SoundFile {
    /// The form of its packets.
    pub format: SoundFormat,
    /// How long it says that it is.
    pub duration_ms: u64,
    source: Source,
    one_channel: Option<OneChannel>,
}

enum Source {
    Wav(Wav),
    Ogg(Box<OggOpus>),
}

impl SoundFile {
    /// Opens a WAV or Ogg-Opus file; it blocks. What cannot be read is an error with a sentence.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| unreadable(&error))?;
        let mut first = Vec::new();
        file.by_ref()
            .take(FIRST_BYTES as u64)
            .read_to_end(&mut first)
            .and_then(|_| file.rewind())
            .map_err(|error| unreadable(&error))?;
        match FileKind::of(&first) {
            Some(FileKind::Wav) => {
                let wav = Wav::open(file)?;
                let (format, duration_ms) = (wav.format(), wav.duration_ms());
                Ok(Self { format, duration_ms, source: Source::Wav(wav), one_channel: None })
            }
            Some(FileKind::OggOpus) => {
                let ogg = OggOpus::open(file)?;
                let (format, duration_ms) = (ogg.format(), ogg.duration_ms());
                Ok(Self {
                    format,
                    duration_ms,
                    source: Source::Ogg(Box::new(ogg)),
                    one_channel: None,
                })
            }
            None => refused("This is neither a WAV file nor an Ogg file with Opus."),
        }
    }

    /// One channel of it alone, as samples; the first is 0.
    pub(crate) fn only_channel(mut self, channel: u8) -> Result<Self> {
        let channels = self.format.channels;
        if channel >= channels {
            return refused(format!(
                "The file has {channels} channels, so none is channel {channel}."
            ));
        }
        self.one_channel = Some(OneChannel::new(self.format, channel)?);
        if let Some(one_channel) = &self.one_channel {
            self.format = one_channel.format();
        }
        Ok(self)
    }

    /// The next packet; it blocks. `None` is the end.
    pub(crate) fn next(&mut self) -> Result<Option<FilePacket>> {
        let packet = match &mut self.source {
            Source::Wav(wav) => wav.next()?,
            Source::Ogg(ogg) => ogg.next()?,
        };
        Ok(match (packet, &mut self.one_channel) {
            (Some(packet), Some(one_channel)) => Some(one_channel.of(&packet)),
            (packet, _) => packet,
        })
    }
}

mod tests;
