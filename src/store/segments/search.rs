//! The search in a user's transcripts: the newest first, a page at bounded cost.

use crate::domain::search::{MARK_END, MARK_START, searched};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::meetings::within::{Within, within};
use crate::store::segments::found::{Filter, Search, SearchPage, fits, found_at, found_columns};
use crate::store::segments::index::owner;
use crate::store::segments::moving;
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
    found_columns!(),
    ", CASE WHEN s.unindexed_user_id IS NULL AND ",
    fits!(),
    " THEN highlight(words, 2, :mark_start, :mark_end) END
     FROM words CROSS JOIN segments s ON s.id = words.rowid CROSS JOIN meetings m ON m.id = s.meeting_id
     WHERE words MATCH :match AND words.rowid >= :first AND words.rowid < :before AND ",
    within!(),
    " ORDER BY words.rowid DESC LIMIT :examined"
);

/// Most segments of a few meetings that are looked at to find the first and the last of them: where
/// there are more, the search looks through all that the user ever said.
const LOOKED_AT_MAX: i64 = 10_000;

/// The first and the last segment of the meetings of one id, or of one name, and how many there
/// are. They were stored in a row or nearly, so hardly any others lie between them.
const FIRST_AND_LAST: &str = concat!(
    "SELECT min(id), max(id), count(*) FROM (
       SELECT s.id FROM meetings m JOIN segments s ON s.meeting_id = m.id
       WHERE m.user_id = :user AND (:meeting IS NULL OR m.id = :meeting) AND ",
    within!(),
    " LIMIT :looked_at + 1)"
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
    let mut filter = Filter::of(search);
    let mut first = 0;
    if search.meeting_id.is_some() || search.scope.meeting.is_some() {
        // Without that, all that its owner ever said would be looked through for a few meetings.
        let Some((lowest, highest)) = first_and_last(db, search)? else {
            return Ok(SearchPage::default());
        };
        first = lowest;
        filter.end_with(highest);
    }
    let mut values = filter.values();
    values.push((":first", &first));
    values.push((":mark_start", &mark_start));
    values.push((":mark_end", &mark_end));
    values.push((":match", &expression));
    values.push((":examined", &EXAMINED_MAX));
    let mut statement = db.prepare_cached(SELECT)?;
    let mut rows = statement.query(values.as_slice())?;
    let (mut page, mut examined, mut last) = (SearchPage::default(), 0, None);
    while let Some(row) = rows.next()? {
        examined += 1;
        let fits = row.get::<_, Option<String>>(17)?;
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

/// Between which segments those of the meetings lie that are asked for; `None` where they have none.
/// Between all where they have very many.
fn first_and_last(db: &Connection, search: &Search) -> rusqlite::Result<Option<(i64, i64)>> {
    let within = Within::of(&search.scope);
    let mut values = within.values().to_vec();
    values.push((":user", &search.user_id));
    values.push((":meeting", &search.meeting_id));
    values.push((":looked_at", &LOOKED_AT_MAX));
    let mut find = db.prepare_cached(FIRST_AND_LAST)?;
    find.query_row(values.as_slice(), |row| {
        let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        let is_many = row.get::<_, i64>(2)? > LOOKED_AT_MAX;
        Ok(if is_many { Some((0, i64::MAX - 1)) } else { first.zip(last) })
    })
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
    use crate::domain::search::terms;
    use crate::domain::{MeetingId, Platform, Scope, ScopedMeeting, UserId};
    use crate::store::connection::add_fold;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A file in which user 1 said the same word so often in meeting 1, and a few times in meeting 2.
    fn said_often(times: i64) -> Connection {
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch(include_str!("../../../schema.sql")).expect("tables");
        db.execute_batch(&format!(
            "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES ('a', 'a', 1, '{{}}', 0);
             INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
               VALUES (1, 'teams', '1', 'completed', '{{}}', 0, 0), (1, 'teams', '2', 'completed', '{{}}', 0, 0);
             INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, 'a', 0), (2, 'b', 0);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {times})
               INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker_source,
                 completed, created_at, updated_at)
               SELECT iif(i BETWEEN 101 AND 110, 2, 1), 1, i, i, i + 1, 'word', 'unknown', 1, 0, 0 FROM n;
             INSERT INTO words (rowid, owner, speaker, text) SELECT id, 'u1', '', text FROM segments;",
        ))
        .expect("rows");
        add_fold(&db).expect("a function");
        db
    }

    /// How much SQLite does for a search, and how many segments it finds.
    fn effort(db: &Connection, search: &Search) -> (u64, usize) {
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        db.progress_handler(100, Some(count)).expect("a handler");
        let found = select(db, search).expect("a page").found.len();
        db.progress_handler(0, None::<fn() -> bool>).expect("none");
        (steps.load(Ordering::Relaxed), found)
    }

    #[test]
    fn a_search_in_a_few_meetings_does_not_look_through_all() {
        let db = said_often(5000);
        let all = Search {
            user_id: UserId(1),
            scope: Scope::default(),
            terms: terms("word"),
            speaker: None,
            platform: None,
            meeting_id: None,
            from: None,
            to: None,
            before: None,
            limit: 100,
        };
        let meeting =
            ScopedMeeting { platform: Platform::Teams, native_meeting_id: "2".to_owned() };
        let scope = Scope { meeting: Some(meeting), ..Scope::default() };
        let by_scope = Search { scope, ..all.clone() };
        let by_id = Search { meeting_id: Some(MeetingId(2)), ..all.clone() };
        let (of_hundred, found) = effort(&db, &all);
        assert_eq!(found, 100);
        for search in [by_scope, by_id] {
            let (steps, found) = effort(&db, &search);
            assert_eq!(found, 10);
            assert!(steps < of_hundred, "{steps} where a page of 100 takes {of_hundred}");
        }
        let none = Search { meeting_id: Some(MeetingId(3)), ..all };
        assert_eq!(effort(&db, &none).1, 0);
    }

    #[test]
    fn a_search_in_a_very_long_meeting_does_not_count_its_segments() {
        let search = Search {
            user_id: UserId(1),
            scope: Scope::default(),
            terms: terms("word"),
            speaker: None,
            platform: None,
            meeting_id: Some(MeetingId(1)),
            from: None,
            to: None,
            before: None,
            limit: 100,
        };
        let (long, found) = effort(&said_often(2 * LOOKED_AT_MAX), &search);
        let (very_long, _) = effort(&said_often(8 * LOOKED_AT_MAX), &search);
        assert_eq!(found, 100);
        assert!(very_long < long + long / 10, "{long} and {very_long} steps");
    }

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
