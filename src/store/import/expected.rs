//! Whose is what, and when it began, as the dump says it: worked out a second time from the scratch
//! tables of the dump, without what the writing of the new database has found.

use crate::domain::Email;
use crate::store::import::meetings::PLANNED_STATES;
use crate::store::import::work::Importing;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

/// Meetings that are to be there, with their user and the clock of segments without a session.
/// Each is an account's, by itself or by what it was scheduled as, or else a user's. Of those that
/// were still to come there are the ones that have a plan.
const MEETINGS: &str = "
WITH owned (id, is_account, owner_id) AS (
  SELECT id, 1, account_id FROM old.meetings WHERE account_id IS NOT NULL
  UNION ALL
  SELECT m.id, 1, p.account_id FROM old.meetings m JOIN old.planned p ON p.id = m.planned_id
  WHERE m.account_id IS NULL AND p.account_id IS NOT NULL
  UNION ALL
  SELECT id, 0, user_id FROM old.meetings m WHERE account_id IS NULL AND NOT EXISTS
    (SELECT 1 FROM old.planned p WHERE p.id = m.planned_id AND p.account_id IS NOT NULL)
)
INSERT INTO old.expected_meetings
SELECT m.id, e.user_id, coalesce(m.start_time, m.created_at, m.updated_at, ?1), 0
FROM owned o
JOIN old.meetings m ON m.id = o.id
JOIN old.expected_users e ON e.is_account = o.is_account AND e.id = o.owner_id
WHERE m.start_time IS NOT NULL OR m.status NOT IN (SELECT value FROM json_each(?2))
  OR m.join_at > ?1 AND EXISTS (SELECT 1 FROM old.plans p WHERE p.id = m.id AND p.join_at = m.join_at)";

/// A meeting begins with the first of its sessions.
const BEGINNINGS: &str = "
UPDATE old.expected_meetings AS e SET begins_at = coalesce(
  (SELECT min(coalesce(s.started_at, e.starts_at)) FROM old.sessions s WHERE s.meeting_id = e.id),
  e.starts_at)";

impl Importing {
    /// Finds each user and account of the dump in the new database: by the id, else by the address.
    pub(super) fn expect_users(&self) -> rusqlite::Result<Option<String>> {
        let highest = "SELECT ifnull(max(id), 0) FROM old.users WHERE is_account = 0";
        let highest: i64 = self.db.query_row(highest, [], |row| row.get(0))?;
        let mut list = self.db.prepare(
            "SELECT is_account, id, email, is_disabled FROM old.users ORDER BY is_account, id",
        )?;
        let mut find = self
            .db
            .prepare("SELECT email, disabled_at IS NOT NULL FROM main.users WHERE id = ?1")?;
        let mut keep = self.db.prepare("INSERT INTO old.expected_users VALUES (?1, ?2, ?3)")?;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let (is_account, id): (bool, i64) = (row.get(0)?, row.get(1)?);
            let (email, is_disabled): (String, bool) = (row.get(2)?, row.get(3)?);
            let own_id = if is_account { highest + id } else { id };
            let own = find.query_row([own_id], |row| Ok((row.get(0)?, row.get(1)?)));
            let own: Option<(String, bool)> = own.optional()?;
            let user_id = match own {
                Some(own) if is_address(&own.0, &email, id) && own.1 == is_disabled => Some(own_id),
                Some(_) => None,
                None => self.joined_with(&email)?.filter(|older| *older < own_id),
            };
            let Some(user_id) = user_id else {
                return Ok(Some(format!("user {own_id} is not the one of the dump")));
            };
            keep.execute(params![is_account, id, user_id])?;
        }
        Ok(None)
    }

    /// Who has the address of a user who is not there any more.
    fn joined_with(&self, email: &str) -> rusqlite::Result<Option<i64>> {
        if !self.terms.merge_same_email {
            return Ok(None);
        }
        let key = Email::stored(email.to_owned()).key();
        let find = "SELECT id FROM main.users WHERE email_key = ?1";
        self.db.query_row(find, [key], |row| row.get(0)).optional()
    }

    /// Works out which meetings are to be there.
    pub(super) fn expect_meetings(&self) -> rusqlite::Result<()> {
        let planned = json!(PLANNED_STATES).to_string();
        self.db.execute(MEETINGS, params![self.actor.at, planned])?;
        self.db.execute(BEGINNINGS, []).map(drop)
    }
}

/// Whether an address is the one of the dump, or the one that is made where it was taken.
fn is_address(found: &str, email: &str, id: i64) -> bool {
    if found == email {
        return true;
    }
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, "import.invalid"));
    let made = found.strip_prefix(local).and_then(|rest| rest.strip_suffix(domain));
    made.is_some_and(|made| made.starts_with(&format!("+{id}")) && made.ends_with('@'))
}
