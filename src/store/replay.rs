//! Applies recorded verbs to another file: the same verbs in the same order give the same rows.

use crate::error::{Error, Result};
use crate::exit::StartupError;
use crate::store::verbs::{DecodedVerb, decode};
use crate::store::writer::job::commit_batch;
use crate::store::writer::record::{Recorded, RecordedVerb};
use crate::store::{file, upgrade};
use rusqlite::Connection;
use std::path::Path;

/// How recorded verbs share transactions. Nothing may depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMode {
    /// All in one transaction.
    OneBatch,
    /// Each in its own.
    OneByOne,
}

/// How a recorded verb comes back.
pub(super) type Decode = fn(&RecordedVerb<'_>) -> Result<DecodedVerb>;

/// Applies the verbs to this file, which is created where it is missing; local ones are left out.
/// Fails where a verb does not come back, or does not end as it did when it was recorded.
///
/// The file is not flushed to the disk: it is thrown away after it was looked at.
pub fn replay(path: &Path, verbs: &[Recorded], mode: ReplayMode) -> Result<()> {
    replay_with(path, verbs, mode, decode)
}

/// The same, for tests that bring verbs of their own.
pub fn replay_with(
    path: &Path,
    verbs: &[Recorded],
    mode: ReplayMode,
    decode: Decode,
) -> Result<()> {
    file::create_private(path, file::Found::Ours).map_err(cannot_open)?;
    let mut connection = upgrade::open(path).map_err(cannot_open)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    match mode {
        ReplayMode::OneBatch => apply(&mut connection, verbs, decode)?,
        ReplayMode::OneByOne => {
            for verb in verbs {
                apply(&mut connection, std::slice::from_ref(verb), decode)?;
            }
        }
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Applies some verbs in one transaction, as the writer does.
fn apply(connection: &mut Connection, verbs: &[Recorded], decode: Decode) -> Result<()> {
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for recorded in verbs {
        let verb: RecordedVerb<'_> = serde_json::from_str(&recorded.json).map_err(|error| {
            Error::Internal(format!("{}: {error}: {}", recorded.name, recorded.json))
        })?;
        let DecodedVerb { job, is_local } = decode(&verb)?;
        if !is_local {
            jobs.push(job);
            expected.push(recorded);
        }
    }
    commit_batch(connection, &mut jobs)?;
    for (job, recorded) in jobs.iter().zip(expected) {
        let failure = job.failure();
        if failure != recorded.failure {
            let (json, before) = (&recorded.json, &recorded.failure);
            return Err(Error::Internal(format!(
                "{json} ended with {failure:?}, when it was recorded with {before:?}"
            )));
        }
    }
    Ok(())
}

fn cannot_open(error: StartupError) -> Error {
    Error::Internal(error.message)
}
