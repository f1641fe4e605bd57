//! The sound of a meeting, while it is kept: given back as a file, and deleted alone.

use crate::api::by_id::owned;
use crate::api::call::Call;
use crate::api::guard::{Access, Guard, TICKET_PARAMETER};
use crate::api::users::ById;
use crate::app::App;
use crate::auth::{InQuery, ResponseHeaders, USER_HEADER, User};
use crate::budget::Holder;
use crate::domain::ticket::TicketPath;
use crate::domain::{MeetingId, MeetingStatus, SoundId};
use crate::error::{Error, Result};
use crate::http::NoContent;
use crate::http::ranged::{IfRangeHeader, PieceSource, RangeHeader, RangedResponse, wanted};
use crate::http::request::input::input;
use crate::http::request::query::query_value;
use crate::transcription::SoundPieces;
use bytes::Bytes;
use hyper::header::HeaderValue;
use std::sync::Arc;

/// A user, by a token in `X-API-Key` or by a ticket for the path in the query: players of browsers
/// cannot send headers.
pub(crate) struct Ticketed(User);

impl Guard for Ticketed {
    const ACCESS: Access = Access::User;

    fn authenticate(call: &Call) -> Result<Self> {
        let head = &call.request.head;
        let query = head.uri.query().unwrap_or("");
        let ticket = query_value(query, TICKET_PARAMETER);
        if ticket.is_none() || head.headers.contains_key(&USER_HEADER) {
            return User::authenticate(call).map(Self);
        }
        let path = TicketPath::of(head.uri.path());
        let in_query = InQuery { ticket: ticket.as_deref(), key: None, path };
        let App { auth, store, .. } = &*call.app;
        auth.websocket_user(head, &in_query, store, call.request.client, call.now).map(Self)
    }

    fn check(&self, call: &Call) -> Result<()> {
        self.0.check(call)
    }

    fn holder(&self) -> Holder {
        self.0.holder()
    }

    fn holder_of_long(&self) -> Holder {
        self.0.holder_of_long()
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        self.0.record_use(call, response_headers)
    }
}

input! {
    /// Path, query and headers of `GET /meetings/{id}/audio`.
    pub(crate) struct GetMeetingAudioInput {
        path id: MeetingId,
        query sound: Option<SoundId>,
        header range: Option<RangeHeader> as "Range",
        header if_range: Option<IfRangeHeader> as "If-Range",
    }
}

impl PieceSource for SoundPieces {
    fn next(&mut self) -> Result<Option<Bytes>> {
        Self::next(self)
    }
}

/// Gets a sound of a meeting of the caller's, or a part of it, while it is kept: Opus as Ogg, samples
/// as WAV. Where none is named it is the first.
pub(crate) async fn get_meeting_audio(
    app: Arc<App>,
    Ticketed(caller): Ticketed,
    input: GetMeetingAudioInput,
) -> Result<RangedResponse<SoundPieces>> {
    let meeting = owned(&app, &caller, input.id)?;
    let sound = app.transcription.kept_sound(meeting.id, input.sound).await?;
    let (length, tag) = (sound.length(), sound.tag());
    let is_same = input.if_range.is_none_or(|known| known.0.trim() == tag);
    let part = match input.range {
        Some(range) if is_same => wanted(&range.0, length)?,
        _ => None,
    };
    let (is_part, bytes) = (part.is_some(), part.unwrap_or(0..length));
    let media_type = sound.media_type();
    let pieces = sound.pieces(bytes.clone())?;
    let tag = HeaderValue::try_from(tag).ok();
    Ok(RangedResponse { pieces, bytes, is_part, length, media_type, tag })
}

/// The error of a meeting that goes on, for the route table.
pub(crate) fn not_over() -> Error {
    Error::SoundNotOver(MeetingStatus::Active.into())
}

/// Deletes the sound of a finished meeting of the caller's, and nothing else of it.
pub(crate) async fn delete_meeting_audio(
    app: Arc<App>,
    caller: User,
    ById(id): ById<MeetingId>,
) -> Result<NoContent> {
    let meeting = owned(&app, &caller, id)?;
    if !meeting.status.is_over() {
        return Err(Error::SoundNotOver(meeting.status));
    }
    app.erasure.delete_sound(meeting.id).await?;
    Ok(NoContent)
}
