//! A write as a value, and what others must know of it after its commit.

use crate::domain::{
    Meeting, MeetingId, MeetingStatus, Platform, Segment, Time, TokenHash, UserId, Word,
};
use crate::error::Result;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What the table of verbs says of one: `store/verbs.rs` implements it.
pub trait Numbered {
    /// The number by which it is recorded, for ever.
    const NUMBER: u16;
    /// The name, for people.
    const NAME: &'static str;
    /// Whether an actor comes with it.
    const IS_AUDITED: bool = false;
}

/// A change as a value, which can be recorded and comes back. Time and randomness come in with it:
/// `apply` reads the verb and the database and nothing else (no clock, settings, disk space or
/// memory, and no order that is not sorted), so the same verbs on a copy give the same rows. The
/// replay of every test's verbs holds that.
pub trait Verb: Numbered + Serialize + DeserializeOwned + Send + 'static {
    /// What the caller gets after the commit.
    type Answer: Send + 'static;

    /// Whether it may use the reserve of a full disk: it frees space or shuts somebody out.
    const ESSENTIAL: bool = false;

    /// Does it, inside a transaction; an error undoes this verb and no other.
    fn apply(&self, db: &Connection) -> Result<Self::Answer>;

    /// What others must hear of it once it is committed.
    fn change(&self, _answer: &Self::Answer) -> Option<Change> {
        None
    }

    /// The same of a verb that does several things.
    fn changes(&self, answer: &Self::Answer) -> Vec<Change> {
        self.change(answer).into_iter().collect()
    }
}

/// What was committed, for those who keep some of it in memory.
#[derive(Debug, Clone)]
pub enum Change {
    /// Tokens are refused from now on.
    TokensRevoked(Vec<TokenHash>),
    /// Tokens are no longer as they were.
    TokensChanged(Vec<TokenHash>),
    /// Tokens may do less from now on.
    TokensNarrowed(Vec<TokenHash>),
    /// A user is no longer as they were.
    UserChanged(UserId),
    /// All tokens of a user are refused from now on.
    UserDisabled(UserId),
    /// A bot takes a seat of a user's.
    SeatsChanged(UserId),
    /// A user is gone with all their tokens.
    UserRemoved(UserId),
    /// A meeting moved on.
    MeetingMoved(Arc<Moved>),
    /// Words of a meeting were stored.
    SegmentsStored(Arc<Stored>),
    /// An event is due at once.
    DeliveryDue,
    /// A bot is told another language or task.
    BotReconfigured(Arc<Reconfigured>),
    /// A meeting's words and personal data are gone.
    MeetingRedacted(MeetingId),
    /// Words of a meeting come long after its sound: no commit, but its watchers are told in order.
    WordsLate(Arc<WordsLate>),
}

/// How late the words of a meeting are.
#[derive(Debug)]
pub struct WordsLate {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// Where it is held.
    pub platform: Word<Platform>,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// How long the oldest of its sound waits for words, in milliseconds; 0 where none is late.
    pub late_ms: i64,
    /// How many windows of its sound wait.
    pub windows: u64,
    /// When it was looked at.
    pub at: Time,
}

/// What a bot is told from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconfigured {
    /// Its meeting.
    pub meeting_id: MeetingId,
    /// The name of its session.
    pub uid: String,
    /// What is spoken; `None` where nobody has said it.
    pub language: Option<String>,
    /// What to make of it; `None` where nobody has said it.
    pub task: Option<String>,
}

/// A meeting that moved on.
#[derive(Debug)]
pub struct Moved {
    /// The meeting as it is now.
    pub meeting: Meeting,
    /// Where it stood before.
    pub from: MeetingStatus,
    /// The drafts that its end has made final, by stream.
    pub settled: Vec<Arc<Stored>>,
    /// The time of the transition.
    pub at: Time,
}

/// Words of a meeting that were stored, or stored anew.
#[derive(Debug)]
pub struct Stored {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// Where it is held.
    pub platform: Word<Platform>,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// The session or stream that heard them, by the name that is shown.
    pub session_uid: String,
    /// What was said, new or in place of what had the same id.
    pub segments: Vec<Segment>,
    /// The ids of the segments that are gone.
    pub removed: Vec<String>,
    /// When they were stored.
    pub at: Time,
}
