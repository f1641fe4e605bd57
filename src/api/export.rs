//! One person's data as one document: read and sent page by page, however much it is.

use crate::api::meetings::write_items;
use crate::api::users::ById;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::export::{ExportedMeeting, ExportedWebhook, PersonalData};
use crate::domain::{Day, DeliveryId, MeetingId, SegmentId, Time, TokenId, User, UserId};
use crate::error::{Error, Result};
use crate::http::response::{AnswerDoc, json_doc};
use crate::http::{PageSource, StreamedResponse};
use crate::store::NoteExport;
use hyper::StatusCode;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;

/// How much is gathered before it is sent, in bytes.
const CHUNK_BYTES: usize = 32 * 1024;

/// What comes next, and after what.
#[derive(Clone, Copy)]
enum Part {
    Head,
    Tokens(TokenId),
    Meetings(MeetingId),
    Segments(MeetingId, Option<(Time, SegmentId)>),
    Deliveries(DeliveryId),
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
            Self::Usage(..) => Some("usage"),
            Self::Audit(_) => Some("audit"),
            Self::Head | Self::Segments(..) | Self::End => None,
        }
    }
}

/// An export on its way.
pub struct ExportPages {
    app: Arc<App>,
    user_id: UserId,
    part: Part,
    /// Whether nothing of the present list is written yet.
    is_first: bool,
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
                out.extend_from_slice(format!("\"complete\":{complete}}}").as_bytes());
                return Ok(true);
            }
            self.part = self.write(out).await?;
        }
        Ok(false)
    }

    fn describe() -> Vec<AnswerDoc> {
        vec![json_doc::<PersonalData>(StatusCode::OK, "All that the server has of the user, to be kept as a file")]
    }
}

impl ExportPages {
    /// Writes a page of the present part, and says what follows.
    async fn write(&mut self, out: &mut Vec<u8>) -> Result<Part> {
        let (store, id) = (&self.app.store, self.user_id);
        match self.part {
            Part::Head => {
                let (user, webhook) = store.export_head(id)?;
                write_head(out, &Head { exported_at: self.app.clock.now(), user, webhook })?;
                Ok(self.open(out, Part::Tokens(TokenId(0))))
            }
            Part::Tokens(after) => {
                let page = store.export_tokens(id, after).await?;
                let rest = Part::Tokens(page.rows.last().map_or(after, |token| token.id));
                self.items(out, page.rows.iter())?;
                Ok(self.turn(out, page.is_last, rest, Part::Meetings(MeetingId(0))))
            }
            Part::Meetings(after) => self.write_meeting(out, after).await,
            Part::Segments(meeting, after) => {
                let page = store.segments(meeting, after).await?;
                let last = page.rows.last().map(|(id, segment)| (segment.absolute_start_time, *id)).or(after);
                write_items(out, page.rows.iter().map(|(_, segment)| segment), after.is_none())?;
                if page.is_last {
                    out.extend_from_slice(b"]}");
                    return Ok(Part::Meetings(meeting));
                }
                Ok(Part::Segments(meeting, last))
            }
            Part::Deliveries(after) => {
                let page = store.export_deliveries(id, after).await?;
                let rest = Part::Deliveries(page.rows.last().map_or(after, |event| event.delivery.id));
                self.items(out, page.rows.iter())?;
                Ok(self.turn(out, page.is_last, rest, Part::Usage(Day::from_number(0), TokenId(0))))
            }
            Part::Usage(day, token) => {
                let page = store.export_usage(id, (day, token)).await?;
                let rest = page.rows.last().map_or(self.part, |used| Part::Usage(used.day, used.token_id));
                self.items(out, page.rows.iter())?;
                Ok(self.turn(out, page.is_last, rest, Part::Audit(0)))
            }
            Part::Audit(after) => {
                let page = store.export_audit(id, after).await?;
                let rest = Part::Audit(page.rows.last().map_or(after, |entry| entry.id));
                self.items(out, page.rows.iter())?;
                Ok(self.turn(out, page.is_last, rest, Part::End))
            }
            Part::End => Ok(Part::End),
        }
    }

    /// The next meeting, up to its words.
    async fn write_meeting(&mut self, out: &mut Vec<u8>, after: MeetingId) -> Result<Part> {
        if self.waiting.is_empty() && !self.no_more_meetings {
            let page = self.app.store.export_meetings(self.user_id, after).await?;
            (self.waiting, self.no_more_meetings) = (page.rows.into(), page.is_last);
        }
        let Some(meeting) = self.waiting.pop_front() else {
            return Ok(self.turn(out, true, Part::End, Part::Deliveries(DeliveryId(0))));
        };
        self.items(out, std::iter::once(&meeting))?;
        // It ends with the empty list of what was said, which is filled now.
        out.truncate(out.len() - "]}".len());
        Ok(Part::Segments(meeting.meeting.id, None))
    }

    fn items<'a, T: Serialize + 'a>(&mut self, out: &mut Vec<u8>, rows: impl Iterator<Item = &'a T>) -> Result<()> {
        let before = out.len();
        write_items(out, rows, self.is_first)?;
        self.is_first &= out.len() == before;
        Ok(())
    }

    /// What follows a page: the rest of its list, or after the last page the next list.
    fn turn(&mut self, out: &mut Vec<u8>, is_last: bool, rest: Part, next: Part) -> Part {
        if !is_last {
            return rest;
        }
        out.extend_from_slice(b"],");
        self.open(out, next)
    }

    /// The name and the bracket of a list.
    fn open(&mut self, out: &mut Vec<u8>, part: Part) -> Part {
        if let Some(name) = part.name() {
            out.extend_from_slice(format!("\"{name}\":[").as_bytes());
        }
        self.is_first = true;
        part
    }
}

/// What stands before the lists.
#[derive(Serialize)]
struct Head {
    exported_at: Time,
    user: User,
    webhook: ExportedWebhook,
}

fn write_head(out: &mut Vec<u8>, head: &Head) -> Result<()> {
    serde_json::to_writer(&mut *out, head).map_err(|error| Error::Internal(error.to_string()))?;
    // The lists follow in the same object.
    out.pop();
    out.push(b',');
    Ok(())
}

/// All that the server has of a user, without secrets; that it was read stands in the record.
pub async fn export_user(
    app: Arc<App>,
    admin: Admin,
    ById(user_id): ById<UserId>,
) -> Result<StreamedResponse<ExportPages>> {
    app.store.write_by(admin.actor()?, NoteExport { id: user_id }).await?;
    let pages = ExportPages {
        app,
        user_id,
        part: Part::Head,
        is_first: true,
        waiting: VecDeque::new(),
        no_more_meetings: false,
    };
    StreamedResponse::begin(pages).await
}
