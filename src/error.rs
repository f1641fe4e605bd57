//! Every error that a caller can tell apart: its message, code and reason. The status that goes
//! with it is in `http/problem.rs`.

use crate::domain::field_error::FieldError;
use crate::domain::{KeyRejection, MeetingStatus, Platform, SentInstead, TokenId, Word};

mod sentences;

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
    /// There is no user token where a bearer token is taken too, or it is refused.
    BearerRefused(KeyRejection),
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
    /// The meeting has no such segment.
    SegmentNotFound,
    /// The words of the segment are not final, so they cannot be corrected.
    SegmentIsDraft,
    /// The meeting has no segment of such a speaker.
    SpeakerNotFound,
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
    /// The user has as many planned bots as they may have.
    TooManyPlanned {
        /// How many there may be.
        max: i64,
    },
    /// The meeting is not active, so its bot cannot be configured.
    NotActive(Word<MeetingStatus>),
    /// The meeting is not active, so its bot neither speaks nor writes.
    NotThere(Word<MeetingStatus>),
    /// No bot of the meeting listens for commands.
    BotNotListening,
    /// The meeting is not over.
    NotOver(Word<MeetingStatus>),
    /// The meeting is not over, so its sound is not deleted.
    SoundNotOver(Word<MeetingStatus>),
    /// The meeting has not failed, so no bot is sent again.
    NotFailed(Word<MeetingStatus>),
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
    /// The user has no such webhook.
    WebhookNotFound,
    /// The user has as many webhooks as they may have.
    TooManyWebhooks {
        /// How many they may have.
        max: i64,
    },
    /// No such webhook event, or it is of another user.
    DeliveryNotFound,
    /// No such link to the console: it was used, has ended, or never was.
    OpenLinkNotFound,
    /// No such share link: it was revoked, has ended, or never was.
    ShareNotFound,
    /// The user's share links are as many as there may be.
    TooManyShares {
        /// How many there may be.
        max: i64,
    },
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
    /// The server takes no more sound now.
    NoRoomForSound {
        /// Why, in a sentence.
        reason: String,
    },
    /// More sound than a source or a user may bring.
    SoundLimit {
        /// Which limit, in a sentence.
        reason: String,
        /// In how many seconds more is taken.
        retry_after: u64,
    },
    /// Sound that cannot be read; the sentence says why.
    UnreadableSound(String),
    /// Users may not have an engine of their own.
    UserEnginesOff,
    /// The server starts: the database is being upgraded.
    Starting,
    /// The meeting has no such sound.
    NoSuchSound,
    /// Nothing of the sound is kept any more, or yet.
    SoundNotKept,
    /// A range begins behind the end of a file.
    RangeOutside {
        /// How long the file is, in bytes.
        length: u64,
    },
    /// No engine is configured, so no words are made of sound.
    NoEngine,
    /// No engine took the sound; the sentence says why.
    NotHeard(String),
    /// The sound is of a form that no engine takes; the sentence says which are.
    SoundRefused(String),
    /// The sound is longer than it may be.
    SoundTooLong {
        /// How long it may be, in seconds.
        seconds_max: u64,
    },
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
            Self::BearerRefused(missing @ KeyRejection::Missing(instead)) => {
                let message = "Send an API token as Authorization: Bearer TOKEN, or in the header \
                               X-API-Key.";
                (missing.code(), format!("{message}{}", instead.hint()))
            }
            Self::AdminKeyRefused(rejection)
            | Self::TokenRefused(rejection)
            | Self::BearerRefused(rejection) => (rejection.code(), rejection.reason()),
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
            Self::NoRoomForSound { reason } => ("no_room_for_sound", reason.clone()),
            Self::SoundLimit { reason, .. } => ("sound_limit", reason.clone()),
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
        matches!(
            self,
            Self::AdminKeyRefused(_)
                | Self::TokenRefused(_)
                | Self::BearerRefused(_)
                | Self::BotRefused(_)
        )
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

impl std::error::Error for Error {}
