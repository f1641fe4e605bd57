//! What was said in each meeting, in one sum: what the dump says is added, what the new database has
//! is taken off, and nothing must be left. The order does not matter, and memory stays bounded.

use crate::domain::Time;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Meetings whose sums are in memory at once.
const HELD_MAX: usize = 16 * 1024;
/// Bytes of a hash.
const BYTES: usize = 32;

/// A segment, as far as it is held against the other one.
pub(super) struct Said<'a> {
    pub start: Time,
    pub end: Time,
    pub text: &'a str,
    pub speaker: Option<&'a str>,
    pub language: Option<&'a str>,
}

impl Said<'_> {
    fn hash(&self) -> [u8; BYTES] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.start.as_millis().to_le_bytes());
        hasher.update(&self.end.as_millis().to_le_bytes());
        for part in [Some(self.text), self.speaker, self.language] {
            let length = part.map_or(-1, |part| i64::try_from(part.len()).unwrap_or(i64::MAX));
            hasher.update(&length.to_le_bytes());
            hasher.update(part.unwrap_or_default().as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

/// The sum of the hashes of some segments, and how many they are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    segments: i64,
    parts: [u64; BYTES / 8],
}

impl Sum {
    fn of(said: &Said<'_>) -> Self {
        Self { segments: 1, parts: parts(&said.hash()) }
    }

    fn and(self, other: Self) -> Self {
        let mut sum = self;
        sum.segments = sum.segments.wrapping_add(other.segments);
        for (part, more) in sum.parts.iter_mut().zip(other.parts) {
            *part = part.wrapping_add(more);
        }
        sum
    }

    fn negative(self) -> Self {
        let parts = self.parts.map(u64::wrapping_neg);
        Self { segments: self.segments.wrapping_neg(), parts }
    }

    fn bytes(&self) -> Vec<u8> {
        self.parts.iter().flat_map(|part| part.to_le_bytes()).collect()
    }
}

/// Four numbers out of a hash, or out of what [`Sum::bytes`] made.
fn parts(bytes: &[u8; BYTES]) -> [u64; BYTES / 8] {
    let mut parts = [0; BYTES / 8];
    for (part, bytes) in parts.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *part = u64::from_le_bytes(*bytes);
    }
    parts
}

/// The sums of all meetings; those of the last ones are in memory, the others in `old.sums`.
pub(super) struct Sums<'a> {
    db: &'a Connection,
    held: BTreeMap<i64, Sum>,
}

impl<'a> Sums<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self { db, held: BTreeMap::new() }
    }

    /// Adds what the dump says.
    pub(super) fn add(&mut self, meeting_id: i64, said: &Said<'_>) -> rusqlite::Result<()> {
        self.put(meeting_id, Sum::of(said))
    }

    /// Takes off what the new database has.
    pub(super) fn take_off(&mut self, meeting_id: i64, said: &Said<'_>) -> rusqlite::Result<()> {
        self.put(meeting_id, Sum::of(said).negative())
    }

    fn put(&mut self, meeting_id: i64, sum: Sum) -> rusqlite::Result<()> {
        let held = self.held.entry(meeting_id).or_default();
        *held = held.and(sum);
        if self.held.len() >= HELD_MAX {
            self.keep()?;
        }
        Ok(())
    }

    /// Keeps what is in memory with what is in the table already.
    fn keep(&mut self) -> rusqlite::Result<()> {
        let mut find =
            self.db.prepare_cached("SELECT segments, sum FROM old.sums WHERE meeting_id = ?1")?;
        let mut remove = self.db.prepare_cached("DELETE FROM old.sums WHERE meeting_id = ?1")?;
        let mut keep =
            self.db.prepare_cached("INSERT OR REPLACE INTO old.sums VALUES (?1, ?2, ?3)")?;
        for (meeting_id, sum) in std::mem::take(&mut self.held) {
            let kept = find.query_row([meeting_id], |row| {
                Ok(Sum { segments: row.get(0)?, parts: parts(&row.get(1)?) })
            });
            let sum = sum.and(kept.optional()?.unwrap_or_default());
            if sum == Sum::default() {
                remove.execute([meeting_id])?;
            } else {
                keep.execute(params![meeting_id, sum.segments, sum.bytes()])?;
            }
        }
        Ok(())
    }

    /// The first meeting of which something is left.
    pub(super) fn left(mut self) -> rusqlite::Result<Option<i64>> {
        self.keep()?;
        let first = "SELECT meeting_id FROM old.sums ORDER BY meeting_id LIMIT 1";
        self.db.query_row(first, [], |row| row.get(0)).optional()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said<'_> {
        let start = Time::from_millis(1);
        Said { start, end: start, text, speaker: None, language: None }
    }

    #[test]
    fn nothing_is_left_where_both_say_the_same_in_any_order() {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch(
            "ATTACH ':memory:' AS old;
             CREATE TABLE old.sums (meeting_id INTEGER PRIMARY KEY, segments INTEGER, sum BLOB)",
        )
        .expect("a table");
        // More than are in memory at once.
        let meetings = 0..i64::try_from(2 * HELD_MAX).expect("a number") + 7;
        let fill = |other: &str| {
            let mut sums = Sums::new(&db);
            for text in ["one", "two"] {
                for meeting_id in meetings.clone() {
                    sums.add(meeting_id, &said(text)).expect("added");
                }
            }
            for text in [other, "one"] {
                for meeting_id in meetings.clone().rev() {
                    let text = if meeting_id == 5 { text } else { text.trim_end_matches('!') };
                    sums.take_off(meeting_id, &said(text)).expect("taken off");
                }
            }
            sums.left().expect("read")
        };
        assert_eq!(fill("two"), None);
        assert_eq!(fill("two!"), Some(5));
    }
}
