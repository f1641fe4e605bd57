//! Recordings that bots send of their meetings: kept in the spool as they come, part by part, and
//! given back as one file.
//!
//! A part is a file of its own (a whole recording is part 0), cut into records of the recording's
//! sound: where a record begins in the sound says which part it is of, and where in that. Behind its
//! last record an empty one says that it is whole: a part that broke off counts for nothing. A part
//! that comes again is written again, and the last one that is whole counts.

use crate::domain::{MeetingId, SoundId, Time};
use crate::error::{Error, Result};
use crate::store::{KeepRecording, KeptRecording};
use crate::transcription::forms::form_of;
use crate::transcription::parts::Transcription;
use crate::transcription::received::Received;
use crate::transcription::spool::{Record, SpoolFile, SpoolReader};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bits of a record's place that say where in its part it begins; those above are the part's number.
const OFFSET_BITS: u32 = 40;
/// Bytes of a record.
const PIECE_BYTES: u64 = 64 * 1024;
/// Most bytes of sound of a meeting behind which no recording of it is taken.
const MEETING_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of the header of a WAV file as bots write it.
const WAV_HEADER: usize = 44;

/// A part of a recording that has come.
pub(crate) struct NewPart {
    /// The meeting that was recorded.
    pub meeting_id: MeetingId,
    /// Which part it is, from 0 on.
    pub number: u32,
    /// When the recording began.
    pub started_at: Time,
    /// The part itself.
    pub file: Received,
}

impl Transcription {
    /// Keeps a part of what a bot has recorded; it is durable then.
    /// [`Error::NoSuchMeeting`] where the meeting is gone, [`Error::TooLarge`] where it has more sound
    /// than a meeting may have, and [`Error::NoRoomForSound`] where the spool has no room for the part
    /// or the disk does not take it.
    pub(crate) async fn keep_recording(self: &Arc<Self>, part: NewPart) -> Result<()> {
        let meeting = part.meeting_id;
        let _turn = self.recording_turn(meeting).await;
        self.check_room_for_more(part.file.bytes)?;
        let spool_end = self.blocking(move |all| all.spool.end(meeting)).await?;
        if spool_end > MEETING_BYTES_MAX {
            return Err(Error::TooLarge(usize::try_from(MEETING_BYTES_MAX).unwrap_or(usize::MAX)));
        }
        let verb = KeepRecording {
            meeting_id: meeting,
            started_at: part.started_at,
            spool_end: spool_end.cast_signed(),
            now: self.clock.now(),
        };
        let KeptRecording { sound_id, spool_from } = self.store.write(verb).await?;
        let base = spool_from.max(0).cast_unsigned();
        let spool = self.blocking(move |all| all.spool.write_to(meeting, base)).await?;
        let end = self.append_part(&part, sound_id, &spool).await?;
        spool.wait_until_durable(end).await?;
        // Where the meeting was deleted meanwhile its files were too, perhaps before this one.
        self.blocking(move |all| match all.store.has_sound(meeting)? {
            (true, true) => Ok(()),
            _ => all.spool.forget(meeting).and(Err(Error::NoSuchMeeting)),
        })
        .await
    }

    /// Appends a part to the spool, and that it is whole; the offset behind it. One without bytes is
    /// no part.
    async fn append_part(
        &self,
        part: &NewPart,
        sound: SoundId,
        spool: &Arc<SpoolFile>,
    ) -> Result<u64> {
        let (mut at, mut end) = (0, 0);
        loop {
            let piece = part.file.piece(at, PIECE_BYTES).await?;
            if piece.is_empty() && at == 0 {
                return Ok(end);
            }
            if piece.is_empty() {
                return spool.append(sound, place_of(part.number, at), &[]).await;
            }
            end = spool.append(sound, place_of(part.number, at), &piece).await?;
            at += piece.len() as u64;
        }
    }
}

fn place_of(number: u32, offset: u64) -> u64 {
    u64::from(number) << OFFSET_BITS | offset
}

/// Which part a record is of, and where in it the record begins.
fn part_of(at: u64) -> (u64, u64) {
    (at >> OFFSET_BITS, at & ((1 << OFFSET_BITS) - 1))
}

/// A recording in the spool.
pub(super) struct Recording {
    sound: SoundId,
    parts: Vec<Part>,
    /// What it begins with instead of its own first bytes, where its parts are WAV files.
    header: Option<Vec<u8>>,
    media_type: &'static str,
}

/// A part of a recording, as it lies in the spool.
#[derive(Debug, Clone)]
struct Part {
    number: u64,
    /// Where its first record begins.
    from: u64,
    bytes: u64,
    /// Its first bytes, up to [`WAV_HEADER`].
    head: Bytes,
}

impl Part {
    /// One that begins with this record.
    fn begun_with(number: u64, record: &Record) -> Self {
        let head = &record.payload[..record.payload.len().min(WAV_HEADER)];
        // Copied: a slice would keep all of the record in memory.
        let head = Bytes::copy_from_slice(head);
        Self { number, from: record.offset, bytes: record.payload.len() as u64, head }
    }

    /// Whether it is a WAV file with the header that all bots write, and nothing between that and
    /// the samples.
    fn is_wav(&self) -> bool {
        self.head.starts_with(b"RIFF")
            && self.head.get(8..12) == Some(b"WAVE")
            && self.head.get(36..40) == Some(b"data")
            && self.head.len() >= WAV_HEADER
    }

    /// How many of its first bytes are left out behind a header for all.
    fn skipped(&self, has_header: bool) -> u64 {
        if has_header && self.is_wav() { WAV_HEADER as u64 } else { 0 }
    }

    /// How many of its bytes are in the file of all.
    fn given(&self, has_header: bool) -> u64 {
        self.bytes - self.skipped(has_header)
    }
}

impl Recording {
    /// What the spool has of it, up to this offset; `None` is nothing. Reads the file here and now.
    pub(super) fn find(
        mut reader: SpoolReader,
        sound: SoundId,
        until: u64,
    ) -> Result<Option<Self>> {
        let mut parts: BTreeMap<u64, Part> = BTreeMap::new();
        // Those of which no end was read yet.
        let mut begun: HashMap<u64, Part> = HashMap::new();
        while let Some(record) = reader.next()? {
            if record.offset >= until {
                break;
            }
            if record.sound != sound {
                continue;
            }
            let (number, offset) = part_of(record.at);
            let bytes = record.payload.len() as u64;
            if bytes == 0 {
                if let Some(part) = begun.remove(&number)
                    && part.bytes == offset
                {
                    parts.insert(number, part);
                }
            } else if offset == 0 {
                begun.insert(number, Part::begun_with(number, &record));
            } else if let Some(part) = begun.get_mut(&number)
                && part.bytes == offset
            {
                part.bytes += bytes;
            }
        }
        let parts: Vec<Part> = parts.into_values().collect();
        let Some(first) = parts.first() else { return Ok(None) };
        let media_type = media_type_of(&first.head);
        let header = header_for_all(&parts);
        Ok(Some(Self { sound, parts, header, media_type }))
    }

    /// How long its file is, in bytes.
    pub(super) fn length(&self) -> u64 {
        let mut length = self.header.as_ref().map_or(0, |header| header.len() as u64);
        for part in &self.parts {
            length += part.given(self.header.is_some());
        }
        length
    }

    /// From where on the spool has it, as an offset.
    pub(super) fn from(&self) -> u64 {
        self.parts.iter().map(|part| part.from).min().unwrap_or(0)
    }

    pub(super) fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// Its file, from the part on that has this byte of it, and which byte that begins with: those
    /// before it are not read.
    pub(super) fn pieces(&self, byte: u64) -> (RecordingPieces, u64) {
        let (sound, has_header) = (self.sound, self.header.is_some());
        let mut header = self.header.clone();
        let mut parts = self.parts.as_slice();
        let mut at = 0;
        if let Some(length) = header.as_ref().map(|header| header.len() as u64)
            && length <= byte
        {
            header = None;
            at = length;
        }
        while let Some((first, rest)) = parts.split_first()
            && header.is_none()
            && at + first.given(has_header) <= byte
        {
            at += first.given(has_header);
            parts = rest;
        }
        let parts = parts.iter().rev().cloned().collect();
        (RecordingPieces { sound, has_header, header, parts, open: None }, at)
    }
}

/// The file of a recording, while it is read.
pub(super) struct RecordingPieces {
    sound: SoundId,
    has_header: bool,
    /// Until it was given.
    header: Option<Vec<u8>>,
    /// Those that are not read yet, the last one first.
    parts: Vec<Part>,
    open: Option<OpenPart>,
}

struct OpenPart {
    part: Part,
    reader: SpoolReader,
    /// How much of it was read.
    at: u64,
}

impl RecordingPieces {
    /// The next piece; `None` at the end. `read` opens the spool of the meeting at an offset.
    pub(super) fn next(
        &mut self,
        read: impl Fn(u64) -> Result<SpoolReader>,
    ) -> Result<Option<Bytes>> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header.into()));
        }
        loop {
            let mut open = match self.open.take() {
                Some(open) if open.at < open.part.bytes => open,
                _ => {
                    let Some(part) = self.parts.pop() else { return Ok(None) };
                    let reader = read(part.from)?;
                    OpenPart { part, reader, at: 0 }
                }
            };
            let Some(record) = open.reader.next()? else { return Ok(None) };
            let is_next =
                record.sound == self.sound && part_of(record.at) == (open.part.number, open.at);
            let mut piece = Bytes::new();
            if is_next {
                let skipped = if open.at == 0 { open.part.skipped(self.has_header) } else { 0 };
                open.at += record.payload.len() as u64;
                piece = record.payload.slice(usize::try_from(skipped).unwrap_or(0)..);
            }
            self.open = Some(open);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

/// The header of a WAV file with the samples of all parts, where each of several is one of the same
/// form. Lengths have 32 bits there: of a longer file they say the most that they can.
fn header_for_all(parts: &[Part]) -> Option<Vec<u8>> {
    let first = parts.first()?;
    if parts.len() < 2 || !first.is_wav() {
        return None;
    }
    let mut samples: u64 = 0;
    for part in parts {
        samples += part.given(true);
    }
    let field = |length: u64| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut header = first.head.get(..WAV_HEADER)?.to_vec();
    header[4..8].copy_from_slice(&field(samples + WAV_HEADER as u64 - 8));
    header[40..44].copy_from_slice(&field(samples));
    Some(header)
}

/// What the first bytes of a file say that it is. A file that nobody knows is bytes.
fn media_type_of(first: &[u8]) -> &'static str {
    if first.starts_with(b"RIFF") && first.get(8..12) == Some(b"WAVE") {
        return "audio/wav";
    }
    match form_of(first, "") {
        Some("mp3") => "audio/mpeg",
        Some("m4a" | "mp4") => "audio/mp4",
        Some("webm") => "audio/webm",
        Some("flac") => "audio/flac",
        Some("ogg") => "audio/ogg",
        _ => "application/octet-stream",
    }
}

mod tests;
