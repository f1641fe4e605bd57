//! The settings `bots.platforms` and `bots.hosts`: where bots may be sent.

use crate::config::values::list;
use crate::domain::Platform;
use toml::Value;

/// A list of platforms.
pub(crate) fn platforms(value: &Value) -> Result<Vec<Platform>, String> {
    let mut platforms = Vec::new();
    for item in list(value)? {
        let Some(platform) = Platform::from_word(item.trim()) else {
            let known = Platform::WORDS.join(", ");
            return Err(format!("should be a list of platforms ({known}), and {item:?} is none"));
        };
        platforms.push(platform);
    }
    Ok(platforms)
}

/// A list of host names, or `*.` and a domain.
pub(crate) fn hosts(value: &Value) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    for item in list(value)? {
        let host = item.trim().to_ascii_lowercase();
        if !is_host(host.strip_prefix("*.").unwrap_or(&host)) {
            return Err(format!(
                "should be a list of hosts such as meet.example.org or *.example.org, and {item:?} \
                 is none"
            ));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// Whether this is the name of a host, as a link writes it: no address, no port.
fn is_host(name: &str) -> bool {
    match url::Host::parse(name) {
        Ok(url::Host::Domain(domain)) => domain == name && !name.contains('*'),
        _ => false,
    }
}
