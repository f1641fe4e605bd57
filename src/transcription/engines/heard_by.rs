//! What engines answer all together, and who they are besides those of the settings.

use crate::domain::EngineKey;
use crate::transcription::heard::Heard;
use url::Url;

/// What was heard, and by whom.
#[derive(Debug)]
pub(crate) struct HeardBy {
    /// What was heard.
    pub heard: Heard,
    /// The name of the engine: of the settings, `whisper` for the one inside, `user` for one of the
    /// user's own.
    pub engine: String,
}

/// Why nothing was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotHeard {
    /// All engines have enough to do, and a draft does not wait.
    Busy,
    /// No engine takes sound now: a sentence without secrets. Ask again later.
    Away(String),
    /// Every engine refuses this very sound: a sentence without secrets. Do not ask again.
    Refused(String),
    /// No engine takes this sound now, be it for the sound or for the engine: a sentence without
    /// secrets. Ask again later.
    NotTaken(String),
}

/// The engine of a user's own.
#[derive(Debug, Clone)]
pub(crate) struct UserEngine {
    /// The address of its API, such as `https://api.example.com/v1`.
    pub url: Url,
    /// The name of the model that it is asked for.
    pub model: String,
    /// What it is sent as a bearer token.
    pub key: Option<EngineKey>,
}
