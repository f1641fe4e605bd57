//! A new settings file, with those settings that were chosen.

use crate::config::key::parse_value;
use crate::config::settings::{Config, KEYS};
use crate::config::source::Source;
use crate::config::sources::invalid;
use crate::exit::StartupError;
use std::path::PathBuf;
use toml::Value;

/// The settings file that a server reads where none is named.
pub(crate) const FILE: &str = "vomeet.toml";

/// A setting that was chosen: its name in the file, with its section, and its value.
pub(crate) type Chosen = (&'static str, Value);

/// Says what is wrong with the value of a setting, if anything is.
pub(crate) fn check(name: &str, value: &Value) -> Result<(), StartupError> {
    let mut values = Vec::with_capacity(KEYS.len());
    for key in KEYS.iter() {
        let value = match key.name == name {
            true => Some(value.clone()),
            false => parse_value(key.default),
        };
        let value = value.ok_or_else(|| invalid(format!("{} has no default.", key.name)))?;
        values.push((value, Source::File(PathBuf::from(FILE))));
    }
    let (_, faults) = Config::from_values(&values)?;
    match faults.is_empty() {
        true => Ok(()),
        false => Err(invalid(faults.join(" "))),
    }
}

/// The text of the file: each setting below its help, in the order of all settings.
pub(crate) fn text(chosen: &[Chosen]) -> String {
    let mut text = String::from(
        "# Written by `vomeet init`. `vomeet config show` lists every setting and where it comes \
         from.\n",
    );
    let mut section = "";
    for key in KEYS.iter() {
        let found = chosen.iter().find(|(name, _)| key.name == *name);
        let Some((_, value)) = found else { continue };
        if key.section() != section {
            section = key.section();
            let heading = format!("\n[{section}]\n");
            text.push_str(&heading);
        }
        let row = format!("\n# {}\n{} = {value}\n", key.help, key.short_name());
        text.push_str(&row);
    }
    text
}
