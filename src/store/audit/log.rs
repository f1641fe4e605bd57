//! The audit log as it is written: each entry is bound to the one before (a hash chain).

use crate::domain::audit::{Bound, details_hash};
use crate::domain::{Action, Actor, Subject, UserId};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::{Map, Value};

/// What was before and after.
#[derive(Debug, Default)]
pub(crate) struct Details {
    /// Before; none where there was nothing.
    pub before: Option<Snapshot>,
    /// After; none where there is nothing.
    pub after: Option<Snapshot>,
}

/// A thing as it was at one moment, without its secrets.
#[derive(Debug)]
pub struct Snapshot(Map<String, Value>);

impl Snapshot {
    /// The members of what is shown of a thing; `None` of what is no object.
    pub fn of(thing: &impl Serialize) -> Option<Self> {
        match serde_json::to_value(thing) {
            Ok(Value::Object(members)) => Some(Self(members)),
            _ => None,
        }
    }

    /// The same, with the members of another besides its own.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// Whom a subject concerns.
fn owner(subject: Subject, details: &Details) -> Option<UserId> {
    let of =
        |snapshot: &Option<Snapshot>| snapshot.as_ref()?.0.get("user_id")?.as_i64().map(UserId);
    match subject {
        Subject::User(id) => Some(id),
        _ => of(&details.after).or_else(|| of(&details.before)),
    }
}

/// Of a thing that was changed, what differs.
fn reduce(details: &Details) -> (Option<String>, Option<String>) {
    match (&details.before, &details.after) {
        (Some(before), Some(after)) if before.0.get("id") == after.0.get("id") => {
            (text(&differing(&before.0, &after.0)), text(&differing(&after.0, &before.0)))
        }
        (before, after) => {
            let before = before.as_ref().and_then(|snapshot| text(&snapshot.0));
            let after = after.as_ref().and_then(|snapshot| text(&snapshot.0));
            (before, after)
        }
    }
}

/// The members of `one` that are not the same in `other`.
fn differing(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in one {
        if other.get(name) != Some(value) {
            members.insert(name.clone(), value.clone());
        }
    }
    members
}

fn text(members: &Map<String, Value>) -> Option<String> {
    serde_json::to_string(members).ok()
}

/// The number and the hash of the newest entry; of the base where none is kept.
pub(crate) fn newest(db: &Connection) -> rusqlite::Result<(i64, [u8; 32])> {
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let entry = db
        .prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], pair);
    match entry.optional()? {
        Some(newest) => Ok(newest),
        None => base(db),
    }
}

/// The number and the hash of the entry before the oldest that is kept.
pub(crate) fn base(db: &Connection) -> rusqlite::Result<(i64, [u8; 32])> {
    let mut statement = db.prepare_cached("SELECT id, hash FROM audit_base")?;
    Ok(statement
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((0, [0; 32])))
}

/// Adds an entry. Of an erased user nothing but the number is written.
pub(crate) fn append(
    db: &Connection,
    actor: &Actor,
    action: Action,
    subject: Subject,
    details: &Details,
) -> Result<()> {
    let (last, previous) = newest(db)?;
    let user_id = owner(subject, details);
    let is_erasure = action == Action::UserDelete;
    let (before, after) = if is_erasure { (None, None) } else { reduce(details) };
    let details_hash = details_hash(&actor.salt, before.as_deref(), after.as_deref());
    let (kind, subject_id) = subject.parts();
    let bound = Bound {
        id: last + 1,
        at: actor.at.as_millis(),
        actor: &actor.name,
        address: actor.address.as_deref(),
        action: action.as_str(),
        subject: kind,
        subject_id,
        user_id: user_id.map(|id| id.0),
        details_hash: &details_hash,
    };
    insert(db, &bound, &bound.hash(&previous))?;
    // They go with the user whom the entry concerns; those of the erasure itself are written after
    // it, and stay.
    let mut insert = db.prepare_cached(
        "INSERT INTO audit_details (audit_id, salt, before, after) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute(params![bound.id, actor.salt, before, after])?;
    Ok(())
}

fn insert(db: &Connection, bound: &Bound<'_>, hash: &[u8; 32]) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO audit (id, at, actor, address, action, subject, subject_id, user_id, details_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let inserted = insert.execute(params![
        bound.id,
        bound.at,
        bound.actor,
        bound.address,
        bound.action,
        bound.subject,
        bound.subject_id,
        bound.user_id,
        bound.details_hash,
        hash
    ])?;
    if inserted == 1 {
        Ok(())
    } else {
        Err(Error::Internal("an entry of the audit log was not written".to_owned()))
    }
}
