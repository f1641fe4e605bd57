//! Segments: from the scratch table into the new database, meeting by meeting and stream by stream,
//! and into the word index at once. What names a segment and where it lies on the clock is decided
//! by the same functions as for those that bots send.

use crate::domain::import::{Remark, Remarks};
use crate::domain::search::searched;
use crate::domain::spoken::is_speech;
use crate::domain::{SegmentInput, SentTime, SpeakerSource, Time, UserId};
use crate::error::Result;
use crate::store::import::meetings::{begin_stream, find_stream};
use crate::store::import::scratch::time_of;
use crate::store::import::work::{Imported, Importing};
use crate::store::segments::index::owner;
use crate::store::segments::row::identity;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};

/// The name of a stream for segments that name no session.
const NO_SESSION: &str = "import";
/// After so many segments whoever waits is told.
const TOLD_EVERY: u64 = 10_000;

/// The meeting whose segments are written.
struct At {
    meeting_id: i64,
    /// When it begins; none where it was not imported.
    begins_at: Option<Time>,
    /// The word that stands for its user in the index.
    owner: String,
    stream: Option<AtStream>,
}

/// The stream whose segments are written.
struct AtStream {
    uid: String,
    id: i64,
    started_at: Time,
    /// Whether the dump says when it began.
    is_known: bool,
}

/// A segment as the scratch table has it.
struct Waiting {
    meeting_id: i64,
    uid: String,
    created_at: Option<Time>,
    row_id: i64,
    input: SegmentInput,
}

fn waiting_at(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let uid: Option<String> = row.get(1)?;
    Ok(Waiting {
        meeting_id: row.get(0)?,
        uid: uid.unwrap_or_default(),
        created_at: row.get(9)?,
        row_id: row.get(11)?,
        input: SegmentInput {
            segment_id: row.get(10)?,
            start: time_of(row.get(2)?, row.get(3)?),
            end: time_of(row.get(4)?, row.get(5)?),
            absolute: None,
            text: row.get(6)?,
            speaker: row.get(7)?,
            by_platform: false,
            language: row.get(8)?,
            completed: true,
        },
    })
}

/// The statements that write a segment.
struct Write<'a> {
    db: &'a Connection,
    segment: Statement<'a>,
    words: Statement<'a>,
}

impl Importing {
    pub(super) fn load_segments(
        &self,
        imported: &mut Imported,
        remarks: &mut Remarks,
        progress: &mut dyn FnMut(&'static str, u64),
    ) -> Result<()> {
        let mut write = Write {
            db: &self.db,
            segment: self.db.prepare(
                "INSERT INTO main.segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text,
                   speaker, speaker_source, language, completed, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?10)
                 ON CONFLICT (meeting_id, identity) DO NOTHING",
            )?,
            words: self.db.prepare(
                "INSERT INTO main.words (rowid, owner, speaker, text) VALUES (?1, ?2, ?3, ?4)",
            )?,
        };
        let mut list = self
            .db
            .prepare("SELECT * FROM old.segments ORDER BY meeting_id, uid, start, row_id")?;
        let mut rows = list.query([])?;
        let mut at = self.go_to(0)?;
        while let Some(row) = rows.next()? {
            let segment = waiting_at(row)?;
            if segment.meeting_id != at.meeting_id {
                at = self.go_to(segment.meeting_id)?;
            }
            let Some(begins_at) = at.begins_at else {
                remarks.add(Remark::SegmentOfNoMeeting, || {
                    format!("segment {} of meeting {}", segment.row_id, segment.meeting_id)
                });
                continue;
            };
            if !is_speech(&segment.input.text) {
                remarks.add(Remark::SegmentEmpty, || format!("segment {}", segment.row_id));
                continue;
            }
            let stream = match at.stream.take() {
                Some(stream) if stream.uid == segment.uid => stream,
                _ => self.stream(&segment, begins_at, imported)?,
            };
            let is_relative = matches!(segment.input.start, SentTime::Offset(_));
            if is_relative && !stream.is_known {
                remarks.add(Remark::SegmentOfNoSession, || format!("segment {}", segment.row_id));
            }
            write.one(&at, &stream, &segment, remarks)?;
            at.stream = Some(stream);
            imported.segments += 1;
            if imported.segments.is_multiple_of(TOLD_EVERY) {
                progress("segments", imported.segments);
            }
        }
        Ok(())
    }

    /// Goes on to a meeting.
    fn go_to(&self, meeting_id: i64) -> Result<At> {
        let mut find =
            self.db.prepare_cached("SELECT user_id, begins_at FROM old.kept WHERE id = ?1")?;
        let found =
            find.query_row([meeting_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (user_id, begins_at): (Option<UserId>, Option<Time>) = found.unzip();
        let owner = user_id.map(owner).unwrap_or_default();
        Ok(At { meeting_id, begins_at, owner, stream: None })
    }

    /// The stream of a segment; one of a session that the dump does not have begins with the
    /// meeting.
    fn stream(
        &self,
        segment: &Waiting,
        begins_at: Time,
        imported: &mut Imported,
    ) -> Result<AtStream> {
        let uid = segment.uid.clone();
        let name = if uid.is_empty() { NO_SESSION } else { &uid };
        if let Some((id, started_at)) = find_stream(&self.db, segment.meeting_id, name)? {
            return Ok(AtStream { uid, id, started_at, is_known: true });
        }
        let id = begin_stream(&self.db, segment.meeting_id, name, begins_at)?;
        self.begin_clock(segment.meeting_id, begins_at)?;
        imported.streams += 1;
        Ok(AtStream { uid, id, started_at: begins_at, is_known: false })
    }
}

impl Write<'_> {
    fn one(
        &mut self,
        at: &At,
        stream: &AtStream,
        segment: &Waiting,
        remarks: &mut Remarks,
    ) -> Result<()> {
        let input = &segment.input;
        let (start, end) = input.on_clock(stream.started_at);
        let start_ms = start.as_millis() - stream.started_at.as_millis();
        let speaker = input.speaker.as_deref();
        let named = identity(input.segment_id.as_deref(), stream.id, start_ms, speaker);
        let source = input.sent_source().unwrap_or(SpeakerSource::Unknown);
        let created_at = segment.created_at.unwrap_or(end);
        let mut write = |identity: &str| {
            self.segment.execute(params![
                at.meeting_id,
                stream.id,
                identity,
                start,
                end,
                input.text,
                speaker,
                source,
                input.language,
                created_at
            ])
        };
        if write(&named)? == 0 {
            // Beside another one that begins with it; both were there, so both stay.
            let mut other = format!("{named}:{}", segment.row_id);
            while write(&identity(Some(&other), 0, 0, None))? == 0 {
                other.push('+');
            }
            remarks.add(Remark::SegmentEqual, || format!("segment {}", segment.row_id));
        }
        let id = self.db.last_insert_rowid();
        let spoken = speaker.map(searched).unwrap_or_default();
        self.words.execute(params![id, at.owner, spoken, searched(&input.text)])?;
        Ok(())
    }
}
