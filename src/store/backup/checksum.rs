//! The length and the SHA-256 of an encrypted backup, in a file beside it that `sha256sum --check`
//! reads: without the private key nothing else says whether the backup is whole.

use crate::store::beside::beside;
use crate::store::stop::Stop;
use ring::digest::{Context, SHA256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 128 * 1024;

/// What an encrypted backup was when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// How many bytes it has.
    pub bytes: u64,
    /// The SHA-256 of all of them, in hexadecimal.
    pub sha256: String,
}

/// The file beside a backup.
pub(crate) fn path_of(backup: &Path) -> PathBuf {
    beside(backup, ".sha256")
}

impl Checksum {
    /// The text of that file.
    pub(crate) fn text(&self, backup: &Path) -> String {
        let name = backup.file_name().unwrap_or_default().to_string_lossy();
        format!("# {} bytes\n{}  {name}\n", self.bytes, self.sha256)
    }

    /// What the file beside a backup says; `None` where there is none that can be read.
    pub(crate) fn beside(backup: &Path) -> Option<Self> {
        let text = fs::read_to_string(path_of(backup)).ok()?;
        let mut lines = text.lines();
        let bytes = lines.next()?.strip_prefix("# ")?.strip_suffix(" bytes")?.parse().ok()?;
        let (sha256, _) = lines.next()?.split_once("  ")?;
        Some(Self { bytes, sha256: sha256.to_owned() })
    }

    /// Reads a whole file.
    pub(crate) fn of(file: &Path, stop: &Stop) -> io::Result<Self> {
        let mut file = File::open(file)?;
        let mut summed = Summed::new(io::sink());
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            if stop.is_set() {
                return Err(io::Error::other("it was stopped"));
            }
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(summed.end());
            }
            summed.write_all(&buffer[..count])?;
        }
    }
}

/// A writer that sums up what is written to it.
pub(super) struct Summed<W> {
    inner: W,
    bytes: u64,
    context: Context,
}

impl<W: Write> Summed<W> {
    /// Nothing is written yet.
    pub(super) fn new(inner: W) -> Self {
        Self { inner, bytes: 0, context: Context::new(&SHA256) }
    }

    /// The checksum of all that was written.
    pub(super) fn end(self) -> Checksum {
        let digest = self.context.finish();
        let mut sha256 = String::new();
        for byte in digest.as_ref() {
            // Writing to a string does not fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Checksum { bytes: self.bytes, sha256 }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.context.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
