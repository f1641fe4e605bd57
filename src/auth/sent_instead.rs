//! What a request brought in place of the key that it should have, to be told in the refusal.

use crate::auth::headers::{ADMIN_HEADER, USER_HEADER};
use crate::domain::SentInstead;
use hyper::header::HeaderName;
use hyper::http::request::Parts;

/// Headers in which people send keys, as they are written.
const OF_KEYS: [&str; 10] = [
    "Authorization",
    "X-Admin-API-Key",
    "X-API-Key",
    "X-API-Token",
    "X-Auth-Token",
    "X-Access-Token",
    "X-Token",
    "Api-Key",
    "ApiKey",
    "Token",
];
/// Names of query parameters in which they do.
const OF_QUERIES: [&str; 4] = ["api_key", "apikey", "token", "access_token"];

/// What came instead of the header `wanted`, which is missing or empty.
pub(super) fn sent_instead(head: &Parts, wanted: &HeaderName) -> SentInstead {
    let headers = &head.headers;
    if headers.contains_key(wanted) {
        return SentInstead::Empty;
    }
    for name in OF_KEYS {
        if headers.get(name).is_some_and(|value| !value.is_empty()) {
            return SentInstead::Header(name);
        }
    }
    let query = head.uri.query().unwrap_or_default();
    for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
        if OF_QUERIES.iter().any(|known| name.eq_ignore_ascii_case(known)) || is_header(&name) {
            return SentInstead::Query;
        }
    }
    SentInstead::Nothing
}

/// Whether a query parameter has the name of a header for keys.
fn is_header(name: &str) -> bool {
    [ADMIN_HEADER, USER_HEADER].iter().any(|known| name.eq_ignore_ascii_case(known.as_str()))
}
