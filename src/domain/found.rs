//! What an administrator's search finds: users, tokens and meetings, each with what a list shows
//! beside them.

use crate::domain::analytics::{MeetingSummary, UserSummary};
use crate::domain::email::Email;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::meeting::MeetingStatus;
use crate::domain::string_enum::{no_word, string_enum, words_schema};
use crate::domain::time::Time;
use crate::domain::token::Token;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

string_enum!(
    /// Which users are meant.
    UserState {
        /// Those whose tokens are accepted.
        Active = "active",
        /// Those who are disabled.
        Disabled = "disabled",
    }
);

/// Which meetings are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingState {
    /// Those that have a bot: neither planned nor over.
    Open,
    /// Those of this status.
    Status(MeetingStatus),
}

impl MeetingState {
    /// The word for those that are not over.
    const OPEN: &'static str = "open";

    /// Every word: that of the open ones, and each status.
    fn words() -> Vec<&'static str> {
        let mut words = vec![Self::OPEN];
        words.extend(MeetingStatus::WORDS);
        words
    }

    /// The one status that is meant; `None` where several are.
    pub fn status(self) -> Option<MeetingStatus> {
        match self {
            Self::Open => None,
            Self::Status(status) => Some(status),
        }
    }

    /// Whether only meetings that have a bot are meant.
    pub fn is_open(self) -> bool {
        self.status().is_none_or(MeetingStatus::has_bot)
    }
}

impl Field for MeetingState {
    fn schema() -> Object {
        words_schema(&Self::words())
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let word = raw.string()?;
        if word == Self::OPEN {
            return Ok(Self::Open);
        }
        match MeetingStatus::from_word(&word) {
            Some(status) => Ok(Self::Status(status)),
            None => Err(no_word(&Self::words())),
        }
    }
}

/// A user, with what they use now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FoundUser {
    /// The user.
    #[serde(flatten)]
    pub user: UserSummary,
    /// Since when all their tokens are refused.
    #[schema(required)]
    pub disabled_at: Option<Time>,
    /// How many bots of theirs are in meetings.
    #[schema(minimum = 0, example = 1)]
    pub seats_in_use: i64,
    /// How many tokens they have; no more than 1000 are counted.
    #[schema(minimum = 0, example = 3)]
    pub tokens: i64,
    /// When one of those was last used.
    #[schema(required)]
    pub last_used_at: Option<Time>,
}

/// A token, with whose it is and when it ends.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FoundToken {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// Its user's address.
    #[schema(value_type = String, format = "email", example = "user@example.com")]
    pub email: Email,
    /// When it ends if nothing changes: by its end or by disuse, whichever comes first.
    #[schema(required)]
    pub ends_at: Option<Time>,
}

/// A meeting, with whose it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FoundMeeting {
    /// The meeting.
    #[serde(flatten)]
    pub meeting: MeetingSummary,
    /// Its user's address.
    #[schema(value_type = String, format = "email", example = "user@example.com")]
    pub email: Email,
}
