//! Sound as it came, made into what engines hear: 16 kHz, one channel, 16 bits.

use crate::domain::sound::{HEARD_RATE, SoundCodec, SoundFormat};
use crate::error::{Error, Result};
use crate::transcription::packet::{OPUS_SAMPLES_MAX, opus_samples, samples};
use crate::transcription::resample::Resampler;
use ropus::{Channels, DecodeMode};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Fewest samples a second of one channel.
const RATE_MIN: u32 = 8_000;
/// Most samples a second of one channel.
const RATE_MAX: u32 = 96_000;
/// Most channels.
const CHANNELS_MAX: u8 = 8;
/// Samples a second by which Opus counts, whatever it holds.
pub(crate) const OPUS_RATE: u32 = 48_000;
/// A packet that does not say how long it is is taken to be as long as most are: 20 ms.
const PACKET_SAMPLES: u64 = 960;
/// Samples at 48 kHz for each one that is heard.
const OPUS_PER_HEARD: u64 = (OPUS_RATE / HEARD_RATE) as u64;
/// Why the file of a recording is not decoded.
const NO_SAMPLES: &str = "A recording is kept as it was sent, and nothing of it is read.";

/// Makes samples of payloads, one after another; each sound has a decoder of its own.
pub(crate) struct Decoder {
    format: SoundFormat,
    codec: Codec,
}

enum Codec {
    Opus(Box<Opus>),
    Samples(Option<Box<Resampler>>),
}

impl Decoder {
    /// A decoder of sound of this form. It is an error if it has no channel, more than 8, or fewer
    /// than 8,000 or more than 96,000 samples a second; Opus has at most two channels.
    pub(crate) fn new(format: SoundFormat) -> Result<Self> {
        check(format)?;
        let codec = match format.codec {
            SoundCodec::Opus => Codec::Opus(Box::new(Opus::new(Channels::Mono)?)),
            SoundCodec::S16le if format.rate == HEARD_RATE => Codec::Samples(None),
            SoundCodec::S16le => Codec::Samples(Some(Box::new(Resampler::new(format.rate)?))),
            SoundCodec::File => return Err(Error::UnreadableSound(NO_SAMPLES.to_owned())),
        };
        Ok(Self { format, codec })
    }

    /// Decodes one payload, an Opus packet or samples, and puts its samples at the end of `out`. A
    /// broken packet is silence of its length. Some milliseconds of it may come with the next one.
    pub(crate) fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        match &mut self.codec {
            Codec::Opus(opus) => opus.decode(payload, out),
            Codec::Samples(None) => mix(payload, self.format.channels, out),
            Codec::Samples(Some(resampler)) => {
                let mut mixed = Vec::with_capacity(payload.len() / 2);
                mix(payload, self.format.channels, &mut mixed);
                resampler.push(&mixed, out);
            }
        }
    }

    /// The sound is over: puts the milliseconds that are not decoded yet at the end of `out`.
    pub(crate) fn finish(&mut self, out: &mut Vec<i16>) {
        if let Codec::Samples(Some(resampler)) = &mut self.codec {
            resampler.finish(out);
        }
    }
}

/// Whether sound of this form can be decoded; the error says why not.
pub(crate) fn check(format: SoundFormat) -> Result<()> {
    let SoundFormat { codec, rate, channels } = format;
    let refused = |why: String| Err(Error::UnreadableSound(why));
    match codec {
        SoundCodec::File => refused(NO_SAMPLES.to_owned()),
        SoundCodec::Opus if rate != OPUS_RATE => {
            refused(format!("Opus counts 48000 samples a second, not {rate}."))
        }
        SoundCodec::Opus if !(1..=2).contains(&channels) => {
            refused(format!("Opus with {channels} channels is not read; one or two are."))
        }
        SoundCodec::S16le if !(RATE_MIN..=RATE_MAX).contains(&rate) => refused(format!(
            "Sound with {rate} samples a second is not read; from {RATE_MIN} to {RATE_MAX} are."
        )),
        SoundCodec::S16le if !(1..=CHANNELS_MAX).contains(&channels) => refused(format!(
            "Sound with {channels} channels is not read; from 1 to {CHANNELS_MAX} are."
        )),
        _ => Ok(()),
    }
}

/// How long a payload is, in samples of its format's rate. An Opus packet that does not say so is
/// as long as most are.
pub(crate) fn length_of(format: SoundFormat, payload: &[u8]) -> u64 {
    match (format.codec, samples(format, payload)) {
        (SoundCodec::Opus, 0) => PACKET_SAMPLES,
        (_, samples) => samples,
    }
}

/// Makes one channel of several: the mean of each instant.
fn mix(payload: &[u8], channels: u8, out: &mut Vec<i16>) {
    let channels = channels.max(1);
    let frame = 2 * usize::from(channels);
    for instant in payload.chunks_exact(frame) {
        let mut sum = 0;
        for sample in instant.chunks_exact(2) {
            sum += i32::from(i16::from_le_bytes([sample[0], sample[1]]));
        }
        out.push(i16::try_from(sum / i32::from(channels)).unwrap_or_default());
    }
}

/// A decoder of Opus, at [`HEARD_RATE`].
pub(crate) struct Opus {
    channels: Channels,
    decoder: ropus::Decoder,
    /// Where it writes a packet.
    room: Vec<i16>,
}

impl Opus {
    /// Makes one or two channels of packets, whatever they have.
    pub(crate) fn new(channels: Channels) -> Result<Self> {
        let instants = usize::try_from(OPUS_SAMPLES_MAX / OPUS_PER_HEARD).unwrap_or_default();
        let room = vec![0; instants * channels.count()];
        Ok(Self { channels, decoder: new_decoder(channels)?, room })
    }

    /// Puts a packet's samples at the end of `out`, channels interleaved; of a broken one, silence.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) {
        let samples = opus_samples(packet).unwrap_or(PACKET_SAMPLES);
        let instants = usize::try_from(samples / OPUS_PER_HEARD).unwrap_or_default();
        let with_silence = out.len() + instants * self.channels.count();
        if packet.is_empty() {
            out.resize(with_silence, 0);
            return;
        }
        // Packets come from strangers, and the decoder is long.
        let (decoder, room) = (&mut self.decoder, &mut self.room);
        let decoding = AssertUnwindSafe(|| decoder.decode(packet, room, DecodeMode::Normal));
        match catch_unwind(decoding) {
            Ok(Ok(instants)) => {
                let count = instants * self.channels.count();
                out.extend_from_slice(&self.room[..count.min(self.room.len())]);
            }
            Ok(Err(_)) => out.resize(with_silence, 0),
            Err(_) => {
                out.resize(with_silence, 0);
                // Its state is unknown; where there is no other one, it goes on as it is.
                if let Ok(decoder) = new_decoder(self.channels) {
                    self.decoder = decoder;
                }
            }
        }
    }
}

fn new_decoder(channels: Channels) -> Result<ropus::Decoder> {
    ropus::Decoder::new(HEARD_RATE, channels)
        .map_err(|error| Error::Internal(format!("no decoder of Opus: {error}")))
}

mod tests;
