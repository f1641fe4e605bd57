//! The first bytes of a file: whether it can be a backup, told without opening it as a database.

use crate::encryption::MAGIC as ENCRYPTED;
use crate::store::upgrade::APPLICATION_ID;
use crate::store::upgrade::steps::newest_version;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How long the header of a database is (SQLite file format, section 1.3).
const HEADER_BYTES: u64 = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What the header of a database of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// How many bytes the file has.
    pub bytes: u64,
    /// The version of its tables.
    pub file_version: i64,
}

/// Why a file is no backup, as the end of a sentence that begins with its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoBackup {
    /// It cannot be read.
    Unreadable(String),
    /// It is something else, or not whole.
    Foreign(String),
}

/// Reads the header of a file that should be a backup.
pub(crate) fn read(path: &Path) -> Result<Header, NoBackup> {
    let unreadable = |error: io::Error| NoBackup::Unreadable(format!("cannot be read ({error})"));
    let found = std::fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        return foreign("is no regular file");
    }
    let mut header = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(HEADER_BYTES).read_to_end(&mut header).map_err(unreadable)?;
    if header.is_empty() {
        return foreign("is empty");
    }
    if header.starts_with(ENCRYPTED) {
        return foreign("is encrypted; name the file of its private key with --identity");
    }
    if !header.starts_with(MAGIC) || header.len() as u64 != HEADER_BYTES {
        return foreign("is no database");
    }
    let (application, file_version) = (number(&header, 68), number(&header, 60));
    if application != APPLICATION_ID || file_version == 0 {
        return foreign("is a database of another program");
    }
    let newest = newest_version();
    if file_version > newest {
        return foreign(&format!(
            "was written by a newer vomeet (file version {file_version}, this program knows \
             {newest}); use that one"
        ));
    }
    let wanted = whole_bytes(&header);
    if found.len() < wanted {
        return foreign(&format!("is cut off: it has {} of {wanted} bytes", found.len()));
    }
    Ok(Header { bytes: found.len(), file_version })
}

fn foreign(why: &str) -> Result<Header, NoBackup> {
    Err(NoBackup::Foreign(why.to_owned()))
}

/// Four bytes as a number, the highest first.
fn number(header: &[u8], at: usize) -> i64 {
    header[at..at + 4].iter().fold(0, |number, &byte| number << 8 | i64::from(byte))
}

/// How long the file must be: its pages, each of its size.
fn whole_bytes(header: &[u8]) -> u64 {
    let page = match u64::from(header[16]) << 8 | u64::from(header[17]) {
        // What does not fit into two bytes.
        1 => 65_536,
        size => size,
    };
    page * number(header, 28).cast_unsigned()
}
