//! The setting `http.allowed_hosts`: names by which others reach the server.

use crate::config::values::list;
use std::net::IpAddr;
use toml::Value;
use url::Url;

/// Parses the setting: a name may come with a scheme or a port, as people copy it, and counts
/// without them, as a `Host` header is compared.
pub(crate) fn own_hosts(value: &Value) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    for item in list(value)? {
        hosts.push(host(&item)?);
    }
    Ok(hosts)
}

fn host(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err(format!("has no wildcards, and {text:?} is one; name each host"));
    }
    let wrong =
        || format!("should be a list of host names such as \"vomeet.example.com\", not {text:?}");
    let text = text.trim();
    if let Ok(IpAddr::V6(ip)) = text.parse() {
        return Ok(format!("[{ip}]"));
    }
    let address = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let url = Url::parse(&address).map_err(|_| wrong())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    match url.host_str() {
        Some(host) if is_bare && url.fragment().is_none() => {
            Ok(host.trim_end_matches('.').to_owned())
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_its_name_alone() {
        for (text, expected) in [
            ("a.example", Some("a.example")),
            ("A.Example", Some("a.example")),
            (" a.example ", Some("a.example")),
            ("a.example.", Some("a.example")),
            ("a.example:443", Some("a.example")),
            ("https://a.example", Some("a.example")),
            ("https://a.example:8443/", Some("a.example")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("[2001:db8::1]:80", Some("[2001:db8::1]")),
            ("2001:db8::1", Some("[2001:db8::1]")),
            ("*", None),
            ("*.example", None),
            ("", None),
            ("a.example/path", None),
            ("a b", None),
            ("user@a.example", None),
            ("a.example?x", None),
            ("https://", None),
        ] {
            assert_eq!(host(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
