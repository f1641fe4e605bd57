//! Transcripts: as JSON, as text, as subtitles; page by page, however long they are.

use crate::api::meetings::{NameInPath, owned, write_items};
use crate::app::App;
use crate::auth::User;
use crate::domain::{Meeting, MeetingId, Segment, SegmentId, Subtitles, Time};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::response::{AnswerDoc, json_doc};
use crate::http::{PageSource, StreamedResponse};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

input! {
    /// Path and query of `GET /transcripts/{platform}/{native_meeting_id}`.
    pub struct GetTranscriptInput {
        flatten name: NameInPath,
        query meeting_id: Option<MeetingId>,
        query format: Option<Subtitles>,
    }
}

/// A meeting and all that was said in it.
#[derive(Serialize, ToSchema)]
pub struct Transcript {
    /// The meeting.
    #[serde(flatten)]
    meeting: Meeting,
    /// What was said, by the time on the clock.
    segments: Vec<Segment>,
}

/// A transcript on its way.
pub struct TranscriptPages {
    app: Arc<App>,
    meeting: Meeting,
    format: Option<Subtitles>,
    /// The last segment that was written.
    last: Option<(Time, SegmentId)>,
    /// How many were.
    written: u64,
}

impl PageSource for TranscriptPages {
    fn content_type(&self) -> &'static str {
        self.format.map_or("application/json", Subtitles::content_type)
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let page = self.app.store.segments(self.meeting.id, self.last).await?;
        if self.last.is_none() {
            out.extend_from_slice(&self.head()?);
        }
        self.last = page.rows.last().map(|(id, segment)| (segment.absolute_start_time, *id)).or(self.last);
        let segments = page.rows.iter().map(|(_, segment)| segment);
        match self.format {
            None => write_items(out, segments, self.written == 0)?,
            Some(format) => {
                (self.written + 1..)
                    .zip(segments)
                    .for_each(|(n, segment)| out.extend(format.entry(n, segment).bytes()));
            }
        }
        self.written += page.rows.len() as u64;
        if page.is_last && self.format.is_none() {
            out.extend_from_slice(b"]}");
        }
        Ok(page.is_last)
    }

    fn describe() -> Vec<AnswerDoc> {
        let mut answers = vec![json_doc::<Transcript>(StatusCode::OK, "The meeting and its transcript")];
        for (media_type, about) in [
            ("text/plain", "A line for each segment"),
            ("application/x-subrip", "Subtitles as SubRip"),
            ("text/vtt", "Subtitles as WebVTT"),
        ] {
            answers.push(AnswerDoc {
                status: StatusCode::OK,
                about,
                content: Some((media_type, None)),
                schemas: vec![],
            });
        }
        answers
    }
}

impl TranscriptPages {
    /// What stands before the first segment.
    fn head(&self) -> Result<Vec<u8>> {
        if let Some(format) = self.format {
            return Ok(format.header().into());
        }
        let empty = Transcript { meeting: self.meeting.clone(), segments: Vec::new() };
        let mut head = serde_json::to_vec(&empty).map_err(|error| Error::Internal(error.to_string()))?;
        head.truncate(head.len() - "]}".len());
        Ok(head)
    }
}

/// The newest meeting of that name, or the very one, and what was said in it.
pub async fn get_transcript(
    app: Arc<App>,
    caller: User,
    input: GetTranscriptInput,
) -> Result<StreamedResponse<TranscriptPages>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    let meeting = app.store.meeting(&name)?;
    StreamedResponse::begin(TranscriptPages { app, meeting, format: input.format, last: None, written: 0 }).await
}
