//! What one batch does to the segments of a stream.

use crate::domain::spoken::is_speech;
use crate::domain::{Segment, SegmentId, SegmentInput, Spans, SpeakerSource, Time};
use crate::error::Result;
use crate::store::corrections::shown::Corrections;
use crate::store::segments::revisions;
use crate::store::segments::row::{
    SegmentRow, delete, find, identities_of, identity, row_at, row_columns, shown_id,
};
use crate::store::segments::session::Session;
use crate::store::segments::streams::{Stream, spans};
use crate::store::writer::verb::Stored;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Segments that came without a speaker are named again by events that come this much later, in
/// seconds.
pub(crate) const NAMED_AGAIN_SECONDS: i64 = 60;

/// A batch while it is stored: what it has changed until now.
pub(crate) struct Batch<'a> {
    db: &'a Connection,
    session: &'a Session,
    now: Time,
    /// How much longer what is stored lasts, in milliseconds; below 0 where it became shorter.
    pub more_ms: i64,
    changed: BTreeMap<SegmentId, Segment>,
    removed: Vec<String>,
    /// The revision that it makes of the transcript, once it has changed something.
    revision: Option<i64>,
    /// When who spoke, once that was asked for.
    spans: Option<Spans>,
}

/// A segment on its way into the file.
pub(crate) struct Prepared<'a> {
    pub identity: String,
    pub start: Time,
    pub end: Time,
    pub input: &'a SegmentInput,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(db: &'a Connection, session: &'a Session, now: Time) -> Self {
        let (changed, removed) = (BTreeMap::new(), Vec::new());
        Self { db, session, now, more_ms: 0, changed, removed, revision: None, spans: None }
    }

    fn revision(&mut self) -> Result<i64> {
        if let Some(revision) = self.revision {
            return Ok(revision);
        }
        let revision = revisions::begin_next(self.db, self.session.meeting_id)?;
        self.revision = Some(revision);
        Ok(revision)
    }

    /// Deletes segments of the meeting by their ids, whichever stream they are of.
    pub(crate) fn retract(&mut self, segment_ids: &[String]) -> Result<usize> {
        let mut retracted = 0;
        for segment_id in segment_ids {
            for identity in identities_of(segment_id) {
                if let Some(row) = find(self.db, self.session.meeting_id, &identity)? {
                    self.remove(&row)?;
                    retracted += 1;
                }
            }
        }
        Ok(retracted)
    }

    fn remove(&mut self, row: &SegmentRow) -> Result<()> {
        let revision = self.revision()?;
        let segment_id = shown_id(&row.identity);
        delete(self.db, row.id)?;
        revisions::note_removed(self.db, self.session.meeting_id, revision, &segment_id)?;
        self.more_ms -= row.counted_ms();
        self.changed.remove(&row.id);
        self.removed.push(segment_id);
        Ok(())
    }

    /// Names the latest segments of a stream that came without a speaker, by its events.
    pub(crate) fn name_again(&mut self, stream: Stream) -> Result<()> {
        let since = self.now.plus_seconds(-NAMED_AGAIN_SECONDS);
        let mut list = self.db.prepare_cached(concat!(
            "SELECT ",
            row_columns!(),
            " FROM segments WHERE stream_id = ?1 ORDER BY id DESC"
        ))?;
        let mut rows = list.query([stream.id])?;
        let mut latest = Vec::new();
        while let Some(row) = rows.next()? {
            let row = row_at(row)?;
            if row.created_at < since {
                break;
            }
            if !row.speaker_source.is_sent() {
                latest.push(row);
            }
        }
        for before in latest {
            let (speaker, speaker_source) =
                self.speaker_by_events(stream, before.start, before.end)?;
            if (&speaker, speaker_source) == (&before.speaker, before.speaker_source) {
                continue;
            }
            let row = SegmentRow { speaker, speaker_source, ..before.clone() };
            row.rename(self.db, &before, self.session.user_id, self.revision()?)?;
            self.changed.insert(before.id, row.shown(self.session.started_at));
        }
        Ok(())
    }

    fn speaker_by_events(
        &mut self,
        stream: Stream,
        from: Time,
        to: Time,
    ) -> Result<(Option<String>, SpeakerSource)> {
        let spans = match &mut self.spans {
            Some(spans) => spans,
            none => none.insert(spans(self.db, stream)?),
        };
        let speaker = spans.speaker(from, to).map(str::to_owned);
        let source = if speaker.is_some() { SpeakerSource::Events } else { SpeakerSource::Unknown };
        Ok((speaker, source))
    }

    /// Stores the segments of a stream that are words, withdraws the drafts that they follow, and
    /// returns how many there were.
    pub(crate) fn store(&mut self, stream: Stream, inputs: &[SegmentInput]) -> Result<usize> {
        let mut speakers = BTreeSet::new();
        // The last draft of each speaker.
        let mut drafts: BTreeMap<&str, String> = BTreeMap::new();
        let mut latest: BTreeMap<String, Prepared<'_>> = BTreeMap::new();
        for input in inputs {
            let speaker = input.speaker.as_deref().unwrap_or_default();
            speakers.insert(speaker);
            if !is_speech(&input.text) {
                continue;
            }
            let prepared = prepare(stream, input);
            let identity = prepared.identity.clone();
            if !input.completed {
                drafts.insert(speaker, identity.clone());
                if latest.get(&identity).is_some_and(|before| before.input.completed) {
                    continue;
                }
            }
            latest.insert(identity, prepared);
        }
        let accepted = latest.len();
        let mut prepared: Vec<Prepared<'_>> = latest.into_values().collect();
        prepared.retain(|segment| {
            let speaker = segment.input.speaker.as_deref().unwrap_or_default();
            segment.input.completed || drafts.get(speaker) == Some(&segment.identity)
        });
        self.store_prepared(stream, prepared)?;
        self.withdraw(stream, &speakers, &drafts)?;
        Ok(accepted)
    }

    /// Stores segments in the order in which they were said.
    pub(crate) fn store_prepared(
        &mut self,
        stream: Stream,
        mut segments: Vec<Prepared<'_>>,
    ) -> Result<()> {
        segments.sort_by_key(|segment| (segment.start, segment.end));
        for segment in segments {
            self.store_one(stream, segment)?;
        }
        Ok(())
    }

    /// Inserts a segment, or replaces the one of the same identity. One that is there to the
    /// letter, as when a bot sends twice, changes nothing; nor does a draft of what is final.
    fn store_one(&mut self, stream: Stream, segment: Prepared<'_>) -> Result<()> {
        let Prepared { identity, start, end, input } = segment;
        let (speaker, speaker_source) = match input.sent_source() {
            Some(source) => (input.speaker.clone(), source),
            None => self.speaker_by_events(stream, start, end)?,
        };
        let before = find(self.db, self.session.meeting_id, &identity)?;
        let mut row = SegmentRow {
            id: SegmentId(0),
            stream_id: stream.id,
            identity,
            start,
            end,
            text: input.text.trim().to_owned(),
            speaker,
            speaker_source,
            language: input.language.clone(),
            completed: input.completed,
            created_at: self.now,
            is_indexed: false,
        };
        let user_id = self.session.user_id;
        match before {
            None => {
                let revision = self.revision()?;
                row.id = row.insert(self.db, self.session.meeting_id, user_id, revision)?;
            }
            Some(before) if before.completed && !row.completed => return Ok(()),
            Some(before) if before.is_same(&row) => return Ok(()),
            Some(before) => {
                (row.id, row.created_at) = (before.id, before.created_at);
                row.replace(self.db, &before, user_id, (self.now, self.revision()?))?;
                self.more_ms -= before.counted_ms();
            }
        }
        self.more_ms += row.counted_ms();
        self.changed.insert(row.id, row.shown(self.session.started_at));
        Ok(())
    }

    /// Stores a draft, and withdraws the one before it of the same speaker.
    pub(crate) fn store_draft(&mut self, stream: Stream, draft: Prepared<'_>) -> Result<()> {
        let speaker = draft.input.speaker.as_deref().unwrap_or_default();
        let held = BTreeMap::from([(speaker, draft.identity.clone())]);
        self.store_prepared(stream, vec![draft])?;
        self.withdraw(stream, &BTreeSet::from([speaker]), &held)
    }

    /// The segment of this identity, if there is one.
    pub(crate) fn find(&self, identity: &str) -> Result<Option<SegmentRow>> {
        Ok(find(self.db, self.session.meeting_id, identity)?)
    }

    /// Deletes the segment of this identity, if there is one.
    pub(crate) fn remove_one(&mut self, identity: &str) -> Result<()> {
        if let Some(row) = find(self.db, self.session.meeting_id, identity)? {
            self.remove(&row)?;
        }
        Ok(())
    }

    /// Deletes the drafts of a stream that begin in this time, in milliseconds on its clock.
    pub(crate) fn remove_drafts(&mut self, stream: Stream, (from, to): (i64, i64)) -> Result<()> {
        for draft in self.drafts(stream)? {
            let begins = draft.start.as_millis() - stream.started_at.as_millis();
            if (from..to).contains(&begins) {
                self.remove(&draft)?;
            }
        }
        Ok(())
    }

    fn drafts(&self, stream: Stream) -> Result<Vec<SegmentRow>> {
        let mut list = self.db.prepare_cached(concat!(
            "SELECT ",
            row_columns!(),
            " FROM segments INDEXED BY drafts WHERE stream_id = ?1 AND completed = 0 ORDER BY id"
        ))?;
        let drafts = list.query_map([stream.id], row_at)?;
        Ok(drafts.collect::<rusqlite::Result<_>>()?)
    }

    /// Deletes the drafts of these speakers, but for those that the batch holds.
    fn withdraw(
        &mut self,
        stream: Stream,
        speakers: &BTreeSet<&str>,
        held: &BTreeMap<&str, String>,
    ) -> Result<()> {
        for draft in self.drafts(stream)? {
            let speaker = draft.sent_speaker();
            if speakers.contains(speaker) && held.get(speaker) != Some(&draft.identity) {
                self.remove(&draft)?;
            }
        }
        Ok(())
    }

    /// What others must hear of it; nothing where nothing has changed.
    pub(crate) fn news(self, session_uid: String) -> Result<Option<Arc<Stored>>> {
        let Self { db, session, now, changed, mut removed, .. } = self;
        if changed.is_empty() && removed.is_empty() {
            return Ok(None);
        }
        let (meeting_id, user_id) = (session.meeting_id, session.user_id);
        crate::store::segments::index::index_oldest(db, user_id, meeting_id)?;
        let corrections = Corrections::of(db, meeting_id)?;
        let mut segments: Vec<Segment> = Vec::new();
        for (id, mut segment) in changed {
            corrections.show(id, &mut segment)?;
            segments.push(segment);
        }
        removed.retain(|id| segments.iter().all(|segment| segment.segment_id != *id));
        let stored = Stored {
            meeting_id,
            platform: session.platform.clone(),
            native_meeting_id: session.native_meeting_id.clone(),
            session_uid,
            segments,
            removed,
            at: now,
        };
        Ok(Some(Arc::new(stored)))
    }
}

fn prepare(stream: Stream, input: &SegmentInput) -> Prepared<'_> {
    let (start, end) = input.on_clock(stream.started_at);
    let start_ms = start.as_millis() - stream.started_at.as_millis();
    let identity =
        identity(input.segment_id.as_deref(), stream.id, start_ms, input.speaker.as_deref());
    Prepared { identity, start, end, input }
}
