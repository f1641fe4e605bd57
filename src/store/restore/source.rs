//! The files that are read for what is newer than the backup: the one that is replaced, and others
//! that are named.

use crate::exit::{Code, StartupError};
use crate::store::audit::read::verify as verify_audit;
use crate::store::backup::verify::faults;
use crate::store::failure::unusable;
use crate::store::file::{self, Found, Lock, OwnLog};
use crate::store::restore::leftovers;
use crate::store::upgrade::steps::grown;
use crate::store::{beside, connection, upgrade};
use rusqlite::backup::Backup;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages that are copied in one step; nobody waits meanwhile.
const STEP_PAGES: std::ffi::c_int = 4096;

/// What lies where the database should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Present {
    /// Nothing.
    Gone,
    /// A whole database, which can be read.
    Sound,
    /// Something that cannot be read as one, and why.
    Damaged(String),
}

/// Looks at the file; the caller has locked it. It is left as it is.
pub(super) fn look(path: &Path) -> Result<Present, StartupError> {
    match file::recognise(path, upgrade::APPLICATION_ID) {
        Ok(Found::Nothing) => Ok(Present::Gone),
        Ok(_) => match sound(path) {
            Err(error) if error.code == Code::DatabaseHeld => Err(error),
            Err(error) if upgrade::is_of_others(path) => Err(error),
            Err(error) => Ok(Present::Damaged(error.message)),
            Ok(()) => Ok(Present::Sound),
        },
        Err(error) if error.code != Code::DatabaseForeign => Err(error),
        Err(error) if upgrade::is_of_others(path) => Err(error),
        Err(error) => Ok(Present::Damaged(error.message)),
    }
}

/// Fails where the file is no database of ours, or damaged: rows that a fault has taken would count
/// as deleted.
fn sound(path: &Path) -> Result<(), StartupError> {
    let _log = own_log(path);
    let connection = upgrade::open_as_it_is(path)?;
    let damaged = |why: &str| {
        let message = format!("{} is damaged ({why}).", path.display());
        StartupError::new(Code::DatabaseForeign, message)
    };
    let faults = faults(&connection).map_err(|error| damaged(&error.to_string()))?;
    match faults.first() {
        Some(first) => Err(damaged(first)),
        None => Ok(()),
    }
}

/// The WAL that reading makes beside a file, which goes again; one that was there stays. The file
/// must be locked: a server would miss its WAL.
pub(in crate::store) fn own_log(path: &Path) -> Option<OwnLog> {
    let is_there = beside::beside(path, "-wal").exists();
    (!is_there).then(|| OwnLog::of(path))
}

/// Locks a file that was named with `--since`, and checks it.
pub(super) fn check_named(path: &Path) -> Result<Lock, StartupError> {
    if !path.exists() {
        let message = format!("There is no database {}; name another.", path.display());
        return Err(StartupError::new(Code::NotFound, message));
    }
    let lock = Lock::take(path)?;
    match look(path)? {
        Present::Sound => Ok(lock),
        Present::Gone => {
            let message = format!("{} is empty; name another.", path.display());
            Err(StartupError::new(Code::NotFound, message))
        }
        Present::Damaged(why) => Err(StartupError::new(Code::DatabaseForeign, why)),
    }
}

/// The file as it is attached: one of an older version is copied and the copy upgraded.
pub(super) fn readable(path: &Path, database: &Path) -> Result<PathBuf, StartupError> {
    let connection = upgrade::open_as_it_is(path)?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("{} cannot be read ({error}).", path.display());
        StartupError::new(Code::DatabaseUnusable, message)
    };
    if version.map_err(|error| failed(&error))? == upgrade::steps::newest_version() {
        return Ok(path.to_owned());
    }
    let older = leftovers::older(database);
    leftovers::remove_database(&older);
    beside::create_new(&older).map_err(|error| failed(&error))?;
    let mut copy = connection::open_copy(&older).map_err(|error| failed(&error))?;
    Backup::new(&connection, &mut copy)
        .and_then(|backup| backup.run_to_completion(STEP_PAGES, Duration::ZERO, None))
        .map_err(|error| failed(&error))?;
    drop(copy);
    upgrade::upgrade_copy(&older, path, &|_| {}, || false)?;
    Ok(older)
}

/// How many bytes the largest copy takes that [`readable`] makes of these files, at most.
pub(super) fn readable_bytes<'a>(files: impl Iterator<Item = &'a PathBuf>) -> u64 {
    let mut largest = 0;
    for file in files {
        if let Some((version, _)) = upgrade::older_version(file) {
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            largest = largest.max(grown(size_with_wal(file), version));
        }
    }
    largest
}

/// Size of a database with its WAL, in bytes.
fn size_with_wal(database: &Path) -> u64 {
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |found| found.len());
    size(database) + size(&beside::beside(database, "-wal"))
}

/// The latest time that stands in a backup, in milliseconds.
pub(super) fn latest_time(backup: &Path) -> Result<Option<i64>, StartupError> {
    let latest = || {
        let db = connection::open_still(backup)?;
        let mut latest = None;
        for (table, time) in [("clock", "latest"), ("audit", "at"), ("meetings", "updated_at")] {
            if db.table_exists(None, table)? {
                let max = format!("SELECT max({time}) FROM {table}");
                latest = latest.max(db.query_row(&max, [], |row| row.get::<_, Option<i64>>(0))?);
            }
        }
        Ok(latest)
    };
    latest().map_err(|error| unusable(backup, &error))
}

/// What is wrong with the audit log of a file, if something is.
pub(super) fn audit_fault(path: &Path) -> Result<Option<String>, StartupError> {
    let connection = upgrade::open_as_it_is(path)?;
    let found = verify_audit(&connection).map_err(|error| {
        let message = format!("{} cannot be read ({error}).", path.display());
        StartupError::new(Code::DatabaseUnusable, message)
    })?;
    let fault = found.faults.first();
    Ok(fault.map(|fault| format!("entry {} {}", fault.id, fault.what)))
}
