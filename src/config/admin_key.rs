//! The admin keys of the settings: where the key came from, and whether it is strong enough.

use crate::config::key_strength::{CHARS_MIN, weakness};
use crate::config::loaded::Settings;
use crate::config::settings::Config;
use crate::config::source::Source;
use crate::domain::Time;
use crate::exit::{Code, StartupError};
use url::{Host, Url};

/// An admin key of the settings.
#[derive(Clone)]
pub struct ConfiguredKey {
    /// The key itself.
    pub key: String,
    /// When it stops being accepted; `None` is never.
    pub until: Option<Time>,
}

impl ConfiguredKey {
    /// Why it is easy to guess, if it is: then it counts from this machine alone.
    pub fn weakness(&self) -> Option<&'static str> {
        weakness(&self.key)
    }
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

    /// Why the admin key is too weak for others than this machine, if it is.
    pub fn admin_key_weakness(&self) -> Option<&'static str> {
        weakness(&self.config.admin_key)
    }

    /// Refuses a weak admin key, and a weak old one, where others can reach the server.
    pub fn check_admin_key(&self) -> Result<(), StartupError> {
        let Some(exposure) = self.exposure() else { return Ok(()) };
        if let Some(why) = self.admin_key_weakness() {
            let source = self.admin_key_source();
            let message = format!(
                "The admin key ({source}) {why}, and {exposure}; set ADMIN_API_TOKEN to at least \
                 {CHARS_MIN} random characters (`openssl rand -hex 24` makes some), or leave the \
                 server to this machine alone."
            );
            return Err(StartupError::new(Code::WeakAdminKey, message));
        }
        if self.config.old_admin_key_until.is_none() {
            return Ok(());
        }
        if let Some(why) = weakness(&self.config.old_admin_key) {
            let message = format!(
                "The old admin key (admin_api_token_old) {why}, and {exposure}; leave it out, or \
                 leave the server to this machine alone."
            );
            return Err(StartupError::new(Code::WeakAdminKey, message));
        }
        Ok(())
    }

    /// What says that others than this machine reach the server, or are meant to.
    fn exposure(&self) -> Option<String> {
        let Config { listen, http, bots, .. } = &self.config;
        if !listen.ip().to_canonical().is_loopback() {
            return Some(format!("{listen} can be reached by others"));
        }
        if !http.allowed_hosts.is_empty() {
            return Some("http.allowed_hosts names the server for others".to_owned());
        }
        if !http.trusted_proxies.is_empty() {
            return Some("http.trusted_proxies says that others come through a proxy".to_owned());
        }
        if !http.cors.0.is_empty() {
            return Some("http.cors_origins lets pages of other servers in".to_owned());
        }
        if !is_loopback_url(&bots.callback_url) {
            return Some("bots.callback_url is an address that others reach".to_owned());
        }
        None
    }
}

impl Config {
    /// Whether the admin key is so weak that it is accepted from this machine alone.
    pub fn has_weak_admin_key(&self) -> bool {
        weakness(&self.admin_key).is_some()
    }
}

/// Whether an address is of this machine alone; none is.
fn is_loopback_url(url: &str) -> bool {
    if url.is_empty() {
        return true;
    }
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}
