//! The metrics of the Redis endpoint: connections by what they are, commands by name, and payloads
//! that were refused by the reason.

use crate::metrics::families::Family;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The names by which commands are counted; any other counts as the last.
pub(crate) const COMMANDS: [&str; 19] = [
    "hello",
    "auth",
    "ping",
    "echo",
    "select",
    "quit",
    "client",
    "info",
    "xadd",
    "subscribe",
    "unsubscribe",
    "publish",
    "set",
    "del",
    "expire",
    "rpush",
    "ltrim",
    "get",
    "unknown",
];

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionKind {
    /// It has brought no key that was accepted.
    Unknown,
    /// It has brought the password of feeders, or payloads whose key was accepted.
    Feeder,
    /// It is bound to a meeting.
    Bot,
}

const KINDS: [(ConnectionKind, &str); 3] = [
    (ConnectionKind::Unknown, "unknown"),
    (ConnectionKind::Feeder, "feeder"),
    (ConnectionKind::Bot, "bot"),
];

/// Why a payload was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadRefusal {
    /// It cannot be read, or some of it cannot.
    Invalid,
    /// Its token is missing, or of no meeting.
    UnknownToken,
    /// Its meeting is over.
    MeetingOver,
    /// Its token is of another meeting than it says, or than the connection is bound to.
    OtherMeeting,
    /// It could not be stored now.
    NotStored,
}

const REASONS: [(PayloadRefusal, &str); 5] = [
    (PayloadRefusal::Invalid, "invalid"),
    (PayloadRefusal::UnknownToken, "unknown_token"),
    (PayloadRefusal::MeetingOver, "meeting_over"),
    (PayloadRefusal::OtherMeeting, "other_meeting"),
    (PayloadRefusal::NotStored, "not_stored"),
];

/// What the Redis endpoint counts.
#[derive(Debug, Default)]
pub(crate) struct RedisCounters {
    connections: [AtomicU64; KINDS.len()],
    commands: [AtomicU64; COMMANDS.len()],
    refused: [AtomicU64; REASONS.len()],
}

/// An open connection, which counts until this is dropped.
pub(crate) struct OpenConnection {
    counters: Arc<RedisCounters>,
    kind: ConnectionKind,
}

impl RedisCounters {
    /// Counts a connection of which nothing is known yet.
    pub(crate) fn open(self: &Arc<Self>) -> OpenConnection {
        let kind = ConnectionKind::Unknown;
        self.connections[kind as usize].fetch_add(1, Ordering::Relaxed);
        OpenConnection { counters: Arc::clone(self), kind }
    }

    /// Counts a command by its place in [`COMMANDS`].
    pub(crate) fn command(&self, number: usize) {
        self.commands[number.min(COMMANDS.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a payload that was refused.
    pub(crate) fn refuse(&self, reason: PayloadRefusal) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All of them.
    pub(crate) fn families(&self) -> Vec<Family> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut connections = Family::gauges(
            "redis_connections",
            "Open connections of the Redis protocol, by what they are",
        );
        for (kind, word) in KINDS {
            let value = count(&self.connections[kind as usize]);
            connections.add(vec![("kind", word.into())], value);
        }
        let about = "Commands of the Redis protocol, by their names";
        let mut commands = Family::counters("redis_commands", about);
        for (counter, name) in self.commands.iter().zip(COMMANDS) {
            commands.add(vec![("command", name.into())], count(counter));
        }
        let about = "Payloads of the Redis protocol that were not stored, by the reason";
        let mut refused = Family::counters("redis_payloads_refused", about);
        for (reason, word) in REASONS {
            refused.add(vec![("reason", word.into())], count(&self.refused[reason as usize]));
        }
        vec![connections, commands, refused]
    }
}

impl OpenConnection {
    /// It is of this kind from now on.
    pub(crate) fn becomes(&mut self, kind: ConnectionKind) {
        let connections = &self.counters.connections;
        connections[self.kind as usize].fetch_sub(1, Ordering::Relaxed);
        connections[kind as usize].fetch_add(1, Ordering::Relaxed);
        self.kind = kind;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.connections[self.kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_counts_in_its_own_place() {
        assert!((0..).zip(KINDS).all(|(place, (kind, _))| kind as usize == place));
        assert!((0..).zip(REASONS).all(|(place, (reason, _))| reason as usize == place));
    }

    #[test]
    fn a_connection_counts_until_it_ends() {
        let counters = Arc::new(RedisCounters::default());
        let value =
            |kind: ConnectionKind| counters.connections[kind as usize].load(Ordering::Relaxed);
        let mut open = counters.open();
        let other = counters.open();
        open.becomes(ConnectionKind::Bot);
        assert_eq!((value(ConnectionKind::Unknown), value(ConnectionKind::Bot)), (1, 1));
        drop((open, other));
        assert_eq!((value(ConnectionKind::Unknown), value(ConnectionKind::Bot)), (0, 0));
    }
}
