//! The channels on which a bot hears the commands for it.

use crate::wire::replies::Replies;
use std::collections::BTreeSet;

/// The channels that a client has subscribed to, by their names.
#[derive(Debug, Default)]
pub(crate) struct Channels(pub BTreeSet<String>);

impl Channels {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes a command for the bot to each channel. One that has subscribed to both of its
    /// channels hears it twice, and says it twice; no known version does.
    pub(crate) fn push(&self, command: &str, replies: &mut Replies) {
        for name in &self.0 {
            replies.push(3);
            replies.bulk(b"message");
            replies.bulk(name.as_bytes());
            replies.bulk(command.as_bytes());
        }
    }
}
