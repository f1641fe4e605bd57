//! What a bot is started with, and how it ended.

use crate::bots::running::RunPermit;
use crate::domain::MeetingId;
use std::sync::Arc;

/// What a bot is started with.
#[derive(Clone)]
pub struct LaunchSpec {
    /// Its meeting.
    pub meeting_id: MeetingId,
    /// The uid of its session.
    pub uid: String,
    /// Its unique name, `vomeet-bot-<meeting>`.
    pub name: String,
    /// Counts it among the bots that run; one without is counted when it is started.
    pub permit: Option<Arc<RunPermit>>,
    /// Its environment: `BOT_CONFIG`, `VEXA_BOT_CONFIG`, and `WHISPER_LIVE_URL` where it is set.
    pub environment: Vec<(String, String)>,
}

/// How a bot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BotExit {
    /// Its exit code, where it had one and it is known.
    pub exit_code: Option<i64>,
    /// How it ended, in a sentence.
    pub how: String,
}

impl BotExit {
    /// The exit of a bot whose exit code is not known.
    pub(super) fn unseen(how: impl Into<String>) -> Self {
        Self { exit_code: None, how: how.into() }
    }

    /// The exit of a bot that ended by itself.
    pub(super) fn with_code(exit_code: i64) -> Self {
        Self {
            exit_code: Some(exit_code),
            how: format!("the bot ended with exit code {exit_code}"),
        }
    }
}

/// The names and values of items `NAME=value`; others are left out.
pub(crate) fn pairs(items: &[String]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for item in items {
        if let Some((name, value)) = item.split_once('=') {
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        let items = ["A=1".to_owned(), "B=x=y".to_owned(), "C=".to_owned(), "no value".to_owned()];
        let pairs = pairs(&items);
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "x=y"), ("C", "")]);
    }
}
