//! Named admin keys as they are read.

use crate::domain::{AdminKey, AdminKeyId, Hint, Time, TokenHash};
use crate::error::Result;
use crate::store::doors::Store;
use rusqlite::{Connection, OptionalExtension, Row};

/// The columns of [`key_at`].
const COLUMNS: &str = "id, name, hint, created_at, expires_at, rotated_at, old_until";

fn key_at(row: &Row<'_>) -> rusqlite::Result<AdminKey> {
    let time = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time::from_millis));
    Ok(AdminKey {
        id: AdminKeyId(row.get(0)?),
        name: row.get(1)?,
        hint: Hint(row.get(2)?),
        created_at: Time::from_millis(row.get(3)?),
        expires_at: time(4)?,
        rotated_at: time(5)?,
        old_until: time(6)?,
    })
}

/// The key with this id.
pub fn find(db: &Connection, id: AdminKeyId) -> rusqlite::Result<Option<AdminKey>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM admin_keys WHERE id = ?1"))?;
    statement.query_row([id.0], key_at).optional()
}

/// A secret by which an admin key opens doors.
#[derive(Debug, Clone)]
pub struct KnownAdminKey {
    /// BLAKE3 of the secret.
    pub hash: TokenHash,
    /// The name of the key.
    pub name: String,
    /// When the secret stops being accepted.
    pub expires_at: Option<Time>,
}

impl Store {
    /// Every named admin key, in the order of their ids.
    pub fn admin_keys(&self) -> Result<Vec<AdminKey>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM admin_keys ORDER BY id"))?;
            statement.query_map([], key_at)?.collect()
        })
    }

    /// Who has an admin key with this hash, the present one or the one before its rotation.
    pub fn known_admin_key(&self, hash: &TokenHash) -> Result<Option<KnownAdminKey>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT name, expires_at, NULL FROM admin_keys WHERE hash = ?1
                 UNION ALL SELECT name, expires_at, old_until FROM admin_keys WHERE old_hash = ?1",
            )?;
            let known = |row: &Row<'_>| {
                let (own, old): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
                let end = own.into_iter().chain(old).min();
                Ok(KnownAdminKey { hash: *hash, name: row.get(0)?, expires_at: end.map(Time::from_millis) })
            };
            statement.query_row([hash.0], known).optional()
        })
    }
}
