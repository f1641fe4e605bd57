//! Ogg files with Opus (RFC 7845), by `ogg`: one stream of one or two channels.

use crate::domain::sound::{SoundCodec, SoundFormat};
use crate::error::{Error, Result};
use crate::transcription::decode::{OPUS_RATE, check, length_of};
use crate::transcription::files::ogg_guard::Guarded;
use crate::transcription::files::ogg_tail::LastPage;
use crate::transcription::files::packet::{CUT_OFF, FilePacket, refused, unreadable};
use bytes::Bytes;
use ogg::{OggReadError, Packet, PacketReader};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};

/// Longest sound, in samples: a week.
const LENGTH_MAX: u64 = 7 * 24 * 3600 * OPUS_RATE as u64;

/// What is said of files that hold several streams.
const SEVERAL: &str = "The Ogg file holds several streams, at once or one after another, and one is \
    read. Give each a file of its own.";
/// What is said of bytes that are no Ogg page.
const DAMAGED: &str = "The Ogg file is damaged.";

/// An Ogg-Opus file that is open.
pub(super) struct OggOpus {
    reader: PacketReader<Guarded<BufReader<File>>>,
    serial: u32,
    channels: u8,
    /// How many samples at the beginning are not to be heard: the encoder's delay.
    pre_skip: u64,
    /// What the file calls its first sample: recordings may begin in the middle of a stream.
    first_granule: Option<i128>,
    /// How many samples came, those of the encoder's delay and silence between them included.
    position: u64,
    duration: u64,
    /// Packets of a page that was read.
    ready: VecDeque<FilePacket>,
}

impl OggOpus {
    /// Reads its headers and its first page with sound.
    pub(super) fn open(mut file: File) -> Result<Self> {
        let last = LastPage::of(&mut file)?;
        file.rewind().map_err(|error| unreadable(&error))?;
        let mut reader = PacketReader::new(Guarded::new(BufReader::new(file)));
        let Some(head) = read_packet(&mut reader)? else { return refused(DAMAGED) };
        let (channels, pre_skip) = read_head(&head.data)?;
        if last.serial != head.stream_serial() {
            return refused(SEVERAL);
        }
        let mut opened = Self {
            reader,
            serial: head.stream_serial(),
            channels,
            pre_skip,
            first_granule: None,
            position: 0,
            duration: 0,
            ready: VecDeque::new(),
        };
        check(opened.format())?;
        match opened.read_packet()? {
            Some(tags) if tags.data.starts_with(b"OpusTags") => {}
            _ => return refused(DAMAGED),
        }
        if !opened.read_page()? {
            return refused(CUT_OFF);
        }
        opened.duration = opened.duration_of(last)?;
        Ok(opened)
    }

    pub(super) fn format(&self) -> SoundFormat {
        SoundFormat { codec: SoundCodec::Opus, rate: OPUS_RATE, channels: self.channels }
    }

    /// How long it says that it is.
    pub(super) fn duration_ms(&self) -> u64 {
        self.duration * 1000 / u64::from(OPUS_RATE)
    }

    /// The next packet; `None` is the end.
    pub(super) fn next(&mut self) -> Result<Option<FilePacket>> {
        while self.ready.is_empty() {
            if !self.read_page()? {
                return Ok(None);
            }
        }
        Ok(self.ready.pop_front())
    }

    fn duration_of(&self, last: LastPage) -> Result<u64> {
        let Some(granule) = last.granule else { return Ok(0) };
        let first = self.first_granule.unwrap_or_default();
        let samples = i128::from(granule) - first - i128::from(self.pre_skip);
        let samples = u64::try_from(samples.max(0)).unwrap_or(u64::MAX);
        if samples > LENGTH_MAX { refused(TOO_LONG) } else { Ok(samples) }
    }

    /// Reads the packets that end in the next page, and notes their places. `false` is the end.
    fn read_page(&mut self) -> Result<bool> {
        let mut payloads = Vec::new();
        let mut length = 0;
        loop {
            let Some(packet) = self.read_packet()? else { return Ok(!payloads.is_empty()) };
            length += length_of(self.format(), &packet.data);
            let is_last = packet.last_in_page();
            let granule = packet.absgp_page().cast_signed();
            payloads.push(Bytes::from(packet.data));
            if is_last {
                self.note_granule(granule, length)?;
                self.place(payloads);
                return Ok(true);
            }
        }
    }

    /// Notes where a page of this length ends. A page that begins later than the one before it ends
    /// leaves a gap.
    fn note_granule(&mut self, granule: i64, length: u64) -> Result<()> {
        if granule >= 0 {
            let begin = i128::from(granule) - i128::from(length);
            // The last page may say that its end is not to be heard.
            let first = *self.first_granule.get_or_insert(begin.max(0));
            let begin = u64::try_from((begin - first).max(0)).unwrap_or(u64::MAX);
            self.position = self.position.max(begin);
        }
        if self.position > LENGTH_MAX { refused(TOO_LONG) } else { Ok(()) }
    }

    /// Gives packets their places, one after another. Those that are not to be heard at all go.
    fn place(&mut self, payloads: Vec<Bytes>) {
        for payload in payloads {
            let at = self.position.saturating_sub(self.pre_skip);
            self.position += length_of(self.format(), &payload);
            if self.position > self.pre_skip {
                self.ready.push_back(FilePacket { at, payload });
            }
        }
    }

    fn read_packet(&mut self) -> Result<Option<Packet>> {
        let packet = read_packet(&mut self.reader)?;
        if packet.as_ref().is_some_and(|packet| packet.stream_serial() != self.serial) {
            return refused(SEVERAL);
        }
        Ok(packet)
    }
}

/// What is said of a file that is too long, or says so.
const TOO_LONG: &str = "The Ogg file says that it is longer than a week.";

fn read_packet(reader: &mut PacketReader<Guarded<BufReader<File>>>) -> Result<Option<Packet>> {
    reader.get_mut().next_packet();
    reader.read_packet().map_err(|error| why(&error))
}

/// Why the next packet cannot be read, for whoever sent the file.
fn why(error: &OggReadError) -> Error {
    let sentence = match error {
        OggReadError::ReadError(error) if error.kind() == ErrorKind::UnexpectedEof => CUT_OFF,
        OggReadError::ReadError(error) if error.kind() == ErrorKind::InvalidData => DAMAGED,
        OggReadError::ReadError(error) => return unreadable(error),
        // A second beginning of a stream with the same number is one of these.
        OggReadError::InvalidData => {
            "The Ogg file is damaged, or holds several recordings one after another, and one is read."
        }
        _ => DAMAGED,
    };
    Error::UnreadableSound(sentence.to_owned())
}

/// Channels and encoder's delay by the first packet (RFC 7845, section 5.1).
fn read_head(head: &[u8]) -> Result<(u8, u64)> {
    let Some(head) = head.first_chunk::<19>().filter(|head| head.starts_with(b"OpusHead")) else {
        return refused(DAMAGED);
    };
    let [version, channels, family] = [head[8], head[9], head[18]];
    let pre_skip = u16::from_le_bytes([head[10], head[11]]);
    if version >= 16 {
        return refused("The Ogg file is of a version of Opus that is not read.");
    }
    if family != 0 {
        return refused("The Ogg file has more than two channels, or channels of no known place.");
    }
    Ok((channels, u64::from(pre_skip)))
}
