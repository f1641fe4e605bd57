//! The export of all data of a user as one JSON document, sent in pages however long it is.

use crate::api::users::ById;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::export::{ExportedMeeting, PersonalData};
use crate::domain::{Day, DeliveryId, MeetingId, SegmentId, ShareId, Time, TokenId, UserId};
use crate::error::Result;
use crate::http::response::{ResponseDoc, json_doc};
use crate::http::{JsonStream, PageSource, StreamedResponse};
use crate::store::{NoteExport, Page, WithheldPlace};
use hyper::StatusCode;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;

/// How much is collected before it is sent, in bytes.
const CHUNK_BYTES: usize = 32 * 1024;

/// The part of the document that is written next, and the row after which it goes on.
#[derive(Clone, Copy)]
enum Part {
    Head,
    Tokens(TokenId),
    Meetings(MeetingId),
    Segments(MeetingId, Option<(Time, SegmentId)>),
    Withheld(MeetingId, Option<WithheldPlace>),
    /// The stream and the number of the last event.
    SpeakerEvents(MeetingId, i64, i64),
    Deliveries(DeliveryId),
    Shares(ShareId),
    Usage(Day, TokenId),
    Audit(i64),
    End,
}

impl Part {
    /// The name of the list that begins with it.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Tokens(_) => Some("tokens"),
            Self::Meetings(_) => Some("meetings"),
            Self::Deliveries(_) => Some("deliveries"),
            Self::Shares(_) => Some("shares"),
            Self::Usage(..) => Some("usage"),
            Self::Audit(_) => Some("audit"),
            Self::Withheld(..) => Some("withheld"),
            Self::SpeakerEvents(..) => Some("speaker_events"),
            Self::Head | Self::Segments(..) | Self::End => None,
        }
    }
}

/// An export that is being sent.
pub(crate) struct ExportPages {
    app: Arc<App>,
    user_id: UserId,
    part: Part,
    json: JsonStream,
    /// The meetings that are read and not written yet.
    waiting: VecDeque<ExportedMeeting>,
    /// Whether those are the last.
    no_more_meetings: bool,
}

impl PageSource for ExportPages {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn file_name(&self) -> Option<String> {
        Some(format!("vomeet-user-{}.json", self.user_id))
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        while out.len() < CHUNK_BYTES {
            if matches!(self.part, Part::End) {
                let complete = self.app.store.has_user(self.user_id)?;
                self.json.member(out, "complete", &complete)?;
                self.json.end(out);
                return Ok(true);
            }
            self.part = self.write(out).await?;
        }
        Ok(false)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![json_doc::<PersonalData>(
            StatusCode::OK,
            "All data of the user, as a file to download",
        )]
    }
}

impl ExportPages {
    /// Writes a page of the present part, and says what follows.
    async fn write(&mut self, out: &mut Vec<u8>) -> Result<Part> {
        let store = &self.app.store;
        let id = self.user_id;
        match self.part {
            Part::Head => {
                let (user, webhook, webhooks) = store.export_head(id)?;
                self.json.begin_object(out);
                self.json.member(out, "exported_at", &self.app.clock.now())?;
                self.json.member(out, "user", &user)?;
                self.json.member(out, "webhook", &webhook)?;
                self.json.member(out, "webhooks", &webhooks)?;
                self.json.member(out, "transcription", &store.export_transcription(id)?)?;
                self.begin_list(out, Part::Tokens(TokenId(0)))
            }
            Part::Tokens(after) => {
                let page = self.app.auth.export_tokens(id, after, store).await?;
                let rest = Part::Tokens(page.rows.last().map_or(after, |token| token.id));
                self.write_page(out, &page, rest, Part::Meetings(MeetingId(0)))
            }
            Part::Meetings(after) => self.write_meeting(out, after).await,
            Part::Segments(meeting, after) => self.write_segments(out, meeting, after).await,
            Part::Withheld(meeting, after) => self.write_withheld(out, meeting, after).await,
            Part::SpeakerEvents(meeting, stream, after) => {
                self.write_speaker_events(out, meeting, stream, after).await
            }
            Part::Deliveries(after) => {
                let page = store.export_deliveries(id, after).await?;
                let rest =
                    Part::Deliveries(page.rows.last().map_or(after, |event| event.delivery.id));
                self.write_page(out, &page, rest, Part::Shares(ShareId(0)))
            }
            Part::Shares(after) => {
                let page = store.export_shares(id, after).await?;
                let rest = Part::Shares(page.rows.last().map_or(after, |share| share.id));
                self.write_page(out, &page, rest, Part::Usage(Day::from_number(0), TokenId(0)))
            }
            Part::Usage(day, token) => {
                let page = self.app.auth.export_usage(id, (day, token), store).await?;
                let rest =
                    page.rows.last().map_or(self.part, |used| Part::Usage(used.day, used.token_id));
                self.write_page(out, &page, rest, Part::Audit(0))
            }
            Part::Audit(after) => {
                let page = store.export_audit(id, after).await?;
                let rest = Part::Audit(page.rows.last().map_or(after, |entry| entry.id));
                self.write_page(out, &page, rest, Part::End)
            }
            Part::End => Ok(Part::End),
        }
    }

    /// Writes the next meeting, up to its segments.
    async fn write_meeting(&mut self, out: &mut Vec<u8>, after: MeetingId) -> Result<Part> {
        if self.waiting.is_empty() && !self.no_more_meetings {
            let page = self.app.store.export_meetings(self.user_id, after).await?;
            self.waiting = page.rows.into();
            self.no_more_meetings = page.is_last;
        }
        let Some(exported) = self.waiting.pop_front() else {
            self.json.end(out);
            return self.begin_list(out, Part::Deliveries(DeliveryId(0)));
        };
        self.json.begin_object_with(out, &exported.meeting)?;
        self.json.member(out, "session", &exported.session)?;
        let names = self.app.store.names_given(exported.meeting.id)?;
        self.json.member(out, "renamed_speakers", &names)?;
        self.json.begin_list(out, "segments")?;
        Ok(Part::Segments(exported.meeting.id, None))
    }

    /// Writes a page of the segments of a meeting.
    async fn write_segments(
        &mut self,
        out: &mut Vec<u8>,
        meeting: MeetingId,
        after: Option<(Time, SegmentId)>,
    ) -> Result<Part> {
        let page = self.app.store.segments(meeting, after).await?;
        let mut last = after;
        for (id, segment) in &page.rows {
            self.json.item(out, segment)?;
            last = Some((segment.absolute_start_time, *id));
        }
        if !page.is_last {
            return Ok(Part::Segments(meeting, last));
        }
        self.json.end(out);
        self.begin_list(out, Part::Withheld(meeting, None))
    }

    /// Writes a page of what is withheld of a meeting.
    async fn write_withheld(
        &mut self,
        out: &mut Vec<u8>,
        meeting: MeetingId,
        after: Option<WithheldPlace>,
    ) -> Result<Part> {
        let page = self.app.store.withheld(meeting, after).await?;
        let mut last = after;
        for (place, withheld) in &page.rows {
            self.json.item(out, withheld)?;
            last = Some(*place);
        }
        if !page.is_last {
            return Ok(Part::Withheld(meeting, last));
        }
        self.json.end(out);
        self.begin_list(out, Part::SpeakerEvents(meeting, 0, 0))?;
        self.next_stream(out, meeting, 0)
    }

    /// Writes a page of the speaker events of a meeting, one stream after another.
    async fn write_speaker_events(
        &mut self,
        out: &mut Vec<u8>,
        meeting: MeetingId,
        stream: i64,
        after: i64,
    ) -> Result<Part> {
        let page = self.app.store.export_speaker_events(stream, after).await?;
        let mut last = after;
        for (id, event) in &page.rows {
            self.json.item(out, event)?;
            last = *id;
        }
        if !page.is_last {
            return Ok(Part::SpeakerEvents(meeting, stream, last));
        }
        self.next_stream(out, meeting, stream)
    }

    /// Goes on with the stream of a meeting after this one; after the last the meeting ends.
    fn next_stream(&mut self, out: &mut Vec<u8>, meeting: MeetingId, stream: i64) -> Result<Part> {
        if let Some(next) = self.app.store.next_stream(meeting, stream)? {
            return Ok(Part::SpeakerEvents(meeting, next, 0));
        }
        self.json.end(out);
        self.json.end(out);
        Ok(Part::Meetings(meeting))
    }

    /// Writes a page of the open list. What follows is the rest of the list, or after its last page
    /// the next list.
    fn write_page<T: Serialize>(
        &mut self,
        out: &mut Vec<u8>,
        page: &Page<T>,
        rest: Part,
        next: Part,
    ) -> Result<Part> {
        self.json.items(out, &page.rows)?;
        if !page.is_last {
            return Ok(rest);
        }
        self.json.end(out);
        self.begin_list(out, next)
    }

    /// Opens the list of a part, if it is one.
    fn begin_list(&mut self, out: &mut Vec<u8>, part: Part) -> Result<Part> {
        if let Some(name) = part.name() {
            self.json.begin_list(out, name)?;
        }
        Ok(part)
    }
}

/// Exports all data of a user, without secrets; the export is an entry in the audit log.
pub(crate) async fn export_user(
    app: Arc<App>,
    admin: Admin,
    ById(user_id): ById<UserId>,
) -> Result<StreamedResponse<ExportPages>> {
    app.store.write_by(admin.actor()?, NoteExport { id: user_id }).await?;
    let pages = ExportPages {
        app,
        user_id,
        part: Part::Head,
        json: JsonStream::new(),
        waiting: VecDeque::new(),
        no_more_meetings: false,
    };
    StreamedResponse::begin(pages).await
}
