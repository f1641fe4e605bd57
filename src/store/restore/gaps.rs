//! Rows that an earlier restore has lost: they are missing and were not deleted, and what became of
//! them before is known by the file alone that was kept then.

use rusqlite::{Connection, OptionalExtension};

/// Tables with ids whose missing rows count as deleted.
pub(super) const WITH_IDS: [&str; 6] =
    ["users", "tokens", "admin_keys", "meetings", "shares", "webhooks"];

/// The tables that it takes.
pub(super) const TABLES: &str = "
    -- Ids that earlier restores have lost, in the file that is attached.
    CREATE TEMP TABLE gaps (entry INTEGER NOT NULL, name TEXT NOT NULL, low INTEGER NOT NULL,
      high INTEGER NOT NULL, head TEXT, kept TEXT);
    -- Rows of the backup among them, and the file that was kept when they were lost.
    CREATE TEMP TABLE unknown (name TEXT NOT NULL, id INTEGER NOT NULL, head TEXT, kept TEXT,
      PRIMARY KEY (name, id));";

/// Filled anew for each file. What a later restore brought back of a gap, from a backup that was
/// made before it, is not in it any more.
const GAPS: &str = "
    DELETE FROM temp.gaps;
    INSERT INTO temp.gaps (entry, name, low, high, head, kept)
      SELECT a.id, i.key,
        max(i.value ->> '$.restored',
          ifnull((SELECT max(l.after ->> ('$.ids.' || i.key || '.restored'))
                  FROM old.audit n JOIN old.audit_details l ON l.audit_id = n.id
                  WHERE n.action = 'database.restore' AND n.id > a.id
                    AND EXISTS (SELECT 1 FROM old.audit h WHERE h.id < a.id
                                AND hex(h.hash) = upper(l.after ->> '$.backup_head'))), 0)),
        i.value ->> '$.given', d.after ->> '$.old_head', d.after ->> '$.kept'
      FROM old.audit a JOIN old.audit_details d ON d.audit_id = a.id, json_each(d.after, '$.ids') i
      WHERE a.action = 'database.restore'";

/// Notes which ids earlier restores have lost in the attached file.
pub(super) fn find_gaps(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(GAPS)
}

/// Notes the rows of the backup that the attached file has lost by an earlier restore: what became
/// of them before is known by the file alone that was kept then.
pub(super) fn find_unknown(db: &Connection) -> rusqlite::Result<()> {
    for table in WITH_IDS {
        db.execute_batch(&format!(
            "INSERT OR IGNORE INTO temp.unknown (name, id, head, kept)
             SELECT g.name, m.id, g.head, g.kept FROM main.{table} m
             JOIN temp.gaps g ON g.name = '{table}' AND m.id > g.low AND m.id <= g.high
             WHERE NOT EXISTS (SELECT 1 FROM old.{table} o WHERE o.id = m.id)
             ORDER BY g.entry"
        ))?;
    }
    Ok(())
}

/// Strikes out what the attached file knows: it has the log of the file that was kept, and did not
/// lose the row itself.
pub(super) fn strike_known(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "DELETE FROM temp.unknown AS u
         WHERE u.head IN (SELECT h.head FROM (SELECT DISTINCT head FROM temp.unknown) h
                          WHERE EXISTS (SELECT 1 FROM old.audit a
                                        WHERE hex(a.hash) = upper(h.head)))
           AND NOT EXISTS (SELECT 1 FROM temp.gaps g
                           WHERE g.name = u.name AND u.id > g.low AND u.id <= g.high)",
    )
}

/// The kept file that is wanted, where there is something that no file knows.
pub(super) fn wanted_file(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT ifnull(kept, 'the file that it kept') FROM temp.unknown LIMIT 1";
    db.query_row(sql, [], |row| row.get(0)).optional()
}
