//! Transcripts as JSON, text or subtitles; sent in pages, however long they are.

use crate::api::meetings::{StoredNameInPath, owned};
use crate::app::App;
use crate::auth::User;
use crate::domain::{Meeting, MeetingId, Segment, SegmentId, Subtitles, Time};
use crate::error::Result;
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json_doc};
use crate::http::{JsonStream, PageSource, StreamedResponse};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

input! {
    /// Path and query of `GET /transcripts/{platform}/{native_meeting_id}`.
    pub(crate) struct GetTranscriptInput {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
        query format: Option<Subtitles>,
    }
}

/// A meeting with its transcript.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transcript {
    /// The meeting.
    #[serde(flatten)]
    meeting: Meeting,
    /// The segments, by the time at which they were spoken.
    segments: Vec<Segment>,
}

/// A transcript that is being sent.
pub(crate) struct TranscriptPages {
    app: Arc<App>,
    meeting: Meeting,
    format: Option<Subtitles>,
    json: JsonStream,
    /// The last segment that was written.
    last: Option<(Time, SegmentId)>,
    /// How many segments of text or subtitles were written.
    written: u64,
}

impl PageSource for TranscriptPages {
    fn content_type(&self) -> &'static str {
        self.format.map_or("application/json", Subtitles::content_type)
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let page = self.app.store.segments(self.meeting.id, self.last).await?;
        if self.last.is_none() {
            self.begin(out)?;
        }
        for (id, segment) in &page.rows {
            match self.format {
                // Text and subtitles hold no drafts.
                Some(_) if !segment.completed => {}
                Some(format) => {
                    self.written += 1;
                    out.extend_from_slice(format.entry(self.written, segment).as_bytes());
                }
                None => self.json.item(out, segment)?,
            }
            self.last = Some((segment.absolute_start_time, *id));
        }
        if page.is_last && self.format.is_none() {
            self.json.end(out);
            self.json.end(out);
        }
        Ok(page.is_last)
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
    /// Writes what stands before the first segment.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Some(format) = self.format {
            out.extend_from_slice(format.header().as_bytes());
            return Ok(());
        }
        self.json.begin_object_with(out, &self.meeting)?;
        self.json.begin_list(out, "segments")
    }
}

/// Gets the transcript of the newest meeting with that name, or of the one with the given id.
pub(crate) async fn get_transcript(
    app: Arc<App>,
    caller: User,
    input: GetTranscriptInput,
) -> Result<StreamedResponse<TranscriptPages>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    let meeting = app.store.meeting(&name)?;
    let json = JsonStream::new();
    StreamedResponse::begin(TranscriptPages {
        app,
        meeting,
        format: input.format,
        json,
        last: None,
        written: 0,
    })
    .await
}
