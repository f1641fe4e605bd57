//! The setting `http.cors_origins`: whose pages may call the API from a browser.

use crate::config::values::list;
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use toml::Value;

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
    let origins = list(value)?;
    Ok(Cors(origins))
}
