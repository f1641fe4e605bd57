//! The search in a user's transcripts: the newest first, a page at bounded cost.

use crate::domain::search::{MARK_END, MARK_START, searched};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::meetings::within::within;
use crate::store::segments::found::{Filter, Search, SearchPage, fits, found_at};
use crate::store::segments::index::owner;
use crate::store::segments::moving;
use crate::store::segments::read::segment_columns;
use rusqlite::{Connection, ErrorCode};
use std::cmp::Reverse;
use std::fmt::Write;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Most segments with the right words that are held against the other filters for one page.
const EXAMINED_MAX: i64 = 10_000;

/// Longest time of a search.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(2);

/// Longest wait for a place among the searches.
const PLACE_TIME_MAX: Duration = Duration::from_secs(5);

/// Steps of SQLite's machine between two looks at the clock.
const OPERATIONS_BETWEEN_LOOKS: i32 = 10_000;

impl Store {
    /// A page of what is found; a long read.
    pub async fn search(&self, search: Search) -> Result<SearchPage> {
        if search.terms.is_empty() {
            return Ok(SearchPage::default());
        }
        let place = timeout(PLACE_TIME_MAX, self.searches.acquire());
        let Ok(Ok(_place)) = place.await else { return Err(Error::Busy) };
        let found = self
            .read_long(move |db| within_time(db, SEARCH_TIME_MAX, || select(db, &search)))
            .await?;
        found.ok_or(Error::TooBroad)
    }
}

/// What is outside of a token's scope is not even a row: where a page ends would tell of it. The
/// highlight is made only of what fits, and without it a row does not fit. What the index has
/// of a segment that was changed since is old: that one is found as it is now, by `moving.rs`.
const SELECT: &str = concat!(
    "SELECT ",
    segment_columns!(),
    ", m.id, m.platform, m.native_meeting_id, CASE WHEN s.unindexed_user_id IS NULL AND ",
    fits!(),
    " THEN highlight(words, 2, :mark_start, :mark_end) END
     FROM words CROSS JOIN segments s ON s.id = words.rowid CROSS JOIN meetings m ON m.id = s.meeting_id
     WHERE words MATCH :match AND words.rowid < :before AND ",
    within!(),
    " ORDER BY words.rowid DESC LIMIT :examined"
);

/// Ends a query that takes too long, wherever it is: `None` then.
fn within_time<T>(
    db: &Connection,
    time_max: Duration,
    query: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let end = Instant::now() + time_max;
    db.progress_handler(OPERATIONS_BETWEEN_LOOKS, Some(move || Instant::now() > end))?;
    let found = query();
    db.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// A page of both: of the index, and of what it does not have yet. Read as of one moment, so that a
/// segment that enters the index meanwhile is found once.
fn select(db: &Connection, search: &Search) -> rusqlite::Result<SearchPage> {
    let moment = db.unchecked_transaction()?;
    let expression = expression(search);
    let indexed = select_indexed(&moment, search, &expression)?;
    let moving = moving::search(&moment, search, &expression)?;
    Ok(united(indexed, moving, search.limit))
}

/// One page of two. Each was looked through down to its `next`, so what is below either of them is
/// left for later.
fn united(one: SearchPage, other: SearchPage, limit: usize) -> SearchPage {
    let mut next = one.next.max(other.next);
    let mut found = one.found;
    found.extend(other.found);
    found.retain(|found| next.is_none_or(|next| found.id >= next));
    found.sort_unstable_by_key(|found| Reverse(found.id));
    if found.len() > limit {
        found.truncate(limit);
        next = found.last().map(|found| found.id);
    }
    SearchPage { found, next }
}

fn select_indexed(
    db: &Connection,
    search: &Search,
    expression: &str,
) -> rusqlite::Result<SearchPage> {
    let (mark_start, mark_end) = (String::from(MARK_START), String::from(MARK_END));
    let filter = Filter::of(search);
    let mut values = filter.values();
    values.push((":mark_start", &mark_start));
    values.push((":mark_end", &mark_end));
    values.push((":match", &expression));
    values.push((":examined", &EXAMINED_MAX));
    let mut statement = db.prepare_cached(SELECT)?;
    let mut rows = statement.query(values.as_slice())?;
    let (mut page, mut examined, mut last) = (SearchPage::default(), 0, None);
    while let Some(row) = rows.next()? {
        examined += 1;
        let fits = row.get::<_, Option<String>>(14)?;
        if page.found.len() == search.limit {
            page.next = last;
            return Ok(page);
        }
        last = Some(row.get(0)?);
        if let Some(marked) = fits {
            page.found.push(found_at(row, marked)?);
        }
    }
    page.next = last.filter(|_| examined == EXAMINED_MAX);
    Ok(page)
}

/// The search as FTS5 says it. Everything that was typed stands in quotes, so none of it is syntax;
/// what holds no word drops out by FTS5's own rule, and where nothing is left nothing is found.
fn expression(search: &Search) -> String {
    let mut expression = format!("owner:{}", quoted(&owner(search.user_id)));
    // The filter above decides; here a name only makes the search quick, if it holds words.
    if let Some(speaker) =
        search.speaker.as_deref().filter(|name| name.chars().any(char::is_alphanumeric))
    {
        let _ = write!(expression, " AND speaker:{}", quoted(&searched(speaker)));
    }
    let mut terms = String::new();
    for term in &search.terms {
        let star = if term.is_prefix { " *" } else { "" };
        let _ = write!(terms, " {}{star}", quoted(&searched(&term.text)));
    }
    let _ = write!(expression, " AND text:({})", terms.trim_start());
    expression
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_ends_with_its_time_and_the_next_one_is_free() {
        let db = Connection::open_in_memory().expect("memory");
        let count = |max: i64| {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT count(*) FROM n";
            db.query_row(sql, [max], |row| row.get::<_, i64>(0))
        };
        let in_transaction = || {
            let _moment = db.unchecked_transaction()?;
            count(i64::MAX)
        };
        assert_eq!(within_time(&db, Duration::ZERO, in_transaction).expect("no fault"), None);
        assert!(db.is_autocommit(), "the transaction goes on");
        assert_eq!(count(100_000).expect("counted"), 100_000);
        assert_eq!(
            within_time(&db, Duration::from_hours(1), || count(3)).expect("no fault"),
            Some(3)
        );
    }
}
