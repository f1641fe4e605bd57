//! Transcripts as JSON, text or subtitles; sent in pages, however long they are.

use crate::api::meetings::{StoredNameInPath, owned};
use crate::app::App;
use crate::auth::User;
use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::withheld::Withheld;
use crate::domain::{Meeting, MeetingId, Segment, SegmentId, Subtitles, Time, TranscriptCursor};
use crate::error::{Error, Result};
use crate::http::entity_tag::{KnownTags, TaggedResponse, is_among, weak_tag};
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json_doc};
use crate::http::{JsonStream, PageSource, StreamedResponse};
use crate::store::{RevisionPlace, TranscriptChanges, WithheldPlace};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

input! {
    /// Path and query of `GET /transcripts/{platform}/{native_meeting_id}`.
    pub(crate) struct GetTranscriptInput {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
        flatten wanted: WantedTranscript,
    }
}

input! {
    /// What of a transcript is asked for, and how; the same for a meeting by its name and by its id.
    pub(crate) struct WantedTranscript {
        query format: Option<Subtitles>,
        query after: Option<TranscriptCursor>,
        query_or(false) withheld: bool,
        header known_tags: Option<KnownTags> as "If-None-Match",
    }
}

/// A meeting with its transcript.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transcript {
    /// The meeting.
    #[serde(flatten)]
    meeting: Meeting,
    /// How far the transcript is read with this response: what to send as `after` next time.
    cursor: TranscriptCursor,
    /// Whether `segments` are all that there are, so that what was read before is to be dropped;
    /// else they are those that are new or have changed since `after`.
    is_whole: bool,
    /// The ids of segments that are gone since `after`; drop them before you take `segments`.
    #[schema(example = json!([]))]
    removed: Vec<String>,
    /// The segments by the time at which they were spoken; with `after`, by the time of their last
    /// change.
    segments: Vec<Segment>,
    /// What an engine heard and is not believed, by its time; with `withheld=true` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<Vec<Withheld>>,
}

/// A transcript that is being sent.
pub(crate) struct TranscriptPages {
    app: Arc<App>,
    meeting: Meeting,
    format: Option<Subtitles>,
    json: JsonStream,
    /// What comes before the segments.
    changes: TranscriptChanges,
    /// Where the last page ended.
    place: PagePlace,
    has_begun: bool,
    /// Whether what is withheld is sent too.
    shows_withheld: bool,
    /// How many segments of text or subtitles were written.
    written: u64,
}

/// Where a page ended.
enum PagePlace {
    /// In the whole transcript, by time; `None` before the first page.
    Time(Option<(Time, SegmentId)>),
    /// In what has changed, by revision.
    Changes(RevisionPlace),
    /// Behind the segments: in what is withheld, by time; `None` before the first page.
    Withheld(Option<WithheldPlace>),
}

impl PageSource for TranscriptPages {
    fn content_type(&self) -> &'static str {
        self.format.map_or("application/json", Subtitles::content_type)
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        if let PagePlace::Withheld(last) = self.place {
            return self.write_withheld(out, last).await;
        }
        let (segments, is_last) = self.read_page().await?;
        if !self.has_begun {
            self.has_begun = true;
            self.begin(out)?;
        }
        for segment in &segments {
            match self.format {
                // Text and subtitles hold no drafts.
                Some(_) if !segment.completed => {}
                Some(format) => {
                    self.written += 1;
                    out.extend_from_slice(format.entry(self.written, segment).as_bytes());
                }
                None => self.json.item(out, segment)?,
            }
        }
        if !is_last || self.format.is_some() {
            return Ok(is_last);
        }
        self.json.end(out);
        if self.shows_withheld {
            self.json.begin_list(out, "withheld")?;
            self.place = PagePlace::Withheld(None);
            return Ok(false);
        }
        self.json.end(out);
        Ok(true)
    }

    fn describe() -> Vec<ResponseDoc> {
        let mut responses =
            vec![json_doc::<Transcript>(StatusCode::OK, "The meeting and its transcript")];
        for (media_type, about) in [
            ("text/plain", "A line for each segment"),
            ("application/x-subrip", "Subtitles as SubRip"),
            ("text/vtt", "Subtitles as WebVTT"),
        ] {
            responses.push(ResponseDoc {
                status: StatusCode::OK,
                about,
                content: Some((media_type, None)),
                schemas: vec![],
            });
        }
        responses
    }
}

impl TranscriptPages {
    fn new(
        app: Arc<App>,
        meeting: Meeting,
        format: Option<Subtitles>,
        changes: TranscriptChanges,
    ) -> Self {
        let place = match changes.after {
            Some(revision) => PagePlace::Changes((revision, SegmentId(i64::MAX))),
            None => PagePlace::Time(None),
        };
        let json = JsonStream::new();
        let (has_begun, shows_withheld, written) = (false, false, 0);
        Self { app, meeting, format, json, changes, place, has_begun, shows_withheld, written }
    }

    /// Sends what is withheld too, where this is asked for; text and subtitles hold none of it.
    pub(crate) fn with_withheld(self, shows_withheld: bool) -> Self {
        Self { shows_withheld, ..self }
    }

    /// Writes the next withheld words, and whether they are the last.
    async fn write_withheld(
        &mut self,
        out: &mut Vec<u8>,
        last: Option<WithheldPlace>,
    ) -> Result<bool> {
        let page = self.app.store.withheld(self.meeting.id, last).await?;
        for (place, withheld) in &page.rows {
            self.json.item(out, withheld)?;
            self.place = PagePlace::Withheld(Some(*place));
        }
        if page.is_last {
            self.json.end(out);
            self.json.end(out);
        }
        Ok(page.is_last)
    }

    /// The next segments, and whether they are the last.
    async fn read_page(&mut self) -> Result<(Vec<Segment>, bool)> {
        let mut segments = Vec::new();
        match &mut self.place {
            PagePlace::Time(last) => {
                let page = self.app.store.segments(self.meeting.id, *last).await?;
                for (id, segment) in page.rows {
                    *last = Some((segment.absolute_start_time, id));
                    segments.push(segment);
                }
                Ok((segments, page.is_last))
            }
            PagePlace::Changes(last) => {
                let page = self.app.store.changed_segments(self.meeting.id, *last).await?;
                for (place, segment) in page.rows {
                    *last = place;
                    segments.push(segment);
                }
                Ok((segments, page.is_last))
            }
            // Behind the segments there are no more.
            PagePlace::Withheld(_) => Ok((segments, true)),
        }
    }

    /// Writes what stands before the first segment.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Some(format) = self.format {
            out.extend_from_slice(format.header().as_bytes());
            return Ok(());
        }
        self.json.begin_object_with(out, &self.meeting)?;
        self.json.member(out, "cursor", &self.changes.cursor)?;
        self.json.member(out, "is_whole", &self.changes.after.is_none())?;
        self.json.member(out, "removed", &self.changes.removed)?;
        self.json.begin_list(out, "segments")
    }
}

/// Gets the transcript of the newest meeting with that name, or of the one with the given id: all
/// of it, or what has changed since a cursor. Who has it already is told so, and no segment is read.
pub(crate) async fn get_transcript(
    app: Arc<App>,
    caller: User,
    input: GetTranscriptInput,
) -> Result<TaggedResponse<TranscriptPages>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    let meeting = app.store.meeting(&name)?;
    send_transcript(app, meeting, input.wanted).await
}

/// Begins to send what is wanted of the transcript of a meeting.
pub(crate) async fn send_transcript(
    app: Arc<App>,
    meeting: Meeting,
    wanted: WantedTranscript,
) -> Result<TaggedResponse<TranscriptPages>> {
    let WantedTranscript { format, after, withheld: shows_withheld, known_tags } = wanted;
    if after.is_some() && format.is_some() {
        return Err(after_in_text());
    }
    let withheld = match shows_withheld {
        true => Some(app.store.last_withheld(meeting.id)?),
        false => None,
    };
    let tag = tag(&meeting, app.store.transcript_cursor(meeting.id)?, withheld)?;
    if let (Some(tag), Some(known)) = (&tag, &known_tags)
        && is_among(tag, &known.0)
    {
        return Ok(TaggedResponse::Known(tag.clone()));
    }
    let changes = app.store.transcript_changes(meeting.id, after).await?;
    let pages = TranscriptPages::new(app, meeting, format, changes).with_withheld(shows_withheld);
    Ok(TaggedResponse::New(StreamedResponse::begin(pages).await?, tag))
}

/// What changes with all that a response shows: the meeting, the state of its transcript, and the
/// last of what is withheld, where that is shown.
fn tag(
    meeting: &Meeting,
    cursor: TranscriptCursor,
    withheld: Option<i64>,
) -> Result<Option<HeaderValue>> {
    let shown = match withheld {
        None => serde_json::to_vec(&(meeting, cursor)),
        Some(last) => serde_json::to_vec(&(meeting, cursor, last)),
    };
    let shown = shown.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(weak_tag(blake3::hash(&shown)))
}

fn after_in_text() -> Error {
    let why = "Value error, text and subtitles are always whole: leave out format, or after";
    let loc = vec![LocStep::Name("query"), LocStep::Name("after")];
    let invalid = Invalid::new("value_error", why);
    Error::Invalid(vec![FieldError::new(loc, SentValue::Nothing, invalid)])
}
