//! The file of before an upgrade, which is kept beside the upgraded one, and copies of whole files.

use crate::exit::{Code, StartupError};
use crate::logging::progress::Work;
use crate::store::backup::still::find_log;
use crate::store::backup::target::rename_new;
use crate::store::beside::{beside, create_new, folder_of, open_to_look};
use crate::store::stop::Stop;
use crate::store::upgrade::steps::COPIED_BYTES_PER_MICROSECOND;
use rustix::process::geteuid;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The copy that is upgraded, until it takes the place of the database.
const UPGRADING: &str = ".upgrading";
/// The copy of the old file, until it is whole.
const KEEPING: &str = ".upgrading-keep";
/// What lies beside a database, and the database itself.
const PARTS: [&str; 5] = ["", "-wal", "-journal", "-shm", ".lock"];
/// Bytes that are copied between two looks at whether the upgrade is to stop.
const PIECE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes that are compared at a time.
const COMPARED_BYTES: usize = 256 * 1024;

/// Where the file of this version is kept: `vomeet.db.v4`.
pub(super) fn kept_name(database: &Path, version: i64) -> PathBuf {
    beside(database, &format!(".v{version}"))
}

/// The copy that is upgraded.
pub(super) fn upgrading(database: &Path) -> PathBuf {
    beside(database, UPGRADING)
}

/// Removes what an upgrade has left that was killed; the caller has locked the database.
pub(in crate::store) fn remove_unfinished(database: &Path) {
    for suffix in [UPGRADING, KEEPING] {
        let file = beside(database, suffix);
        for part in PARTS {
            let _ = fs::remove_file(beside(&file, part));
        }
    }
}

/// Whether the database is kept under this name already. Another file there is refused: it may be
/// the only one of its kind.
pub(super) fn is_kept(database: &Path, kept: &Path) -> Result<bool, StartupError> {
    let Some(found) = open_to_look(kept)? else { return Ok(false) };
    let same = File::open(database).and_then(|database| has_same_bytes(database, found));
    match same {
        Ok(true) => Ok(true),
        Ok(false) => {
            let message = format!(
                "The old file would be kept as {}, and another file is there; move that away and \
                 start again. Nothing was changed.",
                kept.display()
            );
            Err(StartupError::new(Code::Conflict, message))
        }
        Err(error) => Err(cannot_write(kept, &error)),
    }
}

fn has_same_bytes(mut one: File, mut other: File) -> io::Result<bool> {
    let bytes = one.metadata()?.len();
    if bytes != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut of_one, mut of_other) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    let mut left = bytes;
    while left > 0 {
        let length = COMPARED_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX));
        one.read_exact(&mut of_one[..length])?;
        other.read_exact(&mut of_other[..length])?;
        if of_one[..length] != of_other[..length] {
            return Ok(false);
        }
        left -= length as u64;
    }
    Ok(true)
}

/// Keeps the database under another name; it has that name once it is whole, and on the disk.
pub(super) fn keep(
    database: &Path,
    kept: &Path,
    work: &Work,
    stop: &Stop,
) -> Result<(), StartupError> {
    let keeping = beside(database, KEEPING);
    copy(database, &keeping, work, stop)?;
    let named = rename_new(&keeping, kept).and_then(|()| sync_folder(kept));
    named.map_err(|error| cannot_write(kept, &error))
}

/// Makes a file that somebody else has kept one for its owner alone, and durable.
pub(super) fn make_private(kept: &Path) -> Result<(), StartupError> {
    let make = || {
        let file = File::open(kept)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        file.sync_all()?;
        sync_folder(kept)
    };
    make().map_err(|error| cannot_write(kept, &error))
}

/// Copies a whole file to a new one, which then is on the disk. The new one is for the owner of the
/// other alone.
pub(super) fn copy(from: &Path, to: &Path, work: &Work, stop: &Stop) -> Result<(), StartupError> {
    let copy = || {
        let mut source = File::open(from)?;
        let mut target = create_new(to)?;
        let owner = source.metadata()?;
        // What root copies for a server must be that server's.
        if geteuid().is_root() && target.metadata()?.uid() != owner.uid() {
            fchown(&target, Some(owner.uid()), Some(owner.gid()))?;
        }
        while !stop.is_set() {
            let copied = io::copy(&mut source.by_ref().take(PIECE_BYTES), &mut target)?;
            if copied == 0 {
                target.sync_all()?;
                return Ok(true);
            }
            work.add(copied / COPIED_BYTES_PER_MICROSECOND);
        }
        Ok(false)
    };
    match copy() {
        Ok(true) => Ok(()),
        Ok(false) => Err(stopped(from)),
        Err(error) => Err(cannot_write(to, &error)),
    }
}

/// A file as it was at some time: another program that writes to it makes it another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    changed_at: (i64, i64),
}

impl Seen {
    /// The file as it is now, if nothing of it is in a log.
    pub(super) fn of(database: &Path) -> Option<Self> {
        if find_log(database).is_some() {
            return None;
        }
        let found = fs::metadata(database).ok()?;
        let changed_at = (found.mtime(), found.mtime_nsec());
        Some(Self { inode: found.ino(), bytes: found.len(), changed_at })
    }
}

/// Makes the names in the folder of a file durable.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder_of(file))?.sync_all()
}

/// The sentence for an upgrade that was told to stop.
pub(super) fn stopped(database: &Path) -> StartupError {
    let message = format!("The upgrade was stopped; {} is as it was.", database.display());
    StartupError::new(Code::Unavailable, message)
}

/// The sentence for what cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> StartupError {
    let message = format!("Cannot write {} ({error}); nothing was changed.", path.display());
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::NoRoom,
        _ => Code::DatabaseUnusable,
    };
    StartupError::new(code, message)
}
