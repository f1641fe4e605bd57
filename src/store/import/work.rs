//! The files of an import: the new database beside the present one, and the scratch tables. Both
//! are removed whatever becomes of the import, but for the new database once it has its place.

use crate::domain::import::Remarks;
use crate::domain::{Action, Actor, Subject};
use crate::error::Error;
use crate::exit::{Code, StartupError};
use crate::store::audit::log::{Details, Snapshot, append};
use crate::store::beside::{create_new, resolve, synced_folder_of};
use crate::store::file::{self, Found, Lock};
use crate::store::import::tables::TABLES;
use crate::store::restore::leftovers;
use crate::store::restore::source::own_log;
use crate::store::restore::swap::half_done;
use crate::store::{beside, connection, upgrade};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OptionalExtension, params};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages that are copied in one step; nobody waits meanwhile.
const STEP_PAGES: std::ffi::c_int = 4096;
/// Pages that are kept in memory, in KiB.
const CACHE_KIB: u32 = 32 * 1024;
/// Words that the index keeps in memory before it writes them, in bytes; and what it keeps
/// otherwise.
const INDEX_BYTES: u32 = 16 * 1024 * 1024;
const INDEX_BYTES_DEFAULT: u32 = 1024 * 1024;

/// What an import may change of what it finds.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImportTerms {
    /// Whether users whose addresses are one become one user.
    pub merge_same_email: bool,
    /// What planned bots call themselves whose plan does not say it.
    pub bot_name: String,
}

/// An import under way. As long as it lives, the database is locked; what was written goes with it,
/// unless it is finished.
pub(crate) struct Importing {
    database: PathBuf,
    work: PathBuf,
    pub(super) db: Connection,
    pub(super) actor: Actor,
    pub(super) terms: ImportTerms,
    _lock: Lock,
}

/// How many rows an import has written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Imported {
    /// Users.
    pub users: u64,
    /// Tokens.
    pub tokens: u64,
    /// Meetings.
    pub meetings: u64,
    /// Streams of meetings.
    pub streams: u64,
    /// Segments.
    pub segments: u64,
}

impl Importing {
    /// Locks the database, which must have no users, and begins a new one beside it.
    pub(crate) fn begin(
        database: &Path,
        actor: Actor,
        terms: ImportTerms,
    ) -> Result<Self, StartupError> {
        let database = resolve(database)?;
        let found = file::recognise(&database, upgrade::APPLICATION_ID)?;
        let lock = Lock::take(&database)?;
        leftovers::remove(&database);
        let work = leftovers::importing(&database);
        create_new(&work).map_err(|error| cannot_write(&work, &error))?;
        let scratch = leftovers::importing_scratch(&database);
        // From here on the two files are removed if anything fails.
        let remains = Remains(&database);
        create_new(&scratch).map_err(|error| cannot_write(&scratch, &error))?;
        if found != Found::Nothing {
            copy(&database, &work)?;
        }
        let db = upgrade::open(&work)?;
        prepare(&db, &scratch).map_err(|error| failed(&error))?;
        std::mem::forget(remains);
        Ok(Self { database, work, db, actor, terms, _lock: lock })
    }

    /// Makes the rows of the new database out of the scratch tables. `progress` is told of every
    /// step, with what it has written until then.
    pub(crate) fn load(
        &self,
        remarks: &mut Remarks,
        progress: &mut dyn FnMut(&'static str, u64),
    ) -> Result<Imported, StartupError> {
        let mut load = || -> crate::error::Result<Imported> {
            let mut imported = Imported::default();
            self.load_people(&mut imported, remarks)?;
            progress("users and keys", imported.users + imported.tokens);
            self.load_meetings(&mut imported, remarks)?;
            progress("meetings", imported.meetings);
            self.load_segments(&mut imported, remarks, progress)?;
            self.set_index_bytes(INDEX_BYTES_DEFAULT)?;
            self.keep_ids_from_coming_back()?;
            Ok(imported)
        };
        load().map_err(|error| failed(&error.store_cause()))
    }

    pub(super) fn set_index_bytes(&self, bytes: u32) -> rusqlite::Result<()> {
        let set = "INSERT INTO words (words, rank) VALUES ('hashsize', ?1)";
        self.db.execute(set, [bytes]).map(drop)
    }

    /// New ids go on behind the highest ones of the dump, whether their rows were written or not.
    fn keep_ids_from_coming_back(&self) -> rusqlite::Result<()> {
        for (table, highest) in [
            ("users", "SELECT max(id) FROM old.users WHERE is_account = 0"),
            ("tokens", "SELECT max(id) FROM old.tokens WHERE is_account = 0"),
            ("meetings", "SELECT max(id) FROM old.meetings"),
        ] {
            let highest: Option<i64> = self.db.query_row(highest, [], |row| row.get(0))?;
            let Some(highest) = highest else { continue };
            let raise = "UPDATE main.sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
            if self.db.execute(raise, params![table, highest])? == 0 {
                let set = "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)";
                self.db.execute(set, params![table, highest])?;
            }
        }
        Ok(())
    }

    /// Disables the keys of all users, where only those of accounts opened anything; how many were
    /// not disabled before.
    pub(crate) fn disable_keys_of_users(&self) -> rusqlite::Result<u64> {
        let disable =
            "UPDATE old.tokens SET is_disabled = 1 WHERE is_account = 0 AND is_disabled = 0";
        self.db.execute(disable, []).map(|count| count as u64)
    }

    /// Adds the entry of the import to the audit log.
    pub(crate) fn note(&self, after: &serde_json::Value) -> Result<(), StartupError> {
        let details = Details { before: None, after: Snapshot::of(after) };
        let (action, subject) = (Action::DatabaseImport, Subject::Database);
        append(&self.db, &self.actor, action, subject, &details).map_err(import_failed)
    }

    /// Commits what was written, so that it can be verified.
    pub(crate) fn commit(&self) -> Result<(), StartupError> {
        self.db.execute_batch("COMMIT").map_err(|error| failed(&error))
    }

    /// The new database, until it has its place.
    pub(super) fn work(&self) -> &Path {
        &self.work
    }

    /// Gives the new database the place of the present one.
    pub(crate) fn finish(self) -> Result<(), StartupError> {
        let (database, work) = (&self.database, &self.work);
        let flush = || File::open(work)?.sync_all();
        flush().map_err(|error| cannot_write(work, &error))?;
        if database.exists() {
            let _log = own_log(database);
            connection::empty_wal(database)?;
        }
        let folder = synced_folder_of(database).map_err(|error| cannot_write(database, &error))?;
        let replace = || {
            // Else they would be taken for the new file's; the present one has no users.
            for log in ["-wal", "-journal"] {
                let _ = fs::remove_file(beside::beside(database, log));
            }
            folder.sync_all()?;
            fs::rename(work, database)?;
            folder.sync_all()
        };
        let again = "Look with `vomeet user list`; where there is nobody, import again.";
        replace().map_err(|error| half_done("import", again, database, "", &error))
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        leftovers::remove(&self.database);
    }
}

/// Removes what an import has left that did not come to begin.
struct Remains<'a>(&'a Path);

impl Drop for Remains<'_> {
    fn drop(&mut self) {
        leftovers::remove(self.0);
    }
}

/// Copies a database without users, with its admin keys and its audit log.
fn copy(database: &Path, work: &Path) -> Result<(), StartupError> {
    let _log = own_log(database);
    let present = upgrade::open_as_it_is(database)?;
    if has_users(&present).map_err(|error| failed(&error))? {
        let message = format!(
            "{} has users, or has had some, and an import is into a database without: name another \
             with --database, or move it away.",
            database.display()
        );
        return Err(StartupError::new(Code::NotImported, message));
    }
    let copy = || {
        let mut target = connection::open_copy(work)?;
        Backup::new(&present, &mut target)?.run_to_completion(STEP_PAGES, Duration::ZERO, None)
    };
    copy().map_err(|error| failed(&error))
}

/// Whether a database has users, or has given an id to one: ids never come back.
fn has_users(db: &Connection) -> rusqlite::Result<bool> {
    let mut last = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'users'")?;
    let last: Option<i64> = last.query_row([], |row| row.get(0)).optional()?;
    Ok(last.is_some_and(|last| last > 0) || db.prepare("SELECT 1 FROM users")?.exists([])?)
}

/// Nobody else reads the new database before it is whole: it has no journal, and is flushed at the
/// end. Its rows come in one transaction.
fn prepare(db: &Connection, scratch: &Path) -> rusqlite::Result<()> {
    let mode: String = db.query_row("PRAGMA journal_mode = OFF", [], |row| row.get(0))?;
    if mode != "off" {
        return Err(rusqlite::Error::InvalidParameterName(format!("journal_mode is {mode}")));
    }
    db.execute_batch(&format!(
        "PRAGMA synchronous = OFF; PRAGMA secure_delete = OFF; PRAGMA temp_store = FILE;
         PRAGMA cache_size = -{CACHE_KIB};"
    ))?;
    connection::attach(db, scratch, "old")?;
    db.query_row("PRAGMA old.journal_mode = OFF", [], |_| Ok(()))?;
    db.execute_batch("PRAGMA old.synchronous = OFF; PRAGMA old.cache_size = -8192;")?;
    db.execute_batch("BEGIN IMMEDIATE")?;
    db.execute_batch(TABLES)?;
    let set = "INSERT INTO words (words, rank) VALUES ('hashsize', ?1)";
    db.execute(set, [INDEX_BYTES]).map(drop)
}

/// The sentence for a fault of the new database.
pub(super) fn failed(error: &dyn std::fmt::Display) -> StartupError {
    let message = format!("The new database cannot be written ({error}). Nothing was imported.");
    StartupError::new(Code::NotImported, message)
}

/// What an error of the store is for whoever imports.
pub(crate) fn import_failed(error: impl Into<Error>) -> StartupError {
    let error: Error = error.into();
    failed(&error.store_cause())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> StartupError {
    let message = format!("Cannot write {} ({error}). Nothing was imported.", path.display());
    StartupError::new(Code::NotImported, message)
}
