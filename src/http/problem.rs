//! The response to an error: its status, detail, code and reason.

use crate::domain::field_error::FieldError;
use crate::error::Error;
use crate::http::response::{Response, json, whole};
use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;

/// The status that goes with an error.
pub(crate) fn status(error: &Error) -> StatusCode {
    match error {
        Error::Malformed(_) | Error::EmailFixed | Error::NothingToUpdate | Error::TooBroad => {
            StatusCode::BAD_REQUEST
        }
        Error::WrongHost => StatusCode::MISDIRECTED_REQUEST,
        Error::Moved(_) => StatusCode::PERMANENT_REDIRECT,
        Error::TooManyHeaders(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Error::NoRoute
        | Error::UserNotFound
        | Error::TokenNotFound
        | Error::AdminKeyNotFound
        | Error::MeetingNotFound(..)
        | Error::NoSuchMeeting
        | Error::NoBotToStop
        | Error::NoWebhook
        | Error::DeliveryNotFound
        | Error::OpenLinkNotFound
        | Error::PageNotFound => StatusCode::NOT_FOUND,
        Error::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
        Error::AdminKeyRefused(_)
        | Error::TokenMissing(_)
        | Error::TokenRefused(_)
        | Error::NotAllowed(_)
        | Error::AdminKeyLimited(_)
        | Error::ForeignOrigin
        | Error::BackupPathRefused
        | Error::BotLimitReached { .. }
        | Error::BotsStillLeaving { .. } => StatusCode::FORBIDDEN,
        Error::BotRefused(_) | Error::MetricsRefused => StatusCode::UNAUTHORIZED,
        Error::TooManyFailedKeys { .. } | Error::TooManyRequests { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::BotInMeeting
        | Error::MeetingTaken
        | Error::NotActive(_)
        | Error::NotOver(_)
        | Error::TokenReplaced(_)
        | Error::TokenDisabled
        | Error::MakerDisabled
        | Error::AdminKeyTaken
        | Error::BackupConflict(_)
        | Error::MeetingsOpen(_)
        | Error::FileIsChecked
        | Error::WiderScope
        | Error::TooManyTokens { .. } => StatusCode::CONFLICT,
        Error::NoWebSocket => StatusCode::UPGRADE_REQUIRED,
        Error::Busy
        | Error::Starting
        | Error::StoreFailed(_)
        | Error::NoRunner
        | Error::TooManyBots { .. }
        | Error::BotNotStarted(_)
        | Error::BackupFailed(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::DiskFull | Error::BackupNoRoom(_) | Error::CompactNoRoom(_) => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The value of `detail` in the body of an error: a sentence, or every field error.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Detail<'a> {
    /// A sentence.
    Sentence(String),
    /// Every field error.
    Faults(&'a [FieldError]),
}

impl<'a> Detail<'a> {
    /// The detail of an error; its cause is not in it.
    pub(crate) fn of(error: &'a Error) -> Self {
        match error {
            Error::Invalid(errors) => Self::Faults(errors),
            error => Self::Sentence(error.to_string()),
        }
    }
}

/// The body of an error.
#[derive(Serialize)]
struct Problem<'a> {
    detail: Detail<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The one place that makes a response of an error.
pub(crate) fn error_response(error: &Error) -> Response {
    let status = status(error);
    let (code, reason) = error.reason().unzip();
    let problem = Problem { detail: Detail::of(error), code, reason };
    let mut response = match json(status, &problem) {
        Ok(response) => response,
        Err(_) => whole(status, Bytes::new()),
    };
    add_headers(error, response.headers_mut());
    response
}

/// The headers that go with an error's status.
fn add_headers(error: &Error, headers: &mut HeaderMap) {
    match error {
        Error::WrongMethod(allowed) => {
            if let Ok(allowed) = HeaderValue::from_str(allowed) {
                headers.insert(header::ALLOW, allowed);
            }
        }
        Error::Moved(path) => {
            if let Ok(path) = HeaderValue::from_str(path) {
                headers.insert(header::LOCATION, path);
            }
        }
        Error::NoWebSocket => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        Error::BotRefused(_) | Error::MetricsRefused => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Error::TooManyFailedKeys { retry_after } | Error::TooManyRequests { retry_after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        Error::TooManyBots { .. } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
        }
        Error::Starting => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        Error::Busy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
}
