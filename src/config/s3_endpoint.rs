//! The address of the store that backups are uploaded to.

use crate::config::values::text;
use toml::Value;
use url::{Host, Url};

/// The address of a store; an empty text is none.
pub(super) fn s3_endpoint(value: &Value) -> Result<Option<Url>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = "should be an address such as https://s3.eu-central-1.amazonaws.com".to_owned();
    let url = Url::parse(&text).map_err(|_| wrong.clone())?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    match is_http && is_plain && url.query().is_none() && url.fragment().is_none() {
        true => Ok(Some(url)),
        false => Err(wrong),
    }
}

/// Whether what is sent to a store is read by whoever is on the way.
pub(super) fn is_in_the_open(endpoint: &Url) -> bool {
    let is_of_this_machine = match endpoint.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    endpoint.scheme() == "http" && !is_of_this_machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_without_tls_of_another_machine_is_in_the_open() {
        for (address, expected) in [
            ("http://s3.example.com", true),
            ("http://10.0.0.1:9000", true),
            ("http://localhost.example.com", true),
            ("https://s3.example.com", false),
            ("http://localhost:9000", false),
            ("http://127.0.0.2:9000", false),
            ("http://[::1]:9000", false),
        ] {
            let endpoint = Url::parse(address).expect(address);
            assert_eq!(is_in_the_open(&endpoint), expected, "{address}");
        }
    }
}
