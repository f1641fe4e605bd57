//! Every error that a caller can tell apart: its message, code and reason. The status that goes
//! with it is in `http/problem.rs`.

use crate::domain::field_error::FieldError;
use crate::domain::{KeyRejection, MeetingStatus, Platform, SentInstead, TokenId, Word};
use std::fmt;

/// What every fallible function of the server returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request failed. Its `Display` is for callers; causes stay in the log ([`Error::cause`]).
#[derive(Debug, Clone)]
pub enum Error {
    /// The request breaks a rule of HTTP; the sentence says which.
    Malformed(&'static str),
    /// The `Host` is not a name of this server.
    WrongHost,
    /// The request has more headers than this many.
    TooManyHeaders(usize),
    /// No route has this path.
    NoRoute,
    /// The path has a slash too many at its end; the path without it, and the query.
    Moved(String),
    /// The path has no such method; the value of `Allow`.
    WrongMethod(String),
    /// The admin key is refused.
    AdminKeyRefused(KeyRejection),
    /// There is no user token.
    TokenMissing(SentInstead),
    /// The user token is refused.
    TokenRefused(KeyRejection),
    /// Too many keys from the caller's address were refused; this one would have been too.
    TooManyFailedKeys {
        /// In how many seconds the next one is checked.
        retry_after: u64,
    },
    /// The token, or its user, has made too many requests.
    TooManyRequests {
        /// In how many seconds the next request is accepted.
        retry_after: u64,
    },
    /// The token's scope does not allow this; the sentence says what it does.
    NotAllowed(String),
    /// The token was already rotated; the token that replaces it.
    TokenReplaced(TokenId),
    /// The token is disabled.
    TokenDisabled,
    /// The token was made by one that is disabled.
    MakerDisabled,
    /// The scope that is asked for is wider than the token's.
    WiderScope,
    /// The user's tokens that holders have made are as many as there may be.
    TooManyTokens {
        /// How many there may be.
        max: i64,
    },
    /// A named admin key may not do this; the sentence says why.
    AdminKeyLimited(String),
    /// No such admin key.
    AdminKeyNotFound,
    /// An admin key has this name.
    AdminKeyTaken,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is longer than this many bytes.
    TooLarge(usize),
    /// The input does not validate: every field error at once.
    Invalid(Vec<FieldError>),
    /// No such user.
    UserNotFound,
    /// No such token.
    TokenNotFound,
    /// An e-mail address cannot be changed.
    EmailFixed,
    /// The user has a bot in a meeting.
    BotInMeeting,
    /// The user has no such meeting.
    MeetingNotFound(Word<Platform>, String),
    /// No user has such a meeting.
    NoSuchMeeting,
    /// The user has no such meeting whose bot could be stopped.
    NoBotToStop,
    /// The user has a bot in this meeting already.
    MeetingTaken,
    /// The user has as many bots in meetings as they may have.
    BotLimitReached {
        /// How many there are.
        seats: i64,
        /// How many there may be.
        limit: i64,
    },
    /// So many bots of the user still run, because those that were told to leave are not gone.
    BotsStillLeaving {
        /// How many run.
        running: usize,
        /// How many may be in meetings.
        limit: i64,
    },
    /// As many bots run on the server as may.
    TooManyBots {
        /// How many may run.
        max: usize,
    },
    /// The meeting is not active, so its bot cannot be configured.
    NotActive(Word<MeetingStatus>),
    /// The meeting is not over.
    NotOver(Word<MeetingStatus>),
    /// The search would take too long.
    TooBroad,
    /// The input changes nothing.
    NothingToUpdate,
    /// A bot's token is missing or wrong, or its meeting is over; what came instead.
    BotRefused(SentInstead),
    /// The metrics were asked for without their token.
    MetricsRefused,
    /// No runner is configured.
    NoRunner,
    /// The bot could not be started; the sentence says why.
    BotNotStarted(String),
    /// The user has no webhook.
    NoWebhook,
    /// No such webhook event, or it is of another user.
    DeliveryNotFound,
    /// No such link to the console: it was used, has ended, or never was.
    OpenLinkNotFound,
    /// The request is no WebSocket handshake.
    NoWebSocket,
    /// The WebSocket is asked for by a web page of another site.
    ForeignOrigin,
    /// No such page of the documentation.
    PageNotFound,
    /// A backup is not made in the present state; the sentence says why.
    BackupConflict(String),
    /// All bytes of the file are being checked already.
    FileIsChecked,
    /// The caller may not say where a backup is written.
    BackupPathRefused,
    /// The disk of a backup has no room for it; the sentence says how much it takes.
    BackupNoRoom(String),
    /// A backup could not be made; the sentence says why.
    BackupFailed(String),
    /// The file is not compacted while so many meetings are open.
    MeetingsOpen(u64),
    /// The disk has no room for a compaction; the sentence says how much it takes.
    CompactNoRoom(String),
    /// The server starts: the database is being upgraded.
    Starting,
    /// A queue is full; the same request may succeed in a second.
    Busy,
    /// The disk is full.
    DiskFull,
    /// The database has failed; the server is about to stop.
    StoreFailed(String),
    /// An internal error, with its cause.
    Internal(String),
}

impl Error {
    /// `code` and `reason` of an error: a word for programs, and a sentence. Only authentication,
    /// authorisation, limits and a start have them.
    pub fn reason(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::TokenMissing(instead) => {
                let message = "Send an API token in the header X-API-Key.";
                (KeyRejection::Missing(*instead).code(), format!("{message}{}", instead.hint()))
            }
            Self::AdminKeyRefused(missing @ KeyRejection::Missing(instead)) => {
                let message = "Send the admin key in the header X-Admin-API-Key.";
                (missing.code(), format!("{message}{}", instead.hint()))
            }
            Self::AdminKeyRefused(KeyRejection::Unknown) => {
                let message = "No such admin key is known here. It may be mistyped, or of another \
                               server; a weak key of the settings is accepted from the server's \
                               own machine alone.";
                (KeyRejection::Unknown.code(), message.to_owned())
            }
            Self::AdminKeyRefused(rejection) | Self::TokenRefused(rejection) => {
                (rejection.code(), rejection.reason())
            }
            Self::NotAllowed(why) | Self::AdminKeyLimited(why) => ("not_allowed", why.clone()),
            Self::TooManyFailedKeys { retry_after } => (
                "too_many_failed_keys",
                format!("Keys from your address are looked at again in {retry_after} s."),
            ),
            Self::TooManyRequests { retry_after } => {
                ("too_many_requests", format!("The next request is answered in {retry_after} s."))
            }
            Self::BotLimitReached { seats, limit } => {
                ("bot_limit", format!("{seats} of {limit} bots are in meetings."))
            }
            Self::BotsStillLeaving { running, limit } => (
                "bots_still_leaving",
                format!("{running} bots still run, and {limit} may be in meetings."),
            ),
            Self::BotRefused(instead) => {
                let message = "The secret of the meeting (Authorization: Bearer) is missing or \
                               wrong, or the meeting is over.";
                ("unknown", format!("{message}{}", instead.hint()))
            }
            Self::Starting => (
                "starting",
                "The database is being upgraded; the server's log says how far.".to_owned(),
            ),
            _ => return None,
        })
    }

    /// Whether it refuses a key, or a request without one, so that the address is limited
    /// ([`Error::TooManyFailedKeys`]).
    pub fn refuses_key(&self) -> bool {
        matches!(self, Self::AdminKeyRefused(_) | Self::TokenRefused(_) | Self::BotRefused(_))
    }

    /// The cause of an internal error or of a failed database, for the log alone.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::StoreFailed(cause) | Self::Internal(cause) => Some(cause),
            _ => None,
        }
    }

    /// The cause for a log line about the store; a full queue and a full disk have none.
    pub fn store_cause(&self) -> &str {
        self.cause().unwrap_or("the disk is full or busy")
    }
}

/// The message for the caller; causes are not in it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(message) => f.write_str(message),
            Self::MeetingNotFound(platform, id) => {
                write!(f, "Meeting not found for platform {} and ID {id}", platform.as_str())
            }
            Self::BotLimitReached { limit, .. } => {
                write!(f, "User has reached the maximum concurrent bot limit ({limit}).")
            }
            Self::BotsStillLeaving { .. } => {
                f.write_str("The bots that were told to leave still run. Try again in a moment.")
            }
            Self::TooManyBots { max } => {
                write!(f, "The server runs {max} bots, and no more at once. Try again later.")
            }
            Self::NotActive(status) => {
                let status = status.as_str();
                write!(
                    f,
                    "Meeting found but is not active (status: '{status}'). Cannot reconfigure."
                )
            }
            Self::NotOver(status) => {
                let status = status.as_str();
                write!(
                    f,
                    "Meeting not finalized; cannot delete transcripts. Current status: {status}"
                )
            }
            Self::BotNotStarted(why) => write!(f, "The bot could not be started: {why}"),
            Self::BackupConflict(why)
            | Self::BackupNoRoom(why)
            | Self::BackupFailed(why)
            | Self::CompactNoRoom(why) => f.write_str(why),
            Self::MeetingsOpen(count) => write!(
                f,
                "Meetings are open: {count}. What their bots send would wait; try again when they \
                 are over, or compact all the same (--now)."
            ),
            Self::TooManyHeaders(max) => write!(f, "A request has at most {max} headers."),
            Self::TooLarge(max) => write!(f, "The body is longer than {max} bytes."),
            Self::TooManyFailedKeys { retry_after } => {
                write!(f, "Too many wrong keys from your address. Try again in {retry_after} s.")
            }
            Self::TooManyRequests { retry_after } => {
                write!(f, "Too many requests. Try again in {retry_after} s.")
            }
            Self::TooManyTokens { max } => {
                write!(
                    f,
                    "You have {max} tokens of your own. Delete one with DELETE /user/tokens/{{id}} first."
                )
            }
            Self::TokenReplaced(by) => {
                write!(f, "Token was already exchanged for token {by}.")
            }
            other => f.write_str(other.fixed_message()),
        }
    }
}

const BACKUP_PATH_REFUSED: &str = "Where a backup is written, only root and the server's own user \
    may say, by the admin socket. Leave the path out: then it is written into the configured folder.";

impl Error {
    /// The message of an error whose message holds no value of its own; those that hold one are
    /// written by `fmt`.
    fn fixed_message(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "The request does not validate.",
            Self::WrongHost => "Unknown Host. Add the name to http.allowed_hosts in vomeet.toml.",
            Self::NoRoute | Self::PageNotFound => "Not Found",
            Self::Moved(_) => "The path has no slash at its end.",
            Self::WrongMethod(_) => "Method Not Allowed",
            Self::NotAllowed(_) => "This token may not do that.",
            Self::AdminKeyLimited(_) => "This admin key may not do that.",
            Self::WiderScope => {
                "The scope of a token is only ever narrowed. Create another token for more."
            }
            Self::TokenDisabled => "Token is disabled; enable it first.",
            Self::MakerDisabled => {
                "The token that made this one is disabled; enable that one first."
            }
            Self::AdminKeyNotFound => "Admin key not found",
            Self::AdminKeyTaken => {
                "An admin key has this name already; rotate it, or choose another name."
            }
            Self::AdminKeyRefused(_) => "Invalid or missing admin token.",
            Self::TokenMissing(_) => "Missing API token (X-API-Key header)",
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
            Self::BotRefused(_) => "Invalid bot token",
            Self::MetricsRefused => {
                "Send the token of metrics_token_file as Authorization: Bearer TOKEN."
            }
            other => other.message_of_server(),
        }
    }

    /// The same of errors that are about the server and its settings.
    fn message_of_server(&self) -> &'static str {
        match self {
            Self::NoRunner => {
                "Nothing is configured that runs bots. Set runner in section [bots] of vomeet.toml \
                 to process, docker or demo."
            }
            Self::NoWebhook => "No webhook URL is set. Set one with PUT /user/webhook.",
            Self::DeliveryNotFound => "Delivery not found",
            Self::OpenLinkNotFound => {
                "This link was used already, has ended, or is of another machine. `vomeet open` \
                 makes another."
            }
            Self::ForeignOrigin => {
                "Pages of this origin may not open a WebSocket. Add the origin to \
                 http.cors_origins in vomeet.toml."
            }
            Self::NoWebSocket => "This route speaks WebSocket; send an upgrade request (RFC 6455).",
            Self::BackupPathRefused => BACKUP_PATH_REFUSED,
            Self::FileIsChecked => "The file is being checked already. Wait until that is done.",
            Self::Starting => {
                "The server is starting: its database is being upgraded. Try again soon."
            }
            Self::Busy => "The server is busy. Try again in a second.",
            Self::DiskFull => "The disk is full. Free some space on the server and try again.",
            Self::StoreFailed(_) => "The database cannot be written; the server is stopping.",
            _ => "Internal Server Error",
        }
    }
}

impl std::error::Error for Error {}
