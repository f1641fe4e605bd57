//! The lines of a dump, each bounded, while its bytes are counted and hashed.

use crate::exit::{Code, StartupError};
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// Longest line of a dump, in bytes: one row of one table.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 1024 * 1024;

/// Nothing was imported, and why.
pub(crate) fn not_imported(why: impl std::fmt::Display) -> StartupError {
    StartupError::new(Code::NotImported, format!("{why} Nothing was imported."))
}

/// What is read, with its length and its hash.
pub(crate) struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// The lines of a dump.
pub(crate) struct Lines<R> {
    reader: BufReader<Hashed<R>>,
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// Of a dump that is read from its beginning.
    pub(crate) fn new(inner: R) -> Self {
        let hashed = Hashed { inner, hasher: blake3::Hasher::new(), bytes: 0 };
        let reader = BufReader::with_capacity(READ_BYTES, hashed);
        Self { reader, line: Vec::new(), number: 0 }
    }

    /// The first bytes, which are read again as lines; fewer where there are no more.
    pub(crate) fn beginning(&mut self) -> Result<&[u8], StartupError> {
        self.reader.fill_buf().map_err(|error| unreadable(&error))
    }

    /// Reads the next line, without its end; false where there is none.
    pub(crate) fn read_next(&mut self) -> Result<bool, StartupError> {
        self.line.clear();
        self.number += 1;
        loop {
            let found = match self.reader.fill_buf() {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(&error)),
            };
            if found.is_empty() {
                return Ok(!self.line.is_empty());
            }
            let end = memchr(found);
            let count = end.map_or(found.len(), |at| at + 1);
            self.line.extend_from_slice(&found[..end.unwrap_or(count)]);
            self.reader.consume(count);
            if self.line.len() > LINE_BYTES_MAX {
                return Err(not_imported(format!(
                    "Line {} of the dump is longer than {} MiB.",
                    self.number,
                    LINE_BYTES_MAX / (1024 * 1024)
                )));
            }
            if end.is_some() {
                break;
            }
        }
        // A terminal between pg_dump and the file has added it; in a row it would be escaped.
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(true)
    }

    /// The line that was read last.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Its number, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.reader.get_ref().bytes
    }

    /// BLAKE3 of what was read.
    pub(crate) fn hash(&self) -> blake3::Hash {
        self.reader.get_ref().hasher.finalize()
    }
}

/// Where the first line feed is.
fn memchr(bytes: &[u8]) -> Option<usize> {
    // A `BufRead` of a slice looks for it as fast as the machine can.
    let mut rest = bytes;
    match rest.skip_until(b'\n') {
        Ok(count) if bytes.get(count.wrapping_sub(1)) == Some(&b'\n') => Some(count - 1),
        _ => None,
    }
}

fn unreadable(error: &std::io::Error) -> StartupError {
    not_imported(format!("The dump cannot be read ({error})."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_counted_and_hashed() {
        let text = b"one\n\ntwo\r\nlast";
        let mut lines = Lines::new(&text[..]);
        let mut read = Vec::new();
        while lines.read_next().expect("a line") {
            read.push((lines.number(), String::from_utf8_lossy(lines.line()).into_owned()));
        }
        let expected = [(1, "one"), (2, ""), (3, "two"), (4, "last")];
        assert_eq!(read, expected.map(|(number, line)| (number, line.to_owned())));
        assert_eq!((lines.bytes(), lines.hash()), (text.len() as u64, blake3::hash(text)));

        let longest = [vec![b'x'; LINE_BYTES_MAX], b"\n".to_vec()].concat();
        let mut lines = Lines::new(&longest[..]);
        assert!(lines.read_next().is_ok() && lines.line().len() == LINE_BYTES_MAX);
        let too_long = [vec![b'x'; LINE_BYTES_MAX + 1], b"\n".to_vec()].concat();
        let refused = Lines::new(&too_long[..]).read_next().expect_err("too long");
        assert_eq!(refused.code, Code::NotImported);
        assert!(refused.message.contains("Line 1 of the dump is longer"), "{refused}");
    }
}
