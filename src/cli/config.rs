//! `vomeet config check` and `vomeet config show`.

use super::say;
use crate::config::{KEYS, Settings};
use crate::exit::Exit;
use crate::http::local::LocalListener;
use crate::logging;

/// Says whether a server would start with these settings.
pub fn check(settings: &Settings) -> Result<(), Exit> {
    settings.check_admin_key()?;
    settings.check_callback_url()?;
    LocalListener::check(&settings.config)?;
    logging::check(&settings.config.log).map(drop)?;
    say("The settings are sound; `vomeet config show` lists them.\n");
    Ok(())
}

/// Lists the settings as TOML, each with its source; secrets are hidden.
pub fn show(settings: &Settings) {
    let mut section = "";
    for (key, (value, source)) in KEYS.iter().zip(&settings.origins) {
        let (of, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if of != section {
            section = of;
            say(format_args!("\n[{section}]\n"));
        }
        let shown = if key.secret { "\"(hidden)\"".to_owned() } else { value.to_string() };
        say(format_args!("{:<52} # {source}\n", format!("{name} = {shown}")));
    }
}
