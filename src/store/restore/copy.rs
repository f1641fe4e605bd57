//! What becomes of the copy of the backup before it takes the place of the database, in one
//! transaction: upgraded, with what is newer applied again, with no bot in a meeting, with no event
//! that may have been sent, and with an entry in the audit log.

use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::{
    Action, Actor, MeetingId, MeetingStatus, StatusReport, Subject, Time, TransitionSource, UserId,
};
use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::store::audit::log::{Details, Snapshot, append, newest};
use crate::store::meetings::advance::{Advance, MeetingRef};
use crate::store::meetings::states::OPEN;
use crate::store::restore::again::{Applied, TABLES};
use crate::store::restore::files::{self, Newer};
use crate::store::restore::gaps::{self, WITH_IDS};
use crate::store::restore::source::Present;
use crate::store::restore::swap::kept_name;
use crate::store::restore::wanted::Wanted;
use crate::store::scrub::mark_for_scrub;
use crate::store::segments::revisions;
use crate::store::writer::verb::Verb;
use crate::store::{connection, upgrade};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Why a meeting has failed that was open at the time of the backup.
const FAILED_BECAUSE: &str =
    "The database was restored from a backup that was made while this meeting was open.";
/// Why an event is not sent.
const GIVEN_UP_BECAUSE: &str = "The database was restored from a backup, and whether this event was \
                                delivered meanwhile is not known.";
/// The same for the event of a meeting that had ended.
const ENDED_BECAUSE: &str =
    "The database was restored from a backup, and the end of this meeting was known before.";
/// Most ids of a kind that the audit log lists.
const LISTED_MAX: usize = 1000;

/// What was done to the copy.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub newer: Newer,
    pub meetings_failed: Vec<i64>,
    pub events_given_up: Vec<i64>,
    pub audit_entry: i64,
}

/// Prepares the copy.
pub(super) fn prepare(
    work: &Path,
    wanted: &Wanted,
    present: &Present,
    as_of: Time,
    backup_head: &str,
) -> std::result::Result<Changes, StartupError> {
    // One of an older version; it is a copy, so that nothing of it is kept.
    let stop = wanted.stop.clone();
    upgrade::upgrade_copy(work, &wanted.backup, &|_| {}, move || stop.is_set())?;
    let db = upgrade::open(work)?;
    let mut changes = Changes::default();
    db.execute_batch(TABLES).map_err(failed)?;
    db.execute_batch(gaps::TABLES).map_err(failed)?;
    let now = params![wanted.actor.at];
    db.execute("INSERT INTO temp.moment VALUES (?1)", now).map_err(failed)?;
    let restored = counters(&db).map_err(failed)?;
    changes.newer = files::read(&db, wanted, present)?;
    let mut finish = || -> Result<()> {
        let tx = db.unchecked_transaction()?;
        changes.events_given_up = give_up_events(&tx)?;
        changes.meetings_failed = fail_meetings(&tx, as_of)?;
        revisions::note_restore(&tx, wanted.actor.at)?;
        note_erasures(&tx, &wanted.actor, &changes.newer.applied)?;
        mark_for_scrub(&tx)?;
        let given = counters(&tx)?;
        let kept =
            (*present != Present::Gone).then(|| kept_name(&wanted.database, wanted.actor.at));
        let mut after = entry(wanted, as_of, &changes, &restored, &given);
        after["backup_head"] = json!(backup_head);
        after["kept"] = json!(kept.as_deref().map(absolute));
        let details = Details { before: None, after: Snapshot::of(&after) };
        append(&tx, &wanted.actor, Action::DatabaseRestore, Subject::Database, &details)?;
        (changes.audit_entry, _) = newest(&tx)?;
        Ok(tx.commit()?)
    };
    finish().map_err(failed)?;
    connection::checkpoint_all(&db).map_err(failed)?;
    Ok(changes)
}

/// The highest id that each table has given.
fn counters(db: &Connection) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
    let mut find = db.prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?1")?;
    let mut found = BTreeMap::new();
    for table in WITH_IDS {
        let last = find.query_row([table], |row| row.get(0)).optional()?;
        found.insert(table, last.unwrap_or(0));
    }
    Ok(found)
}

/// Events that wait, and of which no file says what became of them, are not sent: they may have
/// been.
fn give_up_events(db: &Connection) -> rusqlite::Result<Vec<i64>> {
    let ids = ids(
        db,
        "SELECT id FROM main.deliveries WHERE next_at IS NOT NULL
           AND id NOT IN (SELECT id FROM temp.told) ORDER BY id",
    )?;
    let mut give_up =
        db.prepare("UPDATE main.deliveries SET next_at = NULL, last_error = ?2 WHERE id = ?1")?;
    for id in &ids {
        give_up.execute(params![id, GIVEN_UP_BECAUSE])?;
    }
    Ok(ids)
}

/// Ends the meetings that were open, as of the time of the backup: what was after it is not known.
/// The secrets of their bots end with them.
fn fail_meetings(db: &Connection, as_of: Time) -> Result<Vec<i64>> {
    let last_event = "SELECT ifnull(max(id), 0) FROM main.deliveries";
    let last_event: i64 = db.query_row(last_event, [], |row| row.get(0))?;
    let list = format!("SELECT id FROM main.meetings WHERE status IN {} ORDER BY id", *OPEN);
    let ids = ids(db, &list)?;
    let mut failed = Vec::new();
    for id in ids {
        let report = StatusReport::new(MeetingStatus::Failed, TransitionSource::Server);
        let verb = Advance {
            meeting_ref: MeetingRef::Meeting(MeetingId(id)),
            report: report.because(FAILED_BECAUSE),
            container_id: None,
            now: as_of,
        };
        if verb.apply(db)?.is_some_and(|done| done.step == TransitionOutcome::Move) {
            failed.push(id);
        }
        db.execute("UPDATE main.sessions SET token_hash = NULL WHERE meeting_id = ?1", [id])?;
    }
    // Whoever was told how it really ended is not told otherwise.
    db.execute(
        "UPDATE main.deliveries SET next_at = NULL, last_error = ?2
         WHERE id > ?1 AND meeting_id IN (SELECT id FROM temp.over)",
        params![last_event, ENDED_BECAUSE],
    )?;
    Ok(failed)
}

/// Users who were erased have an entry that says so, also where the log that goes on knows nothing
/// of it.
fn note_erasures(db: &Connection, actor: &Actor, applied: &Applied) -> Result<()> {
    let known = "SELECT 1 FROM main.audit WHERE action = 'user.delete' AND subject_id = ?1";
    let mut known = db.prepare(known)?;
    let erased = applied.iter().find(|(name, _)| *name == "users_erased");
    let mut number = 0;
    for &id in erased.map_or(&[][..], |(_, ids)| ids) {
        if !known.exists([id])? {
            number += 1;
            let actor = actor.for_change(number);
            let subject = Subject::User(UserId(id));
            append(db, &actor, Action::UserDelete, subject, &Details::default())?;
        }
    }
    Ok(())
}

fn ids(db: &Connection, list: &str) -> rusqlite::Result<Vec<i64>> {
    let mut list = db.prepare(list)?;
    let ids = list.query_map([], |row| row.get(0))?;
    ids.collect()
}

/// What the audit log says of the restore. `ids` are read by later restores and verifications: ids
/// between the two numbers were lost by this one.
fn entry(
    wanted: &Wanted,
    as_of: Time,
    changes: &Changes,
    restored: &BTreeMap<&'static str, i64>,
    given: &BTreeMap<&'static str, i64>,
) -> Value {
    let mut ids = Map::new();
    for (table, last) in restored {
        let range = json!({ "restored": last, "given": given.get(table) });
        ids.insert((*table).to_owned(), range);
    }
    let mut applied = Map::new();
    let failed = ("meetings_failed", &changes.meetings_failed);
    let given_up = ("events_given_up", &changes.events_given_up);
    let newer = &changes.newer;
    let again = newer.applied.iter().map(|(name, ids)| (*name, ids));
    for (name, all) in again.chain([failed, given_up]) {
        if !all.is_empty() {
            let listed = &all[..all.len().min(LISTED_MAX)];
            applied.insert(name.to_owned(), json!({ "count": all.len(), "ids": listed }));
        }
    }
    let since: Vec<_> = newer.since.iter().map(|file| absolute(file)).collect();
    json!({
        "backup": absolute(&wanted.backup),
        "as_of": as_of,
        "since": since,
        "not_read": newer.not_read,
        "old_head": newer.old_head,
        "audit_log_goes_on": newer.audit_log_goes_on,
        "lost": newer.lost,
        "open_meetings_lost": newer.open_meetings_lost,
        "applied": applied,
        "ids": ids,
    })
}

/// Where a file lies, also for whoever reads it elsewhere and later.
fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().into_owned()
}

fn failed(error: impl Into<Error>) -> StartupError {
    let error: Error = error.into();
    let message = format!("The copy of the backup cannot be prepared ({}).", error.store_cause());
    StartupError::new(Code::Unavailable, message)
}
