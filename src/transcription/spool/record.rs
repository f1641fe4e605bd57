//! Records of a spool file, and what it begins with.
//!
//! A file begins with [`MAGIC`] and the offset of its first record (8 bytes). A record is the length
//! of its payload (4 bytes), the CRC-32 of all that follows (4), the sound (8), where in the sound
//! it begins (8), and the payload; numbers are little-endian. The first record may be one that says
//! where the next one begins ([`skip`]): what lies between was given back to the disk. Offsets of
//! sound that was cut never come back: where a file was deleted, the next one begins behind the last
//! cut. Those of the recording of a bot, which is not cut, may.

use crate::domain::SoundId;
use bytes::Bytes;

/// What a file begins with; another layout would take another one.
pub(super) const MAGIC: [u8; 8] = *b"vomsnd1\n";
/// Bytes before the first record.
pub(super) const FILE_HEADER: u64 = 16;
/// Bytes of a record before its payload.
pub(super) const RECORD_HEADER: usize = 24;
/// Longest payload, in bytes.
pub(crate) const PAYLOAD_MAX: usize = 1024 * 1024;

/// A number of a sound, or of its samples, that none has: what reads like it is no header.
const NUMBER_END: u64 = 1 << 48;

/// The length of a record that is none: what follows it was given back to the disk.
const SKIP: u32 = u32::MAX;

/// A piece of sound, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Where in the meeting's spool this record begins.
    pub offset: u64,
    /// Whose piece it is.
    pub sound: SoundId,
    /// Where in the sound it begins, in samples of its format's rate.
    pub at: u64,
    /// The piece, in the sound's codec.
    pub payload: Bytes,
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub length: usize,
    pub crc: u32,
    pub sound: SoundId,
    pub at: u64,
}

impl RecordHeader {
    /// Reads it; `None` where no record has such a length.
    pub(super) fn read(bytes: &[u8; RECORD_HEADER]) -> Option<Self> {
        let (length, crc) = (four(bytes, 0), four(bytes, 4));
        let length = usize::try_from(length).ok()?;
        if length > PAYLOAD_MAX {
            return None;
        }
        let sound = SoundId(eight(bytes, 8).cast_signed());
        Some(Self { length, crc, sound, at: eight(bytes, 16) })
    }

    /// Whether it reads like a header at all: a quick look, before a checksum is made.
    pub(super) fn is_likely(&self) -> bool {
        (1..NUMBER_END).contains(&self.sound.0.cast_unsigned()) && self.at < NUMBER_END
    }

    /// Whether this is what was written with the payload.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.length && self.crc == crc(self.sound, self.at, payload)
    }
}

/// Appends a record to `out`.
pub(super) fn write(sound: SoundId, at: u64, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc(sound, at, payload).to_le_bytes());
    out.extend_from_slice(&sound.0.to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(payload);
}

/// A record that says that the next one begins so many bytes behind its own beginning.
pub(super) fn skip(bytes: u64) -> [u8; RECORD_HEADER] {
    let mut record = [0; RECORD_HEADER];
    record[..4].copy_from_slice(&SKIP.to_le_bytes());
    record[4..8].copy_from_slice(&crc(SoundId(0), bytes, &[]).to_le_bytes());
    record[16..].copy_from_slice(&bytes.to_le_bytes());
    record
}

/// How many bytes a record says are to be skipped; `None` where it is another one.
pub(super) fn skipped(record: &[u8; RECORD_HEADER]) -> Option<u64> {
    let bytes = eight(record, 16);
    let is_skip = four(record, 0) == SKIP && four(record, 4) == crc(SoundId(0), bytes, &[]);
    is_skip.then_some(bytes)
}

/// What a file begins with whose first record has this offset.
pub(super) fn file_header(base: u64) -> [u8; 16] {
    let mut header = [0; 16];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&base.to_le_bytes());
    header
}

/// The offset of a file's first record; `None` where this is no file of the spool.
pub(super) fn base_of(header: &[u8; 16]) -> Option<u64> {
    let (magic, base) = header.split_at(8);
    let base: [u8; 8] = base.try_into().ok()?;
    (magic == MAGIC).then(|| u64::from_le_bytes(base))
}

fn crc(sound: SoundId, at: u64, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&sound.0.to_le_bytes());
    crc.update(&at.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

fn four(bytes: &[u8; RECORD_HEADER], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn eight(bytes: &[u8; RECORD_HEADER], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
