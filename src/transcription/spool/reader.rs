//! Reads the spool file of a meeting, up to what is durable.

use crate::error::{Error, Result};
use crate::store::open_to_read;
use crate::transcription::spool::record::{
    FILE_HEADER, RECORD_HEADER, Record, RecordHeader, base_of, skipped,
};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// What is read from the file at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// A place in the spool of a meeting, from which records are read one after the other. A file that
/// was deleted meanwhile can be read to its end.
pub(crate) struct SpoolReader {
    path: PathBuf,
    open: Option<Open>,
    /// Where the next record begins.
    offset: u64,
    /// Up to where records are durable.
    durable: watch::Receiver<u64>,
}

struct Open {
    file: BufReader<Durable>,
    /// The offset of the first record that the file had.
    base: u64,
    /// Where the next record begins.
    at: u64,
}

/// A file up to what of it is durable: what comes after may be written anew.
struct Durable {
    file: File,
    /// How many more bytes may be read.
    left: u64,
    /// Where they end, as an offset of the spool.
    end: u64,
}

impl Durable {
    fn grow(&mut self, end: u64) {
        self.left += end.saturating_sub(self.end);
        self.end = self.end.max(end);
    }
}

impl Read for Durable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&mut self.file).take(self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl SpoolReader {
    pub(super) fn new(path: PathBuf, from: u64, durable: watch::Receiver<u64>) -> Self {
        Self { path, open: None, offset: from, durable }
    }

    /// The next record; `None` while there is none that is durable. What is damaged before it is
    /// passed over. An error where there is none behind the damage. Reads the file here and now.
    pub(crate) fn next(&mut self) -> Result<Option<Record>> {
        let durable = *self.durable.borrow();
        if self.offset >= durable {
            return Ok(None);
        }
        match self.read(durable) {
            Ok(record) => Ok(record),
            Err(error) => {
                self.open = None;
                let path = self.path.display();
                Err(Error::Internal(format!("the spool file {path} cannot be read: {error}")))
            }
        }
    }

    fn read(&mut self, durable: u64) -> io::Result<Option<Record>> {
        let open = match &mut self.open {
            Some(open) => open,
            none => match Open::at(&self.path, self.offset)? {
                Some(open) => none.insert(open),
                None => return Ok(None),
            },
        };
        self.offset = open.at;
        if self.offset >= durable {
            return Ok(None);
        }
        open.file.get_mut().grow(durable);
        let found = match next_record(&mut open.file, self.offset)? {
            None => open.pass_damage(durable)?,
            found => found,
        };
        let (record, bytes) = found.ok_or_else(no_record)?;
        open.at = record.offset + bytes;
        self.offset = open.at;
        Ok(Some(record))
    }
}

impl Open {
    /// The file from this offset on; from its first record where that comes later.
    fn at(path: &Path, offset: u64) -> io::Result<Option<Self>> {
        let mut file = match open_to_read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let base = read_base(&mut file)?;
        let at = offset.max(first_record(&mut file, base)?);
        file.seek(SeekFrom::Start(FILE_HEADER + (at - base)))?;
        let file = Durable { file, left: 0, end: at };
        Ok(Some(Self { file: BufReader::with_capacity(CHUNK, file), base, at }))
    }

    /// The first whole record behind one that is damaged, and how many bytes it takes; `None` where
    /// there is none that is durable.
    fn pass_damage(&mut self, durable: u64) -> io::Result<Option<(Record, u64)>> {
        let Durable { file, .. } = self.file.get_ref();
        let Some(next) = find_record(file, self.base, self.at + 1, durable)? else {
            return Ok(None);
        };
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(FILE_HEADER + (next - self.base)))?;
        let durable = Durable { file, left: durable - next, end: durable };
        self.file = BufReader::with_capacity(CHUNK, durable);
        next_record(&mut self.file, next)
    }
}

/// The offset of the first record of a file, which is read from its beginning.
pub(super) fn read_base(file: &mut impl Read) -> io::Result<u64> {
    let mut header = [0; 16];
    file.read_exact(&mut header)?;
    base_of(&header).ok_or_else(|| io::Error::other("it is no file of sound"))
}

/// The offset of the first record that is still there, in a file of which the base was read.
pub(super) fn first_record(file: &mut impl Read, base: u64) -> io::Result<u64> {
    let mut header = [0; RECORD_HEADER];
    let skipped = if fill(file, &mut header)? { skipped(&header) } else { None };
    Ok(base.saturating_add(skipped.unwrap_or(0)))
}

/// The record that begins here and how many bytes it takes; `None` where there is no whole one.
pub(super) fn next_record(file: &mut impl Read, offset: u64) -> io::Result<Option<(Record, u64)>> {
    let mut header = [0; RECORD_HEADER];
    if !fill(file, &mut header)? {
        return Ok(None);
    }
    let Some(header) = RecordHeader::read(&header) else { return Ok(None) };
    let mut payload = vec![0; header.length];
    if !fill(file, &mut payload)? || !header.fits(&payload) {
        return Ok(None);
    }
    let bytes = (RECORD_HEADER + header.length) as u64;
    let payload = Bytes::from(payload);
    Ok(Some((Record { offset, sound: header.sound, at: header.at, payload }, bytes)))
}

/// Whether a whole record begins at this offset of a file, whose first one began at `base`.
pub(super) fn has_record(file: &File, base: u64, offset: u64) -> io::Result<bool> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(FILE_HEADER + (offset - base)))?;
    Ok(next_record(&mut reader, offset)?.is_some())
}

/// Where the first whole record begins between two offsets of a file that is damaged in between,
/// byte by byte. What is given back to the disk reads as zeros, and is no record.
pub(super) fn find_record(file: &File, base: u64, from: u64, to: u64) -> io::Result<Option<u64>> {
    let mut window = vec![0; CHUNK + RECORD_HEADER - 1];
    let mut begin = from;
    while begin + RECORD_HEADER as u64 <= to {
        let read = read_window(file, &mut window, FILE_HEADER + (begin - base))?;
        for (at, bytes) in window[..read].windows(RECORD_HEADER).enumerate() {
            let offset = begin + at as u64;
            if reads_like_a_header(bytes) && offset < to && has_record(file, base, offset)? {
                return Ok(Some(offset));
            }
        }
        begin += CHUNK as u64;
    }
    Ok(None)
}

fn reads_like_a_header(bytes: &[u8]) -> bool {
    let Ok(bytes) = bytes.try_into() else { return false };
    RecordHeader::read(bytes).is_some_and(|header| header.is_likely())
}

/// Fills the window from this place of the file, as far as the file reaches; how many bytes.
fn read_window(file: &File, window: &mut [u8], place: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < window.len() {
        match file.read_at(&mut window[read..], place + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Whether the file had as many bytes.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

fn no_record() -> io::Error {
    io::Error::other("a record in it is damaged")
}
