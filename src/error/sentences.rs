//! What callers are told of each error.

use crate::domain::KeyRejection;
use crate::error::Error;
use std::fmt;

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
            Self::RangeOutside { length } => {
                write!(f, "The range begins behind the end: there are {length} bytes.")
            }
            Self::NotActive(status) => {
                let status = status.as_str();
                write!(
                    f,
                    "Meeting found but is not active (status: '{status}'). Cannot reconfigure."
                )
            }
            Self::NotThere(status) => {
                let status = status.as_str();
                write!(f, "Meeting found but is not active (status: '{status}'). No bot is in it.")
            }
            Self::NotOver(status) => {
                let status = status.as_str();
                write!(
                    f,
                    "Meeting not finalized; cannot delete transcripts. Current status: {status}"
                )
            }
            Self::SoundNotOver(status) => {
                let status = status.as_str();
                write!(
                    f,
                    "Meeting not finalized; cannot delete its sound. Current status: {status}"
                )
            }
            Self::NotFailed(status) => {
                let status = status.as_str();
                write!(f, "Only a meeting that has failed is tried again. Current status: {status}")
            }
            Self::BotNotStarted(why) => write!(f, "The bot could not be started: {why}"),
            Self::BackupConflict(why)
            | Self::BackupNoRoom(why)
            | Self::BackupFailed(why)
            | Self::CompactNoRoom(why)
            | Self::SoundRefused(why)
            | Self::UnreadableSound(why) => f.write_str(why),
            Self::NotHeard(why) => write!(f, "No engine makes words of the sound now: {why}"),
            Self::MeetingsOpen(count) => write!(
                f,
                "Meetings are open: {count}. What their bots send would wait; try again when they \
                 are over, or compact all the same (--now)."
            ),
            Self::TokenReplaced(by) => {
                write!(f, "Token was already exchanged for token {by}.")
            }
            other => other.write_limit(f),
        }
    }
}

const BACKUP_PATH_REFUSED: &str = "Where a backup is written, only root and the server's own user \
    may say, by the admin socket. Leave the path out: then it is written into the configured folder.";

impl Error {
    /// Writes the message of a limit that is reached, with the limit; others as they are.
    fn write_limit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyPlanned { max } => {
                write!(f, "User has planned {max} bots, and no more may be. Cancel one first.")
            }
            Self::TooManyHeaders(max) => write!(f, "A request has at most {max} headers."),
            Self::TooLarge(max) => write!(f, "The body is longer than {max} bytes."),
            Self::TooManyFailedKeys { retry_after } => {
                write!(f, "Too many wrong keys from your address. Try again in {retry_after} s.")
            }
            Self::TooManyRequests { retry_after } => {
                write!(f, "Too many requests. Try again in {retry_after} s.")
            }
            Self::SoundTooLong { seconds_max } => {
                write!(
                    f,
                    "The sound is longer than {seconds_max} s. Upload it as a meeting instead."
                )
            }
            Self::TooManyTokens { max } => {
                write!(
                    f,
                    "You have {max} tokens of your own. Delete one with DELETE /user/tokens/{{id}} first."
                )
            }
            Self::TooManyShares { max } => {
                write!(f, "You have {max} share links. Delete one with DELETE /user/shares/{{id}}.")
            }
            Self::TooManyWebhooks { max } => {
                write!(
                    f,
                    "You have {max} webhooks. Delete one with DELETE /user/webhooks/{{id}} first."
                )
            }
            other => f.write_str(other.fixed_message()),
        }
    }

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
            Self::BearerRefused(KeyRejection::Missing(_)) => {
                "Missing API token (Authorization: Bearer, or X-API-Key header)"
            }
            Self::TokenRefused(_) | Self::BearerRefused(_) => "Invalid API token",
            Self::TooSlow => "The body did not arrive in time.",
            Self::UserNotFound => "User not found",
            Self::TokenNotFound => "Token not found",
            Self::NoSuchMeeting => "Meeting not found",
            Self::NoSuchSound => "Sound not found",
            Self::SoundNotKept => {
                "No sound of this meeting is kept. It is deleted once its words are stored, unless \
                 keep_days in section [transcription] of vomeet.toml keeps it."
            }
            Self::SegmentNotFound => "Segment not found",
            Self::SegmentIsDraft => {
                "The words of this segment are a draft, which may still change. Correct it once it \
                 is final."
            }
            Self::SpeakerNotFound => {
                "No segment of this meeting shows this speaker. Send the name as it is shown, or \
                 null for segments without one."
            }
            Self::EmailFixed => "Cannot change user email via this endpoint.",
            Self::BotInMeeting => "User has a bot in a meeting; stop it first.",
            Self::BotNotListening => {
                "The bot of this meeting does not listen for commands: it is not connected to the \
                 Redis endpoint."
            }
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
            Self::NoEngine => {
                "No engine is configured that makes words of sound. Name one under \
                 [[transcription.engines]] in vomeet.toml, or set whisper_model in section \
                 [transcription]."
            }
            Self::NoWebhook => "No webhook URL is set. Set one with PUT /user/webhook.",
            Self::WebhookNotFound => "Webhook not found",
            Self::DeliveryNotFound => "Delivery not found",
            Self::OpenLinkNotFound => {
                "This link was used already, has ended, or is of another machine. `vomeet open` \
                 makes another."
            }
            Self::ShareNotFound => "No such share link: it has ended, or never was.",
            Self::ForeignOrigin => {
                "Pages of this origin may not open a WebSocket or call /mcp. Add the origin to \
                 http.cors_origins in vomeet.toml."
            }
            Self::NoWebSocket => "This route speaks WebSocket; send an upgrade request (RFC 6455).",
            Self::BackupPathRefused => BACKUP_PATH_REFUSED,
            Self::FileIsChecked => "The file is being checked already. Wait until that is done.",
            Self::Starting => {
                "The server is starting: its database is being upgraded. Try again soon."
            }
            Self::NoRoomForSound { .. } => "The server takes no more sound now. Try again later.",
            Self::SoundLimit { .. } => "More sound than may come. Try again later.",
            Self::UserEnginesOff => {
                "Users may not have an engine of their own here; the administrator allows it with \
                 transcription.user_engines in vomeet.toml. Vocabulary alone is allowed."
            }
            Self::Busy => "The server is busy. Try again in a second.",
            Self::DiskFull => "The disk is full. Free some space on the server and try again.",
            Self::StoreFailed(_) => "The database cannot be written; the server is stopping.",
            _ => "Internal Server Error",
        }
    }
}
