//! Speaker events that come after the words: a window in which two people speak is parted anew.

use crate::domain::{SegmentId, SoundId, Time};
use crate::error::{Error, Result};
use crate::store::segments::batch::{Batch, NAMED_AGAIN_SECONDS};
use crate::store::segments::streams::Stream;
use crate::store::windows::split::WindowSegment;
use crate::store::windows::store_window::{SoundOfWords, sound_of_words};
use rusqlite::{Connection, OptionalExtension, params};

/// Parts the latest windows of a stream anew, where it is the stream of a sound without a speaker.
/// A window of which somebody has corrected something stays as it is.
pub(crate) fn part_again(
    db: &Connection,
    batch: &mut Batch<'_>,
    stream: Stream,
    now: Time,
) -> Result<()> {
    let mut find =
        db.prepare_cached("SELECT id FROM sounds WHERE stream_id = ?1 AND speaker IS NULL")?;
    let id: Option<SoundId> = find.query_row([stream.id], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(()) };
    let Some(sound) = sound_of_words(db, id)? else { return Ok(()) };
    let mut list = db.prepare_cached(
        "SELECT start_ms, heard FROM windows INDEXED BY windows_to_name
         WHERE sound_id = ?1 AND heard IS NOT NULL AND done_at >= ?2 ORDER BY start_ms",
    )?;
    let since = now.plus_seconds(-NAMED_AGAIN_SECONDS);
    let windows = list.query_map(params![id, since], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let windows: Vec<(i64, String)> = windows.collect::<rusqlite::Result<_>>()?;
    for (start_ms, heard) in windows {
        let segments: Vec<WindowSegment> =
            serde_json::from_str(&heard).map_err(|error| Error::Internal(error.to_string()))?;
        part_window(db, batch, &sound, start_ms, &segments)?;
    }
    Ok(())
}

fn part_window(
    db: &Connection,
    batch: &mut Batch<'_>,
    sound: &SoundOfWords,
    start_ms: i64,
    segments: &[WindowSegment],
) -> Result<()> {
    let mut before = 0;
    let mut language = None;
    while let Some(row) = batch.find(&sound.identity(start_ms, before))? {
        if is_corrected(db, row.id)? {
            return Ok(());
        }
        language = row.language;
        before += 1;
    }
    let inputs = sound.inputs(db, segments, language.as_ref())?;
    let prepared = sound.prepared(start_ms, &inputs);
    let after = prepared.len();
    batch.store_prepared(sound.stream, prepared)?;
    for place in after..before {
        batch.remove_one(&sound.identity(start_ms, place))?;
    }
    Ok(())
}

fn is_corrected(db: &Connection, id: SegmentId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM corrections WHERE segment_id = ?1")?.exists([id])
}
