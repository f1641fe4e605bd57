//! Whether the new database has what the dump had: how many of each, which key opens whose
//! meetings, every word of every meeting, and all words in the index. What is to be there is counted
//! by the reader of the dump, and worked out from its scratch tables; nothing is taken from the
//! writing but what it has left out by its remarks.

use crate::domain::Time;
use crate::domain::import::{Remark, Remarks};
use crate::domain::search::searched;
use crate::domain::spoken::is_speech;
use crate::exit::{Code, StartupError};
use crate::store::backup::verify::faults;
use crate::store::connection;
use crate::store::import::scratch::time_of;
use crate::store::import::sums::{Said, Sums};
use crate::store::import::work::{Imported, Importing, failed};
use rusqlite::{OptionalExtension, Row};
use serde::Serialize;

/// What was verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verified {
    /// Keys that open the meetings of their user, as many as were imported.
    pub keys: u64,
    /// Meetings whose user and whose words are those of the dump.
    pub meetings: u64,
    /// Segments that are as the dump has them, and in the word index.
    pub segments: u64,
}

/// How many rows the dump has, as its reader has counted them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DumpRows {
    /// Of users and accounts.
    pub users: u64,
    /// Of tokens and accounts, which have one key each.
    pub tokens: u64,
    /// Of meetings.
    pub meetings: u64,
    /// Of transcriptions, and segments of chunks.
    pub segments: u64,
}

/// A difference, in words.
type Fault = Option<String>;

impl Importing {
    /// Holds the new database against what the dump said, after the commit.
    pub(crate) fn verify(
        &self,
        imported: &Imported,
        rows: &DumpRows,
        remarks: &Remarks,
    ) -> Result<Verified, StartupError> {
        let work = self.work().to_owned();
        // The pages, indexes and the word index are looked at meanwhile, by a reader of its own.
        let pages = std::thread::spawn(move || faults(&connection::open_still(&work)?));
        let found = match unaccounted(imported, rows, remarks) {
            Some(why) => Ok(Some(why)),
            None => self.compare(imported),
        };
        let pages = pages.join().map_err(|_| failed(&"the pages cannot be verified"))?;
        let found = found.map_err(|error| failed(&error))?;
        let pages = pages.map_err(|error| failed(&error))?;
        if let Some(why) = found.or_else(|| pages.into_iter().next()) {
            return Err(StartupError::new(
                Code::NotImported,
                format!("The new database is not as the dump says ({why}). Nothing was imported."),
            ));
        }
        let Imported { tokens, meetings, segments, .. } = *imported;
        Ok(Verified { keys: tokens, meetings, segments })
    }

    fn compare(&self, imported: &Imported) -> rusqlite::Result<Fault> {
        if let Some(why) = self.counts(imported)? {
            return Ok(Some(why));
        }
        if let Some(why) = self.expect_users()? {
            return Ok(Some(why));
        }
        if let Some(why) = self.keys()? {
            return Ok(Some(why));
        }
        self.expect_meetings()?;
        if let Some(why) = self.owners()? {
            return Ok(Some(why));
        }
        self.words()
    }

    fn count(&self, sql: &str) -> rusqlite::Result<u64> {
        self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }

    fn counts(&self, imported: &Imported) -> rusqlite::Result<Fault> {
        for (table, expected) in [
            ("users", imported.users),
            ("tokens", imported.tokens),
            ("meetings", imported.meetings),
            ("streams", imported.streams),
            ("segments", imported.segments),
            ("words_content", imported.segments),
        ] {
            let found = self.count(&format!("SELECT count(*) FROM main.{table}"))?;
            if found != expected {
                return Ok(Some(format!("{table}: {found} rows and not {expected}")));
            }
        }
        Ok(None)
    }

    /// Each key opens the user whose it was, as long as it did.
    fn keys(&self) -> rusqlite::Result<Fault> {
        let expected = self.count(
            "SELECT count(DISTINCT o.hash) FROM old.tokens o
             JOIN old.expected_users e ON e.is_account = o.is_account AND e.id = o.owner_id",
        )?;
        let right = self.count(
            "SELECT count(DISTINCT t.id) FROM old.tokens o
             JOIN old.expected_users e ON e.is_account = o.is_account AND e.id = o.owner_id
             JOIN main.tokens t ON t.hash = o.hash AND t.user_id = e.user_id AND t.is_foreign = 1
               AND (t.disabled_at IS NOT NULL) = o.is_disabled AND t.expires_at IS o.expires_at",
        )?;
        Ok((right != expected).then(|| format!("{right} of {expected} keys open their user")))
    }

    /// Each user has exactly the meetings that were theirs.
    fn owners(&self) -> rusqlite::Result<Fault> {
        let (expected, found) = ("old.expected_meetings", "main.meetings");
        for (one, other) in [(expected, found), (found, expected)] {
            let first = format!(
                "SELECT id, user_id FROM {one} EXCEPT SELECT id, user_id FROM {other} LIMIT 1"
            );
            let found: Option<i64> = self.db.query_row(&first, [], |row| row.get(0)).optional()?;
            if let Some(id) = found {
                return Ok(Some(format!("meeting {id} has another user")));
            }
        }
        Ok(None)
    }

    /// Holds every segment of the dump against those of the new database.
    fn words(&self) -> rusqlite::Result<Fault> {
        self.db.execute_batch("BEGIN")?;
        let mut sums = Sums::new(&self.db);
        self.add_words_of_dump(&mut sums)?;
        if let Some(why) = self.take_off_words(&mut sums)? {
            return Ok(Some(why));
        }
        let left = sums.left()?;
        self.db.execute_batch("COMMIT")?;
        Ok(left.map(|meeting_id| format!("meeting {meeting_id} has other words")))
    }

    /// Reads all segments of the dump a second time, each on the clock of its session, or on that
    /// of its meeting.
    fn add_words_of_dump(&self, sums: &mut Sums<'_>) -> rusqlite::Result<()> {
        let mut list = self.db.prepare(
            "SELECT s.meeting_id, s.start, s.is_start_clock, s.end, s.is_end_clock, s.text, s.speaker,
               s.language, CASE WHEN x.uid IS NULL THEN e.begins_at ELSE coalesce(x.started_at, e.starts_at) END
             FROM old.segments s
             CROSS JOIN old.expected_meetings e ON e.id = s.meeting_id
             LEFT JOIN old.sessions x ON x.meeting_id = s.meeting_id AND x.uid = coalesce(s.uid, 'import')",
        )?;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let text = row.get_ref(5)?.as_str()?;
            if !is_speech(text) {
                continue;
            }
            let began: Time = row.get(8)?;
            let one = time_of(row.get(1)?, row.get(2)?).on_clock(began);
            let other = time_of(row.get(3)?, row.get(4)?).on_clock(began);
            let start = one.min(other);
            let end = one.max(other).max(Time::from_millis(start.as_millis() + 1));
            sums.add(row.get(0)?, &said(row, start, end, 5)?)?;
        }
        Ok(())
    }

    /// Reads all segments of the new database, with what the word index has of each.
    fn take_off_words(&self, sums: &mut Sums<'_>) -> rusqlite::Result<Fault> {
        let mut list = self.db.prepare(
            "SELECT s.meeting_id, s.absolute_start, s.absolute_end, s.text, s.speaker, s.language,
               w.c0 = 'u' || e.user_id, w.c1, w.c2, s.id
             FROM main.segments s NOT INDEXED
             LEFT JOIN main.words_content w ON w.id = s.id
             LEFT JOIN old.expected_meetings e ON e.id = s.meeting_id",
        )?;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let said = said(row, row.get(1)?, row.get(2)?, 3)?;
            sums.take_off(row.get(0)?, &said)?;
            let is_owner: Option<bool> = row.get(6)?;
            let spoken = said.speaker.map(searched).unwrap_or_default();
            let is_indexed = is_owner == Some(true)
                && row.get_ref(7)?.as_str_or_null()? == Some(&*spoken)
                && row.get_ref(8)?.as_str_or_null()? == Some(&*searched(said.text));
            if !is_indexed {
                let id: i64 = row.get(9)?;
                return Ok(Some(format!("segment {id} is not in the word index")));
            }
        }
        Ok(None)
    }
}

/// What a row says: text, speaker and language stand from this column on.
fn said<'a>(row: &'a Row<'_>, start: Time, end: Time, at: usize) -> rusqlite::Result<Said<'a>> {
    Ok(Said {
        start,
        end,
        text: row.get_ref(at)?.as_str()?,
        speaker: row.get_ref(at + 1)?.as_str_or_null()?,
        language: row.get_ref(at + 2)?.as_str_or_null()?,
    })
}

/// Whether there are rows of the dump that were neither written nor left out with a remark.
fn unaccounted(imported: &Imported, rows: &DumpRows, remarks: &Remarks) -> Fault {
    let of_segments = [
        Remark::SegmentTimes,
        Remark::SegmentUnread,
        Remark::SegmentEmpty,
        Remark::SegmentOfNoMeeting,
    ];
    let of_meetings = [Remark::MeetingPlanned, Remark::MeetingOfNobody];
    for (what, rows, written, reasons) in [
        ("users", rows.users, imported.users, &[Remark::EmailJoined][..]),
        ("keys", rows.tokens, imported.tokens, &[Remark::KeyTwice, Remark::TokenOfNobody]),
        ("meetings", rows.meetings, imported.meetings, &of_meetings),
        ("segments", rows.segments, imported.segments, &of_segments),
    ] {
        let left_out: u64 = reasons.iter().map(|reason| remarks.count(*reason)).sum();
        if rows != written + left_out {
            return Some(format!(
                "{what}: {rows} in the dump, {written} written and {left_out} left out"
            ));
        }
    }
    None
}
