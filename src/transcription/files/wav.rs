//! WAV files, by `hound`: samples of 8 to 32 bits, integer or float.

use crate::domain::sound::{HEARD_RATE, SoundCodec, SoundFormat};
use crate::error::{Error, Result};
use crate::transcription::decode::check;
use crate::transcription::files::packet::{CUT_OFF, FilePacket, refused, unreadable};
use hound::{SampleFormat, WavReader, WavSpec};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};

/// Bytes of the header of a WAV file.
const WAV_HEADER: usize = 44;
/// How many packets a second of it is.
const PACKETS: u32 = 10;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// A WAV file that is open.
pub(super) struct Wav {
    reader: WavReader<BufReader<File>>,
    format: SoundFormat,
    /// Where the next packet begins, in samples of one channel.
    at: u64,
}

impl Wav {
    /// Reads its header.
    pub(super) fn open(file: File) -> Result<Self> {
        let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
        let reader = BufReader::with_capacity(READ_BYTES, file);
        let reader = WavReader::new(reader).map_err(|error| why(&error))?;
        let spec = reader.spec();
        let said = u64::from(reader.len()) * u64::from(spec.bits_per_sample.div_ceil(8));
        let format = SoundFormat {
            codec: SoundCodec::S16le,
            rate: spec.sample_rate,
            channels: u8::try_from(spec.channels).unwrap_or(u8::MAX),
        };
        check(format)?;
        // Where its samples begin, only the file knows.
        let mut file = reader.into_inner();
        let begin = file.stream_position().map_err(|error| unreadable(&error))?;
        if bytes.saturating_sub(begin) < said {
            return refused(CUT_OFF);
        }
        file.rewind().map_err(|error| unreadable(&error))?;
        let reader = WavReader::new(file).map_err(|error| why(&error))?;
        Ok(Self { reader, format, at: 0 })
    }

    pub(super) fn format(&self) -> SoundFormat {
        self.format
    }

    /// How long it is.
    pub(super) fn duration_ms(&self) -> u64 {
        u64::from(self.reader.duration()) * 1000 / u64::from(self.format.rate.max(1))
    }

    /// The next packet; `None` is the end.
    pub(super) fn next(&mut self) -> Result<Option<FilePacket>> {
        let channels = usize::from(self.format.channels);
        let count = (self.format.rate / PACKETS) as usize * channels;
        let spec = self.reader.spec();
        let mut payload = Vec::with_capacity(count * 2);
        match spec.sample_format {
            SampleFormat::Int => {
                for sample in self.reader.samples::<i32>().take(count) {
                    let sample = sample.map_err(|error| why(&error))?;
                    payload.extend_from_slice(&of_int(sample, spec).to_le_bytes());
                }
            }
            SampleFormat::Float => {
                for sample in self.reader.samples::<f32>().take(count) {
                    let sample = sample.map_err(|error| why(&error))?;
                    payload.extend_from_slice(&of_float(sample).to_le_bytes());
                }
            }
        }
        if payload.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        self.at += (payload.len() / 2 / channels) as u64;
        Ok(Some(FilePacket { at, payload: payload.into() }))
    }
}

/// 16 bits of an integer sample.
fn of_int(sample: i32, spec: WavSpec) -> i16 {
    let bits = u32::from(spec.bits_per_sample);
    let scaled = if bits > 16 { sample >> (bits - 16) } else { sample << (16 - bits) };
    i16::try_from(scaled).unwrap_or(if scaled < 0 { i16::MIN } else { i16::MAX })
}

/// 16 bits of a sample from -1 to 1; what is beyond is clipped, and what is no number is silence.
pub(crate) fn of_float(sample: f32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "such a cast keeps within bounds")]
    let scaled = (sample * f32::from(i16::MAX)).round() as i16;
    scaled
}

/// Why a WAV file cannot be read, for whoever sent it.
fn why(error: &hound::Error) -> Error {
    let sentence = match error {
        hound::Error::IoError(error) if error.kind() == ErrorKind::Other => CUT_OFF.to_owned(),
        hound::Error::IoError(error) => return unreadable(error),
        hound::Error::FormatError(why) => format!("The WAV file is damaged: {why}."),
        hound::Error::TooWide | hound::Error::Unsupported | hound::Error::InvalidSampleFormat => {
            "The WAV file has samples of a form that is not read: 8, 16, 24 and 32 bits and 32-bit \
             floats are."
                .to_owned()
        }
        hound::Error::UnfinishedSample => CUT_OFF.to_owned(),
    };
    Error::UnreadableSound(sentence)
}

/// What a WAV file of 16-bit samples begins with that has so many bytes in all, these too. Lengths
/// have 32 bits there: of a longer file they say the most that they can, and readers go on to its end.
pub(crate) fn wav_header(rate: u32, channels: u8, bytes: u64) -> Vec<u8> {
    let field = |length: u64| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let frame = 2 * u16::from(channels);
    let mut header = Vec::with_capacity(WAV_HEADER);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&field(bytes.saturating_sub(8)));
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    // PCM.
    header.extend_from_slice(&1_u16.to_le_bytes());
    header.extend_from_slice(&u16::from(channels).to_le_bytes());
    header.extend_from_slice(&rate.to_le_bytes());
    header.extend_from_slice(&(rate * u32::from(frame)).to_le_bytes());
    // Bytes of a sample of all channels, and bits of one.
    header.extend_from_slice(&frame.to_le_bytes());
    header.extend_from_slice(&16_u16.to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&field(bytes.saturating_sub(WAV_HEADER as u64)));
    header
}

/// A WAV file of samples with one channel, [`HEARD_RATE`] a second.
pub(crate) fn wav_of(samples: &[i16]) -> Vec<u8> {
    let mut wav = wav_header(HEARD_RATE, 1, (WAV_HEADER + samples.len() * 2) as u64);
    for sample in samples {
        wav.extend_from_slice(&sample.to_le_bytes());
    }
    wav
}
