//! The setting `http.cors_origins`: whose pages may call the API from a browser.

use crate::config::values::list;
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use toml::Value;
use url::{Origin, Url};

/// The origins whose pages may call the API from a browser; `*` is any.
#[derive(Debug, Clone, Default)]
pub struct Cors(pub Vec<String>);

impl Cors {
    /// The value of `Access-Control-Allow-Origin` for a request; `None` where its origin is not
    /// allowed, or there is none.
    pub fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let origin = headers.get(header::ORIGIN)?;
        if self.allows(origin) { Some(origin.clone()) } else { None }
    }

    /// Whether an origin is among them.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }
}

/// Parses the setting.
pub(crate) fn cors(value: &Value) -> Result<Cors, String> {
    let mut origins = Vec::new();
    for item in list(value)? {
        let Some(origin) = origin(&item) else {
            return Err(format!(
                "should be a list of origins such as \"https://app.example.com\", not {item:?}"
            ));
        };
        origins.push(origin);
    }
    Ok(Cors(origins))
}

/// An origin as a browser sends it (RFC 6454, section 6.2): lower case, no path, no usual port.
fn origin(text: &str) -> Option<String> {
    let text = text.trim();
    if text == "*" {
        return Some(text.to_owned());
    }
    if text.contains('*') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_bare =
        matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.has_host() || !url.username().is_empty() {
        return None;
    }
    match url.origin() {
        origin @ Origin::Tuple(..) => Some(origin.ascii_serialization()),
        // That of a browser's extension.
        Origin::Opaque(_) => Some(text.trim_end_matches('/').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for (text, expected) in [
            ("*", Some("*")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://localhost:3000/", Some("http://localhost:3000")),
            ("HTTPS://App.Example.com:443", Some("https://app.example.com")),
            ("https://bücher.example", Some("https://xn--bcher-kva.example")),
            ("chrome-extension://abcdef/", Some("chrome-extension://abcdef")),
            ("app.example.com", None),
            ("localhost:3000", None),
            ("https://app.example.com/path", None),
            ("https://app.example.com?x", None),
            ("null", None),
            ("", None),
            ("https://*.example.com", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text:?}");
        }
    }
}
