//! Tokens as an administrator searches for them, across all users.

use crate::domain::found::FoundToken;
use crate::domain::{Hint, Time, Token, TokenId, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::look::{LOOK_LIMIT, Looked, look};
use crate::store::tokens::read::{term_columns, token_at, token_columns};
use rusqlite::{Connection, OptionalExtension, named_params};

/// Which tokens are asked for; always in the order of their ids.
#[derive(Debug, Clone)]
pub struct TokenSearch {
    /// Whose; everybody's where absent.
    pub user_id: Option<UserId>,
    /// Only those that begin so.
    pub hint: Option<Hint>,
    /// Only those that are accepted now, were not rotated, and end by then.
    pub ending_by: Option<Time>,
    /// Only those that were not used since; one that was never used counts from when it was made.
    pub unused_since: Option<Time>,
    /// Only ids above this one.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
    /// The time of the search.
    pub now: Time,
}

impl TokenSearch {
    fn sql(&self) -> String {
        let whose = if self.user_id.is_some() { "t.user_id = :user" } else { ":user IS NULL" };
        format!(
            "SELECT t.id, (:hint IS NULL OR t.hint = :hint)
               AND (:unused IS NULL OR coalesce(t.last_used_at, t.created_at) <= :unused)
               AND (:ending IS NULL OR (t.disabled_at IS NULL AND t.replaced_by IS NULL
                    AND coalesce(t.expires_at > :now, 1)
                    AND (t.disuse_seconds IS NOT NULL OR coalesce(t.expires_at <= :ending, 0))))
               AND EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id AND u.erasing_at IS NULL
                    AND (:ending IS NULL OR u.disabled_at IS NULL))
             FROM tokens t WHERE {whose} AND t.id > :after ORDER BY t.id LIMIT :look"
        )
    }

    fn select(&self, db: &Connection) -> rusqlite::Result<Looked<FoundToken>> {
        let mut statement = db.prepare_cached(&self.sql())?;
        let values = named_params! {
            ":user": self.user_id,
            ":hint": self.hint,
            ":unused": self.unused_since,
            ":ending": self.ending_by,
            ":now": self.now,
            ":after": self.after,
            ":look": LOOK_LIMIT,
        };
        look(statement.query(values)?, self.limit)?.with(|id| found_token(db, TokenId(id)))
    }

    /// Whether a token fits by what is known of its last use, which may be later than what the
    /// file says.
    pub(crate) fn fits(&self, token: &Token) -> bool {
        let since = token.last_used_at.unwrap_or(token.created_at);
        let is_unused = self.unused_since.is_none_or(|unused| since <= unused);
        let is_ending = self.ending_by.is_none_or(|by| {
            token.check(None, self.now).is_ok() && token.ends_at(None).is_some_and(|end| end <= by)
        });
        is_unused && is_ending
    }
}

fn found_token(db: &Connection, id: TokenId) -> rusqlite::Result<Option<FoundToken>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT u.email, ",
        token_columns!(),
        " FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = ?1"
    ))?;
    let found = statement.query_row([id], |row| {
        let token = token_at(row, 1)?;
        Ok(FoundToken { email: row.get(0)?, ends_at: token.ends_at(None), token })
    });
    found.optional()
}

impl Store {
    /// The tokens that may fit, as of one moment and by the last uses that the file has; a long
    /// read.
    pub async fn search_tokens(&self, search: TokenSearch) -> Result<Looked<FoundToken>> {
        self.read_long(move |db| search.select(&*db.unchecked_transaction()?)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::look::plan;

    #[test]
    fn tokens_are_looked_at_in_the_order_of_their_ids_or_by_their_user() {
        let search = |user_id| TokenSearch {
            user_id,
            hint: None,
            ending_by: None,
            unused_since: None,
            after: 0,
            limit: 1,
            now: Time::from_millis(0),
        };
        let db = plan::tables();
        for (user_id, first) in [
            (None, "SEARCH t USING INTEGER PRIMARY KEY (rowid>?)"),
            (Some(UserId(1)), "SEARCH t USING INDEX tokens_of_user (user_id=? AND rowid>?)"),
        ] {
            let steps = plan::steps(&db, &search(user_id).sql());
            assert!(steps.starts_with(first), "{steps}");
            assert!(!steps.contains("SCAN") && !steps.contains("TEMP B-TREE"), "{steps}");
        }
    }
}
