//! The folder of backups: what lies in it, and what is deleted from it.
//!
//! Only files whose names were made here are looked at. A file that is not finished has another
//! name; whether one is whole its header says.

use crate::clock::later;
use crate::config::Backup as Settings;
use crate::domain::Time;
use crate::error::{Error, Result};
use crate::store::{
    checksum_path, create_folder, header, is_encrypted_name, is_whole, sweep, time_of,
};
use serde::Serialize;
use std::cmp::Reverse;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;
use utoipa::ToSchema;

/// A backup in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ListedBackup {
    /// The name of the file.
    #[schema(example = "vomeet-20251010T120000.000Z.db")]
    pub file: String,
    /// As of which time it is.
    pub at: Time,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is a whole file by its header; each was verified before it got such a name here.
    /// `vomeet backup verify` looks at all of it. Of an encrypted one, whether it is as long as its
    /// file `.sha256` says.
    pub verified: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// The backups in a folder, newest first. A folder that is not there has none.
pub(crate) fn list(folder: &Path) -> Result<Vec<ListedBackup>> {
    let mut found = Vec::new();
    for name in names(folder).map_err(|error| unreadable(folder, &error))? {
        let Some(at) = time_of(&name) else { continue };
        let path = folder.join(&name);
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if !meta.is_file() {
            continue;
        }
        let encrypted = is_encrypted_name(&path);
        let verified = if encrypted { is_whole(&path) } else { header::read(&path).is_ok() };
        found.push(ListedBackup { file: name, at, bytes: meta.len(), verified, encrypted });
    }
    found.sort_by_key(|backup| Reverse(backup.at));
    Ok(found)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        // What is no text was not named here.
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes the folder where it is missing, for its owner alone; the folder that it lies in must be
/// there.
pub(crate) fn make(folder: &Path) -> Result<()> {
    match create_folder(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(Error::BackupFailed(format!(
            "Cannot make the folder of backups {} ({error}); make it, or choose another with \
             `folder` in section [backup] of vomeet.toml.",
            folder.display()
        ))),
        Ok(()) => Ok(()),
    }
}

/// How many backups a folder keeps, and how long it keeps each of them at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepRule {
    /// The newest good ones that stay.
    pub count: usize,
    /// The age at which one may be deleted. So backups that are asked for between those of the
    /// schedule do not shorten the history.
    pub age: Duration,
}

impl KeepRule {
    /// What the settings say: so long as the schedule takes to make as many.
    pub(crate) fn of(settings: &Settings) -> Self {
        let count = settings.keep.max(1);
        let times = u32::try_from(count).unwrap_or(u32::MAX);
        let age = settings.every.map_or(Duration::ZERO, |every| every.saturating_mul(times));
        Self { count, age }
    }
}

/// Deletes what is older than the newest good backups that are kept, and what a backup that was
/// killed has left. Backups of the future are neither counted nor deleted: the clock was wrong then,
/// or is.
pub(crate) fn prune(folder: &Path, kept: KeepRule, now: Time) -> Result<()> {
    let listed = list(folder)?;
    let good = listed.iter().filter(|backup| backup.verified && backup.at <= now);
    let good: Vec<Time> = good.map(|backup| backup.at).collect();
    for backup in &listed {
        if is_too_old(backup.at, &good, kept, now) {
            let path = folder.join(&backup.file);
            match fs::remove_file(&path) {
                Ok(()) => {
                    // Only an encrypted one has it.
                    let _ = fs::remove_file(checksum_path(&path));
                    log::info!("the old backup {} is deleted", path.display());
                }
                Err(error) => log::warn!("{} cannot be deleted: {error}", path.display()),
            }
        }
    }
    sweep(folder).map_err(|error| unreadable(folder, &error))
}

/// Whether a backup of this time is deleted, where these are good, newest first.
pub(super) fn is_too_old(at: Time, good: &[Time], kept: KeepRule, now: Time) -> bool {
    let is_old = later(at, kept.age) <= now;
    is_old && good.get(kept.count - 1).is_some_and(|oldest_kept| at < *oldest_kept)
}

fn unreadable(folder: &Path, error: &io::Error) -> Error {
    Error::BackupFailed(format!(
        "Cannot read the folder of backups {} ({error}).",
        folder.display()
    ))
}

/// The refusal of what needs a folder where none is configured.
pub(super) fn not_configured() -> Error {
    let why = "No folder of backups is configured. Set folder in section [backup] of vomeet.toml.";
    Error::BackupConflict(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{name_of, new_partial_name};

    /// The beginning of a database of ours that says to be one page of 4096 bytes long.
    fn whole_file() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..16].copy_from_slice(b"SQLite format 3\0");
        bytes[16..18].copy_from_slice(&4096_u16.to_be_bytes());
        bytes[28..32].copy_from_slice(&1_u32.to_be_bytes());
        bytes[60..64].copy_from_slice(&1_u32.to_be_bytes());
        bytes[68..72].copy_from_slice(b"VOMT");
        bytes
    }

    /// The name of the backup of this many seconds since 1970.
    fn name(seconds: i64) -> String {
        name_of(Time::from_millis(seconds * 1000))
    }

    fn of_any_age(count: usize) -> KeepRule {
        KeepRule { count, age: Duration::ZERO }
    }

    #[test]
    fn what_is_younger_than_the_schedule_takes_for_as_many_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        for seconds in [100, 199, 200, 201, 202, 203] {
            fs::write(folder.path().join(name(seconds)), whole_file()).expect("a backup");
        }
        let every = Some(Duration::from_secs(50));
        let kept = KeepRule::of(&Settings { every, keep: 2, ..Settings::default() });
        prune(folder.path(), kept, Time::from_millis(300_000)).expect("pruned");
        let left = list(folder.path()).expect("a list");
        let left: Vec<i64> = left.iter().map(|backup| backup.at.as_millis() / 1000).collect();
        assert_eq!(left, [203, 202, 201], "200 is as old as two of the schedule");
    }

    #[test]
    fn an_encrypted_one_is_whole_by_its_checksum_and_both_are_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        for seconds in [1, 2, 3] {
            let file = path.join(format!("{}.age", name(seconds)));
            fs::write(&file, b"age-encryption.org/v1\nabc").expect("a backup");
            let bytes = if seconds == 3 { 26 } else { 25 };
            let text = format!("# {bytes} bytes\n00  name\n");
            fs::write(checksum_path(&file), text).expect("a checksum");
        }
        let listed = list(path).expect("a list");
        let verified: Vec<bool> = listed.iter().map(|backup| backup.verified).collect();
        assert_eq!(verified, [false, true, true], "the newest is cut off");
        assert!(listed.iter().all(|backup| backup.encrypted));
        prune(path, of_any_age(1), Time::from_millis(8000)).expect("pruned");
        assert_eq!(names(path).expect("names").len(), 4, "two backups, and their checksums");
    }

    #[test]
    fn a_file_is_no_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, b"x").expect("a file");
        assert!(make(&file).is_err());
        make(folder.path()).expect("it is there");
    }

    #[test]
    fn only_own_files_are_deleted_and_never_the_newest_good_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        for seconds in [1, 2, 3, 9] {
            fs::write(path.join(name(seconds)), whole_file()).expect("a backup");
        }
        for seconds in [4, 5] {
            fs::write(path.join(name(seconds)), &whole_file()[..4000])
                .expect("one that is cut off");
        }
        let foreign = ["mine.db", "vomeet.db", "vomeet-2020.db", "note.partial"];
        for name in foreign {
            fs::write(path.join(name), b"x").expect("a file");
        }
        let abandoned = path.join(new_partial_name().expect("a name"));
        fs::write(&abandoned, b"half").expect("a file");
        let now = Time::from_millis(8000);
        let left = |count| {
            prune(path, of_any_age(count), now).expect("pruned");
            let list = list(path).expect("a list");
            list.iter().map(|backup| (backup.at.as_millis() / 1000, backup.verified)).collect()
        };
        // What is cut off does not count, and what is of the future is left alone.
        let of_two: Vec<(i64, bool)> = left(2);
        assert_eq!(of_two, [(9, true), (5, false), (4, false), (3, true), (2, true)]);
        assert!(!abandoned.exists(), "what was left behind");
        let of_one: Vec<(i64, bool)> = left(1);
        assert_eq!(of_one, [(9, true), (5, false), (4, false), (3, true)]);
        for name in foreign {
            assert!(path.join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(name(1)), whole_file()).expect("a backup");
        let partial = folder.path().join(new_partial_name().expect("a name"));
        let file = fs::File::create(&partial).expect("a file");
        file.try_lock().expect("a lock");
        prune(folder.path(), of_any_age(1), Time::from_millis(8000)).expect("pruned");
        assert!(partial.exists());
        drop(file);
        prune(folder.path(), of_any_age(1), Time::from_millis(8000)).expect("pruned");
        assert!(!partial.exists());
    }
}
