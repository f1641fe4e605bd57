//! The spool file of a meeting as it is found: where its records begin and end. What is torn at its
//! end is cut off; what is damaged in between is passed over.

use crate::transcription::spool::folder::SpoolFolder;
use crate::transcription::spool::reader::{find_record, first_record, next_record, read_base};
use crate::transcription::spool::record::{self, FILE_HEADER};
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};

/// Where the records of a file are, as offsets.
pub(super) struct Found {
    /// Where its first record began.
    pub base: u64,
    /// Where the first one begins that is still there: what lies before was given back to the disk.
    pub first: u64,
    /// Where the last one ends.
    pub end: u64,
    /// How many bytes in between belong to none that is whole.
    pub damaged: u64,
}

/// Cuts off what is torn at the end of a file; where its records are. A file that has no whole
/// header has no record. Whatever is damaged, nothing that is whole is cut off.
pub(super) fn cut_torn_end(file: &File, base: u64, folder: &SpoolFolder) -> io::Result<Found> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let base = match length < FILE_HEADER {
        true => {
            let header = record::file_header(base);
            file.set_len(0)?;
            let mut begun = file;
            begun.write_all(&header)?;
            base
        }
        false => read_base(&mut reader)?,
    };
    let first = first_record(&mut reader, base)?;
    let file_end = base + length.saturating_sub(FILE_HEADER);
    let mut end = first;
    let mut damaged = 0;
    loop {
        reader.seek(SeekFrom::Start(FILE_HEADER + (end - base)))?;
        while let Some((_, bytes)) = next_record(&mut reader, end)? {
            end += bytes;
        }
        let Some(next) = find_record(file, base, end + 1, file_end)? else { break };
        damaged += next - end;
        end = next;
    }
    let whole = FILE_HEADER + (end - base);
    if length > whole {
        file.set_len(whole)?;
        folder.remove_bytes(length - whole);
    }
    // What is there may be in the memory of the system alone.
    file.sync_data()?;
    Ok(Found { base, first, end, damaged })
}
