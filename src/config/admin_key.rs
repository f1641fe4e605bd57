//! The admin keys of the settings: where the key came from, and whether it is strong enough.

use crate::config::loaded::Settings;
use crate::config::settings::Config;
use crate::config::source::Source;
use crate::domain::Time;
use crate::exit::{Code, StartupError};

/// Shortest admin key that is accepted where others can reach the server, in characters.
const ADMIN_KEY_CHARS_MIN: usize = 16;
/// Words that guides and examples use in place of a key.
const PLACEHOLDERS: [&str; 6] =
    ["token", "changeme", "secret", "password", "admintoken", "youradmintoken"];

/// An admin key of the settings.
#[derive(Clone)]
pub struct ConfiguredKey {
    /// The key itself.
    pub key: String,
    /// When it stops being accepted; `None` is never.
    pub until: Option<Time>,
}

impl Config {
    /// The admin keys: the current one, and the old one with its end.
    pub fn admin_keys(&self) -> Vec<ConfiguredKey> {
        let mut keys = vec![ConfiguredKey { key: self.admin_key.clone(), until: None }];
        if self.old_admin_key_until.is_some() {
            let key = self.old_admin_key.clone();
            keys.push(ConfiguredKey { key, until: self.old_admin_key_until });
        }
        keys
    }
}

impl Settings {
    /// Where the admin key came from, in words that never contain the key.
    pub fn admin_key_source(&self) -> String {
        if let Some(file) = &self.config.admin_key_file {
            return file.display().to_string();
        }
        match self.source("admin_api_token") {
            Source::Default => "the built-in default of the guide".to_owned(),
            source => source.to_string(),
        }
    }

    /// Why the admin key is too weak for an address that others can reach, if it is.
    pub fn admin_key_weakness(&self) -> Option<&'static str> {
        weakness(&self.config.admin_key)
    }

    /// Refuses a weak admin key, and a weak old one, on an address that others can reach.
    pub fn check_admin_key(&self) -> Result<(), StartupError> {
        let listen = self.config.listen;
        if listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        if let Some(why) = self.admin_key_weakness() {
            let source = self.admin_key_source();
            let message = format!(
                "The admin key ({source}) {why}, and {listen} can be reached by others; set \
                 ADMIN_API_TOKEN to at least {ADMIN_KEY_CHARS_MIN} random characters (`openssl \
                 rand -hex 24` makes some) or listen on 127.0.0.1."
            );
            return Err(StartupError::new(Code::WeakAdminKey, message));
        }
        if self.config.old_admin_key_until.is_none() {
            return Ok(());
        }
        if let Some(why) = weakness(&self.config.old_admin_key) {
            let message = format!(
                "The old admin key (admin_api_token_old) {why}, and {listen} can be reached by \
                 others; leave it out or listen on 127.0.0.1."
            );
            return Err(StartupError::new(Code::WeakAdminKey, message));
        }
        Ok(())
    }
}

fn weakness(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("is empty");
    }
    let mut plain = key.to_lowercase();
    plain.retain(|c| c.is_ascii_alphanumeric());
    if !plain.is_empty() {
        for word in PLACEHOLDERS {
            if plain.replace(word, "").is_empty() {
                return Some("is a known placeholder");
            }
        }
    }
    if key.chars().count() < ADMIN_KEY_CHARS_MIN {
        return Some("is short");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::weakness;

    #[test]
    fn weak_keys_are_known() {
        for (key, expected) in [
            ("", Some("is empty")),
            ("token", Some("is a known placeholder")),
            ("Token", Some("is a known placeholder")),
            ("changemechangemechangeme", Some("is a known placeholder")),
            ("change-me-change-me", Some("is a known placeholder")),
            ("!@#$%^&*()!@#$%^&*()", None),
            ("ключключключключ", None),
            ("fifteen-chars-x", Some("is short")),
            ("sixteen-chars-xy", None),
        ] {
            assert_eq!(weakness(key), expected, "{key:?}");
        }
    }
}
