//! `vomeet config check` and `vomeet config show`.

use crate::config::{KEYS, Settings};
use crate::exit::Exit;
use crate::logging;

/// Says whether a server would start with these settings.
pub fn check(settings: &Settings) -> Result<(), Exit> {
    settings.check_admin_key()?;
    logging::check(&settings.config.log).map(drop)?;
    println!("The settings are sound; `vomeet config show` lists them.");
    Ok(())
}

/// Lists the settings as TOML, each with its source; secrets are hidden.
pub fn show(settings: &Settings) {
    let line = |name: &str, at: usize| {
        let (value, source) = &settings.origins[at];
        let shown = if KEYS[at].secret { "\"(hidden)\"".to_owned() } else { value.to_string() };
        println!("{:<52} # {source}", format!("{name} = {shown}"));
    };
    let mut section = "";
    for (at, key) in KEYS.iter().enumerate() {
        let (of, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if of != section {
            section = of;
            println!("\n[{section}]");
        }
        line(name, at);
    }
}
