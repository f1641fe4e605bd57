//! How a file becomes what `schema.sql` says: new ones at once, older ones step by step.
//!
//! By hand, for a step is SQL and a version in the file itself: crates for it keep a table of their
//! own and undo steps, which nobody needs here.

use crate::domain::Email;
use crate::exit::{Code, StartupError};
use crate::store::backup::still::hold_still;
use crate::store::connection;
use crate::store::failure::unusable;
use crate::store::upgrade::steps::{STEPS, Step};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// `VOMT`: marks the file as ours (SQLite file format, section 1.3.15).
pub(super) const APPLICATION_ID: i64 = 0x564f_4d54;
/// The tables as they are.
const SCHEMA: &str = include_str!("../../schema.sql");
/// The version from which on the domain of an address counts as the DNS has it.
const KEYS_OF_DOMAINS: usize = 5;
/// How often an upgrade is watched, in operations of SQLite's machine.
pub(super) const OPERATIONS_BETWEEN_CALLS: std::ffi::c_int = 100_000;
/// Below 3.51.3 a WAL database with two connections can be corrupted.
const SQLITE_MIN: i32 = 3_051_003;

/// Opens a file for writing, with the tables as they are today; one that is not ours or newer is
/// left as it was.
pub(super) fn open(path: &Path) -> Result<Connection, StartupError> {
    if rusqlite::version_number() < SQLITE_MIN {
        let message = format!(
            "SQLite {} can corrupt this database; build with the bundled one.",
            rusqlite::version()
        );
        return Err(StartupError::new(Code::DatabaseUnusable, message));
    }
    let opened = connection::open(path).map_err(Refusal::Sqlite).and_then(|mut connection| {
        if recognise(&connection, STEPS)? == 0 {
            // Before there is a WAL: the mark and the tables come into the file in one step.
            bring_up(&mut connection, STEPS)?;
        }
        connection::make_writer(&connection)?;
        bring_up(&mut connection, STEPS)?;
        connection::checkpoint_all(&connection)?;
        Ok(connection)
    });
    opened.map_err(|refusal| refused(path, refusal))
}

/// Upgrades a copy of `origin` that nobody else has open, without a journal: where that fails, the
/// copy is worth nothing. `on_step` is called with the version that the next step leads to, and
/// `on_operations` after every [`OPERATIONS_BETWEEN_CALLS`]; it returns whether to stop.
pub(super) fn upgrade_copy(
    copy: &Path,
    origin: &Path,
    on_step: &dyn Fn(i64),
    on_operations: impl FnMut() -> bool + Send + 'static,
) -> Result<(), StartupError> {
    let upgraded = connection::open(copy).map_err(Refusal::Sqlite).and_then(|mut connection| {
        if recognise(&connection, STEPS)? > STEPS.len() {
            return Ok(());
        }
        connection::make_scratch(&connection)?;
        // Indexes are sorted: in memory that would grow with the file.
        connection::put_aside_in_files(&connection, copy)?;
        connection.progress_handler(OPERATIONS_BETWEEN_CALLS, Some(on_operations))?;
        bring_up_watched(&mut connection, STEPS, on_step)?;
        connection.close().map_err(|(_, error)| Refusal::Sqlite(error))
    });
    upgraded.map_err(|refusal| match refusal {
        Refusal::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            let path = origin.display();
            let message = format!("The disk of {path} is full; free some space and start again.");
            StartupError::new(Code::NoRoom, message)
        }
        refusal => refused(origin, refusal),
    })
}

/// Upgrades a scratch copy that nobody has open, if it is of an older version.
pub(crate) fn upgrade_scratch(copy: &Path) -> Result<(), StartupError> {
    upgrade_copy(copy, copy, &|_| {}, || false)
}

/// The version of an open file that is ours, 0 for an empty one.
pub(super) fn version_of(connection: &Connection, path: &Path) -> Result<i64, StartupError> {
    let version = recognise(connection, STEPS).map_err(|refusal| refused(path, refusal))?;
    Ok(i64::try_from(version).unwrap_or(i64::MAX))
}

/// Refuses a file of this version that no step can bring further; only looks.
pub(super) fn require_upgradable(
    connection: &Connection,
    path: &Path,
    version: i64,
) -> Result<(), StartupError> {
    let version = usize::try_from(version).unwrap_or(0);
    if !(1..KEYS_OF_DOMAINS).contains(&version) {
        return Ok(());
    }
    let looked = add_email_key(connection).map_err(Refusal::Sqlite);
    looked.and_then(|()| refuse_twins(connection)).map_err(|refusal| refused(path, refusal))
}

/// Opens a file of this version or an older one for reading, and leaves it as it is.
pub(super) fn open_as_it_is(path: &Path) -> Result<Connection, StartupError> {
    let opened = connection::open_reader(path).map_err(Refusal::Sqlite).and_then(|connection| {
        match recognise(&connection, STEPS)? {
            0 => Err(Refusal::Foreign("has no tables".to_owned())),
            _ => Ok(connection),
        }
    });
    opened.map_err(|refusal| refused(path, refusal))
}

/// Whether the file is a database of another program, or of a newer version of this one. It is
/// looked at without a lock, and nothing is made beside it.
pub(super) fn is_of_others(path: &Path) -> bool {
    let found = connection::open_still(path).map_err(Refusal::Sqlite);
    let found = found.and_then(|connection| recognise(&connection, STEPS));
    matches!(found, Err(Refusal::Foreign(_)))
}

/// The sentence for a file that is not opened.
fn refused(path: &Path, refusal: Refusal) -> StartupError {
    match refusal {
        Refusal::Foreign(why) => {
            let message = format!("{} {why}; choose another file with --database.", path.display());
            StartupError::new(Code::DatabaseForeign, message)
        }
        Refusal::CopiedWithoutWal => {
            let message = format!(
                "{} has no tables: it was copied from a running server without its -wal; copy it \
                 from a stopped server, or choose another file with --database.",
                path.display()
            );
            StartupError::new(Code::DatabaseForeign, message)
        }
        Refusal::Twins(emails) => {
            let message = format!(
                "{} has users whose addresses are one and the same ({emails}); delete one of them \
                 with the program that wrote the file, and start again.",
                path.display()
            );
            StartupError::new(Code::DatabaseUnusable, message)
        }
        Refusal::Sqlite(error) => unusable(path, &error),
    }
}

/// Whether the file was written with a WAL.
fn has_wal(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(mode == "wal")
}

/// The version of a file that is ours by its first bytes, and this program's, where the file is
/// older: opening it would upgrade it. What is only in the WAL is not seen.
pub(crate) fn older_version(path: &Path) -> Option<(usize, usize)> {
    let mut header = [0; 100];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let number = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(bytes.iter().fold(0, |number: u32, &byte| number << 8 | u32::from(byte)))
    };
    let newest = STEPS.len() + 1;
    let version = usize::try_from(number(60)?).ok()?;
    let is_ours = i64::from(number(68)?) == APPLICATION_ID;
    let is_older = (1..newest).contains(&version);
    (is_ours && is_older).then_some((version, newest))
}

/// Whether another process upgrades this database now, or is about to.
pub(crate) fn is_being_upgraded(path: &Path) -> bool {
    older_version(path).is_some() && hold_still(path).is_err()
}

enum Refusal {
    Foreign(String),
    /// It has no tables, but is marked as ours or was written with a WAL, where its tables are.
    CopiedWithoutWal,
    /// Users whose addresses are one since version 5.
    Twins(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The version of a file that is ours, 0 for an empty one; looks and changes nothing.
fn recognise(connection: &Connection, steps: &[Step]) -> Result<usize, Refusal> {
    let ask =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) =
        (ask("application_id")?, usize::try_from(ask("user_version")?).unwrap_or(0));
    let is_empty = !connection.prepare("SELECT 1 FROM sqlite_schema")?.exists([])?;
    let newest = steps.len() + 1;
    if is_empty && (application == APPLICATION_ID || has_wal(connection)?) {
        return Err(Refusal::CopiedWithoutWal);
    }
    match (application, version) {
        (0, 0) if is_empty => Ok(0),
        (APPLICATION_ID, version) if version > newest => {
            let why = format!(
                "was written by a newer vomeet (file version {version}, this program knows {newest})"
            );
            Err(Refusal::Foreign(why))
        }
        (APPLICATION_ID, 1..) => Ok(version),
        _ => Err(Refusal::Foreign("is a database of another program".to_owned())),
    }
}

/// Creates the tables, or takes the steps that are missing, all or nothing.
fn bring_up(connection: &mut Connection, steps: &[Step]) -> Result<(), Refusal> {
    bring_up_watched(connection, steps, &|_| {})
}

/// The same; `on_step` is called with the version that the next step leads to.
fn bring_up_watched(
    connection: &mut Connection,
    steps: &[Step],
    on_step: &dyn Fn(i64),
) -> Result<(), Refusal> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = recognise(&tx, steps)?;
    if version > steps.len() {
        return Ok(());
    }
    if (1..KEYS_OF_DOMAINS).contains(&version) {
        add_email_key(&tx)?;
        refuse_twins(&tx)?;
    }
    if version == 0 {
        tx.execute_batch(SCHEMA)?;
    } else {
        for (to, step) in (2..).zip(steps).skip(version - 1) {
            on_step(to);
            tx.execute_batch(step.sql)?;
        }
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", i64::try_from(steps.len() + 1).unwrap_or(i64::MAX))?;
    Ok(tx.commit()?)
}

/// Makes the key of an address known to the steps, which are SQL.
fn add_email_key(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("email_key", 1, flags, |arguments| {
        let email = Email::stored(arguments.get(0)?);
        Ok(email.key())
    })
}

/// Refuses a file with users whose addresses would be one, and names them.
fn refuse_twins(connection: &Connection) -> Result<(), Refusal> {
    let mut find = connection.prepare(
        "SELECT group_concat(email, ' and ') FROM (SELECT id, email FROM users ORDER BY id)
         GROUP BY email_key(email) HAVING count(*) > 1 ORDER BY min(id) LIMIT 10",
    )?;
    let twins = find.query_map([], |row| row.get(0))?;
    let twins: Vec<String> = twins.collect::<rusqlite::Result<_>>()?;
    if twins.is_empty() { Ok(()) } else { Err(Refusal::Twins(twins.join("; "))) }
}

pub(super) mod kept;
mod older_files;
pub(super) mod plan;
pub(super) mod replace;
pub(super) mod shape;
pub(super) mod steps;
mod tests;
