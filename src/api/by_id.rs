//! Meetings by their ids, as later clients name them: what these routes respond is what those by
//! platform and native id respond.

use crate::api::meetings::{MeetingNotes, deleted};
use crate::api::message::Message;
use crate::api::transcripts::{TranscriptPages, WantedTranscript, send_transcript};
use crate::api::users::ById;
use crate::app::App;
use crate::auth::User;
use crate::domain::alarm::Alarm;
use crate::domain::sound::MeetingSound;
use crate::domain::{Meeting, MeetingId, TranscriptionState};
use crate::error::{Error, Result};
use crate::http::Json;
use crate::http::entity_tag::TaggedResponse;
use crate::http::request::input::input;
use crate::store::{MeetingName, NoteMeeting, UploadProgress};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The caller's meeting with this id. One of somebody else, and one beyond the caller's token, are
/// [`Error::NoSuchMeeting`]: an id says nothing of what it names.
pub(crate) fn owned(app: &App, caller: &User, id: MeetingId) -> Result<Meeting> {
    let meeting = app.store.meeting_by_id(caller.user.id, id)?;
    let scope = &caller.token.terms.scope;
    match scope.reaches_named(&meeting.platform, meeting.native_meeting_id.as_deref()) {
        true => Ok(meeting),
        false => Err(Error::NoSuchMeeting),
    }
}

/// A meeting as the store's verbs name it.
pub(crate) fn name_of(meeting: Meeting) -> MeetingName {
    MeetingName {
        user_id: meeting.user_id,
        platform: meeting.platform,
        native_meeting_id: meeting.native_meeting_id.unwrap_or_default(),
        meeting_id: Some(meeting.id),
    }
}

/// An error about a meeting that the caller has named by its id.
pub(crate) fn by_its_id(error: Error) -> Error {
    match error {
        Error::MeetingNotFound(..) => Error::NoSuchMeeting,
        other => other,
    }
}

/// A meeting by its id: what it missed, which sound of it is kept, and how far its words are where it
/// was made of a recording.
#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingById {
    #[serde(flatten)]
    meeting: Meeting,
    /// Sound, words or names that were missing while the bot was in it, and what to do.
    alarms: Vec<Alarm>,
    /// Its sounds, while they are kept: `GET /meetings/{id}/audio?sound=` gives each back.
    sounds: Vec<MeetingSound>,
    /// How far the words of an uploaded recording are; absent where the meeting was not uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    transcription: Option<TranscriptionProgress>,
}

/// How far the words of a recording are.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionProgress {
    /// Where it stands.
    state: TranscriptionState,
    /// How much of the recording has its words, in per cent.
    #[schema(minimum = 0, maximum = 100)]
    percent: u8,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

impl TranscriptionProgress {
    fn of((progress, error): (UploadProgress, Option<String>)) -> Self {
        let UploadProgress { is_spooled, done_ms, all_ms, waiting } = progress;
        let state = match (is_spooled, &error) {
            (true, Some(_)) => TranscriptionState::Failed,
            (true, None) if waiting == 0 => TranscriptionState::Done,
            _ if done_ms == 0 => TranscriptionState::Waiting,
            _ => TranscriptionState::Hearing,
        };
        let share = done_ms.saturating_mul(100) / all_ms.max(1);
        // What is not done is never shown as such.
        let percent = match state {
            TranscriptionState::Done => 100,
            _ => u8::try_from(share.clamp(0, 99)).unwrap_or(99),
        };
        Self { state, percent, error }
    }
}

/// Gets a meeting.
pub(crate) async fn get_meeting(
    app: Arc<App>,
    caller: User,
    ById(id): ById<MeetingId>,
) -> Result<Json<MeetingById>> {
    let meeting = owned(&app, &caller, id)?;
    let alarms = app.store.alarms(meeting.id)?;
    let sounds = app.transcription.kept_sounds(meeting.id)?;
    let progress = app.store.upload_progress(id)?;
    let transcription = progress.map(TranscriptionProgress::of);
    Ok(Json(MeetingById { meeting, alarms, sounds, transcription }))
}

/// The same by the address of later clients.
pub(crate) async fn get_bot(
    app: Arc<App>,
    caller: User,
    id: ById<MeetingId>,
) -> Result<Json<MeetingById>> {
    get_meeting(app, caller, id).await
}

input! {
    /// Path and body of `PATCH /meetings/{id}`.
    pub(crate) struct UpdateMeetingByIdInput, body Required {
        path id: MeetingId,
        object data: MeetingNotes,
    }
}

/// Updates the notes about a meeting; a member that is left out stays as it is.
pub(crate) async fn update_meeting_by_id(
    app: Arc<App>,
    caller: User,
    input: UpdateMeetingByIdInput,
) -> Result<Json<Meeting>> {
    let members = input.data.0;
    if members.is_empty() {
        return Err(Error::NothingToUpdate);
    }
    let name = name_of(owned(&app, &caller, input.id)?);
    let verb = NoteMeeting { name, members, now: app.clock.now() };
    Ok(Json(app.store.write(verb).await.map_err(by_its_id)?))
}

/// Deletes the transcript and the personal data of a finished meeting.
pub(crate) async fn delete_transcript_by_id(
    app: Arc<App>,
    caller: User,
    ById(id): ById<MeetingId>,
) -> Result<Json<Message>> {
    let name = name_of(owned(&app, &caller, id)?);
    app.erasure.delete_transcript(name).await.map_err(by_its_id)?;
    Ok(Json(deleted()))
}

input! {
    /// Path and query of `GET /transcripts/by-id/{id}`.
    pub(crate) struct GetTranscriptByIdInput {
        path id: MeetingId,
        flatten wanted: WantedTranscript,
    }
}

/// Gets the transcript of a meeting.
pub(crate) async fn get_transcript_by_id(
    app: Arc<App>,
    caller: User,
    input: GetTranscriptByIdInput,
) -> Result<TaggedResponse<TranscriptPages>> {
    let meeting = owned(&app, &caller, input.id)?;
    send_transcript(app, meeting, input.wanted).await
}
