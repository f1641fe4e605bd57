//! Which web pages may open a WebSocket. Browsers let every page do so, whatever CORS says, and name
//! the page's origin (RFC 6455, section 10.2).

use crate::config::Http;
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use url::Url;

/// Whether the page that asks may: one of this server itself, of a name in `http.allowed_hosts`, or
/// of an origin in `http.cors_origins`. Programs that are no browsers name no origin.
pub(crate) fn is_allowed(headers: &HeaderMap, settings: &Http) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => {
            settings.cors.allows(origin) || is_own(origin, headers, &settings.allowed_hosts)
        }
        (Some(_), Some(_)) => false,
    }
}

/// Whether the origin is of this server, by the name that the request calls it or another of its
/// own.
fn is_own(origin: &HeaderValue, headers: &HeaderMap, names: &[String]) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else {
        return false;
    };
    let Some(name) = origin.host_str() else { return false };
    if names.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return true;
    }
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    // The name that is called has the scheme of the page; a default port is left out of both.
    let called = Url::parse(&format!("{}://{host}", origin.scheme()));
    called.is_ok_and(|called| called.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Settings};

    fn allowed(origin: Option<&str>, host: &str) -> bool {
        let environment = [
            ("VOMEET_HTTP_CORS_ORIGINS", "https://app.example.com"),
            ("VOMEET_HTTP_ALLOWED_HOSTS", "vomeet.example.com"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let folder = std::env::temp_dir().join("no-such-folder");
        let around = Environment { environment: environment.into(), folder };
        let settings = Settings::load(&Flags::default(), &around).expect("settings");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a value"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        is_allowed(&headers, &settings.config.http)
    }

    #[test]
    fn only_pages_of_this_server_and_those_that_are_configured_may() {
        for (origin, host, expected) in [
            (None, "localhost:18056", true),
            (Some("http://localhost:18056"), "localhost:18056", true),
            (Some("http://LOCALHOST:18056"), "localhost:18056", true),
            (Some("https://vomeet.example.com"), "vomeet.example.com", true),
            (Some("https://vomeet.example.com"), "vomeet.example.com:443", true),
            (Some("https://vomeet.example.com"), "127.0.0.1:18056", true),
            (Some("https://app.example.com"), "localhost:18056", true),
            (Some("http://localhost:3000"), "localhost:18056", false),
            (Some("http://localhost"), "localhost:18056", false),
            (Some("https://evil.example"), "localhost:18056", false),
            (Some("http://app.example.com"), "localhost:18056", false),
            (Some("https://vomeet.example.com.evil.example"), "vomeet.example.com", false),
            (Some("null"), "localhost:18056", false),
            (Some(""), "localhost:18056", false),
            (Some("file://"), "localhost:18056", false),
        ] {
            assert_eq!(allowed(origin, host), expected, "{origin:?} on {host}");
        }
    }
}
