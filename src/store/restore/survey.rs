//! What the files that are read for what is newer are to the backup: whether they are of one history
//! with it and newer, and which of them was written to last.

use crate::store::audit::log::newest;
use crate::store::audit::read::hex;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// Whose newer rows are counted.
const COUNTED: [&str; 4] = ["users", "tokens", "meetings", "segments"];

/// How the attached file (`old`) and the backup (`main`) belong together. Ids mean the same in both
/// only in the first two cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relation {
    /// The file goes on where the backup ends, or an earlier restore has parted them.
    Newer,
    /// The file ends before the backup: it knows nothing that is newer.
    Older,
    /// They are not of one history, and why that is so.
    Apart(String),
}

/// One file, as it was found. The greater one was written to later.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    last_audit_at: i64,
    last_audit_id: i64,
    clock: i64,
    is_present: bool,
}

/// When the attached file was written to last, as far as it says so itself.
pub(super) fn rank(db: &Connection, is_present: bool) -> rusqlite::Result<Rank> {
    let sql = "SELECT ifnull(max(at), 0), ifnull(max(id), 0),
                 ifnull((SELECT latest FROM old.clock), 0) FROM old.audit";
    db.query_row(sql, [], |row| {
        Ok(Rank {
            last_audit_at: row.get(0)?,
            last_audit_id: row.get(1)?,
            clock: row.get(2)?,
            is_present,
        })
    })
}

/// The hash of the newest entry in the audit log of the attached file.
pub(super) fn head(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT hash FROM (SELECT id, hash FROM old.audit UNION ALL
                 SELECT id, hash FROM old.audit_base) ORDER BY id DESC LIMIT 1";
    let hash: Option<[u8; 32]> = db.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(hash.map(|hash| hex(&hash)))
}

/// How many rows of the attached file are newer than the backup.
pub(super) fn newer_rows(db: &Connection) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
    let mut found = BTreeMap::new();
    for table in COUNTED {
        let count = format!(
            "SELECT count(*) FROM old.{table}
             WHERE id > ifnull((SELECT seq FROM main.sqlite_sequence WHERE name = '{table}'), 0)"
        );
        found.insert(table, db.query_row(&count, [], |row| row.get(0))?);
    }
    Ok(found)
}

/// Tells how the attached file and the backup belong together.
pub(super) fn relation(db: &Connection) -> rusqlite::Result<Relation> {
    let (last, hash) = newest(db)?;
    let base = "SELECT id, hash FROM old.audit_base";
    let base: Option<(i64, [u8; 32])> =
        db.query_row(base, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let entry = "SELECT id, hash FROM old.audit WHERE id = ?1";
    let entry = db.query_row(entry, [last], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let is_known = base == Some((last, hash)) || entry == Some((last, hash));
    // The logs cannot tell: the backup's has nothing, or nothing that the other one still has.
    let is_untold = last == 0 || base.is_some_and(|(id, _)| id > last);
    if !is_known && !is_untold {
        let common = "SELECT ifnull(max(m.id), 0) FROM main.audit m JOIN old.audit o
                      ON o.id = m.id AND o.hash = m.hash";
        let common: i64 = db.query_row(common, [], |row| row.get(0))?;
        let ends_there = "SELECT ifnull(max(id), 0) <= ?1 FROM old.audit";
        let ends_there: bool = db.query_row(ends_there, [common], |row| row.get(0))?;
        if common == 0 || !(ends_there || is_parted_by_restore(db, common)?) {
            let why = format!("their audit logs have nothing in common after entry {common}");
            return Ok(Relation::Apart(why));
        }
        if ends_there {
            return Ok(Relation::Older);
        }
    }
    if !rows_agree(db, is_untold && !is_known)? {
        return Ok(Relation::Apart("the same ids mean others in them".to_owned()));
    }
    let behind = "SELECT EXISTS (SELECT 1 FROM main.sqlite_sequence m
                    WHERE m.name IN ('users', 'tokens', 'admin_keys', 'meetings')
                      AND m.seq > ifnull((SELECT seq FROM old.sqlite_sequence o
                                          WHERE o.name = m.name), 0))";
    match db.query_row(behind, [], |row| row.get(0))? {
        true => Ok(Relation::Older),
        false => Ok(Relation::Newer),
    }
}

/// Whether the logs went apart by restores after which no id of the backup was given again: each
/// has read an old file, and knew all ids that the backup has.
fn is_parted_by_restore(db: &Connection, common: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) > 0 AND min(
                 ifnull(json_array_length(d.after, '$.since'), 0) > 0
                 AND NOT EXISTS (SELECT 1 FROM main.sqlite_sequence s
                   WHERE s.name IN ('users', 'tokens', 'admin_keys', 'meetings')
                     AND s.seq > ifnull(d.after ->> ('$.ids.' || s.name || '.given'), 0)))
               FROM old.audit a LEFT JOIN old.audit_details d ON d.audit_id = a.id
               WHERE a.action = 'database.restore' AND a.id > ?1";
    Ok(db.query_row(sql, [common], |row| row.get::<_, Option<bool>>(0))?.unwrap_or(false))
}

/// Whether rows with the same id are the same rows. Where the logs cannot tell, there must be some.
fn rows_agree(db: &Connection, must_have_some: bool) -> rusqlite::Result<bool> {
    for (table, differs) in [
        ("users", "m.created_at <> o.created_at"),
        ("tokens", "m.created_at <> o.created_at"),
        ("admin_keys", "m.created_at <> o.created_at OR m.name <> o.name"),
        ("meetings", "m.created_at <> o.created_at OR m.user_id <> o.user_id"),
    ] {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM main.{table} m JOIN old.{table} o ON o.id = m.id
                            WHERE {differs})"
        );
        if db.query_row(&sql, [], |row| row.get(0))? {
            return Ok(false);
        }
    }
    let some = "SELECT NOT EXISTS (SELECT 1 FROM main.users)
                  OR EXISTS (SELECT 1 FROM main.users m JOIN old.users o ON o.id = m.id)";
    Ok(!must_have_some || db.query_row(some, [], |row| row.get(0))?)
}
