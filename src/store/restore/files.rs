//! Reads the files that may be newer than the backup, the oldest first, so that the newest has the
//! last word. The present file is one of them wherever it can be; what nobody can know is refused
//! unless that was accepted.

use crate::exit::{Code, StartupError};
use crate::store::connection;
use crate::store::failure::unusable;
use crate::store::meetings::states::OPEN;
use crate::store::restore::again::{self, Applied};
use crate::store::restore::gaps;
use crate::store::restore::source::{self, Present, own_log};
use crate::store::restore::survey::{self, Rank, Relation};
use crate::store::restore::wanted::Wanted;
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What nobody can know without an old file.
pub(super) const UNKNOWN: &str = "which tokens were revoked and who was disabled or erased after the backup cannot be known, and \
     would come back";

/// A meeting that was open in the old file, and that the backup does not know.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LostMeeting {
    /// Its id.
    pub id: i64,
    /// What runs its bot.
    pub bot_container_id: Option<String>,
}

/// What was read of the files, and applied again.
#[derive(Debug, Default)]
pub(super) struct Newer {
    /// The files that were read, the oldest first.
    pub since: Vec<PathBuf>,
    /// Why the present file is not one of them.
    pub not_read: Option<String>,
    /// The head of the audit log of the newest.
    pub old_head: Option<String>,
    pub audit_log_goes_on: bool,
    pub audit_log_fault: Option<String>,
    pub lost: BTreeMap<&'static str, i64>,
    pub open_meetings_lost: Vec<LostMeeting>,
    pub applied: Applied,
}

/// A file that is read.
struct Source {
    path: PathBuf,
    rank: Rank,
    head: Option<String>,
    lost: BTreeMap<&'static str, i64>,
    open_meetings_lost: Vec<LostMeeting>,
}

/// Applies to the copy of the backup all that is newer in the files.
pub(super) fn read(
    db: &Connection,
    wanted: &Wanted,
    present: &Present,
) -> Result<Newer, StartupError> {
    let mut newer = Newer {
        applied: again::names().map(|name| (name, Vec::new())).collect(),
        ..Newer::default()
    };
    let mut sources = Vec::new();
    for file in &wanted.since {
        sources.extend(survey_file(db, wanted, file, false, &mut newer)?);
    }
    match present {
        Present::Gone => {}
        Present::Sound => {
            let file = &wanted.database;
            sources.extend(survey_file(db, wanted, file, true, &mut newer)?);
        }
        Present::Damaged(why) => newer.not_read = Some(why.clone()),
    }
    sources.sort_by(|one, other| one.rank.cmp(&other.rank));
    let count = sources.len();
    for (at, source) in sources.into_iter().enumerate() {
        apply_file(db, wanted, source, at + 1 == count, &mut newer)?;
    }
    require_all_known(db, wanted, &newer)?;
    Ok(newer)
}

/// Looks at one file. `None` for the present one where it is no old file of this backup.
fn survey_file(
    db: &Connection,
    wanted: &Wanted,
    file: &Path,
    is_present: bool,
    newer: &mut Newer,
) -> Result<Option<Source>, StartupError> {
    let survey = || {
        let relation = survey::relation(db)?;
        if relation == Relation::Newer {
            gaps::find_gaps(db)?;
            gaps::find_unknown(db)?;
        }
        let source = Source {
            path: file.to_owned(),
            rank: survey::rank(db, is_present)?,
            head: survey::head(db)?,
            lost: survey::newer_rows(db)?,
            open_meetings_lost: open_meetings_lost(db)?,
        };
        Ok((relation, source))
    };
    let (relation, source) =
        with_file(db, wanted, file, |_| survey().map_err(|e| cannot(file, &e)))?;
    let (shown, backup) = (file.display(), wanted.backup.display());
    let why = match relation {
        Relation::Newer => return Ok(Some(source)),
        Relation::Older => format!("{shown} is older than {backup} and knows nothing newer"),
        Relation::Apart(why) => format!("{shown} and {backup} are not of one history: {why}"),
    };
    if is_present {
        newer.not_read = Some(format!("{why}."));
        return Ok(None);
    }
    Err(StartupError::new(
        Code::Conflict,
        format!("{why}. Name a later copy of the same database."),
    ))
}

/// Applies what is newer in one file.
fn apply_file(
    db: &Connection,
    wanted: &Wanted,
    source: Source,
    is_newest: bool,
    newer: &mut Newer,
) -> Result<(), StartupError> {
    let Source { path, head, lost, open_meetings_lost, .. } = source;
    with_file(db, wanted, &path, |readable| {
        if is_newest {
            newer.audit_log_fault = source::audit_fault(readable)?;
            newer.audit_log_goes_on = newer.audit_log_fault.is_none();
        }
        let mut apply = || -> rusqlite::Result<()> {
            let tx = db.unchecked_transaction()?;
            again::apply(&tx, &mut newer.applied)?;
            if is_newest && newer.audit_log_goes_on {
                again::take_audit_log(&tx)?;
            }
            tx.commit()
        };
        apply().map_err(|error| cannot(&path, &error))
    })?;
    if is_newest {
        newer.old_head = head;
        newer.lost = lost;
        newer.open_meetings_lost = open_meetings_lost;
    }
    newer.since.push(path);
    Ok(())
}

/// Works with one file attached as `old`, or with an upgraded copy of it.
fn with_file<T>(
    db: &Connection,
    wanted: &Wanted,
    file: &Path,
    work: impl FnOnce(&Path) -> Result<T, StartupError>,
) -> Result<T, StartupError> {
    let _log = own_log(file);
    let readable = source::readable(file, &wanted.database)?;
    connection::attach(db, &readable, "old").map_err(|error| cannot(file, &error))?;
    let done = work(&readable)?;
    db.execute_batch("DETACH old").map_err(|error| cannot(file, &error))?;
    Ok(done)
}

/// Fails where something newer cannot be known and that was not accepted, or the other way around.
fn require_all_known(db: &Connection, wanted: &Wanted, newer: &Newer) -> Result<(), StartupError> {
    let kept = gaps::wanted_file(db).map_err(|error| cannot(&wanted.backup, &error))?;
    let message = match (kept, newer.since.is_empty(), wanted.without_old_file) {
        (None, false, false) | (_, true, true) | (Some(_), _, true) => return Ok(()),
        (None, false, true) => {
            "There is a file that can be read for what is newer than the backup; leave out \
             --without-old-file."
                .to_owned()
        }
        (_, true, false) => {
            let why = newer.not_read.as_deref().unwrap_or_default().trim_end_matches('.');
            format!(
                "{why}. Without an old file {UNKNOWN}. Name a later copy of the same database with \
                 --since, or accept that with --without-old-file."
            )
        }
        (Some(kept), false, false) => format!(
            "The backup has rows that an earlier restore has lost, and what became of them before it \
             is known by the file alone that was kept then: name it with --since {kept}, or accept \
             with --without-old-file that {UNKNOWN}."
        ),
    };
    Err(StartupError::new(Code::Conflict, message))
}

/// The meetings of the attached file that are open and not in the backup: their bots go on.
fn open_meetings_lost(db: &Connection) -> rusqlite::Result<Vec<LostMeeting>> {
    let mut list = db.prepare(&format!(
        "SELECT id, bot_container_id FROM old.meetings o WHERE status IN {}
           AND NOT EXISTS (SELECT 1 FROM main.meetings m WHERE m.id = o.id) ORDER BY id",
        *OPEN
    ))?;
    let found = list
        .query_map([], |row| Ok(LostMeeting { id: row.get(0)?, bot_container_id: row.get(1)? }))?;
    found.collect()
}

fn cannot(file: &Path, error: &rusqlite::Error) -> StartupError {
    unusable(file, error)
}
