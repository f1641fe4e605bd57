//! A restore: the backup is verified, a copy of it is prepared beside the database, and takes its
//! place once somebody has agreed.

use crate::domain::Time;
use crate::exit::{Code, StartupError};
use crate::store::backup::encrypted::{decrypt_to, identity_needed, is_encrypted};
use crate::store::backup::name::time_of;
use crate::store::backup::verify::{BackupReport, verify};
use crate::store::beside::{create_new, resolve};
use crate::store::doors::Store;
use crate::store::file::Lock;
use crate::store::options::Options;
use crate::store::restore::copy::{self, Changes};
use crate::store::restore::files::{LostMeeting, UNKNOWN};
use crate::store::restore::leftovers;
use crate::store::restore::source::{self, Present};
use crate::store::restore::swap::{cannot_write, require_room, swap};
use crate::store::restore::wanted::Wanted;
use crate::store::stop::Stop;
use crate::store::upgrade::steps::grown;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Bytes of a backup that are copied between two looks at whether to stop.
const PIECE_BYTES: u64 = 16 * 1024 * 1024;

/// What a restore does; its numbers are known once the copy is prepared.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    /// The database.
    pub database: PathBuf,
    /// The backup.
    pub backup: PathBuf,
    /// As of which time the backup is.
    pub as_of: Time,
    /// How many users, tokens and meetings the backup has.
    pub users: i64,
    /// The same for tokens.
    pub tokens: i64,
    /// The same for meetings.
    pub meetings: i64,
    /// The files that were read for what is newer, the oldest first.
    pub since: Vec<PathBuf>,
    /// Why the file that is there was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_read: Option<String>,
    /// Whether the audit log of the newest of them goes on; else that of the backup does.
    pub audit_log_goes_on: bool,
    /// Why it does not, where it could have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_fault: Option<String>,
    /// How many rows are newer than the backup, and are lost.
    pub lost: BTreeMap<&'static str, i64>,
    /// Meetings that were open, and that the backup does not know: their bots go on.
    pub open_meetings_lost: Vec<LostMeeting>,
    /// The ids of what is changed again, by kind.
    pub applied: BTreeMap<&'static str, Vec<i64>>,
    /// Meetings that were open at the time of the backup, and have failed now.
    pub meetings_failed: Vec<i64>,
    /// Webhook events of which it is not known whether they were delivered: they are given up.
    pub events_given_up: Vec<i64>,
    /// The number of the entry in the audit log.
    pub audit_entry: i64,
    /// Where the old file is kept; null where there was none, or nothing was restored yet.
    pub kept: Option<PathBuf>,
}

/// A restore that may begin. As long as it lives, the database is locked; what was prepared and
/// not finished is removed with it.
pub(crate) struct Restore {
    wanted: Wanted,
    /// The backup, or what it was decrypted to.
    plain: PathBuf,
    as_of: Time,
    report: BackupReport,
    present: Present,
    // Dropped in this order.
    _cleaner: Cleaner,
    _locks: Vec<Lock>,
}

/// A restore whose copy is ready.
pub(crate) struct Prepared {
    restore: Restore,
    /// What it does.
    pub plan: Plan,
}

impl Restore {
    /// Locks the database, verifies the backup, and looks at what is there. Nothing is changed.
    pub(crate) fn begin(mut wanted: Wanted) -> Result<Self, StartupError> {
        wanted.database = resolve(&wanted.database)?;
        let database = &wanted.database;
        let mut locks = vec![Lock::take(database)?];
        let cleaner = Cleaner(database.clone());
        leftovers::remove(database);
        for (file, what) in [(database, "the database itself")]
            .into_iter()
            .chain(wanted.since.iter().map(|file| (file, "named with --since as well")))
        {
            if is_same(&wanted.backup, file) {
                let message = format!("{} is {what}; name a backup.", wanted.backup.display());
                return Err(StartupError::new(Code::Conflict, message));
            }
        }
        let plain = decrypted(&wanted)?;
        let report = verify(&plain, &wanted.stop);
        let report = report.map_err(|error| error.naming(&plain, &wanted.backup))?;
        let present = source::look(database)?;
        require_old_file(&wanted, &present)?;
        // The database itself is read in any case, and each file once.
        let mut named: Vec<PathBuf> = Vec::new();
        for file in &wanted.since {
            if !named.iter().chain([database]).any(|known| is_same(known, file)) {
                locks.push(source::check_named(file)?);
                named.push(file.clone());
            }
        }
        wanted.since = named;
        let read = wanted.since.iter().chain([&wanted.database]);
        // The copy of the backup with what it is changed by, and one of a file that is read.
        let copies = grown(report.bytes, report.file_version) + source::readable_bytes(read);
        // What an encrypted one was decrypted to is there already.
        let new = if plain == wanted.backup { report.bytes } else { 0 };
        require_room(&wanted.database, new + copies)?;
        let as_of = time_of_backup(&wanted.backup, &plain)?.min(wanted.actor.at);
        refuse_if_stopped(&wanted.stop)?;
        Ok(Self { wanted, plain, as_of, report, present, _cleaner: cleaner, _locks: locks })
    }

    /// As of which time the backup is.
    pub(crate) fn as_of(&self) -> Time {
        self.as_of
    }

    /// Makes the copy, and applies to it what is newer; it may take as long as the backup is large.
    pub(crate) fn prepare(self) -> Result<Prepared, StartupError> {
        let work = leftovers::work(&self.wanted.database);
        let copied = match self.plain == self.wanted.backup {
            true => copy_file(&self.plain, &work, &self.wanted.stop),
            false => fs::rename(&self.plain, &work),
        };
        refuse_if_stopped(&self.wanted.stop)?;
        copied.map_err(|error| cannot_write(&work, &error))?;
        let head = &self.report.audit_head;
        let changes = copy::prepare(&work, &self.wanted, &self.present, self.as_of, head);
        refuse_if_stopped(&self.wanted.stop)?;
        let changes = changes?;
        let plan = self.plan(changes);
        Ok(Prepared { restore: self, plan })
    }

    fn plan(&self, changes: Changes) -> Plan {
        let newer = changes.newer;
        Plan {
            database: self.wanted.database.clone(),
            backup: self.wanted.backup.clone(),
            as_of: self.as_of,
            users: self.report.rows("users"),
            tokens: self.report.rows("tokens"),
            meetings: self.report.rows("meetings"),
            since: newer.since,
            not_read: newer.not_read,
            audit_log_goes_on: newer.audit_log_goes_on,
            audit_log_fault: newer.audit_log_fault,
            lost: newer.lost,
            open_meetings_lost: newer.open_meetings_lost,
            applied: newer.applied.into_iter().collect(),
            meetings_failed: changes.meetings_failed,
            events_given_up: changes.events_given_up,
            audit_entry: changes.audit_entry,
            kept: None,
        }
    }
}

/// Removes what a restore has made beside the database and not finished.
struct Cleaner(PathBuf);

impl Drop for Cleaner {
    fn drop(&mut self) {
        leftovers::remove(&self.0);
    }
}

impl Prepared {
    /// Scrubs what was removed from the copy, and verifies it.
    pub(crate) async fn scrub(&self) -> Result<(), StartupError> {
        let work = leftovers::work(&self.restore.wanted.database);
        let path = work.clone();
        let options = Options { path, small_readers: 1, long_readers: 1, queue_max: 16 };
        let store = Store::open(&options, |_| {})?;
        let scrubbed = store.scrub().await;
        store.close();
        drop(store);
        scrubbed.map_err(|error| {
            let message = format!("What was erased cannot be scrubbed ({error}).");
            StartupError::new(Code::Unavailable, message)
        })
    }

    /// Verifies the copy once more, keeps the old file, and gives the copy its place.
    pub(crate) fn finish(mut self) -> Result<Plan, StartupError> {
        let Restore { wanted, present, .. } = &self.restore;
        verify(&leftovers::work(&wanted.database), &wanted.stop)?;
        // From here on it is carried through.
        refuse_if_stopped(&wanted.stop)?;
        self.plan.kept = swap(&wanted.database, present, wanted.actor.at)?;
        Ok(self.plan)
    }
}

/// The backup itself, or a decrypted copy of an encrypted one beside the database.
fn decrypted(wanted: &Wanted) -> Result<PathBuf, StartupError> {
    let backup = &wanted.backup;
    if !is_encrypted(backup) {
        return Ok(backup.clone());
    }
    let Some(identity) = &wanted.identity else { return Err(identity_needed(backup)) };
    let plain = leftovers::decrypted(&wanted.database);
    let bytes = fs::metadata(backup).map_or(0, |found| found.len());
    require_room(&wanted.database, bytes)?;
    let file = create_new(&plain).map_err(|error| cannot_write(&plain, &error))?;
    decrypt_to(backup, identity, &file, &wanted.stop)?;
    Ok(plain)
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Fails where there is no file to be read for what is newer, and that was not accepted.
fn require_old_file(wanted: &Wanted, present: &Present) -> Result<(), StartupError> {
    let database = wanted.database.display();
    let why = match present {
        _ if wanted.without_old_file || !wanted.since.is_empty() => return Ok(()),
        Present::Sound => return Ok(()),
        Present::Gone => format!("There is no {database}"),
        Present::Damaged(why) => why.trim_end_matches('.').to_owned(),
    };
    let message = format!(
        "{why}: {UNKNOWN}; name a later copy with --since, or accept that with --without-old-file."
    );
    Err(StartupError::new(Code::NotConfirmed, message))
}

/// The time in the name of the backup; else the latest that stands in it, for a copy is as old as
/// what is in it; else when the file was written.
fn time_of_backup(backup: &Path, plain: &Path) -> Result<Time, StartupError> {
    let name = backup.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(at) = name.and_then(|name| time_of(&name)) {
        return Ok(at);
    }
    let written = fs::metadata(backup).and_then(|found| found.modified()).ok();
    let since_1970 = written.and_then(|written| written.duration_since(UNIX_EPOCH).ok());
    let written = since_1970.map_or(0, |since| since.as_millis());
    let written = i64::try_from(written).unwrap_or(i64::MAX);
    let latest = source::latest_time(plain)?.map_or(written, |latest| latest.min(written));
    Ok(Time::from_millis(latest))
}

fn copy_file(from: &Path, to: &Path, stop: &Stop) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = create_new(to)?;
    while !stop.is_set() && io::copy(&mut (&mut source).take(PIECE_BYTES), &mut target)? > 0 {}
    Ok(())
}

/// Fails where a signal has come: what was made so far is removed.
fn refuse_if_stopped(stop: &Stop) -> Result<(), StartupError> {
    match stop.is_set() {
        true => {
            let message = "The restore was stopped; nothing was changed.";
            Err(StartupError::new(Code::Unavailable, message))
        }
        false => Ok(()),
    }
}
