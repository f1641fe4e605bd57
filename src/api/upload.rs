//! `POST /meetings/upload`: a recording becomes a finished meeting, whose words are made behind it.

use crate::api::form::FormFaults;
use crate::api::launching::{no_randomness, session_name};
use crate::api::receive::{receive_body, receive_part};
use crate::app::App;
use crate::auth::User;
use crate::budget::{Held, Holder};
use crate::domain::field::Invalid;
use crate::domain::text::SingleLine;
use crate::domain::{Language, Meeting, NativeId, Platform, Time};
use crate::error::{Error, Result};
use crate::http::request::multipart::Multipart;
use crate::http::request::streamed::StreamedBody;
use crate::http::{BodyRule, Created, Extractor, FromRequest};
use crate::store::{CreateUpload, UploadedFile};
use crate::transcription::Transcription;
use crate::transcription::files::{FileKind, SoundFile};
use crate::transcription::forms::{FORMS, form_of};
use crate::transcription::hear_file::{blocking, first_bytes};
use crate::transcription::own_engine::own_engine;
use crate::transcription::received::Received;
use crate::transcription::uploads::UPLOADED;
use std::sync::Arc;

/// What a form may have besides the file, in bytes.
const REST_BYTES_MAX: usize = 64 * 1024;
/// Longest field, in bytes.
const FIELD_BYTES_MAX: usize = 8 * 1024;
/// Longest file that an engine gets as it is, in bytes: it is in memory while it is sent.
const WHOLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// After how many seconds a caller whose recordings are still coming asks again.
const RETRY_AFTER_SECONDS: u64 = 10;
/// Most channels of a recording.
const CHANNELS_MAX: usize = 8;
/// How a recording that is sent alone is named where its form is not told by its bytes.
const NAMELESS: &str = "recording";

/// Query and body of `POST /meetings/upload`.
pub(crate) struct UploadInput {
    about: About,
    body: StreamedBody,
}

/// What is said of a recording, in the query or in the form.
#[derive(Default)]
struct About {
    name: Option<SingleLine<255>>,
    start_time: Option<Time>,
    language: Option<Language>,
    place: Place,
    speakers: Option<SingleLine<2048>>,
    file_name: Option<String>,
}

impl FromRequest for UploadInput {
    const BODY: BodyRule = BodyRule::FormOrFile;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let name = extractor.query("name");
        let start_time = extractor.query("start_time");
        let language = extractor.query("language");
        let platform = extractor.query("platform");
        let native_meeting_id = extractor.query("native_meeting_id");
        let speakers = extractor.query("speakers");
        extractor.form::<SingleLine<255>>("file", true);
        extractor.form::<SingleLine<255>>("name", false);
        extractor.form::<Time>("start_time", false);
        extractor.form::<Language>("language", false);
        extractor.form::<Platform>("platform", false);
        extractor.form::<NativeId>("native_meeting_id", false);
        extractor.form::<SingleLine<2048>>("speakers", false);
        let about = About {
            name: name?,
            start_time: start_time?,
            language: language?,
            place: Place { platform: platform?, native_meeting_id: native_meeting_id? },
            speakers: speakers?,
            file_name: None,
        };
        let body = extractor.streamed()?;
        Some(Self { about, body })
    }
}

/// Takes a recording; its words are made behind it, and `GET /meetings/{id}` says how far they are.
pub(crate) async fn upload_meeting(
    app: Arc<App>,
    caller: User,
    input: UploadInput,
) -> Result<Created<Meeting>> {
    if caller.token.terms.scope.read_only {
        return Err(Error::NotAllowed("This token may only read.".to_owned()));
    }
    if !app.hearing.engines.is_any() && own_engine(&app.store, caller.user.id)?.is_none() {
        return Err(Error::NoEngine);
    }
    let UploadInput { mut about, mut body } = input;
    // What is wrong with the query is said before gigabytes are sent.
    about.place.checked(&caller)?;
    let _place = take_place(&app, &caller)?;
    app.transcription.count_day(caller.user.id, 0)?;
    let bytes_max = app.in_force.load().transcription.upload_bytes_max;
    body.limit(usize::try_from(bytes_max).unwrap_or(usize::MAX).saturating_add(REST_BYTES_MAX))?;
    let file = read_body(&app, &mut about, body).await?;
    if file.bytes > bytes_max {
        return Err(Error::TooLarge(usize::try_from(bytes_max).unwrap_or(usize::MAX)));
    }
    let (platform, native_meeting_id) = about.place.checked(&caller)?;
    let uploaded = look_at(&file, &about).await?;
    let now = app.clock.now();
    let seconds = (uploaded.duration_ms / 1000).cast_signed();
    let start_time = about.start_time.unwrap_or_else(|| now.plus_seconds(-seconds));
    let verb = CreateUpload {
        user_id: caller.user.id,
        token_id: caller.token.id,
        platform,
        native_meeting_id,
        uid: session_name().map_err(no_randomness)?,
        name: about.name.map(|name| name.0),
        language: about.language,
        start_time,
        file: uploaded,
        now,
    };
    let meeting = keep(&app, file, verb).await?;
    app.uploads.wake();
    Ok(Created(meeting))
}

/// A place of those who send a recording. [`Error::TooManyRequests`] where none is left.
fn take_place(app: &App, caller: &User) -> Result<Held> {
    let places = &app.transport.budgets.uploads;
    let taken = places.take(Holder::User(caller.user.id), 1);
    taken.map_err(|_| Error::TooManyRequests { retry_after: RETRY_AFTER_SECONDS })
}

/// The error of a server that takes no more sound, for the route table.
pub(crate) fn no_room() -> Error {
    Error::NoRoomForSound { reason: "...".to_owned() }
}

/// The error of a user who has brought as much sound as they may, for the route table.
pub(crate) fn too_much() -> Error {
    Error::SoundLimit { reason: "...".to_owned(), retry_after: 3600 }
}

/// Gives the file its name and the meeting its rows. No file without a row is looked for meanwhile.
async fn keep(app: &App, file: Received, verb: CreateUpload) -> Result<Meeting> {
    let _named = app.uploads.naming.read().await;
    file.keep_as(&verb.file.name).await?;
    app.store.write(verb).await
}

/// Where a meeting was held that comes as a whole.
#[derive(Default)]
pub(crate) struct Place {
    /// Where; a page, where that is not said.
    pub platform: Option<Platform>,
    /// The platform's id of it.
    pub native_meeting_id: Option<NativeId>,
}

impl Place {
    /// The platform and the id as they are stored. [`Error::NotAllowed`] where the meeting is beyond
    /// the caller's token.
    pub(crate) fn checked(&self, caller: &User) -> Result<(Platform, String)> {
        let platform = self.platform.unwrap_or(Platform::Generic);
        let native_meeting_id = match &self.native_meeting_id {
            Some(id) => native_id(platform, id)?,
            None if platform == Platform::Generic => random_id()?,
            None => {
                let mut faults = FormFaults::default();
                faults.refuse("native_meeting_id", Invalid::new("missing", "Field required"));
                return Err(faults.into_error());
            }
        };
        let scope = &caller.token.terms.scope;
        scope.check_meeting(platform, Some(&native_meeting_id)).map_err(Error::NotAllowed)?;
        Ok((platform, native_meeting_id))
    }
}

fn native_id(platform: Platform, id: &NativeId) -> Result<String> {
    platform.native_id(&id.0).map_err(|invalid| {
        let mut faults = FormFaults::default();
        faults.refuse("native_meeting_id", invalid);
        faults.into_error()
    })
}

/// An id as pages have them, of a recording that is of no platform.
fn random_id() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(no_randomness)?;
    Ok(format!("u-{:016x}", u64::from_le_bytes(bytes)))
}

/// Writes the file as it comes, alone or in a form; the fields of the form come before those of the
/// query.
async fn read_body(app: &App, about: &mut About, body: StreamedBody) -> Result<Received> {
    let spool = &app.transcription;
    let file = match body.is_form() {
        true => read_form(spool, about, Multipart::new(body)?).await?,
        false => Some(receive_body(spool, body).await?),
    };
    let Some(file) = file.filter(|file| file.bytes > 0) else {
        let mut faults = FormFaults::default();
        faults.refuse("file", Invalid::new("missing", "Field required"));
        return Err(faults.into_error());
    };
    Ok(file)
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
            about.file_name = part.file_name;
        } else {
            let value = parts.text(FIELD_BYTES_MAX).await?;
            about.take(&part.name, &value, &mut faults);
        }
    }
    faults.check()?;
    Ok(file)
}

impl About {
    /// Takes a field of a form; an empty one, and one of another version, is ignored.
    fn take(&mut self, name: &str, value: &str, faults: &mut FormFaults) {
        if value.trim().is_empty() {
            return;
        }
        match name {
            "name" => self.name = faults.read("name", value),
            "start_time" => self.start_time = faults.read("start_time", value),
            "language" => self.language = faults.read("language", value),
            "platform" => self.place.platform = faults.read("platform", value),
            "native_meeting_id" => {
                self.place.native_meeting_id = faults.read("native_meeting_id", value);
            }
            "speakers" => self.speakers = faults.read("speakers", value),
            _ => {}
        }
    }

    /// Who speaks in which channel: names with commas between them.
    fn speakers(&self) -> Vec<String> {
        let Some(names) = &self.speakers else { return Vec::new() };
        let mut speakers = Vec::new();
        for name in names.0.split(',') {
            speakers.push(name.trim().to_owned());
        }
        speakers
    }
}

/// What the file is. Fails where nobody can hear it, or it has other channels than speakers.
async fn look_at(file: &Received, about: &About) -> Result<UploadedFile> {
    let path = file.path().to_owned();
    let first = first_bytes_of(file).await?;
    let speakers = about.speakers();
    let mut uploaded = UploadedFile {
        name: format!("{}{UPLOADED}", session_name().map_err(no_randomness)?),
        format: String::new(),
        bytes: file.bytes,
        duration_ms: 0,
        speakers,
    };
    let Some(kind) = FileKind::of(&first) else {
        let name = about.file_name.as_deref().unwrap_or(NAMELESS);
        let form = form_of(&first, name).ok_or_else(|| Error::SoundRefused(FORMS.to_owned()))?;
        if file.bytes > WHOLE_BYTES_MAX {
            let why = format!(
                "A {form} file goes to an engine as it is, and may have 64 MiB then. Send it as WAV \
                 or as Ogg with Opus."
            );
            return Err(Error::SoundRefused(why));
        }
        check_speakers(&uploaded.speakers, None)?;
        form.clone_into(&mut uploaded.format);
        return Ok(uploaded);
    };
    let (channels, duration_ms) = blocking(move || {
        let sound = SoundFile::open(&path)?;
        Ok((sound.format.channels, sound.duration_ms))
    })
    .await?;
    check_speakers(&uploaded.speakers, Some(usize::from(channels)))?;
    uploaded.duration_ms = duration_ms;
    let format = match kind {
        FileKind::Wav => "wav",
        FileKind::OggOpus => "opus",
    };
    format.clone_into(&mut uploaded.format);
    Ok(uploaded)
}

async fn first_bytes_of(file: &Received) -> Result<Vec<u8>> {
    let path = file.path().to_owned();
    blocking(move || first_bytes(&path)).await
}

/// Fails where there are other channels than speakers; `None` are those of a file that is not read
/// here.
fn check_speakers(speakers: &[String], channels: Option<usize>) -> Result<()> {
    if speakers.is_empty() {
        return Ok(());
    }
    let why = match channels {
        None => "speakers are told apart in WAV and Ogg files alone".to_owned(),
        Some(channels) if channels > CHANNELS_MAX => {
            format!("a recording has {CHANNELS_MAX} channels at most")
        }
        Some(channels) if channels != speakers.len() => {
            format!("the recording has {channels} channels, and {} are named", speakers.len())
        }
        Some(_) if speakers.iter().any(|name| name.is_empty() || name.len() > 255) => {
            "a name has 1 to 255 characters".to_owned()
        }
        Some(_) => return Ok(()),
    };
    let mut faults = FormFaults::default();
    faults.refuse("speakers", Invalid::new("value_error", format!("Value error, {why}")));
    Err(faults.into_error())
}
