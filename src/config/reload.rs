//! What becomes of the settings in force when all of them are read again.

use crate::config::key::Key;
use crate::config::loaded::Settings;
use crate::config::settings::{Config, KEYS};
use crate::config::source::Source;
use crate::config::sources::invalid;
use crate::exit::StartupError;

/// What has changed since the settings in force were read, by the names of the settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// What takes effect at once.
    pub at_once: Vec<String>,
    /// What takes effect at the next start.
    pub at_restart: Vec<String>,
}

impl Settings {
    /// Refuses `found` where a file from which settings were read has none any more: it is being
    /// replaced, or was lost. The tokens of its users would be revoked, and stay so.
    pub(crate) fn check_files_of(&self, found: &Self) -> Result<(), StartupError> {
        for (file, is_of_file) in
            [("the settings file", is_of_toml as fn(&Source) -> bool), (".env", is_of_dotenv)]
        {
            let has_some = |settings: &Self| {
                let has_users = file != ".env" && !settings.config.users.is_empty();
                has_users || settings.origins.iter().any(|(_, source)| is_of_file(source))
            };
            if has_some(self) && !has_some(found) {
                return Err(invalid(format!(
                    "There are no settings in {file} any more: it is missing or empty. Put it in its \
                     place by renaming it, so that it is whole at any time; a restart does without it."
                )));
            }
        }
        Ok(())
    }

    /// The settings in force once `found` was read by a running server: of what can change at once
    /// they have the new values, and of the rest those of the start.
    #[must_use]
    pub fn reloaded(&self, found: Self) -> (Self, Changed) {
        let parts = Parts::that_stay(&self.config, &found.config);
        let mut changed = Changed::default();
        let mut origins = Vec::with_capacity(KEYS.len());
        for ((key, old), new) in KEYS.iter().zip(&self.origins).zip(found.origins) {
            let is_live = is_live(key, parts);
            if old.0 != new.0 {
                let names = if is_live { &mut changed.at_once } else { &mut changed.at_restart };
                names.push(key.name.clone());
            }
            origins.push(if is_live { new } else { old.clone() });
        }
        let is_other_key = self.config.admin_key != found.config.admin_key;
        let of_key = ["admin_api_token", "admin_api_token_file"];
        if is_other_key && !changed.at_once.iter().any(|name| of_key.contains(&name.as_str())) {
            changed.at_once.push("admin_api_token_file".to_owned());
        }
        let of_metrics = "metrics_token_file".to_owned();
        let is_other_token = self.config.metrics_token != found.config.metrics_token;
        if parts.metrics && is_other_token && !changed.at_once.contains(&of_metrics) {
            changed.at_once.push(of_metrics);
        }
        let of_store = "backup.s3_credentials_file".to_owned();
        let is_other_store_key = self.config.backup.s3_keys != found.config.backup.s3_keys;
        if is_other_store_key && !changed.at_restart.contains(&of_store) {
            changed.at_restart.push(of_store);
        }
        if self.config.transcription.engines != found.config.transcription.engines {
            changed.at_restart.push("transcription.engines".to_owned());
        }
        if self.config.users != found.config.users {
            changed.at_once.push("users".to_owned());
        }
        let config = self.config.with_live(found.config, parts);
        let mut next = Self { config, origins, file: found.file };
        next.config.in_force = next.in_force();
        (next, changed)
    }
}

fn is_of_toml(source: &Source) -> bool {
    matches!(source, Source::File(_))
}

fn is_of_dotenv(source: &Source) -> bool {
    matches!(source, Source::DotEnv(_))
}

/// The parts of a server that are there before and after: what belongs to them can change.
#[derive(Clone, Copy)]
struct Parts {
    tls: bool,
    metrics: bool,
}

impl Parts {
    fn that_stay(before: &Config, after: &Config) -> Self {
        let has_metrics = before.metrics_listen.is_some();
        Self {
            tls: before.tls.files().is_some() && after.tls.files().is_some(),
            metrics: has_metrics && before.metrics_listen == after.metrics_listen,
        }
    }
}

/// Whether a running server can change it. [`Config::with_live`] takes the values of the same.
fn is_live(key: &Key, parts: Parts) -> bool {
    match key.section() {
        "" if key.name == "metrics_token_file" => parts.metrics,
        "" => key.name == "log" || key.name.starts_with("admin_api_token"),
        "http" => key.name != "http.workers",
        "limits" | "mcp" => true,
        "tls" => parts.tls,
        _ => false,
    }
}

impl Config {
    /// The same, with the values of `found` for what a running server can change.
    fn with_live(&self, found: Self, parts: Parts) -> Self {
        let mut config = self.clone();
        config.log = found.log;
        config.admin_key = found.admin_key;
        config.admin_key_file = found.admin_key_file;
        config.old_admin_key = found.old_admin_key;
        config.old_admin_key_until = found.old_admin_key_until;
        config.http = found.http;
        config.http.workers = self.http.workers;
        config.limits = found.limits;
        config.mcp = found.mcp;
        config.users = found.users;
        if parts.tls {
            config.tls = found.tls;
        }
        if parts.metrics {
            config.metrics_token_file = found.metrics_token_file;
            config.metrics_token = found.metrics_token;
        }
        config
    }
}
