//! A verb as it is recorded: its number, and the verb itself as JSON.

use crate::store::writer::verb::Verb;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps every verb that the writer commits, in their order. Tests give one and replay what it
/// kept; a server has none, and encodes nothing.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Recorded>>>);

impl Recorder {
    /// Keeps one more.
    pub fn record(&self, verb: Recorded) {
        self.lock().push(verb);
    }

    /// All that was recorded until now; the next call returns only what comes after it.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.lock())
    }

    /// Holds the writer behind its next commit, before anybody is answered, for as long as this is
    /// kept; for tests.
    pub fn hold(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A verb of a committed transaction.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The verb's name in the table of verbs.
    pub name: &'static str,
    /// The verb as JSON, as [`RecordedVerb`] reads it.
    pub json: String,
    /// How the verb failed; then it changed nothing, and must fail in the same way when it is
    /// applied again.
    pub failure: Option<String>,
}

/// What is recorded of a verb.
#[derive(Deserialize)]
pub struct RecordedVerb<'a> {
    /// The verb's number in the table of verbs.
    pub number: u16,
    /// Whether the actor comes with it.
    pub is_audited: bool,
    /// The verb itself.
    #[serde(borrow)]
    pub verb: &'a RawValue,
}

#[derive(Serialize)]
struct Encoded<'a, V> {
    number: u16,
    is_audited: bool,
    verb: &'a V,
}

/// The verb as JSON. What cannot be written so does not come back either, and says why.
pub(crate) fn encode<V: Verb>(verb: &V) -> String {
    let encoded = Encoded { number: V::NUMBER, is_audited: V::IS_AUDITED, verb };
    match serde_json::to_string(&encoded) {
        Ok(json) => json,
        Err(error) => format!("{} cannot be recorded: {error}", V::NAME),
    }
}
