//! Use: counted by day, user and token. Bots are counted with the change itself, the rest is
//! brought in batches.

use crate::domain::{Day, TokenId, UsageBy, UsageCounts, UsageLine, UsagePlace, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use rusqlite::{Connection, Row, params};

/// Most lines of a page.
const PAGE_LINES: usize = 2000;

/// Which use is wanted.
#[derive(Debug, Clone, Copy)]
pub struct UsageFilter {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// Whose, if not everybody's.
    pub user_id: Option<UserId>,
    /// By which token, if not by any.
    pub token_id: Option<TokenId>,
    /// What it is summed by, if it is.
    pub by: Option<UsageBy>,
    /// The line before the first that is wanted.
    pub after: UsagePlace,
    /// Most lines.
    pub limit: Option<usize>,
}

/// Some lines of use in their order.
#[derive(Debug)]
pub struct UsagePage {
    /// The lines.
    pub lines: Vec<UsageLine>,
    /// Whether more follow, within the limit or beyond it.
    pub has_more: bool,
}

impl UsageFilter {
    /// A statement of its own for each kind of filter, for what may be absent is not looked up in
    /// an index.
    fn sql(&self) -> String {
        let (columns, group, after) = match self.by {
            None => (
                "day, user_id, token_id",
                "day, user_id, token_id",
                "(day, user_id, token_id) > (?5, ?6, ?7)",
            ),
            Some(UsageBy::Day) => ("day, 0, 0", "day", "day > ?5"),
            Some(UsageBy::User) => ("0, user_id, 0", "user_id", "user_id > ?6"),
            Some(UsageBy::Token) => {
                ("0, user_id, token_id", "user_id, token_id", "(user_id, token_id) > (?6, ?7)")
            }
        };
        let user = if self.user_id.is_some() { "AND user_id = ?3" } else { "" };
        let token = if self.token_id.is_some() { "AND token_id = ?4" } else { "" };
        format!(
            "SELECT {columns}, sum(requests), sum(bots), sum(bot_ms), sum(transcript_ms) FROM usage
             WHERE day BETWEEN ?1 AND ?2 {user} {token} AND {after} GROUP BY {group} ORDER BY {group} LIMIT ?8"
        )
    }

    fn has_days(&self) -> bool {
        matches!(self.by, None | Some(UsageBy::Day))
    }

    fn line_at(&self, row: &Row<'_>) -> rusqlite::Result<UsageLine> {
        let (user, token): (i64, i64) = (row.get(1)?, row.get(2)?);
        let day: Day = row.get(0)?;
        let counts = UsageCounts {
            requests: row.get(3)?,
            bots: row.get(4)?,
            bot_ms: row.get(5)?,
            transcript_ms: row.get(6)?,
        };
        Ok(UsageLine {
            day: self.has_days().then_some(day),
            user_id: (user > 0).then_some(UserId(user)),
            token_id: (token > 0).then_some(TokenId(token)),
            counts: counts.into(),
        })
    }

    fn lines(&self, db: &Connection, max: usize) -> rusqlite::Result<Vec<UsageLine>> {
        let UsagePlace { day, user_id, token_id } = self.after;
        let mut statement = db.prepare_cached(&self.sql())?;
        // A later page does not look at the days before it once more.
        let first = day.filter(|_| self.has_days()).map_or(self.from, |day| day.max(self.from));
        let values = params![
            first,
            self.to,
            self.user_id,
            self.token_id,
            day.map_or(i64::MIN, Day::number),
            user_id.map_or(0, |id| id.0),
            token_id.map_or(0, |id| id.0),
            i64::try_from(max).unwrap_or(i64::MAX)
        ];
        statement.query_map(values, |row| self.line_at(row))?.collect()
    }
}

impl Store {
    /// A page of what was used, by day, user and token; a long read.
    pub async fn usage(&self, filter: UsageFilter) -> Result<UsagePage> {
        let max = filter.limit.unwrap_or(PAGE_LINES).min(PAGE_LINES);
        let mut lines = self.read_long(move |db| filter.lines(db, max + 1)).await?;
        let has_more = lines.len() > max;
        lines.truncate(max);
        Ok(UsagePage { lines, has_more })
    }

    /// Whether anything is counted of before a day; a small read.
    pub fn has_usage_before(&self, day: Day) -> Result<bool> {
        self.read(|db| {
            db.prepare_cached("SELECT 1 FROM usage WHERE day < ?1")?.exists([day.number()])
        })
    }
}
