//! A bound for what one packet of an Ogg file may take: its pages can go on for ever.

use std::io::{self, Read, Seek, SeekFrom};

/// Most bytes that are read for one packet: comments may hold a picture.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads from a file until the bound is reached, which [`Guarded::next_packet`] sets anew.
pub(super) struct Guarded<R> {
    reader: R,
    left: u64,
}

impl<R> Guarded<R> {
    /// Guards this reader.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, left: BYTES_MAX }
    }

    /// The next packet begins.
    pub(super) fn next_packet(&mut self) {
        self.left = BYTES_MAX;
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(to)?;
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet is too long"));
        }
        Ok(count)
    }
}

impl<R: Seek> Seek for Guarded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}
