//! Corrections of a transcript: the words of a segment, the name of a speaker. What came stays
//! beside what is shown, and can be had back.

use crate::api::by_id::{by_its_id, name_of, owned as owned_by_id};
use crate::api::meetings::{StoredNameInPath, owned};
use crate::app::App;
use crate::auth::User;
use crate::domain::segment::TEXT_CHARS_MAX;
use crate::domain::spoken::SpokenText;
use crate::domain::text::SingleLine;
use crate::domain::{MeetingId, Patch, Segment};
use crate::error::{Error, Result};
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::{CorrectSegment, MeetingName, RenameSpeaker};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The id of a segment, as it is shown: it holds what a bot sent, with the name of its speaker.
type ShownId = SingleLine<512>;
/// The words of a correction, bounded as those of bots.
type Words = SpokenText<TEXT_CHARS_MAX>;
/// The name of a speaker, bounded as that of bots.
type Name = SpokenText<255>;

input! {
    /// Path, query and body of `PATCH /transcripts/{platform}/{native_meeting_id}/segments/{segment_id}`.
    pub(crate) struct CorrectSegmentInput, body Required {
        flatten name: StoredNameInPath,
        path segment_id: ShownId,
        query meeting_id: Option<MeetingId>,
        patch text: Patch<Words>,
    }
}

input! {
    /// The same by the meeting's id.
    pub(crate) struct CorrectSegmentByIdInput, body Required {
        path id: MeetingId,
        path segment_id: ShownId,
        patch text: Patch<Words>,
    }
}

/// Corrects the words of a segment that are final; null, or an empty text, takes it back. The bot
/// may send them again: they stay corrected.
pub(crate) async fn correct_segment(
    app: Arc<App>,
    caller: User,
    input: CorrectSegmentInput,
) -> Result<Json<Segment>> {
    let text = words(input.text)?;
    let name = owned(&caller, input.name, input.meeting_id)?;
    correct(&app, &caller, name, input.segment_id.0, text).await
}

/// The same of a meeting that is named by its id.
pub(crate) async fn correct_segment_by_id(
    app: Arc<App>,
    caller: User,
    input: CorrectSegmentByIdInput,
) -> Result<Json<Segment>> {
    let text = words(input.text)?;
    let name = name_of(owned_by_id(&app, &caller, input.id)?);
    correct(&app, &caller, name, input.segment_id.0, text).await.map_err(by_its_id)
}

input! {
    /// Path and query of `DELETE …/segments/{segment_id}/correction`.
    pub(crate) struct WithdrawCorrectionInput {
        flatten name: StoredNameInPath,
        path segment_id: ShownId,
        query meeting_id: Option<MeetingId>,
    }
}

input! {
    /// The same by the meeting's id.
    pub(crate) struct WithdrawCorrectionByIdInput {
        path id: MeetingId,
        path segment_id: ShownId,
    }
}

/// Takes the correction of a segment back: it shows what came.
pub(crate) async fn withdraw_correction(
    app: Arc<App>,
    caller: User,
    input: WithdrawCorrectionInput,
) -> Result<Json<Segment>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    correct(&app, &caller, name, input.segment_id.0, None).await
}

/// The same of a meeting that is named by its id.
pub(crate) async fn withdraw_correction_by_id(
    app: Arc<App>,
    caller: User,
    input: WithdrawCorrectionByIdInput,
) -> Result<Json<Segment>> {
    let name = name_of(owned_by_id(&app, &caller, input.id)?);
    correct(&app, &caller, name, input.segment_id.0, None).await.map_err(by_its_id)
}

/// The words that are sent; none takes a correction back.
fn words(text: Patch<Words>) -> Result<Option<String>> {
    match text {
        Patch::Keep => Err(Error::NothingToUpdate),
        Patch::Clear => Ok(None),
        Patch::Set(text) => Ok(text.trimmed()),
    }
}

async fn correct(
    app: &App,
    caller: &User,
    name: MeetingName,
    segment_id: String,
    text: Option<String>,
) -> Result<Json<Segment>> {
    let now = app.clock.now();
    let verb = CorrectSegment { name, segment_id, text, now };
    let corrected = app.store.write_by(caller.actor(now)?, verb).await?;
    Ok(Json(corrected.segment))
}

/// Whose name changes, and into what; null is nobody's name.
pub(crate) struct NewName {
    from: Patch<Name>,
    to: Patch<Name>,
}

input! {
    for NewName {
        patch from: Patch<Name>,
        patch to: Patch<Name>,
    }
}

input! {
    /// Path, query and body of `PATCH /transcripts/{platform}/{native_meeting_id}/speakers`.
    pub(crate) struct RenameSpeakerInput, body Required {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
        flatten names: NewName,
    }
}

input! {
    /// The same by the meeting's id.
    pub(crate) struct RenameSpeakerByIdInput, body Required {
        path id: MeetingId,
        flatten names: NewName,
    }
}

/// A speaker who shows another name.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenamedSpeaker {
    /// The name that was shown until now; null for segments without one.
    #[schema(required, example = "Speaker 1")]
    from: Option<String>,
    /// The name that is shown; null where speakers show again what they came with.
    #[schema(required, example = "Ada")]
    to: Option<String>,
    /// How many segments show another name than before.
    segments: usize,
}

/// Gives a speaker another name in all segments of the meeting, those too that come later; `to`
/// null takes it back.
pub(crate) async fn rename_speaker(
    app: Arc<App>,
    caller: User,
    input: RenameSpeakerInput,
) -> Result<Json<RenamedSpeaker>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    rename(&app, &caller, name, input.names).await
}

/// The same of a meeting that is named by its id.
pub(crate) async fn rename_speaker_by_id(
    app: Arc<App>,
    caller: User,
    input: RenameSpeakerByIdInput,
) -> Result<Json<RenamedSpeaker>> {
    let name = name_of(owned_by_id(&app, &caller, input.id)?);
    rename(&app, &caller, name, input.names).await.map_err(by_its_id)
}

async fn rename(
    app: &App,
    caller: &User,
    name: MeetingName,
    NewName { from, to }: NewName,
) -> Result<Json<RenamedSpeaker>> {
    let (from, to) = (shown_name(from)?, shown_name(to)?);
    let now = app.clock.now();
    let verb = RenameSpeaker { name, from: from.clone(), to: to.clone(), now };
    let renamed = app.store.write_by(caller.actor(now)?, verb).await?;
    Ok(Json(RenamedSpeaker { from, to, segments: renamed.segments }))
}

/// A name that is sent; both must be.
fn shown_name(name: Patch<Name>) -> Result<Option<String>> {
    match name {
        Patch::Keep => Err(Error::NothingToUpdate),
        Patch::Clear => Ok(None),
        Patch::Set(name) => Ok(name.trimmed()),
    }
}
