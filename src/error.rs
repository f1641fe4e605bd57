//! Everything that a caller can tell apart, and its status.

use crate::domain::field::Invalid;
use crate::domain::{KeyFault, MeetingStatus, Platform, TokenId};
use hyper::StatusCode;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// What every fallible function of the server returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request was not done. The texts for callers are in [`Error::detail`]; causes stay in the log.
#[derive(Debug, Clone)]
pub enum Error {
    /// The request breaks HTTP itself; the sentence says how.
    Malformed(&'static str),
    /// The request was sent to a name that is not this server's.
    WrongHost,
    /// There are more headers than this many.
    TooManyHeaders(usize),
    /// No route has this path.
    NoRoute,
    /// The path is known, the method is not; the methods that are.
    WrongMethod(String),
    /// The admin key opens no door.
    AdminKeyRefused(KeyFault),
    /// There is no user token.
    TokenMissing,
    /// The user token opens no door.
    TokenRefused(KeyFault),
    /// Too many keys from the caller's address were refused; this one would have been too.
    TooManyFailedKeys {
        /// In how many seconds the next one is looked at.
        retry_after: u64,
    },
    /// The token, or its user, asks too often.
    TooManyRequests {
        /// In how many seconds the next request is answered.
        retry_after: u64,
    },
    /// The token may not do this; the sentence says what it may.
    NotAllowed(String),
    /// The token was exchanged for another already.
    TokenReplaced(TokenId),
    /// The token is disabled.
    TokenDisabled,
    /// No such admin key.
    AdminKeyNotFound,
    /// An admin key has this name.
    AdminKeyTaken,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is longer than this many bytes.
    TooLarge(usize),
    /// What was sent does not validate: every fault at once.
    Invalid(Vec<Fault>),
    /// No such user.
    UserNotFound,
    /// No such token.
    TokenNotFound,
    /// An e-mail address cannot be changed.
    EmailFixed,
    /// The user has a bot in a meeting.
    BotInMeeting,
    /// The user has no such meeting.
    MeetingNotFound(Platform, String),
    /// No such meeting, whosesoever.
    NoSuchMeeting,
    /// The user has no such meeting whose bot could be stopped.
    NoBotToStop,
    /// A bot of the user's is in this meeting already.
    MeetingTaken,
    /// The user's bots are as many as they may be.
    BotLimitReached {
        /// How many they are.
        seats: i64,
        /// How many they may be.
        limit: i64,
    },
    /// The bot of this meeting does not listen.
    NotActive(MeetingStatus),
    /// The meeting is not over.
    NotOver(MeetingStatus),
    /// The search would take too long.
    TooBroad,
    /// Nothing was sent that could be changed.
    NothingToUpdate,
    /// The secret of a meeting is missing, wrong, or the meeting is over.
    BotRefused,
    /// Nothing is configured that runs bots.
    NoRunner,
    /// The bot could not be started; the sentence says why.
    BotNotStarted(String),
    /// The user has no webhook.
    NoWebhook,
    /// The request asks for no WebSocket.
    NoWebSocket,
    /// No such page of the documentation.
    PageNotFound,
    /// Too many others are waiting; the same request may succeed in a second.
    Busy,
    /// The disk is full.
    DiskFull,
    /// The file can no longer be trusted; the server is about to stop.
    StoreFailed(String),
    /// A fault of ours.
    Internal(String),
}

impl Error {
    /// The status that goes with it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::EmailFixed | Self::NothingToUpdate | Self::TooBroad => StatusCode::BAD_REQUEST,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyHeaders(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoRoute
            | Self::UserNotFound
            | Self::TokenNotFound
            | Self::AdminKeyNotFound
            | Self::MeetingNotFound(..)
            | Self::NoSuchMeeting
            | Self::NoBotToStop
            | Self::NoWebhook
            | Self::PageNotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::AdminKeyRefused(_)
            | Self::TokenMissing
            | Self::TokenRefused(_)
            | Self::NotAllowed(_)
            | Self::BotLimitReached { .. } => StatusCode::FORBIDDEN,
            Self::BotRefused => StatusCode::UNAUTHORIZED,
            Self::TooManyFailedKeys { .. } | Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BotInMeeting
            | Self::MeetingTaken
            | Self::NotActive(_)
            | Self::NotOver(_)
            | Self::TokenReplaced(_)
            | Self::TokenDisabled
            | Self::AdminKeyTaken => StatusCode::CONFLICT,
            Self::NoWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::Busy | Self::StoreFailed(_) | Self::NoRunner | Self::BotNotStarted(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the caller reads; the cause of a fault of ours is not in it.
    pub fn detail(&self) -> Detail<'_> {
        Detail::Sentence(match self {
            Self::Invalid(faults) => return Detail::Faults(faults),
            Self::Malformed(sentence) => sentence,
            Self::MeetingNotFound(platform, id) => {
                return Detail::Owned(format!("Meeting not found for platform {} and ID {id}", platform.as_str()));
            }
            Self::BotLimitReached { limit, .. } => {
                return Detail::Owned(format!("User has reached the maximum concurrent bot limit ({limit})."));
            }
            Self::NotActive(status) => {
                let status = status.as_str();
                return Detail::Owned(format!(
                    "Meeting found but is not active (status: '{status}'). Cannot reconfigure."
                ));
            }
            Self::NotOver(status) => {
                let status = status.as_str();
                return Detail::Owned(format!(
                    "Meeting not finalized; cannot delete transcripts. Current status: {status}"
                ));
            }
            Self::BotNotStarted(why) => return Detail::Owned(format!("The bot could not be started: {why}")),
            Self::TooManyHeaders(max) => return Detail::Owned(format!("A request has at most {max} headers.")),
            Self::TooLarge(max) => return Detail::Owned(format!("The body is longer than {max} bytes.")),
            Self::TooManyFailedKeys { retry_after } => {
                return Detail::Owned(format!("Too many wrong keys from your address. Try again in {retry_after} s."));
            }
            Self::TooManyRequests { retry_after } => {
                return Detail::Owned(format!("Too many requests. Try again in {retry_after} s."));
            }
            Self::WrongHost => "Unknown Host. Add the name to http.allowed_hosts in vomeet.toml.",
            Self::NoRoute | Self::PageNotFound => "Not Found",
            Self::WrongMethod(_) => "Method Not Allowed",
            Self::TokenReplaced(by) => return Detail::Owned(format!("Token was already exchanged for token {by}.")),
            Self::NotAllowed(_) => "This token may not do that.",
            Self::TokenDisabled => "Token is disabled; enable it first.",
            Self::AdminKeyNotFound => "Admin key not found",
            Self::AdminKeyTaken => "An admin key has this name already; rotate it, or choose another name.",
            Self::AdminKeyRefused(_) => "Invalid or missing admin token.",
            Self::TokenMissing => "Missing API token (X-API-Key header)",
            Self::TokenRefused(_) => "Invalid API token",
            Self::TooSlow => "The body did not arrive in time.",
            Self::UserNotFound => "User not found",
            Self::TokenNotFound => "Token not found",
            Self::NoSuchMeeting => "Meeting not found",
            Self::EmailFixed => "Cannot change user email via this endpoint.",
            Self::BotInMeeting => "User has a bot in a meeting; stop it first.",
            Self::NoBotToStop => "No meeting found to stop.",
            Self::MeetingTaken => {
                "An active or requested meeting already exists for this platform and meeting ID. \
                 Stop it first, or wait for its end."
            }
            Self::TooBroad => "The search takes too long; use longer beginnings, or none.",
            Self::NothingToUpdate => "No data provided for update.",
            Self::BotRefused => "Invalid bot token",
            Self::NoRunner => {
                "Nothing is configured that runs bots. Set runner in section [bots] of vomeet.toml to process, \
                 docker or demo."
            }
            Self::NoWebhook => "No webhook URL is set. Set one with PUT /user/webhook.",
            Self::NoWebSocket => "This route speaks WebSocket; send an upgrade request (RFC 6455).",
            Self::Busy => "The server is busy. Try again in a second.",
            Self::DiskFull => "The disk is full. Free some space on the server and try again.",
            Self::StoreFailed(_) => "The database cannot be written; the server is stopping.",
            Self::Internal(_) => "Internal Server Error",
        })
    }

    /// Why a caller was refused: the machine's word, and a sentence. Only for refusals of who they are and what they may.
    pub fn reason(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::TokenMissing => (KeyFault::Missing.code(), "Send an API token in the header X-API-Key.".to_owned()),
            Self::AdminKeyRefused(KeyFault::Missing) => {
                (KeyFault::Missing.code(), "Send the admin key in the header X-Admin-API-Key.".to_owned())
            }
            Self::AdminKeyRefused(KeyFault::Unknown) => {
                let sentence = "No such admin key is known here. It may be mistyped, or of another server.";
                (KeyFault::Unknown.code(), sentence.to_owned())
            }
            Self::AdminKeyRefused(fault) | Self::TokenRefused(fault) => (fault.code(), fault.reason()),
            Self::NotAllowed(why) => ("not_allowed", why.clone()),
            Self::TooManyFailedKeys { retry_after } => {
                ("too_many_failed_keys", format!("Keys from your address are looked at again in {retry_after} s."))
            }
            Self::TooManyRequests { retry_after } => {
                ("too_many_requests", format!("The next request is answered in {retry_after} s."))
            }
            Self::BotLimitReached { seats, limit } => {
                ("bot_limit", format!("{seats} of {limit} bots are in meetings."))
            }
            Self::BotRefused => {
                ("unknown", "The secret of the meeting is missing or wrong, or the meeting is over.".to_owned())
            }
            _ => return None,
        })
    }

    /// Whether it refuses a key, or the lack of one.
    pub fn refuses_key(&self) -> bool {
        matches!(self, Self::AdminKeyRefused(_) | Self::TokenRefused(_) | Self::BotRefused)
    }

    /// The cause, for the log alone.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::StoreFailed(cause) | Self::Internal(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The value of `detail` in an error's body.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Detail<'a> {
    /// A sentence.
    Sentence(&'a str),
    /// A sentence with a figure in it.
    Owned(String),
    /// Every fault of what was sent.
    Faults(&'a [Fault]),
}

/// One fault of what a caller sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// The machine's word for it.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "missing")]
    pub kind: &'static str,
    /// Where it is: `body`, `query` or `path`, then the field.
    #[schema(schema_with = loc_schema)]
    pub loc: Vec<Step>,
    /// A sentence for a person.
    #[schema(example = "Field required")]
    pub msg: String,
    /// What was sent there.
    #[schema(value_type = Value)]
    pub input: Input,
    /// The limit that was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub ctx: Option<serde_json::Value>,
}

impl Fault {
    /// A value at `loc` that was refused.
    pub fn new(loc: Vec<Step>, input: Input, invalid: Invalid) -> Self {
        Self { kind: invalid.kind, loc, msg: invalid.msg, input, ctx: invalid.ctx }
    }
}

/// A list of names and offsets.
fn loc_schema() -> Array {
    let step = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Integer]));
    ArrayBuilder::new().items(step).examples([serde_json::json!(["body", "email"])]).build()
}

/// One step on the way to a faulty value.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// A part of the request, or a field.
    Name(&'static str),
    /// A place in a list from 0, or a byte offset in a body that is no JSON.
    Number(usize),
}

/// What was sent where the fault is.
#[derive(Debug, Clone)]
pub enum Input {
    /// A JSON value.
    Json(Box<RawValue>),
    /// Text of a path or a query.
    Text(String),
    /// Nothing.
    Nothing,
    /// What cannot be shown: a body that is no JSON.
    Unreadable,
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Json(raw) => raw.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Nothing => serializer.serialize_none(),
            Self::Unreadable => serde_json::Map::new().serialize(serializer),
        }
    }
}
