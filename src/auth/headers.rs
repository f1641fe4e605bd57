//! The headers in which keys are sent.

use hyper::header::HeaderName;

/// The header of the admin key.
pub(crate) const ADMIN_HEADER: HeaderName = HeaderName::from_static("x-admin-api-key");
/// The header of a user's token.
pub(crate) const USER_HEADER: HeaderName = HeaderName::from_static("x-api-key");
