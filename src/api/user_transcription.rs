//! What a caller sets for the words of their sound: an engine of their own, and a vocabulary.

use crate::api::webhook::private;
use crate::app::App;
use crate::auth::User as Caller;
use crate::domain::EngineKey;
use crate::domain::Patch;
use crate::domain::field::Invalid;
use crate::domain::text::SingleLine;
use crate::domain::vocabulary::{TERMS_MAX, Term, kept};
use crate::error::{Error, Result};
use crate::http::{BodyRule, Extractor, FromRequest, Json, NoContent};
use crate::store::{
    DeleteUserTranscription, OwnEngine, SentEngine, SetUserTranscription, UserTranscription,
};
use crate::webhooks::WebhookUrl;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A caller's own engine, without its key.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineView {
    /// Where it is asked, in the shape of OpenAI's `POST /v1/audio/transcriptions`.
    #[schema(format = "uri", example = "https://asr.example.com/v1/audio/transcriptions")]
    url: String,
    /// The model that it is asked for.
    #[schema(example = "whisper-1")]
    model: String,
    /// Whether it is asked with a key. The key itself is never shown.
    has_key: bool,
}

/// What a caller has set.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionView {
    /// The caller's own engine; null where the server's engines are asked.
    #[schema(required)]
    engine: Option<EngineView>,
    /// Names and terms that engines are told in every meeting.
    #[schema(example = json!(["Ada Lovelace", "Kubernetes"]))]
    vocabulary: Vec<String>,
}

impl From<UserTranscription> for TranscriptionView {
    fn from(UserTranscription { engine, vocabulary }: UserTranscription) -> Self {
        let engine = engine.map(|OwnEngine { url, model, key }| EngineView {
            url,
            model,
            has_key: key.is_some(),
        });
        Self { engine, vocabulary }
    }
}

/// An engine as it is sent. Written out, because its address may not be empty.
pub(crate) struct EngineInput {
    url: WebhookUrl,
    model: SingleLine<255>,
    key: Patch<EngineKey>,
}

impl FromRequest for EngineInput {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let url = extractor.required::<WebhookUrl>("url");
        let model = extractor.required::<SingleLine<255>>("model");
        let key = extractor.patch("key");
        if url.as_ref().is_some_and(|url| url.0.is_empty()) {
            extractor.refuse("url", Invalid::new("missing", "Field required"));
        }
        if url.as_ref().is_some_and(|url| url.0.contains('?')) {
            // What an engine is asked is added to its path.
            let msg = "Input should be a valid URL, without a query";
            extractor.refuse("url", Invalid::new("url_parsing", msg));
        }
        Some(Self { url: url?, model: model?, key: key? })
    }
}

/// Body of `PUT /user/transcription`: an engine, a vocabulary, or both. Written out, because null is
/// no engine, and one of the two must be there.
pub(crate) struct SetTranscriptionInput {
    engine: Patch<EngineInput>,
    vocabulary: Option<Vec<Term>>,
}

impl FromRequest for SetTranscriptionInput {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let engine = extractor.optional_object::<EngineInput>("engine");
        let vocabulary = extractor.optional_list::<Term>("vocabulary", TERMS_MAX);
        let is_null = extractor.is_null("engine");
        if let (Some(None), Some(None), false) = (&engine, &vocabulary, is_null) {
            extractor.refuse("engine", Invalid::new("missing", "Field required"));
        }
        let engine = match engine? {
            Some(engine) => Patch::Set(engine),
            None if is_null => Patch::Clear,
            None => Patch::Keep,
        };
        Some(Self { engine, vocabulary: vocabulary? })
    }
}

/// Gets the caller's own engine and vocabulary.
pub(crate) async fn get_user_transcription(
    app: Arc<App>,
    caller: Caller,
    (): (),
) -> Result<Json<TranscriptionView>> {
    Ok(Json(app.store.user_transcription(caller.user.id)?.into()))
}

/// Sets the caller's own engine and vocabulary; what is left out stays as it is.
pub(crate) async fn set_user_transcription(
    app: Arc<App>,
    caller: Caller,
    input: SetTranscriptionInput,
) -> Result<Json<TranscriptionView>> {
    let engine = match input.engine {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(_) if !app.config.transcription.user_engines => {
            return Err(Error::UserEnginesOff);
        }
        Patch::Set(engine) if app.dispatcher.refuses(&engine.url) => {
            return Err(private(&["engine", "url"], engine.url));
        }
        Patch::Set(EngineInput { url, model, key }) => {
            Patch::Set(SentEngine { url: url.0, model: model.0, key })
        }
    };
    let vocabulary = input.vocabulary.map(kept);
    let verb = SetUserTranscription { user_id: caller.user.id, engine, vocabulary };
    Ok(Json(app.store.write(verb).await?.into()))
}

/// Deletes the caller's own engine with its key, and the vocabulary.
pub(crate) async fn delete_user_transcription(
    app: Arc<App>,
    caller: Caller,
    (): (),
) -> Result<NoContent> {
    app.store.write(DeleteUserTranscription { user_id: caller.user.id }).await?;
    Ok(NoContent)
}
