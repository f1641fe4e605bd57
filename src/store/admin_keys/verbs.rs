//! Named admin keys: rows and verbs. The key itself never comes here, only its hash.

use crate::domain::{Action, AdminKey, AdminKeyId, Hint, Subject, Time, TokenHash};
use crate::error::{Error, Result};
use crate::store::admin_keys::read::find;
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// Makes an admin key.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateAdminKey {
    /// Whose; unique.
    pub name: String,
    /// BLAKE3 of the key.
    pub hash: TokenHash,
    /// Its first characters.
    pub hint: Hint,
    /// When it ends by itself.
    pub expires_at: Option<Time>,
    /// BLAKE3 of the named key that makes it; it must still be accepted.
    #[serde(default)]
    pub made_by: Option<TokenHash>,
    /// The time of the change.
    pub now: Time,
}

/// The error of a key that was rotated by somebody else first.
pub(crate) fn rotated_already() -> Error {
    let why = "This key was rotated already; rotate it by the new one.";
    Error::AdminKeyLimited(why.to_owned())
}

/// Whether a key still has this secret, now or as the one before until its end.
fn is_accepted(db: &Connection, hash: &TokenHash, now: Time) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM admin_keys WHERE hash = ?1
               UNION ALL SELECT 1 FROM admin_keys WHERE old_hash = ?1 AND old_until > ?2";
    db.prepare_cached(sql)?.exists(params![hash, now])
}

impl Verb for CreateAdminKey {
    type Answer = AdminKey;

    fn apply(&self, db: &Connection) -> Result<AdminKey> {
        if db.prepare_cached("SELECT 1 FROM admin_keys WHERE name = ?1")?.exists([&self.name])? {
            return Err(Error::AdminKeyTaken);
        }
        if let Some(hash) = &self.made_by
            && !is_accepted(db, hash, self.now)?
        {
            return Err(rotated_already());
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO admin_keys (name, hash, hint, created_at, expires_at, lifetime_seconds)
             VALUES (?1, ?2, ?3, ?4, ?5, (?5 - ?4) / 1000)",
        )?;
        insert.execute(params![self.name, self.hash, self.hint, self.now, self.expires_at])?;
        find(db, AdminKeyId(db.last_insert_rowid()))?.ok_or(Error::AdminKeyNotFound)
    }
}

impl Audited for CreateAdminKey {
    const ACTION: Action = Action::KeyCreate;

    fn after(&self, key: &AdminKey) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Key(key.id), Snapshot::of(key)))
    }
}

/// Rotates an admin key: a new secret under the same name. By its holder, it ends when the old one
/// would have; otherwise it lives as long as the key was meant to.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateAdminKey {
    /// The key.
    pub id: AdminKeyId,
    /// BLAKE3 of the new one.
    pub hash: TokenHash,
    /// The first characters of the new one.
    pub hint: Hint,
    /// How long the old one is accepted yet, in seconds, and never longer than it would have been.
    pub grace_seconds: i64,
    /// The time of the change.
    pub now: Time,
    /// BLAKE3 of the secret by which the holder of the key asks for it, which must still be the
    /// key's; `None` where another administrator does.
    #[serde(default)]
    pub by_holder: Option<TokenHash>,
}

impl Verb for RotateAdminKey {
    type Answer = AdminKey;

    fn apply(&self, db: &Connection) -> Result<AdminKey> {
        if find(db, self.id)?.is_none() {
            return Err(Error::AdminKeyNotFound);
        }
        if let Some(hash) = &self.by_holder {
            let sql = "SELECT 1 FROM admin_keys WHERE id = ?1 AND hash = ?2";
            if !db.prepare_cached(sql)?.exists(params![self.id, hash])? {
                return Err(rotated_already());
            }
        }
        // The secret before an earlier rotation ends now: the way to shut out both is to rotate
        // twice.
        end_hash(db, "SELECT old_hash FROM admin_keys WHERE id = ?1", self.id, self.now)?;
        if self.grace_seconds == 0 {
            end_hash(db, "SELECT hash FROM admin_keys WHERE id = ?1", self.id, self.now)?;
        }
        let mut update = db.prepare_cached(
            "UPDATE admin_keys SET old_hash = iif(?6 > 0, hash, NULL), old_until = iif(?6 > 0, min(?5, coalesce(expires_at, ?5)), NULL),
               hash = ?2, hint = ?3, rotated_at = ?4, expires_at = iif(?7, expires_at, ?4 + 1000 * lifetime_seconds) WHERE id = ?1",
        )?;
        update.execute(params![
            self.id,
            self.hash,
            self.hint,
            self.now,
            self.now.plus_seconds(self.grace_seconds),
            self.grace_seconds,
            self.by_holder.is_some(),
        ])?;
        find(db, self.id)?.ok_or(Error::AdminKeyNotFound)
    }
}

impl Audited for RotateAdminKey {
    const ACTION: Action = Action::KeyRotate;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, key: &AdminKey) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Key(self.id), Snapshot::of(key)))
    }
}

/// Ends an admin key for good, and with it the one before.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeAdminKey {
    /// The key.
    pub id: AdminKeyId,
    /// The time of the change.
    pub now: Time,
}

impl Verb for RevokeAdminKey {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        end_hash(db, "SELECT hash FROM admin_keys WHERE id = ?1", self.id, self.now)?;
        end_hash(db, "SELECT old_hash FROM admin_keys WHERE id = ?1", self.id, self.now)?;
        match db.prepare_cached("DELETE FROM admin_keys WHERE id = ?1")?.execute([self.id])? {
            0 => Err(Error::AdminKeyNotFound),
            _ => Ok(()),
        }
    }
}

impl Audited for RevokeAdminKey {
    const ACTION: Action = Action::KeyRevoke;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, (): &()) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Key(self.id), None))
    }
}

/// A key as the audit log tells of it.
fn snapshot(db: &Connection, id: AdminKeyId) -> Result<Option<Snapshot>> {
    Ok(find(db, id)?.as_ref().and_then(Snapshot::of))
}

/// Remembers a hash of a key as ended, if the query finds one.
fn end_hash(db: &Connection, query: &str, id: AdminKeyId, now: Time) -> Result<()> {
    let hash = db
        .prepare_cached(query)?
        .query_row([id], |row| row.get::<_, Option<TokenHash>>(0))
        .optional()?;
    let Some(hash) = hash.flatten() else { return Ok(()) };
    let mut remember =
        db.prepare_cached("INSERT OR REPLACE INTO ended_keys (hash, ended_at) VALUES (?1, ?2)")?;
    remember.execute(params![hash, now])?;
    Ok(())
}
