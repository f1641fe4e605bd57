//! The settings in force as administrators see them: each with its value and its source, and no
//! secret.

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
    pub(crate) fn new(keys: &[Key], values: &[(Value, Source)], file: Option<&Path>) -> Self {
        let mut settings = Vec::new();
        for (key, (value, source)) in keys.iter().zip(values) {
            settings.push(SettingInForce::new(key, value, source));
        }
        let file = file.map(|file| file.display().to_string());
        Self { file, settings: settings.into() }
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

/// A value as JSON. What may be secret in one that is none as a whole is hidden: who signs in at an
/// address (`redis://user:password@host`), and the variables that bots are given.
fn shown(name: &str, value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) => without_sign_in(text).into(),
        Value::Array(variables) if name.ends_with("_environment") => {
            let variables = variables.iter().filter_map(Value::as_str);
            let names: Vec<String> = variables.map(without_value).collect();
            names.into()
        }
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

fn without_sign_in(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return text.to_owned() };
    if url.username().is_empty() && url.password().is_none() {
        return text.to_owned();
    }
    let is_hidden = url.set_password(None).is_ok() && url.set_username("hidden").is_ok();
    if is_hidden { url.to_string() } else { HIDDEN.to_owned() }
}

fn without_value(variable: &str) -> String {
    let name = variable.split('=').next().unwrap_or_default();
    format!("{name}={HIDDEN}")
}
