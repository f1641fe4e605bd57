//! Use: counted by day, user and token. Bots are counted with the change itself, the rest is
//! brought in batches.

use crate::domain::{Day, TokenId, UsageBy, UsageCounts, UsageKey, UsageLine, UsagePlace, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::users::read::BEING_ERASED;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;

/// Most lines of a page.
const PAGE_LINES: usize = 2000;

/// Day, user and token of a line; 0 is what it is summed over.
type Place = (i64, i64, i64);

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
            "SELECT {columns}, sum(requests), sum(bots), sum(bot_ms), sum(transcript_ms), sum(sound_ms) FROM usage
             WHERE day BETWEEN ?1 AND ?2 {user} {token} AND {after} AND user_id NOT IN {BEING_ERASED} GROUP BY {group} ORDER BY {group} LIMIT ?8"
        )
    }

    fn has_days(&self) -> bool {
        matches!(self.by, None | Some(UsageBy::Day))
    }

    /// The line with these sums.
    fn line(&self, (day, user, token): Place, counts: UsageCounts) -> UsageLine {
        UsageLine {
            day: self.has_days().then_some(Day::from_number(day)),
            user_id: (user > 0).then_some(UserId(user)),
            token_id: (token > 0).then_some(TokenId(token)),
            counts: counts.into(),
        }
    }

    /// Where in the list a count belongs; `None` where it is not asked for.
    fn place(&self, key: UsageKey) -> Option<Place> {
        let UsageKey { day, user_id, token_id } = key;
        let is_wanted = self.from <= day
            && day <= self.to
            && self.user_id.is_none_or(|wanted| wanted == user_id)
            && self.token_id.is_none_or(|wanted| wanted == token_id);
        let place = match self.by {
            None => (day.number(), user_id.0, token_id.0),
            Some(UsageBy::Day) => (day.number(), 0, 0),
            Some(UsageBy::User) => (0, user_id.0, 0),
            Some(UsageBy::Token) => (0, user_id.0, token_id.0),
        };
        let UsagePlace { day, user_id, token_id } = self.after;
        let after = (
            if self.has_days() { day.map_or(i64::MIN, Day::number) } else { 0 },
            user_id.map_or(0, |id| id.0),
            token_id.map_or(0, |id| id.0),
        );
        (is_wanted && place > after).then_some(place)
    }

    /// Some lines in their order: what the file has, and what is `pending`. Of whom there is no
    /// user any more nothing is counted.
    fn lines(
        &self,
        db: &Connection,
        pending: &[(UsageKey, UsageCounts)],
        max: usize,
    ) -> rusqlite::Result<Vec<UsageLine>> {
        let mut sums: BTreeMap<Place, UsageCounts> = self.sums(db, max)?.into_iter().collect();
        let mut is_user =
            db.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND erasing_at IS NULL")?;
        for (key, counts) in pending {
            if let Some(place) = self.place(*key)
                && is_user.exists([key.user_id])?
            {
                *sums.entry(place).or_default() += *counts;
            }
        }
        // Behind the last one that was read, the file may have more that come before these.
        let lines = sums.into_iter().take(max);
        Ok(lines.map(|(place, counts)| self.line(place, counts)).collect())
    }

    /// The first sums of the file, at most `max`.
    fn sums(&self, db: &Connection, max: usize) -> rusqlite::Result<Vec<(Place, UsageCounts)>> {
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
        statement.query_map(values, sum_at)?.collect()
    }
}

fn sum_at(row: &Row<'_>) -> rusqlite::Result<(Place, UsageCounts)> {
    let counts = UsageCounts {
        requests: row.get(3)?,
        bots: row.get(4)?,
        bot_ms: row.get(5)?,
        transcript_ms: row.get(6)?,
        sound_ms: row.get(7)?,
    };
    Ok(((row.get(0)?, row.get(1)?, row.get(2)?), counts))
}

impl Store {
    /// A page of what was used, by day, user and token, with what is pending in memory; a long
    /// read.
    pub async fn usage(
        &self,
        filter: UsageFilter,
        pending: Vec<(UsageKey, UsageCounts)>,
    ) -> Result<UsagePage> {
        let max = filter.limit.unwrap_or(PAGE_LINES).min(PAGE_LINES);
        let mut lines = self.read_long(move |db| filter.lines(db, &pending, max + 1)).await?;
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
