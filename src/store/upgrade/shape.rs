//! Whether a file has the tables of its version, and nothing else.

use crate::store::upgrade::SCHEMA;
use crate::store::upgrade::steps::newest_version;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// The version that brought the audit log.
pub(in crate::store) const AUDIT_SINCE: i64 = 3;
/// Tables that every version has, and those of the audit log.
const ALWAYS: &[&str] = &["users", "tokens", "meetings"];
const OF_AUDIT: &[&str] = &["audit", "audit_details", "audit_base"];

/// What is wrong with the tables, indexes and triggers of a file of this version, as the end of a
/// sentence. Of an older version only the tables are known that matter most; the steps of an upgrade
/// fail where another is missing.
pub(in crate::store) fn fault(
    connection: &Connection,
    version: i64,
) -> rusqlite::Result<Option<String>> {
    let found = shape(connection)?;
    if version == newest_version() {
        let wanted = fresh_shape()?;
        return Ok(missing(&found, &wanted).or_else(|| added(&found, &wanted)));
    }
    let mut wanted = ALWAYS.to_vec();
    if version >= AUDIT_SINCE {
        wanted.extend(OF_AUDIT);
    }
    let is_there = |name: &str| found.contains_key(&format!("table {name}"));
    let missing = wanted.into_iter().find(|name| !is_there(name));
    Ok(missing.map(|name| format!("has no table {name}")))
}

/// The same for a file that was upgraded, which may have more than a new one: what an administrator
/// has added is no fault of the upgrade.
pub(super) fn fault_of_upgraded(connection: &Connection) -> rusqlite::Result<Option<String>> {
    Ok(missing(&shape(connection)?, &fresh_shape()?))
}

fn fresh_shape() -> rusqlite::Result<BTreeMap<String, String>> {
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(SCHEMA)?;
    shape(&fresh)
}

fn missing(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Option<String> {
    // What is missing most of all comes first.
    let (tables, others): (Vec<_>, Vec<_>) =
        wanted.iter().partition(|(thing, _)| thing.starts_with("table "));
    for (thing, sql) in tables.into_iter().chain(others) {
        match found.get(thing) {
            None => return Some(format!("has no {thing}")),
            Some(other) if other != sql => return Some(format!("has another {thing}")),
            Some(_) => {}
        }
    }
    None
}

fn added(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Option<String> {
    let more = found.keys().find(|thing| !wanted.contains_key(*thing))?;
    Some(format!("has a {more}, which is not of this program"))
}

/// The tables, indexes and triggers of a file, each with its SQL without comments and spaces: a
/// column that was added later stands on the line of the last comment's table. Those of SQLite
/// itself do not count.
pub(super) fn shape(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut rows = connection.prepare(
        "SELECT type || ' ' || name, sql FROM sqlite_schema
         WHERE sql NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, bare(&row.get::<_, String>(1)?))))?;
    rows.collect()
}

fn bare(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    code.flat_map(str::split_whitespace).collect()
}
