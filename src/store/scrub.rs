//! What was removed leaves the files as well: the index of words, the pages of the database, its
//! log.
//!
//! `SQLite` overwrites what it deletes (`secure_delete`), and FTS5 does so in its own pages
//! (`secure-delete`). Three things stay all the same, and go here: the words by which FTS5 parts
//! its pages from each other, copies of rows that were moved when a page was split or joined, and
//! the older images of pages in the log. A verb that erases says so with [`mark_for_scrub`] in its
//! transaction; what is owed outlives a crash, and [`Store::scrub`] pays it.

use crate::error::Result;
use crate::store::doors::Store;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;

/// Pages that are looked at in one read.
const PAGES_READ: u32 = 1024;
/// Pages that are wiped in one transaction: others must not wait long behind it.
const PAGES_WIPED: usize = 64;
/// Words of the index that are looked at in one read.
const SEPARATORS_READ: u16 = 256;
/// How often the file is looked through, at most: a page may move while it is.
const ROUNDS_MAX: usize = 4;
/// A file of so many pages (128 GiB) is not looked through: there a page of another kind can look
/// like one of a table.
const PAGES_MAX: u32 = 1 << 25;
/// How often a reader is asked again to let go of the log: at first, and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Notes that something of what this transaction removes may be left in the files.
pub(super) fn mark_for_scrub(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO erasures DEFAULT VALUES")?.execute([]).map(drop)
}

impl Store {
    /// How many removals may have left something in the files, how many users are being erased, and
    /// of how many meetings the sound is not deleted yet; a small read.
    pub fn erasures_waiting(&self) -> Result<u64> {
        let count = "SELECT (SELECT count(*) FROM erasures)
            + (SELECT count(*) FROM users WHERE erasing_at IS NOT NULL)
            + (SELECT count(*) FROM erased_sounds)";
        self.read(|db| {
            db.prepare_cached(count)?
                .query_row([], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        })
    }

    /// Wipes what is left of all that was removed before this call. It takes as long as some read
    /// needs the log.
    pub async fn scrub(&self) -> Result<()> {
        let last = "SELECT max(id) FROM erasures";
        let Some(up_to) =
            self.read(|db| db.prepare_cached(last)?.query_row([], |row| row.get(0)))?
        else {
            return Ok(());
        };
        self.mend_index().await?;
        self.wipe_pages().await?;
        let mut pause = PAUSES.0;
        while !self.writer.checkpoint().await? {
            if pause == PAUSES.1 {
                log::warn!("what was removed is still in the database's log: a long read needs it");
            }
            tokio::time::sleep(pause).await;
            pause = PAUSES.1.min(pause * 2);
        }
        self.write(NoteErased { up_to }).await
    }

    /// Replaces the words of nobody by which the index parts its pages.
    async fn mend_index(&self) -> Result<()> {
        let mut after = Some(Separator { segment: 0, term: Vec::new() });
        while let Some(begin) = after {
            let (dead, next) = self.read_long(move |db| dead_separators(db, &begin)).await?;
            if !dead.is_empty() {
                self.write(MendIndex { dead }).await?;
            }
            after = next;
        }
        Ok(())
    }

    /// Looks through the file until nothing is found that no row owns.
    async fn wipe_pages(&self) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            if !self.wipe_pages_once().await? {
                break;
            }
        }
        Ok(())
    }

    async fn wipe_pages_once(&self) -> Result<bool> {
        let (mut begin, mut found) = (1, false);
        while let Some(end) = self.read_long(move |db| Ok(part(page_count(db)?, begin))).await? {
            let pages = self.read_long(move |db| unclean_pages(db, begin..end)).await?;
            for pages in pages.chunks(PAGES_WIPED) {
                self.write(WipePages { pages: pages.into() }).await?;
            }
            found |= !pages.is_empty();
            begin = end;
        }
        Ok(found)
    }
}

/// Where the part of the file ends that begins there; `None` behind its end.
fn part(count: u32, begin: u32) -> Option<u32> {
    if count >= PAGES_MAX {
        log::warn!("the database is too large to be looked through for what was removed");
        return None;
    }
    (begin <= count).then(|| (begin + PAGES_READ).min(count + 1))
}

fn page_count(db: &Connection) -> rusqlite::Result<u32> {
    db.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))
}

const READ_PAGE: &str = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";

/// Those of the pages in whose free space something is left.
fn unclean_pages(db: &Connection, pages: Range<u32>) -> rusqlite::Result<Vec<u32>> {
    let (mut read, mut found) = (db.prepare_cached(READ_PAGE)?, Vec::new());
    for page in pages {
        let unclean = read
            .query_row([page], |row| Ok(leftover(page, row.get_ref(0)?.as_blob()?).is_some()))
            .optional()?;
        if unclean == Some(true) {
            found.push(page);
        }
    }
    Ok(found)
}

/// The free space between the cells of a page and their addresses, if it is not blank
/// (sqlite.org/fileformat2.html, 1.6). Pages of other kinds begin with the upper half of a page
/// number, which is below that of any kind of cell.
fn leftover(page: u32, bytes: &[u8]) -> Option<Range<usize>> {
    let head = if page == 1 { 100 } else { 0 };
    let number = |at: usize| {
        bytes
            .get(head + at..head + at + 2)
            .map(|two| usize::from(two[0]) << 8 | usize::from(two[1]))
    };
    let addresses = match bytes.get(head)? {
        2 | 5 => head + 12,
        10 | 13 => head + 8,
        _ => return None,
    };
    let begin = addresses + 2 * number(3)?;
    let end = number(5).filter(|end| *end > 0).unwrap_or(1 << 16);
    bytes.get(begin..end)?.iter().any(|byte| *byte != 0).then_some(begin..end)
}

/// Wipes the free space of pages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WipePages {
    /// Their numbers.
    pub pages: Vec<u32>,
}

impl Verb for WipePages {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut read = db.prepare_cached(READ_PAGE)?;
        let mut write = db.prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")?;
        for page in &self.pages {
            let Some(mut bytes) =
                read.query_row([page], |row| row.get::<_, Vec<u8>>(0)).optional()?
            else {
                continue;
            };
            if let Some(leftover) = leftover(*page, &bytes) {
                bytes[leftover].fill(0);
                write.execute(params![page, bytes])?;
            }
        }
        Ok(())
    }
}

/// The beginning of a word by which FTS5 finds the page of a segment of its index where the word
/// may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Separator {
    segment: i64,
    /// With the letter of the index in front.
    term: Vec<u8>,
}

/// The first word that the index has from there on.
const NEXT_WORD: &str =
    "SELECT CAST(term AS BLOB) FROM vocabulary WHERE term >= CAST(?1 AS TEXT) LIMIT 1";

/// The word that must part the pages in place of this one; `None` where some word of somebody
/// begins so.
fn replacement(db: &Connection, term: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
    let Some((letter, begin)) = term.split_first().filter(|(_, begin)| !begin.is_empty()) else {
        return Ok(None);
    };
    let next = db
        .prepare_cached(NEXT_WORD)?
        .query_row([begin], |row| row.get::<_, Vec<u8>>(0))
        .optional()?;
    // Words that the page has are among those of the index, so the next of all is not behind its
    // first.
    Ok(next
        .filter(|next| !next.starts_with(begin))
        .map(|next| [&[*letter], next.as_slice()].concat()))
}

/// Some separators from there on that are of nobody's words any more, and where the next read
/// begins.
fn dead_separators(
    db: &Connection,
    begin: &Separator,
) -> rusqlite::Result<(Vec<Separator>, Option<Separator>)> {
    let mut list = db.prepare_cached(
        "SELECT segid, CAST(term AS BLOB) FROM words_idx WHERE (segid, term) > (?1, ?2) ORDER BY segid, term LIMIT ?3",
    )?;
    let values = params![begin.segment, begin.term, SEPARATORS_READ];
    let all =
        list.query_map(values, |row| Ok(Separator { segment: row.get(0)?, term: row.get(1)? }))?;
    let (all, mut dead) = (all.collect::<rusqlite::Result<Vec<_>>>()?, Vec::new());
    for separator in &all {
        if replacement(db, &separator.term)?.is_some() {
            dead.push(separator.clone());
        }
    }
    let next = if all.len() == usize::from(SEPARATORS_READ) { all.last().cloned() } else { None };
    Ok((dead, next))
}

/// Replaces separators that are of nobody's words any more.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MendIndex {
    /// Which; those that are somebody's by now stay.
    pub dead: Vec<Separator>,
}

impl Verb for MendIndex {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut mend = db.prepare_cached(
            "UPDATE OR IGNORE words_idx SET term = ?3 WHERE segid = ?1 AND term = ?2",
        )?;
        for Separator { segment, term } in &self.dead {
            if let Some(replacement) = replacement(db, term)? {
                mend.execute(params![segment, term, replacement])?;
            }
        }
        Ok(())
    }
}

/// Notes that nothing is left of what was removed up to then.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NoteErased {
    up_to: i64,
}

impl Verb for NoteErased {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        db.prepare_cached("DELETE FROM erasures WHERE id <= ?1")?
            .execute([self.up_to])
            .map(drop)?;
        Ok(())
    }
}
