//! An upgrade: the old file is kept under another name, a copy of it is upgraded, and takes its
//! place.
//!
//! The database itself is not written to before the last step, a rename. A crash at any moment
//! leaves the old file or the new one, whole; what else it leaves is removed by the next start, but
//! for the kept file, which that start finds to be the same.

use crate::exit::{Code, StartupError};
use crate::logging::progress::{Progress, Work, tell};
use crate::store::beside::{beside, resolve};
use crate::store::failure::unusable;
use crate::store::file::{self, Lock, OwnLog};
use crate::store::restore::leftovers;
use crate::store::stop::Stop;
use crate::store::upgrade::kept::{
    Seen, cannot_write, copy, is_kept, keep, make_private, remove_unfinished, stopped, sync_folder,
    upgrading,
};
use crate::store::upgrade::plan::Plan;
use crate::store::upgrade::steps::OPERATIONS_PER_MICROSECOND;
use crate::store::upgrade::{OPERATIONS_BETWEEN_CALLS, shape};
use crate::store::{connection, upgrade};
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// An upgrade that is done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Upgraded {
    /// The database.
    pub database: PathBuf,
    /// The version that it had.
    pub from: i64,
    /// The version that it has.
    pub to: i64,
    /// Where the old file is kept.
    pub kept: PathBuf,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Upgrades a database that no server has open; `None` where there is nothing to do.
pub(crate) fn upgrade_resting(
    database: &Path,
    stop: &Stop,
) -> Result<Option<Upgraded>, StartupError> {
    let database = &resolve(database)?;
    file::recognise(database, upgrade::APPLICATION_ID)?;
    let _lock = Lock::take(database)?;
    let _log = OwnLog::of(database);
    leftovers::remove(database);
    upgrade_locked(database, stop)
}

/// The same for a database that the caller has locked.
pub(in crate::store) fn upgrade_locked(
    database: &Path,
    stop: &Stop,
) -> Result<Option<Upgraded>, StartupError> {
    remove_unfinished(database);
    if !database.exists() {
        return Ok(None);
    }
    let Some(plan) = plan_of(database)? else { return Ok(None) };
    plan.require_room()?;
    tell(&format!(
        "upgrading {} from file version {} to {}, which takes about {} s; the old file is kept as {}",
        database.display(),
        plan.from,
        plan.to,
        plan.seconds,
        plan.kept.display()
    ));
    let began = Instant::now();
    let title = format!("upgrading {}", database.display());
    let progress = Progress::start(title, plan.microseconds());
    let mut has_kept = false;
    let done = take_steps(&plan, &mut has_kept, progress.work(), stop);
    drop(progress);
    if done.is_err() {
        remove_unfinished(database);
        if has_kept {
            let _ = fs::remove_file(&plan.kept);
        }
    }
    done?;
    sync_folder(database).map_err(|error| {
        let path = database.display();
        let message = format!("{path} is upgraded, but not flushed ({error}); start again.");
        StartupError::new(Code::DatabaseUnusable, message)
    })?;
    let seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    tell(&format!(
        "{} was upgraded in {seconds} s; {} has all of before, also of people who are erased from \
         now on: delete it when you need it no more",
        database.display(),
        plan.kept.display()
    ));
    let Plan { from, to, kept, .. } = plan;
    Ok(Some(Upgraded { database: database.to_owned(), from, to, kept, seconds }))
}

fn plan_of(database: &Path) -> Result<Option<Plan>, StartupError> {
    let connection = connection::open(database).map_err(|error| unusable(database, &error))?;
    Plan::of(&connection, database)
}

/// Does it; `has_kept` becomes true once this run has made the kept file.
fn take_steps(
    plan: &Plan,
    has_kept: &mut bool,
    work: &Work,
    stop: &Stop,
) -> Result<(), StartupError> {
    let database = &plan.database;
    // What is only in the WAL belongs to the file that is kept.
    connection::empty_wal(database)?;
    let seen = Seen::of(database);
    work.begin("keeping the old file", plan.copy_microseconds());
    if is_kept(database, &plan.kept)? {
        make_private(&plan.kept)?;
    } else {
        keep(database, &plan.kept, work, stop)?;
        *has_kept = true;
    }
    work.begin("copying", plan.copy_microseconds());
    let copied = upgrading(database);
    copy(database, &copied, work, stop)?;
    let on_step = |to: i64| {
        if let Some(step) = plan.steps.iter().find(|step| step.to == to) {
            work.begin(&format!("version {to}, {}", step.about), step.microseconds);
        }
    };
    let (counted, stop_copy) = (work.clone(), stop.clone());
    let microseconds =
        u64::from(OPERATIONS_BETWEEN_CALLS.unsigned_abs()) / OPERATIONS_PER_MICROSECOND;
    let on_operations = move || {
        counted.add(microseconds);
        stop_copy.is_set()
    };
    let upgraded = upgrade::upgrade_copy(&copied, database, &on_step, on_operations);
    if stop.is_set() {
        return Err(stopped(database));
    }
    upgraded?;
    work.begin("flushing", 0);
    check(&copied)?;
    swap(database, &copied, seen.as_ref())
}

/// Fails where the tables of a new file are missing or others.
fn check(copied: &Path) -> Result<(), StartupError> {
    let found = connection::open_still(copied)
        .and_then(|connection| shape::fault_of_upgraded(&connection))
        .map_err(|error| unusable(copied, &error))?;
    let Some(why) = found else { return Ok(()) };
    let message = format!("The upgrade has failed: the new file {why}. Nothing was changed.");
    Err(StartupError::new(Code::DatabaseUnusable, message))
}

/// Gives the upgraded copy the place of the database, if that is what it was before it was copied.
fn swap(database: &Path, copied: &Path, seen: Option<&Seen>) -> Result<(), StartupError> {
    let flushed = File::open(copied).and_then(|copied| copied.sync_all());
    flushed.map_err(|error| cannot_write(copied, &error))?;
    if seen.is_none() || Seen::of(database).as_ref() != seen {
        let message = format!(
            "{} was written to while it was upgraded; close the other program that has it open and \
             start again. It is as that program left it.",
            database.display()
        );
        return Err(StartupError::new(Code::DatabaseHeld, message));
    }
    let swap = || {
        // Empty by now; it must not be taken for the new file's.
        match fs::remove_file(beside(database, "-wal")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(copied, database)
    };
    swap().map_err(|error| cannot_write(database, &error))
}
