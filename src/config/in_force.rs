//! The settings in force as administrators see them: each with its value and its source, and no
//! secret.

use crate::config::engines::ConfiguredEngine;
use crate::config::key::{Key, parse_value};
use crate::config::source::Source;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use toml::Value;
use utoipa::ToSchema;

/// What stands in place of a secret.
const HIDDEN: &str = "(hidden)";

/// The settings in force.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct InForce {
    /// The settings file; null where there is none.
    #[schema(required)]
    file: Option<String>,
    /// Every setting, in the order of `vomeet.toml`.
    #[schema(value_type = Vec<SettingInForce>)]
    settings: Arc<[SettingInForce]>,
    /// The engines of `[[transcription.engines]]`, in the order in which they are tried.
    #[schema(value_type = Vec<EngineInForce>)]
    transcription_engines: Arc<[EngineInForce]>,
}

/// An engine that makes words of sound. Its key is not shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct EngineInForce {
    /// Its name.
    #[schema(example = "office")]
    name: String,
    /// The address of its API.
    #[schema(example = "http://127.0.0.1:8000/v1")]
    url: String,
    /// The file of its key; null where it has none.
    #[schema(required)]
    key_file: Option<String>,
    /// The name of the model that it is asked for.
    #[schema(example = "whisper-1")]
    model: String,
    /// Longest sound that it is asked to hear, in seconds; null is any.
    #[schema(required)]
    seconds_max: Option<u32>,
    /// Most requests to it at once.
    concurrent_max: usize,
}

/// A setting.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SettingInForce {
    /// Its name in `vomeet.toml`, with its section.
    #[schema(example = "http.workers")]
    name: String,
    /// Its name in the environment.
    #[schema(example = "VOMEET_HTTP_WORKERS")]
    variable: String,
    /// Its value; null where it is a secret.
    #[schema(required, value_type = Option<Value>)]
    value: Option<serde_json::Value>,
    /// What it is where nothing sets it; null where it is a secret.
    #[schema(required, value_type = Option<Value>)]
    default: Option<serde_json::Value>,
    /// Where the value came from.
    #[schema(example = "VOMEET_HTTP_WORKERS in the environment")]
    source: String,
    /// Whether its value is never shown.
    is_secret: bool,
    /// What it is for.
    help: &'static str,
}

impl InForce {
    /// Each key with its value and its source.
    pub(crate) fn new(
        keys: &[Key],
        values: &[(Value, Source)],
        file: Option<&Path>,
        engines: &[ConfiguredEngine],
    ) -> Self {
        let mut settings = Vec::new();
        for (key, (value, source)) in keys.iter().zip(values) {
            settings.push(SettingInForce::new(key, value, source));
        }
        let file = file.map(|file| file.display().to_string());
        let engines: Vec<EngineInForce> = engines.iter().map(EngineInForce::new).collect();
        Self { file, settings: settings.into(), transcription_engines: engines.into() }
    }
}

impl EngineInForce {
    fn new(engine: &ConfiguredEngine) -> Self {
        let key_file = engine.key_file.as_ref().map(|path| path.display().to_string());
        Self {
            name: engine.name.clone(),
            url: engine.url.to_string(),
            key_file,
            model: engine.model.clone(),
            seconds_max: engine.seconds_max,
            concurrent_max: engine.concurrent_max,
        }
    }
}

impl SettingInForce {
    fn new(key: &Key, value: &Value, source: &Source) -> Self {
        let (mut in_force, mut default) = (None, None);
        if !key.is_secret {
            in_force = Some(shown(&key.name, value));
            default = parse_value(key.default).map(|default| shown(&key.name, &default));
        }
        Self {
            name: key.name.clone(),
            variable: key.variable.clone(),
            value: in_force,
            default,
            source: source.to_string(),
            is_secret: key.is_secret,
            help: key.help,
        }
    }
}

/// Settings whose value is an address, in which a secret may stand.
const ADDRESSES: [&str; 3] = ["bots.callback_url", "bots.whisper_live_url", "bots.redis_url"];
/// Settings whose values are `NAME=value`, of which the name is shown.
const PAIRS: [&str; 3] =
    ["bots.process_environment", "bots.docker_environment", "bots.docker_labels"];
/// The command of a bot, whose arguments may be keys.
const COMMAND: &str = "bots.process_command";

/// A value as JSON. What may be secret in one that is none as a whole is hidden: who signs in at an
/// address (`redis://user:password@host`) and its query, the arguments of a command, and the
/// variables that bots are given.
fn shown(name: &str, value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) if ADDRESSES.contains(&name) => shown_address(text).into(),
        Value::Array(pairs) if PAIRS.contains(&name) => {
            let pairs = pairs.iter().filter_map(Value::as_str);
            let names: Vec<String> = pairs.map(without_value).collect();
            names.into()
        }
        Value::Array(words) if name == COMMAND => {
            let mut words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.iter_mut().skip(1).for_each(|argument| *argument = HIDDEN);
            words.into()
        }
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// An address without who signs in, query and fragment. What does not look like an address as a
/// whole is hidden as a whole: a password with a `/` in it moves all that follows.
fn shown_address(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    address_without_secrets(text).unwrap_or_else(|| HIDDEN.to_owned())
}

fn address_without_secrets(text: &str) -> Option<String> {
    let mut url = url::Url::parse(text).ok()?;
    if url.cannot_be_a_base() {
        return None;
    }
    let signs_in = !url.username().is_empty() || url.password().is_some();
    url.set_password(None).ok()?;
    url.set_username("").ok()?;
    // The `@` of whoever signs in stands in their part alone.
    let most = usize::from(signs_in);
    if text.matches('@').count() > most {
        return None;
    }
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    url.set_fragment(None);
    if signs_in {
        url.set_username("hidden").ok()?;
    }
    Some(url.to_string())
}

fn without_value(pair: &str) -> String {
    let name = pair.split('=').next().unwrap_or_default();
    format!("{name}={HIDDEN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_be_secret_is_shown_of_a_setting() {
        for (name, value, expected) in [
            ("redis_url", "'redis://:hush/hush@h:6379'", "\"(hidden)\""),
            ("redis_url", "'redis://ada:hush#hush@h'", "\"(hidden)\""),
            ("redis_url", "'redis://ada:hush?hush@h'", "\"(hidden)\""),
            ("redis_url", "'redis://ada:1?hush@h'", "\"(hidden)\""),
            ("redis_url", "'redis://ada:1/hush@h'", "\"(hidden)\""),
            ("redis_url", "'redis://ada:hush@h/hush@h'", "\"(hidden)\""),
            ("redis_url", "'ada:hush@h:6379'", "\"(hidden)\""),
            ("redis_url", "'hush'", "\"(hidden)\""),
            ("redis_url", "'redis://:hush@h:6379/1'", "\"redis://hidden@h:6379/1\""),
            ("redis_url", "'redis://h:6379/1'", "\"redis://h:6379/1\""),
            ("redis_url", "''", "\"\""),
            ("whisper_live_url", "'ws://h/ws?key=hush#hush'", "\"ws://h/ws?(hidden)\""),
            ("callback_url", "'http://ada:hush@h:8080/'", "\"http://hidden@h:8080/\""),
            ("process_command", "['bot', '--key', 'hush']", r#"["bot","(hidden)","(hidden)"]"#),
            ("process_environment", "['KEY=hush=hush']", r#"["KEY=(hidden)"]"#),
            ("docker_environment", "['KEY=hush']", r#"["KEY=(hidden)"]"#),
            ("docker_labels", "['team=hush']", r#"["team=(hidden)"]"#),
        ] {
            let parsed = parse_value(value).expect("TOML");
            let seen = shown(&format!("bots.{name}"), &parsed).to_string();
            assert_eq!(seen, expected, "{name} = {value}");
            assert!(!seen.contains("hush"), "{seen}");
        }
    }

    #[test]
    fn settings_of_which_something_is_hidden_have_their_names() {
        let keys = &*crate::config::settings::KEYS;
        for name in ADDRESSES.iter().chain(&PAIRS).chain([&COMMAND]) {
            assert!(keys.iter().any(|key| key.name == *name), "{name} is no setting");
        }
    }
}
