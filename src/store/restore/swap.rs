//! The last step of a restore: the file that is replaced is kept under another name, and the copy
//! takes its place. A crash at any moment leaves either the one or the other, whole.

use crate::domain::Time;
use crate::exit::{Code, StartupError};
use crate::store::beside::{beside, create_new, folder_of, open_to_look, synced_folder_of};
use crate::store::connection;
use crate::store::restore::leftovers;
use crate::store::restore::source::Present;
use jiff::Timestamp;
use rustix::fs::statvfs;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What must stay free on the disk, in bytes.
const ROOM_LEFT_BYTES: u64 = 16 * 1024 * 1024;
/// What may hold some of a database beside it.
const LOGS: [&str; 2] = ["-wal", "-journal"];

/// Fails where the disk has no room for the copies that are made, and for the file that is kept.
pub(super) fn require_room(database: &Path, copies_bytes: u64) -> Result<(), StartupError> {
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
    let present: u64 =
        ["", "-wal", "-journal"].map(|part| size(beside(database, part))).iter().sum();
    let wanted = copies_bytes + present + ROOM_LEFT_BYTES;
    let folder = folder_of(database);
    let disk = statvfs(folder).map_err(|error| cannot_write(folder, &error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= wanted {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
    let message = format!(
        "There is no room for a restore in {}: it takes {} MiB, with the present file that is kept, \
         and {} MiB are free.",
        folder.display(),
        mib(wanted),
        mib(free)
    );
    Err(StartupError::new(Code::Unavailable, message))
}

/// Keeps what is there, and gives the copy its place. Returns where the old file is now.
pub(super) fn swap(
    database: &Path,
    present: &Present,
    now: Time,
) -> Result<Option<PathBuf>, StartupError> {
    let work = leftovers::work(database);
    let flush = || File::open(&work)?.sync_all();
    flush().map_err(|error| cannot_write(&work, &error))?;
    if *present == Present::Sound {
        connection::empty_wal(database)?;
    }
    let kept = kept_name(database, now);
    let mut is_kept = false;
    for part in ["", "-wal", "-journal"] {
        is_kept |= keep(database, &beside(database, part), &beside(&kept, part))?;
    }
    let folder = synced_folder_of(database).map_err(|error| cannot_write(database, &error))?;
    let replace = || {
        // Else they would be taken for the new file's. What a whole database had there is in it.
        for log in LOGS {
            remove_if_there(&beside(database, log))?;
        }
        folder.sync_all()?;
        fs::rename(&work, database)?;
        folder.sync_all()
    };
    replace().map_err(|error| {
        let kept = is_kept.then_some(&kept).map_or_else(String::new, |kept| {
            format!(" The file that was there, with what its WAL had, is {}.", kept.display())
        });
        half_done("restore", "Restore again.", database, &kept, &error)
    })?;
    leftovers::remove(database);
    Ok(is_kept.then_some(kept))
}

/// The sentence for a fault after the first step that changes something, with what to do.
pub(in crate::store) fn half_done(
    work: &str,
    again: &str,
    database: &Path,
    kept: &str,
    error: &io::Error,
) -> StartupError {
    let message = format!(
        "The last step of the {work} has failed ({error}); {} is the old file or the new one. \
         {again}{kept}",
        database.display()
    );
    StartupError::new(Code::Unavailable, message)
}

/// The name under which the old file is kept, with the time in UTC.
pub(super) fn kept_name(database: &Path, now: Time) -> PathBuf {
    let instant = Timestamp::from_millisecond(now.as_millis()).unwrap_or_default();
    beside(database, &format!(".before-restore-{}", instant.strftime("%Y%m%dT%H%M%S%.3fZ")))
}

/// Copies one file, and gives the copy its name once it is whole. False where there is none.
fn keep(database: &Path, from: &Path, to: &Path) -> Result<bool, StartupError> {
    let Some(mut source) = open_to_look(from)? else { return Ok(false) };
    let keeping = leftovers::keeping(database);
    let mut copy = || {
        if source.metadata()?.len() == 0 {
            return Ok(false);
        }
        remove_if_there(&keeping)?;
        let mut target = create_new(&keeping)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        fs::rename(&keeping, to)?;
        Ok(true)
    };
    copy().map_err(|error: io::Error| {
        let message = format!(
            "{} cannot be kept ({error}); nothing was changed. Move it away and restore again.",
            from.display()
        );
        StartupError::new(Code::Unavailable, message)
    })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The sentence for what cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> StartupError {
    let message = format!("Cannot write {} ({error}); nothing was changed.", path.display());
    StartupError::new(Code::Unavailable, message)
}
