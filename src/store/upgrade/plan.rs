//! What an upgrade will do: its steps, how long they take, which room they need. Nothing is changed
//! to find that out.
//!
//! The time is that of the copies, by the bytes, and that of the steps, by the rows: each row costs a
//! number of operations of SQLite's machine that was counted, and a machine does so many of them a
//! second. Both rates were measured on two cores with a solid-state disk; another machine may be
//! some times as fast or as slow.

use crate::exit::{Code, StartupError};
use crate::store::backup::still::{find_log, hold_still};
use crate::store::beside::{beside, folder_of, resolve};
use crate::store::failure::unusable;
use crate::store::file::{self, Found};
use crate::store::upgrade::kept::{is_kept, kept_name};
use crate::store::upgrade::steps::{
    COPIED_BYTES_PER_MICROSECOND, OPERATIONS_PER_MICROSECOND, grown, newest_version, steps_from,
};
use crate::store::{connection, upgrade};
use rusqlite::Connection;
use rustix::fs::statvfs;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What must stay free on the disk, in bytes.
const LEFT_BYTES: u64 = 16 * 1024 * 1024;

/// How often a file is read that another program has open, and fails to be read.
const READS_MAX: u32 = 10;
/// The pause between two such reads.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// One step of an upgrade.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PlannedStep {
    /// The version that it leads to.
    pub to: i64,
    /// What it does.
    pub about: &'static str,
    /// How long it takes, in microseconds.
    pub microseconds: u64,
}

/// What an upgrade does.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    /// The database.
    pub database: PathBuf,
    /// The version of the file.
    pub from: i64,
    /// The version that it becomes.
    pub to: i64,
    /// Size of the file and of its WAL, in bytes.
    pub bytes: u64,
    /// The steps.
    pub steps: Vec<PlannedStep>,
    /// How many rows the tables have that the steps rewrite.
    pub rows: BTreeMap<String, u64>,
    /// How long all of it takes, in seconds.
    pub seconds: u64,
    /// How many bytes of the disk it needs: the kept file, and the copy that is upgraded.
    pub needed_bytes: u64,
    /// How many bytes of the disk are free.
    pub free_bytes: u64,
    /// Where the old file is kept.
    pub kept: PathBuf,
}

impl Plan {
    /// The plan for an open file; `None` where nothing is to be done. Nothing is written.
    pub(super) fn of(
        connection: &Connection,
        database: &Path,
    ) -> Result<Option<Self>, StartupError> {
        let from = upgrade::version_of(connection, database)?;
        if from == 0 || from == newest_version() {
            return Ok(None);
        }
        upgrade::require_upgradable(connection, database, from)?;
        let kept = kept_name(database, from);
        let bytes = size(database) + size(&beside(database, "-wal"));
        let rows = count(connection, from).map_err(|error| unusable(database, &error))?;
        let mut steps = Vec::new();
        for (to, step) in steps_from(from) {
            let mut operations = 0;
            for (table, each) in step.operations {
                operations += rows.get(*table).copied().unwrap_or(0) * each;
            }
            let microseconds = operations / OPERATIONS_PER_MICROSECOND;
            steps.push(PlannedStep { to, about: step.about, microseconds });
        }
        let is_kept = kept.exists();
        let copies = if is_kept { 0 } else { bytes };
        let mut plan = Self {
            database: database.to_owned(),
            from,
            to: newest_version(),
            bytes,
            steps,
            rows,
            seconds: 0,
            needed_bytes: grown(bytes, from) + copies + LEFT_BYTES,
            free_bytes: free(database)?,
            kept,
        };
        plan.seconds = plan.microseconds().div_ceil(1_000_000);
        Ok(Some(plan))
    }

    /// How long the old file takes to be copied, in microseconds.
    pub(super) fn copy_microseconds(&self) -> u64 {
        self.bytes / COPIED_BYTES_PER_MICROSECOND
    }

    /// How long all of it takes, in microseconds: two copies, and the steps.
    pub(super) fn microseconds(&self) -> u64 {
        let steps: u64 = self.steps.iter().map(|step| step.microseconds).sum();
        2 * self.copy_microseconds() + steps
    }

    /// Fails where the disk has no room for it.
    pub(crate) fn require_room(&self) -> Result<(), StartupError> {
        if self.free_bytes >= self.needed_bytes {
            return Ok(());
        }
        let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
        let message = format!(
            "There is no room to upgrade {}: it takes {} MiB, with the old file that is kept, and {} \
             MiB are free; free some space and start again. Nothing was changed.",
            self.database.display(),
            mib(self.needed_bytes),
            mib(self.free_bytes)
        );
        Err(StartupError::new(Code::NoRoom, message))
    }
}

/// What an upgrade of a file would do; `None` where there is nothing to do. The file may be open in a
/// server, of the version before for example: it is read without a lock then, as of its last
/// checkpoint.
pub(crate) fn plan(database: &Path) -> Result<Option<Plan>, StartupError> {
    let database = &resolve(database)?;
    if file::recognise(database, upgrade::APPLICATION_ID)? == Found::Nothing {
        let message =
            format!("There is no database {}; name one with --database.", database.display());
        return Err(StartupError::new(Code::NotRunning, message));
    }
    let Ok(still) = hold_still(database) else {
        return read_again(|| {
            let connection = connection::open_still(database);
            let connection = connection.map_err(|error| unusable(database, &error))?;
            Plan::of(&connection, database)
        });
    };
    // What was written last is in its log, if there is one.
    let has_log = find_log(database).is_some();
    let connection = if has_log {
        upgrade::open_as_it_is(database)?
    } else {
        connection::open_still(database).map_err(|error| unusable(database, &error))?
    };
    let plan = Plan::of(&connection, database)?;
    // A file that was kept has what is in the log as well: then only the upgrade itself can compare.
    if let Some(plan) = plan.as_ref().filter(|_| !has_log) {
        is_kept(database, &plan.kept)?;
    }
    drop((connection, still));
    Ok(plan)
}

/// Reads a file that another program may write to, again where that fails: what is read while a
/// checkpoint writes can look damaged.
fn read_again<T>(mut read: impl FnMut() -> Result<T, StartupError>) -> Result<T, StartupError> {
    for _ in 1..READS_MAX {
        let found = read();
        if found.is_ok() {
            return found;
        }
        thread::sleep(READ_PAUSE);
    }
    read()
}

/// Counts the rows that the steps rewrite.
pub(super) fn count(
    connection: &Connection,
    version: i64,
) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut rows = BTreeMap::new();
    for (_, step) in steps_from(version) {
        for (table, _) in step.operations {
            if rows.contains_key(*table) || !connection.table_exists(None, *table)? {
                continue;
            }
            let count = format!("SELECT count(*) FROM {table}");
            let found: i64 = connection.query_row(&count, [], |row| row.get(0))?;
            rows.insert((*table).to_owned(), found.cast_unsigned());
        }
    }
    Ok(rows)
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |found| found.len())
}

/// Bytes that are free on the disk of a file.
fn free(file: &Path) -> Result<u64, StartupError> {
    let folder = folder_of(file);
    let disk = statvfs(folder).map_err(|error| {
        let message = format!("Cannot look at the disk of {} ({error}).", folder.display());
        StartupError::new(Code::DatabaseUnusable, message)
    })?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_checkpoint_makes_unreadable_is_read_again_and_damage_is_told() {
        for (failures, expected) in [(0, 1), (2, 3), (READS_MAX, READS_MAX)] {
            let mut reads = 0;
            let found = read_again(|| {
                reads += 1;
                if reads > failures {
                    return Ok(());
                }
                Err(StartupError::new(Code::DatabaseUnusable, "torn".to_owned()))
            });
            assert_eq!((reads, found.is_ok()), (expected, failures < READS_MAX), "{failures}");
        }
    }
}
