//! Why an engine gave no words.

use crate::http_client::Failure as HttpFailure;

/// Why an engine gave no words, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It cannot be reached, or the connection broke.
    Unreachable,
    /// It took too long.
    Slow,
    /// It does not accept its key.
    Unauthorized,
    /// It wants requests to be sent elsewhere.
    Redirect,
    /// It answered another status that is no success.
    Status,
    /// It answered with a page for people.
    Html,
    /// What it answered cannot be read.
    Unreadable,
    /// It answered nothing at all.
    Empty,
    /// Its answer is too long.
    TooLong,
    /// Its process has ended, or cannot be started.
    Died,
}

/// Each reason and its word.
pub(super) const REASONS: [(Reason, &str); 10] = [
    (Reason::Unreachable, "unreachable"),
    (Reason::Slow, "slow"),
    (Reason::Unauthorized, "unauthorized"),
    (Reason::Redirect, "redirect"),
    (Reason::Status, "status"),
    (Reason::Html, "html"),
    (Reason::Unreadable, "unreadable"),
    (Reason::Empty, "empty"),
    (Reason::TooLong, "too_long"),
    (Reason::Died, "died"),
];

/// Why an engine gave no words. The sentences name the engine and hold no secret, no address and
/// nothing of what a server wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It cannot do its work now; others may.
    Away(Reason, String),
    /// It does not take this very sound.
    Refused(String),
    /// It does not take this request, be it for the sound or for the engine.
    NotTaken(String),
}

impl Failure {
    /// A failure of the engine.
    pub(super) fn away(reason: Reason, sentence: impl Into<String>) -> Self {
        Self::Away(reason, sentence.into())
    }

    /// What a failed exchange of HTTP means.
    pub(super) fn of_http(name: &str, failure: &HttpFailure) -> Self {
        match failure {
            HttpFailure::Slow => Self::away(Reason::Slow, format!("Engine {name} is too slow.")),
            HttpFailure::TooLong => {
                Self::away(Reason::TooLong, format!("The answer of engine {name} is too long."))
            }
            HttpFailure::Broken(_) => {
                let sentence = format!("Engine {name} broke the connection.");
                Self::away(Reason::Unreachable, sentence)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place() {
        assert!((0..).zip(REASONS).all(|(place, (reason, _))| reason as usize == place));
    }
}
