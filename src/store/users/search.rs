//! Users as an administrator searches for them, with what they use now.

use crate::domain::UserId;
use crate::domain::found::{FoundUser, UserState};
use crate::domain::text::fold;
use crate::error::Result;
use crate::store::analytics::user_summary;
use crate::store::doors::Store;
use crate::store::look::{LOOK_LIMIT, Looked, look};
use crate::store::sessions::read::seats_taken;
use crate::store::users::read::MATCHING;
use rusqlite::{Connection, OptionalExtension, named_params, params};

/// Most tokens of a user that are counted, the newest.
const TOKENS_COUNTED: i64 = 1000;

/// Which users are asked for; always in the order of their ids.
#[derive(Debug, Clone)]
pub struct UserSearch {
    /// Only those with this text in e-mail or name, without case.
    pub matching: Option<String>,
    /// Only those in this state.
    pub state: Option<UserState>,
    /// Only ids above this one.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
}

impl UserSearch {
    fn sql() -> String {
        format!(
            "SELECT id, erasing_at IS NULL
               AND (:disabled IS NULL OR (disabled_at IS NOT NULL) = :disabled)
               AND (:text IS NULL OR coalesce({MATCHING}, 0))
             FROM users WHERE id > :after ORDER BY id LIMIT :look"
        )
    }

    fn select(&self, db: &Connection) -> rusqlite::Result<Looked<FoundUser>> {
        let mut statement = db.prepare_cached(&Self::sql())?;
        let values = named_params! {
            ":disabled": self.state.map(|state| state == UserState::Disabled),
            ":text": self.matching.as_deref().map(fold),
            ":after": self.after,
            ":look": LOOK_LIMIT,
        };
        look(statement.query(values)?, self.limit)?.with(|id| found_user(db, UserId(id)))
    }
}

fn found_user(db: &Connection, id: UserId) -> rusqlite::Result<Option<FoundUser>> {
    let mut user = db.prepare_cached(
        "SELECT id, email, name, image_url, max_concurrent_bots, created_at, disabled_at
         FROM users WHERE id = ?1",
    )?;
    let user = user.query_row([id], |row| Ok((user_summary(row)?, row.get(6)?)));
    let Some((user, disabled_at)) = user.optional()? else { return Ok(None) };
    let mut tokens = db.prepare_cached(
        "SELECT count(*), max(last_used_at) FROM
           (SELECT last_used_at FROM tokens WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2)",
    )?;
    let (tokens, last_used_at) =
        tokens.query_row(params![id, TOKENS_COUNTED], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let seats_in_use = seats_taken(db, id)?;
    Ok(Some(FoundUser { user, disabled_at, seats_in_use, tokens, last_used_at }))
}

impl Store {
    /// The users that fit, as of one moment; a long read.
    pub async fn search_users(&self, search: UserSearch) -> Result<Looked<FoundUser>> {
        self.read_long(move |db| search.select(&*db.unchecked_transaction()?)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::look::plan;

    #[test]
    fn users_are_looked_at_in_the_order_of_their_ids() {
        let steps = plan::steps(&plan::tables(), &UserSearch::sql());
        assert_eq!(steps, "SEARCH users USING INTEGER PRIMARY KEY (rowid>?)\n");
    }
}
