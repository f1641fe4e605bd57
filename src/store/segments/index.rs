//! The index of words, kept in step with the segments.

use crate::domain::search::spaced;
use crate::domain::{SegmentId, UserId};
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The word that stands for a user in the index.
pub fn owner(id: UserId) -> String {
    format!("u{}", id.0)
}

/// A segment whose words the index does not have yet.
#[derive(Debug, Clone, Copy)]
struct Changed {
    user_id: UserId,
    is_new: bool,
}

thread_local! {
    /// The writer's thread empties it before each commit.
    static CHANGED: RefCell<BTreeMap<SegmentId, Changed>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes a segment of a user's of which the index does not know yet.
pub fn note_changed(id: SegmentId, user_id: UserId, is_new: bool) {
    CHANGED.with_borrow_mut(|changed| {
        // What was new before it was changed is still new to the index; an id that was undone may be another user's now.
        let was_new = changed.get(&id).is_some_and(|earlier| earlier.is_new);
        changed.insert(id, Changed { user_id, is_new: is_new || was_new });
    });
}

/// Brings the index into step with the segments that were noted, once for all verbs of a commit: FTS5 writes what it has
/// in memory at each savepoint, which would cost more than all else. What a verb noted and undid is gone, and passed over.
pub fn index_changed(db: &Connection) -> Result<()> {
    for (id, Changed { user_id, is_new }) in CHANGED.take() {
        let mut find = db.prepare_cached("SELECT speaker, text FROM segments WHERE id = ?1")?;
        let row = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, String>(1)?));
        let Some((speaker, text)) = find.query_row([id.0], row).optional()? else { continue };
        let mut index = db.prepare_cached(match is_new {
            true => "INSERT INTO words (rowid, owner, speaker, text) VALUES (?1, ?2, ?3, ?4)",
            false => "REPLACE INTO words (rowid, owner, speaker, text) VALUES (?1, ?2, ?3, ?4)",
        })?;
        let speaker = speaker.as_deref().map(spaced).unwrap_or_default();
        index.execute(params![id.0, owner(user_id), speaker, spaced(&text)])?;
    }
    Ok(())
}
