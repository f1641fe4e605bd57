//! Whether a file is a backup from which a server can go on: all of its pages and indexes, the word
//! index, and the hash chain of its audit log.

use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::store::audit::read::verify as verify_audit;
use crate::store::backup::header::{self, Header, NoBackup};
use crate::store::backup::still::{find_log, hold_still};
use crate::store::connection;
use crate::store::stop::Stop;
use crate::store::upgrade::shape;
use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// How often a long statement looks whether it is to stop, in steps of SQLite's machine.
const STEPS_BETWEEN_LOOKS: c_int = 100_000;
/// Most faults of the pages that are looked for.
const FAULTS_MAX: u32 = 20;

/// What is in a backup that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackupReport {
    /// Its size in bytes.
    pub bytes: u64,
    /// The version of its tables.
    pub file_version: i64,
    /// How many rows each table has.
    pub tables: BTreeMap<String, i64>,
    /// How many entries its audit log has.
    pub audit_entries: i64,
    /// The hash of the newest entry of its audit log, in hexadecimal.
    pub audit_head: String,
}

impl BackupReport {
    /// How many rows a table has; none where there is no such table.
    pub(crate) fn rows(&self, table: &str) -> i64 {
        self.tables.get(table).copied().unwrap_or(0)
    }
}

/// Verifies a backup. The file is read and nothing is made beside it.
pub(crate) fn verify(path: &Path, stop: &Stop) -> std::result::Result<BackupReport, StartupError> {
    let path = &resolved(path).map_err(|why| no_backup(path, why))?;
    let Ok(_still) = hold_still(path) else {
        let message =
            format!("{} is in use; back it up with `vomeet backup --database`.", path.display());
        return Err(StartupError::new(Code::DatabaseForeign, message));
    };
    verify_unlocked(path, stop)
}

/// The file itself, where the path is a symbolic link: its lock and its logs lie beside it, not
/// beside the link.
fn resolved(path: &Path) -> std::result::Result<PathBuf, NoBackup> {
    if !std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        return Ok(path.to_owned());
    }
    let unreadable = |error| NoBackup::Unreadable(format!("cannot be read ({error})"));
    std::fs::canonicalize(path).map_err(unreadable)
}

/// Lets long statements end soon after it is asked for.
pub(super) fn stop_at(connection: &Connection, stop: &Stop) -> rusqlite::Result<()> {
    let stop = stop.clone();
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || stop.is_set()))
}

/// The same of a file that surely nobody has open.
pub(super) fn verify_unlocked(
    path: &Path,
    stop: &Stop,
) -> std::result::Result<BackupReport, StartupError> {
    let Header { bytes, file_version } = header::read(path).map_err(|why| no_backup(path, why))?;
    refuse_log(path)?;
    let connection = connection::open_still(path).map_err(|error| unreadable(path, &error))?;
    stop_at(&connection, stop).map_err(|error| unreadable(path, &error))?;
    let faults = faults(&connection).map_err(|error| unreadable(path, &error))?;
    if let Some(first) = faults.first() {
        return Err(damaged(path, first));
    }
    let other =
        shape::fault(&connection, file_version).map_err(|error| unreadable(path, &error))?;
    if let Some(why) = other {
        return Err(no_backup(path, NoBackup::Foreign(why)));
    }
    let tables = count_rows(&connection).map_err(|error| unreadable(path, &error))?;
    let mut report =
        BackupReport { bytes, file_version, tables, audit_entries: 0, audit_head: String::new() };
    if file_version >= shape::AUDIT_SINCE {
        let found = verify_audit(&connection).map_err(|error| unreadable(path, &error))?;
        if let Some(fault) = found.faults.first() {
            let path = path.display();
            let message = format!(
                "The audit log in {path} was changed: entry {} {}; compare it with an export that \
                 was made before.",
                fault.id, fault.what
            );
            return Err(StartupError::new(Code::AuditLogChanged, message));
        }
        report.audit_entries = found.entries;
        report.audit_head = found.head;
    }
    Ok(report)
}

/// How many rows each table has, as of one moment where the connection is in a transaction. Of the
/// word index the rows are counted that it has words of.
pub(crate) fn count_rows(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut list = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND (type = 'table' OR name = 'words_content')",
    )?;
    let names = list.query_map([], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    let mut tables = BTreeMap::new();
    for name in names {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows = connection.query_row(&count, [], |row| row.get(0))?;
        tables.insert(name, rows);
    }
    Ok(tables)
}

/// What SQLite finds wrong with the pages, the indexes and the word index.
pub(in crate::store) fn faults(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({FAULTS_MAX})"))?;
    let lines = check.query_map([], |row| row.get(0))?;
    let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
    // Faults of pages come together, below a headline.
    let mut faults = Vec::new();
    for line in lines.iter().flat_map(|lines| lines.lines()) {
        if line != "ok" && !line.starts_with("***") {
            faults.push(line.to_owned());
        }
    }
    Ok(faults)
}

/// A file with a log beside it is not whole without it, or not with it.
fn refuse_log(path: &Path) -> std::result::Result<(), StartupError> {
    let Some(log) = find_log(path) else { return Ok(()) };
    let message = format!(
        "{} is in use, or was copied while it was: {} lies beside it. Back it up with \
         `vomeet backup --database`.",
        path.display(),
        log.display()
    );
    Err(StartupError::new(Code::DatabaseForeign, message))
}

fn no_backup(path: &Path, why: NoBackup) -> StartupError {
    let path = path.display();
    match why {
        NoBackup::Unreadable(why) => {
            StartupError::new(Code::DatabaseUnusable, format!("{path} {why}."))
        }
        NoBackup::Foreign(why) => {
            StartupError::new(Code::DatabaseForeign, format!("{path} is no backup: it {why}."))
        }
    }
}

fn damaged(path: &Path, why: &str) -> StartupError {
    let message = format!("{} is damaged ({why}); use another backup.", path.display());
    StartupError::new(Code::DatabaseForeign, message)
}

fn unreadable(path: &Path, error: &rusqlite::Error) -> StartupError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            damaged(path, &error.to_string())
        }
        Some(ErrorCode::OperationInterrupted) => {
            StartupError::new(Code::Unavailable, "The verification was stopped.")
        }
        _ => {
            let message = format!("{} cannot be read ({error}).", path.display());
            StartupError::new(Code::DatabaseUnusable, message)
        }
    }
}

/// Holds a copy against what was counted in the database as of the same moment.
pub(super) fn compare(report: &BackupReport, counted: &BTreeMap<String, i64>) -> Result<()> {
    if report.tables == *counted {
        return Ok(());
    }
    let mut differing = Vec::new();
    for (table, rows) in counted {
        if report.rows(table) != *rows {
            differing.push(format!("{table}: {} of {rows} rows", report.rows(table)));
        }
    }
    let differing = differing.join(", ");
    Err(Error::BackupFailed(format!(
        "The copy is not as the database was ({differing}); nothing was kept."
    )))
}
