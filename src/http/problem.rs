//! The response to an error: its status, detail, code and reason.

use crate::domain::field_error::FieldError;
use crate::error::Error;
use crate::http::response::{Response, json, keep_private, whole};
use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;

/// Writes [`status`] from a table: a status, and the errors that it goes with. Each error stands in
/// it once, or it does not compile.
macro_rules! statuses {
    ($($status:ident: $($error:ident)+;)+) => {
        /// The status that goes with an error.
        pub(crate) fn status(error: &Error) -> StatusCode {
            match error {
                $($(Error::$error { .. })|+ => StatusCode::$status,)+
            }
        }
    };
}

statuses! {
    BAD_REQUEST: Malformed EmailFixed NothingToUpdate TooBroad;
    UNAUTHORIZED: BotRefused BearerRefused MetricsRefused;
    FORBIDDEN: AdminKeyRefused TokenMissing TokenRefused NotAllowed AdminKeyLimited
        ForeignOrigin BackupPathRefused UserEnginesOff BotLimitReached BotsStillLeaving
        TooManyPlanned;
    NOT_FOUND: NoRoute UserNotFound TokenNotFound AdminKeyNotFound MeetingNotFound NoSuchMeeting
        NoSuchSound SoundNotKept SegmentNotFound SpeakerNotFound NoBotToStop NoWebhook
        WebhookNotFound DeliveryNotFound OpenLinkNotFound ShareNotFound PageNotFound;
    METHOD_NOT_ALLOWED: WrongMethod;
    REQUEST_TIMEOUT: TooSlow;
    CONFLICT: BotInMeeting MeetingTaken NotActive NotThere BotNotListening NotOver SoundNotOver
        SegmentIsDraft NotFailed TokenReplaced TokenDisabled MakerDisabled AdminKeyTaken
        BackupConflict MeetingsOpen FileIsChecked WiderScope TooManyTokens TooManyShares
        TooManyWebhooks;
    PAYLOAD_TOO_LARGE: TooLarge SoundTooLong;
    UNSUPPORTED_MEDIA_TYPE: SoundRefused;
    RANGE_NOT_SATISFIABLE: RangeOutside;
    MISDIRECTED_REQUEST: WrongHost;
    UNPROCESSABLE_ENTITY: Invalid UnreadableSound;
    UPGRADE_REQUIRED: NoWebSocket;
    TOO_MANY_REQUESTS: TooManyFailedKeys TooManyRequests SoundLimit;
    REQUEST_HEADER_FIELDS_TOO_LARGE: TooManyHeaders;
    PERMANENT_REDIRECT: Moved;
    INTERNAL_SERVER_ERROR: Internal;
    SERVICE_UNAVAILABLE: Busy Starting StoreFailed NoRunner NoEngine NotHeard TooManyBots
        NoRoomForSound BotNotStarted BackupFailed;
    INSUFFICIENT_STORAGE: DiskFull BackupNoRoom CompactNoRoom;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OpenAiError>,
}

/// What clients of OpenAI's API look for in the body of an error.
#[derive(Serialize)]
struct OpenAiError {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl OpenAiError {
    fn of(error: &Error) -> Self {
        let status = status(error);
        let kind = match status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let first = match error {
            Error::Invalid(faults) => faults.first(),
            _ => None,
        };
        let message = first.map_or_else(|| error.to_string(), FieldError::sentence);
        let (code, reason) = error.reason().unzip();
        Self {
            message: reason.unwrap_or(message),
            kind,
            param: first.and_then(FieldError::field),
            code,
        }
    }
}

/// The one place that makes a response of an error.
pub(crate) fn error_response(error: &Error) -> Response {
    response_of(error, None)
}

/// The same for clients of OpenAI's API, whose form of an error stands beside the usual one.
pub(crate) fn openai_error_response(error: &Error) -> Response {
    response_of(error, Some(OpenAiError::of(error)))
}

fn response_of(error: &Error, openai: Option<OpenAiError>) -> Response {
    let status = status(error);
    let (code, reason) = error.reason().unzip();
    let problem = Problem { detail: Detail::of(error), code, reason, error: openai };
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
        Error::BotRefused(_) | Error::BearerRefused(_) | Error::MetricsRefused => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Error::TooManyFailedKeys { retry_after }
        | Error::TooManyRequests { retry_after }
        | Error::SoundLimit { retry_after, .. } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        Error::ShareNotFound => keep_private(headers),
        Error::RangeOutside { length } => {
            if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
                headers.insert(header::CONTENT_RANGE, range);
            }
        }
        Error::TooManyBots { .. } | Error::NoRoomForSound { .. } | Error::NotHeard(_) => {
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
