//! `POST /v1/audio/transcriptions`: the words of a sound, as clients of OpenAI's API ask for them.

use crate::api::form::FormFaults;
use crate::api::sound_caller::SoundCaller;
use crate::app::App;
use crate::domain::field::Invalid;
use crate::domain::text::SingleLine;
use crate::domain::vocabulary::prompt;
use crate::domain::{AudioFormat, Language};
use crate::error::{Error, Result};
use crate::http::request::multipart::{Multipart, Part};
use crate::http::request::streamed::StreamedBody;
use crate::http::{BodyRule, Extractor, FromRequest, Page};
use crate::transcription::engines::UserEngine;
use crate::transcription::hear_file::{FileAsked, FileHeard, hear_file};
use crate::transcription::own_engine::own_engine;
use crate::transcription::received::Received;
use bytes::Bytes;
use hyper::header::HeaderValue;
use std::sync::Arc;
use std::time::Duration;

/// Longest file, in bytes, as at OpenAI.
const FILE_BYTES_MAX: usize = 25 * 1024 * 1024;
/// What the form may have besides the file, in bytes.
const REST_BYTES_MAX: usize = 64 * 1024;
/// Longest sound, in milliseconds.
const SOUND_MS_MAX: u64 = 600_000;
/// Longest field, in bytes.
const FIELD_BYTES_MAX: usize = 8 * 1024;
/// How long a caller waits for the words once the sound has come.
const WAIT_MAX: Duration = Duration::from_mins(2);

/// Body of `POST /v1/audio/transcriptions`.
pub(crate) struct TranscriptionInput {
    body: StreamedBody,
}

impl FromRequest for TranscriptionInput {
    const BODY: BodyRule = BodyRule::Form;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.form::<SingleLine<255>>("file", true);
        extractor.form::<SingleLine<255>>("model", false);
        extractor.form::<Language>("language", false);
        extractor.form::<SingleLine<8192>>("prompt", false);
        extractor.form::<AudioFormat>("response_format", false);
        extractor.form::<SingleLine<255>>("timestamp_granularities[]", false);
        extractor.streamed().map(|body| Self { body })
    }
}

/// What a form says.
struct Form {
    file: Received,
    file_name: String,
    language: Option<Language>,
    prompt: Option<String>,
    format: AudioFormat,
    words: bool,
}

/// Makes words of a sound of at most 25 MiB and ten minutes, while the caller waits.
pub(crate) async fn create_transcription(
    app: Arc<App>,
    caller: SoundCaller,
    input: TranscriptionInput,
) -> Result<Page> {
    let of_user = own_engine(&app.store, caller.user_id())?;
    if of_user.is_none() && !app.hearing.engines.is_any() {
        return Err(Error::NoEngine);
    }
    let _places = caller.take_places(&app).await?;
    app.transcription.count_day(caller.user_id(), 0)?;
    let form = read_form(&app, input.body).await?;
    let (format, words) = (form.format, form.words);
    let heard = tokio::time::timeout(WAIT_MAX, hear(&app, &caller, form, of_user)).await;
    let heard = heard.map_err(|_| Error::NotHeard("it took longer than 120 s.".to_owned()))??;
    caller.count(&app, heard.duration_ms).await?;
    let body = format.body(&heard, words)?;
    Ok(Page {
        bytes: Bytes::from(body),
        content_type: HeaderValue::from_static(format.content_type()),
        headers: Vec::new(),
    })
}

async fn hear(
    app: &App,
    caller: &SoundCaller,
    form: Form,
    of_user: Option<UserEngine>,
) -> Result<FileHeard> {
    let vocabulary = app.store.user_transcription(caller.user_id())?.vocabulary;
    let asked = FileAsked {
        path: form.file.path().to_owned(),
        name: form.file_name,
        language: form.language.map(|language| language.as_str().to_owned()),
        prompt: form.prompt.or_else(|| prompt(&[], &vocabulary)),
        words: form.words,
        user_id: caller.user_id(),
        of_user,
        ms_max: SOUND_MS_MAX,
        gate: app.in_force.load().transcription.gate,
    };
    let heard = hear_file(&app.hearing.engines, asked).await;
    // Until here: the file is deleted with the form.
    drop(form.file);
    heard
}

/// Reads the form; its file is written to the folder of sound as it comes.
async fn read_form(app: &App, mut body: StreamedBody) -> Result<Form> {
    body.limit(FILE_BYTES_MAX + REST_BYTES_MAX)?;
    let mut parts = Multipart::new(body)?;
    let mut file = None;
    let mut fields = Fields::default();
    while let Some(part) = parts.next_part().await? {
        if part.name == "file" {
            file = Some((receive(app, &mut parts).await?, file_name(part)));
        } else {
            fields.take(&part.name, parts.text(FIELD_BYTES_MAX).await?);
        }
    }
    let Some((file, file_name)) = file.filter(|(file, _)| file.bytes > 0) else {
        fields.faults.refuse("file", Invalid::new("missing", "Field required"));
        return Err(fields.faults.into_error());
    };
    fields.faults.check()?;
    let Fields { language, prompt, format, words, .. } = fields;
    let format = format.unwrap_or(AudioFormat::Json);
    Ok(Form { file, file_name, language, prompt, format, words })
}

/// Writes the file of a form as it comes.
async fn receive(app: &App, parts: &mut Multipart) -> Result<Received> {
    let mut file = Received::begin(&app.transcription).await?;
    while let Some(bytes) = parts.next_chunk().await? {
        file.write(&bytes).await?;
        if file.bytes > FILE_BYTES_MAX as u64 {
            return Err(Error::TooLarge(FILE_BYTES_MAX));
        }
    }
    file.flush().await?;
    Ok(file)
}

/// The name of a file, by which engines tell its form.
fn file_name(part: Part) -> String {
    part.file_name.filter(|name| !name.is_empty()).unwrap_or_else(|| "sound".to_owned())
}

/// The fields of a form besides the file, and what is wrong with them.
#[derive(Default)]
struct Fields {
    language: Option<Language>,
    prompt: Option<String>,
    format: Option<AudioFormat>,
    words: bool,
    faults: FormFaults,
}

impl Fields {
    /// Takes a field; `model`, which is whatever the settings say, and those of other versions are
    /// ignored, as an empty one is.
    fn take(&mut self, name: &str, value: String) {
        if value.trim().is_empty() {
            return;
        }
        match name {
            "language" => self.language = self.faults.read("language", &value),
            "response_format" => self.format = self.faults.read("response_format", &value),
            "prompt" => self.prompt = Some(value),
            "timestamp_granularities[]" | "timestamp_granularities" => {
                self.words |= value.contains("word");
            }
            _ => {}
        }
    }
}
