//! `vomeet config check` and `vomeet config show`.

use crate::cli::doctor::{NO_WORDS, NO_WORDS_ADVICE};
use crate::cli::print::say;
use crate::clock::Clock;
use crate::config::{ConfiguredEngine, KEYS, Settings};
use crate::domain::configured::ConfiguredUser;
use crate::exit::StartupError;
use crate::http::admin_socket::AdminSocket;
use crate::http::tls::Tls;
use toml::Value;

/// Says whether a server would start with these settings.
pub(super) fn check(settings: &Settings) -> Result<(), StartupError> {
    settings.check_admin_key()?;
    AdminSocket::check(&settings.config)?;
    if let Some(files) = settings.config.tls.files() {
        Tls::open(files, Clock::system().now())?;
    }
    if settings.config.has_bots_without_words() {
        say(format_args!("Warning: {NO_WORDS} {NO_WORDS_ADVICE}\n"))?;
    }
    say("The settings are sound; `vomeet config show` lists them.\n")
}

/// Lists the settings as TOML, each with its source; secrets are hidden.
pub(super) fn show(settings: &Settings) -> Result<(), StartupError> {
    let mut section = "";
    for (key, (value, source)) in KEYS.iter().zip(&settings.origins) {
        if key.section() != section {
            section = key.section();
            say(format_args!("\n[{section}]\n"))?;
        }
        let shown = match key.is_secret {
            true => "\"(hidden)\"".to_owned(),
            false => value.to_string(),
        };
        let row = format!("{} = {shown}", key.short_name());
        say(format_args!("{row:<52} # {source}\n"))?;
    }
    for engine in &settings.config.transcription.engines {
        show_engine(engine)?;
    }
    for user in &settings.config.users {
        show_user(user)?;
    }
    Ok(())
}

/// A configured engine as the file has it; its key is in a file of its own.
fn show_engine(engine: &ConfiguredEngine) -> Result<(), StartupError> {
    say("\n[[transcription.engines]]\n")?;
    say(format_args!("name = {}\n", Value::from(engine.name.as_str())))?;
    say(format_args!("url = {}\n", Value::from(engine.url.as_str())))?;
    if let Some(path) = &engine.key_file {
        say(format_args!("key_file = {}\n", Value::from(path.to_string_lossy().as_ref())))?;
    }
    say(format_args!("model = {}\n", Value::from(engine.model.as_str())))?;
    if let Some(seconds) = engine.seconds_max {
        say(format_args!("seconds_max = {seconds}\n"))?;
    }
    say(format_args!("concurrent_max = {}\n", engine.concurrent_max))
}

/// A configured user as the file has it. Hashes are no secrets.
fn show_user(user: &ConfiguredUser) -> Result<(), StartupError> {
    say("\n[[users]]\n")?;
    say(format_args!("email = {}\n", Value::from(user.email.as_str())))?;
    if let Some(name) = &user.name {
        say(format_args!("name = {}\n", Value::from(name.as_str())))?;
    }
    if let Some(limit) = user.max_concurrent_bots {
        say(format_args!("max_concurrent_bots = {limit}\n"))?;
    }
    if let Some(disabled) = user.disabled {
        say(format_args!("disabled = {disabled}\n"))?;
    }
    let mut tokens = Vec::new();
    for token in &user.tokens {
        tokens.push(format!("\"{token}\""));
    }
    say(format_args!("tokens = [{}]\n", tokens.join(", ")))
}
