//! The headers in which keys are sent, and how one is read.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// The header of the admin key.
pub(crate) const ADMIN_HEADER: HeaderName = HeaderName::from_static("x-admin-api-key");
/// The header of a user's token.
pub(crate) const USER_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// A header that must not be there twice.
pub(super) enum Single<'a> {
    Missing,
    Value(&'a HeaderValue),
    Repeated,
}

pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Single<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Single::Missing,
        (Some(value), None) => Single::Value(value),
        (Some(_), Some(_)) => Single::Repeated,
    }
}
