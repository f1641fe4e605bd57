//! The record of administrative changes: an entry in the same savepoint as its change, each bound to the one before.

use super::admin_keys;
use super::{Change, Store, Verb, meetings, tokens, users};
use crate::domain::audit::{Bound, details_hash};
use crate::domain::{Action, Actor, Subject, UserId};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A change that is recorded with whoever makes it.
pub trait Recorded: Verb {
    /// What it is called in the record.
    const ACTION: Action;

    /// What it is about to change; none where that is made by it.
    fn target(&self) -> Option<Subject> {
        None
    }

    /// What it changed; none where nothing was.
    fn changed(&self, answer: &Self::Answer) -> Option<Subject>;
}

/// A change, and who makes it.
#[derive(Debug, Serialize)]
pub struct By<V> {
    actor: Actor,
    verb: V,
}

impl<V: Recorded> By<V> {
    /// `verb`, made by `actor`.
    pub fn new(actor: Actor, verb: V) -> Self {
        Self { actor, verb }
    }
}

impl Store {
    /// Sends a recorded verb to the writer and waits for its commit.
    pub async fn write_by<V: Recorded>(&self, actor: Actor, verb: V) -> Result<V::Answer> {
        self.write(By::new(actor, verb)).await
    }
}

impl<V: Recorded> Verb for By<V> {
    type Answer = V::Answer;

    const ESSENTIAL: bool = V::ESSENTIAL;

    fn apply(&self, db: &Connection) -> Result<V::Answer> {
        let verb = &self.verb;
        record(db, &self.actor, V::ACTION, verb.target(), || verb.apply(db), |answer| verb.changed(answer))
    }

    fn change(&self, answer: &V::Answer) -> Option<Change> {
        self.verb.change(answer)
    }
}

/// Makes a change to `target`, which is none where that is made by it, and adds an entry about what was `changed`, if
/// anything was.
pub(super) fn record<A>(
    db: &Connection,
    actor: &Actor,
    action: Action,
    target: Option<Subject>,
    change: impl FnOnce() -> Result<A>,
    changed: impl FnOnce(&A) -> Option<Subject>,
) -> Result<A> {
    let before = target.map_or(Ok(None), |subject| snapshot(db, subject))?;
    let answer = change()?;
    if let Some(subject) = changed(&answer) {
        let after = snapshot(db, subject)?;
        append(db, actor, action, subject, &Details { before, after })?;
    }
    Ok(answer)
}

/// What was before and after.
#[derive(Debug, Default)]
pub struct Details {
    /// Before; none where there was nothing.
    pub before: Option<Map<String, Value>>,
    /// After; none where there is nothing.
    pub after: Option<Map<String, Value>>,
}

/// What is known of a subject, without its secrets.
fn snapshot(db: &Connection, subject: Subject) -> Result<Option<Map<String, Value>>> {
    Ok(match subject {
        Subject::User(id) => users::find(db, id)?.as_ref().and_then(members),
        Subject::Token(id) => tokens::find(db, id)?.as_ref().and_then(members),
        Subject::Key(id) => admin_keys::find(db, id)?.as_ref().and_then(members),
        Subject::Meeting(id) => meetings::by_id(db, id)?
            .and_then(|meeting| members(&json!({ "id": id, "user_id": meeting.user_id, "status": meeting.status }))),
        Subject::Audit => None,
    })
}

fn members(value: &impl Serialize) -> Option<Map<String, Value>> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// Whom a subject concerns.
fn owner(subject: Subject, details: &Details) -> Option<UserId> {
    let of = |map: &Option<Map<String, Value>>| map.as_ref()?.get("user_id")?.as_i64().map(UserId);
    match subject {
        Subject::User(id) => Some(id),
        _ => of(&details.after).or_else(|| of(&details.before)),
    }
}

/// Of a thing that was changed, what differs.
fn reduce(details: &Details) -> (Option<String>, Option<String>) {
    let differing = |one: &Map<String, Value>, other: &Map<String, Value>| {
        let differs = |(name, value): &(&String, &Value)| other.get(*name) != Some(value);
        one.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
    };
    let text = |map: &Map<String, Value>| serde_json::to_string(map).ok();
    match (&details.before, &details.after) {
        (Some(before), Some(after)) if before.get("id") == after.get("id") => {
            (text(&differing(before, after)), text(&differing(after, before)))
        }
        (before, after) => (before.as_ref().and_then(text), after.as_ref().and_then(text)),
    }
}

/// The number and the hash of the newest entry; of the base where none is kept.
pub(super) fn newest(db: &Connection) -> rusqlite::Result<(i64, [u8; 32])> {
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let entry = db.prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?.query_row([], pair);
    match entry.optional()? {
        Some(newest) => Ok(newest),
        None => base(db),
    }
}

/// The number and the hash of the entry before the oldest that is kept.
pub(super) fn base(db: &Connection) -> rusqlite::Result<(i64, [u8; 32])> {
    let mut statement = db.prepare_cached("SELECT id, hash FROM audit_base")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?.unwrap_or((0, [0; 32])))
}

/// Adds an entry. Of an erased user nothing but the number is written.
pub fn append(db: &Connection, actor: &Actor, action: Action, subject: Subject, details: &Details) -> Result<()> {
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
    let person = user_id.filter(|_| !is_erasure).map(|id| id.0);
    let mut insert = db.prepare_cached(
        "INSERT INTO audit_details (audit_id, user_id, salt, before, after) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![bound.id, person, actor.salt, before, after])?;
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
    if inserted == 1 { Ok(()) } else { Err(Error::Internal("an entry of the record was not written".to_owned())) }
}
