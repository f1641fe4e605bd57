//! The caller's meetings: listed, annotated and deleted.

use crate::api::message::Message;
use crate::api::users::{PageLimit, Skip};
use crate::app::App;
use crate::auth::User;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::{MultiLine, SingleLine};
use crate::domain::vocabulary::{TERMS_MAX, Term, VOCABULARY, kept};
use crate::domain::{Language, Meeting, MeetingId, MeetingStatus, Platform, StoredPlatform};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json_doc};
use crate::http::{Extractor, FromRequest, Json, JsonStream, PageSource, StreamedResponse};
use crate::store::{MeetingFilter, MeetingName, NoteMeeting};
use hyper::StatusCode;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

/// Most participants or languages in the notes about a meeting.
const LIST_MAX: usize = 100;

input! {
    /// Query of `GET /meetings`.
    pub(crate) struct ListMeetingsInput {
        query limit: Option<PageLimit>,
        query_or(BoundedInt(0)) skip: Skip,
        query offset: Option<Skip>,
        query status: Option<MeetingStatus>,
        query platform: Option<Platform>,
    }
}

/// A list of meetings.
#[derive(Serialize, ToSchema)]
pub(crate) struct Meetings {
    /// The meetings, newest first.
    meetings: Vec<Meeting>,
    /// Whether there are more beyond `limit`; without a `limit` there never are.
    has_more: bool,
}

/// A list of meetings that is being sent.
pub(crate) struct MeetingPages {
    app: Arc<App>,
    /// What is left to read, whatever the limit.
    filter: MeetingFilter,
    /// How many are still wanted; all of them where absent.
    left: Option<i64>,
    json: JsonStream,
    is_first: bool,
}

impl PageSource for MeetingPages {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        // One more than is wanted tells whether there are more.
        let limit = self.left.map(|left| left.saturating_add(1));
        let filter = MeetingFilter { limit, ..self.filter.clone() };
        let mut page = self.app.store.meetings(filter).await?;
        let left = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let has_more = page.rows.len() > left;
        page.rows.truncate(left);
        let is_last = page.is_last || has_more;
        if self.is_first {
            self.json.begin_object(out);
            self.json.begin_list(out, "meetings")?;
        }
        self.json.items(out, &page.rows)?;
        if is_last {
            self.json.end(out);
            self.json.member(out, "has_more", &has_more)?;
            self.json.end(out);
        }
        if let Some(meeting) = page.rows.last() {
            self.filter.before = Some(meeting.id);
        }
        if let Some(left) = &mut self.left {
            *left -= i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
        }
        self.filter.skip = 0;
        self.is_first = false;
        Ok(is_last)
    }

    fn describe() -> Vec<ResponseDoc> {
        vec![json_doc::<Meetings>(StatusCode::OK, "Done")]
    }
}

/// Lists the caller's meetings, newest first.
pub(crate) async fn list_meetings(
    app: Arc<App>,
    caller: User,
    input: ListMeetingsInput,
) -> Result<StreamedResponse<MeetingPages>> {
    let filter = MeetingFilter {
        user_id: caller.user.id,
        scope: caller.token.terms.scope.clone(),
        status: input.status,
        platform: input.platform,
        before: None,
        skip: input.offset.unwrap_or(input.skip).0,
        limit: None,
    };
    let left = input.limit.map(|limit| limit.0);
    let json = JsonStream::new();
    StreamedResponse::begin(MeetingPages { app, filter, left, json, is_first: true }).await
}

/// The same by the address of later clients.
pub(crate) async fn list_bots(
    app: Arc<App>,
    caller: User,
    input: ListMeetingsInput,
) -> Result<StreamedResponse<MeetingPages>> {
    list_meetings(app, caller, input).await
}

/// The platform and the native id of a meeting, as a path names it.
pub(crate) struct NameInPath {
    /// `{platform}`.
    pub platform: Platform,
    /// `{native_meeting_id}`.
    pub native_meeting_id: String,
}

input! {
    for NameInPath {
        path platform: Platform,
        path native_meeting_id: SingleLine<255> => native_meeting_id.0,
    }
}

/// The same of a meeting that may be of a platform that this version does not know.
pub(crate) struct StoredNameInPath {
    platform: StoredPlatform,
    native_meeting_id: String,
}

input! {
    for StoredNameInPath {
        path platform: PlatformInPath => platform.0,
        path native_meeting_id: SingleLine<255> => native_meeting_id.0,
    }
}

/// A platform, or any word that may have been one: what was written once can be read for ever.
struct PlatformInPath(StoredPlatform);

impl Field for PlatformInPath {
    fn schema() -> Object {
        <Platform as Field>::schema()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        let text = raw.string()?;
        let may_be_one = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if may_be_one {
            return Ok(Self(StoredPlatform::of(&text)));
        }
        Platform::read(raw).map(|platform| Self(platform.into()))
    }
}

impl From<NameInPath> for StoredNameInPath {
    fn from(NameInPath { platform, native_meeting_id }: NameInPath) -> Self {
        Self { platform: platform.into(), native_meeting_id }
    }
}

/// The caller's newest meeting of that name, or the one with this id; refused where it is beyond
/// the caller's token.
pub(crate) fn owned(
    caller: &User,
    name: impl Into<StoredNameInPath>,
    meeting_id: Option<MeetingId>,
) -> Result<MeetingName> {
    let StoredNameInPath { platform, native_meeting_id } = name.into();
    let native_meeting_id = match platform.known() {
        Some(platform) => platform.folded(&native_meeting_id),
        None => native_meeting_id,
    };
    let scope = &caller.token.terms.scope;
    if !scope.reaches_named(&platform, Some(&native_meeting_id)) {
        return Err(Error::NotAllowed(format!("This token is limited to {scope}.")));
    }
    if meeting_id.is_some() && scope.meeting.is_some() {
        // A meeting whose name was deleted is found by its id alone, and may have had any name.
        return Err(Error::NotAllowed(format!(
            "This token is limited to {scope}, and names no meeting by its id."
        )));
    }
    let user_id = caller.user.id;
    Ok(MeetingName { user_id, platform, native_meeting_id, meeting_id })
}

input! {
    /// Path, query and body of `PATCH /meetings/{platform}/{native_meeting_id}`.
    pub(crate) struct UpdateMeetingInput, body Required {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
        object data: MeetingNotes,
    }
}

/// The members of a meeting's `data` that change, as JSON.
pub(crate) struct MeetingNotes(pub BTreeMap<String, Box<RawValue>>);

impl FromRequest for MeetingNotes {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let name = extractor.optional::<SingleLine<255>>("name");
        let participants = extractor.optional_list::<SingleLine<255>>("participants", LIST_MAX);
        let languages = extractor.optional_list::<Language>("languages", LIST_MAX);
        let notes = extractor.optional::<MultiLine<8192>>("notes");
        let vocabulary = extractor.optional_list::<Term>(VOCABULARY, TERMS_MAX);
        let mut members = BTreeMap::new();
        insert(&mut members, "name", name?);
        insert(&mut members, "participants", participants?);
        insert(&mut members, "languages", languages?);
        insert(&mut members, "notes", notes?);
        insert(&mut members, VOCABULARY, vocabulary?.map(kept));
        Some(Self(members))
    }
}

/// Adds a member that was sent.
fn insert<T: Serialize>(
    members: &mut BTreeMap<String, Box<RawValue>>,
    name: &str,
    value: Option<T>,
) {
    let Some(value) = value else { return };
    if let Ok(json) = to_raw_value(&value) {
        members.insert(name.to_owned(), json);
    }
}

/// Updates the notes about a meeting; a member that is left out stays as it is.
pub(crate) async fn update_meeting(
    app: Arc<App>,
    caller: User,
    input: UpdateMeetingInput,
) -> Result<Json<Meeting>> {
    let members = input.data.0;
    if members.is_empty() {
        return Err(Error::NothingToUpdate);
    }
    let name = owned(&caller, input.name, input.meeting_id)?;
    Ok(Json(app.store.write(NoteMeeting { name, members, now: app.clock.now() }).await?))
}

input! {
    /// Path and query of `DELETE /meetings/{platform}/{native_meeting_id}`.
    pub(crate) struct DeleteTranscriptInput {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
    }
}

/// Deletes the transcript and the personal data of a finished meeting.
pub(crate) async fn delete_transcript(
    app: Arc<App>,
    caller: User,
    input: DeleteTranscriptInput,
) -> Result<Json<Message>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    app.erasure.delete_transcript(name).await?;
    Ok(Json(deleted()))
}

/// The response to a deletion.
pub(crate) fn deleted() -> Message {
    Message::new("Meeting transcripts deleted and data anonymized.")
}

/// The error of a meeting that the caller does not have, for the route table.
pub(crate) fn missing() -> Error {
    Error::MeetingNotFound(Platform::GoogleMeet.into(), "abc-defg-hij".to_owned())
}

/// The error of a deletion while the meeting is not over, for the route table.
pub(crate) fn not_over() -> Error {
    Error::NotOver(MeetingStatus::Active.into())
}
