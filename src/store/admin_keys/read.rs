//! Named admin keys as they are read.

use crate::domain::{AdminKey, AdminKeyId, Time, TokenHash};
use crate::error::Result;
use crate::store::columns::columns;
use crate::store::doors::Store;
use rusqlite::{Connection, OptionalExtension, Row};

columns!(key_columns, key_at: AdminKey of "k" { id, name, hint, created_at, expires_at, rotated_at, old_until });

/// The key with this id.
pub(crate) fn find(db: &Connection, id: AdminKeyId) -> rusqlite::Result<Option<AdminKey>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        key_columns!(),
        " FROM admin_keys k WHERE k.id = ?1"
    ))?;
    statement.query_row([id], |row| key_at(row, 0)).optional()
}

/// A secret by which an admin key opens doors.
#[derive(Debug, Clone)]
pub struct KnownAdminKey {
    /// BLAKE3 of the secret.
    pub hash: TokenHash,
    /// The key's id.
    pub id: AdminKeyId,
    /// The name of the key.
    pub name: String,
    /// Whether the key was rotated since, so that this is its old secret.
    pub is_old: bool,
    /// When the secret stops being accepted.
    pub expires_at: Option<Time>,
}

impl Store {
    /// Every named admin key, in the order of their ids.
    pub fn admin_keys(&self) -> Result<Vec<AdminKey>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(concat!(
                "SELECT ",
                key_columns!(),
                " FROM admin_keys k ORDER BY k.id"
            ))?;
            statement.query_map([], |row| key_at(row, 0))?.collect()
        })
    }

    /// Who has an admin key with this hash, the present one or the one before its rotation.
    pub fn known_admin_key(&self, hash: &TokenHash) -> Result<Option<KnownAdminKey>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, name, 0, expires_at, NULL FROM admin_keys WHERE hash = ?1
                 UNION ALL SELECT id, name, 1, expires_at, old_until FROM admin_keys WHERE old_hash = ?1",
            )?;
            let known = |row: &Row<'_>| {
                let own_end: Option<Time> = row.get(3)?;
                let end_after_rotation: Option<Time> = row.get(4)?;
                let expires_at = own_end.into_iter().chain(end_after_rotation).min();
                Ok(KnownAdminKey {
                    hash: *hash,
                    id: row.get(0)?,
                    name: row.get(1)?,
                    is_old: row.get(2)?,
                    expires_at,
                })
            };
            statement.query_row([hash], known).optional()
        })
    }
}
