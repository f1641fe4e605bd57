//! What is known of the meetings that go on, to judge what they miss. The statements read the last
//! minutes of a meeting, however long it is.

use crate::domain::alarm::{AFTER_SECONDS, LOOKED_BACK_SECONDS, SoundKnown, Watched};
use crate::domain::speaker::StoredEvent;
use crate::domain::{AlarmKind, MeetingId, Spans, SpeakerChange, Time};
use crate::error::Result;
use crate::store::corrections::shown::shown_speaker;
use crate::store::doors::Store;
use crate::store::meetings::states::OPEN;
use rusqlite::{Connection, OptionalExtension, params};

/// Earlier meetings of a user that are looked at to learn how their bots bring sound.
const EARLIER_MAX: u16 = 20;
/// Segments of the last minutes that are looked at for names.
const SEGMENTS_MAX: u16 = 200;
/// Speaker events of the last minutes that are looked at.
const EVENTS_MAX: u16 = 1000;

impl Store {
    /// All meetings whose bots are in them; a long read. Recordings are no meetings that go on.
    pub(crate) async fn watched(&self, now: Time) -> Result<Vec<Watched>> {
        self.read_long(move |db| {
            // As of one moment: words that come between two statements are missed by neither.
            let moment = db.unchecked_transaction()?;
            let mut list = moment.prepare_cached(&format!(
                "SELECT id, start_time FROM meetings m INDEXED BY open_meetings
                 WHERE status IN {} AND status = 'active' AND start_time IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM uploads WHERE meeting_id = m.id)
                 ORDER BY id",
                *OPEN
            ))?;
            let mut rows = list.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(watched(&moment, row.get(0)?, row.get(1)?, now)?);
            }
            Ok(all)
        })
        .await
    }
}

pub(super) fn watched(
    db: &Connection,
    meeting_id: MeetingId,
    active_since: Time,
    now: Time,
) -> rusqlite::Result<Watched> {
    let words = last_words(db, meeting_id)?;
    let (last_words_at, said_until) = words.unzip();
    let sound = sound(db, meeting_id)?;
    // What tells whether bots bring sound is asked where it decides.
    let is_asked = !sound.is_any && last_words_at.is_none();
    let (nameless, named) = names(db, meeting_id, now)?;
    Ok(Watched {
        meeting_id,
        active_since,
        sound,
        brings_sound: is_asked && brings_sound(db, meeting_id)?,
        last_words_at,
        unheard_since: unheard_since(db, meeting_id, last_words_at, now)?,
        spoken_ms: spoken_ms(db, meeting_id, said_until.unwrap_or(active_since), now)?,
        nameless,
        named,
        raised: raised(db, meeting_id)?,
    })
}

/// When the latest words were stored, and until when they were spoken.
fn last_words(db: &Connection, id: MeetingId) -> rusqlite::Result<Option<(Time, Time)>> {
    let mut find = db.prepare_cached(
        "SELECT updated_at, absolute_end FROM segments WHERE meeting_id = ?1
         ORDER BY absolute_start DESC, id DESC LIMIT 1",
    )?;
    find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn sound(db: &Connection, id: MeetingId) -> rusqlite::Result<SoundKnown> {
    let mut find = db.prepare_cached(
        "SELECT count(*), count(*) FILTER (WHERE source = 'whisper_live'),
           coalesce(sum(heard_ms), 0), coalesce(max(heard_ms - cut_ms), 0)
         FROM sounds WHERE meeting_id = ?1 AND source <> 'recording'",
    )?;
    find.query_row([id], |row| {
        let (any, steady): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(SoundKnown {
            is_any: any > 0,
            is_steady: steady > 0,
            heard_ms: row.get(2)?,
            behind_ms: row.get(3)?,
        })
    })
}

/// Whether the bots of the user bring sound by a socket: those of the latest earlier meeting that
/// has words did, or there is no such meeting.
fn brings_sound(db: &Connection, id: MeetingId) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM sounds WHERE meeting_id = e.id AND source IN ('whisper_live', 'bot'))
         FROM (SELECT o.id, o.bot_container_id FROM meetings m JOIN meetings o ON o.user_id = m.user_id AND o.id < m.id
               WHERE m.id = ?1 ORDER BY o.id DESC LIMIT ?2) e
         WHERE e.bot_container_id IS NOT NULL AND EXISTS (SELECT 1 FROM segments WHERE meeting_id = e.id)
         ORDER BY e.id DESC LIMIT 1",
    )?;
    let found = find.query_row(params![id, EARLIER_MAX], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(true))
}

/// Since when the oldest window of the last minutes with voice is without words that came after the
/// last words.
fn unheard_since(
    db: &Connection,
    id: MeetingId,
    last_words_at: Option<Time>,
    now: Time,
) -> rusqlite::Result<Option<Time>> {
    let mut find = db.prepare_cached(
        "SELECT min(w.created_at)
         FROM sounds s JOIN windows w INDEXED BY windows_unheard ON w.sound_id = s.id
         WHERE s.meeting_id = ?1 AND w.created_at > ?2
           AND (w.next_at IS NOT NULL OR w.outcome = 'given_up')",
    )?;
    let looked_back = now.plus_seconds(-LOOKED_BACK_SECONDS);
    let after = last_words_at.map_or(looked_back, |at| at.max(looked_back));
    find.query_row(params![id, after], |row| row.get(0))
}

/// How long somebody spoke after a time, and long enough ago for words to have come, by speaker
/// events.
fn spoken_ms(db: &Connection, id: MeetingId, after: Time, now: Time) -> rusqlite::Result<i64> {
    let from = after.max(now.plus_seconds(-LOOKED_BACK_SECONDS));
    let until = now.plus_seconds(-AFTER_SECONDS);
    if from >= until {
        return Ok(0);
    }
    let mut streams = db.prepare_cached("SELECT id FROM streams WHERE meeting_id = ?1")?;
    let mut events = db.prepare_cached(
        "SELECT at, is_start, participant, name FROM speaker_events
         WHERE stream_id = ?1 AND at > ?2 ORDER BY at DESC LIMIT ?3",
    )?;
    let since = now.plus_seconds(-2 * LOOKED_BACK_SECONDS);
    let mut spoken = 0;
    for stream_id in streams.query_map([id], |row| row.get::<_, i64>(0))? {
        let events = events.query_map(params![stream_id?, since, EVENTS_MAX], |row| {
            let is_start: bool = row.get(1)?;
            let change = if is_start { SpeakerChange::Start } else { SpeakerChange::End };
            Ok(StoredEvent { at: row.get(0)?, change, participant: row.get(2)?, name: row.get(3)? })
        })?;
        let spans = Spans::of(events.collect::<rusqlite::Result<_>>()?);
        spoken = spoken.max(spans.spoken_ms(from, until));
    }
    Ok(spoken)
}

/// How many of the latest segments that are old enough to have a name show none, and how many of
/// the latest show one.
fn names(db: &Connection, id: MeetingId, now: Time) -> rusqlite::Result<(i64, i64)> {
    let mut count = db.prepare_cached(concat!(
        "SELECT count(*) FILTER (WHERE shown IS NULL AND completed AND created_at <= ?3),
           count(*) FILTER (WHERE shown IS NOT NULL)
         FROM (SELECT ",
        shown_speaker!(),
        " AS shown, completed, created_at FROM segments s
           WHERE s.meeting_id = ?1 AND s.absolute_start > ?2
           ORDER BY s.absolute_start DESC LIMIT ?4)"
    ))?;
    let since = now.plus_seconds(-LOOKED_BACK_SECONDS);
    let old = now.plus_seconds(-AFTER_SECONDS);
    count.query_row(params![id, since, old, SEGMENTS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn raised(db: &Connection, id: MeetingId) -> rusqlite::Result<Vec<AlarmKind>> {
    let mut list = db.prepare_cached(
        "SELECT kind FROM alarms WHERE meeting_id = ?1 AND cleared_at IS NULL ORDER BY kind",
    )?;
    list.query_map([id], |row| row.get(0))?.collect()
}
