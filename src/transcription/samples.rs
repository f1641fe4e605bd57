//! The samples of one sound, in the order of its clock: records of the spool become samples of
//! 16 kHz, and what did not come is silence.

use crate::domain::SoundId;
use crate::domain::sound::{HEARD_RATE, SoundCodec, SoundFormat};
use crate::error::Result;
use crate::transcription::decode::{Decoder, length_of};
use crate::transcription::spool::{Record, SpoolReader};

/// Samples that engines hear in a millisecond.
pub(crate) const SAMPLES_A_MS: u64 = (HEARD_RATE / 1000) as u64;
/// A shorter gap between two records is an error of rounding, in milliseconds.
const GAP_MS_MIN: u64 = 30;

/// A stretch that misses less than this is whole: times are rounded to milliseconds.
const ROUNDED_MS: u64 = 2;

/// What a record adds to a sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Nothing came up to this time, in milliseconds on the clock of the sound.
    Gap(u64),
    /// The samples that follow.
    Samples(Vec<i16>),
}

/// A sound while it is decoded.
pub(crate) struct Track {
    format: SoundFormat,
    decoder: Decoder,
    /// Up to where it is decoded, in samples of the format's rate; `None` before the first record.
    decoded: Option<u64>,
}

impl Track {
    pub(crate) fn new(format: SoundFormat) -> Result<Self> {
        Ok(Self { format, decoder: Decoder::new(format)?, decoded: None })
    }

    /// A time of the sound in milliseconds, from samples of its own rate.
    pub(crate) fn millis(&self, at: u64) -> u64 {
        at.saturating_mul(1000) / u64::from(self.format.rate.max(1))
    }

    /// Decodes a record. What lies before the last one was heard already, and is left out.
    pub(crate) fn take(&mut self, record: &Record) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let length = length_of(self.format, &record.payload);
        let mut payload: &[u8] = &record.payload;
        let end = record.at.saturating_add(length);
        let decoded = self.decoded.unwrap_or(0);
        if end <= decoded {
            return Ok(pieces);
        }
        let is_gap = self.millis(record.at) >= self.millis(decoded) + GAP_MS_MIN;
        if self.decoded.is_none() || is_gap {
            pieces.extend(self.rest()?);
            pieces.push(Piece::Gap(self.millis(record.at)));
            self.decoded = Some(end);
        } else if self.format.codec == SoundCodec::S16le && record.at < decoded {
            let frame = 2 * usize::from(self.format.channels.max(1));
            let heard = usize::try_from(decoded - record.at).unwrap_or(usize::MAX);
            payload = payload.get(heard.saturating_mul(frame)..).unwrap_or_default();
            self.decoded = Some(end);
        } else {
            // Small errors of times add up to a gap, or to a record that was heard.
            self.decoded = Some(decoded.saturating_add(length));
        }
        let mut samples = Vec::new();
        self.decoder.decode(payload, &mut samples);
        pieces.push(Piece::Samples(samples));
        Ok(pieces)
    }

    /// What the decoder has held back; what follows is decoded anew.
    pub(crate) fn rest(&mut self) -> Result<Option<Piece>> {
        let mut samples = Vec::new();
        self.decoder.finish(&mut samples);
        self.decoder = Decoder::new(self.format)?;
        Ok((!samples.is_empty()).then_some(Piece::Samples(samples)))
    }
}

/// Reads a stretch of a sound from the spool, from a place at or before its beginning. Times are in
/// milliseconds on the clock of the sound. Reads files here and now.
pub(crate) fn read_samples(
    mut reader: SpoolReader,
    sound: SoundId,
    format: SoundFormat,
    (start_ms, end_ms): (u64, u64),
) -> Result<Vec<i16>> {
    let mut stretch = Stretch::new(start_ms, end_ms);
    let mut track = Track::new(format)?;
    while !stretch.is_whole() {
        let Some(record) = reader.next()? else { break };
        if record.sound != sound {
            continue;
        }
        if track.millis(record.at) >= end_ms {
            break;
        }
        for piece in track.take(&record)? {
            stretch.add(&piece);
        }
    }
    if let Some(rest) = track.rest()? {
        stretch.add(&rest);
    }
    Ok(stretch.samples)
}

/// The samples of a stretch while they come.
struct Stretch {
    /// Where it begins and ends, in samples from the beginning of the sound.
    start: u64,
    end: u64,
    /// Where the next sample lies.
    at: u64,
    samples: Vec<i16>,
}

impl Stretch {
    fn new(start_ms: u64, end_ms: u64) -> Self {
        let (start, end) = (start_ms * SAMPLES_A_MS, end_ms.max(start_ms) * SAMPLES_A_MS);
        let length = usize::try_from(end - start).unwrap_or(0);
        Self { start, end, at: 0, samples: Vec::with_capacity(length) }
    }

    fn is_whole(&self) -> bool {
        self.at + ROUNDED_MS * SAMPLES_A_MS > self.end
    }

    fn add(&mut self, piece: &Piece) {
        match piece {
            Piece::Gap(to_ms) => {
                let to = to_ms * SAMPLES_A_MS;
                let silent_from = self.at.max(self.start);
                let silent = to.min(self.end).saturating_sub(silent_from);
                let length = self.samples.len() + usize::try_from(silent).unwrap_or(0);
                self.samples.resize(length, 0);
                self.at = self.at.max(to);
            }
            Piece::Samples(samples) => {
                for sample in samples {
                    if (self.start..self.end).contains(&self.at) {
                        self.samples.push(*sample);
                    }
                    self.at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Stretch};

    #[test]
    fn a_stretch_is_whole_where_less_than_two_milliseconds_are_missing() {
        for (samples, is_whole) in [(15_968, false), (15_969, true), (16_000, true)] {
            let mut stretch = Stretch::new(0, 1000);
            stretch.add(&Piece::Samples(vec![1; samples]));
            assert_eq!(stretch.is_whole(), is_whole, "{samples}");
        }
    }
}
