//! What a bot is started with, and how it ended.

use crate::domain::MeetingId;

/// A bot that is wanted.
#[derive(Clone)]
pub struct LaunchSpec {
    /// For which meeting.
    pub meeting_id: MeetingId,
    /// The name of its session.
    pub uid: String,
    /// Its own name, which no other bot has.
    pub name: String,
    /// What it is told: `BOT_CONFIG` and `WHISPER_LIVE_URL`.
    pub environment: Vec<(String, String)>,
}

/// How a bot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotExit {
    /// Its exit code, where it had one and it is known.
    pub exit_code: Option<i64>,
    /// In a sentence.
    pub how: String,
}

impl BotExit {
    /// Of a bot whose end nobody saw.
    pub fn unseen(how: impl Into<String>) -> Self {
        Self { exit_code: None, how: how.into() }
    }

    /// Of a bot that ended by itself.
    pub fn with_code(exit_code: i64) -> Self {
        Self { exit_code: Some(exit_code), how: format!("the bot ended with exit code {exit_code}") }
    }
}

/// `NAME=value`, taken apart.
pub(crate) fn pairs(list: &[String]) -> impl Iterator<Item = (String, String)> {
    list.iter().filter_map(|item| item.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()))
}
