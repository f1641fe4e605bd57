//! One channel of a sound with several.

use crate::domain::sound::{HEARD_RATE, SoundCodec, SoundFormat};
use crate::error::Result;
use crate::transcription::decode::{OPUS_RATE, Opus};
use crate::transcription::files::packet::FilePacket;
use ropus::Channels;

/// Takes one channel out of packets with several.
pub(super) struct OneChannel {
    /// Which one, from 0 on.
    channel: usize,
    /// Of how many.
    channels: usize,
    rate: u32,
    /// Decodes packets of Opus, whose channels are not apart.
    opus: Option<Box<Opus>>,
}

impl OneChannel {
    /// This channel of sound of this form, from 0 on.
    pub(super) fn new(format: SoundFormat, channel: u8) -> Result<Self> {
        let channel = usize::from(channel);
        let channels = usize::from(format.channels.max(1));
        Ok(match format.codec {
            SoundCodec::S16le | SoundCodec::File => {
                Self { channel, channels, rate: format.rate, opus: None }
            }
            SoundCodec::Opus => {
                let opus = Some(Box::new(Opus::new(Channels::Stereo)?));
                // Its packets may have one channel all the same: then both are that one.
                Self { channel, channels: 2, rate: HEARD_RATE, opus }
            }
        })
    }

    /// The form of what it gives.
    pub(super) fn format(&self) -> SoundFormat {
        SoundFormat { codec: SoundCodec::S16le, rate: self.rate, channels: 1 }
    }

    /// This channel of the next packet.
    pub(super) fn of(&mut self, packet: &FilePacket) -> FilePacket {
        let mut payload = Vec::new();
        let Some(opus) = &mut self.opus else {
            for instant in packet.payload.chunks_exact(2 * self.channels) {
                payload.extend_from_slice(&instant[2 * self.channel..2 * self.channel + 2]);
            }
            return FilePacket { at: packet.at, payload: payload.into() };
        };
        let mut samples = Vec::new();
        opus.decode(&packet.payload, &mut samples);
        for instant in samples.chunks_exact(self.channels) {
            payload.extend_from_slice(&instant[self.channel].to_le_bytes());
        }
        let at = packet.at * u64::from(HEARD_RATE) / u64::from(OPUS_RATE);
        FilePacket { at, payload: payload.into() }
    }
}
