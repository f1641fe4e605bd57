//! `POST /bots/internal/recordings/upload`: what a bot has recorded of its meeting, whole or part
//! by part. It is kept where sound is kept, and dropped where none is.

use crate::api::form::FormFaults;
use crate::api::message::Message;
use crate::api::receive::{receive_body, receive_part};
use crate::app::App;
use crate::auth::Bot;
use crate::budget::{Held, Holder};
use crate::domain::Time;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::request::multipart::Multipart;
use crate::http::request::streamed::StreamedBody;
use crate::http::{BodyRule, Extractor, FromRequest, Json};
use crate::transcription::Transcription;
use crate::transcription::received::Received;
use crate::transcription::recordings::NewPart;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Longest upload, in bytes.
const BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Longest field of the form besides the file, in bytes.
const FIELD_BYTES_MAX: usize = 64 * 1024;
/// How long before its upload a recording may have begun, in seconds.
const BEGAN_SECONDS_MAX: i64 = 7 * 86_400;
/// After how many seconds a bot that sends too much at once asks again.
const RETRY_AFTER_SECONDS: u64 = 10;
/// What a bot says that its file is, where it is sound.
const SOUND: &str = "audio";

/// Which part of a recording it is.
type PartNumber = BoundedInt<0, 1_000_000>;

/// Body of `…/recordings/upload`.
pub(crate) struct RecordingInput {
    body: StreamedBody,
}

impl FromRequest for RecordingInput {
    const BODY: BodyRule = BodyRule::FormOrFile;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.form::<SingleLine<255>>("file", true);
        extractor.form::<PartNumber>("chunk_seq", false);
        extractor.form::<SingleLine<32>>("media_type", false);
        extractor.form::<SingleLine<8192>>("metadata", false);
        let body = extractor.streamed()?;
        Some(Self { body })
    }
}

/// What is said of a recording: in fields of the form, else in the JSON of its field `metadata`.
#[derive(Default)]
struct About {
    number: Option<PartNumber>,
    media_type: Option<String>,
    metadata: Value,
}

/// Takes what a bot has recorded of its meeting, or a part of it. Where no sound is kept it is read
/// to its end and dropped.
pub(crate) async fn upload_recording(
    app: Arc<App>,
    bot: Bot,
    input: RecordingInput,
) -> Result<Json<Message>> {
    let mut body = input.body;
    body.limit(BYTES_MAX)?;
    if app.hearing.keep_days == 0 {
        while body.next().await?.is_some() {}
        return Ok(Json(Message::new("No sound is kept: the recording was dropped.")));
    }
    let _place = take_place(&app, &bot).await?;
    let mut about = About::default();
    let file = read_body(&app.transcription, &mut about, body).await?;
    let Some(file) = file else {
        let mut faults = FormFaults::default();
        faults.refuse("file", Invalid::new("missing", "Field required"));
        return Err(faults.into_error());
    };
    let now = app.clock.now();
    if !about.is_sound() {
        return Ok(Json(Message::new("Only sound is kept: the recording was dropped.")));
    }
    let meeting = app.store.secrets_meeting(&bot.token_hash(), now)?;
    let part = NewPart {
        meeting_id: meeting.ok_or(Error::NoSuchMeeting)?.meeting_id,
        number: about.number()?,
        started_at: about.started_at(now),
        file,
    };
    app.transcription.keep_recording(part).await?;
    Ok(Json(Message::new("The recording is kept.")))
}

/// A place of those who send what a bot has recorded. [`Error::TooManyRequests`] where none gets free
/// within some seconds.
async fn take_place(app: &App, bot: &Bot) -> Result<Held> {
    let places = &app.transport.budgets.recordings;
    let taken = places.wait(Holder::Bot(bot.token_hash()), 1).await;
    taken.map_err(|_| too_many())
}

/// The error of a bot that sends too much of its recording at once.
pub(crate) fn too_many() -> Error {
    Error::TooManyRequests { retry_after: RETRY_AFTER_SECONDS }
}

async fn read_body(
    spool: &Arc<Transcription>,
    about: &mut About,
    body: StreamedBody,
) -> Result<Option<Received>> {
    if body.is_form() {
        return read_form(spool, about, Multipart::new(body)?).await;
    }
    let file = receive_body(spool, body).await?;
    Ok(Some(file).filter(|file| file.bytes > 0))
}

async fn read_form(
    spool: &Arc<Transcription>,
    about: &mut About,
    mut parts: Multipart,
) -> Result<Option<Received>> {
    let mut file = None;
    let mut faults = FormFaults::default();
    while let Some(part) = parts.next_part().await? {
        if part.name == "file" {
            file = Some(receive_part(spool, &mut parts).await?);
            continue;
        }
        let value = parts.text(FIELD_BYTES_MAX).await?;
        match part.name.as_str() {
            "chunk_seq" => about.number = faults.read("chunk_seq", value.trim()),
            "media_type" => about.media_type = Some(value.trim().to_owned()),
            // Of another version, it says nothing.
            "metadata" => about.metadata = serde_json::from_str(&value).unwrap_or_default(),
            _ => {}
        }
    }
    faults.check()?;
    Ok(file)
}

impl About {
    /// Which part of the recording it is; a whole one is the first.
    fn number(&self) -> Result<u32> {
        let number = match (&self.number, self.metadata.get("chunk_seq")) {
            (Some(number), _) => number.0,
            (None, None | Some(Value::Null)) => 0,
            (None, Some(said)) => {
                let mut faults = FormFaults::default();
                let read = faults.read::<PartNumber>("metadata", &said.to_string());
                faults.check()?;
                read.map_or(0, |number| number.0)
            }
        };
        Ok(u32::try_from(number).unwrap_or_default())
    }

    /// Whether it is no video.
    fn is_sound(&self) -> bool {
        let said = self.metadata.get("media_type").and_then(Value::as_str);
        let said = self.media_type.as_deref().or(said).unwrap_or(SOUND);
        said.is_empty() || said.eq_ignore_ascii_case(SOUND)
    }

    /// When the recording began: as it is said, or by how long it is.
    fn started_at(&self, now: Time) -> Time {
        let said = self.metadata.get("start_time_utc").and_then(Value::as_str);
        let said = said.and_then(|said| Time::read(Raw::Text(said)).ok());
        let seconds = self.metadata.get("duration_seconds").and_then(Value::as_f64);
        let length = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let length_ms = length.map_or(0, |length| length.as_millis());
        let length_ms = i64::try_from(length_ms).unwrap_or(0);
        let by_length = Time::from_millis(now.as_millis().saturating_sub(length_ms));
        said.unwrap_or(by_length).clamp(now.plus_seconds(-BEGAN_SECONDS_MAX), now)
    }
}
