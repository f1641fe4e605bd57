//! The files that are read for what is newer than the backup: the one that is replaced, and others
//! that are named.

use crate::exit::{Code, StartupError};
use crate::store::audit::log::newest;
use crate::store::audit::read::verify as verify_audit;
use crate::store::backup::verify::faults;
use crate::store::file::{self, Found, OwnLog};
use crate::store::restore::leftovers;
use crate::store::{beside, connection, upgrade};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OptionalExtension};
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
            Err(error) => Ok(Present::Damaged(error.message)),
            Ok(()) => Ok(Present::Sound),
        },
        Err(error) if error.code == Code::DatabaseForeign => Ok(Present::Damaged(error.message)),
        Err(error) => Err(error),
    }
}

/// Fails where the file is no database of ours, or damaged: rows that a fault has taken would count
/// as deleted.
fn sound(path: &Path) -> Result<(), StartupError> {
    let _log = OwnLog::of(path);
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

/// Checks a file that was named with `--since`.
pub(super) fn check_named(path: &Path) -> Result<(), StartupError> {
    match look(path)? {
        Present::Sound => Ok(()),
        Present::Gone => {
            let message = format!("There is no database {}; name another.", path.display());
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
    if version.map_err(|error| failed(&error))? == upgrade::newest_version() {
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
    drop(upgrade::open(&older)?);
    Ok(older)
}

/// How the audit log of the attached file and that of the backup belong together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// The one goes on where the other ends, or an earlier restore has parted them.
    OneHistory,
    /// They went apart after this entry, and no restore says why; 0 is none in common.
    Apart(i64),
}

/// Tells whether the attached file (`old`) and the backup (`main`) are of one history: ids mean the
/// same in both only then.
pub(super) fn relation(db: &Connection) -> rusqlite::Result<Relation> {
    let (last, hash) = newest(db)?;
    let base = "SELECT id, hash FROM old.audit_base";
    let base: Option<(i64, [u8; 32])> =
        db.query_row(base, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let entry = "SELECT id, hash FROM old.audit WHERE id = ?1";
    let entry = db.query_row(entry, [last], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let is_pruned = base.is_some_and(|(id, _)| id > last);
    if last == 0 || is_pruned || base == Some((last, hash)) || entry == Some((last, hash)) {
        return Ok(Relation::OneHistory);
    }
    let common = "SELECT ifnull(max(m.id), 0) FROM main.audit m JOIN old.audit o
                  ON o.id = m.id AND o.hash = m.hash";
    let common: i64 = db.query_row(common, [], |row| row.get(0))?;
    let newer = "SELECT ifnull(max(id), 0) <= ?1,
                   ifnull(max(id) FILTER (WHERE action = 'database.restore'), 0) > ?1
                 FROM old.audit";
    let (ends_there, was_restored): (bool, bool) =
        db.query_row(newer, [common], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match common > 0 && (ends_there || was_restored) {
        true => Ok(Relation::OneHistory),
        false => Ok(Relation::Apart(common)),
    }
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
