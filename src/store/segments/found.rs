//! What a search of segments asks for and finds, whether the word index has it or not.

use crate::domain::search::Term;
use crate::domain::text::fold;
use crate::domain::{MeetingId, Platform, Scope, Segment, SegmentId, Time, UserId, Word};
use crate::store::meetings::within::Within;
use crate::store::segments::read::segment_at;
use rusqlite::{Row, ToSql};

/// What is searched for, and which of it is asked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// The owner of the transcripts.
    pub user_id: UserId,
    /// Only meetings within it.
    pub scope: Scope,
    /// What must be in the text; nothing is found without any.
    pub terms: Vec<Term>,
    /// Who must have said it, without case.
    pub speaker: Option<String>,
    /// Where the meeting was held.
    pub platform: Option<Platform>,
    /// In which meeting.
    pub meeting_id: Option<MeetingId>,
    /// Only segments that began at this time or later.
    pub from: Option<Time>,
    /// Only segments that began before this time.
    pub to: Option<Time>,
    /// Only segments stored before this one.
    pub before: Option<SegmentId>,
    /// How many at most.
    pub limit: usize,
}

/// A segment that was found.
#[derive(Debug)]
pub struct Found {
    /// The segment's id.
    pub id: SegmentId,
    /// The segment.
    pub segment: Segment,
    /// The meeting's id.
    pub meeting_id: MeetingId,
    /// Where the meeting was held.
    pub platform: Word<Platform>,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// The text as it is searched, with marks around what was found.
    pub marked: String,
}

/// What was found, the last stored first.
#[derive(Debug, Default)]
pub struct SearchPage {
    /// The segments.
    pub found: Vec<Found>,
    /// Where to go on; a page may be short, or empty, and yet others follow.
    pub next: Option<SegmentId>,
}

/// Whether a segment `s` of a meeting `m` fits the filters, words apart.
macro_rules! fits {
    () => {
        concat!(
            "m.user_id = :user AND (:platform IS NULL OR m.platform = :platform) AND (:meeting IS NULL OR m.id = :meeting)
         AND (:from IS NULL OR s.absolute_start >= :from) AND (:to IS NULL OR s.absolute_start < :to)
         AND (:speaker IS NULL OR fold(",
            $crate::store::corrections::shown::shown_speaker!(),
            ") = :speaker)"
        )
    };
}

pub(crate) use fits;

/// The values of [`fits`], and where a page begins.
pub(crate) struct Filter {
    user_id: UserId,
    within: Within,
    platform: Option<Platform>,
    meeting_id: Option<MeetingId>,
    from: Option<Time>,
    to: Option<Time>,
    speaker: Option<String>,
    before: i64,
}

impl Filter {
    /// The filters of a search.
    pub(crate) fn of(search: &Search) -> Self {
        Self {
            user_id: search.user_id,
            within: Within::of(&search.scope),
            platform: search.platform,
            meeting_id: search.meeting_id,
            from: search.from,
            to: search.to,
            speaker: search.speaker.as_deref().map(fold),
            before: search.before.map_or(i64::MAX, |id| id.0),
        }
    }

    /// Leaves out what was stored after this segment.
    pub(crate) fn end_with(&mut self, last: i64) {
        self.before = self.before.min(last.saturating_add(1));
    }

    /// As a statement takes them.
    pub(crate) fn values(&self) -> Vec<(&str, &dyn ToSql)> {
        let mut values = self.within.values().to_vec();
        let own: [(&str, &dyn ToSql); 7] = [
            (":user", &self.user_id),
            (":platform", &self.platform),
            (":meeting", &self.meeting_id),
            (":from", &self.from),
            (":to", &self.to),
            (":speaker", &self.speaker),
            (":before", &self.before),
        ];
        values.extend(own);
        values
    }
}

/// The columns of [`found_at`], of the tables `s` and `m`; behind them each statement has its own.
macro_rules! found_columns {
    () => {
        concat!(
            $crate::store::segments::read::segment_columns!(),
            ", m.id, m.platform, m.native_meeting_id"
        )
    };
}

pub(crate) use found_columns;

/// What was found, from a row that begins with [`found_columns`].
pub(crate) fn found_at(row: &Row<'_>, marked: String) -> rusqlite::Result<Found> {
    let (id, segment) = segment_at(row)?;
    Ok(Found {
        id,
        segment,
        meeting_id: row.get(14)?,
        platform: row.get(15)?,
        native_meeting_id: row.get(16)?,
        marked,
    })
}
