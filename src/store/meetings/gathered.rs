//! What is noted in the data of a meeting that is over: who spoke, in which languages. What its owner
//! noted stands.

use crate::domain::{Data, Meeting, MeetingId, Time};
use crate::error::Result;
use crate::store::corrections::shown::shown_speaker;
use crate::store::meetings::read::by_id;
use rusqlite::{Connection, params};
use serde_json::Value;

/// Most speakers, and most languages, that are noted.
const NOTED_MAX: i64 = 100;

/// The members of the data that are gathered, and from what of a segment `s`.
const GATHERED: [(&str, &str); 2] =
    [("participants", shown_speaker!()), ("languages", "s.language")];

/// What is gathered from the segments of a meeting, in the order of [`GATHERED`].
pub(crate) type Gathered = [Vec<String>; 2];

/// Gathers what the segments of a meeting say.
pub(crate) fn gathered(db: &Connection, id: MeetingId) -> rusqlite::Result<Gathered> {
    let mut all = Gathered::default();
    for (found, (_, column)) in all.iter_mut().zip(GATHERED) {
        let mut gather = db.prepare_cached(&format!(
            "SELECT {column} AS found FROM segments s WHERE s.meeting_id = ?1 AND found IS NOT NULL
             GROUP BY found ORDER BY min(s.absolute_start), found LIMIT ?2"
        ))?;
        let rows = gather.query_map(params![id, NOTED_MAX], |row| row.get(0))?;
        *found = rows.collect::<rusqlite::Result<_>>()?;
    }
    Ok(all)
}

/// The data of a meeting that ends, with what its segments say.
pub(crate) fn with_gathered(db: &Connection, meeting: &Meeting) -> rusqlite::Result<Data> {
    let members = meeting.data.members();
    let mut data = meeting.data.clone();
    for ((name, _), found) in GATHERED.into_iter().zip(gathered(db, meeting.id)?) {
        if !members.contains_key(name) {
            data = data.with(name, Some(&found));
        }
    }
    Ok(data)
}

/// Notes what words say that came after the end of a meeting. `before` is what was gathered before
/// them: what differs from that was noted by the owner.
pub(crate) fn gather_again(
    db: &Connection,
    id: MeetingId,
    before: &Gathered,
    now: Time,
) -> Result<()> {
    let after = gathered(db, id)?;
    if after == *before {
        return Ok(());
    }
    let Some(meeting) = by_id(db, id)? else { return Ok(()) };
    let members = meeting.data.members();
    let mut data = meeting.data.clone();
    for ((name, _), (before, after)) in GATHERED.into_iter().zip(before.iter().zip(&after)) {
        let noted = members.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
        if noted == Some(Value::from(before.clone())) {
            data = data.with(name, Some(after));
        }
    }
    let mut update =
        db.prepare_cached("UPDATE meetings SET data = ?2, updated_at = ?3 WHERE id = ?1")?;
    update.execute(params![id, data, now])?;
    Ok(())
}
