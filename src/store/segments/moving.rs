//! The search in segments that the index does not have yet: some rows of the caller's, read by the
//! very same tokenizer.

use crate::domain::SegmentId;
use crate::domain::search::{MARK_END, MARK_START, searched};
use crate::store::meetings::within::within;
use crate::store::segments::found::{
    Filter, Found, Search, SearchPage, fits, found_at, found_columns,
};
use crate::store::segments::index::owner;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Most segments that are read for one page.
const READ_MAX: u16 = 5000;
/// After how many bytes of text no more are read for it.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// Those that the index does not have as they are now, newest first, as far as the other filters
/// fit.
const SELECT: &str = concat!(
    "SELECT ",
    found_columns!(),
    " FROM segments s INDEXED BY unindexed_segments JOIN meetings m ON m.id = s.meeting_id
     WHERE s.unindexed_user_id = :user AND s.id < :before AND ",
    fits!(),
    " AND ",
    within!(),
    " ORDER BY s.id DESC LIMIT :examined"
);

/// What is found among them by this expression of FTS5.
pub(crate) fn search(
    db: &Connection,
    search: &Search,
    expression: &str,
) -> rusqlite::Result<SearchPage> {
    let Candidates { mut segments, next } = candidates(db, search)?;
    if segments.is_empty() {
        return Ok(SearchPage::default());
    }
    let index = index_in_memory(db, search, segments.values())?;
    let mut find = index
        .prepare("SELECT rowid, highlight(words, 2, ?2, ?3) FROM words WHERE words MATCH ?1 ORDER BY rowid DESC")?;
    let mut rows =
        find.query(params![expression, String::from(MARK_START), String::from(MARK_END)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: SegmentId = row.get(0)?;
        if let Some(segment) = segments.remove(&id) {
            let marked = row.get(1)?;
            found.push(Found { marked, ..segment });
        }
    }
    Ok(SearchPage { found, next })
}

/// Segments that may be found, and where to go on where there are too many.
struct Candidates {
    segments: BTreeMap<SegmentId, Found>,
    next: Option<SegmentId>,
}

fn candidates(db: &Connection, search: &Search) -> rusqlite::Result<Candidates> {
    let filter = Filter::of(search);
    let mut values = filter.values();
    values.push((":examined", &READ_MAX));
    let mut statement = db.prepare_cached(SELECT)?;
    let mut rows = statement.query(values.as_slice())?;
    let mut segments = BTreeMap::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let found = found_at(row, String::new())?;
        let id = found.id;
        bytes += found.segment.text.len();
        segments.insert(id, found);
        if segments.len() == usize::from(READ_MAX) || bytes >= READ_BYTES_MAX {
            return Ok(Candidates { segments, next: Some(id) });
        }
    }
    Ok(Candidates { segments, next: None })
}

/// An index of these segments alone, which nobody else sees: made as the file says how its own is
/// made, so that they are read by the same tokenizer. A reader of the file must not write, not even
/// into a table of its own.
fn index_in_memory<'a>(
    db: &Connection,
    search: &Search,
    segments: impl Iterator<Item = &'a Found>,
) -> rusqlite::Result<Connection> {
    let mut definition = db.prepare_cached("SELECT sql FROM sqlite_schema WHERE name = 'words'")?;
    let definition: String = definition.query_row([], |row| row.get(0))?;
    let index = Connection::open_in_memory()?;
    index.execute_batch(&format!("{definition}; BEGIN"))?;
    let owner = owner(search.user_id);
    let mut insert =
        index.prepare("INSERT INTO words (rowid, owner, speaker, text) VALUES (?1, ?2, ?3, ?4)")?;
    for Found { id, segment, .. } in segments {
        let speaker = segment.speaker.as_deref().map(searched).unwrap_or_default();
        insert.execute(params![id, owner, speaker, searched(&segment.text)])?;
    }
    drop(insert);
    index.execute_batch("COMMIT")?;
    Ok(index)
}
