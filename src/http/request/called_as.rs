//! By which address the caller reaches the server, for responses that name one.

use crate::http::request::extractor::{Extractor, FromRequest, Source};
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

/// The scheme by which a client reached a proxy.
const FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The name that the caller called, and whether a proxy says that it was called by HTTPS. It is
/// what the caller sent, and of use for an answer to that caller alone.
pub(crate) struct CalledAs {
    host: Option<String>,
    is_https: bool,
}

impl CalledAs {
    fn of(headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let scheme = headers.get(FORWARDED_SCHEME).map(HeaderValue::as_bytes);
        Self { host: host.map(str::to_owned), is_https: scheme == Some(b"https") }
    }

    /// The address of the server without a slash at its end; `own` where the caller has named none.
    pub(crate) fn base_url(&self, speaks_tls: bool, own: &str) -> String {
        let Some(host) = &self.host else { return own.to_owned() };
        let scheme = if speaks_tls || self.is_https { "https" } else { "http" };
        format!("{scheme}://{host}")
    }
}

/// Read from the headers, and no field of the API document.
impl FromRequest for CalledAs {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        match &extractor.source {
            Source::Request { parts, .. } => {
                Some(parts.headers.map_or(Self { host: None, is_https: false }, Self::of))
            }
            Source::Nothing(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_what_the_caller_called() {
        for (host, forwarded, speaks_tls, expected) in [
            (Some("meet.example.com"), None, false, "http://meet.example.com"),
            (Some("meet.example.com:8080"), Some("https"), false, "https://meet.example.com:8080"),
            (Some("meet.example.com"), Some("gopher"), false, "http://meet.example.com"),
            (Some("[::1]:18056"), None, true, "https://[::1]:18056"),
            (None, None, true, "http://127.0.0.1:1"),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::HOST, host), (FORWARDED_SCHEME, forwarded)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            let called = CalledAs::of(&headers);
            assert_eq!(called.base_url(speaks_tls, "http://127.0.0.1:1"), expected);
        }
    }
}
