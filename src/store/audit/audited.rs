//! A change with its entry in the audit log: both in one verb, so neither is there without the
//! other.

use crate::domain::{Action, Actor, Subject};
use crate::error::Result;
use crate::store::audit::log::{Details, Snapshot, append};
use crate::store::doors::Store;
use crate::store::writer::verb::{Change, Numbered, Verb};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// A verb with an entry in the audit log. It hands over what stands in the entry, so the log need
/// not know the nouns.
pub trait Audited: Verb {
    /// What the entry calls it.
    const ACTION: Action;

    /// What it is about to change, as it is; `None` where the verb makes it.
    fn before(&self, _db: &Connection) -> Result<Option<Snapshot>> {
        Ok(None)
    }

    /// What it changed, and how that is now; `None` where nothing was changed, which makes no
    /// entry.
    fn after(&self, answer: &Self::Answer) -> Option<(Subject, Option<Snapshot>)>;
}

/// A verb, and who sends it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AuditedVerb<V> {
    actor: Actor,
    verb: V,
}

/// It has the number of its verb.
impl<V: Audited> Numbered for AuditedVerb<V> {
    const NUMBER: u16 = V::NUMBER;
    const NAME: &'static str = V::NAME;
    const IS_AUDITED: bool = true;
}

impl<V: Audited> AuditedVerb<V> {
    /// `verb`, sent by `actor`.
    pub(crate) fn new(actor: Actor, verb: V) -> Self {
        Self { actor, verb }
    }
}

impl Store {
    /// Sends an audited verb to the writer and waits for its commit.
    pub async fn write_by<V: Audited>(&self, actor: Actor, verb: V) -> Result<V::Answer> {
        self.write(AuditedVerb::new(actor, verb)).await
    }
}

impl<V: Audited> Verb for AuditedVerb<V> {
    type Answer = V::Answer;

    const ESSENTIAL: bool = V::ESSENTIAL;

    fn apply(&self, db: &Connection) -> Result<V::Answer> {
        let before = self.verb.before(db)?;
        let answer = self.verb.apply(db)?;
        if let Some((subject, after)) = self.verb.after(&answer) {
            append(db, &self.actor, V::ACTION, subject, &Details { before, after })?;
        }
        Ok(answer)
    }

    fn change(&self, answer: &V::Answer) -> Option<Change> {
        self.verb.change(answer)
    }

    fn changes(&self, answer: &V::Answer) -> Vec<Change> {
        self.verb.changes(answer)
    }
}
