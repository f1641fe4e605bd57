//! What is wrong with the settings `bots.transcription_…` together, their token from its file, and
//! whether bots would hear and nobody would write.

use crate::config::runner_kind::RunnerKind;
use crate::config::secret_file::secret_line;
use crate::config::settings::Config;
use std::path::Path;

/// Reads the token from its file, if one is set; says what is wrong with it.
pub(crate) fn read_token(config: &mut Config, folder: &Path) -> Result<(), String> {
    let transcription = &mut config.bots.transcription;
    let Some(path) = &transcription.token_file else { return Ok(()) };
    transcription.token = secret_line("bots.transcription_token_file", "token", path, folder)?;
    Ok(())
}

impl Config {
    /// A token that is given twice, or to nobody.
    pub(crate) fn transcription_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let transcription = &self.bots.transcription;
        let has_file = transcription.token_file.is_some();
        if has_file && !transcription.token.is_empty() {
            faults.push(
                "bots.transcription_token and bots.transcription_token_file are both set; take \
                 one out."
                    .to_owned(),
            );
        }
        let has_token = has_file || !transcription.token.is_empty();
        if has_token && transcription.url.is_empty() {
            faults.push(
                "bots.transcription_token is set, and bots.transcription_url is not: no service \
                 would be asked; set it, or take the token out."
                    .to_owned(),
            );
        }
        faults
    }

    /// Whether bots of a runner would hear and have nobody to write: those that transcribe by
    /// themselves do all the same.
    pub(crate) fn has_bots_without_words(&self) -> bool {
        let bots = &self.bots;
        let environment = match bots.runner {
            RunnerKind::Process => &bots.process.environment,
            RunnerKind::Docker => &bots.docker.environment,
            _ => return false,
        };
        let has_address = !bots.whisper_live_url.is_empty() || !bots.transcription.url.is_empty();
        !has_address && !self.has_engine() && !names_service(environment)
    }

    /// Whether this server makes words of sound: then bots are given its own address.
    pub(crate) fn has_engine(&self) -> bool {
        let transcription = &self.transcription;
        transcription.whisper_model.is_some() || !transcription.engines.is_empty()
    }

    /// Whether somebody may hear: an engine of this server, or one of a user's own.
    pub(crate) fn may_hear(&self) -> bool {
        self.has_engine() || self.transcription.user_engines
    }
}

/// Whether variables that bots are given name somebody who writes: some versions read them.
fn names_service(environment: &[String]) -> bool {
    environment.iter().any(|item| match item.split_once('=') {
        Some(("WHISPER_LIVE_URL" | "TRANSCRIPTION_SERVICE_URL", url)) => !url.is_empty(),
        _ => false,
    })
}
