//! Where the n-th row of a list is, so that `skip` costs the same at the end of a list as at its
//! start.
//!
//! SQLite's OFFSET reads every row that it leaves out. So the rows of each block of ids are
//! counted, once, when a list is asked for that leaves out many; then only the counts are added up,
//! and OFFSET leaves out the rest of one block. A commit that adds or removes rows makes the counts
//! of their blocks unknown, and the next such list counts these anew.

use rusqlite::hooks::Action;
use rusqlite::{Connection, params};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ids of a block.
const BLOCK_IDS: i64 = 1024;
/// Most blocks whose counts are kept, for 268 million ids in 2 MiB; behind them rows are left out
/// one by one.
const BLOCKS_MAX: usize = 1 << 18;

/// A table of which lists leave out rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// All users.
    Users,
    /// Everybody's meetings.
    Meetings,
}

impl Table {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "users" => Some(Self::Users),
            "meetings" => Some(Self::Meetings),
            _ => None,
        }
    }

    const fn last_id(self) -> &'static str {
        match self {
            Self::Users => "SELECT max(id) FROM users",
            Self::Meetings => "SELECT max(id) FROM meetings",
        }
    }

    const fn count_between(self) -> &'static str {
        match self {
            Self::Users => {
                "SELECT count(*) FROM users WHERE id > ?1 AND id <= ?2 AND erasing_at IS NULL"
            }
            Self::Meetings => "SELECT count(*) FROM meetings WHERE id > ?1 AND id <= ?2",
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// The page lies above this id, or below it where the newest come first.
    pub id: i64,
    /// How many rows from there on are left out as well; fewer than a block has.
    pub skip: i64,
}

/// How many rows a block of ids has.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// Unknown until it is counted, and again after a change.
    rows: Option<u16>,
    /// How often it was changed: what was counted before a change must not be kept after it.
    changes: u32,
}

/// The counts of all blocks, in memory.
#[derive(Default)]
pub(crate) struct Positions {
    users: Mutex<Vec<Block>>,
    meetings: Mutex<Vec<Block>>,
    /// Blocks in which the transaction at work has added or removed rows.
    touched: Mutex<Vec<(Table, usize)>>,
}

impl Positions {
    /// Begins to note what the writer adds and removes.
    pub(crate) fn watch(self: &Arc<Self>, writer: &Connection) -> rusqlite::Result<()> {
        let positions = Arc::clone(self);
        writer.update_hook(Some(move |action, _: &str, table: &str, id| {
            positions.note(action, table, id);
        }))
    }

    /// Notes a row that is added or removed; it is called for every row of every table.
    fn note(&self, action: Action, table: &str, id: i64) {
        let Some(table) = Table::from_name(table) else { return };
        // A user who is being erased is in the list no more, and changes of users are rare.
        if action == Action::SQLITE_UPDATE && table != Table::Users {
            return;
        }
        let block = (table, block_of(id));
        let mut touched = locked(&self.touched);
        // A deletion that takes many rows with it goes through them in the order of their ids.
        if touched.last() != Some(&block) {
            touched.push(block);
        }
    }

    /// Makes the counts of what was noted unknown, once it is committed. What was undone costs a
    /// count and no more.
    pub(crate) fn publish(&self) {
        let touched = std::mem::take(&mut *locked(&self.touched));
        for (table, at) in touched {
            let mut blocks = locked(self.blocks(table));
            grow(&mut blocks, at + 1);
            if let Some(block) = blocks.get_mut(at) {
                block.rows = None;
                block.changes = block.changes.wrapping_add(1);
            }
        }
    }

    /// Where the page begins that leaves out `skip` rows above `after`.
    ///
    /// Call it before anything is read in a transaction: the counts must not be newer than what is
    /// read. Older ones may be met between a commit and its publication, when nobody has been told of
    /// it yet.
    pub(crate) fn behind_first(
        &self,
        db: &Connection,
        table: Table,
        after: i64,
        skip: i64,
    ) -> rusqlite::Result<Start> {
        if skip < BLOCK_IDS {
            return Ok(Start { id: after, skip });
        }
        let counts = self.counts(db, table)?;
        let mut left = skip + rows_up_to(db, table, &counts, after)?;
        let mut at = 0;
        while at < counts.len() && left >= counts[at] {
            left -= counts[at];
            at += 1;
        }
        Ok(Start { id: begin_of(at), skip: left })
    }

    /// Where the page begins that leaves out the newest `skip` rows; it goes on to older ones.
    ///
    /// Call it before anything is read in a transaction, as [`Positions::behind_first`].
    pub(crate) fn behind_newest(
        &self,
        db: &Connection,
        table: Table,
        skip: i64,
    ) -> rusqlite::Result<Start> {
        if skip < BLOCK_IDS {
            return Ok(Start { id: i64::MAX, skip });
        }
        let counts = self.counts(db, table)?;
        let behind = count_between(db, table, begin_of(counts.len()), i64::MAX)?;
        if skip < behind {
            return Ok(Start { id: i64::MAX, skip });
        }
        let mut left = skip - behind;
        let mut at = counts.len();
        while at > 0 && left >= counts[at - 1] {
            left -= counts[at - 1];
            at -= 1;
        }
        Ok(Start { id: begin_of(at) + 1, skip: left })
    }

    /// The counts of the blocks, from the first; those that are unknown are counted, and kept if
    /// they did not change meanwhile.
    fn counts(&self, db: &Connection, table: Table) -> rusqlite::Result<Vec<i64>> {
        let mut blocks = locked(self.blocks(table)).clone();
        let last: Option<i64> =
            db.prepare_cached(table.last_id())?.query_row([], |row| row.get(0))?;
        let number = last.map_or(0, |last| block_of(last) + 1);
        grow(&mut blocks, number);
        let mut counts = Vec::with_capacity(blocks.len());
        let mut counted = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            if let Some(rows) = block.rows {
                counts.push(i64::from(rows));
                continue;
            }
            let rows = count_between(db, table, begin_of(at), begin_of(at + 1))?;
            counts.push(rows);
            counted.push((at, block.changes, rows));
        }
        self.keep(table, blocks.len(), &counted);
        Ok(counts)
    }

    /// Keeps what was counted: a block, how often it was changed before, its rows.
    fn keep(&self, table: Table, number: usize, counted: &[(usize, u32, i64)]) {
        let mut blocks = locked(self.blocks(table));
        grow(&mut blocks, number);
        for (at, changes, rows) in counted {
            let block = &mut blocks[*at];
            if block.changes == *changes {
                block.rows = u16::try_from(*rows).ok();
            }
        }
    }

    fn blocks(&self, table: Table) -> &Mutex<Vec<Block>> {
        match table {
            Table::Users => &self.users,
            Table::Meetings => &self.meetings,
        }
    }
}

/// How many rows have ids up to this one.
fn rows_up_to(db: &Connection, table: Table, counts: &[i64], id: i64) -> rusqlite::Result<i64> {
    let whole_blocks = block_of(id).min(counts.len());
    let begin = begin_of(whole_blocks);
    let below: i64 = counts[..whole_blocks].iter().sum();
    Ok(below + count_between(db, table, begin, id.max(begin))?)
}

/// How many rows have ids above `begin` and up to `end`.
fn count_between(db: &Connection, table: Table, begin: i64, end: i64) -> rusqlite::Result<i64> {
    db.prepare_cached(table.count_between())?.query_row(params![begin, end], |row| row.get(0))
}

/// In which block an id is; ids begin with 1.
fn block_of(id: i64) -> usize {
    usize::try_from((id - 1) / BLOCK_IDS).unwrap_or(0)
}

/// The id before the first of a block.
fn begin_of(block: usize) -> i64 {
    i64::try_from(block).unwrap_or(i64::MAX).saturating_mul(BLOCK_IDS)
}

/// Makes room for so many blocks, as far as they are kept.
fn grow(blocks: &mut Vec<Block>, number: usize) {
    let number = number.min(BLOCKS_MAX);
    if blocks.len() < number {
        blocks.resize(number, Block::default());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
