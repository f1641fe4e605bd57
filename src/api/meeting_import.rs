//! `POST /meetings/import`: finished words of elsewhere, or of an export, become a finished meeting.

use crate::api::form::FormFaults;
use crate::api::launching::{no_randomness, session_name};
use crate::api::upload::Place;
use crate::app::App;
use crate::auth::User;
use crate::domain::field::Invalid;
use crate::domain::imported::{ImportFormat, ImportedMeeting, ImportedSegment, ImportedTranscript};
use crate::domain::text::SingleLine;
use crate::domain::{Meeting, NativeId, Platform, SpeakerSource, Time};
use crate::error::{Error, Result};
use crate::http::{BodyRule, Created, Extractor, FromRequest};
use crate::store::{ImportMeeting, ImportedRow};
use std::collections::HashSet;
use std::sync::Arc;

/// Longest transcript, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Query and body of `POST /meetings/import`.
pub(crate) struct ImportInput {
    format: Option<ImportFormat>,
    name: Option<SingleLine<255>>,
    start_time: Option<Time>,
    platform: Option<Platform>,
    native_meeting_id: Option<NativeId>,
    /// `None` is no UTF-8.
    text: Option<String>,
}

impl FromRequest for ImportInput {
    const BODY: BodyRule = BodyRule::Raw;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let format = extractor.query("format");
        let name = extractor.query("name");
        let start_time = extractor.query("start_time");
        let platform = extractor.query("platform");
        let native_meeting_id = extractor.query("native_meeting_id");
        let text = String::from_utf8(extractor.raw_body().to_vec()).ok();
        Some(Self {
            format: format?,
            name: name?,
            start_time: start_time?,
            platform: platform?,
            native_meeting_id: native_meeting_id?,
            text,
        })
    }
}

/// Makes a finished meeting of a transcript: this server's JSON, `SubRip` or `WebVTT`.
pub(crate) async fn import_meeting(
    app: Arc<App>,
    caller: User,
    input: ImportInput,
) -> Result<Created<Meeting>> {
    let Some(text) = &input.text else { return Err(refused("body", "the text is no UTF-8")) };
    let format = input.format.unwrap_or_else(|| ImportFormat::of(text));
    let transcript = format.read(text).map_err(|fault| refused("body", &fault.to_string()))?;
    let ImportedTranscript { meeting, segments } = transcript;
    let clock = clock(&input, &meeting, &segments)?;
    let now = app.clock.now();
    let rows = rows(&input, clock, segments, now)?;
    let place = place(&input, &meeting)?;
    let (platform, native_meeting_id) = place.checked(&caller)?;
    let last = rows.iter().map(|row| row.end).max().unwrap_or(clock);
    let is_moved = input.start_time.is_some();
    let own = |time: Option<Time>| time.filter(|_| !is_moved);
    let name = input.name.map(|name| name.0);
    let verb = ImportMeeting {
        user_id: caller.user.id,
        token_id: caller.token.id,
        platform,
        native_meeting_id,
        uid: session_name().map_err(no_randomness)?,
        name: name.or_else(|| name_in(&meeting)),
        clock,
        start_time: own(meeting.start_time).unwrap_or(clock),
        end_time: own(meeting.end_time).unwrap_or(last),
        segments: rows,
        now,
    };
    Ok(Created(app.store.write(verb).await?))
}

/// From where the times of the segments count.
fn clock(
    input: &ImportInput,
    meeting: &ImportedMeeting,
    segments: &[ImportedSegment],
) -> Result<Time> {
    if let Some(start_time) = input.start_time {
        return Ok(start_time);
    }
    // One at the very beginning may have begun before it.
    let late = segments.iter().filter(|segment| segment.start.0 > 0);
    for segment in late.chain(segments) {
        if let Some(at) = segment.absolute_start_time {
            return Ok(Time::from_millis(at.as_millis().saturating_sub(segment.start.0)));
        }
    }
    meeting.start_time.ok_or_else(|| {
        let mut faults = FormFaults::default();
        let msg = "Field required: when did the meeting begin?";
        faults.refuse("start_time", Invalid::new("missing", msg));
        faults.into_error()
    })
}

fn rows(
    input: &ImportInput,
    clock: Time,
    segments: Vec<ImportedSegment>,
    now: Time,
) -> Result<Vec<ImportedRow>> {
    let mut ids = HashSet::new();
    let mut rows = Vec::new();
    let on_clock = |millis: i64| Time::from_millis(clock.as_millis().saturating_add(millis));
    for segment in segments {
        if let Some(id) = &segment.segment_id
            && !ids.insert(id.clone())
        {
            return Err(refused("body", &format!("two segments have the segment_id {id:?}")));
        }
        let absolute = (segment.absolute_start_time, segment.absolute_end_time);
        let (start, end) = match absolute {
            (Some(start), Some(end)) if input.start_time.is_none() && start < end => (start, end),
            _ => (on_clock(segment.start.0), on_clock(segment.end.0)),
        };
        let named =
            if segment.speaker.is_some() { SpeakerSource::Stream } else { SpeakerSource::Unknown };
        rows.push(ImportedRow {
            segment_id: segment.segment_id,
            start,
            end,
            text: segment.text,
            speaker: segment.speaker,
            speaker_source: segment.speaker_source.unwrap_or(named),
            language: segment.language,
            created_at: segment.created_at.unwrap_or(now),
        });
    }
    Ok(rows)
}

/// Where the meeting was held: as is said in the query, else as the transcript says.
fn place(input: &ImportInput, meeting: &ImportedMeeting) -> Result<Place> {
    if input.platform.is_some() || input.native_meeting_id.is_some() {
        let (platform, native_meeting_id) = (input.platform, input.native_meeting_id.clone());
        return Ok(Place { platform, native_meeting_id });
    }
    let Some(platform) = &meeting.platform else { return Ok(Place::default()) };
    let platform = Platform::from_word(platform)
        .ok_or_else(|| refused("platform", "the transcript is of a platform of another version"))?;
    let native_meeting_id = meeting.native_meeting_id.clone().map(NativeId);
    Ok(Place { platform: Some(platform), native_meeting_id })
}

fn name_in(meeting: &ImportedMeeting) -> Option<String> {
    let name = meeting.data.get("name")?.as_str()?;
    (!name.is_empty() && name.chars().count() <= 255).then(|| name.to_owned())
}

fn refused(field: &'static str, why: &str) -> Error {
    let mut faults = FormFaults::default();
    faults.refuse(field, Invalid::new("value_error", format!("Value error, {why}")));
    faults.into_error()
}
