//! Large members of events, kept once for each meeting and compressed. An event is sent with the
//! same bytes at every attempt, so what is taken out of it is put back at the same places.

use crate::domain::{Data, MeetingId};
use crate::error::{Error, Result};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;
use std::io::{Read, Write};

/// A member of a meeting's data of more bytes is kept apart.
const LARGE_BYTES: usize = 512;
/// What stands in the body in place of a member that is kept apart.
const HOLE: &str = "null";
/// Where a meeting's data begins; no text of a meeting can hold its quotes.
const DATA: &str = "\"data\":";

/// Where in a body a member was, and the row that has it.
type Place = (usize, i64);

/// A body as it is kept.
pub(crate) struct StoredBody {
    /// The body, with holes.
    pub body: String,
    /// Where the holes are, as JSON; `None` where there are none.
    pub parts: Option<String>,
}

/// Keeps the large members of an event of a meeting apart.
pub(crate) fn keep(
    db: &Connection,
    meeting_id: MeetingId,
    data: &Data,
    body: &str,
) -> Result<StoredBody> {
    let members = data.members();
    let whole = StoredBody { body: body.to_owned(), parts: None };
    let is_large = |value: &RawValue| value.get().len() > LARGE_BYTES;
    let whole_data = format!("{DATA}{}", data.as_json());
    if !members.values().any(|value| is_large(value)) || !body.contains(&whole_data) {
        return Ok(whole);
    }
    let mut holed = String::new();
    let mut places: Vec<Place> = Vec::new();
    let mut rest = body;
    // The last event of a meeting has its data twice.
    while let Some(at) = rest.find(&whole_data) {
        holed.push_str(&rest[..at + DATA.len()]);
        holed.push('{');
        for (name, value) in &members {
            if !holed.ends_with('{') {
                holed.push(',');
            }
            holed.push_str(&json(name)?);
            holed.push(':');
            if is_large(value) {
                places.push((holed.len(), part(db, meeting_id, value.get())?));
                holed.push_str(HOLE);
            } else {
                holed.push_str(value.get());
            }
        }
        holed.push('}');
        rest = &rest[at + whole_data.len()..];
    }
    holed.push_str(rest);
    let parts = json(&places)?;
    if whole_body(db, &holed, &parts)? != body {
        return Ok(whole);
    }
    Ok(StoredBody { body: holed, parts: Some(parts) })
}

/// The body of an event, with all that is kept apart.
pub(crate) fn whole_body(db: &Connection, body: &str, parts: &str) -> Result<String> {
    let places: Vec<Place> = serde_json::from_str(parts).map_err(broken)?;
    let mut read = db.prepare_cached("SELECT json FROM event_parts WHERE id = ?1")?;
    let mut whole = String::new();
    let mut from = 0;
    for (at, id) in places {
        let compressed: Vec<u8> = read.query_row([id], |row| row.get(0))?;
        whole.push_str(body.get(from..at).unwrap_or_default());
        ZlibDecoder::new(compressed.as_slice()).read_to_string(&mut whole).map_err(broken)?;
        from = at + HOLE.len();
    }
    whole.push_str(body.get(from..).unwrap_or_default());
    Ok(whole)
}

/// Deletes the parts of a meeting that none of its events has any more.
pub(crate) fn forget_unused(db: &Connection, meeting_id: MeetingId) -> Result<()> {
    let mut forget = db.prepare_cached(
        "DELETE FROM event_parts WHERE meeting_id = ?1 AND id NOT IN
           (SELECT place.value ->> 1 FROM deliveries d, json_each(d.parts) AS place
            WHERE d.meeting_id = ?1 AND d.parts IS NOT NULL)",
    )?;
    forget.execute([meeting_id])?;
    Ok(())
}

/// The row of a part, which is added where the meeting has none like it.
fn part(db: &Connection, meeting_id: MeetingId, value: &str) -> Result<i64> {
    let hash = *blake3::hash(value.as_bytes()).as_bytes();
    let mut find =
        db.prepare_cached("SELECT id FROM event_parts WHERE meeting_id = ?1 AND hash = ?2")?;
    let known = find.query_row(params![meeting_id, hash], |row| row.get(0)).optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(value.as_bytes()).map_err(broken)?;
    let compressed = compressed.finish().map_err(broken)?;
    let mut insert =
        db.prepare_cached("INSERT INTO event_parts (meeting_id, hash, json) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![meeting_id, hash, compressed])?;
    Ok(db.last_insert_rowid())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("an event: {error}"))
}
