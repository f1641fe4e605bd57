//! The settings `bots.transcription_…`: the service that later bots send what they hear to.

use crate::config::key::{Key, Values, settings};
use crate::config::values::{optional_path, text};
use crate::exit::StartupError;
use std::path::PathBuf;
use toml::Value;
use url::Url;

settings! {
    /// The transcription service of bots.
    #[derive(Debug, Clone, Default)]
    pub struct TranscriptionService in "bots" {
        /// `transcriptionServiceUrl` in the configuration of bots, which later ones send what they
        /// hear to, as it is, with its query; empty is none.
        url: String = "", service_url, named("transcription_url");
        /// `transcriptionServiceToken` in the configuration of bots; empty is none.
        token: String = "", text, named("transcription_token"), secret();
        /// A file whose first line is that token, for its owner alone (mode 0600).
        token_file: Option<PathBuf> = "", optional_path, named("transcription_token_file");
        /// `transcriptionModel` in the configuration of bots from 0.12.11 on; earlier ones of 0.12 end
        /// at their start where it is set. Empty is the default of the bot.
        model: String = "", text, named("transcription_model");
    }
}

/// Empty, or an address of HTTP, to which nothing is added. The settings are shown with it, so what
/// signs in stands elsewhere.
fn service_url(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(text);
    }
    let Ok(url) = Url::parse(&text) else { return Err(no_service(&text)) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("should have no user name and no password; put what signs in into \
                    bots.transcription_token"
            .to_owned());
    }
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    if !is_http || text.contains(['#', ' ']) {
        return Err(no_service(&text));
    }
    Ok(text)
}

fn no_service(text: &str) -> String {
    format!(
        "should be an address such as http://10.0.0.7:8083/v1/audio/transcriptions, not {text:?}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_service_is_kept_as_it_is() {
        for (text, is_sound) in [
            ("", true),
            ("http://whisper:8083", true),
            ("http://whisper:8083/v1/audio/transcriptions/", true),
            ("https://speech.example.com/audio/transcriptions?api-version=2024-06-01", true),
            ("whisper:8083", false),
            ("ws://whisper:8083", false),
            ("http:whisper", false),
            ("http://", false),
            ("http://whisper/#a", false),
            ("http://whisper/a b", false),
            ("http://ada@whisper", false),
        ] {
            let read = service_url(&Value::from(text));
            assert_eq!(read.is_ok(), is_sound, "{text:?}: {read:?}");
            if is_sound {
                assert_eq!(read.as_deref(), Ok(text));
            }
        }
        let refused = service_url(&Value::from("http://ada:s3cret@whisper"));
        let why = refused.expect_err("it would be shown");
        assert!(why.contains("transcription_token") && !why.contains("s3cret"), "{why}");
    }
}
