//! The last page of an Ogg file: how long the file is, and whether its end is missing.

use crate::error::Result;
use crate::transcription::files::packet::{CUT_OFF, refused, unreadable};
use std::io::{Read, Seek, SeekFrom};

/// The longest page: its header, its table, and 255 segments of 255 bytes.
const PAGE_BYTES_MAX: u64 = 27 + 255 + 255 * 255;
/// How many bytes at the end are looked at: whatever follows the last page is shorter.
const TAIL_BYTES: u64 = 2 * PAGE_BYTES_MAX;

/// What the last page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastPage {
    /// Of which stream it is.
    pub serial: u32,
    /// Where it ends, in samples; `None` where it does not say.
    pub granule: Option<i64>,
}

impl LastPage {
    /// Reads the last page. The file is at any place after that.
    pub(super) fn of<F: Read + Seek>(file: &mut F) -> Result<Self> {
        let bytes = file.seek(SeekFrom::End(0)).map_err(|error| unreadable(&error))?;
        let from = bytes.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from)).map_err(|error| unreadable(&error))?;
        let mut tail = Vec::new();
        file.by_ref()
            .take(TAIL_BYTES)
            .read_to_end(&mut tail)
            .map_err(|error| unreadable(&error))?;
        let last = tail.windows(4).rposition(|bytes| bytes == b"OggS");
        match last.map(|at| Self::read(&tail[at..])) {
            Some(Some(page)) => Ok(page),
            _ => refused(CUT_OFF),
        }
    }

    /// Reads a page (RFC 3533, section 6); `None` where it goes on beyond the end.
    fn read(page: &[u8]) -> Option<Self> {
        let header = page.first_chunk::<27>()?;
        let granule = i64::from_le_bytes(*header[6..].first_chunk()?);
        let serial = u32::from_le_bytes(*header[14..].first_chunk()?);
        let segments = page.get(27..27 + usize::from(header[26]))?;
        let body: usize = segments.iter().map(|length| usize::from(*length)).sum();
        page.get(27 + segments.len() + body - body.min(1)..27 + segments.len() + body)?;
        Some(Self { serial, granule: (granule >= 0).then_some(granule) })
    }
}
