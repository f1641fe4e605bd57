//! Writes Opus packets as an Ogg file (RFC 7845).

use crate::domain::sound::{SoundCodec, SoundFormat};
use crate::transcription::decode::{OPUS_RATE, length_of};
use ogg::{PacketWriteEndInfo, PacketWriter};
use std::io::{self, Write};

/// The number of its one stream.
const SERIAL: u32 = 1;
/// A packet of 20 ms without sound: its first byte, of CELT at full bandwidth, and a frame of no
/// bytes (RFC 6716, section 3.2.1).
const SILENT_PACKET: [u8; 1] = [31 << 3];
/// How long it is, in samples.
const SILENT_LENGTH: u64 = OPUS_RATE as u64 / 50;
/// A page ends after so many samples: one second.
const PAGE_LENGTH: u64 = OPUS_RATE as u64;

/// Writes one sound. Gaps become silence, so that what is later stays later.
pub(crate) struct OggWriter<W: Write> {
    writer: PacketWriter<'static, W>,
    format: SoundFormat,
    /// Where the next packet begins, in samples.
    position: u64,
    page_began: u64,
    /// The last packet, which may be the last of all.
    held: Option<Vec<u8>>,
}

impl<W: Write> OggWriter<W> {
    /// Writes the headers of Opus with this many channels.
    pub(crate) fn new(to: W, channels: u8) -> io::Result<Self> {
        let mut writer = PacketWriter::new(to);
        let mut head = Vec::from(b"OpusHead".as_slice());
        // Version 1. What is at 0 is heard at 0: nothing is skipped.
        head.extend_from_slice(&[1, channels, 0, 0]);
        head.extend_from_slice(&OPUS_RATE.to_le_bytes());
        // No gain, and one or two channels.
        head.extend_from_slice(&[0, 0, 0]);
        writer.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let mut tags = Vec::from(b"OpusTags".as_slice());
        tags.extend_from_slice(&6_u32.to_le_bytes());
        tags.extend_from_slice(b"vomeet");
        // No comments.
        tags.extend_from_slice(&[0, 0, 0, 0]);
        writer.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let format = SoundFormat { codec: SoundCodec::Opus, rate: OPUS_RATE, channels };
        Ok(Self { writer, format, position: 0, page_began: 0, held: None })
    }

    /// Writes a packet that begins at this sample.
    pub(crate) fn write(&mut self, at: u64, packet: &[u8]) -> io::Result<()> {
        while !self.add_silence(at)? {}
        self.hold(packet.to_vec())
    }

    /// Writes at most a second of the silence before this sample; whether that was all of it.
    pub(crate) fn add_silence(&mut self, at: u64) -> io::Result<bool> {
        let stop = self.position + PAGE_LENGTH;
        while self.position + SILENT_LENGTH <= at {
            if self.position >= stop {
                return Ok(false);
            }
            self.hold(SILENT_PACKET.to_vec())?;
        }
        Ok(true)
    }

    /// Where the next packet begins at least, in samples.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What it writes to.
    pub(crate) fn written(&mut self) -> &mut W {
        self.writer.inner_mut()
    }

    /// Ends the stream, and gives back what it was written to.
    pub(crate) fn end(mut self) -> io::Result<W> {
        if let Some(last) = self.held.take() {
            let end = PacketWriteEndInfo::EndStream;
            self.writer.write_packet(last, SERIAL, end, self.position)?;
        }
        Ok(self.writer.into_inner())
    }

    /// Writes the packet before this one, which is not the last any more.
    fn hold(&mut self, packet: Vec<u8>) -> io::Result<()> {
        let length = length_of(self.format, &packet);
        if let Some(held) = self.held.replace(packet) {
            let is_full = self.position - self.page_began >= PAGE_LENGTH;
            let end = match is_full {
                true => PacketWriteEndInfo::EndPage,
                false => PacketWriteEndInfo::NormalPacket,
            };
            self.writer.write_packet(held, SERIAL, end, self.position)?;
            if is_full {
                self.page_began = self.position;
            }
        }
        self.position += length;
        Ok(())
    }
}
