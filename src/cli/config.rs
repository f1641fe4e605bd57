//! `vomeet config check` and `vomeet config show`.

use crate::cli::say;
use crate::config::{KEYS, Settings};
use crate::domain::configured::ConfiguredUser;
use crate::exit::StartupError;
use crate::http::admin_socket::AdminSocket;
use crate::logging;
use toml::Value;

/// Says whether a server would start with these settings.
pub fn check(settings: &Settings) -> Result<(), StartupError> {
    settings.check_admin_key()?;
    settings.check_callback_url()?;
    AdminSocket::check(&settings.config)?;
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
    settings.config.users.iter().for_each(show_user);
}

/// A declared user as the file has it. Hashes are no secrets.
fn show_user(user: &ConfiguredUser) {
    let mut members = vec![format!("email = {}", Value::from(user.email.as_str()))];
    members.extend(user.name.as_deref().map(|name| format!("name = {}", Value::from(name))));
    members.extend(user.max_concurrent_bots.map(|limit| format!("max_concurrent_bots = {limit}")));
    members.extend(user.disabled.map(|disabled| format!("disabled = {disabled}")));
    let tokens: Vec<_> = user.tokens.iter().map(|token| format!("\"{token}\"")).collect();
    members.push(format!("tokens = [{}]", tokens.join(", ")));
    say(format_args!("\n[[users]]\n{}\n", members.join("\n")));
}
