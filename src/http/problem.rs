//! An error as its caller meets it: the status, the words, the code.

use crate::domain::field_error::FieldError;
use crate::error::Error;
use crate::http::response::{Response, json, whole};
use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;

/// The status that goes with an error.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::Malformed(_) | Error::EmailFixed | Error::NothingToUpdate | Error::TooBroad => StatusCode::BAD_REQUEST,
        Error::WrongHost => StatusCode::MISDIRECTED_REQUEST,
        Error::TooManyHeaders(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Error::NoRoute
        | Error::UserNotFound
        | Error::TokenNotFound
        | Error::AdminKeyNotFound
        | Error::MeetingNotFound(..)
        | Error::NoSuchMeeting
        | Error::NoBotToStop
        | Error::NoWebhook
        | Error::PageNotFound => StatusCode::NOT_FOUND,
        Error::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
        Error::AdminKeyRefused(_)
        | Error::TokenMissing
        | Error::TokenRefused(_)
        | Error::NotAllowed(_)
        | Error::BotLimitReached { .. } => StatusCode::FORBIDDEN,
        Error::BotRefused => StatusCode::UNAUTHORIZED,
        Error::TooManyFailedKeys { .. } | Error::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::BotInMeeting
        | Error::MeetingTaken
        | Error::NotActive(_)
        | Error::NotOver(_)
        | Error::TokenReplaced(_)
        | Error::TokenDisabled
        | Error::AdminKeyTaken => StatusCode::CONFLICT,
        Error::NoWebSocket => StatusCode::UPGRADE_REQUIRED,
        Error::Busy | Error::StoreFailed(_) | Error::NoRunner | Error::BotNotStarted(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The value of `detail` in the body of an error: a sentence, or every fault of what was sent.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Detail<'a> {
    /// A sentence.
    Sentence(String),
    /// Every fault of what was sent.
    Faults(&'a [FieldError]),
}

impl<'a> Detail<'a> {
    /// What the caller reads of an error.
    pub fn of(error: &'a Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::Faults(faults),
            error => Self::Sentence(error.to_string()),
        }
    }
}

/// The one place that gives an error its status and its words.
pub fn error_response(error: &Error) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        detail: Detail<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }

    let (code, reason) = error.reason().unzip();

    let body = Problem { detail: Detail::of(error), code, reason };
    let mut response = json(status(error), &body).unwrap_or_else(|_| whole(status(error), Bytes::new()));
    add_hints(error, response.headers_mut());
    response
}

fn add_hints(error: &Error, headers: &mut HeaderMap) {
    match error {
        Error::WrongMethod(allowed) => {
            if let Ok(allowed) = HeaderValue::from_str(allowed) {
                headers.insert(header::ALLOW, allowed);
            }
        }
        Error::NoWebSocket => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        Error::BotRefused => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Error::TooManyFailedKeys { retry_after } | Error::TooManyRequests { retry_after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        Error::Busy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
}
